"""Section of the page on what the model itself judges of its answers."""

from personascan.report.words import Section, Table, interval, number, safe
from personascan.study.results import Part


def own_judgement_section(part: Part) -> Section | None:
    """Returns the model's own judgement of answers of half B; None where it judges nothing."""
    if not part.judged:
        return None
    rows = [
        [
            safe(name), f"{one.numbers[0]} to {one.numbers[1]}",
            number(one.mean(True), ".1f"), number(one.mean(False), ".1f"),
            interval(one.auroc, one.low, one.high, ".2f"), number(one.rank_correlation, "+.2f"),
            f"{one.mass_N.mean():.0%}", number(one.agreement, "+.2f"), number(one.given_auroc),
        ]
        for name, one in part.judged.items()
    ]  # fmt: skip
    most = max(one.positive_N.size for one in part.judged.values())
    return Section(
        "What the model itself judges of its answers",
        f"The model's own judgement, not that of a judge: it reads at most {most} answers of half "
        "B, each with its question and the file's `eval_prompt`, and without any instruction; its "
        "score is the mean of the numbers that it may answer, by their probabilities there. The "
        "AUROC tells H1 from H0 by that score. Where it is near .5, the answers do not differ as "
        "the trait says, or the model cannot judge it. Where the model seldom begins with a number "
        "at all, its score says little. Given scores are those of the file. `judged.csv` has "
        "these figures, `judgements.csv` every answer.",
        Table(
            [
                "", "numbers", "own judgement, H1", "own judgement, H0", "AUROC on half B",
                "rank correlation with the direction", "answers with a number",
                "rank correlation with given scores", "AUROC of given scores",
            ],
            rows,
        ),
    )  # fmt: skip
