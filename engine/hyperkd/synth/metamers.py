"""Signals that a broad-band sensor cannot see, to probe what a student learnt by itself."""

from __future__ import annotations

import numpy as np

from hyperkd.types import FloatArray, Wavelengths


def absorption(bands: Wavelengths, centre_nm: float, width_nm: float) -> FloatArray:
    """Return an absorption of depth 1 in each band: a Gaussian of full width ``width_nm``."""
    sigma = width_nm / np.sqrt(8 * np.log(2))
    return np.asarray(-np.exp(-0.5 * ((bands.centre_nm - centre_nm) / sigma) ** 2))


def hide(shape: FloatArray, broad: FloatArray) -> FloatArray:
    """Return the part of a spectral shape that lies in the null space of a band matrix.

    Two spectra that differ by it alone are metamers: equal in every broad band.

    Args:
        shape: ``(bands,)`` reflectance.
        broad: ``(broad bands, bands)`` matrix that makes the broad bands.

    Returns:
        ``(bands,)`` with ``broad @ result`` zero to rounding.
    """
    return shape - np.linalg.pinv(broad) @ (broad @ shape)
