"""Figures of merit as JSON: a value with its interval, and null where it is undefined."""

from __future__ import annotations

import math
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray


def number(value: Any) -> Optional[float]:
    """Return a float, or None for what is undefined (NaN) or unbounded."""
    result = float(value)
    return result if math.isfinite(result) else None


def numbers(values: NDArray[Any]) -> list[Optional[float]]:
    """Return ``number`` of each element of a one-dimensional array."""
    return [number(value) for value in values]


def metric(value: Any, interval: Any = (np.nan, np.nan)) -> dict[str, Optional[float]]:
    """Return ``{"value", "low", "high"}``; the interval is null where none can be given."""
    low, high = interval
    return {"value": number(value), "low": number(low), "high": number(high)}
