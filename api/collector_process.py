"""``python -m api.collector_process SETTINGS PARENT``: polls this machine's sources and keeps what they say."""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

from api import logs
from api.collector_report import write_report
from api.guard import die_with_parent
from api.settings import Settings
from api.sign_of_life import SignOfLife
from models.horizon import use_packaged_time_zones

if TYPE_CHECKING:
    from ingest.collector import Collector

_log = logs.get("collector")
_SIGN_S = 2.0
_LOOK_EVERY = 15
"""Signs between two looks for silent series, which go through all of them."""


def main() -> None:
    """Collect until told to stop."""
    settings = Settings.from_json(sys.argv[1])
    die_with_parent(int(sys.argv[2]))
    use_packaged_time_zones()
    logs.configure("collector")
    from api.telemetry_store import keep_tidy
    from api.wiring import collector_for, sign_of

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collector = collector_for(settings)
    sign = sign_of(settings, "collector")
    beat = partial(_beat, sign, stop, collector, settings)
    threading.Thread(target=beat, name="sign of life", daemon=True).start()
    if not settings.shift_s:  # by a clock that is moved, measurements would look old enough to drop
        threading.Thread(target=keep_tidy, args=(collector.store, stop), name="tidy", daemon=True).start()
    collector.run(stop)
    collector.close()


def _beat(sign: SignOfLife, stop: threading.Event, collector: Collector, settings: Settings) -> None:
    silent = beats = 0
    sign.give()
    while not stop.wait(_SIGN_S):
        sign.give()
        if beats % _LOOK_EVERY == 0:
            silent = len(collector.silent())
        beats += 1
        try:
            write_report(settings.collector_path, {**collector.report(), "silent": silent})
        except OSError as error:  # a full disk: the report is old then, and says so by its sources' ages
            _log.warning("report_not_written", reason=str(error))


if __name__ == "__main__":
    main()
