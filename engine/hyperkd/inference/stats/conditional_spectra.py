"""What a spectrum most likely holds in bands that it lacks: a normal distribution, conditioned.

Of a normal distribution with mean m and precision P (the inverse of the covariance), the values
at missing bands M of a spectrum x that has the others are expected at

    m_M - inverse(P_MM) @ (P (x - m))_M,    with x = m at the missing bands.

That is the best linear prediction from all other bands at once (Rao 1973, "Linear statistical
inference and its applications", 8a.2). It takes one product with P for all spectra, and systems
as small as the number of bands that each one lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hyperkd.spectral.missing_bands import bridged
from hyperkd.types import BoolArray, FloatArray, Ints

# Rounds of the expectation maximisation that learns from spectra which lack bands.
_ROUNDS: Final = 8
_CHANGE: Final = 1e-3
# From so many spectra on that lack the same bands their system is solved once.
_SHARED: Final = 16
_BATCH_VALUES: Final = 2**20
_LEAST_DEVIATION: Final = 1e-9


@dataclass(frozen=True, eq=False)
class ConditionalSpectra:
    """A normal distribution of spectra.

    Attributes:
        mean: ``(C,)``.
        precision: ``(C, C)``, the inverse of the covariance.
    """

    mean: FloatArray
    precision: FloatArray

    @classmethod
    def fit(
        cls, spectra: FloatArray, present: BoolArray, centre_nm: FloatArray, ridge: float
    ) -> ConditionalSpectra:
        """Return the distribution of spectra, some of which lack bands; see ``fit_ridges``."""
        return cls.fit_ridges(spectra, present, centre_nm, ridge, (ridge,))[0]

    @classmethod
    def fit_ridges(
        cls,
        spectra: FloatArray,
        present: BoolArray,
        centre_nm: FloatArray,
        ridge: float,
        ridges: Sequence[float],
    ) -> list[ConditionalSpectra]:
        """Return the distribution of spectra, some of which lack bands, with several floors.

        By expectation maximisation (Dempster, Laird and Rubin 1977): missing values are on a
        line between their neighbours at first, then what the distribution expects, which
        counts with the variance that is left.

        Args:
            spectra, present: ``(n, C)`` values, and which of them count; each spectrum has some.
            centre_nm: ``(C,)``.
            ridge: variance that is added to each band while missing values are sought,
                relative to the band's own: a floor of noise.
            ridges: that of each distribution to return.
        """
        filled = bridged(spectra, present, centre_nm)
        missing = ~present
        uncertain = np.zeros((spectra.shape[1],) * 2)
        for _ in range(_ROUNDS if missing.any() else 0):
            found = cls._of(filled, uncertain, ridge)
            before = filled[missing]
            filled = found.filled(spectra, present)
            uncertain = _remaining(found.precision, missing)
            after = filled[missing]
            if np.square(after - before).sum() <= _CHANGE**2 * np.square(after).sum():
                break
        return [cls._of(filled, uncertain, each) for each in ridges]

    @classmethod
    def _of(cls, spectra: FloatArray, uncertain: FloatArray, ridge: float) -> ConditionalSpectra:
        mean = spectra.mean(axis=0)
        centred = spectra - mean
        covariance = (centred.T @ centred + uncertain) / len(spectra)
        # Of correlations, so that bright and dark bands get the same floor.
        deviation = np.maximum(np.sqrt(covariance.diagonal()), _LEAST_DEVIATION)
        correlation = covariance / np.outer(deviation, deviation)
        correlation[np.diag_indices_from(correlation)] += ridge
        return cls(mean, np.linalg.inv(correlation) / np.outer(deviation, deviation))

    def filled(self, spectra: FloatArray, present: BoolArray) -> FloatArray:
        """Return spectra with the expected values in the bands that they lack.

        Args:
            spectra, present: ``(n, C)`` values, and which of them count; others may be NaN.
        """
        differences = np.where(present, spectra - self.mean, 0.0)
        missing = ~present
        step = _solved(self.precision, missing, differences @ self.precision)
        return np.where(present, spectra, self.mean - step)

    def innovations(self, spectra: FloatArray) -> FloatArray:
        """Return ``P (x - m)``, ``(n, C)``: what each band adds to what the others tell.

        Divided by the diagonal of the precision it is the difference between a value and
        what all other bands predict.
        """
        return np.asarray((spectra - self.mean) @ self.precision)

    def surprise(self, missing: BoolArray, innovations: FloatArray) -> FloatArray:
        """Return how far missing values lie from what is expected if their innovations are known.

        Args:
            missing, innovations: ``(n, C)``.

        Returns:
            ``(n, C)``, 0 where nothing is missing.
        """
        return _solved(self.precision, missing, innovations)


def _solved(precision: FloatArray, missing: BoolArray, right: FloatArray) -> FloatArray:
    """Return the solution of ``P_MM y = right_M`` of each spectrum, 0 at the other bands."""
    solution = np.zeros_like(right)
    for rows, bands in _same_size(missing):
        patterns, which = np.unique(bands, axis=0, return_inverse=True)
        which = which.ravel()
        often = np.bincount(which) >= _SHARED
        for number in np.flatnonzero(often):
            of_it, pattern = rows[which == number], patterns[number]
            block = precision[np.ix_(pattern, pattern)]
            solution[np.ix_(of_it, pattern)] = np.linalg.solve(
                block, right[np.ix_(of_it, pattern)].T
            ).T
        single = ~often[which]
        for some, own in _batches(rows[single], bands[single]):
            blocks = precision[own[:, :, None], own[:, None, :]]
            values = right[some[:, None], own]
            solution[some[:, None], own] = np.linalg.solve(blocks, values[..., None])[..., 0]
    return solution


def _remaining(precision: FloatArray, missing: BoolArray) -> FloatArray:
    """Return the sum of the covariances that missing values keep, ``(C, C)``."""
    total = np.zeros_like(precision)
    for rows, bands in _same_size(missing):
        patterns, counts = np.unique(bands, axis=0, return_counts=True)
        del rows
        for own, times in _batches(patterns, counts):
            blocks = np.linalg.inv(precision[own[:, :, None], own[:, None, :]])
            places = (own[:, :, None], own[:, None, :])
            np.add.at(total, places, blocks * times[:, None, None])
    return total


def _same_size(missing: BoolArray) -> Iterator[tuple[Ints, Ints]]:
    """Yield rows that lack as many bands, ``(k,)``, and which bands, ``(k, m)``."""
    counts = missing.sum(axis=1)
    for size in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == size)
        yield rows, np.nonzero(missing[rows])[1].reshape(len(rows), int(size))


def _batches(first: Ints, second: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield parts of two lists whose systems together are small; one of them is the bands."""
    size = max(first.shape[1] if first.ndim == 2 else 1, second.shape[1] if second.ndim == 2 else 1)
    step = max(1, _BATCH_VALUES // (size * size))
    for start in range(0, len(first), step):
        yield first[start : start + step], second[start : start + step]
