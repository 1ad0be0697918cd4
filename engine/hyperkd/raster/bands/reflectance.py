"""From stored values to reflectance 0 to 1: what the file declares, or what the values show.

A wrong factor gives a wrong map without any other sign, so every declared
factor is held against the values, and what stays ambiguous is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.problems import NOTE, WARNING, Problem
from hyperkd.types import BoolArray, FloatArray

# Reflectance reaches 1.6 over snow and sunlit clouds; below 0.005 not even clear
# deep water stays, blue included. Slopes that face a low sun are brighter still in the bands
# in which snow is bright, but not in half of all bands: radiance is bright in the blue alone.
BRIGHTEST = 1.6
BRIGHTEST_BANDS = 2.5
DARKEST = 0.005
PERCENTILE = 99.0
_BRIGHT_BANDS = 90.0
_UNEVEN = 2.0  # bright bands are shown from this many times the median band on
# Bands are compared over this many pixels; noise has nothing to do with its neighbours.
_FEWEST_PIXELS, _MOST_PIXELS, _LIKENESS = 8, 1000, 0.5
# Where water vapour leaves hardly any light: noise of any size.
_VAPOUR_NM = (
    *((0.0, 420.0), (925.0, 965.0), (1110.0, 1165.0)),
    *((1330.0, 1490.0), (1780.0, 2030.0), (2380.0, np.inf)),
)
PER_CENT = 0.01
# Bands that must reach the largest number of a detector before it is called saturated.
_FEWEST_SATURATED, _SATURATED = 3, 0.05
_PER_10000 = 1e-4

_HINT = (
    "Give the scale that turns stored values into reflectance (0 to 1), or correct the band "
    "scale in the file, for instance with gdal_edit.py -scale."
)


@dataclass(frozen=True)
class ReflectanceScale:
    """Reflectance = stored value x scale + offset, per band, and where that was read."""

    scale: FloatArray
    offset: FloatArray
    origin: str


@dataclass(frozen=True)
class Brightness:
    """How large sampled values are, in their own unit.

    Three numbers, because bands inside water vapour hold noise of any size, and
    over water, and of radiance, only the blue bands are bright.

    Attributes:
        overall: 99th percentile over all good bands.
        median_band: median over the good bands of each band's 99th percentile.
        bright_bands: what one in ten of these exceeds, of bands that are no mere noise.
    """

    overall: float
    median_band: float
    bright_bands: float

    @classmethod
    def of(cls, pixels: NDArray[Any], valid: BoolArray, centre_nm: FloatArray) -> Brightness:
        """Return the brightness of sampled values.

        Args:
            pixels, valid: ``(band, pixel)`` values, and which of them count.
            centre_nm: ``(band,)``, NaN where unknown.
        """
        used = np.flatnonzero(valid.any(axis=1))
        bands = [pixels[band][valid[band]] for band in used]
        overall = np.percentile(np.concatenate(bands).astype(np.float64), PERCENTILE)
        each = np.array([np.percentile(band, PERCENTILE) for band in bands])
        clear = np.ones(used.size, bool)
        for low_nm, high_nm in _VAPOUR_NM:
            clear &= ~((centre_nm[used] > low_nm) & (centre_nm[used] < high_nm))
        clear &= _like_neighbours(pixels[used], valid[used])
        bright = np.percentile(each[clear], _BRIGHT_BANDS) if clear.any() else np.median(each)
        return cls(float(overall), float(np.median(each)), float(bright))

    def fits(self, scale: float) -> bool:
        """Return whether the values times ``scale`` are plausible reflectances."""
        return (
            self.overall * scale >= DARKEST
            and self.median_band * scale <= BRIGHTEST
            and self.bright_bands * scale <= BRIGHTEST_BANDS
        )

    def __str__(self) -> str:
        text = (
            f"{PERCENTILE:g}th percentile {self.overall:g}, in the median band {self.median_band:g}"
        )
        uneven = self.bright_bands > _UNEVEN * self.median_band
        return f"{text}, in bright bands {self.bright_bands:g}" if uneven else text


def _like_neighbours(pixels: NDArray[Any], valid: BoolArray) -> BoolArray:
    """Return which bands vary from pixel to pixel as the band before or after does."""
    common = np.flatnonzero(valid.all(axis=0))
    if common.size < _FEWEST_PIXELS or len(pixels) < 2:
        return np.ones(len(pixels), bool)
    taken = common[:: max(1, common.size // _MOST_PIXELS)]
    values = pixels[:, taken].astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    size = np.sqrt((values**2).mean(axis=1))
    product = (values[1:] * values[:-1]).mean(axis=1)
    alike = product >= _LIKENESS * size[1:] * size[:-1]
    return np.asarray(np.concatenate([alike, [False]]) | np.concatenate([[False], alike]))


def check_declared(
    declared: ReflectanceScale,
    brightness: Brightness,
    per_cent: bool,
    trusted: bool,
    said: str = "",
) -> tuple[ReflectanceScale, Optional[str]]:
    """Hold a declared calibration against sampled values.

    Args:
        declared: what the file or the user says.
        brightness: that of the sampled values after scaling.
        per_cent: whether the bands state percent as the unit of scaled values.
        trusted: whether the user gave the calibration; then a contradiction is only reported.
        said: what the file says in words, as a sentence, for the message.

    Returns:
        The calibration to use, and a sentence where a trusted one looks wrong.

    Raises:
        HyperKDError: ``bad_scale`` where a calibration of the file contradicts the values.
    """
    if brightness.fits(1.0):
        return declared, None
    if per_cent and not trusted and brightness.fits(PER_CENT):
        return ReflectanceScale(
            declared.scale * PER_CENT,
            declared.offset * PER_CENT,
            f"{declared.origin}, unit percent",
        ), None
    low, high = float(declared.scale.min()), float(declared.scale.max())
    factor = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    reason = (
        "the values look scaled already"
        if brightness.overall < DARKEST
        else "the values look like radiance, percent or digital numbers"
    )
    message = (
        f"With the scale {factor} ({declared.origin}) reflectance would be {brightness}, but "
        f"{DARKEST:g} to {BRIGHTEST:g} is plausible: {reason}. {said}".rstrip()
    )
    if trusted:
        return declared, message
    raise HyperKDError("bad_scale", message, _HINT, percentile=brightness.overall)


def infer(
    brightness: Brightness, dtype: np.dtype[Any], per_cent: bool, said: str = ""
) -> tuple[float, str]:
    """Return the scale that undeclared stored values call for, and the reason.

    Args:
        brightness: that of the sampled stored values.
        dtype: their type.
        per_cent: whether the bands state percent as their unit.
        said: what the file says in words, as a sentence, for the message.

    Raises:
        HyperKDError: ``bad_scale`` where the values fit no or more than one convention.
    """
    if per_cent and brightness.fits(PER_CENT):
        return PER_CENT, f"inferred from the unit percent and the {brightness}"
    if dtype.kind == "f" and brightness.fits(1.0):
        return 1.0, f"inferred from floating-point values, {brightness}"
    # Up to 160 the values may be percent, which cannot be distinguished from digital numbers.
    beyond_percent = brightness.overall if dtype.kind in "iu" else brightness.median_band
    if dtype != np.uint8 and beyond_percent * PER_CENT > BRIGHTEST and brightness.fits(_PER_10000):
        return _PER_10000, f"inferred as reflectance x 10000, {brightness}"
    raise HyperKDError(
        "bad_scale",
        f"The file declares no scale, and its {dtype} values ({brightness}) fit neither "
        f"reflectance 0 to 1 nor reflectance x 10000. {said}".rstrip(),
        "They may be percent, radiance or another product. " + _HINT,
        percentile=brightness.overall,
        dtype=str(dtype),
    )


def inferred_problem(
    factor: float, brightness: Brightness, dtype: np.dtype[Any], stated: bool
) -> Problem:
    """Return what to tell of an inferred scale.

    Args:
        factor: the scale.
        brightness: that of the sampled stored values.
        dtype: their type.
        stated: whether the file's words agree, so that nothing was guessed.
    """
    kind = "floating-point" if dtype.kind == "f" else dtype.name
    taken = {1.0: "reflectance 0 to 1", PER_CENT: "percent"}.get(factor, "reflectance x 10000")
    other = ""
    if factor == _PER_10000 and brightness.fits(1e-3) and brightness.overall < 1000:
        other = f" They would fit reflectance x 1000 ({brightness.overall * 1e-3:.3g}) as well."
    return Problem(
        "inferred_scale",
        f"The file declares no scale; its {kind} values are taken as {taken}, which is inferred: "
        f"{brightness}.{other}",
        "" if stated else "If that is wrong, give the scale (--scale).",
        NOTE if stated else "",
        {"scale": factor, "percentile": brightness.overall},
    )


def bright_problem(brightness: Brightness, scale: float) -> list[Problem]:
    """Return what to tell of bands that are brighter than snow and clouds on even ground."""
    bright = brightness.bright_bands * scale
    if bright <= BRIGHTEST:
        return []
    return [
        Problem(
            "unlikely_scale",
            f"The {PERCENTILE:g}th percentile of bright bands is a reflectance of {bright:.3g}: "
            "snow or clouds under a low sun, or no reflectance at all.",
            "Look at the spectra (hyperkd inspect).",
            values={"reflectance": bright},
        )
    ]


def raw_counts(pixels: NDArray[Any], valid: BoolArray, declared: bool) -> list[Problem]:
    """Return what to tell where many bands end at the largest number of a detector.

    Args:
        pixels, valid: ``(band, pixel)`` stored values, and which of them count.
        declared: whether the file declares a scale; then it is a warning only.
    """
    tops = np.array([band[mask].max() for band, mask in zip(pixels, valid) if mask.any()])
    top = float(tops.max())
    saturated = int(np.count_nonzero(tops == top))
    bits = {2.0**bits - 1: bits for bits in (10, 12, 14, 16)}.get(top)
    if bits is None or saturated < max(_FEWEST_SATURATED, _SATURATED * tops.size):
        return []
    return [
        Problem(
            "raw_counts",
            f"{saturated} of {tops.size} bands end at exactly {top:g}, the largest number of "
            f"{bits} bits: the values look like raw counts of a detector that saturates.",
            "Calibrate them to reflectance.",
            WARNING if declared else "",
            {"largest": top, "bits": bits, "bands": saturated},
        )
    ]


def is_per_cent(units: tuple[str, ...]) -> bool:
    """Return whether every band states percent as its unit."""
    return all(unit.strip().lower() in ("%", "percent", "per cent") for unit in units)
