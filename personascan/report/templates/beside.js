// The page of several studies.
async function begin() {
  const page = await unsqueezed(document.getElementById("data").textContent);
  const chosen = { measure: measures(page)[0][0], cell: -1, part: 0 };
  const pictures = new Pictures(page, new Sheets(page.sheets), chosen);
  Object.assign(page, { captions: [], several: true, open: () => {} });
  followTheme(pictures);
  pictures.begin(document.querySelectorAll("figure.picture"));
  window.personascan = { chosen, pictures };
  document.documentElement.dataset.ready = "yes";
}

begin().catch(sayFault);
