"""Classical models beside a model at labelled pixels, and the spectra there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.baselines.classical_models import baselines
from hyperkd.evaluation.reports.label_spectra import (
    Spectra,
    common_bands,
    reflectance_at,
    spectra_by_class,
    spectra_by_value,
)
from hyperkd.evaluation.scores.paired_comparison import (
    Comparison,
    compare_classifications,
    compare_regressions,
)
from hyperkd.evaluation.splits.fingerprint import pixel_hashes
from hyperkd.models.card import ModelCard
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.types import Reporter

# Pixels whose spectra are read; of more a random choice stands for all.
MAX_PIXELS = 20_000


@dataclass(frozen=True, eq=False)
class Learned:
    """What a model learned from.

    Attributes:
        sources: the scenes.
        labels: on these scenes, in the model's classes.
    """

    sources: Sequence[RasterSource]
    labels: Labels


@dataclass(frozen=True, eq=False)
class Contest:
    """What classical models reach, and the spectra they see.

    Attributes:
        comparisons: none without training labels; of a regression one for each target.
        spectra: None where the scenes have different bands.
        notes: what the reader must know.
    """

    comparisons: tuple[Comparison, ...]
    spectra: Optional[Spectra]
    notes: tuple[str, ...]


def contest(
    card: ModelCard,
    sources: Sequence[RasterSource],
    truth: Labels,
    answers: NDArray[np.float32],
    learned: Optional[Learned],
    seed: int,
    report: Reporter,
) -> Contest:
    """Read the spectra of labelled pixels and let classical models predict them.

    Args:
        card: the model's.
        sources: the scenes.
        truth: the labels to predict.
        answers: ``(n, K)`` logits or ``(n, T)`` values of the model for them.
        learned: what the model learned from, or None.
        seed: of the choice of pixels and of the classical models.
        report: where progress goes.

    Raises:
        HyperKDError: what reading raises; ``cancelled``.
    """
    scenes = [*sources, *(learned.sources if learned else ())]
    bands = common_bands([source.bands for source in scenes])
    if bands is None:
        lost = "no spectra" + (" and no classical models" if learned else "")
        return Contest((), None, (f"The scenes have different bands, so there are {lost}.",))
    notes = []
    keep = _some(len(truth), seed)
    report.stage("Reading spectra")
    spectra = _spectra(sources, truth, keep, bands, report)
    values, groups = truth.values[keep], truth.group[keep]
    table = sources[0].bands.take(bands)
    if card.task == "classification":
        shown = spectra_by_class(spectra, values, card.classes, table)
    else:
        shown = spectra_by_value(spectra, values[:, 0], card.targets[0], table)
    comparisons: tuple[Comparison, ...] = ()
    if learned is not None:
        train = np.flatnonzero(~_shared(learned, sources, truth))
        if len(train) < len(learned.labels):
            notes.append(
                f"{len(learned.labels) - len(train)} of the training labels are tested too; the "
                "classical models did not learn from them."
            )
        train = train[_some(len(train), seed)]
        if len(keep) < len(truth):
            notes.append(f"Methods are compared on {len(keep):,} pixels chosen at random.")
        lost = _too_few(card.task, learned.labels.values[train])
        if lost:
            return Contest((), shown, (*notes, f"{lost}, so there are no classical models."))
        comparisons = _compare(
            card,
            spectra,
            values,
            groups,
            answers[keep],
            _spectra(learned.sources, learned.labels, train, bands, report),
            learned.labels.values[train],
            learned.labels.group[train],
            seed,
            report,
        )
    return Contest(comparisons, shown, tuple(notes))


def _compare(
    card: ModelCard,
    spectra: NDArray[np.float32],
    values: NDArray[Any],
    groups: NDArray[np.int64],
    answers: NDArray[np.float32],
    train_spectra: NDArray[np.float32],
    train_values: NDArray[Any],
    train_groups: NDArray[np.int64],
    seed: int,
    report: Reporter,
) -> tuple[Comparison, ...]:
    report.stage("Training classical models")
    found = baselines(card.task, train_spectra, train_values, train_groups, spectra, seed, report)
    settings = {name: model.settings for name, model in found.items()}
    if card.task == "classification":
        predicted = {card.name: answers.argmax(axis=1)}
        predicted.update({name: model.predicted for name, model in found.items()})
        return (
            compare_classifications(
                values, predicted, len(card.classes), groups, seed=seed, settings=settings
            ),
        )
    return tuple(
        compare_regressions(
            values[:, t],
            {card.name: answers[:, t], **{n: model.predicted[:, t] for n, model in found.items()}},
            groups,
            seed=seed,
            settings=settings,
        )
        for t in range(len(card.targets))
    )


def _spectra(
    sources: Sequence[RasterSource],
    labels: Labels,
    keep: NDArray[np.int64],
    bands: NDArray[np.int64],
    report: Reporter,
) -> NDArray[np.float32]:
    """Return reflectance of the labelled pixels ``keep`` of all scenes, ``(len(keep), bands)``."""
    found, first = [], 0
    for source, scene in zip(sources, labels.scenes):
        here = keep[(keep >= first) & (keep < first + len(scene))] - first
        found.append(reflectance_at(source, scene.rows[here], scene.cols[here], bands, report))
        first += len(scene)
    return np.concatenate(found)


def _too_few(task: str, values: NDArray[Any]) -> str:
    """Return why classical models cannot learn from these labels, or an empty string."""
    if len(values) < 2:
        return "Fewer than two training labels are left"
    if task == "classification" and len(np.unique(values)) < 2:
        return "The training labels hold one class only"
    return ""


def _some(count: int, seed: int) -> NDArray[np.int64]:
    """Return all indices, or a random choice in their order."""
    if count <= MAX_PIXELS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MAX_PIXELS, replace=False))


def _shared(learned: Learned, sources: Sequence[RasterSource], truth: Labels) -> NDArray[np.bool_]:
    """Return ``(n,)`` whether each pixel that was learned from is tested too."""
    tested = {
        number
        for source, scene in zip(sources, truth.scenes)
        for number in pixel_hashes(source.grid, scene.rows, scene.cols)
    }
    return np.array(
        [
            number in tested
            for source, scene in zip(learned.sources, learned.labels.scenes)
            for number in pixel_hashes(source.grid, scene.rows, scene.cols)
        ],
        np.bool_,
    )
