"""A look at the state database with the standard library alone.

A restart shall serve within two seconds, and SQLAlchemy takes a good part of them to import: the supervisor does
without where nothing is to be done.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

HEAD = "0004"
"""Newest migration; a test holds it against api/migrations."""


def is_ready(path: Path) -> bool:
    """Whether the file stands at the newest migration and some key is valid; False for anything unreadable."""
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=10.0)) as connection:
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            key = connection.execute("SELECT 1 FROM keys WHERE revoked_at IS NULL LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        return False  # whoever opens it in earnest tells why
    return version == (HEAD,) and key is not None
