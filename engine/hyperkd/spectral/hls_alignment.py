"""Spectral range-based channel alignment: a raster's bands to the six bands of HLS.

HLS (Harmonized Landsat Sentinel-2) adjusts Sentinel-2 to the band passes of
Landsat's OLI, so the ranges of OLI are the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.sentences import counted
from hyperkd.spectral.affine import Affine
from hyperkd.spectral.responses import SIGMA_PER_FWHM
from hyperkd.spectral.sorted_bands import Indices, sort_bands
from hyperkd.types import BandTable, BoolArray, FloatArray


@dataclass(frozen=True)
class BandRange:
    """A broad band: its name and the wavelengths that it sees."""

    name: str
    first_nm: float
    last_nm: float

    @property
    def centre_nm(self) -> float:
        """The middle of the range."""
        return (self.first_nm + self.last_nm) / 2

    @property
    def width_nm(self) -> float:
        """The length of the range."""
        return self.last_nm - self.first_nm

    def __str__(self) -> str:
        return f"{self.name} ({self.first_nm:g} to {self.last_nm:g} nm)"


# In the order of Prithvi's input channels.
HLS_BANDS: Final = (
    BandRange("BLUE", 450.0, 510.0),
    BandRange("GREEN", 530.0, 590.0),
    BandRange("RED", 640.0, 670.0),
    BandRange("NIR_NARROW", 850.0, 880.0),
    BandRange("SWIR_1", 1570.0, 1650.0),
    BandRange("SWIR_2", 2110.0, 2290.0),
)

# Beyond three standard deviations a Gaussian holds 0.3 per cent of its area.
_GAUSSIAN_REACH_SIGMA: Final = 3.0
# Fewer bands hardly stand for a broad one, and their noise does not average out.
_FEW_BANDS: Final = 3
# Prithvi's narrowest range is 30 nm wide; a third of it off is another band.
_FAR_FROM_CENTRE_NM: Final = 10.0


@dataclass(frozen=True, eq=False)
class Alignment:
    """The map from a raster's bands to the six bands of HLS.

    Attributes:
        matrix: ``(6, sources)`` float64, rows sum to 1, zero columns for unused bands.
        order: ``(sources,)`` the source bands by wavelength.
        bands: for each row the bands used (0-based, in the order of the file).
        centre_nm: ``(6,)`` the weighted mean wavelength of each row.
        notes: what the user should know, as full sentences.
    """

    matrix: FloatArray
    order: Indices
    bands: tuple[tuple[int, ...], ...]
    centre_nm: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def affine(self) -> Affine:
        """The same map as an ``Affine`` without offset that sums by wavelength."""
        return Affine(self.matrix, np.zeros(len(self.matrix)), self.order)


def align_to_hls(source: BandTable, mode: str) -> Alignment:
    """Return the matrix from the bands of ``source`` to the six bands of HLS.

    Args:
        source: the bands of the raster; bad ones are left out.
        mode: ``range_mean``, the mean of the bands whose centres lie in the
            range; ``srf_gaussian``, a Gaussian whose FWHM is the range's width;
            ``nearest``, the one band nearest to the middle of the range.

    Raises:
        HyperKDError: ``band_mismatch`` where no good band lies in a range,
            ``bad_wavelengths`` where many bands share a wavelength.
    """
    have = sort_bands(source.wavelengths, source.good)
    good = have.order[have.node[have.order] >= 0]
    # By wavelength and rounded as there, so that order and unit of the file leave no trace.
    centre = have.centre_nm[have.node[good]]
    matrix = np.zeros((len(HLS_BANDS), len(source)))
    middle = np.zeros(len(HLS_BANDS))
    for row, band in enumerate(HLS_BANDS):
        inside = (centre >= band.first_nm) & (centre <= band.last_nm)
        if not inside.any():
            raise _empty_row(band, centre, good)
        weights = _weights(band, centre, inside, mode)
        weights /= weights.sum()
        matrix[row, good] = weights
        middle[row] = weights @ centre
    matrix.setflags(write=False)
    used = tuple(tuple(np.flatnonzero(row).tolist()) for row in matrix)
    return Alignment(matrix, have.order, used, middle, _notes(used, middle, mode))


def _weights(band: BandRange, centre_nm: FloatArray, inside: BoolArray, mode: str) -> FloatArray:
    """Return the weight of each centre in ``band``, not normalised yet."""
    if mode == "range_mean":
        return inside.astype(np.float64)
    weights = np.zeros(centre_nm.size)
    distance = np.abs(centre_nm - band.centre_nm)
    if mode == "nearest":
        weights[distance.argmin()] = 1.0
    else:
        sigmas = distance / (band.width_nm * SIGMA_PER_FWHM)
        near = sigmas <= _GAUSSIAN_REACH_SIGMA
        weights[near] = np.exp(-0.5 * sigmas[near] ** 2)
    return weights


def _notes(used: tuple[tuple[int, ...], ...], middle: FloatArray, mode: str) -> tuple[str, ...]:
    notes = []
    for band, bands, centre in zip(HLS_BANDS, used, middle):
        if len(bands) < _FEW_BANDS and mode != "nearest":
            notes.append(f"{band} is made from {counted(len(bands), 'band')} only.")
        if abs(centre - band.centre_nm) > _FAR_FROM_CENTRE_NM:
            notes.append(
                f"{band} is made from bands around {centre:.1f} nm, "
                f"{abs(centre - band.centre_nm):.1f} nm off its middle."
            )
    return tuple(notes)


def _empty_row(band: BandRange, centre_nm: FloatArray, good: Indices) -> HyperKDError:
    """Return the refusal; ``centre_nm`` is ascending, ``good`` the bands of the file."""
    above = int(np.searchsorted(centre_nm, band.first_nm))
    neighbours = [
        f"band {good[place] + 1} at {centre_nm[place]:g} nm"
        for place in (above - 1, above)
        if 0 <= place < centre_nm.size
    ]
    return HyperKDError(
        "band_mismatch",
        f"No good band lies in {band}. Nearest good bands: {', '.join(neighbours)}.",
        "The teacher needs all six bands of HLS: use an image that covers 450 to 2290 nm, "
        "and check its wavelengths and its bad band list.",
        range_nm=[band.first_nm, band.last_nm],
    )
