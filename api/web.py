"""``python -m api.web SETTINGS FD PARENT``: the light web process, on a socket that the supervisor has opened."""

from __future__ import annotations

import socket
import sys

from api import logs
from api.guard import die_with_parent
from api.settings import Settings
from models.horizon import use_packaged_time_zones


def main() -> None:
    """Serve until told to stop."""
    settings = Settings.from_json(sys.argv[1])
    die_with_parent(int(sys.argv[3]))
    use_packaged_time_zones()
    logs.configure("web")
    import uvicorn

    from api.app import create_app
    from api.wiring import doors_for

    config = uvicorn.Config(
        create_app(doors_for(settings)),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])


if __name__ == "__main__":
    main()
