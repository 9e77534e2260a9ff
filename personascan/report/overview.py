"""The first page of a study of several models or levels: what each found, and where to read on."""

import re

from personascan.report.words import quoted, safe, table
from personascan.study.results import Part, Study


def part_name(study: Study, part: Part) -> str:
    """The folder of a part: a model's last name and the level; numbered if names are shared."""
    models = models_of(study)
    names = [last_name(model) for model in models]
    number = models.index(part.model)
    several = len({name.lower() for name in names}) < len(names)
    before = f"{number + 1}-" if several else ""
    return f"{before}{names[number]}" + (f"-level{part.level}" if part.texts else "")


def models_of(study: Study) -> list[str]:
    """The networks, in their order."""
    return list(dict.fromkeys(part.model for part in study.parts))


def last_name(model: str) -> str:
    last = re.sub("[^A-Za-z0-9.]+", "-", model.rstrip("/").rsplit("/")[-1]).strip("-.")
    return last or "model"


def overview_page(study: Study) -> str:
    """The page as Markdown."""
    sections = [heading(study), findings_section(study), differences_section(study)]
    return "\n\n".join(filter(None, sections)) + "\n"


def heading(study: Study) -> str:
    links = "\n".join(
        f"- [{quoted(part.model)}{level_of(part)}]({part_name(study, part)}/report.md)"
        for part in study.parts
    )
    models = ", ".join(quoted(model) for model in models_of(study))
    levels = ""
    if study.config.statements:
        levels = f", levels {', '.join(map(str, study.config.levels))}"
    return (
        f"# {len(study.parts)} parts of one study: {models}{levels}\n\n"
        "Every part has a page of its own; the tables here hold all of them.\n\n" + links
    )


def level_of(part: Part) -> str:
    return f", level {part.level}" if part.texts else ""


def findings_section(study: Study) -> str:
    """A line for each comparison of each part."""
    header = ["model", "level", "comparison", "furthest place", "z", "family-wise p",
              "places found"]  # fmt: skip
    texts = any(part.texts for part in study.parts)
    header += ["wording, accuracy"] if texts else []
    rows = [
        [
            quoted(part.model), part.level, safe(f.name), f.place, f"{f.z:.1f}",
            f"{f.p_family:.3f}", f"{f.passing} of {f.places}",
            *([f"{part.wording[f.name][0]:.2f}"] if texts else []),
        ]
        for part in study.parts
        for f in part.findings()
    ]  # fmt: skip
    if not rows:
        return "Without permutations nothing is claimed: see `places.csv`."
    return f"## What was found\n\n{table(header, rows)}"


def differences_section(study: Study) -> str:
    """Every later network beside the first, by rows scanned alone."""
    rows = [
        [
            quoted(part.model), safe(name), detector, f"{d.places[1]}: {d.aurocs[1]:.2f}",
            f"{d.places[0]}: {d.aurocs[0]:.2f}",
            f"{-d.claim.difference:+.2f} ({-d.claim.high:+.2f} to {-d.claim.low:+.2f})",
        ]
        for _, part, name, detector, d in study.differences()
    ]  # fmt: skip
    if not rows:
        return ""
    first = quoted(study.parts[0].model)
    called = study.parts[0].terms.rows
    return (
        f"## Beside {first}\n\n"
        f"{called.capitalize()} scanned alone, the same ones in each network: its best place is "
        "chosen on one half of them and judged on the other (two lines: both ways round). AUROC "
        f"there, that of {first}, and the difference with its 95% interval over {called}. "
        "`differences.csv` has these numbers.\n\n"
        + table(["", "", "tail", "AUROC", f"{first}", "difference"], rows)
    )
