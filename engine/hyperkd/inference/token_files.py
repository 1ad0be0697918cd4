"""What an encoder computes of a scene, kept on disk: one vector per token and tile.

A scene's embedding at every pixel is large (hundreds of channels), its tokens are
not: a token stands for a square of pixels, and bringing tokens back to pixels is
bilinear. What is linear in the embedding, such as its principal components, is
found from the tokens and brought back to pixels afterwards, so that the network
runs once.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from hyperkd.inference.tiling.journal import Journal
from hyperkd.inference.tiling.pipeline import TiledRun
from hyperkd.inference.tiling.tile_plan import Panel
from hyperkd.types import BoolArray, Float32Array


class TileRow(NamedTuple):
    """One row of tiles of a panel.

    Attributes:
        row: first row of its tiles.
        tokens: ``(tiles, D, h, w)`` float32, 0 where a tile has no valid pixel.
        valid: ``(rows, cols)`` of what the tiles see together, see ``Panel.input``.
    """

    panel: Panel
    row: int
    tokens: Float32Array
    valid: BoolArray


class TokenStore:
    """The tokens of a scene in a file beside the output, row of tiles by row of tiles.

    A context manager: the file goes at the end, unless the job failed and ``keep`` is set.

    Args:
        panels: the columns, as they are computed.
        count: D, channels of a token.
        grid: tokens of a tile, along rows and columns.
        keep: whether the file stays when the job fails, for a later one to continue.

    Attributes:
        rows: panel and first row of each row of tiles.
    """

    def __init__(
        self,
        journal: Journal,
        panels: Sequence[Panel],
        count: int,
        grid: int,
        *,
        keep: bool,
    ) -> None:
        self._journal = journal
        self._count = count
        self._grid = grid
        self._keep = keep
        self.rows = [(panel, row) for panel in panels for row in panel.plan.rows]

    def __enter__(self) -> TokenStore:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is not None and self._keep:
            self._journal.close()
        else:
            self._journal.remove()

    @property
    def portions(self) -> int:
        """How many rows of tiles there are."""
        return len(self.rows)

    def read(self) -> Iterator[TileRow]:
        """Yield the rows of tiles that are in the file, in order."""
        shapes = [self._shapes(panel) for panel, _ in self.rows]
        for (panel, row), arrays in zip(self.rows, self._journal.replay(shapes)):
            window = panel.input(row)
            bits = np.unpackbits(arrays[1], count=window.height * window.width)
            valid = bits.astype(np.bool_).reshape(window.height, window.width)
            yield TileRow(panel, row, arrays[0], valid)

    def compute(self, run: TiledRun, done: int) -> Generator[TileRow, None, None]:
        """Compute the rows of tiles from number ``done`` on, keep and yield them."""
        left = self.rows[done:]
        for panel in dict.fromkeys(panel for panel, _ in left):
            yield from self._compute(run, panel, [row for other, row in left if other == panel])

    def _compute(self, run: TiledRun, panel: Panel, rows: Sequence[int]) -> Iterator[TileRow]:
        place = {col: index for index, col in enumerate(panel.cols)}
        shape = (len(panel.cols), self._count, self._grid, self._grid)
        tokens = np.zeros(shape, np.float32)
        wanted = dict.fromkeys(rows, panel.cols)
        with run.tiles(panel.plan, wanted) as (reader, results):
            for result in results:
                for col, output in zip(result.cols, result.outputs):
                    tokens[place[col]] = output
                if not result.last:
                    continue
                valid = reader.valid(panel.input(result.row))
                with run.clock.time("keep"):
                    self._journal.append([tokens, np.packbits(valid)])
                yield TileRow(panel, result.row, tokens, valid)
                tokens[:] = 0
                following = rows.index(result.row) + 1
                if following < len(rows):
                    reader.release(rows[following])

    def _shapes(self, panel: Panel) -> list[tuple[tuple[int, ...], Any]]:
        window = panel.input(panel.plan.rows[0])
        bits = -(-window.height * window.width // 8)
        tokens = (len(panel.cols), self._count, self._grid, self._grid)
        return [(tokens, np.float32), ((bits,), np.uint8)]
