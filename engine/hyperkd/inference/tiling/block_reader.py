"""Threads that read a raster piece by piece, ahead of the computation, within a memory limit.

Pieces are read once, from top to bottom, in whole blocks of the file. A piece stays
until its last row was released; its memory is used again for the next one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling import machine
from hyperkd.inference.tiling.blocks import PieceMesh
from hyperkd.inference.tiling.stage_clock import Stopwatch
from hyperkd.inference.tiling.threads import start_all
from hyperkd.raster.source import RasterSource
from hyperkd.types import BoolArray, Tile, Window

# How often a thread that waits looks whether the job was cancelled.
WAIT_S = 0.1


@dataclass
class Unreadable:
    """What was left out because the file could not be read there.

    Attributes:
        allowed: whether it may be left out at all; otherwise the job fails.
        windows: the windows, as ``[col, row, width, height]``.
    """

    allowed: bool = False
    windows: list[list[int]] = field(default_factory=list)

    def add(self, window: Window) -> None:
        """Note a window, as one with a window right above it or that a job before noted."""
        for known in self.windows:
            col, row, width, height = known
            if (col, width) == (window.col, window.width) and row <= window.row <= row + height:
                known[3] = max(height, window.row_end - row)
                return
        self.windows.append([window.col, window.row, window.width, window.height])

    @property
    def pixels(self) -> int:
        """How many pixels were lost."""
        return sum(width * height for _, _, width, height in self.windows)


class PieceReader:
    """Reads the pieces that a job needs, in their order.

    A context manager: its threads end with the block.

    Args:
        source: the raster; other threads get a copy of their own where it has one.
        bands: 0-based bands to read.
        mesh: how the raster is cut.
        wanted: numbers of the pieces to read, ascending.
        threads: how many to read with at most.
        capacity: bytes of pieces that may be in memory at once.
        clock: gets the time spent under ``read``.
        unreadable: what to do with windows that cannot be read.
    """

    def __init__(
        self,
        source: RasterSource,
        bands: Sequence[int],
        mesh: PieceMesh,
        wanted: Sequence[int],
        *,
        threads: int,
        capacity: int,
        clock: Stopwatch,
        unreadable: Optional[Unreadable] = None,
    ) -> None:
        self.mesh = mesh
        self._source = source
        self._bands = list(bands)
        self._table = source.bands.take(self._bands)
        self._unclaimed = deque(wanted)
        self._capacity = capacity
        self._clock = clock
        self._unreadable = unreadable or Unreadable()
        self._changed = threading.Condition()
        self._reading: set[int] = set()  # columns of pieces in which only one may be read
        self._used = 0  # bytes of pieces in memory
        self._awaited = -1  # the last piece that a thread waits for
        self._pieces: dict[int, Tile] = {}
        self._memory: dict[int, NDArray[Any]] = {}  # what the pieces lie in
        self._spare: dict[int, list[NDArray[Any]]] = {}  # that of released ones, by columns
        self._failure: Optional[BaseException] = None
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"reader {number}")
            for number in range(min(threads, len(wanted)))
        ]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of stored values."""
        return self._source.dtype

    def __enter__(self) -> PieceReader:
        start_all(self._threads, self._end)
        return self

    def _end(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def __exit__(self, *error: object) -> None:
        self._end()
        for thread in self._threads:
            thread.join()

    def wait(self, window: Window, stop: threading.Event) -> bool:
        """Wait until every pixel of ``window`` is in memory.

        Returns:
            False where ``stop`` was set before.

        Raises:
            HyperKDError: what reading raised, in whichever thread.
        """
        needed = self.mesh.touching(window)
        with self._changed:
            if needed[-1] > self._awaited:
                self._awaited = needed[-1]
                self._changed.notify_all()
            while not all(index in self._pieces for index in needed):
                if self._failure is not None:
                    raise self._failure
                if stop.is_set() or self._stopped:
                    return False
                self._changed.wait(WAIT_S)
        return True

    def valid(self, window: Window) -> BoolArray:
        """Return the mask of a window that is in memory, ``(row, col)``."""
        mask = np.empty((window.height, window.width), np.bool_)
        for piece, here, there in self._parts(window):
            mask[here] = piece.valid[there]
        return mask

    def copy(self, window: Window, out: NDArray[Any]) -> None:
        """Put the stored values of a window that is in memory into ``out``, cast to its dtype.

        Args:
            window: where.
            out: ``(band, row, col)``.
        """
        for piece, (rows, cols), (piece_rows, piece_cols) in self._parts(window):
            out[:, rows, cols] = piece.data[:, piece_rows, piece_cols]

    def stored(self, window: Window) -> NDArray[Any]:
        """Return the stored values of a window that is in memory, ``(band, row, col)``."""
        out = np.empty((len(self._bands), window.height, window.width), self.dtype)
        self.copy(window, out)
        return out

    def release(self, row: int) -> None:
        """Free what lies above ``row``; it is not needed any more."""
        with self._changed:
            finished = [i for i, piece in self._pieces.items() if piece.window.row_end <= row]
            for index in finished:
                piece = self._pieces.pop(index)
                self._used -= self._bytes(piece.window)
                self._spare.setdefault(piece.window.width, []).append(self._memory.pop(index))
            self._changed.notify_all()
        if finished:
            # Blocks of the file come and go in ever new places, and each place stays.
            machine.return_memory()

    def _parts(self, window: Window) -> list[tuple[Tile, tuple[slice, slice], tuple[slice, slice]]]:
        """Return each piece of a window, where its part lies in the window and in the piece."""
        found = []
        for index in self.mesh.touching(window):
            piece = self._pieces[index]
            common = window.intersection(piece.window)
            if common is not None:
                found.append((piece, common.slices(window), common.slices(piece.window)))
        return found

    def _work(self, number: int) -> None:
        source: Optional[RasterSource] = self._source
        try:
            if number:
                source = self._source.reopen()
            while source is not None:
                index = self._claim()
                if index is None:
                    break
                piece = self._read(source, index)
                with self._changed:
                    self._pieces[index] = piece
                    self._reading.discard(index % self.mesh.across)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            with self._changed:
                self._failure = self._failure or error
                self._changed.notify_all()
        finally:
            if source is not None and source is not self._source:
                source.close()

    def _claim(self) -> Optional[int]:
        """Return the next piece to read as soon as there is memory for it, or None at the end."""
        with self._changed:
            while not self._stopped and self._failure is None and self._unclaimed:
                index = self._next()
                if index is not None:
                    size = self._bytes(self.mesh.window(index))
                    # An awaited piece is read in any case: the limit must not stop the job.
                    fits = self._used + size <= self._capacity
                    if fits or self._used == 0 or index <= self._awaited:
                        self._unclaimed.remove(index)
                        if self._source.streamed:
                            self._reading.add(index % self.mesh.across)
                        self._used += size
                        return index
                self._changed.wait()
        return None

    def _next(self) -> Optional[int]:
        """Return the next piece that may be read now: of a column only one where it is streamed."""
        if len(self._reading) == self.mesh.across:
            return None
        across = self.mesh.across
        return next((i for i in self._unclaimed if i % across not in self._reading), None)

    def _bytes(self, window: Window) -> int:
        return window.width * window.height * len(self._bands) * self._source.dtype.itemsize

    def _array(self, index: int) -> NDArray[Any]:
        """Return an array for a piece; new memory comes from the system page by page."""
        window = self.mesh.window(index)
        shape = (len(self._bands), window.height, window.width)
        size = len(self._bands) * self.mesh.rows * window.width
        with self._changed:
            spare = self._spare.get(window.width)
            flat = spare.pop() if spare else np.empty(size, self._source.dtype)
            self._memory[index] = flat
        return flat[: shape[0] * shape[1] * shape[2]].reshape(shape)

    def _read(self, source: RasterSource, index: int) -> Tile:
        window, out = self.mesh.window(index), self._array(index)
        with self._clock.time("read"):
            source.check_unchanged()
            try:
                return source.read_tile(window, self._bands, out)
            except HyperKDError as error:
                if error.code != "unreadable_raster":
                    raise
            return self._read_blocks(source, window, out)

    def _read_blocks(self, source: RasterSource, window: Window, out: NDArray[Any]) -> Tile:
        """Read a piece block by block, so that the error names the block, or only that is lost."""
        valid = np.zeros((window.height, window.width), np.bool_)
        block_rows, block_cols = source.block_shape
        for row in range(window.row, window.row_end, block_rows):
            for col in range(window.col, window.col_end, block_cols):
                width, height = min(block_cols, window.col_end - col), block_rows
                block = Window(col, row, width, min(height, window.row_end - row))
                rows, cols = block.slices(window)
                try:
                    tile = source.read_tile(block, self._bands)
                except HyperKDError as error:
                    if error.code != "unreadable_raster" or not self._unreadable.allowed:
                        raise
                    out[:, rows, cols] = 0
                    with self._changed:
                        self._unreadable.add(block)
                    continue
                out[:, rows, cols] = tile.data
                valid[rows, cols] = tile.valid
        return Tile(out, valid, window, source.grid, self._table)
