"""Columns of single bands that a detector element spoiled: dead ones, and clearly wrong ones.

Both are told by what the rest of the scene teaches, and with caution: what looks wrong in many
bands, or in many columns of a band, is no stripe.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from hyperkd.inference.restoration.learned_spectra import LearnedSpectra
from hyperkd.inference.restoration.missing_values import MissingValues
from hyperkd.inference.restoration.row_tiles import row_tiles
from hyperkd.inference.restoration.survey import ColumnRanges
from hyperkd.inference.stats.conditional_spectra import ConditionalSpectra
from hyperkd.raster.source import RasterSource
from hyperkd.types import BoolArray, FloatArray, Ints, Reporter

# Of fewer values in a column nobody can say that it is constant, or off.
_FEWEST_ROWS: Final = 16
# A column is off where the mean of what other bands do not explain lies farther from that of
# the band's columns than so many of their robust deviations, and of those of single pixels.
_OF_COLUMNS: Final = 6.0
_OF_PIXELS: Final = 3.0
# So near must be what is not spoiled.
_BESIDE: Final = 3
_MOST_OF_BANDS: Final = 0.25
_MOST_OF_COLUMNS: Final = 0.1
_MAD_TO_SIGMA: Final = 1.4826


def dead_columns(ranges: ColumnRanges) -> BoolArray:
    """Return the columns that hold one number while those beside them vary, ``(C, col)``.

    Where a quarter of the bands is constant in a column, it is the ground that is the same.
    """
    counted = ranges.count >= _FEWEST_ROWS
    constant = counted & (ranges.low == ranges.high)
    varies = counted & ~constant
    dead = constant & _beside(varies) & (constant.mean(axis=0) <= _MOST_OF_BANDS)
    return _few(dead)


def _beside(flags: BoolArray) -> BoolArray:
    """Return the columns whose nearest columns outside their own run are flagged, on both sides.

    At an edge the one side is enough.
    """
    width = flags.shape[1]
    place = np.where(flags, np.arange(width), -1)
    before = np.maximum.accumulate(place, axis=1)
    after = np.minimum.accumulate(np.where(flags, np.arange(width), width)[:, ::-1], axis=1)[
        :, ::-1
    ]
    columns = np.arange(width)
    left = (before >= 0) & (columns - before <= _BESIDE)
    right = (after < width) & (after - columns <= _BESIDE)
    return np.asarray((left | (columns < _BESIDE)) & (right | (columns >= width - _BESIDE)))


def _few(flags: BoolArray) -> BoolArray:
    """Return the flags without those of bands that have too many."""
    most = max(1.0, _MOST_OF_COLUMNS * flags.shape[1])
    return np.asarray(flags & (flags.sum(axis=1) <= most)[:, np.newaxis])


def wrong_columns(
    source: RasterSource, values: MissingValues, scene: LearnedSpectra, report: Reporter
) -> BoolArray:
    """Read a raster once and return the columns that are off in single bands, ``(C, col)``.

    Nothing is off where the scene taught no model.
    """
    off = np.zeros((scene.learned.size, source.grid.width), bool)
    if scene.model is None:
        return off
    sums = np.zeros((int(scene.learned.sum()), source.grid.width))
    counts = np.zeros(source.grid.width, np.int64)
    learned = values.roles.measured[scene.learned]
    table = source.bands.take(learned)
    for tile in row_tiles(source, report):
        gaps = values.gaps(tile)
        counts += gaps.carries.sum(axis=0)
        for row in range(tile.window.height):
            carries = gaps.carries[row]
            spectra = tile.data[learned, row][:, carries].T * table.scale + table.offset
            present = ~gaps.missing[scene.learned, row][:, carries].T
            complete = scene.model.filled(np.where(present, spectra, np.nan), present)
            sums[:, carries] += scene.model.innovations(complete).T
    enough = counts >= _FEWEST_ROWS
    mean = sums[:, enough] / counts[enough]
    contrast = _contrast(mean)
    off[np.ix_(scene.learned, enough)] = off_columns(scene.model, contrast, scene.deviation)
    return _few(off)


def _contrast(mean: FloatArray) -> FloatArray:
    """Return how far columns lie from those beside them, ``(L, col)``: from the nearer side.

    Each side is the median of up to three columns. What is wider than two columns, or lies
    between two sides that differ, is the ground.
    """
    contrast = np.zeros_like(mean)
    for column in range(mean.shape[1]):
        sides = (mean[:, max(0, column - _BESIDE) : column], mean[:, column + 1 :][:, :_BESIDE])
        steps = [mean[:, column] - np.median(side, axis=1) for side in sides if side.size]
        if not steps:
            continue
        first, last = steps[0], steps[-1]
        nearer = np.where(np.abs(first) < np.abs(last), first, last)
        contrast[:, column] = np.where(first * last > 0, nearer, 0.0)
    return contrast


def off_columns(model: ConditionalSpectra, mean: FloatArray, deviation: FloatArray) -> BoolArray:
    """Return which columns are off in which bands.

    The band that differs most is taken as missing before the next one is looked for: it pulls
    what is expected of its neighbours.

    Args:
        model: the distribution of spectra.
        mean: ``(L, col)`` mean innovations of the columns, or their contrast.
        deviation: ``(L,)`` of single pixels.
    """
    diagonal = model.precision.diagonal()
    difference = mean / diagonal[:, np.newaxis]
    centre = np.median(difference, axis=1)
    spread = _MAD_TO_SIGMA * np.median(np.abs(difference - centre[:, np.newaxis]), axis=1)
    limit = np.maximum(_OF_COLUMNS * spread, _OF_PIXELS * deviation)
    off = np.zeros(mean.shape, bool)
    most = int(_MOST_OF_BANDS * len(mean))
    beyond = np.abs(difference - centre[:, np.newaxis]) > limit[:, np.newaxis]
    for column in np.flatnonzero(beyond.any(axis=0)):
        found = _off_bands(model.precision, mean[:, column], centre, limit, most)
        off[found, column] = True
    return off


def _off_bands(
    precision: FloatArray, innovations: FloatArray, centre: FloatArray, limit: FloatArray, most: int
) -> Ints:
    """Return the bands that are off in one column; none where there are more than ``most``."""
    found: list[int] = []
    others = np.arange(len(innovations))
    while True:
        left, own = innovations[others], precision[np.ix_(others, others)]
        if found:
            off = np.array(found)
            cross, block = precision[np.ix_(others, off)], precision[np.ix_(off, off)]
            solved = np.linalg.solve(block, np.column_stack([cross.T, innovations[off]]))
            own = own - cross @ solved[:, :-1]
            left = left - cross @ solved[:, -1]
        diagonal = own.diagonal()
        distance = np.abs(left / diagonal - centre[others])
        wrong = (distance > limit[others]) & (limit[others] > 0)
        if not wrong.any():
            return np.array(found, np.int64)
        if len(found) >= most:
            return np.zeros(0, np.int64)
        worst = int(np.argmax(np.where(wrong, distance * np.sqrt(diagonal), -1.0)))
        found.append(int(others[worst]))
        others = np.delete(others, worst)


def with_faulty(values: MissingValues, faulty: BoolArray) -> MissingValues:
    """Return what tells missing values, with those of faulty columns among them."""
    if values.faulty is not None:
        faulty = faulty | values.faulty
    return replace(values, faulty=faulty if faulty.any() else None)
