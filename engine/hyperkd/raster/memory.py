"""A raster in memory: an array as a ``RasterSource``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.problems import Problem
from hyperkd.raster.masks import Missing, valid_mask
from hyperkd.types import BandTable, GridSpec, Tile, Window


class MemoryRaster:
    """A raster in memory, for tests and for arrays that are already there.

    Args:
        data: ``(band, row, col)`` stored values.
        bands: their band table.
        grid: geometry; default: none but the size.
        block_shape: ``(rows, cols)`` that the raster claims to decode at once.
        interleave: ``band``, ``line`` or ``pixel``.
        problems: what the raster claims to be odd about itself.
        missing: the rule for the valid mask, see ``masks.valid_mask``.

    Attributes:
        windows: every window read so far, in order.
    """

    def __init__(
        self,
        data: NDArray[Any],
        bands: BandTable,
        grid: Optional[GridSpec] = None,
        *,
        block_shape: tuple[int, int] = (256, 256),
        interleave: str = "band",
        problems: Sequence[Problem] = (),
        missing: Missing = "any",
        path: str = "memory",
    ) -> None:
        if data.ndim != 3 or data.shape[0] != len(bands):
            raise ValueError(f"data has shape {data.shape}, the table {len(bands)} bands")
        self.path = path
        self.grid = grid or GridSpec(width=data.shape[2], height=data.shape[1])
        if data.shape[1:] != (self.grid.height, self.grid.width):
            raise ValueError(f"data has shape {data.shape}, the grid {self.grid}")
        self.bands = bands
        self.dtype = data.dtype
        self.block_shape = block_shape
        self.interleave = interleave
        self.streamed = self.masked = False
        self.problems = tuple(problems)
        self.items: Mapping[str, str] = {}
        self.windows: list[Window] = []
        self._data = data
        self._missing = missing

    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return a copy of stored values ``(band, row, col)``."""
        self.grid.require_inside(window)
        self.windows.append(window)
        rows, cols = window.slices()
        index = slice(None) if bands is None else list(bands)
        return np.array(self._data[index, rows, cols], order="C")

    def read_tile(
        self,
        window: Window,
        bands: Optional[Sequence[int]] = None,
        out: Optional[NDArray[Any]] = None,
    ) -> Tile:
        """Return stored values with their mask, grid and bands."""
        data = self.read(window, bands)
        if out is not None:
            np.copyto(out, data)
            data = out
        table = self.bands if bands is None else self.bands.take(bands)
        return Tile(data, valid_mask(data, table, self._missing), window, self.grid, table)

    def stream(self, wanted: bool, verified: bool = False) -> None:
        """Do nothing: an array is not decoded."""

    def reopen(self) -> MemoryRaster:
        """Return the raster itself: an array may be read by several threads."""
        return self

    def stamp(self) -> list[tuple[str, int, int]]:
        """Return nothing: there is no file."""
        return []

    def check_unchanged(self) -> None:
        """Do nothing: memory is the caller's."""

    def close(self) -> None:
        """Do nothing: there is no file."""

    def __enter__(self) -> MemoryRaster:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()
