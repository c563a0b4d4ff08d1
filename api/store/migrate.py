"""Bring the state database to the newest shape; run by ``chergui run`` before anything is served."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from api.store.engine import StateUnavailable, revision
from api.store.peek import HEAD


def upgrade(engine: Engine) -> bool:
    """Run what is missing, after a backup beside the file; True if anything was done.

    Raises:
        StateUnavailable: the file is damaged, or was written by a newer version.
    """
    now = revision(engine)
    if now == HEAD:
        return False  # Alembic is not even imported: a restart shall serve within two seconds
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    path = Path(engine.url.database or "")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    if now is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(now)
        except CommandError:
            told = f"it stands at {now}, which this version does not know; use the version that wrote it"
            raise StateUnavailable(path, told) from None
        _back_up(path, path.with_name(f"{path.name}.before-{HEAD}"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def _back_up(source: Path, copy: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
