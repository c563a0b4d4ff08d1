"""``python -m bench.ingest_server FOLDER``: the web process of ``chergui run`` over a store, and an empty route.

Prints its port and a key, and serves until it is ended. ``POST`` and ``GET /empty`` read the body and answer 204:
what HTTP alone costs here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

from api import logs
from api.app import create_app
from api.settings import Settings
from api.store.migrate import upgrade
from api.supervisor import listen
from api.wiring import doors_for, engine_of
from ingest.site_file import sample_path
from models.horizon import use_packaged_time_zones


def main() -> None:
    """Serve."""
    use_packaged_time_zones()
    logs.configure("web")
    settings = Settings(sample_path("local"), Path(sys.argv[1]))
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    engine = engine_of(settings)
    upgrade(engine)
    doors = doors_for(settings, engine)
    app = create_app(doors)

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/empty":
            await app(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], doors.keys.new("write", "bench", "bench"), os.getpid(), flush=True)
    config = uvicorn.Config(both, log_config=None, access_log=False, lifespan="off", ws="none", timeout_keep_alive=600)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
