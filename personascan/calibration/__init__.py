"""What the scan finds when the labels mean nothing: p-values of places and of nodes."""
