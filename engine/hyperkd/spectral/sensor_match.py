"""Recognise that two band tables are calibrations of one sensor, and pair their bands."""

from __future__ import annotations

from typing import Final

import numpy as np

from hyperkd.spectral.sorted_bands import Indices, SortedBands
from hyperkd.types import BoolArray, FloatArray

# EnMAP's calibrations of 2022 and later differ by less than 0.4 nm. Another
# sensor's band comes this close by accident about once in ten.
CALIBRATION_NM: Final = 0.5
# Nine in ten of the raster's bands must pair, so that accidents do not count.
_MIN_PAIRED: Final = 0.9


def match_calibration(source: SortedBands, target: SortedBands) -> Indices:
    """Return for each target node the source node that is the same band of the same sensor.

    Detectors that overlap have bands less than a calibration's shift apart
    (911.715 nm VNIR and 911.872 nm SWIR in 2022, 911.97 and 911.57 nm later), so
    neither the nearest band nor the rank distinguishes them. The shift does: it
    changes slowly along a detector, and is known from its other bands.

    Returns:
        ``(targets,)`` source node or -1; no source node appears twice. All -1
        where the tables belong to different sensors.
    """
    distance = source.centre_nm - target.centre_nm[:, None]
    near = np.abs(distance) <= CALIBRATION_NM
    shift = _detector_shift(distance, near, target)
    residual = np.where(near, np.abs(distance - shift[:, None]), np.inf)
    best = residual.argmin(axis=1)
    pairs = np.full(len(target), -1, dtype=np.intp)
    paired = near.any(axis=1)
    for node in np.flatnonzero(paired):
        rivals = np.flatnonzero(paired & (best == best[node]))
        if node == rivals[residual[rivals, best[node]].argmin()]:
            pairs[node] = best[node]
    if np.count_nonzero(pairs >= 0) < _MIN_PAIRED * len(source):
        pairs[:] = -1
    return pairs


def _detector_shift(distance: FloatArray, near: BoolArray, target: SortedBands) -> FloatArray:
    """Return each target's expected shift from the bands of its detector that pair uniquely."""
    # One source near the target, and no other target near that source.
    unique = (near.sum(axis=1) == 1) & ((near * near.sum(axis=0)).max(axis=1) == 1)
    shift = np.zeros(len(target))
    for detector in target.detectors:
        sure = detector[unique[detector]]
        if sure.size:
            known = distance[sure, near[sure].argmax(axis=1)]
            centre = target.centre_nm
            shift[detector] = np.interp(centre[detector], centre[sure], known)
    return shift
