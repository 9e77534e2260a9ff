"""What the site adds to the pages: files from above, public names, docstrings, formulas."""
