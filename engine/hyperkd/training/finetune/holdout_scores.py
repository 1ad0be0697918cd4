"""How good a fine-tuned model is: its exported file on pixels that had no influence on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from hyperkd.evaluation.baselines.baseline_comparison import (
    BaselineComparison,
    BaselineFold,
    compare_with_baselines,
)
from hyperkd.evaluation.scores.class_accuracy import ClassificationAssessment
from hyperkd.evaluation.scores.model_scores import KEY_METRICS, Assessment, assess, predictions
from hyperkd.evaluation.splits.split_parts import TEST, TRAIN, VALIDATION, Split
from hyperkd.evaluation.truth import predict_labels
from hyperkd.models.card import ModelCard
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.requests.shared_options import TileOptions
from hyperkd.sentences import counted
from hyperkd.types import Reporter

# With fewer groups bootstrapped intervals are too narrow.
_FEW_GROUPS: Final = 15


@dataclass(frozen=True, eq=False)
class HoldoutFold:
    """A model and the split whose test part scores it.

    Attributes:
        temperature: of its probabilities.
        split: of all labels.
    """

    model: Path
    temperature: float
    split: Split


@dataclass(frozen=True, eq=False)
class HoldoutScores:
    """Scores on the test pixels of all folds.

    Attributes:
        baselines: the comparison with classical models.
        notes: for the reader of the report.
    """

    assessment: Assessment
    baselines: BaselineComparison
    notes: tuple[str, ...]

    def metrics(self, protocol: str) -> dict[str, Any]:
        """Return the metrics for the card, with how they were measured."""
        scores = self.assessment.to_json()
        metrics: dict[str, Any] = {"protocol": protocol, "pixels": scores["pixels"]}
        if isinstance(self.assessment, ClassificationAssessment):
            metrics.update({name: scores["overall"][name] for name in KEY_METRICS})
        else:
            metrics["targets"] = {item["name"]: item for item in scores["targets"]}
        if self.baselines.comparisons:
            metrics["beside"] = [item.to_json() for item in self.baselines.comparisons]
        return {"test": _short(metrics)}


def score_holdout(
    folds: Sequence[HoldoutFold],
    card: ModelCard,
    sources: Sequence[RasterSource],
    labels: Labels,
    request: FinetuneJob,
    report: Reporter,
) -> HoldoutScores:
    """Predict the test part of each fold as its model's map would, and score the predictions.

    Each pixel is tested in one fold at most; classical models are trained in each fold on the
    pixels of the model.

    Raises:
        HyperKDError: as ``predict_at``; what reading raises; ``cancelled``.
    """
    outputs = np.full((len(labels), len(card.classes) + len(card.targets)), np.nan, np.float32)
    tested, pixels = np.zeros(len(labels), np.bool_), []
    report.stage("Predicting at the test pixels")
    for fold in folds:
        part = np.concatenate(fold.split.parts)
        test, options = part == TEST, TileOptions(device="cpu")
        found = predict_labels(sources, fold.model, labels, options, report, test)
        # Folds have their own temperatures; only within one do logits compare.
        outputs[test] = found / np.float32(fold.temperature)
        tested |= test
        train = np.flatnonzero(np.isin(part, (TRAIN, VALIDATION)))
        pixels.append(BaselineFold(train, np.flatnonzero(test)))
    values, groups = labels.values[tested], labels.group[tested]
    notes = _few(len(np.unique(groups)), int(tested.sum())) if len(folds) == 1 else []
    for note in notes:
        report.log("warning", note)
    temperature = folds[0].temperature if len(folds) == 1 else 1.0
    assessment = assess(
        card, values, outputs[tested] * np.float32(temperature), groups, request.seed, temperature
    )
    baselines = compare_with_baselines(
        card,
        sources,
        labels,
        predictions(card, outputs),
        pixels if request.baselines else (),
        np.arange(len(labels)),
        request.seed,
        report,
        decisions=request.save_baselines,
    )
    return HoldoutScores(assessment, baselines, (*notes, *baselines.notes))


def _few(groups: int, pixels: int) -> list[str]:
    """Return a note where the test part is small."""
    if groups >= _FEW_GROUPS:
        return []
    return [
        f"Only {counted(pixels, 'pixel')} from {counted(groups, 'place')} "
        f"{'tests' if pixels == 1 else 'test'} the model. "
        "For more reliable scores use cross-validation."
    ]


def _short(value: Any) -> Any:
    """Return numbers with six significant digits: a card is read by people."""
    if isinstance(value, Mapping):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
