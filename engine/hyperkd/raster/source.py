"""Reading rasters: the contract of a source, and its windows from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from hyperkd.problems import Problem
from hyperkd.types import BandTable, GridSpec, Tile, Window


class RasterSource(Protocol):
    """A hyperspectral raster that is read window by window.

    One source belongs to one thread; open the file again for another thread.
    After ``close`` nothing may be read any more.
    """

    @property
    def path(self) -> str:
        """The file, as the user named it."""

    @property
    def grid(self) -> GridSpec:
        """Size and geometry."""

    @property
    def bands(self) -> BandTable:
        """What is known about every band of the file."""

    @property
    def items(self) -> Mapping[str, str]:
        """What the file says of all of it, for instance its date."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of stored values."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """``(rows, cols)`` of a block: the least the file decodes at once."""

    @property
    def interleave(self) -> str:
        """``band``, ``line`` or ``pixel``: how the file stores its bands."""

    @property
    def streamed(self) -> bool:
        """Whether windows of one column of blocks are cheap from top to bottom only."""

    @property
    def masked(self) -> bool:
        """Whether more than the values of its bands tells which pixels carry a spectrum."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is odd about the raster though it can be used."""

    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return stored values ``(band, row, col)``, C-contiguous, in ``dtype``.

        Args:
            window: a rectangle inside the raster.
            bands: 0-based bands in the order wanted; default: all.

        Raises:
            HyperKDError: ``unreadable_raster`` where the file breaks off or is
                damaged, ``input_changed`` where it changed since it was opened.
        """

    def read_tile(
        self,
        window: Window,
        bands: Optional[Sequence[int]] = None,
        out: Optional[NDArray[Any]] = None,
    ) -> Tile:
        """Return stored values with their mask, grid and bands; see ``read``.

        Args:
            window, bands: see ``read``.
            out: a C-contiguous array of the tile's shape and dtype that the data may be
                put into; new memory costs more than filling it.
        """

    def stream(self, wanted: bool, verified: bool = False) -> None:
        """Say whether windows will be read from top to bottom, each once.

        Where that lets the file decode less than its blocks at once, ``block_shape`` gets
        lower and ``streamed`` true. A damaged block may then be noticed at its end only,
        after its rows were read; ``verified`` decodes each block twice, so that none of a
        damaged one is.
        """

    def reopen(self) -> Optional[RasterSource]:
        """Return the same raster for another thread, or None where one thread must do.

        What was found out about the bands is taken over, so that it costs little.
        """

    def stamp(self) -> list[tuple[str, int, int]]:
        """Return name, size and time of change of each file of the raster, as it was opened."""

    def check_unchanged(self) -> None:
        """Raise ``input_changed`` where the file is not the one that was opened."""

    def close(self) -> None:
        """Release the file; closing twice does no harm."""

    def __enter__(self) -> RasterSource:
        """Return the source itself."""

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Close the source."""


# Full-width windows of this size keep reading and writing in large pieces.
_STRIPE_BYTES = 128 * 2**20


@contextmanager
def reading_restored(source: RasterSource) -> Iterator[None]:
    """Leave a raster with the way of reading it had, see ``stream``: it is the caller's."""
    streamed = source.streamed
    try:
        yield
    finally:
        source.stream(streamed)


def iterate_stripes(source: RasterSource) -> Iterator[Window]:
    """Yield full-width windows from top to bottom, of whole blocks and about 128 MiB each."""
    with reading_restored(source):
        source.stream(True)
        grid, block_rows = source.grid, source.block_shape[0]
        row_bytes = grid.width * len(source.bands) * source.dtype.itemsize
        rows = max(1, _STRIPE_BYTES // row_bytes // block_rows) * block_rows
        for row in range(0, grid.height, rows):
            yield Window(0, row, grid.width, min(rows, grid.height - row))
