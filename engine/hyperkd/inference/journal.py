"""Finished rows of a running job, kept so that a later job can go on from them.

A GeoTIFF that was not finished cannot be gone on with: where its blocks lie is
written at the very end. What goes into it is therefore kept beside it, in
portions that carry their own checksum, and a resumed job writes the file anew from
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

from hyperkd.errors import HyperKDError
from hyperkd.inference.reading import Unreadable
from hyperkd.partial import require_unread
from hyperkd.types import Window

SUFFIX = ".part-rows"

_MAGIC = b"HKDJ"
_HEADER = struct.Struct("<4sIQI")  # magic, number, bytes, checksum


class Journal:
    """A file of portions, each the arrays of one piece of work.

    Args:
        path: the output it belongs to.
        about: JSON-serialisable settings; portions count only for exactly the same.
        lost: what could not be read while the job ran. It is kept with the portions, and
            gets what an earlier job had lost.

    Attributes:
        path: the file of the journal.
        count: portions that are in it.
    """

    def __init__(self, path: str, about: Mapping[str, Any], lost: Unreadable) -> None:
        self.path = path + SUFFIX
        self.count = 0
        self._lost = lost
        self._about = json.dumps(about, sort_keys=True).encode()
        self._file: Optional[BinaryIO] = None
        self._opened = False

    def differences(self) -> Optional[list[str]]:
        """Return which settings of an older journal are others, or None where there is none."""
        try:
            with open(self.path, "rb") as file:
                head = _portion(file, 0)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unwritable(self.path, error) from error
        if head is None:
            return None
        old, new = json.loads(head), json.loads(self._about)
        return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))

    def replay(
        self, shapes: Sequence[Sequence[tuple[tuple[int, ...], Any]]]
    ) -> Iterator[list[NDArray[Any]]]:
        """Yield the arrays of each portion of an older journal, up to the first damaged one.

        Whatever follows is cut off, and new portions are appended.

        Args:
            shapes: shape and dtype of the arrays of each portion.
        """
        self.close()
        self.count = 0
        self._file = self._open("r+b")
        _portion(self._file, 0)
        end = self._file.tell()
        for arrays in shapes:
            content = _portion(self._file, self.count + 1)
            size = sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in arrays)
            if content is None or len(content) < size:
                break
            self.count += 1
            for window in json.loads(content[size:]):
                self._lost.add(Window(*window))
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
        try:
            self._file = self._open("wb")
            self._write(0, [self._about])
        except OSError as error:
            raise _unwritable(self.path, error) from error

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
            raise _unwritable(self.path, error) from error
        self.count += 1

    def close(self) -> None:
        """Close the file and leave it for a later job."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Close the file and remove it, unless it was never opened: then it is not ours."""
        self.close()
        if self._opened:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def _open(self, mode: str) -> BinaryIO:
        file = open(self.path, mode, buffering=0)  # noqa: SIM115 - open until the end
        self._opened = True
        return cast(BinaryIO, file)

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


def _split(content: bytes, arrays: Sequence[tuple[tuple[int, ...], Any]]) -> list[NDArray[Any]]:
    found, offset = [], 0
    for shape, dtype in arrays:
        count = int(np.prod(shape))
        found.append(np.frombuffer(content, dtype, count, offset).reshape(shape))
        offset += count * np.dtype(dtype).itemsize
    return found


def _unwritable(path: str, error: OSError) -> HyperKDError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return HyperKDError(
            "out_of_disk",
            f"The disk is full: {path} cannot be written.",
            "Free some disk space or choose another output folder.",
            path=path,
        )
    return HyperKDError(
        "unwritable_output",
        f"{path} cannot be written: {error.strerror}.",
        "Choose a folder that you may write to.",
        path=path,
    )
