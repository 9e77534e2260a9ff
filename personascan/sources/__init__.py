"""Sources of rows, and the storage of their activations."""
