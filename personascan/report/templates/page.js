// The page: its data, its parts (models and levels), its theme.
async function begin() {
  const page = await unsqueezed(document.getElementById("data").textContent);
  const sheets = new Sheets(page.sheets);
  const chosen = { part: 0, level: 0, cell: -1, scan: -1, cloud: -1, measure: measures(page)[0][0], shown: "", shared: -1, edit: -1, act: "" };
  const pictures = new Pictures(page, sheets, chosen);
  const levels = sheets.every("parts");
  const view = new PlaceView(sheets, chosen, pictures);
  page.open = (cell) => {
    view.open(cell);
    document.getElementById("place").scrollIntoView({ block: "start" });
  };

  function show(part) {
    chosen.part = part;
    chosen.level = levels[part].level;
    page.several = levels.filter((one) => one.level === chosen.level).length > 1;
    chosen.shared = chosen.edit = -1;
    chosen.act = "";
    for (const one of document.querySelectorAll("[data-part]")) {
      one.hidden = one.dataset.part !== "all" && Number(one.dataset.part) !== part;
    }
    view.begin();
    pictures.update(["part", "level", "shared", "edit", "act", "cell", "cloud", "scan"]);
  }

  followTheme(pictures);
  const part = document.getElementById("part");
  if (part) part.addEventListener("change", () => show(Number(part.value)));
  show(0);
  pictures.begin(document.querySelectorAll("figure.picture"));
  window.personascan = { chosen, pictures, view };
  document.documentElement.dataset.ready = "yes";
}

begin().catch(sayFault);
