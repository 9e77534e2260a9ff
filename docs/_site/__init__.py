"""What the site adds to the pages: files from above `docs`, links between both, public names."""
