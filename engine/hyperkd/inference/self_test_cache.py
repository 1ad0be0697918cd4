"""Which models this machine has computed correctly, so that not every job repeats the self-test."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from pathlib import Path
from typing import Optional

import hyperkd
from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.files import read_regular
from hyperkd.folders import cache_folder

_FILE = "self-tests.json"
_MOST = 200  # entries; the oldest go
_LONGEST = 1 << 20  # bytes


def test_key(sha256: str, output: str, device: str, runtime: str) -> str:
    """Return what a self-test depends on: the model, the programs, the machine."""
    parts = (
        *(sha256, output, device, runtime, hyperkd.__version__),
        *(platform.machine(), platform.processor(), platform.system(), _processor()),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def passed(key: str) -> Optional[float]:
    """Return the deviation of a self-test that passed before, or None."""
    value = _read().get(key)
    return value if isinstance(value, float) else None


def remember(key: str, deviation: float) -> None:
    """Keep that a self-test passed; where the folder cannot be written, nothing is kept."""
    entries = _read()
    entries.pop(key, None)
    entries[key] = deviation
    kept = dict(list(entries.items())[-_MOST:])
    folder = cache_folder()
    # Without the cache the test is only repeated; another job may be writing it just now.
    with contextlib.suppress(OSError, HyperKDError):
        folder.mkdir(parents=True, exist_ok=True)
        with AtomicFile(folder / _FILE) as part:
            Path(part.temporary).write_text(json.dumps(kept), encoding="utf-8")


def _read() -> dict[str, object]:
    try:
        found = json.loads(read_regular(cache_folder() / _FILE, _LONGEST))
    except (OSError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _processor() -> str:
    """Return the name of the processor where the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else ""
