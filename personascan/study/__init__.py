"""Studies: comparisons, units of work, their store, and what they found."""
