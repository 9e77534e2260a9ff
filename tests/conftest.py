import jax

# Silent broadcasting and silent widening are where array code goes wrong unseen.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
