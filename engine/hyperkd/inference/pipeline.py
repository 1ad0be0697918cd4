"""Running a network over a whole raster, tile by tile, from top to bottom.

A stripe of full-width rows is read once, cut into overlapping tiles, computed
in batches and blended in a strip that rolls down the raster. The caller takes
finished rows from a generator and writes them, so no array is ever larger than
a row of tiles, whatever the height of the raster.

    StripeReader -> run_stripe -> RollingStrip -> run_tiled yields FinishedRows
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, NamedTuple, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.blend import Float32Array, RollingStrip, axis_weights
from hyperkd.raster.grid import tile_starts
from hyperkd.raster.source import RasterSource
from hyperkd.types import GridSpec, Reporter, Tile, Window


class Network(Protocol):
    """Whatever maps tiles to tiles; ``backends`` has the real ones."""

    def run(self, pixels: Float32Array, valid: Float32Array) -> Float32Array:
        """Map ``(B, C, H, W)`` and ``(B, 1, H, W)`` to ``(B, D, H, W)``, all float32."""


@dataclass(frozen=True)
class TilePlan:
    """Where the tiles lie: a mesh of starts, the last of each axis moved back inside.

    Attributes:
        grid: the raster.
        tile_px: side of the square that the network sees at once.
        overlap_px: pixels that neighbouring tiles share at least.
        rows, cols: first row of each row of tiles, first column of each column.
    """

    grid: GridSpec
    tile_px: int
    overlap_px: int
    rows: tuple[int, ...]
    cols: tuple[int, ...]

    @classmethod
    def over(cls, grid: GridSpec, tile_px: int, overlap_px: Optional[int] = None) -> TilePlan:
        """Cover ``grid`` with tiles that share ``overlap_px`` pixels, default a quarter tile.

        Raises:
            HyperKDError: ``bad_job`` where the overlap leaves no step between tiles.
        """
        overlap = tile_px // 4 if overlap_px is None else overlap_px
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
            tile_starts(grid.height, tile_px, overlap),
            tile_starts(grid.width, tile_px, overlap),
        )

    @property
    def height(self) -> int:
        """Rows of a stripe: those of a tile, or of the raster where it is lower."""
        return min(self.tile_px, self.grid.height)

    @property
    def width(self) -> int:
        """Columns of a window: those of a tile, or of the raster where it is narrower."""
        return min(self.tile_px, self.grid.width)

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.rows) * len(self.cols)


class Stopwatch:
    """Seconds spent in each stage; stages do not nest."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the time of the block to ``stage``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed


class Run:
    """What one job carries along: its network, its report, its clock and its tally.

    Args:
        network: computes the tiles.
        batch: tiles computed at once.
        report: where progress goes, and who knows of a cancel.
        total: tiles of the whole job, all passes together, for the progress.
    """

    def __init__(self, network: Network, batch: int, report: Reporter, total: int) -> None:
        self.network = network
        self.batch = batch
        self.clock = Stopwatch()
        self.computed_tiles = 0
        self.skipped_tiles = 0
        self._report = report
        self._pixels: Float32Array = np.empty((0, 0, 0, 0), np.float32)
        self._valid: Float32Array = self._pixels
        self._done = 0
        self._total = total

    def buffers(self, tiles: int, bands: int, tile_px: int) -> tuple[Float32Array, Float32Array]:
        """Return arrays for a batch, ``(B, C, T, T)`` and ``(B, 1, T, T)``, reused by each.

        New memory of this size comes from the system page by page, which costs
        more than filling it.
        """
        shape = (self.batch, bands, tile_px, tile_px)
        if self._pixels.shape != shape:
            self._pixels = np.empty(shape, np.float32)
            self._valid = np.empty((self.batch, 1, tile_px, tile_px), np.float32)
        return self._pixels[:tiles], self._valid[:tiles]

    def check_cancelled(self) -> None:
        """Raise ``cancelled`` where nobody wants the result any more."""
        self._report.check_cancelled()

    def advance(self, tiles: int) -> None:
        """Tell that so many more tiles are settled, computed or skipped."""
        self._done += tiles
        self._report.progress(self._done, self._total, "tiles")


class StripeReader:
    """Full-width stripes of a raster; going down from one to the next, no row is read twice.

    Args:
        source: the raster.
        bands: 0-based bands to read.
        height: rows of a stripe.
        clock: gets the time spent under ``read``.
    """

    def __init__(
        self, source: RasterSource, bands: Sequence[int], height: int, clock: Stopwatch
    ) -> None:
        self._source = source
        self._bands = list(bands)
        self._table = source.bands.take(self._bands)
        self._height = height
        self._clock = clock
        width = source.grid.width
        self._data = np.empty((len(self._bands), height, width), source.dtype)
        self._valid = np.zeros((height, width), np.bool_)
        self._rows = range(0)  # what the buffer holds

    def read(self, row: int) -> Tile:
        """Return the stripe from ``row`` on; it is overwritten by the next call.

        Pixels that are not valid hold 0 in every band.
        """
        width = self._source.grid.width
        with self._clock.time("read"):
            # Rows that the last stripe shares with this one move up, the others are read.
            keep = self._rows.stop - row if row in self._rows else 0
            if keep:
                self._data[:, :keep] = self._data[:, -keep:]
                self._valid[:keep] = self._valid[-keep:]
            if keep < self._height:
                window = Window(0, row + keep, width, self._height - keep)
                tile = self._source.read_tile(window, self._bands)
                self._data[:, keep:] = tile.data
                self._valid[keep:] = tile.valid
                if not tile.valid.all():
                    # Nodata may be NaN or 1e38, and either times 0 is no number.
                    np.copyto(self._data[:, keep:], 0, where=~tile.valid)
        self._rows = range(row, row + self._height)
        return Tile(
            self._data,
            self._valid,
            Window(0, row, width, self._height),
            self._source.grid,
            self._table,
        )


def with_pixels(stripe: Tile, starts: Sequence[int], plan: TilePlan) -> list[int]:
    """Return those of the tiles that begin at ``starts`` which hold a valid pixel."""
    return [col for col in starts if stripe.valid[:, col : col + plan.width].any()]


def run_stripe(
    run: Run, stripe: Tile, starts: Sequence[int], plan: TilePlan
) -> Iterator[tuple[int, Float32Array]]:
    """Compute the tiles of one stripe in batches; those without a valid pixel are skipped.

    Args:
        run: the job's network, report and clock.
        stripe: full-width rows, as high as the plan's tiles.
        starts: first column of each tile to compute.
        plan: gives the size of the tiles.

    Yields:
        First column and output ``(D, rows, cols)`` of each tile, cropped to the raster.

    Raises:
        HyperKDError: ``cancelled``; ``unsupported_raster`` where the network
            gives something that is no finite number.
    """
    wanted = with_pixels(stripe, starts, plan)
    run.skipped_tiles += len(starts) - len(wanted)
    run.advance(len(starts) - len(wanted))
    for first in range(0, len(wanted), run.batch):
        run.check_cancelled()
        cols = wanted[first : first + run.batch]
        with run.clock.time("prepare"):
            pixels, valid = run.buffers(len(cols), len(stripe.data), plan.tile_px)
            _fill(pixels, valid, stripe, cols, plan)
        with run.clock.time("compute"):
            output = run.network.run(pixels, valid)
            # A sum is finite only where all its terms are, and costs a fraction of isfinite.
            finite = np.isfinite(output.sum())
        if not finite:
            raise _not_finite(stripe, cols, plan)
        for index, col in enumerate(cols):
            yield col, output[index, :, : plan.height, : plan.width]
        run.computed_tiles += len(cols)
        run.advance(len(cols))


def _fill(
    pixels: Float32Array, valid: Float32Array, stripe: Tile, cols: Sequence[int], plan: TilePlan
) -> None:
    """Cut tiles out of a stripe into ``pixels`` (B, C, T, T) and ``valid`` (B, 1, T, T).

    A raster smaller than a tile is continued by reflection, mask included.
    """
    below, right = plan.tile_px - plan.height, plan.tile_px - plan.width
    for index, col in enumerate(cols):
        data = stripe.data[:, :, col : col + plan.width]
        mask = stripe.valid[:, col : col + plan.width]
        if below or right:
            data = np.pad(data, ((0, 0), (0, below), (0, right)), mode="reflect")
            mask = np.pad(mask, ((0, below), (0, right)), mode="reflect")
        pixels[index] = data
        valid[index, 0] = mask


def _not_finite(stripe: Tile, cols: Sequence[int], plan: TilePlan) -> HyperKDError:
    window = stripe.window
    end = cols[-1] + plan.width
    values = stripe.data[:, :, cols[0] : end][:, stripe.valid[:, cols[0] : end]]
    return HyperKDError(
        "unsupported_raster",
        f"The student gives no finite numbers for columns {cols[0]} to {end - 1}, rows "
        f"{window.row} to {window.row_end - 1}; the stored values there run from "
        f"{values.min():g} to {values.max():g}.",
        "Declare values that mean 'no data' as nodata, and check scale and offset of the bands.",
        window=[cols[0], window.row, end - cols[0], window.height],
    )


class FinishedRows(NamedTuple):
    """Rows of the result that no later tile changes; both arrays are reused afterwards.

    Attributes:
        values: ``(D, row, col)`` float32, NaN where the input is not valid.
        input: the same rows of the input.
    """

    values: Float32Array
    input: Tile


def run_tiled(
    run: Run,
    source: RasterSource,
    bands: Sequence[int],
    plan: TilePlan,
    count: int,
    transform: Optional[Callable[[Float32Array], NDArray[np.float32]]] = None,
) -> Iterator[FinishedRows]:
    """Run a network over a whole raster and yield blended rows from top to bottom.

    Args:
        run: the job's network, report and clock.
        source: the raster.
        bands: 0-based bands that the network eats, in its order.
        plan: where the tiles lie.
        count: D, bands of the result.
        transform: linear map of a tile's output ``(., row, col)`` to ``(D, row, col)``,
            applied before the blending.

    Raises:
        HyperKDError: ``no_valid_pixels`` at the end where there was none;
            ``cancelled``; what reading and computing raise.
    """
    reader = StripeReader(source, bands, plan.height, run.clock)
    row_weights = axis_weights(plan.grid.height, plan.rows, plan.tile_px)
    col_weights = axis_weights(plan.grid.width, plan.cols, plan.tile_px)
    weight_of = dict(zip(plan.cols, col_weights))
    strip = RollingStrip(count, plan.height, plan.grid.width)
    any_valid = False
    for index, row in enumerate(plan.rows):
        run.check_cancelled()
        stripe = reader.read(row)
        for col, output in run_stripe(run, stripe, plan.cols, plan):
            with run.clock.time("blend"):
                tile = output if transform is None else transform(output)
                strip.add(tile, col, row_weights[index][:, None] * weight_of[col])
        last = index + 1 == len(plan.rows)
        rows = plan.height if last else plan.rows[index + 1] - row
        finished = _top(stripe, rows)
        any_valid |= bool(finished.valid.any())
        values = strip.top(rows)
        np.copyto(values, np.nan, where=~finished.valid)
        yield FinishedRows(values, finished)
        with run.clock.time("blend"):
            strip.roll(rows)
    if not any_valid:
        raise no_valid_pixels(source)


def no_valid_pixels(source: RasterSource) -> HyperKDError:
    """Return the error for a raster in which no pixel carries a spectrum."""
    return HyperKDError(
        "no_valid_pixels",
        f"{source.path} has no valid pixel: {source.grid.width} x {source.grid.height} pixels, "
        "all nodata.",
        "Check the nodata value of the raster, or choose another one.",
    )


def _top(stripe: Tile, rows: int) -> Tile:
    """Return the first rows of a stripe as a view."""
    window = Window(stripe.window.col, stripe.window.row, stripe.window.width, rows)
    return Tile(stripe.data[:, :rows], stripe.valid[:rows], window, stripe.grid, stripe.bands)
