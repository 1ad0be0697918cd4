"""A few windows of a raster, enough to tell empty bands, nodata and the scale of the values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.masks import has_value
from hyperkd.types import FloatArray, GridSpec, Window

_WINDOW_PX = 32
# Where the budget is spent with the first window, it may as well show more of its block.
_ONLY_WINDOW_PX = 96
# A raster up to this size is looked at as a whole.
_WHOLE_PX = 96
_MOST_WINDOWS = 9
# What the sample may decode: every job waits for it. A block of an EnMAP COG alone holds 117 MB.
_BUDGET_BYTES = 64 * 2**20
# In a file of strips, or where a block is decoded from its top, a window of this many rows or
# one strip, and as many columns as make up for it: 32 rows would decode several whole strips.
_STRIP_ROWS = 4
# Where the first windows hold no data at all, the search goes on over this lattice.
_LATTICE = 8
# Centre and inner quarters hold data in a rotated footprint, corners its border.
_PLACES = (
    *((0.5, 0.5), (0.0, 0.0), (0.25, 0.25), (0.75, 0.75), (1.0, 1.0)),
    *((0.25, 0.75), (0.75, 0.25), (0.0, 1.0), (1.0, 0.0)),
)


@dataclass(frozen=True)
class Sample:
    """Stored values of some pixels.

    Attributes:
        pixels: ``(band, pixel)`` stored values.
        windows: how many windows they come from.
        whole: whether they are the whole raster.
        unreadable: how many more windows cannot be read.
    """

    pixels: NDArray[Any]
    windows: int
    whole: bool
    unreadable: int = 0

    @property
    def place(self) -> str:
        """How to call the sampled pixels in a sentence."""
        return "the raster" if self.whole else f"{self.windows} sampled windows"


def take_sample(
    read: Callable[[Window], NDArray[Any]],
    grid: GridSpec,
    window_bytes: Callable[[Window], int],
    nodata: FloatArray,
    block_shape: Optional[tuple[int, int]] = None,
    *,
    from_top: bool = False,
) -> Sample:
    """Read the windows that ``sample_windows`` names, more only where those hold no data.

    Args:
        read: returns the stored values ``(band, row, col)`` of a window.
        grid: the raster's grid.
        window_bytes: what the file has to decode for a window.
        nodata: ``(bands,)`` nodata values, NaN where a band declares none.
        block_shape: ``(rows, cols)`` of a block, where that matters.
        from_top: whether a block is decoded from its top to the end of the window only.

    Raises:
        HyperKDError: ``unreadable_raster`` where none of the windows can be read.
    """
    chunks: list[NDArray[Any]] = []
    unreadable: list[HyperKDError] = []
    found = False
    planned = _planned(next(sample_windows(grid, block_shape, from_top=from_top)), window_bytes)
    side = _WINDOW_PX
    if planned == 1 and block_shape is not None and min(block_shape) >= _ONLY_WINDOW_PX:
        side = _ONLY_WINDOW_PX
    for count, window in enumerate(sample_windows(grid, block_shape, side, from_top)):
        if count >= planned and found:
            break
        try:
            pixels = read(window)
        except HyperKDError as error:
            if error.code != "unreadable_raster":
                raise
            unreadable.append(error)
            if count + 1 >= planned and not chunks:
                break
            continue
        chunks.append(pixels.reshape(len(pixels), -1))
        found = found or any(
            bool(has_value(band, float(value)).any()) for band, value in zip(pixels, nodata)
        )
    if not chunks:
        raise unreadable[0]
    whole = len(chunks) == 1 and window == grid.window
    return Sample(np.concatenate(chunks, axis=1), len(chunks), whole, len(unreadable))


def sample_windows(
    grid: GridSpec,
    block_shape: Optional[tuple[int, int]] = None,
    side: int = _WINDOW_PX,
    from_top: bool = False,
) -> Iterator[Window]:
    """Yield the windows to sample, the most telling first; a small raster is one window.

    With a ``block_shape`` they cross as few borders between blocks as possible; ``side`` is
    that of a window, which is lower and wider in a file of strips and ``from_top``: then
    the first ones, which nearly always hold data, begin where a block does.
    """
    if grid.width <= _WHOLE_PX and grid.height <= _WHOLE_PX:
        yield grid.window
        return
    block_rows, block_cols = block_shape or (1, 1)
    rows = cols = side
    if from_top:
        rows = _STRIP_ROWS
    elif block_shape is not None and block_rows < _WINDOW_PX and block_cols >= grid.width:
        rows = block_rows * max(1, _STRIP_ROWS // block_rows)
    if rows != side:
        cols = _WINDOW_PX**2 // rows
    height, width = min(rows, grid.height), min(cols, grid.width)
    steps = [(i + 0.5) / _LATTICE for i in range(_LATTICE)]
    lattice = [(down, right) for down in steps for right in steps]
    for number, (down, right) in enumerate((*_PLACES, *lattice)):
        row = round(down * (grid.height - height))
        if from_top and number < len(_PLACES):
            row = _nearest_top(row, grid.height - height, block_rows)
        yield Window(
            _within_block(round(right * (grid.width - width)), width, block_cols),
            _within_block(row, height, block_rows),
            width,
            height,
        )


def _nearest_top(row: int, last: int, block: int) -> int:
    """Return the first row of a block that is nearest to ``row``, at most ``last``."""
    below = -(-row // block) * block
    above = row - row % block
    return below if below <= last and below - row < row - above else above


def _within_block(start: int, size: int, block: int) -> int:
    """Move a start back so that ``size`` pixels touch as few blocks as possible."""
    inside = start % block
    return start - (inside if size >= block else max(0, inside + size - block))


def _planned(first: Window, window_bytes: Callable[[Window], int]) -> int:
    return max(1, min(_MOST_WINDOWS, _BUDGET_BYTES // window_bytes(first)))
