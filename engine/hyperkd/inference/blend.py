"""Blending of overlapping tiles: smooth weights that sum to one, in a strip that rolls down.

A network sees less context at a tile's border than in its middle, so where
tiles overlap each counts with a weight that falls smoothly towards its border.
The weight of a tile is the product of one weight per row and one per column.
Tiles lie on a regular mesh of starts, therefore the weights can be normalised
per axis, in advance, and nothing has to be divided afterwards. Windows without
a valid pixel are skipped and would break that sum, but only for pixels that
are not valid and hold no value anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import FloatArray

Float32Array = NDArray[np.float32]


def axis_weights(length: int, starts: Sequence[int], tile_px: int) -> Float32Array:
    """Return the weight of each tile along one axis, so that they sum to 1 at every pixel.

    Args:
        length: pixels of the axis.
        starts: first pixel of each tile; together the tiles cover the axis.
        tile_px: size of a tile; where the axis is shorter, a tile ends with it.

    Returns:
        ``(tiles, min(tile_px, length))`` float32, positive everywhere and
        exactly 1 where a pixel lies in one tile only.
    """
    size = min(tile_px, length)
    window: FloatArray = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    total = np.zeros(length)
    for start in starts:
        total[start : start + size] += window
    weights = [window / total[start : start + size] for start in starts]
    return np.stack(weights).astype(np.float32)


class RollingStrip:
    """The blended rows that the current row of tiles touches, and nothing more.

    Args:
        bands: bands of the output.
        rows: rows of a tile.
        width: columns of the raster.
    """

    def __init__(self, bands: int, rows: int, width: int) -> None:
        self._values: Float32Array = np.zeros((bands, rows, width), np.float32)

    def add(self, tile: Float32Array, col: int, weight: Float32Array) -> None:
        """Add a tile ``(band, row, col)`` from column ``col`` on, times ``weight`` (row, col)."""
        self._values[:, :, col : col + tile.shape[2]] += tile * weight

    def top(self, rows: int) -> Float32Array:
        """Return the first ``rows`` rows, a view that ``roll`` invalidates."""
        return self._values[:, :rows]

    def roll(self, rows: int) -> None:
        """Forget the first ``rows`` rows and move down by as many."""
        keep = self._values.shape[1] - rows
        self._values[:, :keep] = self._values[:, rows:]
        self._values[:, keep:] = 0.0
