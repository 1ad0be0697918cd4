"""Who writes what on this machine: locks that a killed process cannot leave behind.

They are held on files in a folder of the user's temporary one, so that nothing is left
beside the outputs. Scratch folders lie there too. What killed processes left of either
is removed by the next one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
import threading
import time
from typing import IO, Optional

from hyperkd.errors import HyperKDError
from hyperkd.files import open_own

SCRATCH_PREFIX = "scratch-"
LOCK_SUFFIX = ".lock"
# Somebody who tidies up holds a lock for a moment.
_TRIES, _WAIT_S = 4, 0.05

_swept: set[str] = set()
_sweeping = threading.Lock()


class FileLock:
    """The right to write a file, held by one job of this machine at a time.

    Where the folder of locks cannot be used, every lock is granted.

    Args:
        purpose: locks of different purposes do not meet: a job holds its outputs from
            beginning to end, and each file while it is written.

    Attributes:
        lock: the file that is locked, or an empty string where there is none.

    Raises:
        HyperKDError: ``unwritable_output`` where another job holds it.
    """

    def __init__(self, path: str, purpose: str = "") -> None:
        self.lock = ""
        self._file: Optional[IO[bytes]] = None
        folder = lock_folder()
        if folder is None:
            return
        real = os.path.normcase(os.path.realpath(path))
        name = hashlib.sha256(f"{purpose}{real}".encode(errors="replace")).hexdigest()
        lock = os.path.join(folder, name + LOCK_SUFFIX)
        # A disk that is full, or a folder without locks; HyperKDError is none of these.
        with contextlib.suppress(OSError):
            self._file = try_lock(lock)
            if self._file is None:
                raise HyperKDError(
                    "unwritable_output",
                    f"Another job is writing {path} at this moment.",
                    "Wait until it has finished, or choose another output.",
                    path=path,
                )
            self.lock = lock

    def release(self) -> None:
        """Let others write the file; a second call does nothing."""
        if self._file is not None:
            unlock(self._file, self.lock)
            self._file = None


def lock_folder() -> Optional[str]:
    """Return the folder of locks, or None where no folder is this user's alone."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    named = f"hyperkd-{user}"
    parents = [os.environ.get("XDG_RUNTIME_DIR", "")]
    with contextlib.suppress(OSError):  # no folder takes a file
        parents.insert(0, tempfile.gettempdir())
    for folder in (os.path.join(parent, named) for parent in parents if parent):
        with contextlib.suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        if _is_own(folder):
            _sweep(folder)
            return folder
    return None


def _is_own(folder: str) -> bool:
    """Return whether a folder is not a link, is this user's, and is closed to other users.

    Its name is known to everybody, and everybody may make folders beside it.
    """
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode) or not os.access(folder, os.W_OK | os.X_OK):
        return False
    if os.name == "nt":  # its temporary folder is the user's own
        return True
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _sweep(folder: str) -> None:
    """Remove what killed processes left, once in the life of this one."""
    with _sweeping:
        if folder in _swept:
            return
        _swept.add(folder)
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.endswith(LOCK_SUFFIX):
                _sweep_one(os.path.join(folder, name))


def _sweep_one(lock: str) -> None:
    with contextlib.suppress(OSError):  # another one sweeps too, or it is not one of our locks
        file = try_lock(lock, tries=1)
        if file is not None:
            left = lock[: -len(LOCK_SUFFIX)]
            if os.path.basename(left).startswith(SCRATCH_PREFIX):
                shutil.rmtree(left, ignore_errors=True)
            unlock(file, lock)


def unlock(file: IO[bytes], path: str) -> None:
    """Give a lock back and remove its file."""
    if os.name != "nt":  # removed while it is held: nobody can have taken it
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    file.close()
    if os.name == "nt":  # Windows removes no open file
        with contextlib.suppress(OSError):
            os.unlink(path)


def try_lock(path: str, tries: int = _TRIES) -> Optional[IO[bytes]]:
    """Return an open file that is locked until it is closed, or None where another has it."""
    while True:
        file = os.fdopen(open_own(path, make=True), "r+b")
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
                return file
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise  # this folder knows no locks
            tries -= 1
            if not tries:
                return None
            time.sleep(_WAIT_S)
            continue
        # Between opening and locking, the one who had it may have removed it.
        if os.path.exists(path) and os.path.samestat(os.stat(path), os.fstat(file.fileno())):
            return file
        file.close()
