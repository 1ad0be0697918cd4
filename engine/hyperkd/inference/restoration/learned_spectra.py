"""What the spectra of a scene teach about the bands that some of them lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Optional

import numpy as np

from hyperkd.inference.restoration.survey import SpectrumPairs
from hyperkd.inference.stats.conditional_spectra import ConditionalSpectra
from hyperkd.spectral.missing_bands import bridged
from hyperkd.types import BoolArray, FloatArray, Ints

# A band must be known in this share of the spectra to be learned, and so many must be known.
_LEAST_KNOWN: Final = 0.05
_FEWEST_SPECTRA: Final = 30
# Floors of noise that are tried, as fractions of each band's variance.
_RIDGES: Final = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
# What the error on hidden values is measured with.
_MOST_TRAINING: Final = 4000
_MOST_HIDDEN: Final = 2000
_PARTS: Final = 8
_LARGEST_CORRELATION: Final = 0.95
_TRIMS, _KEPT = 3, 0.75
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, eq=False)
class LearnedSpectra:
    """What predicts missing values, and how well.

    Attributes:
        learned: ``(C,)`` measured bands that are known often enough.
        centre_nm: ``(L,)`` of the learned bands.
        model: the distribution of the learned bands, or None where a line between the
            neighbouring bands does better, or too few spectra are known.
        correlation: ``(L,)`` of what the other bands leave unexplained, between neighbouring
            pixels, 0 to 0.95.
        deviation: ``(L,)`` how much of a value the other bands leave unexplained, robust.
        hidden: how many known values were hidden to measure the errors; 0: none.
        error: root mean square error of the model on them, in reflectance; NaN: none.
        line_error: that of the line.
    """

    learned: BoolArray
    centre_nm: FloatArray
    model: Optional[ConditionalSpectra]
    correlation: FloatArray
    deviation: FloatArray
    hidden: int
    error: float
    line_error: float

    def filled(self, spectra: FloatArray, present: BoolArray) -> FloatArray:
        """Return spectra of the learned bands, ``(n, L)``, without gaps."""
        if self.model is None:
            return bridged(spectra, present, self.centre_nm)
        return self.model.filled(spectra, present)


def learn(
    pairs: SpectrumPairs, patterns: BoolArray, centre_nm: FloatArray, *, trim: bool = False
) -> LearnedSpectra:
    """Learn from sampled spectra.

    Args:
        pairs: pixels and their right neighbours.
        patterns: ``(k, C)`` what damaged pixels lack.
        centre_nm: ``(C,)``.
        trim: whether the spectra that fit worst are left out, as what spoiled them would be
            taken for something that the scene holds.
    """
    known = pairs.present.sum(axis=(0, 1))
    spectra_count = int(pairs.present.any(axis=2).sum())
    learned = known >= max(1.0, _LEAST_KNOWN * spectra_count)
    centre_nm = centre_nm[learned]
    spectra, present = pairs.spectra[:, :, learned], pairs.present[:, :, learned]
    model: Optional[ConditionalSpectra] = None
    correlation = deviation = np.zeros(centre_nm.size)
    hidden, error, line_error = 0, np.nan, np.nan
    trial = _Trial.of(spectra, present, patterns[:, learned], centre_nm)
    if trial is not None:
        hidden, line_error = trial.hidden_count, trial.error_of_line()
        ridge, error = trial.best_ridge()
        if error < line_error:
            every = _spectra_of(spectra, present)
            model = ConditionalSpectra.fit(*every, centre_nm, ridge)
            for _ in range(_TRIMS if trim else 0):
                model = _trimmed(model, *every, centre_nm, ridge)
            correlation, deviation = _unexplained(model, spectra, present)
    return LearnedSpectra(
        *(learned, centre_nm, model, correlation, deviation, hidden, error, line_error)
    )


@dataclass(frozen=True, eq=False)
class _Trial:
    """Known values of some spectra are hidden, and predicted by what others teach.

    Attributes:
        training, training_present: ``(n, L)``.
        spectra, present: ``(k, L)`` other spectra, and which of their values are shown.
        hidden: ``(k, L)`` which are hidden.
    """

    training: FloatArray
    training_present: BoolArray
    spectra: FloatArray
    present: BoolArray
    hidden: BoolArray
    centre_nm: FloatArray

    @classmethod
    def of(
        cls, spectra: FloatArray, present: BoolArray, patterns: BoolArray, centre_nm: FloatArray
    ) -> Optional[_Trial]:
        """Return the trial, or None where too few spectra are known.

        The parts are every other eighth of the scene's rows, so that most neighbours of a
        hidden value are hidden from the training too.
        """
        count = spectra.shape[1]
        odd = (np.arange(count) * _PARTS // max(1, count)) % 2 == 1
        training, training_present = _spectra_of(spectra[:, ~odd], present[:, ~odd])
        tested, shown = _spectra_of(spectra[:, odd], present[:, odd])
        training_step = -(-len(training) // _MOST_TRAINING) or 1
        training, training_present = training[::training_step], training_present[::training_step]
        step = -(-len(tested) // _MOST_HIDDEN) or 1
        tested, shown = tested[::step], shown[::step]
        patterns = patterns[patterns.any(axis=1) & ~patterns.all(axis=1)]
        if len(training) < _FEWEST_SPECTRA or not len(tested) or not len(patterns):
            return None
        if not training_present.any(axis=0).all():
            return None
        hidden = patterns[np.arange(len(tested)) % len(patterns)] & shown
        shown = shown & ~hidden
        usable = hidden.any(axis=1) & shown.any(axis=1)
        if not usable.any():
            return None
        parts = (tested[usable], shown[usable], hidden[usable])
        return cls(training, training_present, *parts, centre_nm)

    @property
    def hidden_count(self) -> int:
        """How many values are hidden."""
        return int(self.hidden.sum())

    def best_ridge(self) -> tuple[float, float]:
        """Return the floor of noise with the least error, and this error."""
        models = ConditionalSpectra.fit_ridges(
            *(self.training, self.training_present, self.centre_nm),
            _RIDGES[len(_RIDGES) // 2],
            _RIDGES,
        )
        errors = [
            (self._error(model.filled(self.spectra, self.present)), ridge)
            for model, ridge in zip(models, _RIDGES)
        ]
        error, ridge = min(errors)
        return ridge, error

    def error_of_line(self) -> float:
        """Return the error of a line between the neighbouring bands."""
        return self._error(bridged(self.spectra, self.present, self.centre_nm))

    def _error(self, filled: FloatArray) -> float:
        return float(np.sqrt(np.square((filled - self.spectra)[self.hidden]).mean()))


def _spectra_of(spectra: FloatArray, present: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return pixels and neighbours as one list, without those that hold nothing."""
    usable = present.any(axis=2)
    return spectra[usable], present[usable]


def _trimmed(
    model: ConditionalSpectra,
    spectra: FloatArray,
    present: BoolArray,
    centre_nm: FloatArray,
    ridge: float,
) -> ConditionalSpectra:
    """Return the distribution of the spectra that a distribution fits best.

    A concentration step of the minimum covariance determinant (Rousseeuw and Van Driessen
    1999): those with the least Mahalanobis distances.
    """
    filled = model.filled(spectra, present)
    distance = ((filled - model.mean) * model.innovations(filled)).sum(axis=1)
    near = distance <= np.quantile(distance, _KEPT)
    return ConditionalSpectra.fit(spectra[near], present[near], centre_nm, ridge)


def _unexplained(
    model: ConditionalSpectra, spectra: FloatArray, present: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return correlation with the neighbour and deviation of what other bands do not explain."""
    both = present.any(axis=2).all(axis=0)
    differences = np.stack(
        [
            model.innovations(model.filled(values, flags)) / model.precision.diagonal()
            for values, flags in zip(spectra[:, both], present[:, both])
        ]
    )
    spread = np.where(present[:, both], np.abs(differences), np.nan).reshape(-1, len(model.mean))
    known = np.isfinite(spread).any(axis=0)
    deviation = np.zeros(len(model.mean))
    deviation[known] = _MAD_TO_SIGMA * np.nanmedian(spread[:, known], axis=0)
    flags = present[:, both].all(axis=0)
    first, second = np.where(flags, differences, 0.0).clip(-3 * deviation, 3 * deviation)
    size = np.sqrt(np.square(first).sum(axis=0) * np.square(second).sum(axis=0))
    correlation = (first * second).sum(axis=0) / np.maximum(size, np.finfo(float).tiny)
    # Less two standard errors of nothing, so that chance is no reason to look aside.
    correlation -= 2.0 / np.sqrt(np.maximum(flags.sum(axis=0), 1))
    return correlation.clip(0.0, _LARGEST_CORRELATION), deviation


def weight_of(correlation: FloatArray, neighbours: Ints) -> FloatArray:
    """Return the weight of the mean over neighbours that are all correlated alike.

    The regression of a value on the mean of k values, all of one variance and correlated by c
    with it and with each other: k c / (1 + (k - 1) c).
    """
    return np.asarray(neighbours * correlation / (1.0 + (neighbours - 1.0) * correlation))
