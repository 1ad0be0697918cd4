"""Whether a model's probabilities mean what they say, and the temperature that makes them.

Reliability curve and expected calibration error after Guo et al. (2017), "On calibration
of modern neural networks".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.scores.json_numbers import number, numbers
from hyperkd.types import FloatArray

BINS = 10
# A temperature at one of these ends says that the labels are too few to tell, not that the
# probabilities need it: without an error on the validation part the best one is 0.
TEMPERATURES = (0.2, 20.0)


@dataclass(frozen=True, eq=False)
class ProbabilityCalibration:
    """Confidence (the largest probability) against the share of right answers.

    Attributes:
        temperature: what the logits were divided by.
        count: ``(BINS,)`` pixels with a confidence in ``(i / BINS, (i + 1) / BINS]``.
        confidence: ``(BINS,)`` mean confidence, NaN in an empty bin.
        accuracy: ``(BINS,)`` share of right answers, NaN in an empty bin.
        ece: expected calibration error, the mean of ``|accuracy - confidence|`` over the
            bins, weighted by their pixels.
        nll: mean negative log-likelihood of the true class, in nats.
        brier: mean over pixels of the sum over classes of (probability - truth)², 0 to 2.
    """

    temperature: float
    count: NDArray[np.int64]
    confidence: FloatArray
    accuracy: FloatArray
    ece: float
    nll: float
    brier: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures and the bins as JSON values."""
        edges = np.linspace(0, 1, BINS + 1)
        bins: list[Mapping[str, Any]] = [
            {"low": low, "high": high, "pixels": pixels, "confidence": mean, "accuracy": right}
            for low, high, pixels, mean, right in zip(
                edges[:-1].tolist(),
                edges[1:].tolist(),
                self.count.tolist(),
                numbers(self.confidence),
                numbers(self.accuracy),
            )
        ]
        return {
            "temperature": number(self.temperature),
            "ece": number(self.ece),
            "nll": number(self.nll),
            "brier": number(self.brier),
            "bins": bins,
        }


def calibrate(
    logits: NDArray[Any], truth: NDArray[np.int64], temperature: float = 1.0
) -> ProbabilityCalibration:
    """Compare confidence with accuracy.

    Args:
        logits: ``(n, K)`` of at least one pixel.
        truth: ``(n,)`` class indices.
        temperature: probabilities are ``softmax(logits / temperature)``.
    """
    log_probabilities = log_softmax(logits, temperature)
    probabilities = np.exp(log_probabilities)
    rows = np.arange(len(truth))
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    # The right edge belongs to a bin, so that a confidence of 1 has one.
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(bins, weights=confidence, minlength=BINS) / count
        accuracy = np.bincount(bins, weights=right, minlength=BINS) / count
    used = count > 0
    gap = np.abs(accuracy[used] - mean[used])
    target = np.zeros_like(probabilities)
    target[rows, truth] = 1
    return ProbabilityCalibration(
        temperature=float(temperature),
        count=count,
        confidence=mean,
        accuracy=accuracy,
        ece=float((count[used] * gap).sum() / count.sum()),
        nll=float(-log_probabilities[rows, truth].mean()),
        brier=float(((probabilities - target) ** 2).sum(axis=1).mean()),
    )


def fit_temperature(logits: NDArray[Any], truth: NDArray[np.int64]) -> float:
    """Return the temperature with the smallest negative log-likelihood.

    The labels must be none that the model learned from, but may be those that chose when
    to stop. The likelihood has one optimum, since it is convex in 1 / temperature, so a
    golden-section search over the logarithm finds it, to five digits.

    Args:
        logits: ``(n, K)`` of at least one pixel.
        truth: ``(n,)`` class indices.

    Returns:
        A temperature within ``TEMPERATURES``; above 1 where the model is overconfident.
    """

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits, math.exp(log_temperature))
        return float(-scaled[np.arange(len(truth)), truth].mean())

    low, high = (math.log(end) for end in TEMPERATURES)
    ratio = (math.sqrt(5) - 1) / 2
    inner = [high - ratio * (high - low), low + ratio * (high - low)]
    losses = [loss(point) for point in inner]
    while high - low > 1e-6:
        if losses[0] <= losses[1]:
            high = inner[1]
            inner = [high - ratio * (high - low), inner[0]]
            losses = [loss(inner[0]), losses[0]]
        else:
            low = inner[0]
            inner = [inner[1], low + ratio * (high - low)]
            losses = [losses[1], loss(inner[1])]
    return float(math.exp((low + high) / 2))


def log_softmax(logits: NDArray[Any], temperature: float = 1.0) -> FloatArray:
    """Return the logarithm of ``softmax(logits / temperature)`` over the last axis, float64."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    result: FloatArray = scaled - np.log(np.exp(scaled).sum(axis=-1, keepdims=True))
    return result
