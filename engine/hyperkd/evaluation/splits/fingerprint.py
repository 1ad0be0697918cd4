"""A short fingerprint of the pixels that a model was trained on, to detect tests on them.

The bottom-k sketch of Broder (1997): of the hashes of all pixels only the smallest are
kept. They are a random sample of the pixels, so the fraction of them that another set of
pixels holds estimates what the two sets have in common. Up to ``SIZE`` pixels it is exact.
The coordinates themselves are in no model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import GridSpec

SIZE = 256
# JSON readers keep whole numbers up to 2^53 exactly.
_BYTES = 6

ScenePixels = Iterable[tuple[GridSpec, NDArray[np.int64], NDArray[np.int64]]]


def fingerprint(pixels: ScenePixels) -> dict[str, Any]:
    """Return ``{"pixels": count, "hashes": the smallest}`` of pixels for a model's card.

    Args:
        pixels: by scene its grid, and rows and columns ``(n,)`` of pixels. Two rasters that
            hold the same pixel (a tile and its scene) give it the same hash.
    """
    found = _hashes(pixels)
    return {"pixels": len(found), "hashes": sorted(found)[:SIZE]}


def seen_fraction(seen: Mapping[str, Any], pixels: ScenePixels) -> float:
    """Return the estimated fraction of ``pixels`` that a fingerprint holds, 0 to 1.

    Args:
        seen: what ``fingerprint`` returned.
        pixels: the pixels in question, at least one.
    """
    here = _hashes(pixels)
    kept: Sequence[int] = seen["hashes"]
    common = len(here.intersection(kept))
    if not common:
        return 0.0
    return min(1.0, common / len(kept) * int(seen["pixels"]) / len(here))


def pixel_hashes(grid: GridSpec, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> list[int]:
    """Return a number for each pixel that stands for its place on the ground."""
    return [
        int.from_bytes(blake2b(text.encode("ascii"), digest_size=_BYTES).digest(), "big")
        for text in _centres(grid, rows, cols)
    ]


def _hashes(pixels: ScenePixels) -> set[int]:
    return {number for scene in pixels for number in pixel_hashes(*scene)}


def _centres(grid: GridSpec, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> list[str]:
    """Return the centre of each pixel as text, to about a hundredth of a pixel."""
    if grid.geotransform is None:
        size = f"{grid.width}x{grid.height}"
        return [f"{size} {row} {col}" for row, col in zip(rows.tolist(), cols.tolist())]
    x0, dx, rx, y0, ry, dy = grid.geotransform
    pixel = max(math.hypot(dx, ry), math.hypot(rx, dy))
    decimals = max(0, 2 - math.floor(math.log10(pixel)))
    x = x0 + (cols + 0.5) * dx + (rows + 0.5) * rx
    y = y0 + (cols + 0.5) * ry + (rows + 0.5) * dy
    # Rounding can give -0, which reads otherwise than 0.
    return [
        f"{a:.{decimals}f} {b:.{decimals}f}"
        for a, b in zip(
            (x.round(decimals) + 0.0).tolist(),
            (y.round(decimals) + 0.0).tolist(),
        )
    ]
