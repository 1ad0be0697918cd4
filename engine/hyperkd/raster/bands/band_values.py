"""The text of band metadata as numbers: keys, lists, units. Pure, no GDAL.

A source is one place where band values stand (band metadata, a header, a CSV
file). Its values stay text until one source is chosen, so that a refusal can
quote what the file says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.types import FloatArray

Texts = tuple[Optional[str], ...]

# Band properties by the keys that files use, in lower case with underscores.
KEYS: Mapping[str, str] = {
    "wavelength": "wavelength",
    "wavelengths": "wavelength",
    "center_wavelength": "wavelength",
    "center_wavelengths": "wavelength",
    "centre_wavelength": "wavelength",
    "centre_wavelengths": "wavelength",
    "central_wavelength": "wavelength",
    "central_wavelengths": "wavelength",
    "wavelength_units": "units",
    "wavelength_unit": "units",
    "wavelengths_units": "units",
    "wavelengths_unit": "units",
    "fwhm": "fwhm",
    "full_width_half_max": "fwhm",
    "full_width_half_maximum": "fwhm",
    "bbl": "bbl",
    "data_gain_values": "scale",
    "data_offset_values": "offset",
    "reflectance_scale_factor": "divisor",
}
# One value of a dataset stands for all bands.
_COMMON = ("units", "divisor")
# GDAL's IMAGERY domain and some CSV files name the unit in the key.
_UNIT_SUFFIXES = (("_nm", "nm"), ("_um", "um"))

_NANOMETRES = {"nm", "nanometer", "nanometers", "nanometre", "nanometres"}
_MICROMETRES = {
    *("um", "\u00b5m", "\u03bcm", "micrometer", "micrometers", "micrometre", "micrometres"),
    *("micron", "microns"),
}
_UNSTATED = {"", "unknown", "none", "undefined", "n/a"}
_NM_PER_UNIT = {"nm": 1.0, "um": 1000.0}
# Where nobody says the unit: the reflective and thermal range in either unit, nothing between.
_LONGEST_UM = 100.0
_RANGE_NM = (100.0, 20000.0)

_NUMBER = re.compile(
    r"^\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?inf(?:inity)?)"
    r"\s*(?P<unit>[a-z\u00b5\u03bc%][^\d]*)?$",
    re.IGNORECASE,
)
_DECIMAL_COMMA = re.compile(r"^(\s*[+-]?\d+),(\d+)(?![\d.,])")
# A comma is the decimal one where digits stand on both sides: 450,25 nm. Not behind others.
_IN_DESCRIPTION = re.compile(
    r"(?<![\w.])(?<!\d,)(\d+(?:[.,]\d+)?)\s*"
    r"(nm|nanomet(?:er|re)s?|um|\u00b5m|\u03bcm|micromet(?:er|re)s?|microns?)(?!\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class BandSource:
    """One place where band values stand.

    Attributes:
        columns: for ``wavelength``, ``units``, ``fwhm``, ``bbl``, ``scale``,
            ``offset`` and ``divisor`` (1 / scale): the text of each band, None
            where a band has none.
        origins: where each column stands, for instance ``band metadata 'fwhm'``.
        ignored: what in this place could not be used and why, one sentence each.
    """

    columns: Mapping[str, Texts] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


_NOT_GENERAL = re.compile(r"Band_\d+$|AREA_OR_POINT$|HYPERKD_")
_LONGEST_ITEM = 1000


def property_of(key: str) -> tuple[Optional[str], Optional[str]]:
    """Return the band property that a metadata key names, and the unit in the key if any."""
    # GDAL turns the blanks of an indented ENVI key into underscores.
    plain = re.sub(r"[\s\-]+", "_", key.strip().lower()).strip("_")
    for suffix, unit in _UNIT_SUFFIXES:
        stem = plain[: -len(suffix)] if plain.endswith(suffix) else ""
        if KEYS.get(stem) in ("wavelength", "fwhm"):
            return KEYS[stem], unit
    return KEYS.get(plain), None


def general_items(items: Mapping[str, str]) -> dict[str, str]:
    """Return the items of a dataset that hold for all of it, for instance its date.

    Not what describes bands, the grid, or how an earlier job of ours went.
    """
    return {
        key: text
        for key, text in items.items()
        if property_of(key)[0] is None
        and not _NOT_GENERAL.match(key)
        and not text.lstrip().startswith("{")
        and len(text) <= _LONGEST_ITEM
    }


def source_of_items(name: str, items: Sequence[Mapping[str, str]]) -> BandSource:
    """Return the source of one metadata domain of all bands."""
    columns: dict[str, list[Optional[str]]] = {}
    origins: dict[str, str] = {}
    for index, band in enumerate(items):
        for key in sorted(band):
            column, unit = property_of(key)
            if column is None:
                continue
            texts = columns.setdefault(column, [None] * len(items))
            texts[index] = texts[index] or band[key].strip() or None
            origins.setdefault(column, f"{name} {key!r}")
            if unit is not None:
                columns.setdefault("units", [None] * len(items))[index] = unit
                origins.setdefault("units", f"{name} {key!r}")
    return BandSource({column: tuple(texts) for column, texts in columns.items()}, origins)


def source_of_lists(name: str, items: Mapping[str, str], count: int) -> BandSource:
    """Return the source of dataset items: one list per property, of exactly ``count`` values.

    A list of another length is left out and said so: after subsetting bands,
    programs leave the lists of the whole cube behind.
    """
    columns: dict[str, Texts] = {}
    origins: dict[str, str] = {}
    ignored: list[str] = []
    for key in sorted(items):
        column, unit = property_of(key)
        if column is None:
            continue
        texts = split_list(items[key])
        if column in _COMMON:
            texts = texts * count if len(texts) == 1 else texts
        if len(texts) != count:
            ignored.append(
                f"The {name} {key!r} has {len(texts)} values for {count} bands and is ignored."
            )
            continue
        columns.setdefault(column, tuple(text or None for text in texts))
        origins.setdefault(column, f"{name} {key!r}")
        if unit is not None:
            columns["units"] = (unit,) * count
            origins["units"] = f"{name} {key!r}"
    return BandSource(columns, origins, tuple(ignored))


def source_of_descriptions(descriptions: Sequence[str]) -> BandSource:
    """Return the source of band names that hold one number with a unit of length each."""
    found = [_IN_DESCRIPTION.findall(description) for description in descriptions]
    if not all(len(matches) == 1 for matches in found):
        return BandSource()
    return BandSource(
        {
            "wavelength": tuple(matches[0][0].replace(",", ".") for matches in found),
            "units": tuple(matches[0][1] for matches in found),
        },
        {"wavelength": "band descriptions", "units": "band descriptions"},
    )


def split_list(text: str) -> tuple[str, ...]:
    """Return the values of a list as ENVI and others write it: ``{1, 2}``, ``[1 2]``, ``1,2``."""
    inner = text.strip().strip("{}[]()").strip()
    if not inner:
        return ()
    parts = inner.split(",") if "," in inner else inner.split()
    return tuple(part.strip() for part in parts)


def parse_lengths(texts: Texts, origin: str) -> tuple[FloatArray, Texts]:
    """Return what ``parse_numbers`` does, with decimal commas too: 450,25 is 450.25.

    One that separated thousands would give a length that no unit allows.
    """
    plain = (text and _DECIMAL_COMMA.sub(r"\1.\2", text) for text in texts)
    return parse_numbers(tuple(plain), origin)


def parse_numbers(texts: Texts, origin: str) -> tuple[FloatArray, Texts]:
    """Return the numbers of a column, NaN where a band has none, and the units inside the texts.

    Raises:
        HyperKDError: ``bad_wavelengths`` where a text is not a number.
    """
    numbers = np.full(len(texts), np.nan)
    units: list[Optional[str]] = [None] * len(texts)
    for index, text in enumerate(texts):
        if text is None:
            continue
        match = _NUMBER.match(text)
        if match is None:
            raise HyperKDError(
                "bad_wavelengths",
                f"The {origin} of band {index + 1} is {text!r}, which is not a number.",
                "Write plain numbers with a decimal point into the band metadata, or give a band "
                "table as CSV.",
                band=index + 1,
            )
        numbers[index] = float(match.group("number"))
        unit = match.group("unit")
        units[index] = unit.strip() if unit else None
    return numbers, tuple(units)


def unit_of_length(text: str) -> Optional[str]:
    """Return ``nm`` or ``um`` for a stated unit, None where the text states nothing.

    Raises:
        HyperKDError: ``bad_units`` for wavenumbers, frequencies and anything else.
    """
    plain = text.strip().lower()
    if plain in _UNSTATED:
        return None
    if plain in _NANOMETRES:
        return "nm"
    if plain in _MICROMETRES:
        return "um"
    raise HyperKDError(
        "bad_units",
        f"The wavelength unit {text.strip()!r} is not supported.",
        "State the wavelengths in nanometres or micrometres.",
        unit=text.strip(),
    )


def common_unit(texts: Sequence[Optional[str]], origin: str) -> Optional[str]:
    """Return the one unit that some texts state, or None where none does.

    Raises:
        HyperKDError: ``bad_units`` where they state different units.
    """
    units = {unit_of_length(text) for text in texts if text is not None} - {None}
    if len(units) > 1:
        raise HyperKDError(
            "bad_units",
            f"The {origin} mixes nanometres and micrometres.",
            "State all wavelengths in one unit.",
        )
    return units.pop() if units else None


def to_nanometres(values: FloatArray, unit: Optional[str], origin: str) -> tuple[FloatArray, str]:
    """Return wavelengths in nm and how their unit is known.

    Values below 100 without a unit are micrometres, from 100 to 20000
    nanometres. A stated unit must give a wavelength between 100 and 20000 nm.

    Args:
        values: usable wavelengths, NaN elsewhere.
        unit: ``nm``, ``um`` or None where none is stated.
        origin: where the values stand.

    Raises:
        HyperKDError: ``bad_units`` where the values fit no unit, or not the stated one.
    """
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    shown = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    how = "stated"
    if unit is None:
        _refuse_band_numbers(values, origin)
        unit = "um" if high < _LONGEST_UM else "nm"
        how = "inferred"
    converted = values * _NM_PER_UNIT[unit]
    if low * _NM_PER_UNIT[unit] < _RANGE_NM[0] or high * _NM_PER_UNIT[unit] > _RANGE_NM[1]:
        written = {"nm": "nanometres", "um": "micrometres"}[unit]
        if how == "stated":
            message = f"The wavelengths ({origin}) are {shown} {written}, outside 100 to 20000 nm."
        else:
            message = f"The wavelengths ({origin}) are {shown} without a unit."
        raise HyperKDError(
            "bad_units",
            message,
            "State the right unit (wavelength_units = Nanometers or Micrometers) in the band "
            "metadata, or give a band table as CSV.",
            lowest=low,
            highest=high,
        )
    return converted, how if how == "stated" else f"inferred from the values {shown}"


def _refuse_band_numbers(values: FloatArray, origin: str) -> None:
    """Refuse 1, 2, 3, ...: those are band numbers, which would pass for micrometres."""
    if values.size > 1 and np.array_equal(values, np.arange(1, values.size + 1)):
        raise HyperKDError(
            "bad_wavelengths",
            f"The wavelengths ({origin}) are {values[0]:g}, {values[1]:g}, ... "
            f"{values[-1]:g}: band numbers, not wavelengths.",
            "Give a band table as CSV, or correct the band metadata.",
        )
