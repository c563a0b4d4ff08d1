"""Structured logs: one JSON object a line on standard error, the same from every process.

Importing structlog pulls in Rich for its console renderer wherever Rich is installed; the light processes do
without: for the length of that one import Rich looks absent, which structlog provides for.
"""

from __future__ import annotations

import logging
import sys
from typing import Any


def _structlog() -> Any:
    if "structlog" in sys.modules or "rich" in sys.modules:
        import structlog
        import structlog.tracebacks

        return structlog
    sys.modules["rich"] = None  # type: ignore[assignment]  # "known to be absent"
    try:
        import structlog
        import structlog.tracebacks
    finally:
        del sys.modules["rich"]
    return structlog


_module = _structlog()


def configure(process: str, level: int = logging.INFO) -> None:
    """Send this process' logs, uvicorn's and Alembic's included, to standard error as JSON lines."""
    shared = [
        _module.contextvars.merge_contextvars,
        _module.stdlib.add_log_level,
        _module.stdlib.add_logger_name,
        _module.processors.TimeStamper(fmt="iso", utc=True),
        _module.processors.StackInfoRenderer(),
        # Without local variables: they hold whole plans, and may hold keys.
        _module.processors.ExceptionRenderer(
            _module.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
        ),
    ]

    def named(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        event["process"] = process
        return event

    _module.configure(
        processors=[*shared, named, _module.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=_module.stdlib.LoggerFactory(),
        wrapper_class=_module.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _module.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, named],
            processors=[
                _module.stdlib.ProcessorFormatter.remove_processors_meta,
                _module.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)


def get(name: str) -> Any:
    """Logger named ``chergui.<name>``."""
    return _module.stdlib.get_logger(f"chergui.{name}")
