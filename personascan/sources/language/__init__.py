"""Statements, their prompts, and the activations and texts of language models."""
