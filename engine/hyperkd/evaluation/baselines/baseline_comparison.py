"""The comparison of a model with classical models, and the spectra that these learn from.

``finetune`` and ``evaluate`` share it: for the same training and test labels, with the same
seed, both report the same scores of the classical models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.baselines.classical_models import METHODS, FittedBaseline, fit_baselines
from hyperkd.evaluation.reports.label_spectra import (
    MeanSpectra,
    common_bands,
    labelled_reflectance,
    mean_spectra,
)
from hyperkd.evaluation.scores.model_scores import compare_methods
from hyperkd.evaluation.scores.paired_comparison import Comparison
from hyperkd.models.card import ModelCard
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.types import Ints, Reporter

# Pixels of one kind (to train on, to test, to show) whose spectra are read; of more a random
# sample stands for all.
MAX_PIXELS: Final = 20_000


@dataclass(frozen=True, eq=False)
class BaselineFold:
    """Labelled pixels that classical models are trained on, and pixels that they are tested on.

    Attributes:
        train, test: indices into the labelled pixels of all scenes.
    """

    train: Ints
    test: Ints


@dataclass(frozen=True, eq=False)
class BaselineComparison:
    """How a model compares with classical models, and the spectra of labelled pixels.

    Attributes:
        comparisons: of a regression one for each target; none where there are no folds.
        spectra: None where the scenes have different bands.
        notes: for the reader of the report.
        fitted: the classical models of the last fold, by their names.
    """

    comparisons: tuple[Comparison, ...]
    spectra: Optional[MeanSpectra]
    notes: tuple[str, ...]
    fitted: Mapping[str, FittedBaseline] = field(default_factory=dict)


def compare_with_baselines(
    card: ModelCard,
    sources: Sequence[RasterSource],
    labels: Labels,
    predicted: NDArray[Any],
    folds: Sequence[BaselineFold],
    shown: Ints,
    seed: int,
    report: Reporter,
    *,
    decisions: bool = False,
) -> BaselineComparison:
    """Train classical models on the spectra of labelled pixels, and compare their predictions.

    Args:
        sources, labels: the scenes and all their labels, in the model's classes or targets; n
            pixels.
        predicted: ``(n,)`` class indices or ``(n, T)`` values of the model; only those of
            tested pixels count.
        folds: each pixel is tested in one of them at most; empty for the spectra alone.
        shown: indices of the pixels whose mean spectra are reported.
        seed: of the samples, the classical models and the intervals.
        decisions: see ``fit_baselines``.

    Raises:
        HyperKDError: what reading raises; ``cancelled``.
    """
    bands = common_bands([source.bands for source in sources])
    if bands is None:
        lost = "no spectra" + (" and no classical models" if folds else "")
        note = f"The scenes have different bands, so there are {lost}."
        return BaselineComparison((), None, (note,))
    shown, used = sampled(shown, seed), _sampled_folds(folds, seed)
    test = np.sort(np.concatenate([shown[:0], *(fold.test for fold in used)]))
    pixels = np.unique(np.concatenate([shown, test, *(fold.train for fold in used)]))
    report.stage("Reading spectra")
    spectra = labelled_reflectance(sources, labels, pixels, bands, report)

    def spectra_of(some: Ints) -> NDArray[np.float32]:
        return spectra[np.searchsorted(pixels, some)]

    values = labels.values
    table = sources[0].bands.take(bands)
    mean = mean_spectra(spectra_of(shown), values[shown], card, table)
    if not folds:
        return BaselineComparison((), mean, ())
    lost = next(filter(None, (_too_few(card.task, values[fold.train]) for fold in used)), "")
    if lost:
        return BaselineComparison((), mean, (f"{lost}, so there are no classical models.",))
    report.stage("Training classical models")
    fitted, methods = _fit_and_predict(
        card, labels, spectra_of, used, test, seed, report, decisions
    )
    # A model may be called like a baseline.
    model_name = card.name + (" (this model)" if card.name in METHODS[card.task] else "")
    methods = {model_name: predicted[test], **methods}
    settings = {name: model.settings for name, model in fitted[0].items()}
    comparisons = compare_methods(card, values[test], methods, labels.group[test], settings, seed)
    return BaselineComparison(comparisons, mean, _sample_notes(folds, used), fitted[-1])


def _sampled_folds(folds: Sequence[BaselineFold], seed: int) -> list[BaselineFold]:
    """Return folds of at most ``MAX_PIXELS`` training pixels each, and as many test pixels."""
    if not folds:
        return []
    test = sampled(np.sort(np.concatenate([fold.test for fold in folds])), seed)
    return [
        BaselineFold(sampled(fold.train, seed), test[np.isin(test, fold.test)]) for fold in folds
    ]


def _sample_notes(folds: Sequence[BaselineFold], used: Sequence[BaselineFold]) -> tuple[str, ...]:
    """Return the note on how many pixels stand for all, where a sample does."""
    pairs = [(before, after) for before, after in zip(folds, used)]
    if all(
        len(before.train) == len(after.train) and len(before.test) == len(after.test)
        for before, after in pairs
    ):
        return ()
    count = len(np.unique(np.concatenate([part for f in used for part in (f.train, f.test)])))
    return (f"Classical models are trained and tested on {count:,} random pixels.",)


def _fit_and_predict(
    card: ModelCard,
    labels: Labels,
    spectra_of: Callable[[Ints], NDArray[np.float32]],
    folds: Sequence[BaselineFold],
    test: Ints,
    seed: int,
    report: Reporter,
    decisions: bool,
) -> tuple[list[dict[str, FittedBaseline]], dict[str, NDArray[Any]]]:
    """Return the models of each fold, and by method the predictions at the pixels ``test``."""
    values, groups = labels.values, labels.group
    fitted: list[dict[str, FittedBaseline]] = []
    predicted: dict[str, NDArray[Any]] = {}
    for number, fold in enumerate(folds):
        report.check_cancelled()
        rows = fold.train
        models = fit_baselines(
            card.task, spectra_of(rows), values[rows], groups[rows], seed, report,
            decisions=decisions,
        )  # fmt: skip
        for name, model in models.items():
            column = predicted.setdefault(name, np.zeros_like(values[test]))
            column[np.searchsorted(test, fold.test)] = model.predict(spectra_of(fold.test))
        fitted.append(models)
        report.progress(number + 1, len(folds), "folds")
    return fitted, predicted


def sampled(pixels: Ints, seed: int) -> Ints:
    """Return the pixels, or of more than ``MAX_PIXELS`` a random sample in their order."""
    if len(pixels) <= MAX_PIXELS:
        return pixels
    kept = np.random.default_rng(seed).choice(len(pixels), MAX_PIXELS, replace=False)
    return pixels[np.sort(kept)]


def _too_few(task: str, values: NDArray[Any]) -> str:
    """Return why classical models cannot be trained on these labels, or an empty string."""
    if len(values) < 2:
        return "Fewer than two training labels are left"
    if task == "classification" and len(np.unique(values)) < 2:
        return "The training labels have one class only"
    return ""
