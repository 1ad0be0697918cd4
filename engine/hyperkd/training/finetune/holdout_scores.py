"""How good a fine-tuned model is: its exported file on pixels that it never saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Optional, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.baselines.classical_models import Fitted, fit_baselines
from hyperkd.evaluation.reports.label_spectra import (
    Spectra,
    common_bands,
    reflectance_at,
    spectra_by_class,
    spectra_by_value,
)
from hyperkd.evaluation.scores.class_accuracy import ClassificationAssessment, assess_classification
from hyperkd.evaluation.scores.paired_comparison import (
    Comparison,
    compare_classifications,
    compare_regressions,
)
from hyperkd.evaluation.scores.regression_error import RegressionAssessment, assess_regression
from hyperkd.evaluation.splits.split_parts import TEST, TRAIN, VALIDATION, Split
from hyperkd.inference.predict import predict_at
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import ModelCard
from hyperkd.raster.labels.marks import plural
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.shared_options import TileOptions
from hyperkd.types import BoolArray, Reporter

MODEL: Final = "HyperKD"
# Pixels whose spectra are read for the classical models; of more a random choice.
_MOST: Final = 40_000
# Below this bootstrapped intervals are too narrow.
_FEW_GROUPS: Final = 15
_KEY_FIGURES: Final = ("overall_accuracy", "macro_f1", "macro_iou", "kappa")


@dataclass(frozen=True, eq=False)
class Round:
    """A split, and the model's answers to its test part.

    Attributes:
        split: of all labels.
        answers: ``(n, K)`` at all labelled pixels, NaN where they are not tested.
        temperature: of the model of this round.
    """

    split: Split
    answers: NDArray[np.float32]
    temperature: float

    @property
    def tested(self) -> BoolArray:
        """Return ``(n,)``: the pixels of the test part."""
        tested: BoolArray = np.concatenate(self.split.parts) == TEST
        return tested

    @property
    def learned(self) -> BoolArray:
        """Return ``(n,)``: the pixels of the train and validation parts."""
        return np.isin(np.concatenate(self.split.parts), (TRAIN, VALIDATION))


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the test pixels of all rounds say.

    Attributes:
        assessment: of the model.
        comparisons: with classical models, of a regression one for each target.
        spectra: of the labelled pixels; None where the scenes have different bands.
        notes: what the reader must know.
        fitted: the classical models of the last round, by their names.
    """

    assessment: Union[ClassificationAssessment, RegressionAssessment]
    comparisons: tuple[Comparison, ...]
    spectra: Optional[Spectra]
    notes: tuple[str, ...]
    fitted: Mapping[str, Fitted] = field(default_factory=dict)

    def metrics(self, protocol: str) -> dict[str, Any]:
        """Return the figures for the card, with what they are."""
        told = self.assessment.to_json()
        found: dict[str, Any] = {"protocol": protocol, "pixels": told["pixels"]}
        if isinstance(self.assessment, ClassificationAssessment):
            found.update({name: told["overall"][name] for name in _KEY_FIGURES})
        else:
            found["targets"] = {item["name"]: item for item in told["targets"]}
        if self.comparisons:
            found["beside"] = [item.to_json() for item in self.comparisons]
        return {"test": _short(found)}


def answer_tests(
    model: Path,
    sources: Sequence[RasterSource],
    labels: Labels,
    split: Split,
    temperature: float,
    report: Reporter,
) -> Round:
    """Let an exported model answer the test part, exactly as its map would.

    Raises:
        HyperKDError: as ``predict_at``.
    """
    bundle = open_bundle(model)
    answers = np.full((len(labels), _width(bundle.card)), np.nan, np.float32)
    report.stage("Predicting at the test pixels")
    for scene, rows in _tested(labels, split):
        found = labels.scenes[scene]
        here = rows - _first(labels, scene)
        answers[rows] = predict_at(
            sources[scene],
            bundle,
            (found.rows[here], found.cols[here]),
            options=TileOptions(device="cpu"),
            report=report,
        )
    return Round(split, answers, temperature)


def judge(
    rounds: Sequence[Round],
    card: ModelCard,
    sources: Sequence[RasterSource],
    labels: Labels,
    seed: int,
    report: Reporter,
    *,
    with_baselines: bool,
) -> Judgement:
    """Compare the answers of all rounds with the labels, and with those of classical models.

    Each pixel is tested in one round at most; classical models learn in each round from
    what the model learned from.
    """
    tested = np.any([each.tested for each in rounds], axis=0)
    answers = np.full_like(rounds[0].answers, np.nan)
    for each in rounds:
        # Rounds have their own temperatures; only within one do logits compare.
        answers[each.tested] = each.answers[each.tested] / np.float32(each.temperature)
    truth, groups = labels.values[tested], labels.group[tested]
    notes = _few(len(np.unique(groups)), int(tested.sum())) if len(rounds) == 1 else []
    for note in notes:
        report.log("warning", note)
    assessment: Union[ClassificationAssessment, RegressionAssessment]
    if card.task == "classification":
        single = rounds[0].temperature if len(rounds) == 1 else 1.0
        logits = answers[tested] * np.float32(single)
        assessment = assess_classification(
            truth, logits, card.classes, groups, seed=seed, temperature=single
        )
    else:
        assessment = assess_regression(truth, answers[tested], card.targets, groups, seed=seed)
    bands = common_bands([source.bands for source in sources])
    if bands is None:
        lost = "The scenes have different bands, so there are no spectra and no classical models."
        return Judgement(assessment, (), None, (*notes, lost))
    kept = chosen_at_random(len(labels), seed)
    if len(kept) < len(labels):
        notes.append(f"Classical models learn from and answer {len(kept):,} random pixels.")
    report.stage("Reading spectra")
    spectra = spectra_at(sources, labels, kept, bands, report)
    table = sources[0].bands.take(bands)
    if card.task == "classification":
        shown = spectra_by_class(spectra, labels.values[kept], card.classes, table)
    else:
        shown = spectra_by_value(spectra, labels.values[kept][:, 0], card.targets[0], table)
    comparisons: tuple[Comparison, ...] = ()
    fitted: Mapping[str, Fitted] = {}
    if with_baselines:
        report.stage("Training classical models")
        comparisons, fitted = _compare(rounds, answers, labels, kept, spectra, card, seed, report)
    return Judgement(assessment, comparisons, shown, tuple(notes), fitted)


def _few(groups: int, pixels: int) -> list[str]:
    """Return a note where the test part is small."""
    if groups >= _FEW_GROUPS:
        return []
    return [
        f"Only {plural(pixels, 'pixel')} from {plural(groups, 'place')} "
        f"{'tests' if pixels == 1 else 'test'} the model. For firmer figures use cross-validation."
    ]


def _compare(
    rounds: Sequence[Round],
    answers: NDArray[np.float32],
    labels: Labels,
    kept: NDArray[np.int64],
    spectra: NDArray[np.float32],
    card: ModelCard,
    seed: int,
    report: Reporter,
) -> tuple[tuple[Comparison, ...], Mapping[str, Fitted]]:
    """Let classical models learn and answer in each round; compare all answers at once.

    Returns:
        The comparisons, and the models of the last round.
    """
    values, groups = labels.values[kept], labels.group[kept]
    predicted: dict[str, NDArray[Any]] = {}
    settings: dict[str, Mapping[str, Any]] = {}
    tested = np.zeros(len(kept), np.bool_)
    found: Mapping[str, Fitted] = {}
    for number, each in enumerate(rounds):
        report.check_cancelled()
        learn, test = each.learned[kept], each.tested[kept]
        tested |= test
        found = fit_baselines(
            card.task, spectra[learn], values[learn], groups[learn], seed, report, decisions=True
        )
        for name, model in found.items():
            whole = predicted.setdefault(name, np.zeros_like(values))
            whole[test] = model.predict(spectra[test])
            settings.setdefault(name, model.settings)
        report.progress(number + 1, len(rounds), "rounds")
    if card.task == "classification":
        by_method = {MODEL: answers[kept][tested].argmax(1)}
        by_method.update({name: whole[tested] for name, whole in predicted.items()})
        compared = compare_classifications(
            values[tested],
            by_method,
            len(card.classes),
            groups[tested],
            seed=seed,
            settings=settings,
        )
        return (compared,), found
    by_target = tuple(
        compare_regressions(
            values[tested, t],
            {
                MODEL: answers[kept][tested, t],
                **{name: whole[tested, t] for name, whole in predicted.items()},
            },
            groups[tested],
            seed=seed,
            settings=settings,
        )
        for t in range(len(card.targets))
    )
    return by_target, found


def _width(card: ModelCard) -> int:
    return len(card.classes) + len(card.targets)


def _first(labels: Labels, scene: int) -> int:
    return sum(len(each) for each in labels.scenes[:scene])


def _tested(labels: Labels, split: Split) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each scene with test pixels, and which of all labelled pixels these are."""
    for scene, part in enumerate(split.parts):
        rows = np.flatnonzero(part == TEST)
        if rows.size:
            yield scene, rows + _first(labels, scene)


def chosen_at_random(count: int, seed: int) -> NDArray[np.int64]:
    """Return all indices, or as many as spectra are read for."""
    if count <= _MOST:
        return np.arange(count)
    return np.sort(np.random.default_rng((seed, 0x5E)).choice(count, _MOST, replace=False))


def spectra_at(
    sources: Sequence[RasterSource],
    labels: Labels,
    kept: NDArray[np.int64],
    bands: NDArray[np.int64],
    report: Reporter,
) -> NDArray[np.float32]:
    """Return reflectance at the labelled pixels ``kept``, ``(len(kept), bands)``."""
    found = []
    for number, (source, scene) in enumerate(zip(sources, labels.scenes)):
        first = _first(labels, number)
        here = kept[(kept >= first) & (kept < first + len(scene))] - first
        found.append(reflectance_at(source, scene.rows[here], scene.cols[here], bands, report))
    return np.concatenate(found)


def _short(value: Any) -> Any:
    """Return figures with six significant digits: a card is read by people."""
    if isinstance(value, Mapping):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
