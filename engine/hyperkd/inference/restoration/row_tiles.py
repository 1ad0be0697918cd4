"""Full-width tiles of a few rows, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hyperkd.raster.source import RasterSource, iterate_stripes
from hyperkd.types import Reporter, Tile, Window

# As float64, what is computed at once holds no more than this.
_TILE_BYTES: Final = 16 * 2**20


def row_tiles(source: RasterSource, report: Reporter) -> Iterator[Tile]:
    """Yield all rows of all bands, a few at a time, and tell how far that is.

    They are read in larger stripes, as suits the file.

    Raises:
        HyperKDError: ``cancelled``, and what reading raises.
    """
    grid = source.grid
    step = max(1, _TILE_BYTES // (grid.width * len(source.bands) * 8))
    for window in iterate_stripes(source):
        report.check_cancelled()
        tile = source.read_tile(window)
        for first in range(0, window.height, step):
            report.check_cancelled()
            end = min(first + step, window.height)
            part = Window(0, window.row + first, grid.width, end - first)
            yield Tile(tile.data[:, first:end], tile.valid[first:end], part, grid, tile.bands)
            report.progress(part.row_end, grid.height, "rows")
