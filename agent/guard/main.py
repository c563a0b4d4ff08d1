"""``chergui guard``: read the grid meter every second, say the site factor to every agent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import threading
from pathlib import Path

from agent.clock import boot_s
from agent.guard.law import Governor, Word
from agent.guard.meter import HttpMeter, Meter, Watch
from agent.guard.settings import CONFIG, MeterPlace, Settings, read_settings
from agent.guard.voice import Voice
from agent.notify import notify
from models.errors import InvalidInput

_log = logging.getLogger("chergui.guard")


def main(config: Path = CONFIG, *, check: bool = False) -> int:
    """Run until told to stop; returns the exit status: 0 told to stop, 1 the address is taken, 2 bad configuration."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        settings = read_settings(config)
    except InvalidInput as error:
        print(f"chergui guard: {error}", file=sys.stderr)
        return 2
    if check:
        law = settings.law
        print(
            f"{config} is well: {settings.meter.kind} meter, limit {law.limit_mw:g} MW, {law.flexible_mw:g} MW follow"
        )
        return 0
    try:
        asyncio.run(_run(settings))
    except OSError as error:
        print(f"chergui guard: {error}", file=sys.stderr)
        return 1
    return 0


def meter_of(place: MeterPlace) -> Meter:
    """The meter that the settings name; pymodbus is imported only where it is used."""
    if place.kind == "http":
        return HttpMeter(place.url, place.pointer, place.scale, place.timeout_s, place.key_file)
    from agent.guard.modbus import ModbusMeter

    return ModbusMeter(
        place.host,
        place.port,
        place.unit,
        place.address,
        table=place.table,
        type_=place.type_,
        low_word_first=place.low_word_first,
        scale=place.scale,
        timeout_s=place.timeout_s,
    )


async def _run(settings: Settings) -> None:
    if settings.file is not None:
        settings.file.parent.mkdir(parents=True, exist_ok=True)
    voice = Voice(settings.file)
    governor = Governor(settings.law, voice.earlier_share())
    watch = Watch(
        meter_of(settings.meter),
        boot_s,
        period_s=settings.period_s,
        most_mw=settings.most_mw,
        stuck_s=settings.stuck_s,
    )
    over, stop = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    server = await voice.serve(settings.host, settings.port)
    print(f"http://{settings.host}:{server.sockets[0].getsockname()[1]}/factor", flush=True)
    reader = threading.Thread(target=watch.run, args=(stop,), name="meter", daemon=True)
    reader.start()
    notify("READY=1")
    following, before = loop.time(), Word(governor.share, True, "")
    try:
        while not over.is_set():
            if not reader.is_alive():
                raise RuntimeError("the thread that reads the meter ended by a fault of its own")
            word = governor.step(boot_s(), watch.take())
            if (word.default, word.share < 1.0) != (before.default, before.share < 1.0):
                _log.warning("factor %.3f%s: %s", word.share, ", default set" if word.default else "", word.reason)
            before = word
            try:
                voice.say(word)
            except OSError as error:
                _log.error("the factor could not be written down: %s", error)
            notify("WATCHDOG=1", f"STATUS=factor {word.share:.3f}, {word.reason}, {voice.listeners} agents listen")
            following = max(following + settings.period_s, loop.time())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), following - loop.time())
    finally:
        stop.set()
        server.close()
        voice.say(Word(governor.share, True, "the guard was stopped"))
        await asyncio.wait_for(voice.close(), 2.0)
