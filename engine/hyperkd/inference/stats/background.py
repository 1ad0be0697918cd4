"""Mean and covariance of the spectra of a scene, pixel by pixel in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Optional

import numpy as np

from hyperkd.types import BoolArray, FloatArray

# Of each band's variance: keeps the inverse stable against bands that are nearly the same, and
# adds less to the variance than the noise of a sensor with a signal-to-noise ratio of 200.
_LEAST_SHRINKAGE: Final = 1e-5
# With n pixels for p bands the smallest eigenvalues are wrong by about p / n.
_OF_BANDS_PER_PIXEL: Final = 1e-2
MOST_SHRINKAGE: Final = 0.5


@dataclass(frozen=True, eq=False)
class Background:
    """Statistics of the background.

    Attributes:
        count: pixels.
        mean: ``(bands,)`` float64.
        covariance: ``(bands, bands)`` float64, as it was measured.
        shrinkage: how much of the diagonal takes the place of the rest, 0 to 1.
    """

    count: int
    mean: FloatArray
    covariance: FloatArray
    shrinkage: float

    @property
    def regular_covariance(self) -> FloatArray:
        """The covariance shrunk towards its diagonal: (1 - s) C + s diag(C), which is regular."""
        shrunk = (1.0 - self.shrinkage) * self.covariance
        np.fill_diagonal(shrunk, np.diag(self.covariance))
        return shrunk

    @property
    def regular_correlation(self) -> FloatArray:
        """The matrix of second moments E[x x'] with the covariance shrunk, for CEM."""
        return self.regular_covariance + np.outer(self.mean, self.mean)

    def take(self, bands: BoolArray) -> Background:
        """Return the statistics of some of the bands."""
        return Background(
            self.count, self.mean[bands], self.covariance[np.ix_(bands, bands)], self.shrinkage
        )


class BackgroundSums:
    """Adds up pixels; a provisional mean keeps the sums of squares exact."""

    def __init__(self, bands: int) -> None:
        self.count = 0
        self._shift: Optional[FloatArray] = None
        self._first: FloatArray = np.zeros(bands)
        self._second: FloatArray = np.zeros((bands, bands))

    def add(self, pixels: FloatArray) -> None:
        """Add ``(n, bands)`` float64 spectra."""
        if not len(pixels):
            return
        if self._shift is None:
            self._shift = pixels.mean(axis=0)
        moved = pixels - self._shift
        self.count += len(moved)
        self._first += moved.sum(axis=0)
        self._second += moved.T @ moved

    def background(self) -> Background:
        """Return the statistics of at least two pixels."""
        if self._shift is None or self.count < 2:
            raise ValueError(f"{self.count} pixels have no covariance")
        offset = self._first / self.count
        covariance = self._second - self.count * np.outer(offset, offset)
        covariance /= self.count - 1
        return Background(
            self.count,
            self._shift + offset,
            (covariance + covariance.T) / 2,
            shrinkage_of(self.count, len(offset)),
        )


def shrinkage_of(pixels: int, bands: int) -> float:
    """Return how far a covariance of so many pixels is shrunk towards its diagonal."""
    return min(MOST_SHRINKAGE, _LEAST_SHRINKAGE + _OF_BANDS_PER_PIXEL * bands / pixels)
