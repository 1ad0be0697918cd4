"""How good predicted values are where the truth is known, target by target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.scores.bootstrap import (
    LEVEL,
    MIN_GROUPS,
    REPLICATES,
    GroupBootstrap,
    interval,
)
from hyperkd.evaluation.scores.json_numbers import metric, number
from hyperkd.types import FloatArray

FIGURES = ("r2", "rmse", "bias", "mae", "rpd", "rpiq")
# What a scatter plot shows; more points hide each other and make the report slow to open.
_POINTS = 2000


@dataclass(frozen=True, eq=False)
class TargetAssessment:
    """One target's predictions against the truth.

    Attributes:
        name, unit: of the target.
        truth, predicted: ``(n,)`` in the unit; pixels without a truth are left out.
        values: the ``FIGURES`` by name. ``r2`` = 1 - SSE / SST about the mean of these very
            pixels, negative where that mean would be the better prediction; ``rmse``,
            ``mae`` and ``bias`` (mean of predicted - truth) in the unit; ``rpd`` = SD / RMSE
            with the SD of n, so that rpd² = 1 / (1 - r2); ``rpiq`` = interquartile range /
            RMSE. NaN where a denominator is 0.
        intervals: by name ``(2,)`` low and high, NaN where there are too few groups.
        groups: number of groups.
    """

    name: str
    unit: str
    truth: FloatArray
    predicted: FloatArray
    values: Mapping[str, float]
    intervals: Mapping[str, FloatArray]
    groups: int

    def to_json(self) -> dict[str, Any]:
        """Return the figures and points for a scatter plot as JSON values."""
        step = max(1, -(-len(self.truth) // _POINTS))
        return {
            "name": self.name,
            "unit": self.unit,
            "pixels": len(self.truth),
            "groups": self.groups,
            **{name: metric(self.values[name], self.intervals[name]) for name in FIGURES},
            "truth_mean": number(self.truth.mean()),
            "truth_sd": number(self.truth.std()),
            "points": {
                "every": step,
                "truth": self.truth[::step].tolist(),
                "predicted": self.predicted[::step].tolist(),
            },
        }


@dataclass(frozen=True, eq=False)
class RegressionAssessment:
    """Predictions of one or several targets against the truth.

    Attributes:
        targets: one assessment each.
        notes: what a reader must know, one sentence each.
    """

    targets: tuple[TargetAssessment, ...]
    seed: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON values, null where one is undefined."""
        return {
            "task": "regression",
            "pixels": max(len(target.truth) for target in self.targets),
            "groups": max(target.groups for target in self.targets),
            "targets": [target.to_json() for target in self.targets],
            "intervals": {
                "level": LEVEL,
                "method": "percentiles of resampled groups",
                "replicates": REPLICATES,
                "seed": self.seed,
            },
            "notes": list(self.notes),
        }


def assess_regression(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    targets: Sequence[Mapping[str, Any]],
    groups: NDArray[np.int64],
    *,
    seed: int,
) -> RegressionAssessment:
    """Compare predicted values with the truth.

    Args:
        truth: ``(n, T)`` in the targets' units; NaN where a pixel has no truth.
        predicted: ``(n, T)`` finite.
        targets: T targets as in the card, with ``name`` and ``unit``.
        groups: ``(n,)`` the polygon, point or block of each pixel.

    Raises:
        ValueError: on arrays that do not belong together, predictions that are not finite,
            or a target without any truth.
    """
    shape = (len(groups), len(targets))
    if truth.shape != shape or predicted.shape != shape:
        raise ValueError(f"truth {truth.shape} and predicted {predicted.shape} are not {shape}")
    if not np.isfinite(predicted).all():
        raise ValueError("predicted values must be finite")
    assessed, notes = [], []
    for column, target in enumerate(targets):
        known = np.isfinite(truth[:, column])
        if not known.any():
            raise ValueError(f"no pixel has a truth of {target['name']}")
        one = _assess(
            truth[known, column].astype(np.float64),
            predicted[known, column].astype(np.float64),
            target,
            GroupBootstrap(groups[known], seed),
        )
        assessed.append(one)
        if one.groups < MIN_GROUPS:
            notes.append(
                f"Too few groups of labels of {one.name} for an interval ({one.groups}; it takes "
                f"{MIN_GROUPS})."
            )
        if not one.truth.std() > 0:
            notes.append(f"All labels of {one.name} are equal, so R² is not defined.")
    return RegressionAssessment(tuple(assessed), seed, tuple(notes))


def moments(truth: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return ``(n, 6)``: 1, error, error², |error|, truth, truth², whose sums give the figures.

    The truth is taken from its mean, so that the difference of two large sums stays exact.
    """
    error, centred = predicted - truth, truth - truth.mean()
    return np.stack(
        [np.ones_like(error), error, error**2, np.abs(error), centred, centred**2], axis=1
    )


def regression_metrics(sums: FloatArray) -> dict[str, FloatArray]:
    """Return R², RMSE, bias, MAE and RPD of sums ``(..., 6)`` of ``moments``."""
    count, error, squared, absolute, value, value_squared = np.moveaxis(sums, -1, 0)
    total = np.maximum(value_squared - value**2 / count, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rpd = np.sqrt(total / squared)
        return {
            "r2": np.where(total > 0, 1 - squared / total, np.nan),
            "rmse": np.sqrt(squared / count),
            "bias": error / count,
            "mae": absolute / count,
            "rpd": np.where(squared > 0, rpd, np.nan),
        }


def _assess(
    truth: FloatArray,
    predicted: FloatArray,
    target: Mapping[str, Any],
    bootstrap: GroupBootstrap,
) -> TargetAssessment:
    parts = moments(truth, predicted)
    values = {name: float(value) for name, value in regression_metrics(parts.sum(axis=0)).items()}
    rmse = values["rmse"]
    low, high = np.percentile(truth, [25, 75])
    values["rpiq"] = float(high - low) / rmse if rmse > 0 else np.nan
    intervals = {name: np.full(2, np.nan) for name in FIGURES}
    if bootstrap.possible:
        replicates = regression_metrics(bootstrap.resampled(bootstrap.totals(parts)))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = _resampled_range(truth, bootstrap) / replicates["rmse"]
        replicates["rpiq"] = np.where(np.isfinite(ratio), ratio, np.nan)
        intervals = {name: interval(replicates[name]) for name in FIGURES}
    return TargetAssessment(
        str(target["name"]),
        str(target["unit"]),
        truth,
        predicted,
        values,
        intervals,
        bootstrap.count,
    )


def _resampled_range(truth: FloatArray, bootstrap: GroupBootstrap) -> FloatArray:
    """Return the interquartile range of each resample, interpolated as numpy does it."""
    order = np.argsort(truth, kind="stable")
    values, index = truth[order], bootstrap.index[order]
    ranges = []
    for block in bootstrap.weights():
        for drawn in block:
            ends = np.cumsum(drawn[index])
            quartiles = []
            for share in (0.25, 0.75):
                position = share * (ends[-1] - 1)
                below = int(position)
                pair = np.searchsorted(ends, [below, min(below + 1, ends[-1] - 1)], side="right")
                first, second = values[pair]
                quartiles.append(first + (position - below) * (second - first))
            ranges.append(quartiles[1] - quartiles[0])
    return np.array(ranges)
