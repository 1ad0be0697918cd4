"""Hands a job to the engine as a file that nobody else reads and that goes away."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .protocol import PROTOCOL


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
    # The folder is readable by its owner only: a job names paths and labels.
    with tempfile.TemporaryDirectory(prefix="hyperkd-") as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job, ensure_ascii=False, indent=1), encoding="utf-8")
        yield path
