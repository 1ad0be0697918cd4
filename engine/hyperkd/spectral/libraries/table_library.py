"""Tables of text: wavelengths in a column, or in the header; also ASD's text from ViewSpec Pro."""

from __future__ import annotations

import csv
import io
import re
from typing import Final, Optional

import numpy as np

from hyperkd.spectral.libraries.draft_library import Stored, finish, require_size
from hyperkd.spectral.libraries.library import MOST_BANDS, Library, bad_library
from hyperkd.spectral.libraries.library_files import number_of, stem
from hyperkd.types import FloatArray

FORMAT: Final = "table of text"
ASD: Final = "ASD text"
_DELIMITERS: Final = ("\t", ";", ",")
# "450", "450.5 nm", "0.45um", "wl_450", "X450.5".
_HEADED: Final = re.compile(
    r"^[A-Za-z_ ]{0,12}?[\s_]?(\d+(?:\.\d+)?)\s*[\[(]?"
    r"(nm|um|\u00b5m|\u03bcm|nanometers?|micrometers?)?[\])]?$"
)
_WAVELENGTH: Final = re.compile(r"wave\s*-?_?length|^wl\b|^lambda|\bwvl\b|^nm$|^um$", re.IGNORECASE)
_UNIT_ALONE: Final = re.compile(r"^[\[(][^\])]*[\])]$")
_NAMES: Final = ("name", "spectrum", "label", "class", "sample", "id")
_HINT: Final = (
    "Write one row per wavelength, with the wavelengths in the first column and a spectrum in each "
    "other one; or one row per spectrum with the wavelengths in the header."
)
# Text before the table: ViewSpec Pro writes some 30 lines.
_MOST_PREAMBLE: Final = 200

Rows = list[list[str]]


def read_table(path: str, text: str, scale: Optional[float], notes: list[str]) -> Library:
    """Return the library of a table.

    Args:
        path: the file.
        text: its content.
        scale: the reflectance of a stored 1 that the user says, or None.
        notes: what was already told.

    Raises:
        HyperKDError: ``bad_library``.
    """
    format = ASD if "Text conversion of header file" in text[:2000] else FORMAT
    rows, delimiter = _rows(path, text)
    comma = delimiter in ("\t", ";") and _has_decimal_commas(rows)
    if comma:
        notes = [*notes, "Commas were taken as decimal points."]
    rows = _table(path, rows, comma)
    header = rows[0] if any(number_of(cell, comma=comma) is None for cell in rows[0]) else None
    heads = _heads(rows[0])
    if heads is not None and (header is not None or not _first_column_ordered(rows, comma)):
        stored = _spectra_in_rows(path, rows[0], heads, rows[1:], comma)
    else:
        body = rows if header is None else rows[1:]
        stored = _spectra_in_columns(path, header, body, comma)
    return finish(path, format, stored, scale, notes)


def _first_column_ordered(rows: Rows, comma: bool) -> bool:
    numbers = [number_of(row[0], comma=comma) for row in rows]
    return all(number is not None for number in numbers) and _ordered(np.array(numbers, float))


def _rows(path: str, text: str) -> tuple[Rows, str]:
    """Return the cells of each line that is not empty, and what separates them."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise bad_library(path, "is empty", _HINT)
    # The lines of the table itself are the last ones.
    last = lines[-1]
    delimiter = next((each for each in _DELIMITERS if each in last), " ")
    if delimiter == " ":
        return [line.split() for line in lines], delimiter
    try:
        reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
        rows = [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        raise bad_library(path, f"is no table of text: {error}", _HINT) from error
    return [row for row in rows if any(row)], delimiter


def _has_decimal_commas(rows: Rows) -> bool:
    cells = [cell for cell in rows[-1] if cell]
    return any("," in cell for cell in cells) and all(
        number_of(cell, comma=True) is not None for cell in cells[1:]
    )


def _table(path: str, rows: Rows, comma: bool) -> Rows:
    """Return the rows of the table, without text above it, all of one length."""
    width = len(rows[-1])
    while width > 1 and all(not row[width - 1 : width] or not row[width - 1] for row in rows[1:]):
        width -= 1  # a delimiter at the end of each line
    start = 0
    for number, row in enumerate(rows[: _MOST_PREAMBLE + 1]):
        if _WAVELENGTH.search(row[0]) and len(row) >= width > 1:
            start = number
            break
    rows = [row[:width] if not any(row[width:]) else row for row in rows[start:]]
    rows[0] = rows[0] + [""] * (width - len(rows[0]))
    if len(rows[0]) == width + 1 and _UNIT_ALONE.match(rows[0][1]):
        rows[0][:2] = [" ".join(rows[0][:2])]  # "Wavelength (nm)" between blanks
    wrong = next((number for number, row in enumerate(rows) if len(row) != width), None)
    if wrong is not None or width < 2 or len(rows) < 2:
        where = "" if wrong is None else f": row {start + wrong + 1} has {len(rows[wrong])} cells"
        raise bad_library(
            path, f"is no table of {len(rows)} rows and {width} columns{where}", _HINT
        )
    return rows


def _heads(header: list[str]) -> Optional[dict[int, tuple[float, str]]]:
    """Return the wavelength and unit in the cells of a header, by column; None where it has none.

    They count where they are at least two, strictly ascending or descending, and follow each
    other: numbers in the names of spectra are not. The longest such run counts.
    """
    found: dict[int, tuple[float, str]] = {}
    run: dict[int, tuple[float, str]] = {}
    for column, cell in enumerate(header):
        match = _HEADED.match(cell)
        if not match:
            run = {}
            continue
        run[column] = (float(match.group(1)), match.group(2) or "")
        found = run if len(run) > len(found) else found
    if len(found) < 2:
        return None
    values = [value for value, _ in found.values()]
    steps = np.diff(values)
    plausible = (min(values) > 0.1 and max(values) <= 100.0) or min(values) >= 100.0
    if not plausible or not ((steps > 0).all() or (steps < 0).all()):
        return None
    # "wavelength, 1, 2, 3" names its spectra by numbers.
    return None if _WAVELENGTH.search(header[0]) and 0 not in found else found


def _spectra_in_rows(
    path: str,
    header: list[str],
    heads: dict[int, tuple[float, str]],
    body: Rows,
    comma: bool,
) -> list[Stored]:
    require_size(path, len(body), len(heads))
    centres = np.array([value for value, _ in heads.values()])
    units = {unit for _, unit in heads.values() if unit}
    if len(units) > 1:
        raise bad_library(path, f"has wavelengths in {' and '.join(sorted(units))}", _HINT)
    others = [column for column in range(len(header)) if column not in heads]
    lowered = [header[column].strip().lower() for column in others]
    named = next((others[lowered.index(name)] for name in _NAMES if name in lowered), None)
    if named is None:
        texts = (c for c in others if number_of(body[0][c], comma=comma) is None)
        named = next(texts, None)
    unit = next(iter(units), None)
    stored = []
    for number, row in enumerate(body, start=1):
        values = _numbers(path, [row[column] for column in heads], comma, f"row {number + 1}")
        name = row[named] if named is not None else ""
        stored.append(Stored(name or f"spectrum {number}", centres, values, unit))
    return stored


def _spectra_in_columns(
    path: str, header: Optional[list[str]], body: Rows, comma: bool
) -> list[Stored]:
    require_size(path, len(body[0]) - 1, len(body))
    if len(body) > MOST_BANDS:
        raise bad_library(path, f"has {len(body)} rows", _HINT)
    columns = [
        _numbers(path, [row[column] for row in body], comma, f"column {column + 1}")
        for column in range(len(body[0]))
    ]
    centres = columns[0]
    if header is None and not _ordered(centres):
        raise bad_library(
            path,
            "has no header, and its first column is no list of wavelengths: it neither only "
            "ascends nor only descends",
            _HINT,
        )
    if header is not None and not _WAVELENGTH.search(header[0]) and not _ordered(centres):
        raise bad_library(path, f"has no wavelengths: its first column is {header[0]!r}", _HINT)
    unit = None if header is None else header[0]
    stored = []
    for column, values in enumerate(columns[1:], start=1):
        title = "" if header is None else header[column]
        name = title or (stem(path) if len(columns) == 2 else f"spectrum {column}")
        stored.append(Stored(name, centres, values, unit, _value_unit(title)))
    return stored


def _value_unit(title: str) -> Optional[str]:
    """Return the unit of its values that the title of a column states, or None."""
    if re.search(
        r"reflectance.*(%|per\s?cent)|[\[(]\s*(%|per\s?cent)\s*[\])]", title, re.IGNORECASE
    ):
        return "percent"
    return "radiance" if re.fullmatch(r"(ir)?radiance.*", title, re.IGNORECASE) else None


def _ordered(centres: FloatArray) -> bool:
    steps = np.diff(centres)
    return bool((steps > 0).all() or (steps < 0).all())


def _numbers(path: str, cells: list[str], comma: bool, where: str) -> FloatArray:
    numbers = [number_of(cell, comma=comma) for cell in cells]
    wrong = next((cell for cell, number in zip(cells, numbers) if number is None), None)
    if wrong is not None:
        raise bad_library(path, f"has {wrong[:40]!r} in {where}, which is no number", _HINT)
    return np.array(numbers, np.float64)
