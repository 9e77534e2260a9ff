"""Nonparametric subset scanning over arrays of any origin; knows nothing of language models."""
