"""A thread that writes finished rows, in whole blocks of the output files."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling.block_reader import WAIT_S
from hyperkd.inference.tiling.journal import Journal
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.threads import start_all
from hyperkd.inference.tiling.tile_plan import Panel
from hyperkd.raster.sink import RasterSink, RasterSpec
from hyperkd.types import GridSpec, Window

# A portion of rows of all outputs together should not be larger; blocks of the output are
# multiples of 16 rows high.
_PORTION_BYTES = 32 * 2**20
_BLOCK_ROWS = (256, 128, 64, 32)


def block_rows(row_bytes: int) -> int:
    """Return how high the blocks of outputs are whose rows take ``row_bytes`` together."""
    fitting = [rows for rows in _BLOCK_ROWS if rows * row_bytes <= _PORTION_BYTES]
    return fitting[0] if fitting else _BLOCK_ROWS[-1]


def portions(grid: GridSpec, rows: int, panels: Sequence[Panel] = ()) -> list[Window]:
    """Return full-width windows of so many rows, or those of each panel, one after the other."""
    return [
        Window(first, row, end - first, min(rows, grid.height - row))
        for first, end in [(panel.first, panel.end) for panel in panels] or [(0, grid.width)]
        for row in range(0, grid.height, rows)
    ]


@dataclass(frozen=True, eq=False)
class OutputFile:
    """One of the files that a job writes.

    Attributes:
        role: the job's field that asked for it.
        about: settings that changed this output, for its metadata.
        observe: called with every portion that is written, ``(band, row, col)``, in order;
            also with those of a job that is resumed.
    """

    role: str
    path: str
    raster: RasterSpec
    about: Mapping[str, Any] = field(default_factory=dict)
    observe: Optional[Callable[[NDArray[Any]], None]] = None


class RowWriter:
    """Collects rows until they fill a row of blocks, then writes them in a thread of its own.

    A block that is written in portions may be compressed and rewritten for each
    of them where GDAL's cache is smaller than a row of blocks: several times
    the work, and a file several times too large.

    A context manager: it completes the files on success, all of them before the first
    gets its name, and removes them on any exception.

    Args:
        outputs: the files that they make.
        windows: portions of whole blocks, in the order in which their rows come.
        clock: gets the time spent under ``write``.
        journal: keeps what was written, or None. Where the disk is too full for it, the
            job continues without.
        keep: whether the journal stays when the job fails; then the job needs it.
    """

    def __init__(
        self,
        sinks: Sequence[RasterSink],
        outputs: Sequence[OutputFile],
        windows: Sequence[Window],
        clock: Stopwatch,
        *,
        journal: Optional[Journal] = None,
        keep: bool = False,
    ) -> None:
        self._sinks, self._outputs = list(sinks), list(outputs)
        self._windows = list(windows)
        self._clock = clock
        self._journal = journal
        self._keep = keep
        self._next = 0  # the portion that is being filled
        self._filled = 0
        self._rasters = [output.raster for output in outputs]
        largest = max(window.width * window.height for window in windows)
        # One set is filled while the other is written.
        self._spare: queue.Queue[list[NDArray[Any]]] = queue.Queue()
        for _ in range(2):
            self._spare.put([np.empty(r.count * largest, r.dtype) for r in self._rasters])
        self._buffers: list[NDArray[Any]] = []
        self._full: queue.Queue[Optional[tuple[Window, list[NDArray[Any]]]]] = queue.Queue()
        self._failure: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._work, name="writer")

    def resume(self) -> int:
        """Write what the journal holds of an older job; returns the number of portions."""
        if self._journal is None:
            return 0
        shapes = [
            [((r.count, window.height, window.width), r.dtype) for r in self._rasters]
            for window in self._windows
        ]
        for arrays in self._journal.replay(shapes):
            self._put(self._windows[self._next], arrays)
            self._next += 1
        return self._next

    def append(self, *arrays: NDArray[Any]) -> None:
        """Add the next rows of the panel, one ``(band, row, col)`` of stored values per output.

        Raises:
            HyperKDError: ``out_of_disk`` or ``unwritable_output``, also for earlier rows.
        """
        start, height = 0, arrays[0].shape[1]
        while start < height:
            self._check()
            window = self._windows[self._next]
            if not self._buffers:
                self._buffers = self._take(window)
            rows = min(height - start, window.height - self._filled)
            for buffer, values in zip(self._buffers, arrays):
                buffer[:, self._filled : self._filled + rows] = values[:, start : start + rows]
            start += rows
            self._filled += rows
            if self._filled == window.height:
                self._full.put((window, self._buffers))
                self._next, self._filled, self._buffers = self._next + 1, 0, []

    def wait(self) -> None:
        """Wait until all rows are written and observed; none may follow.

        Raises:
            HyperKDError: ``out_of_disk`` or ``unwritable_output``.
        """
        if self._thread.is_alive():
            self._full.put(None)
            self._thread.join()
        self._check()

    def _take(self, window: Window) -> list[NDArray[Any]]:
        """Return arrays for a portion, as soon as an earlier one is written."""
        while True:
            try:
                spare = self._spare.get(timeout=WAIT_S)
                break
            except queue.Empty:
                self._check()
                if not self._thread.is_alive():
                    raise RuntimeError("the thread that writes has ended") from None
        self._check()
        return [
            flat[: r.count * window.height * window.width].reshape(
                r.count, window.height, window.width
            )
            for flat, r in zip(spare, self._rasters)
        ]

    def _work(self) -> None:
        while True:
            portion = self._full.get()
            if portion is None:
                return
            window, arrays = portion
            try:
                # After a failure the rest is discarded, so that no thread waits for memory.
                if self._failure is None:
                    with self._clock.time("write"):
                        self._note(arrays)
                        self._put(window, arrays)
            except BaseException as error:  # noqa: BLE001 - raised again by append()
                self._failure = error
            self._spare.put([self._flat(array) for array in arrays])

    def _note(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Keep a portion in the journal, or continue without one unless the job needs it."""
        if self._journal is None:
            return
        try:
            self._journal.append(arrays)
        except HyperKDError as error:
            if self._keep or error.code != "out_of_disk":
                raise
            self._journal.remove()
            self._journal = None

    @staticmethod
    def _flat(array: NDArray[Any]) -> NDArray[Any]:
        if array.base is None:
            raise ValueError("an array of the writer owns its memory")
        return array.base

    def _put(self, window: Window, arrays: Sequence[NDArray[Any]]) -> None:
        for sink, output, array in zip(self._sinks, self._outputs, arrays):
            sink.write(window, array)
            if output.observe is not None:
                output.observe(array)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> RowWriter:
        try:
            start_all([self._thread], lambda: None)
        except HyperKDError:
            self._abort(self._keep)
            raise
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        try:
            self.wait()
        except BaseException:
            self._abort(self._keep)
            if kind is None:
                raise
            return  # the error that ended the block is more specific
        if kind is None:
            self._commit()
        else:
            self._abort(self._keep)

    def _commit(self) -> None:
        if self._next != len(self._windows):
            self._abort(keep=False)
            raise ValueError(f"{self._next} of {len(self._windows)} portions were written")
        try:
            with self._clock.time("write"):
                for sink in self._sinks:
                    sink.finish()
                for sink in self._sinks:
                    sink.commit()
        except BaseException:
            self._abort(self._keep)
            raise
        if self._journal is not None:
            self._journal.remove()

    def _abort(self, keep: bool) -> None:
        for sink in self._sinks:
            sink.abort()
        if self._journal is not None and keep:
            self._journal.close()
        elif self._journal is not None:
            self._journal.remove()
