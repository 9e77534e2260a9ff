// Vega writes into the rows that it is given.
const copied = (rows) => rows.map((row) => ({ ...row }));

// What profiles can show of a study: [name, in words], the first at first.
const measures = (page) => page.pictures.profiles.choices[0].options;

const NARROW = matchMedia("(max-width: 600px)");

// Pictures: a chart of Vega, its rows, its sentence, and what can be saved of it.
class Pictures {
  constructor(page, sheets, chosen) {
    Object.assign(this, { page, sheets, chosen, drawn: new Map(), theme: "light" });
    this.tip = document.getElementById("tip");
    NARROW.addEventListener("change", () => {
      for (const state of this.drawn.values()) state.squeezed = false;
      this.setTheme(this.theme);
    });
    this.watch = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) this.draw(entry.target);
      }
    }, { rootMargin: "300px" });
  }

  begin(figures) {
    for (const figure of figures) {
      this.drawn.set(figure, {});
      for (const button of figure.querySelectorAll("[data-save]")) {
        button.setAttribute("aria-label", `${button.textContent} of ${figure.getAttribute("aria-label")}`);
        button.addEventListener("click", () => this.save(figure, button.dataset.save));
      }
      figure.querySelector("details").addEventListener("toggle", () => this.numbers(figure));
      for (const select of figure.querySelectorAll("[data-choice]")) {
        select.addEventListener("change", () => this.choose(select.dataset.choice, select.value));
      }
      this.watch.observe(figure);
    }
  }

  of(figure) {
    return this.page.pictures[figure.dataset.picture];
  }

  // Something was chosen beside a picture: all that show it are drawn anew.
  choose(name, value) {
    this.chosen[name] = /^-?\d+$/.test(value) ? Number(value) : value;
    // The comparisons of another place are others.
    if (name === "shared") this.chosen.first = this.chosen.second = -1;
    this.update(name === "shared" ? [name, "first", "second"] : [name]);
  }

  options(figure) {
    for (const choice of this.of(figure).choices) {
      const select = figure.querySelector(`[data-choice="${choice.name}"]`);
      const groups = this.sheets.packed[choice.sheet];
      const rows = choice.sheet ? this.sheets.rows(choice.sheet, this.chosen) : [];
      const options = choice.sheet
        ? rows.map((row) => [groups.columns[choice.name] ? row[choice.name] : row.number, filled(choice.words, row)])
        : choice.options;
      select.replaceChildren(...options.map(([value, words]) =>
        element("option", { value: String(value), textContent: words })));
      if (!options.some(([value]) => value === this.chosen[choice.name]) && options.length) {
        this.chosen[choice.name] = options[Math.min(choice.start, options.length - 1)][0];
      }
      select.value = String(this.chosen[choice.name]);
      select.parentElement.hidden = options.length < 2;
    }
  }

  rows(figure) {
    const found = {};
    for (const [name, feed] of Object.entries(this.of(figure).feeds)) {
      found[name] = feed.sheet === "corners" ? this.page.corners : this.sheets.fed(feed, this.chosen);
    }
    return found;
  }

  async draw(figure) {
    const state = this.drawn.get(figure);
    // Those of another model wait until it is chosen.
    if (state.ready || figure.closest("[data-part][hidden]")) return state.ready;
    const name = figure.dataset.picture;
    const { ink, config } = this.page.themes[this.theme];
    this.options(figure);
    const rows = this.rows(figure);
    // Without rows there is nothing to draw: the picture comes when something else is chosen.
    figure.hidden = Object.values(rows).some((found) => !found.length);
    if (figure.hidden) return undefined;
    // What assistive software reads is the label of the chart and the table, not single marks.
    const chart = figure.querySelector(".chart");
    const inner = element("div", { ariaHidden: "true" });
    chart.replaceChildren(inner);
    const narrow = (NARROW.matches || state.squeezed) && this.page.narrow[name];
    const spec = structuredClone(narrow || this.page.charts[name]);
    for (const set of spec.data) {
      if (rows[set.name]) set.values = copied(rows[set.name]);
    }
    spec.background = ink.paper; // in what is saved as well
    const signals = this.signals(ink);
    for (const signal of spec.signals || []) {
      if (signals[signal.name] !== undefined) signal.value = signals[signal.name];
    }
    state.rows = rows;
    this.say(figure);
    state.ready = vegaEmbed(inner, spec, {
      mode: "vega", actions: false, defaultStyle: false, config, hover: true,
      renderer: Object.values(rows).some((found) => found.length > 1500) ? "canvas" : "svg",
      tooltip: (_handler, event, _item, value) => this.tell(event, value),
    }).then(({ view }) => {
      state.view = view;
      state.sets = new Set(spec.data.map((set) => set.name));
      state.signals = new Set((spec.signals || []).map((signal) => signal.name));
      view.addEventListener("click", (_event, item) => {
        if (!item || !item.datum) return;
        if (item.datum.cell !== undefined) this.page.open(item.datum.cell);
        else if (name === "volcano") this.page.openNode(item.datum.node);
      });
      if (name === "statements") {
        view.addSignalListener("marked", (_name, { score }) => this.page.mark(score || null));
      }
      const wide = chart.scrollWidth > chart.clientWidth;
      if (wide && !narrow && this.page.narrow[name]) {
        state.squeezed = true; // the chart for a phone fits, where this one does not
        view.finalize();
        state.view = state.ready = null;
        return this.draw(figure);
      }
      if (wide) chart.tabIndex = 0;
      figure.classList.toggle("sideways", wide);
      figure.dataset.drawn = "yes";
      return undefined;
    });
    return state.ready;
  }

  // Signals of charts: inks, and what is chosen.
  signals(ink) {
    const { chosen, page } = this;
    const [, measured] = measures(page).find(([name]) => name === chosen.measure);
    return { ...ink, ...chosen, here: chosen.cell, several: page.several, measured };
  }

  signal(state, ink) {
    for (const [signal, value] of Object.entries(this.signals(ink))) {
      if (state.signals.has(signal)) state.view.signal(signal, value);
    }
    state.ready = state.view.runAsync();
  }

  // Something else is chosen: new rows for the pictures that depend on it, where they are drawn;
  // the others are drawn when they are seen.
  update(names) {
    const { ink } = this.page.themes[this.theme];
    for (const [figure, state] of this.drawn) {
      const feeds = Object.values(this.of(figure).feeds);
      const follows = feeds.some((feed) => this.sheets.follows(feed, names));
      if (!state.view) {
        if (figure.hidden && follows) this.draw(figure);
        continue;
      }
      if (!follows) {
        this.signal(state, ink);
        continue;
      }
      this.options(figure);
      const rows = this.rows(figure);
      figure.hidden = Object.values(rows).some((found) => !found.length);
      if (figure.hidden) continue;
      state.rows = rows;
      this.signal(state, ink);
      for (const [set, found] of Object.entries(state.rows)) {
        // Some rows are there for the sentence alone.
        if (state.sets.has(set)) state.view.data(set, copied(found));
      }
      this.say(figure);
      state.ready = state.view.runAsync();
      this.numbers(figure);
    }
  }

  setTheme(theme) {
    this.theme = theme;
    for (const [figure, state] of this.drawn) {
      if (!state.view) continue;
      state.view.finalize();
      state.view = state.ready = null;
      this.draw(figure);
    }
  }

  say(figure) {
    const picture = this.of(figure);
    const { rows } = this.drawn.get(figure);
    let said = picture.says;
    if (picture.of) said = rows[picture.of].length ? filled(picture.says, rows[picture.of][0]) : "";
    const own = this.page.captions[this.chosen.part] || {};
    said = own[figure.dataset.picture.replace(/-\d+$/, "")] || said;
    figure.querySelector("figcaption").textContent = said;
    figure.querySelector(".chart").setAttribute("aria-label", `${picture.title}. ${said}`);
  }

  // What stands under the pointer, as text.
  tell(event, value) {
    if (value === null || value === undefined || value === "") {
      this.tip.hidden = true;
      return;
    }
    const lines = Object.entries(typeof value === "object" ? value : { "": value });
    this.tip.replaceChildren(...lines.map(([name, text]) => element("div", {},
      ...(name.trim() ? [element("span", { textContent: `${name}: ` })] : []),
      // Charts write a p with three digits, however small it is.
      element("bdi", { textContent: text === "0.000" && /\b[pq]$/.test(name) ? pWords(0) : plain(text) }))));
    this.tip.hidden = false;
    const { innerWidth, innerHeight } = window;
    const { offsetWidth, offsetHeight } = this.tip;
    this.tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - offsetWidth - 8))}px`;
    this.tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - offsetHeight - 8))}px`;
  }

  main(figure) {
    const { rows } = this.drawn.get(figure);
    return Object.values(rows).reduce((a, b) => (b.length > a.length ? b : a), []);
  }

  columns(figure) {
    const { columns } = this.of(figure);
    const [row] = this.main(figure);
    return columns.length || !row ? columns : Object.keys(row);
  }

  async numbers(figure) {
    if (!figure.querySelector("details").open) return;
    await this.draw(figure);
    const rows = this.main(figure);
    figure.querySelector(".numbers").replaceChildren(...plainTable(rows, this.columns(figure), 1000));
  }

  async save(figure, kind) {
    await this.draw(figure);
    const { view } = this.drawn.get(figure);
    const name = `${figure.dataset.picture}.${kind}`;
    if (kind === "csv") {
      const rows = this.main(figure);
      save(name, csvOf(rows, this.columns(figure)), "text/csv");
    } else if (kind === "svg") {
      save(name, await view.toSVG(), "image/svg+xml");
    } else {
      const canvas = await view.toCanvas(2, {});
      canvas.toBlob((blob) => save(name, blob, "image/png"));
    }
  }
}

// Light or dark, as the reader's machine or button says; on paper every picture is there.
function followTheme(pictures) {
  const button = document.getElementById("theme");
  const set = (name) => {
    document.documentElement.dataset.theme = name;
    button.textContent = name === "dark" ? "Light theme" : "Dark theme"; // what a click does
    pictures.setTheme(name);
  };
  button.addEventListener("click", () => {
    set(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  });
  if (matchMedia("(prefers-color-scheme: dark)").matches) set("dark");
  window.addEventListener("beforeprint", () => {
    if (pictures.theme === "dark") set("light");
    for (const fold of document.querySelectorAll("details.fold, details.why")) fold.open = true;
    for (const figure of pictures.drawn.keys()) pictures.draw(figure);
  });
}

function sayFault(error) {
  const fault = document.getElementById("fault");
  fault.textContent = `The pictures cannot be drawn (${error.message}); a browser of 2023 or later can.`;
  fault.hidden = false;
}
