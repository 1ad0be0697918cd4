"""Whether a file may be written here: not one that is read, and where the folder takes it."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path

from hyperkd.errors import HyperKDError
from hyperkd.files import create_new, require_regular
from hyperkd.temporary_names import LONGEST_SUFFIX, SUFFIX

_lock = threading.Lock()
_read: Counter[str] = Counter()
# Released, and not yet taken from ``_read``. A raster that nobody closed is released by the
# garbage collector, which may run in the very thread that holds the lock.
_released: deque[str] = deque()


def protect(paths: Iterable[str]) -> None:
    """Name files that are being read: until ``release``, no output may replace them.

    A raster can consist of more files than the one the user names, for instance
    the sources of a VRT; only its reader knows them.
    """
    with _lock:
        _read.update(os.path.realpath(path) for path in paths)


def release(paths: Iterable[str]) -> None:
    """Take back one ``protect`` of the same paths."""
    _released.extend([os.path.realpath(path) for path in paths])


def same_file(first: str, second: str) -> bool:
    """Return whether two paths name one file, through links and relative paths too."""
    if os.path.exists(first) and os.path.exists(second):
        return os.path.samefile(first, second)
    return os.path.normcase(os.path.realpath(first)) == os.path.normcase(os.path.realpath(second))


def require_unread(path: str) -> None:
    """Refuse to write a file that is being read.

    Raises:
        HyperKDError: ``bad_job``.
    """
    with _lock:
        while _released:
            _read[_released.popleft()] -= 1
        read = [other for other, count in _read.items() if count > 0]
    if any(same_file(path, other) for other in read):
        raise HyperKDError(
            "bad_job",
            f"{path} is read by this job: it is the input or one of its parts.",
            "Choose another output; a job never overwrites its own files.",
            path=path,
        )


def require_writable(path: str) -> None:
    """Refuse an output path that cannot be written, by trying to make its temporary file.

    Raises:
        HyperKDError: ``unwritable_output`` where the path is a folder or its
            folder is missing or refuses a new file; ``out_of_disk`` where the
            disk is full.
    """
    folder = os.path.dirname(path) or os.curdir
    if os.path.isdir(path):
        raise _unwritable(path, "it is a folder", "Give the name of a file.")
    if not os.path.isdir(folder):
        raise _unwritable(path, f"there is no folder {folder}", "Make the folder first.")
    temporary = path + SUFFIX
    try:
        require_regular(path)
        require_regular(temporary, follow=False)
        with contextlib.suppress(FileNotFoundError):
            os.stat(path + LONGEST_SUFFIX)  # fails where such a name is too long
        with contextlib.suppress(FileExistsError):  # a killed process left it
            os.close(create_new(temporary))
            os.unlink(temporary)
    except OSError as error:
        raise write_refusal(path, error) from error


def make_folder(folder: Path, hint: str, *, parents: bool = True) -> None:
    """Make a folder, and with ``parents`` those above it, where they are missing.

    Raises:
        HyperKDError: ``unwritable_output`` with the hint.
    """
    try:
        folder.mkdir(parents=parents, exist_ok=True)
    except OSError as error:
        raise HyperKDError(
            "unwritable_output",
            f"Cannot make the folder {folder}: {error.strerror}.",
            hint,
            path=str(folder),
        ) from error


def write_refusal(path: str, error: OSError) -> HyperKDError:
    """Return the coded error for a file that cannot be made: no space, or no permission."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return HyperKDError(
            "out_of_disk",
            f"There is no space left for {path}.",
            "Free some disk space or choose another output folder.",
            path=path,
        )
    hint = "Choose a folder that you may write to."
    if error.errno == errno.EEXIST:
        hint = "Remove it, or choose another output."
    return _unwritable(path, f"{error.strerror}", hint)


def _unwritable(path: str, reason: str, hint: str) -> HyperKDError:
    return HyperKDError("unwritable_output", f"Cannot write {path}: {reason}.", hint, path=path)
