"""The labels that teach: whether there are enough, not too many, and folds of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.splits.split_units import Pixels, by_block, by_polygon, by_scene, deal
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.training.finetune.labelled_pixels import Ints, Places
from hyperkd.types import BoolArray

FOLDS: Final = 5
# Pixels to learn from; more of the same places teach little and take long.
MOST: Final = 40_000
# Automatic blocks where the split has none: this many along the longer side.
_BLOCKS: Final = 6


def inner_folds(labels: Labels, method: str, block_px: Optional[int], seed: int) -> Ints:
    """Deal pixels to folds by whole units, the classes spread as evenly as these allow.

    A class may miss in a fold, or, where it lies in one unit, in all but one: other than
    in a split that is to be reported, that only makes the choice a little worse.

    Args:
        labels: those that teach.
        method: of the split, whose units are taken; where there are fewer than three,
            smaller ones.
        block_px: side of its blocks, or None.
        seed: of the dealing.

    Returns:
        ``(n,)`` from 0 to at most ``FOLDS - 1``.
    """
    pixels = Pixels.of(labels)
    for unit in _units(pixels, method, block_px):
        count = int(unit.max()) + 1
        if count >= 3:
            break
    folds = min(FOLDS, count)
    generator = np.random.default_rng((seed, 0xF0))
    dealt = deal(pixels.counts(unit), [1 / folds] * folds, generator)[unit]
    _, fold = np.unique(dealt, return_inverse=True)
    inner: Ints = fold.astype(np.int64)
    return inner


def _units(pixels: Pixels, method: str, block_px: Optional[int]) -> Iterator[Ints]:
    longest = max(int(np.ptp(pixels.row)), int(np.ptp(pixels.col))) + 1
    if method == "scenes":
        yield by_scene(pixels)
    if method == "polygons":
        yield by_polygon(pixels)
    if method != "random":
        yield by_block(pixels, block_px or max(1, longest // _BLOCKS))
        yield by_polygon(pixels)
    yield np.arange(pixels.group.size)


def thinned(places: Places, teaching: BoolArray, seed: int) -> BoolArray:
    """Return the pixels to learn from, at most ``MOST``; of a rare class all are kept."""
    count = int(teaching.sum())
    if count <= MOST:
        return teaching
    generator = np.random.default_rng((seed, 0x7A))
    kind = places.values if places.values.ndim == 1 else np.zeros(len(places), np.int64)
    kept = np.zeros(len(places), np.bool_)
    kinds = np.unique(kind[teaching])
    for each in kinds:
        members = np.flatnonzero(teaching & (kind == each))
        share = max(round(MOST * len(members) / count), min(len(members), MOST // 100))
        kept[generator.permutation(members)[:share]] = True
    return kept


def require_enough(labels: Labels, places: Places) -> None:
    """Refuse labels that leave nothing to learn.

    Raises:
        HyperKDError: ``bad_training`` where a class or a target has too little left.
    """
    if labels.task == "classification":
        missing = [
            item.name
            for number, item in enumerate(labels.classes)
            if not (places.values == number).any()
        ]
        problem = f"no pixel of {', '.join(missing)} is left to learn from" if missing else ""
    else:
        problem = "".join(
            f"the target {name} has fewer than 2 different values to learn from"
            for name, column in zip(labels.targets, places.values.T)
            if len(np.unique(column[np.isfinite(column)])) < 2
        )
    if len(places) < 2:
        problem = f"{len(places)} labelled pixels are left to learn from"
    if problem:
        raise HyperKDError(
            "bad_training",
            f"The labels are too few: {problem}.",
            "Add labels, or choose another split or a smaller buffer.",
        )
