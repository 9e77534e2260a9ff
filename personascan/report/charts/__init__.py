"""Charts of a study as Vega-Lite, by altair: one definition for the page, PNG, SVG and PDF."""
