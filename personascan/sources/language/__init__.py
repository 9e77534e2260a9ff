"""Statements, prompts and the activations of language models."""
