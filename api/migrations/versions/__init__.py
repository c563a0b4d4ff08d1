"""Changes, oldest first."""
