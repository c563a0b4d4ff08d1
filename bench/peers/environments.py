"""A virtual environment of its own for every peer, in the user's cache, made once for a set of pins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peers.pins import Peer

INSTALL_LIMIT_S = 900.0
_READY = "installed.txt"


class NotInstalled(Exception):
    """A peer's environment could not be made; the message is the installer's last line."""


def cache_folder() -> Path:
    """Where the environments lie: the user's cache folder (XDG base directories)."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "chergui" / "peers"


def python_of(peer: Peer, cache: Path) -> Path:
    """Interpreter that runs a peer; ours is the one that runs this command.

    Raises:
        NotInstalled: the environment could not be made.
    """
    if peer.ours:
        return Path(sys.executable)
    folder = cache / peer.key
    python = folder / "bin" / "python"
    if not (folder / _READY).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, python, peer)
    return python


def installed(peer: Peer, cache: Path) -> list[str]:
    """Every distribution in a peer's environment with its version, as it was when the environment was made."""
    listed = cache / peer.key / _READY
    return listed.read_text(encoding="utf-8").split() if not peer.ours and listed.is_file() else []


def _make(folder: Path, python: Path, peer: Peer) -> None:
    """Compiled beforehand, so that no peer's first run pays for it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        _run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *peer.pins])
        listing = [uv, "pip", "freeze", "--python", str(python)]
    else:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.pins])
        listing = [str(python), "-m", "pip", "freeze", "--disable-pip-version-check"]
    frozen = _run(listing)
    (folder / _READY).write_text("".join(line + "\n" for line in frozen.split() if "==" in line), encoding="utf-8")


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{Path(command[0]).name} took longer than {INSTALL_LIMIT_S:g} s") from None
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise NotInstalled(" ".join(said[-3:])[:300] or f"{Path(command[0]).name} ended with {done.returncode}")
    return done.stdout
