"""Principal components from exact, mergeable moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from hyperkd.types import Float32Array, FloatArray


class Moments:
    """Weight, mean and scatter of vectors that come in portions; exact in any order of portions.

    Each portion is centred on its own mean before it is squared, so that a mean
    far from zero costs no digits.
    """

    def __init__(self, dimension: int) -> None:
        self.count = 0.0
        self.mean: FloatArray = np.zeros(dimension)
        self.scatter: FloatArray = np.zeros((dimension, dimension))

    def add(self, vectors: Float32Array, weights: Optional[FloatArray] = None) -> None:
        """Add the columns of ``(dimension, n)``, each weighted by ``weights`` (n,), default 1."""
        values = vectors.astype(np.float64)
        if weights is None:
            weights = np.ones(values.shape[1])
        count = float(weights.sum())
        if count == 0:
            return
        mean = values @ weights / count
        values -= mean[:, None]
        total = self.count + count
        step = mean - self.mean
        self.scatter += (values * weights) @ values.T
        self.scatter += np.outer(step, step) * (self.count * count / total)
        self.mean = self.mean + step * (count / total)
        self.count = total


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """A projection onto the directions of largest variance.

    Attributes:
        matrix: ``(K, D)`` float32, one orthonormal direction per row, by falling variance.
        shift: ``(K,)`` float32, the projection of the mean.
        fraction: ``(K,)`` fraction of the total variance, 0 to 1.
    """

    matrix: Float32Array
    shift: Float32Array
    fraction: FloatArray

    def project(self, tile: Float32Array) -> Float32Array:
        """Map ``(D, row, col)`` to ``(K, row, col)``."""
        values: Float32Array = self.matrix @ tile.reshape(tile.shape[0], -1)
        values -= self.shift[:, None]
        return values.reshape(-1, *tile.shape[1:])


def principal_components(moments: Moments, count: Optional[int] = None) -> PrincipalComponents:
    """Return the ``count`` directions of largest variance, all by default.

    The sign of a direction is free; here its largest element by magnitude is
    positive, so that two runs and two machines agree.
    """
    variances, directions = np.linalg.eigh(moments.scatter)
    order = np.argsort(variances)[::-1][:count]
    rows = directions.T[order]
    largest = np.abs(rows).argmax(axis=1)
    rows *= np.sign(rows[np.arange(len(rows)), largest])[:, None]
    total = variances.clip(0).sum()
    fraction = variances[order].clip(0) / total if total > 0 else np.zeros(len(rows))
    return PrincipalComponents(
        rows.astype(np.float32), (rows @ moments.mean).astype(np.float32), fraction
    )
