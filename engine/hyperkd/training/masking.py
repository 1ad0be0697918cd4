"""Which tokens the student may see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def visible_count(tokens: int, mask_ratio: float) -> int:
    """Return how many of ``tokens`` stay visible, at least one, at most all but one."""
    return min(max(round(tokens * (1 - mask_ratio)), 1), tokens - 1)


def random_order(generator: np.random.Generator, batch: int, tokens: int) -> NDArray[np.int64]:
    """Return a random order of the tokens of each tile, ``(B, N)``.

    The first ones are taken as visible, so every token is hidden with the same chance.
    """
    order: NDArray[np.int64] = generator.random((batch, tokens), dtype=np.float32).argsort(1)
    return order
