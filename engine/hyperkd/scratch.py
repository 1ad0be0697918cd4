"""Folders for files that nobody needs after the job, removed however the process ends."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Optional

from hyperkd.locks import LOCK_SUFFIX, SCRATCH_PREFIX, lock_folder, try_lock, unlock
from hyperkd.unfinished import track, untrack


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """Make a folder that is removed at the end; where the process is killed, by the next one."""
    scratch = _Scratch()
    track(scratch)
    try:
        yield scratch.path
    finally:
        scratch.abort()
        untrack(scratch)


class _Scratch:
    def __init__(self) -> None:
        parent = lock_folder()
        self._file: Optional[IO[bytes]] = None
        self._lock = ""
        self.path = tempfile.mkdtemp(prefix=SCRATCH_PREFIX if parent else "hyperkd-", dir=parent)
        if parent is not None:
            self._lock = self.path + LOCK_SUFFIX
            with contextlib.suppress(OSError):  # without a lock it may be swept, but not yet
                self._file = try_lock(self._lock)

    def abort(self) -> None:
        """Remove the folder and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._file is not None:
            unlock(self._file, self._lock)
            self._file = None
