"""Accuracies and areas of a whole map from a sample of it: design-based estimates.

Stehman (2014), "Estimating area and map accuracy for stratified random sampling when the
strata are different from the map classes". Where the strata are the map's classes, these
are the estimators of Olofsson et al. (2014), "Good practices for estimating area and
assessing accuracy of land change". No finite population correction, as in the latter:
a sample is a small part of a map, and without it intervals are a little wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.scores.bootstrap import LEVEL, GroupBootstrap, interval
from hyperkd.evaluation.scores.class_accuracy import score
from hyperkd.evaluation.scores.json_numbers import metric, number
from hyperkd.types import FloatArray

# The half-width of a 95 % interval in standard errors, with the digits of the papers.
_Z = 1.96


@dataclass(frozen=True, eq=False)
class AreaEstimate:
    """Estimates for the whole area that the strata cover.

    Attributes:
        classes: the model's classes as in its card.
        shares: ``(K, K)`` estimated share of the area; rows are the map, columns the
            reference; its sum is 1.
        area_ha: of all strata, or None where the size of a pixel is unknown.
        pixels: of all strata.
        estimates: by name (``overall_accuracy``; per class ``users_accuracy``,
            ``producers_accuracy``, ``area_share``) the estimate, NaN where undefined.
        intervals: by the same names, low and high on a last axis.
        method: how the intervals were made.
    """

    classes: tuple[Mapping[str, Any], ...]
    shares: FloatArray
    area_ha: Optional[float]
    pixels: int
    estimates: Mapping[str, FloatArray]
    intervals: Mapping[str, FloatArray]
    method: str

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON values, null where one is undefined."""
        hectares = np.nan if self.area_ha is None else self.area_ha
        share, ends = self.estimates["area_share"], self.intervals["area_share"]
        return {
            "pixels": self.pixels,
            "area_ha": number(hectares),
            "overall_accuracy": metric(
                self.estimates["overall_accuracy"], self.intervals["overall_accuracy"]
            ),
            "classes": [
                {
                    "name": str(item["name"]),
                    "color": str(item["color"]),
                    **{
                        name: metric(self.estimates[name][k], self.intervals[name][k])
                        for name in ("users_accuracy", "producers_accuracy", "area_share")
                    },
                    "area_ha": metric(share[k] * hectares, ends[k] * hectares),
                }
                for k, item in enumerate(self.classes)
            ],
            "shares": {
                "rows": "map",
                "columns": "reference",
                "share_of_area": self.shares.tolist(),
            },
            "intervals": {"level": LEVEL, "method": self.method},
        }


def estimate_area(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    strata: NDArray[np.int64],
    stratum_pixels: Sequence[int],
    classes: Sequence[Mapping[str, Any]],
    groups: NDArray[np.int64],
    *,
    pixel_ha: Optional[float] = None,
    strata_names: Sequence[str] = (),
    seed: int,
) -> AreaEstimate:
    """Estimate accuracies and areas of the whole map from a sample stratified by ``strata``.

    The sample must have been drawn at random within each stratum. Where each pixel is a
    group of its own, the intervals are the papers'; where the sample came in groups
    (polygons), their formulas would take the pixels of a group for independent, so
    whole groups are resampled instead.

    Args:
        truth, predicted: ``(n,)`` class indices of reference and map.
        strata: ``(n,)`` stratum index of each sampled pixel.
        stratum_pixels: number of pixels of each stratum in the whole map.
        classes: K classes as in the card.
        groups: ``(n,)`` the polygon, point or patch of each pixel.
        pixel_ha: area of a pixel in hectares, or None.
        strata_names: names for messages; default: the numbers from 1.

    Raises:
        HyperKDError: ``bad_labels`` where a stratum that covers pixels has fewer than two
            in the sample, so that nothing can be said about it.
    """
    sizes = np.asarray(stratum_pixels, np.float64)
    sampled = np.bincount(strata, minlength=len(sizes))
    _require_samples(sampled, sizes, strata_names)
    count = len(classes)
    weights = (sizes / sizes.sum()) / np.maximum(sampled, 1)
    cells = predicted * count + truth
    shares = np.bincount(cells, weights=weights[strata], minlength=count**2).astype(np.float64)
    shares = shares.reshape(count, count)
    estimates = _estimates(shares)
    bootstrap = GroupBootstrap(groups, seed)
    if bootstrap.count == len(truth):
        intervals = _analytic(truth, predicted, strata, sizes, sampled, estimates)
        method = "stratified estimators of Stehman (2014) and Olofsson et al. (2014)"
    else:
        intervals = _resampled(truth, predicted, strata, sizes, count, bootstrap)
        method = "percentiles of resampled groups, because the sample came in groups of pixels"
    return AreaEstimate(
        classes=tuple(classes),
        shares=shares,
        area_ha=None if pixel_ha is None else float(sizes.sum() * pixel_ha),
        pixels=int(sizes.sum()),
        estimates=estimates,
        intervals=intervals,
        method=method,
    )


def _estimates(shares: FloatArray) -> dict[str, FloatArray]:
    """Return accuracies and areas from shares of the area ``(..., map, reference)``."""
    scores = score(shares)
    return {
        "overall_accuracy": scores.overall_accuracy,
        "users_accuracy": scores.users_accuracy,
        "producers_accuracy": scores.producers_accuracy,
        "area_share": shares.sum(axis=-2),
    }


def _analytic(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    strata: NDArray[np.int64],
    sizes: FloatArray,
    sampled: NDArray[np.int64],
    estimates: Mapping[str, FloatArray],
) -> dict[str, FloatArray]:
    """Return estimate -+ 1.96 standard errors; Stehman's equations 25 (means) and 28 (ratios)."""
    right = (truth == predicted).astype(np.float64)
    share = sizes / sizes.sum()

    def error(values: FloatArray) -> float:
        """Return the standard error of the stratified mean of ``values`` (n,)."""
        mean = np.bincount(strata, weights=values, minlength=len(sizes)) / np.maximum(sampled, 1)
        squares = np.bincount(strata, weights=(values - mean[strata]) ** 2, minlength=len(sizes))
        variance = squares / np.maximum(sampled - 1, 1) / np.maximum(sampled, 1)
        return float(np.sqrt((share**2 * variance).sum()))

    def ratio_error(numerator: FloatArray, denominator: FloatArray, ratio: float) -> float:
        """Return the standard error of a ratio of two stratified means, linearised."""
        mean = np.bincount(strata, weights=denominator, minlength=len(sizes))
        total = float((share * mean / np.maximum(sampled, 1)).sum())
        if not total > 0:
            return float("nan")
        return error(numerator - ratio * denominator) / total

    half: dict[str, Any] = {
        "overall_accuracy": error(right),
        "users_accuracy": [],
        "producers_accuracy": [],
        "area_share": [],
    }
    for k in range(len(estimates["area_share"])):
        in_map = (predicted == k).astype(np.float64)
        in_reference = (truth == k).astype(np.float64)
        both = in_map * in_reference
        users, producers = (
            float(estimates[name][k]) for name in ("users_accuracy", "producers_accuracy")
        )
        half["users_accuracy"].append(ratio_error(both, in_map, users))
        half["producers_accuracy"].append(ratio_error(both, in_reference, producers))
        half["area_share"].append(error(in_reference))
    intervals = {}
    for name, value in estimates.items():
        width = _Z * np.asarray(half[name])
        intervals[name] = np.stack([value - width, value + width], axis=-1)
    return intervals


def _resampled(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    strata: NDArray[np.int64],
    sizes: FloatArray,
    count: int,
    bootstrap: GroupBootstrap,
) -> dict[str, FloatArray]:
    """Return intervals from whole groups; each resample gets the strata's true sizes again."""
    by_class = (count, 2)
    shapes = {
        "overall_accuracy": (2,),
        "users_accuracy": by_class,
        "producers_accuracy": by_class,
        "area_share": by_class,
    }
    if not bootstrap.possible:
        return {name: np.full(shape, np.nan) for name, shape in shapes.items()}
    layers = len(sizes)
    cells = (strata * count + predicted) * count + truth
    flat = bootstrap.index * (layers * count**2) + cells
    totals = np.bincount(flat, minlength=bootstrap.count * layers * count**2)
    drawn = bootstrap.resampled(totals.reshape(bootstrap.count, -1).astype(np.float64))
    drawn = drawn.reshape(-1, layers, count, count)
    # A resample without any pixel of a stratum says nothing about it and does not count.
    sampled = drawn.sum(axis=(2, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(sizes > 0, sizes / sizes.sum() / sampled, 0.0)
        shares = (drawn * weight[..., None, None]).sum(axis=1)
    return {name: interval(values) for name, values in _estimates(shares).items()}


def _require_samples(sampled: NDArray[np.int64], sizes: FloatArray, names: Sequence[str]) -> None:
    poor = np.flatnonzero((sizes > 0) & (sampled < 2))
    if not poor.size:
        return
    shown = ", ".join(
        f"{names[i] if names else i + 1} ({int(sizes[i])} pixels, {sampled[i]} labelled)"
        for i in poor[:5].tolist()
    )
    raise HyperKDError(
        "bad_labels",
        f"Areas cannot be estimated: fewer than two labelled pixels in the strata {shown}"
        f"{' and more' if poor.size > 5 else ''}.",
        "Label at least two, better fifty, random pixels in each stratum, or merge strata.",
        strata=[names[i] if names else str(i + 1) for i in poor.tolist()],
    )
