"""Finished rows of a running job, kept so that a later job can continue from them.

An unfinished GeoTIFF cannot be continued: where its blocks lie is
written at the very end. What goes into it is therefore kept beside it, in
portions that carry their own checksum, and a resumed job writes a new file from
them: in the same order, so that it is the same file byte for byte.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Optional, cast

import numpy as np
from numpy.typing import NDArray

from hyperkd.files import create_new, is_special, open_own
from hyperkd.inference.tiling.block_reader import Unreadable
from hyperkd.locks import FileLock
from hyperkd.output_checks import require_unread, write_refusal
from hyperkd.temporary_names import ROWS_SUFFIX as SUFFIX
from hyperkd.types import Window
from hyperkd.unfinished import track, untrack

__all__ = ["SUFFIX", "Journal"]

_MAGIC = b"HKDJ"
_HEADER = struct.Struct("<4sIQI")  # magic, number, bytes, checksum


class Journal:
    """A file of portions, each the arrays of one piece of work.

    Args:
        path: the output it belongs to.
        about: JSON-serialisable settings; portions count only for exactly the same.
        lost: what could not be read while the job ran. It is kept with the portions, and
            gets what an earlier job had lost.
        keep: whether it stays where the process has to end early.

    Attributes:
        path: the file of the journal.
        count: portions that are in it.
    """

    def __init__(
        self, path: str, about: Mapping[str, Any], lost: Unreadable, *, keep: bool = False
    ) -> None:
        self.path = path + SUFFIX
        self.count = 0
        self._lost, self._keep = lost, keep
        self._about = json.dumps(about, sort_keys=True).encode()
        self._file: Optional[BinaryIO] = None
        self._lock: Optional[FileLock] = None

    def differences(self) -> Optional[list[str]]:
        """Return which settings of an older journal differ, or None where there is none."""
        try:
            with os.fdopen(open_own(self.path, write=False), "rb") as file:
                head = _portion(file, 0)
            old = None if head is None else json.loads(head)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise write_refusal(str(self.path), error) from error
        except (ValueError, RecursionError):  # no job of ours wrote it
            return None
        if not isinstance(old, dict):
            return None
        new = json.loads(self._about)
        return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))

    def replay(
        self, shapes: Sequence[Sequence[tuple[tuple[int, ...], Any]]]
    ) -> Iterator[list[NDArray[Any]]]:
        """Yield the arrays of each portion of an older journal, up to the first damaged one.

        Whatever follows is cut off, and new portions are appended.

        Args:
            shapes: shape and dtype of the arrays of each portion.
        """
        self._close()
        self.count = 0
        self._file = self._open(new=False)
        _portion(self._file, 0)
        end = self._file.tell()
        for arrays in shapes:
            content = _portion(self._file, self.count + 1)
            size = sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in arrays)
            lost = None if content is None else _lost_windows(content[size:])
            if content is None or lost is None:
                break
            self.count += 1
            for window in lost:
                self._lost.add(window)
            end = self._file.tell()
            yield _split(content, arrays)
        self._file.truncate(end)
        self._file.seek(end)

    def begin(self) -> None:
        """Start a new journal; an older one is forgotten.

        Raises:
            HyperKDError: ``bad_job`` where a file of its name is being read,
                ``out_of_disk`` or ``unwritable_output``.
        """
        require_unread(self.path)
        self.count = 0
        self._file = self._open(new=True)
        try:
            self._write(0, [self._about])
        except OSError as error:
            raise write_refusal(str(self.path), error) from error

    def append(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Keep a portion.

        Raises:
            HyperKDError: ``out_of_disk`` or ``unwritable_output``.
        """
        lost = json.dumps(self._lost.windows).encode()
        parts = [np.ascontiguousarray(array).view(np.uint8).ravel().data for array in arrays]
        try:
            self._write(self.count + 1, [*parts, lost])
        except OSError as error:
            raise write_refusal(str(self.path), error) from error
        self.count += 1

    def close(self) -> None:
        """Close the file and leave it for a later job."""
        self._close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
            untrack(self, self.path)

    def remove(self) -> None:
        """Close the file and remove it, unless it was never opened: then it is not ours."""
        self._close()
        if self._lock is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        self.close()

    def abort(self) -> None:
        """Remove the file, unless it is kept, in a process that ends early."""
        if self._lock is not None and not self._keep:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, *, new: bool) -> BinaryIO:
        lock = self._lock or FileLock(self.path)
        try:
            if new:
                if not is_special(self.path, follow=False):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self.path)
                descriptor = create_new(self.path)
            else:
                descriptor = open_own(self.path)
        except OSError as error:
            if self._lock is None:
                lock.release()
            raise write_refusal(str(self.path), error) from error
        if self._lock is None:
            track(self, self.path, () if self._keep else (self.path,), lock.lock)
            self._lock = lock
        return cast(BinaryIO, os.fdopen(descriptor, "r+b", buffering=0))

    def _write(self, number: int, parts: Sequence[Any]) -> None:
        if self._file is None:
            raise ValueError(f"{self.path} is not open")
        checksum = 0
        for part in parts:
            checksum = zlib.crc32(part, checksum)
        size = sum(len(part) for part in parts)
        for part in (_HEADER.pack(_MAGIC, number, size, checksum), *parts):
            view = memoryview(part)
            while view:
                view = view[self._file.write(view) :]


def _portion(file: BinaryIO, number: int) -> Optional[bytes]:
    """Return the next portion, or None where it is not whole or not the one of that number."""
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return None
    magic, found, size, checksum = _HEADER.unpack(head)
    if magic != _MAGIC or found != number:
        return None
    left = os.fstat(file.fileno()).st_size - file.tell()
    content = file.read(size) if size <= left else b""
    return content if len(content) == size and zlib.crc32(content) == checksum else None


def _lost_windows(text: bytes) -> Optional[list[Window]]:
    """Return the windows at the end of a portion, or None where it does not end so."""
    try:
        found = json.loads(text)
        windows = [Window(*each) for each in found]
    except (ValueError, TypeError, RecursionError):
        return None
    whole = all(type(each) is int for window in found for each in window)
    return windows if whole else None


def _split(content: bytes, arrays: Sequence[tuple[tuple[int, ...], Any]]) -> list[NDArray[Any]]:
    found, offset = [], 0
    for shape, dtype in arrays:
        count = int(np.prod(shape))
        found.append(np.frombuffer(content, dtype, count, offset).reshape(shape))
        offset += count * np.dtype(dtype).itemsize
    return found
