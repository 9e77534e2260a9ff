// The page: its data, its parts (models and levels), its places by URL, its theme.
async function begin() {
  const page = await unsqueezed(document.getElementById("data").textContent);
  const sheets = new Sheets(page.sheets);
  const chosen = {
    part: 0, level: 0, cell: -1, scan: -1, cloud: -1, evidence: -1, probe: -1, node: -1, shared: -1, first: -1,
    second: -1, edit: -1, act: "", measure: measures(page)[0][0], shown: "", order: "study",
  };
  const pictures = new Pictures(page, sheets, chosen);
  const levels = sheets.every("parts");
  const view = new PlaceView(sheets, chosen, pictures);
  const part = document.getElementById("part");
  page.open = (cell) => {
    view.open(cell);
    document.getElementById("place").scrollIntoView({ block: "start" });
  };
  page.openNode = (node) => view.nodes.open(node);
  page.mark = (range) => view.statements.mark(range);

  function show(number) {
    chosen.part = number;
    chosen.level = levels[number].level;
    page.several = levels.filter((one) => one.level === chosen.level).length > 1;
    chosen.shared = chosen.first = chosen.second = chosen.edit = -1;
    chosen.act = "";
    if (part) part.value = String(number);
    for (const one of document.querySelectorAll("[data-part]")) {
      one.hidden = one.dataset.part !== "all" && Number(one.dataset.part) !== number;
    }
    view.begin();
    pictures.update(["part", "level", "shared", "first", "second", "edit", "act", "cell", "cloud", "scan", "evidence",
      "probe"]);
  }

  // Opens the place that the address of the page names, if it names one.
  function follow() {
    const named = placeOf(location.hash);
    if (!named || named.part >= levels.length) return;
    if (named.part !== chosen.part) show(named.part);
    const cell = view.named(named);
    if (cell !== undefined) page.open(cell);
  }

  followTheme(pictures);
  if (part) part.addEventListener("change", () => show(Number(part.value)));
  for (const button of document.querySelectorAll("[data-download]")) {
    button.addEventListener("click", () => {
      const rows = sheets.every(button.dataset.download);
      save(`${button.dataset.download}.csv`, csvOf(rows, Object.keys(rows[0] || {})), "text/csv");
    });
  }
  window.addEventListener("hashchange", follow);
  const { hash } = location;
  show(0);
  if (placeOf(hash)) {
    history.replaceState(null, "", hash);
    follow();
  }
  pictures.begin(document.querySelectorAll("figure.picture"));
  for (const map of document.querySelectorAll("figure.map")) pictures.draw(map); // before it is in sight
  window.personascan = { chosen, pictures, view };
  document.documentElement.dataset.ready = "yes";
}

begin().catch(sayFault);
