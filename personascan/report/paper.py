"""Every picture as a file of its own, PDF for a paper or PNG, with captions."""

from personascan.report.pictures import ACROSS, PLACE, Picture, map_picture, measured, sentence
from personascan.report.sheets import Sheets
from personascan.report.written import as_pdf, as_png, filled_spec, natural_width

POINTS_PER_MM = 72 / 25.4
COLUMN_MM, PAGE_MM = 85.0, 178.0  # of one and of two columns
CAPTIONS = "captions.md"
SMALL_UNITS = 520  # wider charts take two columns


def picture_files(content: dict, kind: str) -> dict[str, bytes]:
    """{name: content}: a PDF or PNG for each picture with rows, and captions.md."""
    drawn = {"pdf": column_wide, "png": as_png}[kind]
    sheets, made, captions = Sheets(content["sheets"]), {}, ["# Captions\n"]
    for part in range(len(content["parts"])):
        before = f"{part}-" if len(content["parts"]) > 1 else ""
        for picture, chosen in chosen_pictures(sheets, part):
            spec = filled_spec(picture, sheets, chosen)
            if not all(spec["datasets"].values()):
                continue
            name = f"{before}{picture.name.split('-')[0]}.{kind}"
            made[name] = drawn(spec)
            own = content["parts"][part]["captions"].get(picture.name.split("-")[0])
            said = own or sentence(picture, sheets, chosen)
            captions.append(f"- `{name}`: {picture.title}. {said}".rstrip())
    return {**made, CAPTIONS: ("\n".join(captions) + "\n").encode()}


def chosen_pictures(sheets: Sheets, part: int) -> list[tuple[Picture, dict]]:
    """Every picture of a part with what it shows: its clearest comparison at its furthest place."""
    chosen = first_choices(sheets, part)
    across = [measured(picture, sheets) for picture in ACROSS]
    profiles = next(picture for picture in across if picture.name == "profiles")
    ((measure, words), *_) = profiles.choices[0].options
    chosen |= {"measure": measure, "measured": words}
    return [(picture, chosen) for picture in (map_picture(sheets, part), *PLACE, *across)]


def first_choices(sheets: Sheets, part: int) -> dict:
    """What a page shows of a part at first."""
    compared = sheets.rows("comparisons", {"part": part})
    best = max(compared, key=lambda row: -1 if row["best_z"] is None else row["best_z"])
    cell = best["furthest"]
    parts = sheets.every("parts")
    level = parts[part]["level"]

    def first(sheet: str, column: str, default=-1, **where):
        rows = sheets.rows(sheet, {"part": part})
        fitting = [r[column] for r in rows if all(r[k] == v for k, v in where.items())]
        return fitting[0] if fitting else default

    return {
        "part": part, "level": level, "cell": cell, "here": -1,
        "scan": first("scans", "scan", cell=cell), "cloud": first("clouds", "cloud", cell=cell),
        "shared": first("shared", "shared"), "edit": first("edits", "edit"),
        "act": first("acts", "act", ""), "several": [p["level"] for p in parts].count(level) > 1,
    }  # fmt: skip


def column_wide(spec: dict) -> bytes:
    """A chart as PDF whose width is that of one column, or of two where it is wide."""
    millimetres = COLUMN_MM if natural_width(spec) <= SMALL_UNITS else PAGE_MM
    return as_pdf(spec, millimetres * POINTS_PER_MM)
