"""Images as rows: data, and the attacks that noise them."""
