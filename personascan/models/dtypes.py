"""The dtypes in which a model can be loaded."""

FAST = "_fast"
DTYPES = ("float32", f"float32{FAST}", "bfloat16")


def parameter_dtype(dtype: str) -> str:
    """Returns the dtype of the parameters of a model that is loaded with `dtype`."""
    return dtype.removesuffix(FAST)
