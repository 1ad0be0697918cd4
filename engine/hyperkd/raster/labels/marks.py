"""Labels on their way from a file to pixels: marks of one scene, the features they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from hyperkd.raster.source import RasterSource
from hyperkd.types import BoolArray, GridSpec, Ints, Reporter, Window

# Masks of scenes are read in windows of about this many pixels a side at most.
_MASK_PX = 512


@dataclass(frozen=True, eq=False)
class Marks:
    """Pixels of one scene that labels mark; a pixel may occur more than once. n marks.

    Attributes:
        rows, cols: ``(n,)`` int64.
        feature: ``(n,)`` int64, number of the feature, see ``Features``.
        values: ``(n,)`` int64 class numbers or ``(n, T)`` float64 targets.
        pointlike: ``(n,)`` bool, whether the feature is a point.
    """

    rows: Ints
    cols: Ints
    feature: Ints
    values: NDArray[Any]
    pointlike: BoolArray

    def take(self, index: NDArray[Any]) -> Marks:
        """Return the marks at ``index`` (numbers or a mask)."""
        return Marks(
            self.rows[index],
            self.cols[index],
            self.feature[index],
            self.values[index],
            self.pointlike[index],
        )

    @staticmethod
    def join(parts: Sequence[Marks]) -> Marks:
        """Return all marks of several sets; at least one set."""
        names = ("rows", "cols", "feature", "values", "pointlike")
        return Marks(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(eq=False)
class Features:
    """Numbers for features of all label files, the same for every scene."""

    _numbers: dict[tuple[int, int], int] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)
    _blocks: list[tuple[int, Callable[[int], str]]] = field(default_factory=list)
    _count: int = 0

    def number(self, file: int, fid: int, name: str) -> int:
        """Return the number of a feature: ``fid`` of label file ``file``, called ``name``."""
        key = (file, fid)
        if key not in self._numbers:
            self._numbers[key] = self._count
            self._names[self._count] = name
            self._count += 1
        return self._numbers[key]

    def block(self, count: int, name: Callable[[int], str]) -> int:
        """Return the first of ``count`` numbers; the i-th feature is called ``name(i)``."""
        self._blocks.append((self._count, name))
        self._count += count
        return self._blocks[-1][0]

    def name(self, number: int) -> str:
        """Return how messages call a feature."""
        if number in self._names:
            return self._names[number]
        first, name = max((b for b in self._blocks if b[0] <= number), key=lambda b: b[0])
        return name(number - first)

    def __len__(self) -> int:
        return self._count


@dataclass(frozen=True, eq=False)
class Merged:
    """Marks of one scene, each pixel once, and what was found on the way.

    Attributes:
        marks: the marks that stay, sorted by pixel.
        together: ``(m, 2)`` int64 pairs of features that share a pixel and agree.
        contradictions: ``(c, 2)`` int64 pairs of features, one for each pixel left out.
        averaged: number of pixels that hold the mean of several points.
    """

    marks: Marks
    together: Ints
    contradictions: Ints
    averaged: int = 0


def merge(marks: Marks, grid: GridSpec) -> Merged:
    """Make each pixel unique.

    Marks of the same value become one. A pixel with different classes, or with
    different targets of which not all come from points, is left out. The targets of
    several points in one pixel are averaged: they are repeated samples of it.
    """
    order = np.lexsort((marks.feature, marks.rows * grid.width + marks.cols))
    marks = marks.take(order)
    pixel = marks.rows * grid.width + marks.cols
    first = np.flatnonzero(np.diff(pixel, prepend=-1) != 0)
    if first.size == pixel.size:
        none = np.empty((0, 2), np.int64)
        return Merged(marks, none, none)
    sizes = np.diff(first, append=pixel.size)
    run = np.repeat(np.arange(first.size), sizes)
    values = marks.values.reshape(pixel.size, -1)
    differs = (values != values[first][run]).any(axis=1)
    odd = np.logical_or.reduceat(differs, first)
    mean = np.zeros(first.size, np.bool_)
    kept = marks.take(first)
    if marks.values.ndim == 2:
        points = np.logical_and.reduceat(marks.pointlike, first)
        mean, odd = odd & points, odd & ~points
        kept.values[mean] = (np.add.reduceat(values, first) / sizes[:, None])[mean]
    pairs = np.stack([kept.feature[run], marks.feature], axis=1)
    agree = pairs[(pairs[:, 0] != pairs[:, 1]) & ~odd[run]]
    against = np.flatnonzero(differs & odd[run])
    _, one = np.unique(run[against], return_index=True)
    return Merged(kept.take(~odd), np.unique(agree, axis=0), pairs[against[one]], int(mean.sum()))


def valid_at(source: RasterSource, rows: Ints, cols: Ints, report: Reporter) -> BoolArray:
    """Return ``(n,)`` bool, whether a scene has data at pixels.

    Only windows around the pixels are read, of whole blocks of the file where
    those are small enough.
    """
    valid = np.zeros(rows.size, np.bool_)
    height, width = (_side(block) for block in source.block_shape)
    across = -(-source.grid.width // width)
    place = rows // height * across + cols // width
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    groups = np.split(order, starts[1:]) if rows.size else []
    for number, group in enumerate(groups):
        report.check_cancelled()
        top, left = int(rows[group].min()), int(cols[group].min())
        window = Window(
            left, top, int(cols[group].max()) - left + 1, int(rows[group].max()) - top + 1
        )
        mask = source.read_tile(window).valid
        valid[group] = mask[rows[group] - top, cols[group] - left]
        report.progress(number + 1, len(groups), "windows")
    return valid


def _side(block: int) -> int:
    """Return a multiple of a block's side near ``_MASK_PX``, or that number for a large block."""
    return _MASK_PX if block > _MASK_PX else _MASK_PX // block * block


def connected(count: int, pairs: Ints) -> Ints:
    """Return ``(count,)`` int64, the least member of the component that each node is in.

    Labels spread along the pairs and jump to the label of their label, so that the
    number of rounds grows with the logarithm of the longest chain.

    Args:
        count: nodes 0 to count - 1.
        pairs: ``(m, 2)`` int64, nodes that belong together.
    """
    label = np.arange(count, dtype=np.int64)
    first, second = pairs.reshape(-1, 2).T
    while True:
        low = np.minimum(label[first], label[second])
        before = label.copy()
        # Roots of both ends get the smaller label, so whole trees hook onto each other.
        np.minimum.at(label, before[first], low)
        np.minimum.at(label, before[second], low)
        label = np.minimum(label, label[label])
        label = label[label]
        if np.array_equal(label, before):
            return label


def patches(rows: Ints, cols: Ints, values: Ints, width: int) -> Ints:
    """Return ``(n,)`` int64, the connected patch of each pixel: 4 neighbours of one value.

    Patches are numbered by their first pixel in ``rows`` and ``cols`` order.

    Args:
        rows, cols: ``(n,)`` pixels, each once.
        values: ``(n,)`` their values.
    """
    pixel = rows * width + cols
    order = np.argsort(pixel, kind="stable")
    key, value = pixel[order], values[order]
    found = []
    for step in (1, width):
        other = np.searchsorted(key, key + step)
        other[other == key.size] = 0
        same = (key[other] == key + step) & (value[other] == value)
        if step == 1:
            same &= key % width != width - 1
        here = np.flatnonzero(same)
        found.append(np.stack([here, other[here]], axis=1))
    label = connected(key.size, np.concatenate(found).astype(np.int64))
    _, number = np.unique(label, return_inverse=True)
    patch = np.empty(key.size, np.int64)
    patch[order] = number
    return patch
