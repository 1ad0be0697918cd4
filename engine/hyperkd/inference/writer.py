"""Writing finished rows in whole blocks of the output file."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.inference.pipeline import Stopwatch
from hyperkd.raster.sink import RasterSink
from hyperkd.types import GridSpec, Window


class RowWriter:
    """Collects rows until they fill a row of blocks, then writes them.

    A block that is written in portions may be compressed and rewritten for each
    of them where GDAL's cache is smaller than a row of blocks: several times
    the work, and a file several times too large.

    A context manager: it completes the file on success and removes it on any exception.

    Args:
        sink: where the rows go.
        grid: the sink's grid.
        count: bands of the sink.
        dtype: stored dtype of the sink.
        clock: gets the time spent under ``write``.
    """

    def __init__(
        self, sink: RasterSink, grid: GridSpec, count: int, dtype: Any, clock: Stopwatch
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._grid = grid
        rows = min(sink.block_shape[0], grid.height)
        self._buffer: NDArray[Any] = np.empty((count, rows, grid.width), dtype)
        self._row = 0  # of the raster, where the buffer begins
        self._filled = 0

    def append(self, values: NDArray[Any]) -> None:
        """Add the next rows from top to bottom, ``(band, row, col)`` stored values."""
        with self._clock.time("write"):
            while values.shape[1]:
                taken = values[:, : self._buffer.shape[1] - self._filled]
                self._buffer[:, self._filled : self._filled + taken.shape[1]] = taken
                self._filled += taken.shape[1]
                values = values[:, taken.shape[1] :]
                if self._filled == self._buffer.shape[1]:
                    self._flush()

    def _flush(self) -> None:
        if self._filled:
            window = Window(0, self._row, self._grid.width, self._filled)
            self._sink.write(window, self._buffer[:, : self._filled])
            self._row += self._filled
            self._filled = 0

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if kind is not None:
            self._sink.abort()
            return
        with self._clock.time("write"), self._sink:
            self._flush()
