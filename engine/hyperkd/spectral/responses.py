"""Spectral responses of a sensor, to simulate its bands from finely sampled spectra."""

from __future__ import annotations

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.types import FloatArray, Wavelengths

# Standard deviation of a Gaussian that is one wide at half its maximum.
SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))


def gaussian_responses(bands: Wavelengths, grid_nm: FloatArray) -> FloatArray:
    """Return the matrix that turns spectra sampled at ``grid_nm`` into the bands.

    Each row is a Gaussian of the band's centre and FWHM times the width of each
    grid cell, normalised to sum to 1. What lies outside the grid is cut off.

    Args:
        bands: the sensor, with FWHM.
        grid_nm: ``(grid,)`` wavelengths of the spectra, ascending.

    Returns:
        ``(bands, grid)`` float64.

    Raises:
        HyperKDError: ``bad_wavelengths`` where the sensor has no FWHM,
            ``band_mismatch`` where a band's centre lies outside the grid or the
            grid is too coarse for its FWHM.
    """
    if bands.fwhm_nm is None:
        raise HyperKDError(
            "bad_wavelengths",
            "The sensor's bands have no FWHM, so their responses are unknown.",
            "Give the FWHM of each band.",
        )
    grid = np.asarray(grid_nm, dtype=np.float64)
    step = np.gradient(grid)
    outside = np.flatnonzero((bands.centre_nm < grid[0]) | (bands.centre_nm > grid[-1]))
    if outside.size:
        raise HyperKDError(
            "band_mismatch",
            f"Band {outside[0] + 1} at {bands.centre_nm[outside[0]]:g} nm lies outside the "
            f"spectra ({grid[0]:g} to {grid[-1]:g} nm).",
            "Give spectra that cover every band of the sensor.",
        )
    local_step = np.interp(bands.centre_nm, grid, step)
    coarse = np.flatnonzero(local_step > bands.fwhm_nm / 2)
    if coarse.size:
        band = coarse[0]
        raise HyperKDError(
            "band_mismatch",
            f"Spectra sampled every {local_step[band]:g} nm are too coarse for band {band + 1} "
            f"with its FWHM of {bands.fwhm_nm[band]:g} nm.",
            "Sample the spectra at least twice within the FWHM of every band.",
        )
    sigma = bands.fwhm_nm[:, None] * SIGMA_PER_FWHM
    weights = np.exp(-0.5 * ((grid - bands.centre_nm[:, None]) / sigma) ** 2) * step
    responses: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return responses
