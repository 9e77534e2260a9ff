"""Studies: comparisons, units of work, their store, and their results."""
