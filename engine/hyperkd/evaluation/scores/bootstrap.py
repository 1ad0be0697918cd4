"""Intervals by resampling whole groups: pixels of one polygon are no independent evidence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import FloatArray

LEVEL = 0.95
REPLICATES = 1000
# Below this many groups an interval of resampled groups is far too narrow, so there is none.
MIN_GROUPS = 5
# Numbers in a block of resampling weights: 32 MB of float64.
_BLOCK = 4_000_000


class GroupBootstrap:
    """Resamples groups with replacement; the same seed gives the same resamples every time.

    Two methods that are resampled by one object are therefore compared pair by pair.

    Args:
        groups: ``(n,)`` integers, the group of each pixel.
        replicates: number of resamples.
    """

    def __init__(self, groups: NDArray[np.int64], seed: int, replicates: int = REPLICATES) -> None:
        names, self.index = np.unique(groups, return_inverse=True)
        self.count = len(names)
        self.seed = seed
        self.replicates = replicates

    @property
    def possible(self) -> bool:
        """Whether there are enough groups for an interval."""
        return self.count >= MIN_GROUPS

    def weights(self) -> Iterator[NDArray[np.int64]]:
        """Yield blocks ``(replicates, groups)`` of how often each group was drawn."""
        generator = np.random.default_rng(self.seed)
        rows = max(1, _BLOCK // self.count)
        for start in range(0, self.replicates, rows):
            size = min(rows, self.replicates - start)
            drawn = generator.integers(0, self.count, (size, self.count))
            drawn += np.arange(size)[:, None] * self.count
            counts = np.bincount(drawn.ravel(), minlength=size * self.count)
            yield counts.reshape(size, self.count)

    def totals(self, values: NDArray[np.float64]) -> FloatArray:
        """Return the sum of ``values`` (n, m) over the pixels of each group, ``(groups, m)``."""
        return np.stack(
            [
                np.bincount(self.index, weights=column, minlength=self.count)
                for column in np.asarray(values, np.float64).T
            ],
            axis=1,
        )

    def resampled(self, totals: FloatArray) -> FloatArray:
        """Return the sum over resampled groups ``(replicates, m)`` of ``totals`` (groups, m)."""
        return np.concatenate([block.astype(np.float64) @ totals for block in self.weights()])


def interval(replicates: FloatArray) -> FloatArray:
    """Return the 2.5th and 97.5th percentile over the first axis, stacked on a new last axis.

    Replicates in which a figure is undefined (NaN) do not count; where all are, both are NaN.
    """
    tail = 50 * (1 - LEVEL)
    defined = np.isfinite(replicates).any(axis=0)
    # nanpercentile warns about columns without a number, so these are given one for the time.
    filled = np.where(defined, replicates, 0.0)
    ends = np.nanpercentile(filled, [tail, 100 - tail], axis=0)
    result: FloatArray = np.where(defined[..., None], np.moveaxis(ends, 0, -1), np.nan)
    return result
