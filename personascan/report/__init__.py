"""Views of a study: its page, with tables and pictures, and its summary for a terminal."""
