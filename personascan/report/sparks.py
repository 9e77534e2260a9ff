"""The small chart of a verdict card, as SVG that needs no code: z by depth over chance."""

from markupsafe import Markup

from personascan.report.sheets.columns import Sheets

WIDTH, HEIGHT, EDGE = 260, 64, 5


def sparks(sheets: Sheets, part: int) -> dict[str, dict]:
    """Returns {comparison: {"svg", "cell", "words"}} of a part whose labels were permuted."""
    cells = sheets.rows("cells", {"part": part})
    made = {}
    for number, one in enumerate(sheets.rows("comparisons", {"part": part})):
        own = [row for row in cells if row["comparison"] == one["comparison"]]
        if one["best_z"] is None or not own:
            continue
        made[one["comparison"]] = {
            "svg": spark(own, one["limit"]), "cell": one["furthest"], "number": number,
        }  # fmt: skip
    return made


def spark(cells: list[dict], limit: float) -> Markup:
    """Returns a line for each site and position, the band of chance, and the furthest place."""
    z = [row["z"] for row in cells]
    low, high = min(0.0, *z), max(limit, *z)

    def x(depth: float) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * (depth or 0.0), 1)

    def y(value: float) -> float:
        return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (value - low) / (high - low), 1)

    lines: dict[str, list] = {}
    for row in cells:
        lines.setdefault(row["line"], []).append(row)
    marks = [f'<rect class="chance" x="0" width="{WIDTH}" y="{y(limit)}" '
             f'height="{round(HEIGHT - y(limit), 1)}"/>']  # fmt: skip
    for rows in lines.values():
        points = " ".join(f"{x(row['depth'])},{y(row['z'])}" for row in rows)
        marks.append(f'<polyline points="{points}"/>')
    best = max(cells, key=lambda row: row["z"])
    marks.append(f'<circle cx="{x(best["depth"])}" cy="{y(best["z"])}" r="3.5"/>')
    return Markup(
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(marks)}'
        "</svg>"
    )
