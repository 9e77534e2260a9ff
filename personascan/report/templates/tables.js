// Tables of a page: made of text alone, sorted and filtered where they are long, saved as CSV.
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function save(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// A cell of CSV; one that a spreadsheet would compute gets a quote in front.
function csvCell(value) {
  let text = plain(value);
  if (typeof value === "string" && /^[=+\-@']/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvOf(rows, names) {
  const lines = [names, ...rows.map((row) => names.map((name) => row[name]))];
  return `${lines.map((line) => line.map(csvCell).join(",")).join("\r\n")}\r\n`;
}

// Columns of p and q, which a reader sees as every sentence writes them; a CSV has all digits.
const PVALUES = new Set(["p", "q", "node_p", "p_family", "p_family_nodes", "p_judged", "p_step_down", "family_p", "best_p",
  "best_q", "hypergeometric_p"]);

function shownValue(name, value) {
  return PVALUES.has(name) && typeof value === "number" ? pWords(value) : plain(value);
}

function plainTable(rows, names, limit) {
  const head = element("tr", {}, ...names.map((n) => element("th", { scope: "col", textContent: n })));
  const lines = rows.slice(0, limit).map((row) =>
    element("tr", {}, ...names.map((n) => element("td", { textContent: shownValue(n, row[n]), dir: "auto" }))));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
  const more = rows.length > limit ? ` (the first ${limit}; the CSV has all)` : "";
  return [element("p", { textContent: `${rows.length} rows${more}` }), table];
}

const DIRECTIONS = { 1: "high", "-1": "low", 0: "either" };
const NODE_COLUMNS = {
  node: "node", direction: "direction", effect: "effect (deviations)", frequency: "selection frequency",
  null_frequency: "under permuted labels", q: "q", node_p: "family-wise p", in_set: "in the set",
};
const SHOWN_NODES = 50;

// The node table: sorted by its headers, filtered by its fields, saved as it is shown.
class NodeTable {
  constructor(place, open) {
    Object.assign(this, { place, open });
    this.rows = [];
    this.sort = { name: "rank", up: true };
    this.shown = SHOWN_NODES;
    this.fields = {
      node: element("input", { type: "text", inputMode: "numeric", size: 8 }),
      direction: element("select", {}, ...["", "high", "low"].map((d) =>
        element("option", { value: d, textContent: d || "both" }))),
      q: element("input", { type: "number", min: 0, max: 1, step: "any", value: 1 }),
      in_set: element("input", { type: "checkbox" }),
    };
    const words = { node: "Node", direction: "Direction", q: "q at most", in_set: "In the set" };
    const labels = Object.entries(this.fields).map(([name, field]) => {
      field.dataset.filter = name;
      field.addEventListener("input", () => { this.shown = SHOWN_NODES; this.draw(); });
      return element("label", { textContent: `${words[name]} ` }, field);
    });
    const csv = element("button", { type: "button", textContent: "CSV of these rows", id: "nodes-csv" });
    csv.addEventListener("click", () => save("nodes.csv", csvOf(this.kept(), Object.keys(NODE_COLUMNS)), "text/csv"));
    this.count = element("p", { role: "status" });
    this.heads = {};
    const head = element("tr", {}, ...Object.entries(NODE_COLUMNS).map(([name, title]) => {
      const button = element("button", { type: "button", textContent: title });
      button.addEventListener("click", () => this.sortBy(name));
      this.heads[name] = element("th", { scope: "col" }, button);
      return this.heads[name];
    }));
    this.body = element("tbody");
    this.more = element("button", { type: "button", textContent: "More rows" });
    this.more.addEventListener("click", () => { this.shown += 200; this.draw(); });
    const table = element("table", {}, element("thead", {}, head), this.body);
    const box = element("div", { className: "table", tabIndex: 0 }, table);
    box.setAttribute("role", "region");
    box.setAttribute("aria-labelledby", "nodes-title");
    place.replaceChildren(element("div", { className: "filters" }, ...labels, csv), this.count, box, this.more);
  }

  sortBy(name) {
    const up = this.sort.name === name ? !this.sort.up : ["node", "q", "node_p"].includes(name);
    this.sort = { name, up };
    this.draw();
  }

  kept() {
    const { node, direction, q, in_set: inSet } = this.fields;
    const most = q.value === "" ? 1 : Number(q.value);
    const wanted = new Set(node.value.split(/[\s,;]+/).filter(Boolean).map(Number));
    const rows = this.rows.filter((row) =>
      (!wanted.size || wanted.has(row.node)) && (!direction.value || row.direction === direction.value)
      && (row.q === null || row.q <= most + 1e-9) && (!inSet.checked || row.in_set));
    const { name, up } = this.sort;
    const order = (a, b) => (a[name] < b[name] ? -1 : a[name] > b[name] ? 1 : a.rank - b.rank);
    return rows.sort((a, b) => (up ? order(a, b) : order(b, a)));
  }

  show(rows) {
    this.rows = rows.map((row) => ({ ...row, direction: DIRECTIONS[row.direction] }));
    this.shown = SHOWN_NODES;
    this.draw();
  }

  cell(name, row) {
    if (name !== "node") {
      return element("td", { textContent: name === "in_set" ? (row.in_set ? "yes" : "no") : shownValue(name, row[name]) });
    }
    const button = element("button", { type: "button", textContent: plain(row.node), title: "Show its values" });
    button.addEventListener("click", () => this.open(row.node));
    return element("td", {}, button);
  }

  draw() {
    const rows = this.kept();
    const names = Object.keys(NODE_COLUMNS);
    for (const name of names) {
      const sorted = this.sort.name === name;
      this.heads[name].setAttribute("aria-sort", sorted ? (this.sort.up ? "ascending" : "descending") : "none");
    }
    this.count.textContent = `${rows.length} of ${this.rows.length} shown in order of ${NODE_COLUMNS[this.sort.name] ?? "size"}`;
    this.body.replaceChildren(...rows.slice(0, this.shown).map((row) =>
      element("tr", {}, ...names.map((n) => this.cell(n, row)))));
    this.more.hidden = rows.length <= this.shown;
  }
}
