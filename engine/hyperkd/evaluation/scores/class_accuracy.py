"""How good a class map is where the truth is known: confusion matrix and what follows from it.

Rows of a confusion matrix are the map, columns the reference, as in Olofsson et al. (2014).
A figure without a denominator (a class that is absent) is NaN and never counted as 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.scores.bootstrap import (
    LEVEL,
    MIN_GROUPS,
    REPLICATES,
    GroupBootstrap,
    interval,
)
from hyperkd.evaluation.scores.calibration import ProbabilityCalibration, calibrate
from hyperkd.evaluation.scores.json_numbers import metric
from hyperkd.types import FloatArray

OVERALL = (
    "overall_accuracy",
    "average_accuracy",
    "kappa",
    "macro_f1",
    "weighted_f1",
    "macro_iou",
    "weighted_iou",
    "micro_iou",
)
PER_CLASS = ("producers_accuracy", "users_accuracy", "f1", "iou")


@dataclass(frozen=True, eq=False)
class Scores:
    """What a confusion matrix, or a stack of them ``(..., K, K)``, says.

    Attributes:
        overall_accuracy: ``(...)`` fraction of correct pixels; it is micro F1 as well.
        average_accuracy: mean producer's accuracy of the classes that the reference holds
            (balanced accuracy, mean recall).
        kappa: Cohen's kappa.
        macro_f1, macro_iou: plain mean over the classes that the reference holds. A class
            that the map alone holds lowers the accuracy of the others, and with scikit-learn's
            default it would count as 0 however small: name the labels there to compare.
        weighted_f1, weighted_iou: mean over classes, weighted by their reference pixels.
        micro_iou: all classes' pixels pooled, OA / (2 - OA): not the mean IoU of classes.
        producers_accuracy: ``(..., K)`` right share of a class's reference pixels (recall).
        users_accuracy: ``(..., K)`` right share of a class's mapped pixels (precision).
        f1, iou: ``(..., K)``.
    """

    overall_accuracy: FloatArray
    average_accuracy: FloatArray
    kappa: FloatArray
    macro_f1: FloatArray
    weighted_f1: FloatArray
    macro_iou: FloatArray
    weighted_iou: FloatArray
    micro_iou: FloatArray
    producers_accuracy: FloatArray
    users_accuracy: FloatArray
    f1: FloatArray
    iou: FloatArray


@dataclass(frozen=True, eq=False)
class ClassificationAssessment:
    """A classification against the truth.

    Attributes:
        classes: the model's classes as in its card, ``{"name", "value", "color"}``.
        matrix: ``(K, K)`` pixels; rows are the map, columns the reference.
        scores: figures of ``matrix``.
        intervals: by name of a figure ``(2,)``, of a figure per class ``(K, 2)``: low and
            high; NaN where there are too few groups.
        groups: number of groups (polygons, points, patches, blocks).
        class_groups: ``(K,)`` number of groups that hold each class.
        uncalibrated: probabilities as softmax gives them.
        calibrated: the same with the model's temperature; None where that is 1.
        notes: what a reader must know, one sentence each.
    """

    classes: tuple[Mapping[str, Any], ...]
    matrix: NDArray[np.int64]
    scores: Scores
    intervals: Mapping[str, FloatArray]
    groups: int
    class_groups: NDArray[np.int64]
    uncalibrated: ProbabilityCalibration
    calibrated: Optional[ProbabilityCalibration]
    seed: int
    notes: tuple[str, ...]

    @property
    def pixels(self) -> int:
        """Number of pixels that were compared."""
        return int(self.matrix.sum())

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON values, null where one is undefined."""
        per_class = [
            {
                "name": str(item["name"]),
                "color": str(item["color"]),
                "reference_pixels": int(self.matrix[:, k].sum()),
                "mapped_pixels": int(self.matrix[k].sum()),
                "groups": int(self.class_groups[k]),
                **{
                    name: metric(getattr(self.scores, name)[k], self.intervals[name][k])
                    for name in PER_CLASS
                },
            }
            for k, item in enumerate(self.classes)
        ]
        return {
            "task": "classification",
            "pixels": self.pixels,
            "groups": self.groups,
            "overall": {
                name: metric(getattr(self.scores, name), self.intervals[name]) for name in OVERALL
            },
            "classes": per_class,
            "confusion": {
                "rows": "map",
                "columns": "reference",
                "pixels": self.matrix.tolist(),
            },
            "calibration": {
                "uncalibrated": self.uncalibrated.to_json(),
                "calibrated": None if self.calibrated is None else self.calibrated.to_json(),
            },
            "intervals": {
                "level": LEVEL,
                "method": "percentiles of resampled groups",
                "replicates": REPLICATES,
                "seed": self.seed,
            },
            "notes": list(self.notes),
        }


def confusion_matrix(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Count pixels by class.

    Args:
        truth: ``(n,)`` class indices of the reference.
        predicted: ``(n,)`` class indices of the map.
        classes: number of classes K.

    Returns:
        ``(K, K)`` int64; rows are the map, columns the reference.
    """
    cells = np.bincount(predicted * classes + truth, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.int64)


def score(matrix: NDArray[Any]) -> Scores:
    """Return the figures of one confusion matrix, or of many at once.

    Args:
        matrix: ``(..., K, K)`` pixels or shares of area; rows are the map, columns the
            reference.
    """
    cells = np.asarray(matrix, np.float64)
    right = np.diagonal(cells, axis1=-2, axis2=-1)
    mapped, reference = cells.sum(axis=-1), cells.sum(axis=-2)
    total = reference.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        overall = right.sum(axis=-1) / total
        chance = (mapped * reference).sum(axis=-1) / total**2
        kappa = np.where(chance < 1, (overall - chance) / (1 - chance), np.nan)
        producers, users = right / reference, right / mapped
        f1 = 2 * right / (mapped + reference)
        iou = right / (mapped + reference - right)
        weights = reference / total[..., None]
    held = reference > 0
    return Scores(
        overall_accuracy=overall,
        average_accuracy=_mean(producers, held),
        kappa=kappa,
        macro_f1=_mean(f1, held),
        weighted_f1=_weighted(f1, weights),
        macro_iou=_mean(iou, held),
        weighted_iou=_weighted(iou, weights),
        micro_iou=overall / (2 - overall),
        producers_accuracy=producers,
        users_accuracy=users,
        f1=f1,
        iou=iou,
    )


def assess_classification(
    truth: NDArray[np.int64],
    logits: NDArray[Any],
    classes: Sequence[Mapping[str, Any]],
    groups: NDArray[np.int64],
    *,
    seed: int,
    temperature: float = 1.0,
) -> ClassificationAssessment:
    """Compare a model's logits with the truth.

    Args:
        truth: ``(n,)`` class indices, at least one pixel.
        logits: ``(n, K)`` finite, not divided by the temperature.
        classes: K classes as in the card, ``{"name", "value", "color"}``.
        groups: ``(n,)`` the polygon, point, patch or block of each pixel; whole groups are
            resampled for the intervals.

    Raises:
        ValueError: on arrays that do not belong together or logits that are not finite.
    """
    _require_fitting(truth, logits, len(classes), groups)
    predicted = logits.argmax(axis=1)
    matrix = confusion_matrix(truth, predicted, len(classes))
    bootstrap = GroupBootstrap(groups, seed)
    totals = group_matrices(truth, predicted, len(classes), bootstrap)
    present = (totals.sum(axis=1) > 0).sum(axis=0)
    return ClassificationAssessment(
        classes=tuple(classes),
        matrix=matrix,
        scores=score(matrix),
        intervals=_intervals(totals, bootstrap),
        groups=bootstrap.count,
        class_groups=present,
        uncalibrated=calibrate(logits, truth),
        calibrated=None if temperature == 1 else calibrate(logits, truth, temperature),
        seed=seed,
        notes=_notes([str(item["name"]) for item in classes], matrix, present, bootstrap),
    )


def group_matrices(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: int,
    bootstrap: GroupBootstrap,
) -> NDArray[np.int32]:
    """Return the confusion matrix of each group, ``(groups, K, K)``."""
    cells = (bootstrap.index * classes + predicted) * classes + truth
    counts = np.bincount(cells, minlength=bootstrap.count * classes**2)
    return counts.reshape(bootstrap.count, classes, classes).astype(np.int32)


def resampled_scores(totals: NDArray[np.int32], bootstrap: GroupBootstrap) -> Scores:
    """Return the figures of resampled groups; each has a first axis of replicates."""
    classes = totals.shape[-1]
    flat = bootstrap.resampled(totals.reshape(bootstrap.count, -1).astype(np.float64))
    return score(flat.reshape(-1, classes, classes))


def _intervals(totals: NDArray[np.int32], bootstrap: GroupBootstrap) -> dict[str, FloatArray]:
    classes = totals.shape[-1]
    if not bootstrap.possible:
        none = np.full((classes, 2), np.nan)
        return {**{name: none[0] for name in OVERALL}, **{name: none for name in PER_CLASS}}
    replicates = resampled_scores(totals, bootstrap)
    ends = {name: interval(getattr(replicates, name)) for name in (*OVERALL, *PER_CLASS)}
    in_map, in_reference = totals.sum(axis=2) > 0, totals.sum(axis=1) > 0
    # A figure of few groups is the same in nearly every resample: no interval, not a narrow one.
    evidence = {
        "producers_accuracy": in_reference,
        "users_accuracy": in_map,
        "f1": in_map | in_reference,
        "iou": in_map | in_reference,
    }
    for name, held in evidence.items():
        ends[name][held.sum(axis=0) < MIN_GROUPS] = np.nan
    return ends


def _notes(
    names: Sequence[str],
    matrix: NDArray[np.int64],
    present: NDArray[np.int64],
    bootstrap: GroupBootstrap,
) -> tuple[str, ...]:
    notes = []
    absent = [name for name, count in zip(names, present) if count == 0]
    if absent:
        notes.append(
            f"No reference pixel is {_listed(absent)}: scores that need one are not defined, and "
            "averages over classes leave them out."
        )
    unmapped = [
        name for name, row, count in zip(names, matrix, present) if row.sum() == 0 and count > 0
    ]
    if unmapped:
        notes.append(
            f"No test pixel was mapped as {_listed(unmapped)}: its F1 and IoU are 0, its user's "
            "accuracy is not defined."
        )
    if not bootstrap.possible:
        notes.append(
            f"Too few groups of labels for an interval ({bootstrap.count}; it takes {MIN_GROUPS})."
        )
    else:
        few = [name for name, count in zip(names, present) if 0 < count < MIN_GROUPS]
        if few:
            notes.append(
                f"Fewer than {MIN_GROUPS} groups of labels are {_listed(few)}: "
                "no interval is given, and the scores are uncertain."
            )
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _mean(values: FloatArray, held: NDArray[np.bool_]) -> FloatArray:
    """Return the mean over the classes that the reference holds, NaN where it holds none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        result: FloatArray = np.where(held, values, 0).sum(axis=-1) / held.sum(axis=-1)
    return result


def _weighted(values: FloatArray, weights: FloatArray) -> FloatArray:
    # A class without reference pixels has the weight 0; its figure may be NaN.
    result: FloatArray = (np.where(weights > 0, values, 0) * weights).sum(axis=-1)
    return result


def _require_fitting(
    truth: NDArray[np.int64], logits: NDArray[Any], classes: int, groups: NDArray[np.int64]
) -> None:
    if logits.shape != (len(truth), classes) or groups.shape != truth.shape or not len(truth):
        raise ValueError(
            f"truth {truth.shape}, logits {logits.shape}, groups {groups.shape} "
            f"do not fit {classes} classes"
        )
    if not np.isfinite(logits).all():
        raise ValueError("logits must be finite")
    if truth.min() < 0 or truth.max() >= classes:
        raise ValueError(f"class indices {truth.min()}..{truth.max()} for {classes} classes")
