"""Figures of merit, with their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import FloatArray


def psnr_db(mean_squared_error: float, peak: float = 1.0) -> float:
    """Return the peak signal-to-noise ratio in dB; reflectance has the fixed peak 1."""
    if mean_squared_error == 0:
        return math.inf
    return 10 * math.log10(peak**2 / mean_squared_error)


def spectral_angle_deg(first: NDArray[Any], second: NDArray[Any], axis: int = 0) -> FloatArray:
    """Return the angle between spectra in degrees; 0 where they differ in brightness alone.

    Args:
        first: spectra along ``axis``.
        second: spectra of the same shape.
        axis: the axis of the bands.

    Returns:
        float64, the shape without ``axis``; NaN where a spectrum is zero throughout.
    """
    a = np.asarray(first, np.float64)
    b = np.asarray(second, np.float64)
    lengths = np.linalg.norm(a, axis=axis), np.linalg.norm(b, axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit_a = a / np.expand_dims(lengths[0], axis)
        unit_b = b / np.expand_dims(lengths[1], axis)
    # The half-angle form keeps its precision where arccos of the cosine loses it, near 0.
    apart = np.linalg.norm(unit_a - unit_b, axis=axis)
    along = np.linalg.norm(unit_a + unit_b, axis=axis)
    angle: FloatArray = np.degrees(2 * np.arctan2(apart, along))
    return angle
