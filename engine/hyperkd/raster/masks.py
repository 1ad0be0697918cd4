"""Which pixels carry a spectrum: nodata and NaN per band, three rules for the pixel, and fill.

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
# Fill that nobody declares. No spectrum of the Earth is this dark, or this bright and the
# same, in every band (32767 x 1e-4 is 3.28), and none is a number this low before it is scaled.
_IMPOSSIBLY_DARK = -0.3
_IMPOSSIBLY_BRIGHT = 3.2
LARGEST_SENTINEL = -99.0
# Of one or two bands noise may look like fill.
FEWEST_BANDS = 3
# So many neighbours of a detector do not look like fill by chance.
_FEWEST_OF_PART = 8
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
    """Return the pixels that carry a spectrum, ``(row, col)`` bool: present and no fill.

    Args:
        data, bands, missing, tiny: see ``present_mask``.
    """
    valid = present_mask(data, bands, missing, tiny)
    return np.asarray(valid & ~fill_mask(data, bands, valid, whole=missing != "any"))


def fill_mask(
    data: NDArray[Any], bands: BandTable, among: BoolArray, *, whole: bool = False
) -> BoolArray:
    """Return the pixels that hold what no spectrum can be, ``(row, col)`` bool.

    That is reflectance below -0.3 in every band (-9999, the same times the scale, or times a
    factor of each band), or one number in every band that is at most -99 before scaling, the
    largest of its integer type, or a reflectance above 3.2. The first or the last quarter of
    many bands is enough: one detector alone may lack a pixel, at the edge of its swath.

    It looks at every pixel of every tile, so that nothing hangs on a sample that may miss a
    corner. The first band of a quarter, then two others, decide where to look closer: in an
    ordinary scene that is one comparison for each quarter, beside those of all bands with
    their nodata values.

    Args:
        data: ``(band, row, col)`` stored values.
        bands: the table of exactly these bands.
        among: ``(row, col)`` the pixels that may be fill.
        whole: whether a pixel is missing only where all its bands are.
    """
    ends = end_bands(bands.good)
    fills = [impossible_values(data, bands, part, among) for part in ends]
    if not fills:
        return np.zeros(among.shape, bool)
    return np.asarray(np.logical_and.reduce(fills) if whole else np.logical_or.reduce(fills))


def end_bands(good: BoolArray) -> tuple[NDArray[np.intp], ...]:
    """Return the indices of the first and of the last quarter of the good bands.

    Of fewer than 32, where noise may look like fill, all in one; nothing of one or two.
    """
    index = np.flatnonzero(good)
    if index.size < FEWEST_BANDS:
        return ()
    quarter = index.size // 4
    return (index[:quarter], index[-quarter:]) if quarter >= _FEWEST_OF_PART else (index,)


def impossible_values(
    data: NDArray[Any], bands: BandTable, part: NDArray[np.intp], among: BoolArray
) -> BoolArray:
    """Return the pixels of ``among`` that hold fill in all bands of ``part``, ``(row, col)``."""
    scale, offset = bands.scale[part], bands.offset[part]
    dark, bright = (_IMPOSSIBLY_DARK - offset) / scale, (_IMPOSSIBLY_BRIGHT - offset) / scale
    top = _largest(data.dtype)
    fill: BoolArray = among
    for place in (0, part.size // 2, part.size - 1):
        low, high = sorted((float(dark[place]), float(bright[place])))
        band = data[part[place]]
        fill = np.asarray(fill & ((band <= max(LARGEST_SENTINEL, low)) | (band >= min(top, high))))
        if not fill.any():
            return fill
    spectra = data[:, fill][part]
    thresholds = np.where(scale > 0, dark, -dark)[:, np.newaxis]
    signed = spectra if (scale > 0).all() else spectra * np.sign(scale)[:, np.newaxis]
    missing = (signed < thresholds).all(axis=0)
    constant = (spectra == spectra[0]).all(axis=0) & ~missing
    if constant.any():
        found = np.unique(spectra[0][constant])
        reflectance = found * scale[:, np.newaxis] + offset[:, np.newaxis]
        impossible = (reflectance > _IMPOSSIBLY_BRIGHT).all(axis=0)
        impossible |= (found <= LARGEST_SENTINEL) | (found == top)
        missing |= constant & np.isin(spectra[0], found[impossible])
    fill[fill] = missing
    return fill


def _largest(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else np.inf


def present_mask(
    data: NDArray[Any], bands: BandTable, missing: Missing = "any", tiny: bool = False
) -> BoolArray:
    """Return the pixels that have a value in their bands, ``(row, col)`` bool.

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
