// One place of a comparison: what was measured there, its statements, and what its scans returned.
const LISTED = 8;

// The part of a URL that opens a place: #place=comparison/place, and /model where there are several.
function placeHash(row, part) {
  const names = [row.comparison, row.place, ...(part ? [part] : [])];
  return `#place=${names.map(encodeURIComponent).join("/")}`;
}

// What such a URL names; null where it names no place.
function placeOf(hash) {
  if (!hash.startsWith("#place=")) return null;
  const [comparison, place, part] = hash.slice(7).split("/").map((one) => {
    try { return decodeURIComponent(one); } catch { return one; }
  });
  return { comparison, place, part: Number(part) || 0 };
}

class PlaceView {
  constructor(sheets, chosen, pictures) {
    Object.assign(this, { sheets, chosen, pictures });
    this.nodes = new NodeView(sheets, chosen, pictures);
    this.statements = new StatementTable(document.getElementById("statement-table"), pictures.page.rows);
    this.selects = ["comparison", "at", "scan"].map((id) => document.getElementById(id));
    const [comparison, at, scan] = this.selects;
    comparison.addEventListener("change", () => this.move(Number(comparison.value), null));
    at.addEventListener("change", () => this.move(null, Number(at.value)));
    scan.addEventListener("change", () => this.openScan(Number(scan.value)));
    document.getElementById("furthest").addEventListener("click", () => {
      this.open(this.sheets.row("comparisons", this.row().of).furthest);
    });
  }

  row() {
    return this.sheets.row("cells", this.chosen.cell);
  }

  // The cells, scans and clouds of the part that is shown.
  begin() {
    this.cells = this.sheets.rows("cells", this.chosen);
    this.scans = this.sheets.rows("scans", this.chosen);
    this.clouds = this.sheets.rows("clouds", this.chosen);
    this.evidence = this.sheets.rows("evidence", this.chosen);
    this.number = new Map(this.cells.map((row) => [`${row.of} ${row.at}`, row.cell]));
    const [comparison, at] = this.selects;
    const compared = new Map(this.cells.map((row) => [row.of, row.comparison]));
    comparison.replaceChildren(...[...compared].map(([value, textContent]) =>
      element("option", { value, textContent })));
    const lines = new Map();
    for (const row of this.cells.filter((one) => one.of === this.cells[0].of)) {
      if (!lines.has(row.line)) lines.set(row.line, element("optgroup", { label: row.line }));
      lines.get(row.line).append(element("option", { value: row.at, textContent: row.place }));
    }
    at.replaceChildren(...lines.values());
    this.open(this.clearest());
  }

  clearest() {
    const shown = this.sheets.rows("comparisons", this.chosen);
    return shown.reduce((a, b) => ((b.best_z ?? -1) > (a.best_z ?? -1) ? b : a)).furthest;
  }

  // The cell that a URL names; undefined where there is none.
  named({ comparison, place }) {
    return this.cells.find((row) => row.comparison === comparison && row.place === place)?.cell;
  }

  move(comparison, at) {
    const row = this.row();
    this.open(this.number.get(`${comparison ?? row.of} ${at ?? row.at}`));
  }

  open(cell) {
    this.chosen.cell = cell;
    const row = this.row();
    const hash = placeHash(row, this.chosen.part);
    if (this.began) history.replaceState(null, "", hash);
    this.began = true;
    document.getElementById("place-link").href = hash;
    const [comparison, at] = this.selects;
    comparison.value = row.of;
    at.value = row.at;
    document.getElementById("place-title").textContent = `${row.comparison} at ${row.place}`;
    document.getElementById("place-said").textContent = this.said(row);
    const cloud = this.clouds.find((one) => one.cell === cell);
    this.chosen.cloud = cloud ? cloud.cloud : -1;
    this.absent("cloud-none", cloud, this.clouds, row);
    const evidence = this.evidence.find((one) => one.cell === cell);
    this.chosen.evidence = evidence ? evidence.evidence : -1;
    this.absent("statements-none", evidence, this.evidence, row);
    this.statements.show(this.sheets.rows("statements", this.chosen), row);
    const here = this.scans.filter((one) => one.cell === cell);
    // All rows before those of a half, which are fewer.
    here.sort((a, b) => (b.scan === evidence?.scan) - (a.scan === evidence?.scan));
    this.absent("scan-none", here.length, this.scans, row);
    document.getElementById("tested").hidden = !here.length;
    this.selects[2].replaceChildren(...here.map((one) =>
      element("option", { value: one.scan, textContent: one.rows })));
    this.openScan(here.length ? here[0].scan : -1);
  }

  // Where nothing more is kept of a place: links to those of the comparison where it is.
  absent(id, there, kept, row) {
    const note = document.getElementById(id);
    note.hidden = Boolean(there);
    if (there) return;
    const cells = new Map(kept.filter((one) => one.of === row.of).map((one) => [one.cell, one.place]));
    note.hidden = !cells.size; // kept nowhere
    note.querySelector(".links").replaceChildren(...[...cells].map(([cell, place]) => {
      const button = element("button", { type: "button", textContent: place });
      button.addEventListener("click", () => this.open(cell));
      return button;
    }));
  }

  said(row) {
    const sides = `${row.h1} ${this.pictures.page.rows} of H1 against ${row.h0} of H0. `;
    if (row.z === null) return `${sides}Labels were not permuted here: no score carries a p-value.`;
    const sure = row.p_family <= 0.05 ? "It shows here" : "It is not found here";
    return sides + filled(
      `${sure}: z {z:.1f}, family-wise p {p_family:p}. How well H1 is told from H0 here (AUROC, 0.5 is `
      + "chance): {probe_auroc:.2f} by a probe that is told the labels, {auroc:.2f} ({auroc_low:.2f} to "
      + "{auroc_high:.2f}) by rows scanned one at a time without them.", row);
  }

  openScan(scan) {
    this.chosen.scan = scan;
    this.nodes.begin();
    this.pictures.update(["cell", "cloud", "scan", "evidence", "probe"]);
    if (scan < 0) return;
    const rows = this.sheets.rows("rows", this.chosen).filter((row) => row.scanned);
    // Drawn towards a half: one run says less than twenty.
    const share = (row) => (row.returned + 1) / (row.scanned + 2);
    rows.sort((a, b) => share(b) - share(a));
    this.list("most", rows.slice(0, LISTED));
    this.list("least", rows.slice(-LISTED).reverse());
    document.getElementById("returned").hidden = !rows.length;
  }

  static runs({ returned, scanned }) {
    if (scanned === 1) return returned ? "in the one run that scanned it" : "not in the one run that scanned it";
    return `in ${returned || "none"} of the ${scanned} runs that scanned it`;
  }

  list(id, rows) {
    document.getElementById(id).replaceChildren(...rows.map((row) => element("li", {},
      side(row.positive),
      element("bdi", { textContent: ` ${row.text} ` }),
      element("small", { textContent: PlaceView.runs(row) }))));
  }
}
