"""k-means on a sample of vectors, small and repeatable: the same seed gives the same centres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import FloatArray

# Restarts from other seeds, and the change of the error at which a start has converged.
STARTS = 4
_ITERATIONS = 100
_TOLERANCE = 1e-5
# Vectors whose distances are computed at once: an array of some 10 MB.
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Centres:
    """The centres of clusters.

    Attributes:
        vectors: ``(k, D)`` float64, those of the largest cluster of the sample first.
        error: mean squared distance of the sample to its centres.
        total: mean squared distance of the sample to its mean.
    """

    vectors: FloatArray
    error: float
    total: float

    @property
    def explained(self) -> float:
        """Fraction of the sample's variance that lies between the clusters, 0 to 1."""
        return 1.0 - self.error / self.total if self.total > 0 else 0.0

    def nearest(self, vectors: NDArray[Any]) -> NDArray[np.intp]:
        """Return the index of the nearest centre of each of ``(n, D)``; the first of equals."""
        found = np.empty(len(vectors), np.intp)
        for first in range(0, len(vectors), _BLOCK):
            part = vectors[first : first + _BLOCK]
            found[first : first + len(part)] = _distances(part, self.vectors).argmin(axis=1)
        return found


def k_means(vectors: NDArray[Any], count: int, seed: int) -> Centres:
    """Return the centres of ``count`` clusters: Lloyd's algorithm from k-means++ starts.

    Of several starts the one with the smallest error counts (Arthur and Vassilvitskii 2007,
    "k-means++: the advantages of careful seeding").

    Args:
        vectors: ``(n, D)``, finite, at least ``count`` of them different.
        count: k.

    Raises:
        ValueError: there are fewer different vectors than clusters.
    """
    points = np.asarray(vectors, np.float64)
    if len(np.unique(points, axis=0)) < count:
        raise ValueError(f"{count} clusters need as many different vectors")
    generator = np.random.default_rng(seed)
    results = [_lloyd(points, _starts(points, count, generator)) for _ in range(STARTS)]
    centres, error, sizes = min(results, key=lambda result: result[1])
    order = np.argsort(-sizes, kind="stable")
    total = float(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean())
    return Centres(centres[order], error, total)


def _starts(points: FloatArray, count: int, generator: np.random.Generator) -> FloatArray:
    """Choose each start with a chance that grows with its squared distance to the others."""
    chosen = [int(generator.integers(len(points)))]
    nearest = _distances(points, points[chosen]).min(axis=1)
    while len(chosen) < count:
        chosen.append(int(generator.choice(len(points), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, _distances(points, points[chosen[-1:]])[:, 0])
        nearest[chosen] = 0.0  # rounding must not let a start be chosen twice
    return points[chosen].copy()


def _lloyd(points: FloatArray, centres: FloatArray) -> tuple[FloatArray, float, FloatArray]:
    """Move the centres to the means of their clusters until the error stays."""
    count, before = len(centres), np.inf
    for _ in range(_ITERATIONS):
        distances = _distances(points, centres)
        owner = distances.argmin(axis=1)
        error = float(distances[np.arange(len(points)), owner].mean())
        sizes = np.bincount(owner, minlength=count).astype(np.float64)
        sums = np.zeros_like(centres)
        np.add.at(sums, owner, points)
        filled = sizes > 0
        centres = centres.copy()
        centres[filled] = sums[filled] / sizes[filled, None]
        if not filled.all():
            # A centre that lost all its points starts again at the points farthest from theirs.
            farthest = np.argsort(-distances[np.arange(len(points)), owner])
            centres[~filled] = points[farthest[: int((~filled).sum())]]
        elif before - error <= _TOLERANCE * error:
            break
        before = error
    return centres, error, sizes


def _distances(points: NDArray[Any], centres: FloatArray) -> FloatArray:
    """Return ``(n, k)`` squared distances, never negative."""
    points = np.asarray(points, np.float64)
    squares: FloatArray = (
        (points**2).sum(axis=1)[:, None] - 2.0 * points @ centres.T + (centres**2).sum(axis=1)
    )
    return np.maximum(squares, 0.0, out=squares)
