"""Text of field spectrometers by Spectra Vista (.sig), and of the library ECOSTRESS."""

from __future__ import annotations

from typing import Final, Optional

import numpy as np

from hyperkd.spectral.libraries.draft_library import Stored, finish
from hyperkd.spectral.libraries.library import Library, bad_library
from hyperkd.spectral.libraries.library_files import header_fields, number_of, stem
from hyperkd.types import FloatArray

SVC: Final = "SVC signature"
ECOSTRESS: Final = "ECOSTRESS text"
_HINT: Final = "Copy or download the file again."


def is_svc(text: str) -> bool:
    """Return whether a text is a signature of Spectra Vista."""
    return text.lstrip().startswith("/*** Spectra Vista")


def is_ecostress(text: str) -> bool:
    """Return whether a text has the header of the libraries ECOSTRESS and ASTER."""
    head = text[:8000].lower()
    return "x units:" in head and "y units:" in head


def read_svc(path: str, text: str, scale: Optional[float], notes: list[str]) -> Library:
    """Return the spectrum of a signature: lines ``key= value``, ``data=``, then four columns.

    The columns are the wavelength in nm, reference, target, and reflectance in percent.

    Raises:
        HyperKDError: ``bad_library``.
    """
    lines = text.splitlines()
    start = next(
        (number for number, line in enumerate(lines) if line.replace(" ", "").lower() == "data="),
        None,
    )
    if start is None:
        raise bad_library(path, "has no line 'data='", _HINT)
    table = _columns(path, lines[start + 1 :], 4)
    name = header_fields(lines[:start], "=").get("name", "")
    # The field keeps the path that the file had in the field.
    name = name.replace("\\", "/").rpartition("/")[2].removesuffix(".sig") or stem(path)
    return finish(
        path, SVC, [Stored(name, table[0], table[3], "nm", "reflectance (percent)")], scale, notes
    )


def read_ecostress(path: str, text: str, scale: Optional[float], notes: list[str]) -> Library:
    """Return the spectrum of a text of ECOSTRESS: lines ``key: value``, then two columns.

    Raises:
        HyperKDError: ``bad_library``; also where the header promises another number of values.
    """
    lines = text.splitlines()
    start = next(
        (number for number, line in enumerate(lines) if _is_data(line)),
        len(lines),
    )
    fields = header_fields(lines[:start], ":")
    table = _columns(path, lines[start:], 2)
    promised = fields.get("number of x values", "")
    if promised.isascii() and promised.isdigit() and promised.lstrip("0") != str(table.shape[1]):
        raise bad_library(path, f"has {table.shape[1]} values, but says {promised[:20]}", _HINT)
    name = fields.get("name", "") or stem(path)
    stored = Stored(
        name, table[0], table[1], fields.get("x units"), fields.get("y units", "").lower()
    )
    return finish(path, ECOSTRESS, [stored], scale, notes)


def _is_data(line: str) -> bool:
    cells = line.split()
    return len(cells) == 2 and all(number_of(cell, comma=True) is not None for cell in cells)


def _columns(path: str, lines: list[str], count: int) -> FloatArray:
    """Return so many columns of numbers, ``(count, rows)``; the lines after them are empty."""
    rows = []
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if not cells:
            continue
        # Between blanks a comma is the decimal point of a German computer.
        numbers = [number_of(cell, comma=True) for cell in cells]
        if len(cells) != count or any(value is None for value in numbers):
            raise bad_library(
                path, f"has no {count} numbers in line {number} of its data: {line[:60]!r}", _HINT
            )
        rows.append(numbers)
    if not rows:
        raise bad_library(path, "breaks off before its data", _HINT)
    return np.array(rows, np.float64).T
