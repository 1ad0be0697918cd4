"""A few windows of a raster, enough to tell empty bands, nodata and the scale of the values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from hyperkd.raster.masks import has_value
from hyperkd.types import FloatArray, GridSpec, Window

_WINDOW_PX = 32
# A raster up to this size is looked at as a whole.
_WHOLE_PX = 96
_MOST_WINDOWS = 9
# What the sample may decode: a block of an EnMAP COG alone holds 117 MB.
_BUDGET_BYTES = 256 * 2**20
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
    """

    pixels: NDArray[Any]
    windows: int
    whole: bool

    @property
    def place(self) -> str:
        """How to call the sampled pixels in a sentence."""
        return "the raster" if self.whole else f"{self.windows} sampled windows"


def take_sample(
    read: Callable[[Window], NDArray[Any]],
    grid: GridSpec,
    window_bytes: Callable[[Window], int],
    nodata: FloatArray,
) -> Sample:
    """Read the windows that ``sample_windows`` names, more only where those hold no data.

    Args:
        read: returns the stored values ``(band, row, col)`` of a window.
        grid: the raster's grid.
        window_bytes: what the file has to decode for a window.
        nodata: ``(bands,)`` nodata values, NaN where a band declares none.
    """
    chunks: list[NDArray[Any]] = []
    found = False
    planned = _planned(grid, window_bytes)
    for count, window in enumerate(sample_windows(grid)):
        if count >= planned and found:
            break
        pixels = read(window)
        chunks.append(pixels.reshape(len(pixels), -1))
        found = found or any(
            bool(has_value(band, float(value)).any()) for band, value in zip(pixels, nodata)
        )
    return Sample(
        np.concatenate(chunks, axis=1), len(chunks), len(chunks) == 1 and window == grid.window
    )


def sample_windows(grid: GridSpec) -> Iterator[Window]:
    """Yield the windows to sample, the most telling first; a small raster is one window."""
    if grid.width <= _WHOLE_PX and grid.height <= _WHOLE_PX:
        yield grid.window
        return
    steps = [(i + 0.5) / _LATTICE for i in range(_LATTICE)]
    for down, right in (*_PLACES, *((down, right) for down in steps for right in steps)):
        width, height = min(_WINDOW_PX, grid.width), min(_WINDOW_PX, grid.height)
        yield Window(
            round(right * (grid.width - width)), round(down * (grid.height - height)), width, height
        )


def _planned(grid: GridSpec, window_bytes: Callable[[Window], int]) -> int:
    cost = window_bytes(next(sample_windows(grid)))
    return max(1, min(_MOST_WINDOWS, _BUDGET_BYTES // cost))
