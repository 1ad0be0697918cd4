"""One pass over a raster: what is missing, and a sample of spectra to learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.inference.restoration.missing_values import Gaps, MissingValues
from hyperkd.inference.restoration.row_tiles import row_tiles
from hyperkd.raster.source import RasterSource
from hyperkd.types import BoolArray, FloatArray, Ints, Reporter, Tile

# Enough for the covariance of some hundred bands; pixels and their right neighbours.
_MOST_PAIRS: Final = 10_000
# What damaged pixels lack, for the error that is measured on hidden values.
_MOST_PATTERNS: Final = 512
_HASHES: Final = 2**32


@dataclass(frozen=True, eq=False)
class SpectrumPairs:
    """Reflectance of sampled pixels and of their right neighbours.

    Attributes:
        spectra: ``(2, n, C)`` reflectance in the measured bands.
        present: ``(2, n, C)`` which of them count; a neighbour may have none.
        columns: ``(2, n)``.
    """

    spectra: FloatArray
    present: BoolArray
    columns: Ints

    def without(self, faulty: BoolArray) -> SpectrumPairs:
        """Return the pairs without the values of faulty columns, ``(C, col)``."""
        return replace(self, present=self.present & ~faulty.T[self.columns])


@dataclass(frozen=True, eq=False)
class ColumnRanges:
    """The least and the largest value of each column of each measured band, ``(C, col)``."""

    low: FloatArray
    high: FloatArray
    count: Ints

    @classmethod
    def empty(cls, bands: int, width: int) -> ColumnRanges:
        """Return the ranges of nothing."""
        shape = (bands, width)
        return cls(np.full(shape, np.inf), np.full(shape, -np.inf), np.zeros(shape, np.int64))

    def add(self, data: NDArray[Any], measured: Ints, gaps: Gaps) -> None:
        """Add the values of some rows, ``(band, row, col)``."""
        for place, band in enumerate(measured):
            counts = gaps.carries & ~gaps.missing[place]
            for total, values, fill, least in (
                (self.low, np.minimum, np.inf, True),
                (self.high, np.maximum, -np.inf, False),
            ):
                known = np.where(counts, data[band], fill)
                ends = known.min(axis=0) if least else known.max(axis=0)
                values(total[place], ends, out=total[place])
            self.count[place] += counts.sum(axis=0)


@dataclass(frozen=True, eq=False)
class Survey:
    """What a raster lacks.

    Attributes:
        carriers: pixels with a spectrum, complete or to be restored.
        lacking: pixels that lack too much and are left.
        missing: ``(C,)`` missing values of each measured band.
        pairs: sampled spectra.
        patterns: ``(k, C)`` what some of the damaged pixels lack.
        ranges: those of the columns where they were asked for.
    """

    carriers: int
    lacking: int
    missing: Ints
    pairs: SpectrumPairs
    patterns: BoolArray
    ranges: Optional[ColumnRanges]


def take_survey(
    source: RasterSource, values: MissingValues, report: Reporter, *, columns: bool
) -> Survey:
    """Read a raster once.

    Args:
        values: tells what is missing.
        columns: whether the ranges of the columns are wanted.
    """
    measured = values.roles.measured
    sample = _Sample(source, measured)
    missing = np.zeros(measured.size, np.int64)
    carriers = lacking = 0
    ranges = ColumnRanges.empty(measured.size, source.grid.width) if columns else None
    for tile in row_tiles(source, report):
        gaps = values.gaps(tile)
        carriers += int(gaps.carries.sum())
        lacking += int(gaps.lacking.sum())
        missing += gaps.missing.sum(axis=(1, 2))
        sample.add(tile, gaps)
        if ranges is not None:
            ranges.add(tile.data, measured, gaps)
    return Survey(carriers, lacking, missing, sample.pairs(), sample.patterns, ranges)


class _Sample:
    """Keeps pixels by a hash of their place, so that neither chance nor stripes choose them."""

    def __init__(self, source: RasterSource, measured: Ints) -> None:
        self._table, self._measured = source.bands.take(measured), measured
        self._width = source.grid.width
        self._limit = _HASHES
        self._hashes: Ints = np.zeros(0, np.int64)
        self._columns: Ints = np.zeros(0, np.int64)
        none = (2, 0, measured.size)
        self._stored: NDArray[Any] = np.zeros(none, source.dtype)
        self._present: BoolArray = np.zeros(none, bool)
        self._pattern_hashes: Ints = np.zeros(0, np.int64)
        self.patterns: BoolArray = np.zeros((0, measured.size), bool)

    def add(self, tile: Tile, gaps: Gaps) -> None:
        """Add some of the pixels of a full-width tile."""
        rows, cols = np.nonzero(gaps.carries)
        hashes = _mixed((tile.window.row + rows) * self._width + cols)
        self._add_patterns(hashes, gaps, rows, cols)
        while True:
            kept, new = self._hashes < self._limit, hashes < self._limit
            if kept.sum() + new.sum() <= _MOST_PAIRS:
                break
            self._limit //= 2
        rows, cols = rows[new], cols[new]
        stored = np.stack([tile.data[band][rows, cols] for band in self._measured], 1)
        beside = np.minimum(cols + 1, self._width - 1)
        right = np.stack([tile.data[band][rows, beside] for band in self._measured], 1)
        inside = (cols + 1 < self._width) & gaps.carries[rows, beside]
        present = np.stack(
            [
                ~gaps.missing[:, rows, cols].T,
                ~gaps.missing[:, rows, beside].T & inside[:, np.newaxis],
            ]
        )
        self._stored = np.concatenate([self._stored[:, kept], np.stack([stored, right])], axis=1)
        self._present = np.concatenate([self._present[:, kept], present], axis=1)
        self._hashes = np.concatenate([self._hashes[kept], hashes[new]])
        self._columns = np.concatenate([self._columns[kept], cols])

    def _add_patterns(self, hashes: Ints, gaps: Gaps, rows: Ints, cols: Ints) -> None:
        damaged = gaps.missing.any(axis=0)[rows, cols]
        hashes, rows, cols = hashes[damaged], rows[damaged], cols[damaged]
        first = np.argsort(hashes, kind="stable")[:_MOST_PATTERNS]
        patterns = np.concatenate([self.patterns, gaps.missing[:, rows[first], cols[first]].T])
        every = np.concatenate([self._pattern_hashes, hashes[first]])
        order = np.argsort(every, kind="stable")[:_MOST_PATTERNS]
        self._pattern_hashes, self.patterns = every[order], patterns[order]

    def pairs(self) -> SpectrumPairs:
        """Return what was kept, in reflectance."""
        spectra = self._stored * self._table.scale + self._table.offset
        columns = np.stack([self._columns, np.minimum(self._columns + 1, self._width - 1)])
        return SpectrumPairs(np.where(self._present, spectra, np.nan), self._present, columns)


def _mixed(places: Ints) -> Ints:
    """Return 32 bits that look like chance for each number (the end of MurmurHash3)."""
    mixed = places.astype(np.uint64) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed ^= mixed >> np.uint64(shift)
        mixed = (mixed * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    mixed ^= mixed >> np.uint64(16)
    return mixed.astype(np.int64)
