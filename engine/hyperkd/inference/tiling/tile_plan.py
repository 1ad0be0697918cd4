"""Where the tiles of a raster lie, and which of them make which columns of the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling.blend import axis_weights
from hyperkd.raster.grid import tile_starts
from hyperkd.types import Float32Array, GridSpec, Window


@dataclass(frozen=True)
class TilePlan:
    """A mesh of starts; the last tile of each axis is moved back inside the raster.

    Attributes:
        tile_px: side of the square that the network sees at once.
        overlap_px: pixels that neighbouring tiles share at least.
        halo_px: pixels at a tile's border that do not count, for the network would have to
            see beyond it.
        rows, cols: first row of each row of tiles, first column of each column.
    """

    grid: GridSpec
    tile_px: int
    overlap_px: int
    halo_px: int
    rows: tuple[int, ...]
    cols: tuple[int, ...]

    @classmethod
    def over(
        cls,
        grid: GridSpec,
        tile_px: int,
        overlap_px: Optional[int] = None,
        field_px: Optional[int] = None,
    ) -> TilePlan:
        """Cover ``grid`` with tiles.

        Args:
            tile_px: side of a tile.
            overlap_px: pixels that neighbours share; default: what ``field_px`` needs, at
                most a quarter of the tile.
            field_px: side of the square around a pixel that its result depends on, where
                it is known. With enough overlap the tiled result is then exactly that of
                the whole raster.

        Raises:
            HyperKDError: ``bad_job`` where the overlap leaves no step between tiles.
        """
        needed = tile_px if field_px is None else 2 * (field_px // 2)
        overlap = min(tile_px // 4, needed) if overlap_px is None else overlap_px
        if not 0 <= overlap < tile_px:
            raise HyperKDError(
                "bad_job",
                f"An overlap of {overlap} pixels does not fit tiles of {tile_px} pixels.",
                f"Choose an overlap from 0 to {tile_px - 1}; a quarter of the tile is usual.",
                overlap=overlap,
                tile_px=tile_px,
            )
        return cls(
            grid,
            tile_px,
            overlap,
            needed // 2 if needed <= overlap else 0,
            tile_starts(grid.height, tile_px, overlap),
            tile_starts(grid.width, tile_px, overlap),
        )

    @property
    def height(self) -> int:
        """Rows of a window: those of a tile, or of the raster where it is lower."""
        return min(self.tile_px, self.grid.height)

    @property
    def width(self) -> int:
        """Columns of a window: those of a tile, or of the raster where it is narrower."""
        return min(self.tile_px, self.grid.width)

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.rows) * len(self.cols)

    def window(self, row: int, col: int) -> Window:
        """Return what the tile that begins there sees of the raster."""
        return Window(col, row, self.width, self.height)

    def row_weights(self) -> dict[int, Float32Array]:
        """Return the weight of each row of a tile, by the tile's first row."""
        return dict(zip(self.rows, self._weights(self.grid.height, self.rows)))

    def col_weights(self) -> dict[int, Float32Array]:
        """Return the weight of each column of a tile, by the tile's first column."""
        return dict(zip(self.cols, self._weights(self.grid.width, self.cols)))

    def _weights(self, length: int, starts: tuple[int, ...]) -> Float32Array:
        return axis_weights(length, starts, self.tile_px, self.halo_px)

    def panel(self, first: int, end: int) -> Panel:
        """Return the part of the plan that makes the columns ``first`` to ``end`` - 1."""
        cols = tuple(col for col in self.cols if col < end and col + self.width > first)
        return Panel(self, first, end, cols)

    def whole(self) -> Panel:
        """Return all columns as one panel."""
        return self.panel(0, self.grid.width)


@dataclass(frozen=True)
class Panel:
    """Some columns of the result, computed from top to bottom before the next ones.

    A scene too wide for the memory is done in several; tiles at the border between
    two panels are computed for both.

    Attributes:
        plan: the plan of the whole raster.
        first, end: the columns of the result, ``end`` excluded.
        cols: first columns of the tiles that reach into them.
    """

    plan: TilePlan
    first: int
    end: int
    cols: tuple[int, ...]

    @property
    def width(self) -> int:
        """Columns of the result."""
        return self.end - self.first

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.plan.rows) * len(self.cols)

    def window(self, row: int, rows: int) -> Window:
        """Return the panel's part of some rows of the raster."""
        return Window(self.first, row, self.width, rows)

    def input(self, row: int) -> Window:
        """Return what the tiles that begin in ``row`` see of the raster."""
        last = self.cols[-1] + self.plan.width
        return Window(self.cols[0], row, last - self.cols[0], self.plan.height)


def evenly(count: int) -> list[int]:
    """Return 0 to ``count`` - 1 in an order whose every beginning is spread evenly.

    The golden ratio's multiples, sorted: no stretch of the range is left out for long.
    """
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    # The inverse of the sequence's own order: the place that each step falls on.
    order = np.argsort(np.argsort((np.arange(count) * ratio) % 1.0))
    return [int(index) for index in order]
