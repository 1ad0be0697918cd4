"""ENVI spectral libraries: a matrix of spectra (.sli) and a header of text (.hdr)."""

from __future__ import annotations

import os
import re
from typing import Final, Optional

import numpy as np

from hyperkd.spectral.libraries.draft_library import Stored, finish, require_size
from hyperkd.spectral.libraries.library import MOST_VALUES, Library, bad_library
from hyperkd.spectral.libraries.library_files import (
    library_bytes,
    library_text,
    number_of,
    without_deleted,
)
from hyperkd.types import FloatArray

FORMAT: Final = "ENVI spectral library"
_ENDINGS: Final = (".sli", ".slb", ".esl", ".lib", ".dat", "")
_MOST_HEADER: Final = 64 * 2**20
# ENVI's numbers of data types, those of real numbers.
_TYPES: Final = {
    "1": "u1",
    "2": "i2",
    "3": "i4",
    "4": "f4",
    "5": "f8",
    "12": "u2",
    "13": "u4",
    "14": "i8",
    "15": "u8",
}
_FIELD: Final = re.compile(r"^\s*([^=\n{}]+?)\s*=\s*(\{[^}]*\}|[^\n]*)", re.MULTILINE)


def envi_header(path: str) -> Optional[str]:
    """Return the header beside a file, or None; a header is its own."""
    if path.lower().endswith(".hdr"):
        return path
    base, ending = os.path.splitext(path)
    # A table may lie beside a library of its name: EnMAP-Box keeps names and classes in it.
    shared = [base + ".hdr"] if ending.lower() in _ENDINGS else []
    for name in (path + ".hdr", *shared):
        for found in (name, name[:-4] + ".HDR"):
            if os.path.exists(found):
                return found
    return None


def read_envi_library(path: str, header: str, scale: Optional[float]) -> Library:
    """Return the library of a file and its header.

    Args:
        path: either of the two.
        header: the header.
        scale: the reflectance of a stored 1 that the user says, or None.

    Raises:
        HyperKDError: ``bad_library``.
    """
    text, notes = library_text(header, library_bytes(header, _MOST_HEADER))
    fields = _fields(header, text)
    image = _image(header) if path == header else path
    count, bands = _size(header, fields, "lines"), _size(header, fields, "samples")
    require_size(path, count, bands)
    if _size(header, fields, "bands", "1") != 1:
        raise bad_library(header, "has more than one band", "That is an image, not a library.")
    values = _values(image, header, fields, count, bands)
    centres = _numbers(header, fields, "wavelength", bands)
    if centres is None:
        raise bad_library(
            header, "states no wavelengths", "Write the item wavelength into its header."
        )
    bbl = _numbers(header, fields, "bbl", bands)
    if bbl is not None:
        values[:, bbl == 0] = np.nan
    ignored = number_of(fields.get("data ignore value", ""))
    if ignored is not None:
        values[values == ignored] = np.nan
    declared = number_of(fields.get("reflectance scale factor", ""))
    if declared is not None and (np.isnan(declared) or declared <= 0):
        declared = None
    fwhm, unit = _numbers(header, fields, "fwhm", bands), fields.get("wavelength units")
    # "Value" and "Reflectance" say nothing of the scale, "Reflectance (%)" does.
    plots = _items(fields.get("z plot titles", ""))
    titles = plots[1] if len(plots) == 2 else None
    stored = [
        Stored(name, centres, row, unit, titles, fwhm, declared)
        for name, row in zip(_names(header, fields, count), values)
    ]
    return finish(path, FORMAT, stored, scale, notes)


def _fields(header: str, text: str) -> dict[str, str]:
    if text.split(None, 1)[:1] != ["ENVI"]:
        raise bad_library(header, "is no ENVI header: it does not begin with ENVI", _HINT)
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        value = match.group(2).strip()
        if value.startswith("{") and not value.endswith("}"):
            raise bad_library(header, f"breaks off in {match.group(1)!r}", _HINT)
        fields.setdefault(" ".join(match.group(1).lower().split()), value)
    kind = fields.get("file type", "")
    if "spectral library" not in kind.lower():
        raise bad_library(
            header,
            f"says 'file type = {kind[:40]}', so it is no spectral library",
            "Use a file of the type ENVI Spectral Library.",
        )
    return fields


_HINT: Final = "Copy the library again, with its header."


def _image(header: str) -> str:
    """Return the matrix that a header belongs to."""
    base = header[:-4]
    for name in (base, *(base + ending for ending in _ENDINGS if ending)):
        if os.path.isfile(name) and name != header:
            return name
    raise bad_library(header, "has no file of spectra beside it", _HINT)


def _size(header: str, fields: dict[str, str], key: str, default: str = "") -> int:
    text = fields.get(key, default)
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise bad_library(
            header, f"says '{key} = {text[:40]}', which is no number from 1 on", _HINT
        )
    return int(text)


def _values(image: str, header: str, fields: dict[str, str], count: int, bands: int) -> FloatArray:
    kind, order = fields.get("data type", ""), fields.get("byte order", "0")
    if kind not in _TYPES or order not in ("0", "1"):
        raise bad_library(
            header,
            f"says 'data type = {kind[:20]}' and 'byte order = {order[:20]}'",
            "Read are real numbers of the types 1 to 5 and 12 to 15 in the byte order 0 or 1.",
        )
    dtype = np.dtype(("<" if order == "0" else ">") + _TYPES[kind])
    text = fields.get("header offset", "0")
    offset = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    raw = library_bytes(image, MOST_VALUES * 8)
    expected = offset + count * bands * dtype.itemsize
    if len(raw) != expected:
        raise bad_library(
            image,
            f"has {len(raw)} bytes, but its header says {expected} ({count} spectra of {bands} "
            f"bands in {dtype.itemsize} bytes)",
            _HINT,
        )
    stored = np.frombuffer(raw, dtype, count * bands, offset).reshape(count, bands)
    return without_deleted(stored)


def _items(text: str) -> list[str]:
    items = [item.strip() for item in text.strip("{} \n\r\t").split(",")]
    return items if items != [""] else []


def _numbers(header: str, fields: dict[str, str], key: str, bands: int) -> Optional[FloatArray]:
    items = _items(fields.get(key, ""))
    if not items:
        return None
    if len(items) != bands:
        raise bad_library(
            header, f"has {len(items)} values in {key!r} for {bands} bands", "Correct the header."
        )
    numbers = [number_of(item) for item in items]
    if any(number is None for number in numbers):
        raise bad_library(
            header, f"has a value in {key!r} that is no number", "Correct the header."
        )
    return np.array(numbers, np.float64)


def _names(header: str, fields: dict[str, str], count: int) -> list[str]:
    names = _items(fields.get("spectra names", ""))
    if not names:
        return [f"spectrum {number}" for number in range(1, count + 1)]
    if len(names) != count:
        raise bad_library(
            header,
            f"has {len(names)} names for {count} spectra",
            "Names with a comma count twice; correct 'spectra names' in the header.",
        )
    return names
