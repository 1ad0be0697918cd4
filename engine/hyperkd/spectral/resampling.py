"""Spectral resampling: the plain matrix from a raster's bands to a model's bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Optional

import numpy as np

from hyperkd.spectral.affine import Affine
from hyperkd.spectral.band_support import (
    AVERAGED,
    EXTRAPOLATED,
    INTERPOLATED,
    MATCHED,
    SupportReport,
)
from hyperkd.spectral.responses import SIGMA_PER_FWHM
from hyperkd.spectral.sensor_match import match_calibration
from hyperkd.spectral.sorted_bands import Indices, SortedBands, sort_bands
from hyperkd.types import BandTable, FloatArray, Wavelengths

# With more than a tenth of its input made up, a model's output means little.
MAX_EXTRAPOLATED: Final = 0.1

# Two bands further apart than this, in units of the target's FWHM, have a gap
# between them: an absorption may hide there, and nothing is interpolated.
_GAP_FWHM: Final = 3.0

# A source is finer than the target where this many of its bands fall into the
# FWHM that its own response still lacks.
_FINER_STEPS: Final = 2.0
# Half width of the averaging window in units of that FWHM: beyond it the
# Gaussian is below 0.2 per cent of its maximum.
_WINDOW_FWHM: Final = 1.5


def may_lack(missing: float) -> float:
    """Return the fraction of its bands that a raster may lack for a model.

    Args:
        missing: fraction that the model can do without, because it is told which it lacks.
    """
    return max(MAX_EXTRAPOLATED, missing)


@dataclass(frozen=True, eq=False)
class Resampling:
    """The map from a raster's bands to a model's bands.

    Attributes:
        matrix: ``(targets, sources)`` float64, rows sum to 1, zero columns for bad bands.
        order: ``(sources,)`` the source bands by wavelength, the bad ones first.
        report: how well the target is covered.
    """

    matrix: FloatArray
    order: Indices
    report: SupportReport

    @property
    def affine(self) -> Affine:
        """The same map as an ``Affine`` without offset that sums by wavelength."""
        return Affine(self.matrix, np.zeros(len(self.matrix)), self.order)


def resample(
    source: BandTable, target: Wavelengths, *, max_extrapolated: float = MAX_EXTRAPOLATED
) -> Resampling:
    """Return the matrix that takes spectra of ``source`` to the bands of ``target``.

    1. Where the tables are calibrations of one sensor (centres within 0.5 nm),
       each target takes its own band unchanged.
    2. Where the source is much finer than the target's FWHM, its bands are
       averaged with a Gaussian response.
    3. Elsewhere a target is interpolated between the two bands around it, on
       the same detector where detectors overlap.
    4. Outside the source and in its gaps a target takes the value of the nearest
       band, and counts as extrapolated.

    A constant spectrum stays constant; a spectrum linear in wavelength is
    reproduced by 2 and 3. The order of the bands in the file does not matter.

    Args:
        source: the bands of the raster; bad ones are left out.
        target: the bands of the model; without FWHM the distance to the
            nearer neighbour stands in for it.
        max_extrapolated: share of ``target`` that may lie outside the raster's bands.

    Raises:
        HyperKDError: ``band_mismatch`` where more than that lies outside,
            ``bad_wavelengths`` where many bands share a wavelength.
    """
    have = sort_bands(source.wavelengths, source.good)
    need = sort_bands(target)
    pairs = match_calibration(have, need)
    rows = np.zeros((len(need), len(have)))
    how = np.full(len(need), MATCHED, dtype="<U12")
    width = _widths(need)
    for node in range(len(need)):
        if pairs[node] >= 0:
            rows[node, pairs[node]] = 1.0
        else:
            how[node], columns, weights = _blend(have, need, node, width[node])
            rows[node, columns] = weights
    matrix = np.zeros((len(target), len(source)))
    good = np.flatnonzero(have.node >= 0)
    # Bands that share a wavelength share its weight.
    matrix[:, good] = rows[np.ix_(need.node, have.node[good])] / have.counts[have.node[good]]
    matrix.setflags(write=False)
    nearest = np.abs(have.centre_nm - need.centre_nm[:, None]).min(axis=1)
    report = SupportReport(
        target,
        how[need.node],
        nearest[need.node],
        (float(have.centre_nm[0]), float(have.centre_nm[-1])),
        int(good.size),
        _notes(have, bool((how == MATCHED).all())),
    )
    report.require(max_extrapolated)
    return Resampling(matrix, have.order, report)


def _blend(
    have: SortedBands, need: SortedBands, node: int, width_nm: float
) -> tuple[str, Indices, FloatArray]:
    """Return how target ``node`` comes about, its source nodes and their weights."""
    centre = need.centre_nm[node]
    limit_nm = _GAP_FWHM * width_nm
    detectors = [
        detector
        for detector in have.detectors_at(centre)
        if _interpolate(have, detector, centre, limit_nm) is not None
    ]
    # Without one, the target may still lie between two detectors that do not overlap.
    detector = _same_detector(detectors, have, need, node) if detectors else np.arange(len(have))
    averaged = _average(have, detector, centre, width_nm) if detectors else None
    if averaged is not None:
        return (AVERAGED, *averaged)
    interpolated = _interpolate(have, detector, centre, limit_nm)
    if interpolated is not None:
        return (INTERPOLATED, *interpolated)
    return (EXTRAPOLATED, np.array([have.nearest(centre)]), np.ones(1))


def _interpolate(
    have: SortedBands, detector: Indices, centre_nm: float, limit_nm: float
) -> Optional[tuple[Indices, FloatArray]]:
    """Return the bands of ``detector`` around a centre and their weights.

    None where the centre lies outside or in a gap wider than ``limit_nm``.
    """
    centres = have.centre_nm[detector]
    after = int(np.searchsorted(centres, centre_nm))
    if after < centres.size and centres[after] == centre_nm:
        return detector[after : after + 1], np.ones(1)
    if not 0 < after < centres.size:
        return None
    low, high = centres[after - 1 : after + 1]
    if high - low > limit_nm:
        return None
    upper = (centre_nm - low) / (high - low)
    return detector[after - 1 : after + 1], np.array([1 - upper, upper])


def _average(
    have: SortedBands, detector: Indices, centre_nm: float, width_nm: float
) -> Optional[tuple[Indices, FloatArray]]:
    """Return the bands of ``detector`` within a target's response and their weights.

    The weights are a Gaussian that widens the source's own response to the
    target's, times the width of each band's cell, tilted so that a spectrum
    linear in wavelength keeps its value at the centre. None where the detector
    is not finer than the target, or ends within the response.
    """
    centres = have.centre_nm[detector]
    if centres.size < 2:
        return None
    cells = np.gradient(centres)
    at = int(np.abs(centres - centre_nm).argmin())
    own = 0.0 if have.fwhm_nm is None else float(have.fwhm_nm[detector[at]])
    lacking = np.sqrt(max(width_nm**2 - own**2, 0.0))
    if lacking < _FINER_STEPS * cells[at]:
        return None
    # A window that reaches equally far to both sides keeps the tilt small.
    reach = min(_WINDOW_FWHM * lacking, centre_nm - centres[0], centres[-1] - centre_nm)
    if reach < lacking / 2:
        return None
    inside = np.abs(centres - centre_nm) <= reach
    distance = centres[inside] - centre_nm
    weights = np.exp(-0.5 * (distance / (lacking * SIGMA_PER_FWHM)) ** 2) * cells[inside]
    mean, spread = weights @ distance, weights @ distance**2
    weights *= spread - mean * distance
    weights /= weights.sum()
    return (detector[inside], weights) if (weights >= 0).all() else None


def _same_detector(
    detectors: list[Indices], have: SortedBands, need: SortedBands, node: int
) -> Indices:
    """Return which of the source's detectors at a target stands for the target's own.

    Where as many detectors overlap in both sensors, the one that begins at the
    same rank; else the one of the most similar FWHM, or of the nearest band
    where the target has no FWHM.
    """
    centre = need.centre_nm[node]
    own = [bool((detector == node).any()) for detector in need.detectors_at(centre)]
    if len(own) == len(detectors):
        return detectors[own.index(True)]

    def strangeness(detector: Indices) -> float:
        centres = have.centre_nm[detector]
        if have.fwhm_nm is None or need.fwhm_nm is None:
            return float(np.abs(centres - centre).min())
        fwhm = np.interp(centre, centres, have.fwhm_nm[detector])
        return float(abs(fwhm - need.fwhm_nm[node]))

    return min(detectors, key=strangeness)


def _widths(bands: SortedBands) -> FloatArray:
    """Return the FWHM of each band, or the distance to the nearer neighbour in its place."""
    if bands.fwhm_nm is not None:
        return bands.fwhm_nm
    if len(bands) < 2:
        return np.full(1, np.inf)
    steps = np.diff(bands.centre_nm)
    # The smaller of the two steps: next to a gap the larger one says nothing.
    widths: FloatArray = np.minimum(np.r_[steps, np.inf], np.r_[np.inf, steps])
    return widths


def _notes(have: SortedBands, all_matched: bool) -> tuple[str, ...]:
    notes = []
    if have.duplicates:
        notes.append(f"Bands that share a wavelength are averaged ({have.duplicates} of them).")
    steps = np.diff(have.centre_nm)
    # Two bands much closer than those on both sides come from two detectors.
    close = steps[1:-1] < np.minimum(steps[:-2], steps[2:]) / 2
    if have.fwhm_nm is None and not all_matched and close.any():
        notes.append(
            "Detectors seem to overlap, but without FWHM their bands cannot be distinguished; "
            "they are used as one."
        )
    return tuple(notes)
