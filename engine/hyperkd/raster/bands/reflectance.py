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
from hyperkd.types import BoolArray, FloatArray

# Reflectance reaches 1.6 over snow and sunlit clouds; below 0.005 not even clear
# deep water stays, blue included.
BRIGHTEST = 1.6
DARKEST = 0.005
PERCENTILE = 99.0
_PER_CENT = 0.01
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

    Two numbers, because bands inside water vapour hold noise of any size, and
    over water only the blue bands are bright.

    Attributes:
        overall: 99th percentile over all good bands.
        median_band: median over the good bands of each band's 99th percentile.
    """

    overall: float
    median_band: float

    @classmethod
    def of(cls, pixels: NDArray[Any], valid: BoolArray) -> Brightness:
        """Return the brightness of the valid ones of ``pixels``, both ``(band, pixel)``."""
        bands = [band[mask] for band, mask in zip(pixels, valid) if mask.any()]
        overall = np.percentile(np.concatenate(bands).astype(np.float64), PERCENTILE)
        return cls(
            float(overall), float(np.median([np.percentile(band, PERCENTILE) for band in bands]))
        )

    def fits(self, scale: float) -> bool:
        """Return whether the values times ``scale`` are plausible reflectances."""
        return self.overall * scale >= DARKEST and self.median_band * scale <= BRIGHTEST

    def __str__(self) -> str:
        return (
            f"{PERCENTILE:g}th percentile {self.overall:g}, in the median band {self.median_band:g}"
        )


def check_declared(
    declared: ReflectanceScale, brightness: Brightness, per_cent: bool, trusted: bool
) -> tuple[ReflectanceScale, Optional[str]]:
    """Hold a declared calibration against sampled values.

    Args:
        declared: what the file or the user says.
        brightness: that of the sampled values after scaling.
        per_cent: whether the bands state percent as the unit of scaled values.
        trusted: whether the user gave the calibration; then a contradiction is only reported.

    Returns:
        The calibration to use, and a sentence where a trusted one looks wrong.

    Raises:
        HyperKDError: ``bad_scale`` where a calibration of the file contradicts the values.
    """
    if brightness.fits(1.0):
        return declared, None
    if per_cent and not trusted and brightness.fits(_PER_CENT):
        return ReflectanceScale(
            declared.scale * _PER_CENT,
            declared.offset * _PER_CENT,
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
        f"{DARKEST:g} to {BRIGHTEST:g} is plausible: {reason}."
    )
    if trusted:
        return declared, message
    raise HyperKDError("bad_scale", message, _HINT, percentile=brightness.overall)


def infer(brightness: Brightness, dtype: np.dtype[Any], per_cent: bool) -> tuple[float, str]:
    """Return the scale that undeclared stored values call for, and the reason.

    Args:
        brightness: that of the sampled stored values.
        dtype: their type.
        per_cent: whether the bands state percent as their unit.

    Raises:
        HyperKDError: ``bad_scale`` where the values fit no or more than one convention.
    """
    if per_cent and brightness.fits(_PER_CENT):
        return _PER_CENT, f"inferred from the unit percent and the {brightness}"
    if dtype.kind == "f" and brightness.fits(1.0):
        return 1.0, f"inferred from floating-point values, {brightness}"
    # Up to 160 the values may be percent, which cannot be distinguished from digital numbers.
    beyond_percent = brightness.overall if dtype.kind in "iu" else brightness.median_band
    if dtype != np.uint8 and beyond_percent * _PER_CENT > BRIGHTEST and brightness.fits(_PER_10000):
        return _PER_10000, f"inferred as reflectance x 10000, {brightness}"
    raise HyperKDError(
        "bad_scale",
        f"The file declares no scale, and its {dtype} values ({brightness}) fit neither "
        "reflectance 0 to 1 nor reflectance x 10000.",
        "They may be percent, radiance or another product. " + _HINT,
        percentile=brightness.overall,
        dtype=str(dtype),
    )


def refuse_radiance(units: tuple[str, ...]) -> None:
    """Refuse bands whose unit is a radiance.

    Raises:
        HyperKDError: ``bad_scale``.
    """
    for number, unit in enumerate(units, 1):
        plain = unit.lower().replace(" ", "")
        if "sr" in plain and "w" in plain:
            raise HyperKDError(
                "bad_scale",
                f"Band {number} has the unit {unit!r}: radiance, not reflectance.",
                "Use surface reflectance (Level 2A), or correct the radiance for the atmosphere.",
                unit=unit,
            )


def is_per_cent(units: tuple[str, ...]) -> bool:
    """Return whether every band states percent as its unit."""
    return all(unit.strip().lower() in ("%", "percent", "per cent") for unit in units)
