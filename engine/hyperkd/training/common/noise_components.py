"""Components of spectra in which the sensor's noise is equally large in every direction.

Neighbouring bands say nearly the same. What distinguishes materials is often a small
difference between bands, far smaller than their brightness but far larger than the noise.
In plain or standardised reflectance a regularised classifier is charged most for just
these directions. The minimum noise fraction (Green et al. 1988, IEEE TGRS 26, 65-74)
measures spectra in units of the noise instead, sorted by signal: a classifier is then
charged for what it takes from the noise, and for nothing else.

The noise is estimated from the scenes themselves, as the smallest differences between
neighbouring pixels: most of these show one material.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import Float32Array, FloatArray

# Of the differences between neighbours, the smallest are noise alone. Simulated scenes, 5 to 100
# labels a class: a tenth was as good or better than any other share from 5 % to all.
_SHARE: Final = 0.1
_PER_BAND: Final = 8  # differences at least, where there are that many
# Standard deviation in reflectance: what rounding to reflectance x 10000 leaves.
_SMALLEST: Final = 3e-5


@dataclass(frozen=True, eq=False)
class Components:
    """The affine map from normalised reflectance to components.

    Attributes:
        matrix: ``(R, C)`` float64.
        offset: ``(R,)`` float64; the mean spectrum has the components 0.
        noise: standard deviation of the noise in each component, the same for all; the
            mean square of all components is 1.
    """

    matrix: FloatArray
    offset: FloatArray
    noise: float

    def apply(self, spectra: NDArray[Any]) -> Float32Array:
        """Return the components ``(n, R)`` float32 of spectra ``(n, C)``."""
        return self.apply_difference(spectra) + self.offset.astype(np.float32)

    def apply_difference(self, spectra: NDArray[Any]) -> Float32Array:
        """Return the same of differences of spectra, which have no mean to remove."""
        components: Float32Array = (spectra @ self.matrix.T).astype(np.float32)
        return components


def noise_components(
    spectra: NDArray[Any], steps: NDArray[Any], std: NDArray[Any], most: int
) -> Components:
    """Find the components of largest signal to noise.

    Args:
        spectra: ``(m, C)`` normalised reflectance of the scenes, at least one.
        steps: ``(d, C)`` differences of neighbouring ones, may be none.
        std: ``(C,)`` reflectance that one unit of normalised reflectance is.
        most: how many components to keep at most; fewer where there are fewer bands.
    """
    spectra = np.asarray(spectra, np.float64)
    noise = _noise(np.asarray(steps, np.float64), np.asarray(std, np.float64))
    mean = spectra.mean(0)
    centred = spectra - mean
    power, axes = np.linalg.eigh(noise)
    whiten = axes / np.sqrt(power)
    signal, turn = np.linalg.eigh(whiten.T @ (centred.T @ centred / len(spectra)) @ whiten)
    kept = min(most, len(signal))
    matrix = (whiten @ turn[:, ::-1][:, :kept]).T
    # One factor for all, so that the noise stays equal among them.
    size = float(np.sqrt(np.clip(signal[::-1][:kept], 0, None).mean())) or 1.0
    matrix = matrix / size
    # Signs of eigenvectors are arbitrary; the same data must give the same components.
    matrix *= np.where(matrix.sum(1) < 0, -1.0, 1.0)[:, None]
    return Components(matrix, -matrix @ mean, 1 / size)


def _noise(steps: FloatArray, std: FloatArray) -> FloatArray:
    """Return the covariance of the noise, ``(C, C)`` in normalised reflectance, invertible."""
    from sklearn.covariance import ledoit_wolf

    bands = std.size
    floor = _SMALLEST / std
    if len(steps) < 2:
        return np.diag(np.maximum(floor, 0.01) ** 2)
    share = max(_SHARE, min(1.0, _PER_BAND * bands / len(steps)))
    size = np.linalg.norm(steps * std, axis=1)
    smallest = steps[size <= np.quantile(size, share)] / np.sqrt(2)
    scale = np.sqrt(np.mean(smallest**2, 0) + floor**2)
    # Shrunk towards independent bands as far as the number of differences calls for it.
    correlation, _ = ledoit_wolf(smallest / scale, assume_centered=True)
    covariance: FloatArray = correlation * np.outer(scale, scale) + np.diag(floor**2)
    return covariance
