"""The model beside other methods on the same pixels, with paired differences.

Both methods are resampled together, so that what makes a group hard for both cancels: the
interval of the difference is narrower than the two intervals suggest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.scores.bootstrap import LEVEL, GroupBootstrap, interval
from hyperkd.evaluation.scores.class_accuracy import (
    confusion_matrix,
    group_matrices,
    resampled_scores,
    score,
)
from hyperkd.evaluation.scores.json_numbers import metric
from hyperkd.evaluation.scores.regression_error import moments, regression_metrics
from hyperkd.types import FloatArray

CLASSIFICATION = ("overall_accuracy", "macro_f1", "macro_iou", "kappa")
REGRESSION = ("r2", "rmse", "mae")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Figures of several methods; the first one is the model.

    Attributes:
        values: by figure, ``(methods,)``.
        intervals: by figure, ``(methods, 2)``, NaN where there are too few groups.
        differences: by figure, ``(methods, 2)`` interval of model - method; NaN for itself.
        settings: by method, what was chosen for it.
    """

    names: tuple[str, ...]
    values: Mapping[str, FloatArray]
    intervals: Mapping[str, FloatArray]
    differences: Mapping[str, FloatArray]
    settings: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON values, null where one is undefined."""
        methods = []
        for i, name in enumerate(self.names):
            row: dict[str, Any] = {"name": name, "settings": dict(self.settings.get(name, {}))}
            for key, values in self.values.items():
                row[key] = metric(values[i], self.intervals[key][i])
            if i:
                row["model_minus_method"] = {
                    key: metric(values[0] - values[i], self.differences[key][i])
                    for key, values in self.values.items()
                }
            methods.append(row)
        return {"level": LEVEL, "methods": methods}


def compare_classifications(
    truth: NDArray[np.int64],
    predicted: Mapping[str, NDArray[np.int64]],
    classes: int,
    groups: NDArray[np.int64],
    *,
    seed: int,
    settings: Mapping[str, Mapping[str, Any]] = {},
) -> Comparison:
    """Compare classifications of the same pixels.

    Args:
        truth: ``(n,)`` class indices.
        predicted: by method ``(n,)`` class indices; the first one is the model.
        groups: ``(n,)`` the polygon, point, patch or block of each pixel.
        settings: by method, what was chosen for it.
    """
    bootstrap = GroupBootstrap(groups, seed)
    values, replicates = [], []
    for answer in predicted.values():
        found = score(confusion_matrix(truth, answer, classes))
        values.append({key: np.asarray(getattr(found, key)) for key in CLASSIFICATION})
        if bootstrap.possible:
            drawn = resampled_scores(group_matrices(truth, answer, classes, bootstrap), bootstrap)
            replicates.append({key: getattr(drawn, key) for key in CLASSIFICATION})
    return _comparison(tuple(predicted), CLASSIFICATION, values, replicates, settings)


def compare_regressions(
    truth: NDArray[Any],
    predicted: Mapping[str, NDArray[Any]],
    groups: NDArray[np.int64],
    *,
    seed: int,
    settings: Mapping[str, Mapping[str, Any]] = {},
) -> Comparison:
    """Compare predictions of one target for the same pixels.

    Args:
        truth: ``(n,)`` values; pixels where it is NaN are left out.
        predicted: by method ``(n,)`` values; the first one is the model.
        groups: ``(n,)`` the polygon, point or block of each pixel.
        settings: by method, what was chosen for it.
    """
    known = np.isfinite(truth)
    bootstrap = GroupBootstrap(groups[known], seed)
    values, replicates = [], []
    for answer in predicted.values():
        parts = moments(truth[known].astype(np.float64), answer[known].astype(np.float64))
        values.append(regression_metrics(parts.sum(axis=0)))
        if bootstrap.possible:
            replicates.append(regression_metrics(bootstrap.resampled(bootstrap.totals(parts))))
    return _comparison(tuple(predicted), REGRESSION, values, replicates, settings)


def _comparison(
    names: tuple[str, ...],
    keys: tuple[str, ...],
    values: list[dict[str, FloatArray]],
    replicates: list[dict[str, FloatArray]],
    settings: Mapping[str, Mapping[str, Any]],
) -> Comparison:
    none = np.full((len(names), 2), np.nan)
    intervals, differences = {}, {}
    for key in keys:
        intervals[key], differences[key] = none.copy(), none.copy()
        for i, drawn in enumerate(replicates):
            intervals[key][i] = interval(drawn[key])
            if i:
                differences[key][i] = interval(replicates[0][key] - drawn[key])
    return Comparison(
        names,
        {key: np.array([found[key] for found in values], np.float64) for key in keys},
        intervals,
        differences,
        settings,
    )
