"""Activations of statements: extracting them from a model, and keeping them."""
