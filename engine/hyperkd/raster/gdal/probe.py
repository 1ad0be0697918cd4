"""HDF5 and netCDF files are opened by a process of their own first.

Their libraries abort, crash or never return on some damaged files, and no Python
program survives that. So a child opens such a file, walks through its groups and
reads the ends of every array; only then does this process.
"""

from __future__ import annotations

import os
import subprocess  # nosec B404
import sys
from pathlib import Path
from typing import Final

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.local_names import file_of, head_of

LIMIT_S: Final = 60.0
_HEADER: Final = 4096
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_NETCDF: Final = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
_CHILD: Final = Path(__file__).with_name("probe_child.py")
_UNABLE: Final = 3  # the child has no GDAL
# Files that passed, by path, size and time: a job opens a file several times.
_sound: set[tuple[object, ...]] = set()


def require_sound(path: str) -> None:
    """Refuse a file that the HDF5 or netCDF library cannot open without a crash.

    Any other file passes at once.

    Raises:
        HyperKDError: ``unreadable_raster``.
    """
    path = file_of(path)
    head = head_of(path, _HEADER)
    if not head.startswith(_NETCDF) and _HDF5 not in head:
        return
    state = os.stat(path) if os.path.isfile(path) else None
    key = (path, state and (state.st_size, state.st_mtime_ns))
    if key in _sound:
        return
    ending = _ending(path)
    if ending:
        raise HyperKDError(
            "unreadable_raster",
            f"{path} cannot be read as HDF5 or netCDF: {ending}.",
            "The file is damaged; download it again.",
            path=path,
        )
    _sound.add(key)


def _ending(path: str) -> str:
    """Return how the child failed, or nothing."""
    command = [_interpreter(path), "-I", os.fspath(_CHILD), path, *sys.path]
    try:
        done = subprocess.run(  # noqa: S603 # nosec B603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its library did not open it within {LIMIT_S:g} seconds"
    if done.returncode in (0, _UNABLE):
        return ""
    return f"its library crashed (exit status {done.returncode})"


def _interpreter(path: str) -> str:
    """Return a Python to start; within QGIS on Windows and macOS, ``sys.executable`` is QGIS."""
    base = getattr(sys, "_base_executable", None)
    names = ("python.exe", "python3.exe") if os.name == "nt" else ("bin/python3", "bin/python")
    for found in (sys.executable, base, *(os.path.join(sys.exec_prefix, name) for name in names)):
        if found and os.path.basename(found).lower().startswith("python") and os.path.isfile(found):
            return found
    raise HyperKDError(
        "missing_dependency",
        f"{path} is opened by a Python of its own first, and none was found beside "
        f"{sys.executable or 'this program'}.",
        "Use the command hyperkd for HDF5 and netCDF files.",
    )
