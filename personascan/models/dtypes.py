"""The dtypes that a model may be loaded in."""

FAST = "_fast"
DTYPES = ("float32", f"float32{FAST}", "bfloat16")


def parameter_dtype(dtype: str) -> str:
    """The type of the parameters of a model that is loaded so."""
    return dtype.removesuffix(FAST)
