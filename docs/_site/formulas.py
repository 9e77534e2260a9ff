"""Formulas as MathML, which browsers draw by themselves: no script is fetched to read a page."""

from docutils import nodes
from docutils.utils.math import latex2mathml


def draw(writer, node: nodes.math | nodes.math_block) -> None:
    """Writes a formula, inline or as a block of its own."""
    as_block = isinstance(node, nodes.math_block)
    mathml = str(latex2mathml.tex2mathml(node.astext(), as_block=as_block))
    writer.body.append(f'<div class="formula">{mathml}</div>' if as_block else mathml)
    raise nodes.SkipNode


def setup(app) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (draw, None), (draw, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
