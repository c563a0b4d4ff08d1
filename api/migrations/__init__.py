"""Changes of the state database, one file each, in order (Alembic)."""
