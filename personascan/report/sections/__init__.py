"""Sections of the page, by what they are about: comparisons, rows, nodes, edits."""
