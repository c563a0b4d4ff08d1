"""Sample sites, catalogues and typical weather, each with its origin and units (read with importlib.resources)."""
