"""What the facility is, as data and pure functions; no I/O."""
