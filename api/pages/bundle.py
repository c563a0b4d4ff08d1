"""The script that makes charts interactive, written from what vl-convert carries; nothing of it is vendored.

``python -m api.pages.bundle FOLDER`` at set-up, or the planner when it is missing. It holds Vega,
Vega-Lite and Vega-Embed with Vega's expression interpreter, which a policy without ``unsafe-eval`` needs.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

PACKAGED = Path(__file__).parent / "static" / "built"


def script_path(folder: Path = PACKAGED) -> Path:
    """Where the bundle of the installed vl-convert lies in ``folder``, whether it is there or not."""
    return folder / f"vega-{version('vl-convert-python')}.js"


def build(folder: Path = PACKAGED) -> Path:
    """Write the bundle into ``folder`` unless it is there (some 2 s, 0.9 MB); readers never see half of it.

    Raises:
        OSError: the folder cannot be written.
    """
    path = script_path(folder)
    if path.exists():
        return path
    import vl_convert  # heavy: never in the web process

    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(vl_convert.javascript_bundle(snippet="window.vegaEmbed = vegaEmbed;"))
    Path(name).chmod(0o644)
    Path(name).replace(path)
    return path


if __name__ == "__main__":
    print(build(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGED))
