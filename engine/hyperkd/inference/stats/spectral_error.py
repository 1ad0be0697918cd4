"""The difference of two spectra: in shape (spectral angle) and in size (RMSE)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.spectral.affine import Affine
from hyperkd.types import Float32Array, FloatArray

NAMES = ("spectral angle (degrees)", "RMSE (reflectance)")


def spectral_error(
    stored: NDArray[Any], reflectance: Affine, estimate: NDArray[Any], bands: NDArray[np.intp]
) -> Float32Array:
    """Compare what a raster stores with an estimate of its reflectance, pixel by pixel.

    The arc cosine of a float32 cosine cannot distinguish angles below some 0.02
    degrees from 0. Half the angle follows from the difference d = a - b instead,
    sin(angle / 2)^2 = (|d|^2 - (|a| - |b|)^2) / (4 |a| |b|), which is exact for
    small angles too, with sums in float64.

    Args:
        stored: ``(source, row, col)`` stored values.
        reflectance: map from them to reflectance on the bands of ``estimate``.
        estimate: ``(band, row, col)`` reflectance.
        bands: 0-based bands to compare.

    Returns:
        ``(2, row, col)`` float32 in the order of ``NAMES``. A spectrum that is zero in
        every band has no direction: its angle is 90 degrees to any other spectrum (their
        scalar product is 0) and 0 to another zero. NaN in, NaN out.
    """
    shape = estimate.shape[1:]
    norm_a: FloatArray = np.zeros(shape)
    norm_b: FloatArray = np.zeros(shape)
    norm_d: FloatArray = np.zeros(shape)
    for band in bands:
        # Band by band: most rows of the matrix have one or two elements that are
        # not zero, and all of this stays in the processor's cache.
        a = np.full(shape, reflectance.offset[band])
        for source in np.flatnonzero(reflectance.matrix[band]):
            a += np.multiply(stored[source], reflectance.matrix[band, source], dtype=np.float64)
        b = estimate[band].astype(np.float64)
        norm_a += a * a
        norm_b += b * b
        a -= b
        norm_d += a * a
    product = np.sqrt(norm_a * norm_b)
    gap = (np.sqrt(norm_a) - np.sqrt(norm_b)) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        # Rounding may leave the quotient slightly outside 0..1.
        half = np.sqrt(((norm_d - gap) / (4.0 * product)).clip(0.0, 1.0))
    angle = np.degrees(2.0 * np.arcsin(half))
    without = np.where(norm_d > 0, 90.0, 0.0)  # of two spectra one or both have no direction
    angle = np.where(product == 0, without, angle)
    errors: Float32Array = np.stack([angle, np.sqrt(norm_d / len(bands))]).astype(np.float32)
    return errors
