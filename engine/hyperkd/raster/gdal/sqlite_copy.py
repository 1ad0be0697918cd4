"""GeoPackages and SpatiaLite files, read without a trace beside them.

SQLite writes beside a database that it only reads: a log that another program left is
worked into the file, and the file's companions are created again. So one that nobody writes
to is opened as unchangeable, and one with a log is read from a copy in memory.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Final

from osgeo import gdal

from hyperkd.raster.gdal.local_names import head_of

_MAGIC: Final = b"SQLite format 3\0"
_LOGS: Final = ("-wal", "-journal")
# Copies by path, size and time of database and log; a job opens a file several times.
_copies: dict[tuple[object, ...], str] = {}


def quiet_source(path: str) -> tuple[str, list[str]]:
    """Return what to open in place of a vector file, and GDAL's options for it.

    Raises:
        RuntimeError: where the database or its log is damaged.
    """
    if head_of(path, len(_MAGIC)) != _MAGIC or not os.path.isfile(path):
        return path, []
    logs = [path + suffix for suffix in _LOGS if _filled(path + suffix)]
    return (_copy(path, logs) if logs else path), ["IMMUTABLE=YES"]


def _filled(path: str) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) > 0


def _copy(path: str, logs: list[str]) -> str:
    states = [os.stat(file) for file in (path, *logs)]
    key = (path, *((state.st_size, state.st_mtime_ns) for state in states))
    if key not in _copies:
        with tempfile.TemporaryDirectory(prefix="hyperkd-") as folder:
            copy = os.path.join(folder, os.path.basename(path))
            for file in (path, *logs):
                shutil.copyfile(file, copy + file[len(path) :])
            _work_in(copy)
            name = f"/vsimem/hyperkd-labels/{len(_copies)}/{os.path.basename(path)}"
            gdal.FileFromMemBuffer(name, Path(copy).read_bytes())
        _copies[key] = name
    return _copies[key]


def _work_in(copy: str) -> None:
    """Work the log of a database into it."""
    database = sqlite3.connect(copy)
    try:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        raise RuntimeError(f"its log cannot be read: {error}") from error
    finally:
        database.close()
