// The nodes of a place: all in a table, and one of them with its value in every statement.
const ENDS = 4;

class NodeView {
  constructor(sheets, chosen, pictures) {
    Object.assign(this, { sheets, chosen, pictures });
    this.table = new NodeTable(document.getElementById("nodes"), (node) => this.open(node));
  }

  // Other rows were tested, or another place was opened: its furthest node.
  begin() {
    this.probes = this.sheets.rows("probes", this.chosen);
    this.table.show(this.chosen.scan < 0 ? [] : this.sheets.rows("nodes", this.chosen));
    this.choose(this.probes.length ? this.probes[0].node : -1);
  }

  choose(node) {
    const probe = this.probes.find((one) => one.node === node);
    this.chosen.node = node;
    this.chosen.probe = probe ? probe.probe : -1;
    this.list("node-high", "node-low", probe);
    const none = document.getElementById("node-none");
    none.hidden = Boolean(probe) || node < 0;
    none.textContent = this.probes.length
      ? `Values are kept of the ${this.probes.length} nodes with the largest effects; node ${node} is none of them.`
      : "Values of nodes are kept at the furthest place of each comparison.";
  }

  open(node) {
    this.choose(node);
    this.pictures.update(["probe", "node"]);
  }

  // The statements in which the node is highest and lowest.
  list(high, low, probe) {
    const rows = probe ? [...this.sheets.rows("values", this.chosen)] : [];
    rows.sort((a, b) => b.value - a.value);
    document.getElementById("node-ends").hidden = !rows.length;
    this.fill(high, rows.slice(0, ENDS));
    this.fill(low, rows.slice(-ENDS).reverse());
  }

  fill(id, rows) {
    document.getElementById(id).replaceChildren(...rows.map((row) => element("li", {}, side(row.positive),
      element("bdi", { textContent: ` ${row.text} ` }),
      element("small", { textContent: row.value.toFixed(1) }))));
  }
}
