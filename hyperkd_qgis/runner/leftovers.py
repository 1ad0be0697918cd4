"""What an engine that was ended by force leaves: the files that it said were its own.

The engine locks what it writes, and the lock of a dead process is free. So a file is
removed only where its lock can be had: whatever another run writes stays.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Any, Optional

from .protocol import Event

# In the name of every file that an engine writes before it is whole.
_UNFINISHED = ".part"


class Leftovers:
    """The unfinished files of one engine, by its events."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[list[str], str]] = {}

    def take(self, event: Event) -> None:
        """Take one event; others than ``claim`` are left alone."""
        if event["event"] != "claim":
            return
        files = [each for each in _texts(event.get("files")) if _is_unfinished(each)]
        if files:
            self._claims[str(event.get("path"))] = (files, str(event.get("lock") or ""))
        else:
            self._claims.pop(str(event.get("path")), None)

    def remove(self) -> None:
        """Remove them; only after the end of the engine."""
        for files, lock in self._claims.values():
            with _held(lock) as held:
                for path in files if held else ():
                    # Windows refuses where another run has it open; then it is that run's.
                    with contextlib.suppress(OSError):
                        if stat.S_ISREG(os.lstat(path).st_mode):
                            os.remove(path)
        self._claims.clear()


def _texts(values: Any) -> list[str]:
    return [each for each in values if isinstance(each, str)] if isinstance(values, list) else []


def _is_unfinished(path: str) -> bool:
    return os.path.isabs(path) and _UNFINISHED in os.path.basename(path)


@contextlib.contextmanager
def _held(lock: str) -> Iterator[bool]:
    """Hold a lock and remove its file, or yield False where another process has it."""
    if not lock or os.name == "nt":  # Windows keeps open files by itself
        yield True
        return
    descriptor = _locked(lock)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(lock)
            os.close(descriptor)


def _locked(lock: str) -> Optional[int]:
    """Return the descriptor of a file that is locked now, or None where that cannot be."""
    import fcntl

    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(lock, flags, 0o600)
    except OSError:
        return None
    with contextlib.suppress(OSError):  # another process has it, or it is gone
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between opening and locking, the one who had it may have removed it.
        if os.path.samestat(os.stat(lock), os.fstat(descriptor)):
            return descriptor
    os.close(descriptor)
    return None
