"""The pixels that a model is trained on: enough, not too many, and in folds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.splits.split_parts import TEST, TRAIN, VALIDATION, Split
from hyperkd.evaluation.splits.split_units import inner_folds
from hyperkd.raster.labels.read_labels import Labels, SceneLabels
from hyperkd.training.finetune.labelled_pixels import SplitPixels
from hyperkd.types import BoolArray, Ints

# Training pixels at most; more of the same places improve little and take long.
MOST: Final = 40_000


@dataclass(frozen=True, eq=False)
class TrainingPixels:
    """Labelled pixels of a split, as training takes them.

    Attributes:
        pixels: n of the train and validation parts.
        test: of the test part, which nothing is learned from.
        is_train: ``(n,)`` the pixels to train on; the others tell when to stop.
        fold: ``(m,)`` of the m pixels to train on, from 0.
        note: for the reader of the scores; empty where there is none.
    """

    pixels: SplitPixels
    test: SplitPixels
    is_train: BoolArray
    fold: Ints
    note: str


def training_pixels(labels: Labels, split: Split, seed: int, *, frozen: bool) -> TrainingPixels:
    """Return the pixels to train on.

    Args:
        labels: all of them.
        seed: of the choice of pixels and of the folds.
        frozen: whether the encoder stays as it is: then the validation part is trained on too.

    Raises:
        HyperKDError: ``bad_training`` where a class or a target has too little left, or an
            encoder that is to be trained has no validation part.
    """
    every = SplitPixels.of(labels, split.parts)
    available = np.isin(every.part, (TRAIN, VALIDATION))
    taken = thinned(every, available, seed)
    note = ""
    if taken.sum() < available.sum():
        note = (
            f"Of {int(available.sum()):,} training pixels, {int(taken.sum()):,} are used, of each "
            "class in proportion."
        )
    pixels = every.take(taken)
    _require_enough(labels, pixels)
    is_train = np.ones(len(pixels), np.bool_) if frozen else pixels.part == TRAIN
    if not frozen and is_train.all():
        raise HyperKDError(
            "bad_training",
            "There is no validation part, which decides when to stop training the encoder.",
            "Set a validation fraction, or keep the encoder frozen.",
        )
    trained = taken.copy()
    trained[taken] = is_train
    fold = inner_folds(subset(labels, trained), split.method, split.block_px, seed)
    return TrainingPixels(pixels, every.take(every.part == TEST), is_train, fold, note)


def thinned(pixels: SplitPixels, available: BoolArray, seed: int) -> BoolArray:
    """Return which pixels to train on, at most ``MOST``; of a rare class all are kept."""
    count = int(available.sum())
    if count <= MOST:
        return available
    generator = np.random.default_rng((seed, 0x7A))
    is_class = pixels.values.ndim == 1
    stratum = pixels.values if is_class else np.zeros(len(pixels), np.int64)
    kept = np.zeros(len(pixels), np.bool_)
    for each in np.unique(stratum[available]):
        members = np.flatnonzero(available & (stratum == each))
        most = max(round(MOST * len(members) / count), min(len(members), MOST // 100))
        kept[generator.permutation(members)[:most]] = True
    return kept


def _require_enough(labels: Labels, pixels: SplitPixels) -> None:
    """Refuse labels that leave too little to train on.

    Raises:
        HyperKDError: ``bad_training`` where a class or a target has too little left.
    """
    if labels.task == "classification":
        missing = [
            item.name
            for number, item in enumerate(labels.classes)
            if not (pixels.values == number).any()
        ]
        problem = f"no pixel of {', '.join(missing)} is left to train on" if missing else ""
    else:
        problem = "".join(
            f"the target {name} has fewer than 2 different values to train on"
            for name, column in zip(labels.targets, pixels.values.T)
            if len(np.unique(column[np.isfinite(column)])) < 2
        )
    if len(pixels) < 2:
        problem = f"{len(pixels)} labelled pixels are left to learn from"
    if problem:
        raise HyperKDError(
            "bad_training",
            f"The labels are too few: {problem}.",
            "Add labels, or choose another split or a smaller buffer.",
        )


def subset(labels: Labels, chosen: BoolArray) -> Labels:
    """Return the labels of which ``chosen``, ``(n,)`` over all scenes, is True."""
    parts = np.split(chosen, np.cumsum([len(scene) for scene in labels.scenes])[:-1])
    scenes = tuple(
        SceneLabels(scene.rows[here], scene.cols[here], scene.values[here], scene.group[here])
        for scene, here in zip(labels.scenes, parts)
    )
    return replace(labels, scenes=scenes)
