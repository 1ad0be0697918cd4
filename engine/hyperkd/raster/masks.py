"""Which pixels carry a spectrum: nodata and NaN per band, three rules for the pixel.

Values are compared in the stored dtype, before any scaling: a nodata value that
was scaled or rounded no longer equals itself.
"""

from __future__ import annotations

from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import BandTable, BoolArray

# "any": invalid where any used good band lacks a value; "all": where all do;
# a number: where more than this fraction of them does.
Missing = Union[str, float]


# AVIRIS products mark missing values by 1e-34 beside -9999; no reflectance is that small.
TINY = 1e-30
# A nodata value this large stands for every value this large: headers round
# -3.4028235e38 to a number that no pixel equals.
_HUGE = 1e30


def check_missing(missing: Missing) -> None:
    """Raise ``ValueError`` where ``missing`` is none of the three rules."""
    fraction = isinstance(missing, (int, float)) and 0 <= missing < 1
    if not fraction and missing not in ("any", "all"):
        raise ValueError(f"missing is {missing!r}, expected 'any', 'all' or a fraction in [0, 1)")


def representable(nodata: float, dtype: np.dtype[Any]) -> bool:
    """Return whether a stored value of ``dtype`` can equal ``nodata``.

    GDAL keeps any number as nodata, for instance -9999 for unsigned integers.
    """
    if dtype.kind == "f":
        return True
    if not np.isfinite(nodata) or nodata != int(nodata):
        return False
    limits = np.iinfo(dtype)
    return int(limits.min) <= int(nodata) <= int(limits.max)


def has_value(band: NDArray[Any], nodata: float, tiny: bool = False) -> BoolArray:
    """Return where one band holds a value: finite and not ``nodata`` (NaN: none declared).

    Args:
        band: ``(row, col)`` stored values.
        nodata: the band's nodata value in stored values.
        tiny: whether values nearly but not quite 0 mean "no value" too.
    """
    value: BoolArray = np.isfinite(band) if band.dtype.kind == "f" else np.ones(band.shape, bool)
    if band.dtype.kind == "f" and abs(nodata) >= _HUGE:
        value &= np.abs(band) < _HUGE
    elif not np.isnan(nodata) and representable(nodata, band.dtype):
        # In the band's dtype: a double such as -9999.9 equals no float32 pixel.
        value &= band != band.dtype.type(nodata)
    if tiny and band.dtype.kind == "f":
        value &= (np.abs(band) >= TINY) | (band == 0)
    return value


def valid_mask(
    data: NDArray[Any], bands: BandTable, missing: Missing = "any", tiny: bool = False
) -> BoolArray:
    """Return the pixels that carry a spectrum, ``(row, col)`` bool.

    Only bands flagged good count; a pixel without any good band is invalid.

    Args:
        data: ``(band, row, col)`` stored values.
        bands: the table of exactly these bands.
        missing: ``"any"`` (a pixel is invalid where any good band lacks a value),
            ``"all"`` (where all lack one), or the largest fraction of good bands
            that may lack one, in [0, 1).
        tiny: see ``has_value``.
    """
    check_missing(missing)
    good = np.flatnonzero(bands.good)
    shape = data.shape[1:]
    if good.size == 0:
        return np.zeros(shape, bool)
    if missing == "any":
        valid = np.ones(shape, bool)
        for index in good:
            valid &= has_value(data[index], float(bands.nodata[index]), tiny)
        return valid
    present = np.zeros(shape, np.uint16)
    for index in good:
        present += has_value(data[index], float(bands.nodata[index]), tiny)
    if missing == "all":
        return np.asarray(present > 0)
    return np.asarray(good.size - present <= float(missing) * good.size)
