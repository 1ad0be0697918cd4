"""Hands a job to the engine as a file that nobody else reads and that goes away."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .protocol import PROTOCOL

_PREFIX, _NAME = "hyperkd-job-", "job.json"
# The engine reads it at its start; a day later nobody does.
_OLD_S = 24 * 3600.0


@contextmanager
def job_file(kind: str, fields: Mapping[str, Any]) -> Iterator[Path]:
    """Write a job into a private temporary folder and remove the folder at the end.

    Args:
        kind: the job, for instance ``embed``.
        fields: the job's fields by name; those that are None are left out, so that
            the engine's own default holds.
    """
    job = {"protocol": PROTOCOL, "job": kind}
    job.update((name, value) for name, value in fields.items() if value is not None)
    _sweep(Path(tempfile.gettempdir()))
    # The folder is readable by its owner only: a job names paths and labels.
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        path = Path(folder) / _NAME
        path.write_text(json.dumps(job, ensure_ascii=False, indent=1), encoding="utf-8")
        yield path


def _sweep(parent: Path) -> None:
    """Remove the folders that a killed QGIS of this user has left: the job file, then the folder.

    Anything else in one keeps it.
    """
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = os.lstat(folder)
            own = os.name == "nt" or found.st_uid == os.getuid()
            if own and time.time() - found.st_mtime > _OLD_S:
                (folder / _NAME).unlink()
                folder.rmdir()
