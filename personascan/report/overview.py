"""What is said of several networks together."""

from personascan.report.section import Section, Table
from personascan.report.words import capital, quoted, rows_word, safe
from personascan.study.results import Study


def differences_section(study: Study) -> Section | None:
    """Every later network beside the first, by rows scanned alone."""
    rows = [
        [
            quoted(part.model), safe(name), detector, f"{safe(d.places[1])}: {d.aurocs[1]:.2f}",
            f"{safe(d.places[0])}: {d.aurocs[0]:.2f}",
            f"{-d.claim.difference:+.2f} ({-d.claim.high:+.2f} to {-d.claim.low:+.2f})",
        ]
        for _, part, name, detector, d in study.differences()
    ]  # fmt: skip
    if not rows:
        return None
    first = quoted(study.parts[0].model)
    called = rows_word(study.parts[0])
    return Section(
        f"Beside {first}",
        f"{capital(called)} scanned alone, the same ones in each network: its best place is "
        "chosen on one half of them and judged on the other (two lines: both ways round). AUROC "
        f"there, that of {first}, and the difference with its 95% interval over {called}. "
        "`differences.csv` has these numbers.",
        Table(["", "", "tail", "AUROC", f"{first}", "difference"], rows),
    )
