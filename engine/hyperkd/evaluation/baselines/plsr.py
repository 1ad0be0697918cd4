"""Partial least squares regression of one target, as a linear model of standardised spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import FloatArray

_MOST = 20  # components


@dataclass(frozen=True, eq=False)
class Plsr:
    """A fitted partial least squares regression of one target: ``spectra @ weight + bias``."""

    weight: FloatArray
    bias: float

    @classmethod
    def fit(cls, train: FloatArray, truth: FloatArray, components: int) -> Plsr:
        """Fit to standardised spectra ``(n, C)`` and values ``(n,)``."""
        weights, biases = _steps(train, truth, components)
        return cls(weights[:, -1], float(biases[-1]))

    def predict(self, spectra: FloatArray) -> FloatArray:
        """Return values ``(n,)`` for standardised spectra."""
        values: FloatArray = spectra @ self.weight + self.bias
        return values


def best_components(
    train: FloatArray,
    truth: FloatArray,
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> int:
    """Return the number of components with the smallest squared error over the folds."""
    smallest = min([len(train), *(len(a) for a, _ in folds)])
    most = max(1, min(_MOST, smallest - 1, train.shape[1]))
    if not folds:
        return min(most, 5)
    errors = np.zeros(most)
    for fit, held in folds:
        for k, predicted in enumerate(predictions(train[fit], truth[fit], train[held], most)):
            errors[k] += ((predicted - truth[held]) ** 2).sum()
    return int(np.argmin(errors)) + 1


def predictions(
    train: FloatArray, truth: FloatArray, test: FloatArray, components: int
) -> list[FloatArray]:
    """Return predictions ``(m,)`` with 1, 2, ... components: one fit holds all of them."""
    weights, biases = _steps(train, truth, components)
    return list((test @ weights + biases).T)


def _steps(train: FloatArray, truth: FloatArray, components: int) -> tuple[FloatArray, FloatArray]:
    """Return weights ``(C, components)`` and biases with 1, 2, ... components."""
    from sklearn.cross_decomposition import PLSRegression

    if not truth.std() > 0:
        return np.zeros((train.shape[1], components)), np.full(components, truth.mean())
    model = PLSRegression(components, scale=False).fit(train, truth)
    weights: FloatArray = np.cumsum(model.x_rotations_ * model.y_loadings_[0], axis=1)
    return weights, truth.mean() - train.mean(axis=0) @ weights
