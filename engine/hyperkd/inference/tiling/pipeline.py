"""Running a network over a whole raster, tile by tile, from top to bottom.

    PieceReader    threads that read pieces of whole blocks        (block_reader.py)
    TileComputer   threads that cut, cast and compute tiles        (tile_workers.py)
    blended_rows   blends them in a strip that rolls down, and yields finished rows
    RowWriter      a thread that writes them in whole blocks       (row_writer.py)

Each stage is bounded in what it holds, so that no array is larger than some rows of
the raster, whatever its height.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling.blend import RollingStrip
from hyperkd.inference.tiling.block_reader import PieceReader, Unreadable
from hyperkd.inference.tiling.blocks import PieceMesh
from hyperkd.inference.tiling.resources import Resources, converted_rows
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.tile_plan import Panel, TilePlan
from hyperkd.inference.tiling.tile_workers import Computed, TileComputer, TileNetwork
from hyperkd.raster.source import RasterSource
from hyperkd.types import BoolArray, Float32Array, Reporter, Window


@dataclass(eq=False)
class TiledRun:
    """One run of a network over tiles of a raster: what it uses, and what it has done so far.

    Attributes:
        bands: 0-based bands that the network takes as input, in its order.
        resources: threads, batch and memory.
        report: where progress goes; raises where the job was cancelled.
        total: tiles of the whole job, all passes together, for the progress.
        clock: the time spent in each stage.
        unreadable: what to do with windows that cannot be read.
        computed_tiles, skipped_tiles: how many there were so far.
    """

    source: RasterSource
    bands: Sequence[int]
    network: TileNetwork
    resources: Resources
    report: Reporter
    total: int
    clock: Stopwatch = field(default_factory=Stopwatch)
    unreadable: Unreadable = field(default_factory=Unreadable)
    computed_tiles: int = 0
    skipped_tiles: int = 0
    _settled: int = 0

    def advance(self, tiles: int) -> None:
        """Report that so many more tiles are settled: computed, skipped or known before."""
        self._settled += tiles
        self.report.progress(self._settled, self.total, "tiles")

    @contextmanager
    def tiles(
        self, plan: TilePlan, wanted: Mapping[int, Sequence[int]]
    ) -> Iterator[tuple[PieceReader, Iterator[Computed]]]:
        """Compute some tiles.

        Args:
            wanted: first columns of the tiles to compute, by their first row, in order.

        Yields:
            The reader, which the caller releases row by row, and the tiles in order.
        """
        mesh = PieceMesh.over(self.source)
        needed = {
            index
            for row, cols in wanted.items()
            for col in cols
            for index in mesh.touching(plan.window(row, col))
        }
        resources = self.resources
        reader = PieceReader(
            self.source,
            self.bands,
            mesh,
            sorted(needed),
            threads=resources.readers,
            capacity=resources.capacity,
            clock=self.clock,
            unreadable=self.unreadable,
        )
        computer = TileComputer(
            self.network,
            reader,
            plan,
            wanted,
            bands=len(self.bands),
            threads=resources.threads,
            batch=resources.batch,
            clock=self.clock,
        )
        with reader, computer.running():
            yield reader, self._counted(computer.results(self.report))

    def _counted(self, results: Iterator[Computed]) -> Iterator[Computed]:
        for result in results:
            yield result
            self.computed_tiles += len(result.cols)
            self.skipped_tiles += result.skipped
            self.advance(len(result.cols) + result.skipped)


@dataclass(frozen=True, eq=False)
class FinishedRows:
    """Rows of the result that no later tile changes; overwritten when the next ones come.

    Attributes:
        window: where they lie in the raster.
        values: ``(D, row, col)`` float32, NaN where the input is not valid.
        valid: ``(row, col)``.
        reader: has the input of these rows, see ``PieceReader.stored``.
    """

    window: Window
    values: Float32Array
    valid: BoolArray
    reader: PieceReader

    def parts(self) -> Iterator[FinishedRows]:
        """Yield the rows a few at a time, so that what is computed from them stays small."""
        rows, window = converted_rows(len(self.values), self.window.width), self.window
        for first in range(0, window.height, rows):
            end = min(first + rows, window.height)
            yield FinishedRows(
                Window(window.col, window.row + first, window.width, end - first),
                self.values[:, first:end],
                self.valid[first:end],
                self.reader,
            )


def blended_rows(
    run: TiledRun, panel: Panel, count: int, *, first_row: int = 0
) -> Generator[FinishedRows, None, None]:
    """Compute all tiles of a raster, or of some columns of it, and yield blended rows.

    Args:
        run: the network and the raster.
        panel: where the tiles lie, and which columns are wanted.
        count: D, bands of the result.
        first_row: where the rows begin that are wanted; what lies above is known already.

    Raises:
        HyperKDError: ``cancelled``; what reading and computing raise.
    """
    blender = Blender(panel, count, first_row)
    run.advance(panel.count - len(blender.rows) * len(panel.cols))
    wanted = dict.fromkeys(blender.rows, panel.cols)
    with run.tiles(panel.plan, wanted) as (reader, results):
        for result in results:
            with run.clock.time("blend"):
                for col, output in zip(result.cols, result.outputs):
                    blender.add(result.row, col, output)
            if not result.last:
                continue
            window = blender.finished(result.row)
            if window is not None:
                valid = reader.valid(window)
                with run.clock.time("blend"):
                    values = blender.values(window, valid)
                yield FinishedRows(window, values, valid, reader)
            with run.clock.time("blend"):
                reader.release(blender.roll(result.row))


class Blender:
    """Adds up the tiles of a panel, row of tiles by row of tiles, in a strip that rolls down.

    Args:
        panel: where the tiles lie, and which columns are wanted.
        count: bands of the result.
        first_row: where the rows begin that are wanted.

    Attributes:
        rows: first rows of the rows of tiles that reach into the wanted rows.
    """

    def __init__(self, panel: Panel, count: int, first_row: int = 0) -> None:
        plan = panel.plan
        self.rows = tuple(row for row in plan.rows if row + plan.height > first_row)
        self._panel = panel
        self._first_row = first_row
        self._row_weights, self._col_weights = plan.row_weights(), plan.col_weights()
        self._strip = RollingStrip(count, plan.height, panel.first, panel.end)
        self._row = self.rows[0] if self.rows else plan.grid.height  # where the strip begins

    def add(self, row: int, col: int, tile: Float32Array) -> None:
        """Add the tile that begins there, ``(band, row, col)``."""
        plan = self._panel.plan
        weight = self._row_weights[row][:, None] * self._col_weights[col]
        self._strip.add(tile[:, : plan.height, : plan.width], col, weight)

    def finished(self, row: int) -> Optional[Window]:
        """Return which rows no later tile changes after those that begin in ``row``."""
        end, top = self._end(row), max(self._first_row, row)
        return self._panel.window(top, end - top) if top < end else None

    def values(self, window: Window, valid: BoolArray) -> Float32Array:
        """Return finished rows, NaN where not valid; overwritten by later tiles."""
        first = window.row - self._row
        values = self._strip.top(first + window.height)[:, first:]
        np.copyto(values, np.nan, where=~valid)
        return values

    def roll(self, row: int) -> int:
        """Forget what is finished after the tiles that begin in ``row``; returns its end."""
        end = self._end(row)
        self._strip.roll(end - self._row)
        self._row = end
        return end

    def _end(self, row: int) -> int:
        following = self.rows.index(row) + 1
        return self.rows[following] if following < len(self.rows) else self._panel.plan.grid.height


def no_valid_pixels(source: RasterSource) -> HyperKDError:
    """Return the error for a raster in which no pixel carries a spectrum."""
    return HyperKDError(
        "no_valid_pixels",
        f"{source.path} has no valid pixel: {source.grid.width} x {source.grid.height} pixels, "
        "all nodata.",
        "Check the nodata value of the raster, or choose another one.",
    )
