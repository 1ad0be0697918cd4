"""Filling missing values, some rows at a time, each with the row above and below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.inference.restoration.learned_spectra import LearnedSpectra, weight_of
from hyperkd.inference.restoration.missing_values import Gaps, MissingValues, stored_as
from hyperkd.inference.restoration.row_tiles import row_tiles
from hyperkd.raster.one_nodata import with_one_nodata
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.missing_bands import bridging
from hyperkd.types import BandTable, BoolArray, FloatArray, Ints, Reporter


@dataclass(frozen=True, eq=False)
class Rows:
    """Some full-width rows: ``(band, row, col)`` stored values, and what they lack."""

    data: NDArray[Any]
    gaps: Gaps

    def row(self, number: int) -> Rows:
        """Return one row alone, counted from the end where negative."""
        row = slice(number, number + 1 or None)
        gaps = self.gaps
        left = (gaps.lacking[row], gaps.masked[row])
        return Rows(self.data[:, row], Gaps(gaps.carries[row], gaps.missing[:, row], *left))


def read_rows(source: RasterSource, values: MissingValues, report: Reporter) -> Iterator[Rows]:
    """Yield all rows from top to bottom, a few at a time."""
    for tile in row_tiles(source, report):
        yield Rows(tile.data, values.gaps(tile))


def with_neighbours(parts: Iterable[Rows]) -> Iterator[tuple[Optional[Rows], Rows, Optional[Rows]]]:
    """Yield the last row before, the rows, and the first row after them."""
    above: Optional[Rows] = None
    held: Optional[Rows] = None
    for rows in parts:
        if held is not None:
            yield above, held, rows.row(0)
            above = held.row(-1)
        held = rows
    if held is not None:
        yield above, held, None


@dataclass(eq=False)
class Filler:
    """Fills rows and counts what it filled.

    Attributes:
        table: of the raster.
        values: what tells missing values.
        scene: what the scene taught.
        nodata: the value for all bands of the output, or None.
        counts: ``(band,)`` filled values so far.
    """

    table: BandTable
    values: MissingValues
    scene: LearnedSpectra
    nodata: Optional[float]
    counts: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.table), np.int64)
        roles = self.values.roles
        self._learned = roles.measured[self.scene.learned]
        # Bands that the scene does not teach lie on a line between two that it does.
        self._lined = np.concatenate([roles.measured[~self.scene.learned], roles.replaced])
        known = np.zeros(len(self.table), bool)
        known[self._learned] = True
        self._line = bridging(known, self.table.wavelengths.centre_nm).matrix

    @property
    def interpolated(self) -> Ints:
        """The bands that nobody used and that lie on a line now, 0-based and sorted."""
        return np.sort(self._lined[~self.table.good[self._lined]])

    def predicted(self) -> BoolArray:
        """Return the bands whose values the model predicts, ``(band,)``; others lie on a line."""
        flags = np.zeros(len(self.table), bool)
        if self.scene.model is not None:
            flags[self._learned] = True
        return flags

    def fill(
        self, above: Optional[Rows], rows: Rows, below: Optional[Rows]
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Return the stored values of the output and, of the same shape, what was filled."""
        data, filled = rows.data.copy(), np.zeros(rows.data.shape, np.uint8)
        missing = rows.gaps.missing[self.scene.learned]
        if missing.any():
            self._fill_learned(above, rows, below, data)
            filled[self._learned] = missing
        for band in self._lined:
            self._fill_line(int(band), rows.gaps, data, filled)
        self.counts += filled.sum(axis=(1, 2), dtype=np.int64)
        if self.nodata is not None:
            carries = rows.gaps.carries
            data = with_one_nodata(data, self.table, self.nodata, rows.gaps.masked, carries)
        return data, filled

    def _fill_learned(
        self, above: Optional[Rows], rows: Rows, below: Optional[Rows], data: NDArray[Any]
    ) -> None:
        """Put what is predicted into ``data``."""
        parts = [part for part in (above, rows, below) if part is not None]
        missing = np.concatenate([part.gaps.missing for part in parts], 1)[self.scene.learned]
        carries = np.concatenate([part.gaps.carries for part in parts])
        first = 0 if above is None else 1
        inner = np.zeros_like(carries)
        inner[first : first + rows.data.shape[1]] = True
        wanted = missing.any(axis=0) & inner
        used = _widened(wanted) & carries
        stored = np.concatenate([part.data[self._learned] for part in parts], axis=1)
        table = self.table.take(self._learned)
        present = ~missing[:, used].T
        spectra = np.where(present, stored[:, used].T * table.scale + table.offset, np.nan)
        filled = self.scene.filled(spectra, present)
        target = wanted[used]
        result = filled[target]
        if self.scene.model is not None:
            mean, count = self._around(filled, present, used, wanted)
            weight = weight_of(self.scene.correlation, count)
            result += self.scene.model.surprise(~present[target], weight * mean)
        place = np.nonzero(wanted)
        for index, band in enumerate(self._learned):
            lacks = ~present[target, index]
            values = stored_as(result[lacks, index], int(band), self.table, data.dtype, self.nodata)
            data[band, place[0][lacks] - first, place[1][lacks]] = values

    def _around(
        self, filled: FloatArray, present: BoolArray, used: BoolArray, wanted: BoolArray
    ) -> tuple[FloatArray, Ints]:
        """Return the mean innovation of the up to eight neighbours that have a band.

        Args:
            filled, present: ``(n, L)`` the pixels of ``used``.
            used, wanted: ``(row, col)``; ``wanted`` lies within ``used``.

        Returns:
            ``(k, L)`` for the pixels of ``wanted``, and of how many neighbours it is the mean.
        """
        if self.scene.model is None:
            raise ValueError("no model, no innovations")
        innovations = np.where(present, self.scene.model.innovations(filled), 0.0)
        place = np.full((used.shape[0] + 2, used.shape[1] + 2), -1, np.int64)
        place[1:-1, 1:-1][used] = np.arange(len(filled))
        rows, cols = np.nonzero(wanted)
        total = np.zeros((rows.size, filled.shape[1]))
        count = np.zeros(total.shape, np.int64)
        for down, right in ((a, b) for a in range(3) for b in range(3) if (a, b) != (1, 1)):
            beside = place[rows + down, cols + right]
            there = beside >= 0
            total[there] += innovations[beside[there]]
            count[there] += present[beside[there]]
        return total / np.maximum(count, 1), count

    def _fill_line(
        self, band: int, gaps: Gaps, data: NDArray[Any], filled: NDArray[np.uint8]
    ) -> None:
        """Fill a band from the two beside it, which have a value wherever a pixel has one."""
        own = np.flatnonzero(self.values.roles.measured == band)
        lacks = gaps.missing[own[0]] if own.size else gaps.carries
        if lacks.any():
            values = np.zeros(int(lacks.sum()))
            for other in np.flatnonzero(self._line[band]):
                reflectance = data[other][lacks] * self.table.scale[other]
                values += self._line[band, other] * (reflectance + self.table.offset[other])
            data[band][lacks] = stored_as(values, band, self.table, data.dtype, self.nodata)
            filled[band] = lacks
        if not own.size:
            self._blank(data[band], ~gaps.carries)

    def _blank(self, band: NDArray[Any], where: BoolArray) -> None:
        """Take from a band that is good now what it held where no pixel could be restored."""
        if self.nodata is not None:
            band[where] = self.nodata
        elif band.dtype.kind == "f":
            band[where] = np.nan


def _widened(flags: BoolArray) -> BoolArray:
    """Return the flags and those around them, ``(row, col)``."""
    padded = np.pad(flags, 1)
    wide = np.zeros_like(flags)
    height, width = flags.shape
    for down in range(3):
        for right in range(3):
            wide |= padded[down : down + height, right : right + width]
    return wide
