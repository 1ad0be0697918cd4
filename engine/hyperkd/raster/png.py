"""PNG images from arrays, with the standard library alone.

GDAL writes PNG too, but may put a side file beside the image and needs a file at
all; a report wants the bytes.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Return ``image`` (rows, cols, 3) RGB as a PNG file.

    Format: ISO/IEC 15948; 8 bits, colour type 2, no filter, no interlace.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"an RGB image of uint8 is needed, got {image.dtype} {image.shape}")
    rows, cols = image.shape[:2]
    filtered = np.zeros((rows, 1 + 3 * cols), np.uint8)  # each row begins with its filter, none
    filtered[:, 1:] = image.reshape(rows, -1)
    header = struct.pack(">IIBBBBB", cols, rows, 8, 2, 0, 0, 0)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
