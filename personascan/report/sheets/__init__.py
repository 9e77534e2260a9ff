"""Tables that stand inside a page: what its pictures are drawn from."""
