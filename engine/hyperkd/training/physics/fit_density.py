"""The density of the spectra that a network learned from, which tells what it does not know."""

from __future__ import annotations

from typing import Final

import numpy as np
from sklearn.mixture import GaussianMixture

from hyperkd.models.spectral_density import SpectralDensity
from hyperkd.training.physics.spectral_batches import SpectralBatches
from hyperkd.types import FloatArray

# Directions and distributions: with these, spectra of radiance and of the top of the
# atmosphere are told from reflectance at the surface, and few pixels of real scenes are.
_DIRECTIONS, _DISTRIBUTIONS = 16, 8
_LEAST: Final = 0.02
_REGULARISED: Final = 1e-3
_TRAINED, _HELD_OUT = 20_480, 8192
_BEYOND: Final = 0.01
_BRIGHT: Final = (0.0005, 0.9995)


def fit_density(batches: SpectralBatches, held_out: SpectralBatches, seed: int) -> SpectralDensity:
    """Fit a density to spectra, and its bounds to those that were held out.

    Args:
        batches, held_out: as for the network itself.
    """
    spectra = _spectra(batches, _TRAINED)
    relative = spectra / np.hypot(spectra.mean(axis=1, keepdims=True), _LEAST)
    # Of the second moments, not the covariance: black is the origin of every spectrum.
    _, size, directions = np.linalg.svd(relative / np.sqrt(len(relative)), full_matrices=False)
    directions = directions[:_DIRECTIONS] / size[:_DIRECTIONS, None]
    mixture = GaussianMixture(_DISTRIBUTIONS, reg_covar=_REGULARISED, random_state=seed)
    mixture.fit(relative @ directions.T)
    whitening = np.transpose(mixture.precisions_cholesky_, (0, 2, 1))
    log_weight = np.log(mixture.weights_) + np.linalg.slogdet(whitening)[1]
    others = _spectra(held_out, _HELD_OUT)
    low, high = np.quantile(others.mean(axis=1), _BRIGHT)
    loose = SpectralDensity(
        directions, _LEAST, log_weight, mixture.means_, whitening, 0, 1, (float(low), float(high))
    )
    limit, median = np.quantile(loose.log_density(others), [_BEYOND, 0.5])
    return SpectralDensity(**{**vars(loose), "limit": float(limit), "width": float(median - limit)})


def _spectra(batches: SpectralBatches, count: int) -> FloatArray:
    return batches.draw(count)[0].double().numpy()
