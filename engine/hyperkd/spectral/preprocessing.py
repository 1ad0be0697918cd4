"""From stored values to a student's input: one affine map per raster."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hyperkd.spectral.affine import Affine
from hyperkd.spectral.band_support import SupportReport
from hyperkd.spectral.missing_bands import bridging
from hyperkd.spectral.resampling import MAX_EXTRAPOLATED, may_lack, resample
from hyperkd.types import BandTable, Wavelengths


def input_map(
    source: BandTable,
    target: Wavelengths,
    mean: ArrayLike,
    std: ArrayLike,
    *,
    max_extrapolated: float = MAX_EXTRAPOLATED,
) -> tuple[Affine, SupportReport]:
    """Return the map from the stored values of ``source`` to normalised input.

    Stored values become reflectance (scale and offset of each band), reflectance
    is resampled onto ``target``, and ``(reflectance - mean) / std`` normalises it.

    Args:
        source: the bands of the raster, in the order of the file.
        target: the bands of the student.
        mean: ``(targets,)`` mean reflectance (0 to 1) of the student's training data.
        std: ``(targets,)`` its standard deviation, positive.
        max_extrapolated: share of ``target`` that may lie outside the raster's bands.

    Returns:
        The map ``(targets, sources)``, with a column of zeros for each band that
        is bad or not needed, and how well the raster covers the target.

    Raises:
        HyperKDError: ``band_mismatch`` where the raster covers too little,
            ``bad_wavelengths`` where too many bands share a wavelength.
    """
    std = np.asarray(std, dtype=np.float64)
    if not (std > 0).all():
        raise ValueError(f"standard deviations must be positive, got {std.min():g}")
    resampling = resample(source, target, max_extrapolated=max_extrapolated)
    from_reflectance = resampling.affine
    stored_to_target = Affine(
        from_reflectance.matrix * source.scale,
        from_reflectance.apply(source.offset),
        from_reflectance.order,
    )
    normalise = Affine.diagonal(1 / std, -np.asarray(mean, dtype=np.float64) / std)
    return stored_to_target.then(normalise), resampling.report


def reflectance_map(
    source: BandTable, target: Wavelengths, missing: float
) -> tuple[Affine, SupportReport]:
    """Return the map from the stored values of ``source`` to reflectance on ``target``.

    Args:
        missing: share of its bands that a model can do without, because it is told which it
            lacks; these then lie on a line between the others. 0 for a model that is not told.

    Returns:
        As ``input_map``.

    Raises:
        HyperKDError: as ``input_map``.
    """
    count = len(target)
    whole, support = input_map(
        source, target, np.zeros(count), np.ones(count), max_extrapolated=may_lack(missing)
    )
    if missing and not support.supported.all():
        whole = whole.then(bridging(support.supported, target.centre_nm))
    return whole, support
