"""From blended logits to classes, probabilities and their uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import BoolArray, Float32Array

# The value of a class map where there is no data; class i is stored as i + 1.
NO_CLASS = 0
# Probabilities as bytes: 250 steps, so that the scale 0.004 is exact in decimals.
PROBABILITY_STEPS = 250
PROBABILITY_NODATA = 255

UNCERTAINTY_NAMES = ("margin (0 undecided, 1 certain)", "entropy (0 certain, 1 undecided)")


def class_map(logits: Float32Array, valid: BoolArray) -> NDArray[np.uint8]:
    """Return the class of the largest logit plus 1, ``(1, row, col)``; 0 where not valid.

    Args:
        logits: ``(class, row, col)``; of equal ones the first class wins.
        valid: ``(row, col)``.
    """
    best: NDArray[np.uint8] = logits.argmax(axis=0).astype(np.uint8)[None]
    best += np.uint8(1)
    best[0, ~valid] = NO_CLASS
    return best


def probabilities(logits: Float32Array, temperature: float) -> Float32Array:
    """Return ``softmax(logits / temperature)`` over the classes; NaN in, NaN out.

    Args:
        logits: ``(class, row, col)``.
        temperature: from the model's card; above 1 the model was overconfident.
    """
    values: Float32Array = logits - logits.max(axis=0)
    values /= np.float32(temperature)
    np.exp(values, out=values)
    values /= values.sum(axis=0)
    return values


def as_bytes(probabilities: Float32Array, valid: BoolArray) -> NDArray[np.uint8]:
    """Return probabilities in ``PROBABILITY_STEPS`` steps, ``PROBABILITY_NODATA`` elsewhere."""
    stored = np.full(probabilities.shape, PROBABILITY_NODATA, np.uint8)
    np.copyto(stored, np.rint(probabilities * PROBABILITY_STEPS), where=valid, casting="unsafe")
    return stored


def uncertainty(probabilities: Float32Array) -> Float32Array:
    """Return margin and entropy of ``(class, row, col)`` probabilities, ``(2, row, col)``.

    The margin is the difference of the two largest probabilities. The entropy is
    Shannon's, -sum p ln p, divided by ln K of K classes, so that it runs from 0
    to 1. NaN in, NaN out.
    """
    count = len(probabilities)
    ordered = np.partition(probabilities, count - 2, axis=0)
    result = np.empty((2, *probabilities.shape[1:]), np.float32)
    np.subtract(ordered[-1], ordered[-2], out=result[0])
    # p ln p falls to 0 with p; the tiny number keeps the logarithm of 0 out of it.
    entropy = -(probabilities * np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))).sum(
        axis=0
    )
    np.clip(entropy / np.float32(np.log(count)), 0.0, 1.0, out=result[1])
    return result
