"""Sheets: the tables inside a page, from which its pictures are drawn."""
