"""Decoder language models in Flax Linen, verified against Transformers; small image networks."""
