"""Takes the pictures of the manual in a real QGIS window, on a screen that nobody sees.

    .venv/bin/python -m tools.screenshots [--shared FOLDER] [--out FOLDER]

Needs Xvfb, QGIS and the EnMAP tiles of ``shared``. What happens inside QGIS is in
``screenshot_session``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import plugin
from tools.environment import venv_python
from tools.machine import ROOT
from tools.screenshot_session import TOLD

_LIMIT_S = 2400
# QGIS runs this text in a place of its own, so it only leads to the module.
_START = """
import sys
sys.path.insert(0, {root!r})
from tools.screenshot_session import start
start()
"""
_SCREEN = "1500x950x24"


def main() -> int:
    """Start QGIS on a screen of its own and wait for the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    program = shutil.which("qgis.bin") or shutil.which("qgis")
    if program is None or shutil.which("xvfb-run") is None:
        sys.stderr.write("QGIS and xvfb-run are needed.\n")
        return 1
    tiles = given.shared / "data" / "potsdam" / "images"
    if not any(tiles.glob("*.tif")):
        sys.stderr.write(f"There are no EnMAP tiles in {tiles}; --shared names the folder.\n")
        return 1
    # Windows show where files lie, so the folder has a name that may be seen.
    folder = Path(tempfile.gettempdir()) / "analyst"
    folder.mkdir()
    try:
        return _take(program, given.shared, given.out, folder)
    finally:
        shutil.rmtree(folder)


def _take(program: str, shared: Path, out: Path, folder: Path) -> int:
    """Start QGIS with a profile of its own and return its exit status."""
    plugin.link(folder / "plugins")
    told = {"shared": str(shared), "out": str(out), "work": str(folder)}
    environment = {
        **os.environ,
        TOLD: json.dumps(told),
        "QGIS_PLUGINPATH": str(folder / "plugins"),
        "HYPERKD_ENGINE_PYTHON": str(venv_python()),
        "HYPERKD_ENGINES": str(folder / "HyperKD" / "engines"),
        "HYPERKD_MODELS": str(folder / "HyperKD" / "models"),
        "HYPERKD_JOBS": str(folder / "HyperKD" / "jobs"),
        "LANG": "C.UTF-8",
    }
    code = folder / "start.py"
    code.write_text(_START.format(root=str(ROOT)), encoding="utf-8")
    options = ["--nologo", "--noversioncheck", "--profiles-path", f"{folder}/profiles"]
    command = ["xvfb-run", "-a", "-s", f"-screen 0 {_SCREEN}", program]
    done = subprocess.run(
        [*command, *options, "--code", str(code)],
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=_LIMIT_S,
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
