"""How facts come in and are kept."""
