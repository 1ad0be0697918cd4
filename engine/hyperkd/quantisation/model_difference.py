"""The difference between a quantised model and its original.

Every loss is in percentage points, so that one limit fits all: at 0 the smaller model is
as good as its original, and a negative loss means that it is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.scores.class_accuracy import confusion_matrix, score
from hyperkd.evaluation.scores.regression_error import moments, regression_metrics
from hyperkd.models.card import ModelCard
from hyperkd.types import BoolArray, FloatArray


class OutputDifference:
    """The difference of two models' outputs for the same pixels, collected tile by tile.

    Of logits the loss is the share of pixels whose class changes, of anything else the
    share of the variance of the first model's output that the second one misses, of the
    worst target where there are several. No truth is known here: a pixel that was
    wrong and becomes right counts as changed as well.

    Args:
        output: name of the output.
    """

    def __init__(self, output: str) -> None:
        self._output = output
        self._pixels = 0
        self._changed = 0
        self._largest = 0.0
        self._error: FloatArray = np.zeros(0)  # of each channel, squared and summed
        self._sum: FloatArray = np.zeros(0)
        self._square: FloatArray = np.zeros(0)
        self._finite = True

    def add(self, first: NDArray[Any], second: NDArray[Any], valid: BoolArray) -> None:
        """Add a tile.

        Args:
            first, second: ``(K, row, col)`` answers of the two models.
            valid: ``(row, col)`` pixels that count.
        """
        before, after = (values[:, valid].astype(np.float64) for values in (first, second))
        if not self._pixels:
            self._error, self._sum, self._square = (np.zeros(len(before)) for _ in range(3))
        difference = after - before
        self._pixels += before.shape[1]
        self._changed += int((before.argmax(0) != after.argmax(0)).sum())
        self._largest = max(self._largest, float(np.abs(difference).max(initial=0.0)))
        self._error += (difference**2).sum(1)
        self._sum += before.sum(1)
        self._square += (before**2).sum(1)
        self._finite &= bool(np.isfinite(after).all())

    @property
    def loss(self) -> float:
        """The loss in percentage points; infinite where the second model gave no finite number."""
        if not self._finite:
            return float("inf")
        if self._output == "logits":
            return 100.0 * self._changed / self._pixels
        variance = self._square - self._sum**2 / self._pixels
        if self._output != "values":  # channels of one thing, not one thing each
            return _share(self._error.sum(), variance.sum())
        return max(_share(error, spread) for error, spread in zip(self._error, variance))

    def to_json(self) -> dict[str, Any]:
        """Return the loss with what it means, and the differences in the output's own unit.

        What is not a finite number is None.
        """
        measure = "pixels with another class" if self._output == "logits" else "variance missed"
        errors = np.sqrt(self._error / self._pixels)
        if self._output != "values":
            errors = np.sqrt((errors**2).mean(keepdims=True))
        return {
            "measure": f"{measure}, percent",
            "loss": _rounded(self.loss),
            "pixels": self._pixels,
            "rmse": [_rounded(error) for error in errors],
            "largest_difference": _rounded(self._largest),
        }


def truth_difference(
    card: ModelCard, truth: NDArray[Any], first: NDArray[Any], second: NDArray[Any]
) -> dict[str, Any]:
    """Compare two models with the truth.

    Args:
        card: of the models.
        truth: ``(n,)`` class indices or ``(n, T)`` values, NaN where a target is unknown.
        first, second: ``(n, K)`` logits or ``(n, T)`` values of the two models.

    Returns:
        ``loss`` in percentage points: of overall accuracy, or of R² of the worst target; with
        the scores of both models in ``before`` and ``after``.
    """
    if card.task == "regression":
        return _values_difference(card.targets, truth, first, second)
    predicted = [answers.argmax(1) for answers in (first, second)]
    right = [classes == truth for classes in predicted]
    before, after = (_class_scores(truth, classes, len(card.classes)) for classes in predicted)
    return {
        "measure": "overall accuracy, percentage points",
        "loss": _rounded(100.0 * (before["overall_accuracy"] - after["overall_accuracy"])),
        "pixels": len(truth),
        "before": before,
        "after": after,
        "right_to_wrong": int((right[0] & ~right[1]).sum()),
        "wrong_to_right": int((right[1] & ~right[0]).sum()),
    }


def _class_scores(truth: NDArray[Any], predicted: NDArray[Any], classes: int) -> dict[str, float]:
    scores = score(confusion_matrix(truth, predicted, classes))
    return {name: float(getattr(scores, name)) for name in ("overall_accuracy", "macro_f1")}


def _values_difference(
    targets: Sequence[Mapping[str, Any]],
    truth: NDArray[Any],
    first: NDArray[Any],
    second: NDArray[Any],
) -> dict[str, Any]:
    before, after = (
        {
            str(target["name"]): _value_scores(truth[:, index], answers[:, index])
            for index, target in enumerate(targets)
        }
        for answers in (first, second)
    )
    return {
        "measure": "R2 of the worst target, percentage points",
        "loss": _rounded(
            np.max([100.0 * (before[name]["r2"] - after[name]["r2"]) for name in before])
        ),
        "pixels": len(truth),
        "before": before,
        "after": after,
    }


def _value_scores(truth: FloatArray, predicted: NDArray[Any]) -> dict[str, float]:
    # Of either a pixel may have none: a target need not apply everywhere.
    known = np.isfinite(truth) & np.isfinite(predicted)
    sums = moments(truth[known], predicted[known].astype(np.float64)).sum(axis=0)
    scores = regression_metrics(sums)
    return {name: float(scores[name]) for name in ("r2", "rmse")}


def _share(error: float, variance: float) -> float:
    """Return the error as percent of the variance; nothing varies, nothing is missed: 0."""
    if error == 0:
        return 0.0
    return float(100.0 * error / variance) if variance > 0 else float("inf")


def _rounded(value: Any) -> Optional[float]:
    """Return six digits of a number, None where it is not finite: JSON has none of those."""
    return float(f"{float(value):.6g}") if np.isfinite(value) else None
