// Every statement of a comparison at its furthest place, by its score; those that surprise first.
const SHOWN_STATEMENTS = 10;
const STATEMENT_COLUMNS = { side: "is", text: "what it says", score: "score", told: "told as" };

function side(positive) {
  return element("span", { className: positive ? "side h1" : "side h0", textContent: positive ? "H1" : "H0" });
}

class StatementTable {
  constructor(place, called) {
    Object.assign(this, { place, called });
    this.sort = { name: "surprise", up: false };
    this.marked = null;
    this.count = element("p", { role: "status" });
    this.all = element("button", { type: "button", textContent: `Show all ${called}` });
    this.all.addEventListener("click", () => this.mark(null));
    this.surprise = element("button", { type: "button", textContent: "Surprising first" });
    this.surprise.addEventListener("click", () => this.sortBy("surprise"));
    this.words = element("input", { type: "search", size: 16 });
    this.words.addEventListener("input", () => this.draw());
    this.which = element("select", {}, ...["both sides", "H1", "H0"].map((one) =>
      element("option", { value: one, textContent: one })));
    this.which.addEventListener("change", () => this.draw());
    this.heads = {};
    const head = element("tr", {}, ...Object.entries(STATEMENT_COLUMNS).map(([name, title]) => {
      const button = element("button", { type: "button", textContent: title });
      button.addEventListener("click", () => this.sortBy(name));
      this.heads[name] = element("th", { scope: "col" }, button);
      return this.heads[name];
    }));
    this.body = element("tbody");
    this.more = element("button", { type: "button", textContent: `More ${called}` });
    this.more.addEventListener("click", () => { this.shown += 100; this.draw(); });
    const box = element("div", { className: "table", tabIndex: 0 },
      element("table", {}, element("thead", {}, head), this.body));
    box.setAttribute("role", "region");
    box.setAttribute("aria-labelledby", "statements-title");
    const filters = element("div", { className: "filters" },
      element("label", { textContent: "Side " }, this.which),
      element("label", { textContent: "With the words " }, this.words), this.surprise, this.all);
    place.replaceChildren(filters, this.count, box, this.more);
  }

  show(rows, cell) {
    this.rows = rows.map((row) => ({
      ...row,
      side: row.positive ? "H1" : "H0",
      told: row.score > 0 ? "H1" : "H0",
      surprise: row.positive ? -row.score : row.score,
    }));
    this.cell = cell;
    this.marked = null;
    this.shown = SHOWN_STATEMENTS;
    document.getElementById("statements").hidden = !rows.length;
    this.draw();
  }

  // Statements whose scores lie in a stretch; null: all.
  mark(range) {
    this.marked = range;
    if (range && this.sort.name === "surprise") this.sort = { name: "score", up: false };
    this.shown = SHOWN_STATEMENTS;
    this.draw();
  }

  sortBy(name) {
    const up = this.sort.name === name ? !this.sort.up : name === "text";
    this.sort = { name, up: name !== "surprise" && up };
    this.shown = SHOWN_STATEMENTS;
    this.draw();
  }

  kept() {
    const words = this.words.value.toLowerCase();
    const [from, to] = this.marked || [-Infinity, Infinity];
    const rows = this.rows.filter((row) => row.score >= from && row.score <= to
      && (this.which.value === "both sides" || row.side === this.which.value)
      && (!words || row.text.toLowerCase().includes(words)));
    const { name, up } = this.sort;
    const order = (a, b) => (a[name] < b[name] ? -1 : a[name] > b[name] ? 1 : 0);
    return rows.sort((a, b) => (up ? order(a, b) : order(b, a)));
  }

  draw() {
    const rows = this.kept();
    for (const [name, head] of Object.entries(this.heads)) {
      const sorted = this.sort.name === name;
      head.setAttribute("aria-sort", sorted ? (this.sort.up ? "ascending" : "descending") : "none");
    }
    const wrong = this.rows.filter((row) => row.side !== row.told).length;
    const marked = this.marked ? `, with scores of ${this.marked.map((one) => one.toFixed(2)).join(" to ")}` : "";
    this.count.textContent = `${rows.length} of ${this.rows.length} ${this.called}${marked}. ${wrong} of all look like the `
      + `other side${this.sort.name === "surprise" ? "; those that do so most come first" : ""}.`;
    this.all.hidden = !this.marked;
    this.body.replaceChildren(...rows.slice(0, this.shown).map((row) => {
      const line = element("tr", { className: row.side === row.told ? "" : "surprising" },
        element("td", {}, side(row.positive)), element("td", { textContent: row.text, dir: "auto" }),
        element("td", { textContent: row.score.toFixed(2) }), element("td", {}, side(row.score > 0)));
      line.dataset.row = row.row;
      return line;
    }));
    this.more.hidden = rows.length <= this.shown;
  }
}
