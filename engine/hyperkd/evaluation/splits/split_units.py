"""What a split moves as one: polygons, blocks, scenes; and how units are dealt out to parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.raster.labels.marks import connected
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.types import FloatArray, Ints

# Targets of a regression are balanced between parts by this many quantiles.
_QUANTILES = 5
# Labels whose groups touch more than this are dense: their patches are no separate places.
_TOUCHING = 0.1
# Automatic blocks: this many along the longer side at first, then more and more.
_FIRST_BLOCKS, _MORE_BLOCKS, _SMALLEST_BLOCK_PX = 4, 1.4, 4
# Folds of training labels; automatic blocks of these along the longer side.
FOLDS, _FOLD_BLOCKS = 5, 6
# Steps of dealing: small problems are tried more often than large ones.
_STEPS, _LEAST_TRIES, _MOST_TRIES = 20000, 3, 100


@dataclass(frozen=True, eq=False)
class GroupedPixels:
    """All labelled pixels after each other; n pixels.

    Attributes:
        scene, row, col: ``(n,)`` int64.
        group: ``(n,)`` int64 from 0, dense.
        stratum: ``(n,)`` int64, what is balanced between parts: the class, or a
            quantile of the first target.
        strata: number of strata.
        names: of the classes; empty for a regression.
        sizes: pixels of each scene.
    """

    scene: Ints
    row: Ints
    col: Ints
    group: Ints
    stratum: Ints
    strata: int
    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, labels: Labels) -> GroupedPixels:
        """Return the pixels of labels."""
        sizes = tuple(len(scene) for scene in labels.scenes)
        _, group = np.unique(labels.group, return_inverse=True)
        names = tuple(item.name for item in labels.classes)
        stratum = labels.values if names else _quantile(labels.values[:, 0])
        return cls(
            np.repeat(np.arange(len(sizes)), sizes),
            np.concatenate([scene.rows for scene in labels.scenes]),
            np.concatenate([scene.cols for scene in labels.scenes]),
            group.astype(np.int64),
            stratum.astype(np.int64),
            len(names) or _QUANTILES,
            names,
            sizes,
        )

    def counts(self, unit: Ints) -> FloatArray:
        """Return ``(units, strata)``, pixels of each stratum in each unit."""
        units = int(unit.max()) + 1
        flat = np.bincount(unit * self.strata + self.stratum, minlength=units * self.strata)
        return flat.reshape(units, self.strata).astype(np.float64)

    def touching(self) -> float:
        """Return the share of pixels with one of another group as right or lower neighbour."""
        width = int(self.col.max()) + 2
        height = int(self.row.max()) + 2
        key = (self.scene * height + self.row) * width + self.col
        order = np.argsort(key)
        key, group = key[order], self.group[order]
        found = np.zeros(key.size, np.bool_)
        for step in (1, width):
            other = np.minimum(np.searchsorted(key, key + step), key.size - 1)
            found |= (key[other] == key + step) & (group[other] != group)
        return float(found.mean())


def _quantile(target: FloatArray) -> Ints:
    """Return ``(n,)`` from 0 to ``_QUANTILES - 1``, equal targets in the same quantile."""
    edges = np.quantile(target, np.arange(1, _QUANTILES) / _QUANTILES)
    quantile: Ints = np.searchsorted(edges, target, side="right").astype(np.int64)
    return quantile


def by_polygon(pixels: GroupedPixels) -> Ints:
    """Return ``(n,)``, the unit of each pixel: its group."""
    return pixels.group


def by_scene(pixels: GroupedPixels) -> Ints:
    """Return ``(n,)``, the unit of each pixel: its scene, together with those sharing a group."""
    _, first = np.unique(pixels.group, return_index=True)
    pairs = np.stack([pixels.scene[first][pixels.group], pixels.scene], axis=1)
    root = connected(len(pixels.sizes), np.unique(pairs, axis=0))
    _, inverse = np.unique(root[pixels.scene], return_inverse=True)
    unit: Ints = inverse.astype(np.int64)
    return unit


def by_block(pixels: GroupedPixels, block_px: int) -> Ints:
    """Return ``(n,)``, the unit of each pixel: a square of ``block_px`` pixels a side.

    A group that is no larger than a block goes wholly to the block of its centre, so
    that polygons are not cut; a larger one is cut by the blocks. A group in several
    scenes is never cut and counts where it occurs first.
    """
    count = int(pixels.group.max()) + 1
    group = pixels.group
    _, first = np.unique(group, return_index=True)
    scene = pixels.scene[first]  # pixels come scene by scene
    home = pixels.scene == scene[group]
    low, high = _extent(pixels.row[home], group[home], count)
    left, right = _extent(pixels.col[home], group[home], count)
    several = np.zeros(count, np.bool_)
    several[group[~home]] = True
    whole = several | (np.maximum(high - low, right - left) < block_px)
    row = np.where(whole[group], ((low + high) // 2)[group], pixels.row) // block_px
    col = np.where(whole[group], ((left + right) // 2)[group], pixels.col) // block_px
    place = np.where(whole[group], scene[group], pixels.scene)
    key = (place * (int(row.max()) + 1) + row) * (int(col.max()) + 1) + col
    _, inverse = np.unique(key, return_inverse=True)
    unit: Ints = inverse.astype(np.int64)
    return unit


def _extent(position: Ints, group: Ints, count: int) -> tuple[Ints, Ints]:
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, -1)
    np.minimum.at(low, group, position)
    np.maximum.at(high, group, position)
    return low, high


def deal(counts: FloatArray, shares: Sequence[float], generator: np.random.Generator) -> Ints:
    """Return ``(units,)``, the part that each unit goes to.

    Every stratum is wanted in every part, and the parts' shares of its pixels and of
    its units near ``shares``. Units with the rarest stratum are dealt first, each to
    the part that lacks it most; the best of several random orders is kept.

    Args:
        counts: ``(units, strata)`` pixels.
        shares: of each part, positive, sum 1.
        generator: of the orders.
    """
    # All strata together are one more: no part may be empty, and its size counts.
    counts = np.column_stack([counts[:, counts.any(axis=0)], counts.sum(axis=1)])
    present = counts > 0
    units_of = present.sum(axis=0)
    weight = np.column_stack([counts / counts.sum(axis=0), present / units_of])
    rarity = np.where(present, units_of, len(counts)).min(axis=1)
    wanted = np.asarray(shares, np.float64)
    tries = int(np.clip(_STEPS // len(counts), _LEAST_TRIES, _MOST_TRIES))
    best, best_score = np.zeros(len(counts), np.int64), (np.inf, np.inf)
    for _ in range(tries):
        order = np.lexsort((generator.random(len(counts)), rarity))
        part, sums, lacking = _deal_once(order, weight, present, wanted)
        score = (float(lacking.sum()), float(((sums - wanted[:, None]) ** 2).sum()))
        if score < best_score:
            best, best_score = part, score
    return best


def _deal_once(
    order: Ints, weight: FloatArray, present: NDArray[np.bool_], wanted: FloatArray
) -> tuple[Ints, FloatArray, NDArray[np.bool_]]:
    part = np.zeros(len(order), np.int64)
    sums = np.zeros((len(wanted), weight.shape[1]))
    lacking = np.ones((len(wanted), present.shape[1]), np.bool_)
    left = present.sum(axis=0)
    for unit in order:
        own = present[unit]
        # A stratum with no more units left than parts that lack it: one of these must get it.
        tight = own & (left <= lacking.sum(axis=0))
        urgent = (lacking & tight).sum(axis=1)
        change = ((2 * (sums - wanted[:, None]) + weight[unit]) * weight[unit]).sum(axis=1)
        change[urgent < urgent.max()] = np.inf
        chosen = int(np.argmin(change / wanted))
        part[unit] = chosen
        sums[chosen] += weight[unit]
        lacking[chosen] &= ~own
        left -= own
    return part, sums, lacking


def deal_pixels(
    pixels: GroupedPixels, shares: Sequence[float], generator: np.random.Generator
) -> Ints:
    """Return ``(n,)`` parts of single pixels, every stratum with the same shares.

    A part with a share gets a pixel of each stratum as long as there are enough.
    """
    part = np.empty(pixels.stratum.size, np.int64)
    for stratum in range(pixels.strata):
        here = generator.permutation(np.flatnonzero(pixels.stratum == stratum))
        ideal = np.cumsum(shares) * here.size
        bounds = np.rint(ideal).astype(np.int64)
        if here.size >= len(shares):
            # At least one for each part, from the first and from the last on.
            steps = np.arange(1, len(shares) + 1)
            bounds = np.clip(bounds, steps, here.size - len(shares) + steps)
        part[here] = np.searchsorted(bounds, np.arange(here.size), side="right")
    return part


def dealt_units(
    labels: Labels,
    method: str,
    block_px: Optional[int],
    shares: Sequence[float],
    seed: int,
) -> Iterator[tuple[GroupedPixels, str, Optional[int], Ints, Ints]]:
    """Deal labelled pixels to parts in the ways that a method allows, the most honest first.

    Args:
        labels: of n pixels.
        method: as of ``split_labels``.
        block_px: side of blocks, None for several.
        shares: of each part.

    Yields:
        The pixels, the name and block size of a way, its units ``(n,)``, and the part of each
        pixel ``(n,)``.
    """
    pixels = GroupedPixels.of(labels)
    for name, size, unit in _candidates(pixels, method, block_px):
        generator = np.random.default_rng(seed)
        if name == "random":
            yield pixels, name, size, unit, deal_pixels(pixels, shares, generator)
        else:
            yield pixels, name, size, unit, deal(pixels.counts(unit), shares, generator)[unit]


def _candidates(
    pixels: GroupedPixels, method: str, block_px: Optional[int]
) -> Iterator[tuple[str, Optional[int], Ints]]:
    if method == "random":
        yield "random", None, np.arange(pixels.group.size)
    if method == "scenes" or (method == "auto" and len(pixels.sizes) > 1):
        yield "scenes", None, by_scene(pixels)
    if method == "polygons" or (method == "auto" and pixels.touching() <= _TOUCHING):
        yield "polygons", None, by_polygon(pixels)
    if method in ("auto", "blocks"):
        for size in [block_px] if block_px else _block_sizes(pixels):
            yield "blocks", size, by_block(pixels, size)


def _block_sizes(pixels: GroupedPixels) -> list[int]:
    """Return sides of blocks to try, from large to small."""
    longest = max(int(np.ptp(pixels.row)), int(np.ptp(pixels.col))) + 1
    size, sizes = longest / _FIRST_BLOCKS, []
    while size >= _SMALLEST_BLOCK_PX:
        sizes.append(int(np.ceil(size)))
        size /= _MORE_BLOCKS
    return sizes or [_SMALLEST_BLOCK_PX]


def inner_folds(labels: Labels, method: str, block_px: Optional[int], seed: int) -> Ints:
    """Deal pixels to folds by whole units, the classes spread as evenly as these allow.

    A class may be missing in a fold, or, where it lies in one unit, in all but one: unlike in
    a split that is reported, that only makes the search a little worse.

    Args:
        method: of the split, whose units are taken; smaller ones where there are fewer than
            three.
        block_px: side of its blocks, or None.

    Returns:
        ``(n,)`` from 0 to at most ``FOLDS - 1``.
    """
    pixels = GroupedPixels.of(labels)
    for unit in _fold_units(pixels, method, block_px):
        count = int(unit.max()) + 1
        if count >= 3:
            break
    folds = min(FOLDS, count)
    generator = np.random.default_rng((seed, 0xF0))
    dealt = deal(pixels.counts(unit), [1 / folds] * folds, generator)[unit]
    _, fold = np.unique(dealt, return_inverse=True)
    inner: Ints = fold.astype(np.int64)
    return inner


def _fold_units(pixels: GroupedPixels, method: str, block_px: Optional[int]) -> Iterator[Ints]:
    longest = max(int(np.ptp(pixels.row)), int(np.ptp(pixels.col))) + 1
    if method == "scenes":
        yield by_scene(pixels)
    if method == "polygons":
        yield by_polygon(pixels)
    if method != "random":
        yield by_block(pixels, block_px or max(1, longest // _FOLD_BLOCKS))
        yield by_polygon(pixels)
    yield np.arange(pixels.group.size)
