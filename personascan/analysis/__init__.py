"""Statistical analyses of activations and scans, from arrays to numbers, independent of models."""
