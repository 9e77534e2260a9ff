"""Edits of a model's activations, and what they change: its answers, likelihoods, other text."""
