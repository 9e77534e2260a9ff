"""The colours of the pictures."""

# Okabe and Ito's palette, which survives colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
