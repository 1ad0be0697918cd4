"""Bands that a spectrum lacks: on the line between their neighbours, in training and inference."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hyperkd.spectral.affine import Affine
from hyperkd.types import BoolArray, FloatArray

# Where water vapour leaves so little light that products flag or cut out the bands.
VAPOUR_NM: Final = ((1330.0, 1490.0), (1780.0, 1990.0))


def in_vapour(centre_nm: FloatArray) -> BoolArray:
    """Return which bands lie in one of the two ranges of ``VAPOUR_NM``, ends included."""
    inside = [(centre_nm >= first) & (centre_nm <= last) for first, last in VAPOUR_NM]
    return np.asarray(np.logical_or.reduce(inside))


def bridged(spectra: NDArray[Any], present: BoolArray, centre_nm: FloatArray) -> NDArray[Any]:
    """Return spectra with a straight line through missing bands, and the last value beyond.

    Args:
        spectra, present: ``(n, C)``; each spectrum has a band.
        centre_nm: ``(C,)``, in any order.
    """
    order = np.argsort(centre_nm, kind="stable")
    known, x = present[:, order], centre_nm[order]
    place = np.arange(x.size)
    before = np.maximum.accumulate(np.where(known, place, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, place, x.size)[:, ::-1], axis=1)[:, ::-1]
    before, after = (
        np.where(before < 0, after, before),
        np.where(after == x.size, before, after),
    )
    width = np.where(x[after] > x[before], x[after] - x[before], 1.0)
    weight = (x - x[before]) / width
    values = spectra[:, order]
    line = np.take_along_axis(values, before, 1) * (1 - weight)
    line += np.take_along_axis(values, after, 1) * weight
    filled = np.empty_like(spectra)
    filled[:, order] = np.where(known, values, line)
    return filled


def bridging(present: BoolArray, centre_nm: FloatArray) -> Affine:
    """Return the map from spectra to spectra that ``bridged`` is, where all lack the same bands.

    Args:
        present, centre_nm: ``(C,)``.
    """
    unit = np.eye(len(present))
    weights = bridged(unit, np.broadcast_to(present, unit.shape), centre_nm)
    return Affine(weights.T, np.zeros(len(present)))
