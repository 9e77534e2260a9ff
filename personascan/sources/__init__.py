"""Where rows come from, and how their activations are kept."""
