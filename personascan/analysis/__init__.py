"""What the activations and the scans say; arrays in, numbers out. Knows nothing of models."""
