"""Whether a TIFF is whole: every block and every value that its directories name lies in it.

What libtiff still holds when a file is closed is written then, and GDAL from 3.10 on (at the
latest) does not tell that this failed, as it does on a disk that is full.

Layout of the file: TIFF 6.0 (Adobe, 1992), section 2; BigTIFF as libtiff has it.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

# Bytes of a value of each type.
_WIDTHS = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}
# Tags that hold the first bytes and the sizes of blocks, in strips and in tiles.
_BLOCKS = ((273, 279), (324, 325))


def is_whole(path: str) -> bool:
    """Return whether a TIFF reaches as far as its directories say."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        try:
            order = {b"II": "<", b"MM": ">"}[file.read(2)]
            big = {42: False, 43: True}[_number(file, order + "H")]
            file.seek(8 if big else 4)
            offset = _number(file, order + ("Q" if big else "I"))
            if offset == 0:
                return False
            while offset:
                offset = _next_directory(file, offset, size, order, big)
        except (KeyError, EOFError):  # another file, or the end of this one
            return False
    return True


def _next_directory(file: BinaryIO, offset: int, size: int, order: str, big: bool) -> int:
    """Check one directory and return where the next begins, 0 after the last.

    Raises:
        EOFError: something of it lies behind the end of the file.
    """
    file.seek(offset)
    count = _number(file, order + ("Q" if big else "H"))
    entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    entries = [entry.unpack(_read(file, entry.size)) for _ in range(count)]
    following = _number(file, order + ("Q" if big else "I"))
    values: dict[int, NDArray[np.uint64]] = {}
    for tag, kind, number, inline in entries:
        length = number * _WIDTHS[kind]
        raw = inline[:length]
        if length > len(inline):
            place = struct.unpack(order + ("Q" if big else "I"), inline)[0]
            if place + length > size:
                raise EOFError
            file.seek(place)
            raw = _read(file, length)
        if any(tag in pair for pair in _BLOCKS):
            values[tag] = np.frombuffer(raw, order + _INTEGERS[kind]).astype(np.uint64)
    for starts, sizes in _BLOCKS:
        if starts in values and (values[starts] + values[sizes]).max(initial=0) > size:
            raise EOFError
    return following


def _read(file: BinaryIO, length: int) -> bytes:
    raw = file.read(length)
    if len(raw) < length:
        raise EOFError
    return raw


def _number(file: BinaryIO, form: str) -> int:
    return int(struct.unpack(form, _read(file, struct.calcsize(form)))[0])
