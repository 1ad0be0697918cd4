"""Opens files that somebody else may have put there: no link is followed, no pipe waited for."""

from __future__ import annotations

import errno
import os
import stat
from typing import Final, Union

StrPath = Union[str, "os.PathLike[str]"]

_BLOCK: Final = 1 << 20
# Windows knows none of the first three, and text files that no other system knows.
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_CAREFUL: Final = (
    getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)


def read_regular(path: StrPath, most_bytes: int) -> bytes:
    """Return the content of a file that must be a regular one, links to it included.

    A named pipe in its place would keep ``open`` waiting for ever, a device might never
    end, and a huge file would fill the memory.

    Args:
        most_bytes: a longer file is refused.

    Raises:
        OSError: with ``strerror`` and ``filename``; also where it is not a regular file or
            longer than ``most_bytes``.
    """
    descriptor = _open_regular(path, os.O_RDONLY)
    found = bytearray()
    try:
        while block := os.read(descriptor, min(_BLOCK, most_bytes + 1 - len(found))):
            found += block
    finally:
        os.close(descriptor)
    if len(found) > most_bytes:
        raise OSError(errno.EFBIG, f"it is longer than {most_bytes} bytes", os.fspath(path))
    return bytes(found)


def create_new(path: StrPath) -> int:
    """Make a file that is not there yet and return its descriptor, open for writing.

    Raises:
        OSError: ``FileExistsError`` where anything is there, a dangling link too.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CAREFUL
    return os.open(path, flags, 0o666)


def open_own(path: StrPath, *, make: bool = False, write: bool = True) -> int:
    """Open a file that an earlier process of ours left, and return its descriptor.

    Args:
        path: the file; a link to one is refused.
        make: whether it is made where it is not there, for its owner alone.
        write: whether it can be written too.

    Raises:
        OSError: also where it is not a regular file.
    """
    flags = (os.O_RDWR if write else os.O_RDONLY) | (os.O_CREAT if make else 0)
    return _open_regular(path, flags | _NOFOLLOW)


def is_special(path: StrPath, *, follow: bool = True) -> bool:
    """Return whether something is there that is not a regular file: a folder, a pipe, a device.

    Args:
        path: what to look at.
        follow: whether a link counts as what it leads to; else it is special itself.
    """
    try:
        mode = (os.stat if follow else os.lstat)(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not stat.S_ISREG(mode)


def require_regular(path: StrPath, *, follow: bool = True) -> None:
    """Raise OSError where ``is_special``; a file that is not there will do."""
    if is_special(path, follow=follow):
        raise OSError(errno.EEXIST, f"{os.fspath(path)} is not a regular file", os.fspath(path))


def _open_regular(path: StrPath, flags: int) -> int:
    descriptor = os.open(path, flags | _CAREFUL, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
