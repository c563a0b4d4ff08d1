"""``python -m api.collector_process SETTINGS PARENT``: polls this machine's sources and keeps what they say."""

from __future__ import annotations

import signal
import sys
import threading

from api import logs
from api.guard import die_with_parent
from api.settings import Settings
from api.sign_of_life import SignOfLife
from models.horizon import use_packaged_time_zones

_SIGN_S = 2.0


def main() -> None:
    """Collect until told to stop."""
    settings = Settings.from_json(sys.argv[1])
    die_with_parent(int(sys.argv[2]))
    use_packaged_time_zones()
    logs.configure("collector")
    from api.wiring import collector_for, sign_of

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collector = collector_for(settings)
    sign = sign_of(settings, "collector")
    threading.Thread(target=_beat, args=(sign, stop), name="sign of life", daemon=True).start()
    collector.run(stop)
    collector.close()


def _beat(sign: SignOfLife, stop: threading.Event) -> None:
    sign.give()
    while not stop.wait(_SIGN_S):
        sign.give()


if __name__ == "__main__":
    main()
