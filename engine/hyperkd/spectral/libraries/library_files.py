"""The bytes and the text of a library, bounded and of a regular file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, Optional

import numpy as np

from hyperkd.files import read_regular
from hyperkd.spectral.libraries.library import MOST_BYTES, bad_library
from hyperkd.types import FloatArray

# How formats mark a value that is not there; USGS writes -1.23e34.
_MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "#n/a", "-1.#ind"})
_DELETED: Final = -1e30
_NOTE_LATIN: Final = "The text is not UTF-8 and was read as Latin-1."


def library_bytes(path: str, most: int = MOST_BYTES) -> bytes:
    """Return the content of a library's file.

    Raises:
        HyperKDError: ``bad_library`` where it is not there, no regular file, or too long.
    """
    try:
        return read_regular(path, most)
    except OSError as error:
        raise bad_library(
            path,
            f"cannot be read: {error.strerror}",
            "Check the path; a library is one file of at most 256 MB.",
        ) from error


def library_text(path: str, raw: Optional[bytes] = None) -> tuple[str, list[str]]:
    """Return the text of a library, and a note where it is not UTF-8.

    Raises:
        HyperKDError: ``bad_library``, also where it is no text.
    """
    raw = library_bytes(path) if raw is None else raw
    marked = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    if marked and len(raw) % 2 == 0:
        return raw.decode("utf-16", errors="replace"), []
    if b"\0" in raw:
        raise bad_library(
            path,
            "is a binary file of an unknown kind",
            "Read are ENVI libraries with their header, EnMAP-Box layers, and text; export other "
            "files as text (ASD: ViewSpec Pro).",
        )
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return raw.decode("latin-1"), [_NOTE_LATIN]


def number_of(text: str, *, comma: bool = False) -> Optional[float]:
    """Return the number that a text is, NaN where it says that there is none; None otherwise.

    Args:
        comma: whether a comma is the decimal point.
    """
    word = text.strip()
    if word.lower() in _MISSING:
        return float("nan")
    if comma:
        word = word.replace(",", ".")
    try:
        value = float(word)
    except ValueError:
        return None
    if "_" in word:  # Python takes 1_000 for a number
        return None
    return value if np.isfinite(value) and value > _DELETED else float("nan")


def without_deleted(values: FloatArray) -> FloatArray:
    """Return values with NaN for those that are not there, or deleted."""
    values = np.array(values, np.float64)
    with np.errstate(invalid="ignore"):
        values[~np.isfinite(values) | (values <= _DELETED)] = np.nan
    return values


def stem(path: str) -> str:
    """Return the name of a file without its ending, for a spectrum that has no other."""
    return os.path.splitext(os.path.basename(path))[0]


def header_fields(lines: Sequence[str], separator: str) -> dict[str, str]:
    """Return ``key: value`` lines as a dictionary; keys in lower case, the first one counts."""
    fields: dict[str, str] = {}
    for line in lines:
        key, found, value = line.partition(separator)
        if found and key.strip():
            fields.setdefault(" ".join(key.lower().split()), value.strip())
    return fields
