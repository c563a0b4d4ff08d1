"""One file per resource; a route is parse, one call, form."""
