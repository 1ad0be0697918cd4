"""Scores of a model by its task: the one place that chooses between classes and targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.scores.class_accuracy import ClassificationAssessment, assess_classification
from hyperkd.evaluation.scores.paired_comparison import (
    Comparison,
    compare_classifications,
    compare_regressions,
)
from hyperkd.evaluation.scores.regression_error import RegressionAssessment, assess_regression
from hyperkd.models.card import ModelCard

Assessment = Union[ClassificationAssessment, RegressionAssessment]
KEY_METRICS: Final = ("overall_accuracy", "macro_f1", "macro_iou", "kappa")


def assess(
    card: ModelCard,
    values: NDArray[Any],
    outputs: NDArray[np.float32],
    groups: NDArray[np.int64],
    seed: int,
    temperature: float,
) -> Assessment:
    """Score a model's outputs at n labelled pixels.

    Args:
        card: the model's task, classes and targets.
        values: ``(n,)`` class indices or ``(n, T)`` targets.
        outputs: ``(n, K)`` logits or ``(n, T)`` values.
        groups: ``(n,)`` the polygon, point, patch or block of each pixel.
        temperature: of the probabilities of a classification.
    """
    if card.task == "regression":
        return assess_regression(values, outputs, card.targets, groups, seed=seed)
    return assess_classification(
        values, outputs, card.classes, groups, seed=seed, temperature=temperature
    )


def predictions(card: ModelCard, outputs: NDArray[np.float32]) -> NDArray[Any]:
    """Return ``(n,)`` class indices of logits, or ``(n, T)`` values as they are."""
    return outputs if card.task == "regression" else outputs.argmax(axis=1)


def compare_methods(
    card: ModelCard,
    values: NDArray[Any],
    predicted: Mapping[str, NDArray[Any]],
    groups: NDArray[np.int64],
    settings: Mapping[str, Mapping[str, Any]],
    seed: int,
) -> tuple[Comparison, ...]:
    """Compare the predictions of several methods: once for classes, or for each target.

    Args:
        card: the model's task, classes and targets.
        values: ``(n,)`` class indices or ``(n, T)`` targets.
        predicted: by method, like ``values``; the first one is the model.
        groups: ``(n,)`` the polygon, point, patch or block of each pixel.
        settings: by method, what was chosen for it.
    """
    if card.task == "classification":
        classes = len(card.classes)
        return (
            compare_classifications(
                values, predicted, classes, groups, seed=seed, settings=settings
            ),
        )
    return tuple(
        compare_regressions(
            values[:, t],
            {name: column[:, t] for name, column in predicted.items()},
            groups,
            seed=seed,
            settings=settings,
        )
        for t in range(len(card.targets))
    )
