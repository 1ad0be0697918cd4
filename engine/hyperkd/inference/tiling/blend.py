"""Blending of overlapping tiles: smooth weights that sum to one, in a strip that rolls down.

A network sees less context at a tile's border than in its middle, so where
tiles overlap each counts with a weight that falls smoothly towards its border.
Where the network is known to see only some pixels around each one, those that
lack a part of that do not count at all, and the result is that of the whole
raster at once.
The weight of a tile is the product of one weight per row and one per column.
Tiles lie on a regular mesh of starts, therefore the weights can be normalised
per axis, in advance, and nothing has to be divided afterwards. Windows without
a valid pixel are skipped and would break that sum, but only for pixels that
are not valid and hold no value anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hyperkd.types import Float32Array


def axis_weights(
    length: int, starts: Sequence[int], tile_px: int, halo_px: int = 0
) -> Float32Array:
    """Return the weight of each tile along one axis, so that they sum to 1 at every pixel.

    Args:
        length: pixels of the axis.
        starts: first pixel of each tile; together the tiles cover the axis.
        tile_px: size of a tile; where the axis is shorter, a tile ends with it.
        halo_px: pixels at a tile's ends that do not count, except at the ends of the axis;
            neighbouring tiles overlap by twice as many at least.

    Returns:
        ``(tiles, min(tile_px, length))`` float32, 0 in the halo, else positive, and
        exactly 1 where a pixel counts in one tile only.
    """
    size = min(tile_px, length)
    windows = np.zeros((len(starts), size))
    total = np.zeros(length)
    for window, start in zip(windows, starts):
        first = halo_px if start > 0 else 0
        end = size - halo_px if start + size < length else size
        place = (np.arange(end - first) + 0.5) / (end - first)
        window[first:end] = np.sin(np.pi * place) ** 2
        total[start : start + size] += window
    for window, start in zip(windows, starts):
        window /= total[start : start + size]
    weights: Float32Array = windows.astype(np.float32)
    return weights


class RollingStrip:
    """The blended rows that the current row of tiles touches, and nothing more.

    Args:
        bands: bands of the output.
        rows: rows of a tile.
        first, end: columns of the raster, ``end`` excluded; what tiles hold beyond them is
            left out.
    """

    def __init__(self, bands: int, rows: int, first: int, end: int) -> None:
        self._values: Float32Array = np.zeros((bands, rows, end - first), np.float32)
        self._first = first
        self._end = end

    def add(self, tile: Float32Array, col: int, weight: Float32Array) -> None:
        """Add a tile ``(band, row, col)`` from column ``col`` on, times ``weight`` (row, col)."""
        left = max(0, self._first - col)
        right = min(tile.shape[2], self._end - col)
        here = slice(col + left - self._first, col + right - self._first)
        weight = weight[:, left:right]
        # Band by band, so that the product stays in the processor's cache.
        for values, band in zip(self._values, tile):
            values[:, here] += band[:, left:right] * weight

    def top(self, rows: int) -> Float32Array:
        """Return the first ``rows`` rows, a view that ``roll`` invalidates."""
        return self._values[:, :rows]

    def roll(self, rows: int) -> None:
        """Forget the first ``rows`` rows and move down by as many."""
        keep = self._values.shape[1] - rows
        for values in self._values:  # at once, numpy would copy all of it first
            values[:keep] = values[rows:]
            values[keep:] = 0.0
