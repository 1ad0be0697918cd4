"""What this process is writing: known here, so that it can be removed where the process must end.

``hyperkd.jobs.process`` does so in one call. Listeners get the names, so that whoever kills the
process can do it instead.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Callable, Protocol

# Called with a name, the files that this process writes under temporary names and the lock on
# them ("" where there is none); and at the end with the name and no files.
Listener = Callable[[str, Sequence[str], str], None]

_lock = threading.Lock()
_unfinished: dict[Unfinished, None] = {}
_listeners: list[Listener] = []


class Unfinished(Protocol):
    """What has to be removed where the process ends before its time."""

    def abort(self) -> None:
        """Remove it."""


def track(item: Unfinished, name: str = "", files: Sequence[str] = (), lock: str = "") -> None:
    """Remember what has to go where the process ends before its time, until ``untrack``.

    Args:
        item: removes it.
        name: how listeners know it; they do not hear of what has no name.
        files: the files, which listeners hear of.
        lock: the lock on them, or an empty string.
    """
    with _lock:
        _unfinished[item] = None
    for listener in _listeners if name else ():
        listener(name, files, lock)


def is_tracked(item: Unfinished) -> bool:
    """Return whether ``track`` was called for it and ``untrack`` was not."""
    with _lock:
        return item in _unfinished


def untrack(item: Unfinished, name: str = "") -> None:
    """Take back a ``track``."""
    with _lock:
        known = item in _unfinished
        _unfinished.pop(item, None)
    for listener in _listeners if known and name else ():
        listener(name, (), "")


@contextlib.contextmanager
def told_of_unfinished(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` what is written under temporary names, while the context lasts."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def abort_all() -> None:
    """Remove every unfinished file, for a process that ends at once; no listener is called."""
    _listeners.clear()
    with _lock:
        unfinished = tuple(_unfinished)
    for item in unfinished:
        # Windows refuses to remove a file that is still open; the others must go all the same.
        with contextlib.suppress(OSError):
            item.abort()
