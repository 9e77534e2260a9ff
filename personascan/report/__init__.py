"""Tables, pictures and the page that explains them."""
