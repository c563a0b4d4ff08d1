"""One SQLite file, opened so that a killed process or a lost machine loses nothing that was acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError

from models.errors import CherguiError


class StateUnavailable(CherguiError):
    """The state database cannot be used now; ``reason`` says why and what to do."""

    code = "StateUnavailable"

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the state database {path} cannot be used: {reason}")


def open_engine(path: Path) -> Engine:
    """Engine on ``path`` (the file is made by the first use): WAL, every commit flushed to the disk."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10.0})

    @event.listens_for(engine, "connect")
    def _settings(connection: sqlite3.Connection, _: Any) -> None:
        # Python's own BEGIN comes too late (before the first write only) and DEFERRED, so that two writers that
        # read first would deadlock; SQLAlchemy's "begin" event below says it at the right moment.
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 10000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A consistent view; never waits for a writer."""
    with translated(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is wholly there after this returns, or not at all."""
    with translated(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """SQLite's words as one error of ours."""
    try:
        yield
    except (DatabaseError, OperationalError, sqlite3.Error) as error:
        raise StateUnavailable(Path(engine.url.database or ""), str(getattr(error, "orig", error))) from error


def revision(engine: Engine) -> str | None:
    """Migration that the file stands at; None for a new one."""
    with reading(engine) as connection:
        known = connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")).first()
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first() if known else None
    return row[0] if row else None
