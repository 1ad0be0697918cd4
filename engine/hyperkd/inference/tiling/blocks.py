"""In which pieces a raster is read, so that each of its blocks is decoded once."""

from __future__ import annotations

from dataclasses import dataclass

from hyperkd.raster.source import RasterSource
from hyperkd.types import GridSpec, Window

# A piece covers whole blocks and at least so many rows and columns: fewer would spend
# more time on the calls than on the pixels, more would let the first tile wait.
_ROWS = 32
_COLS = 512


@dataclass(frozen=True)
class PieceMesh:
    """A raster cut into windows of whole blocks, row by row.

    Attributes:
        rows, cols: size of a piece; those at the lower and right border are smaller.
    """

    grid: GridSpec
    rows: int
    cols: int

    @classmethod
    def over(cls, source: RasterSource) -> PieceMesh:
        """Return the pieces that suit the blocks of ``source``."""
        grid = source.grid
        block_rows, block_cols = source.block_shape
        rows = block_rows * max(1, -(-_ROWS // block_rows))
        cols = block_cols * max(1, _COLS // block_cols)
        # Strips: half of a strip cannot be decoded. The same goes for a rest of some columns.
        if block_cols >= grid.width or grid.width - cols < cols // 2:
            cols = grid.width
        return cls(grid, min(rows, grid.height), min(cols, grid.width))

    @property
    def across(self) -> int:
        """Pieces in a row of pieces."""
        return -(-self.grid.width // self.cols)

    @property
    def down(self) -> int:
        """Rows of pieces."""
        return -(-self.grid.height // self.rows)

    def window(self, index: int) -> Window:
        """Return where the piece of that number lies."""
        row, col = self.rows * (index // self.across), self.cols * (index % self.across)
        return Window(
            col, row, min(self.cols, self.grid.width - col), min(self.rows, self.grid.height - row)
        )

    def touching(self, window: Window) -> list[int]:
        """Return the numbers of the pieces that share a pixel with ``window``, ascending."""
        first, last = window.col // self.cols, (window.col_end - 1) // self.cols
        return [
            row * self.across + col
            for row in range(window.row // self.rows, (window.row_end - 1) // self.rows + 1)
            for col in range(first, last + 1)
        ]
