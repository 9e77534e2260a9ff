"""Images as rows: data sets, and adversarial attacks on them."""
