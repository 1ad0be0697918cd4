"""Honest splits of labels: groups that stay together, with a buffer between the parts.

Neighbouring pixels resemble each other, and a network sees the surroundings of a
pixel. A test pixel near a training pixel therefore measures memory, not skill. So
whole polygons, blocks or scenes go to one part, and pixels too near another part are
left out. Distances are Chebyshev distances in pixels, max(|rows|, |cols|), because
what a network sees is a square.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.splits.split_parts import LEFT_OUT as LEFT_OUT
from hyperkd.evaluation.splits.split_parts import PARTS as PARTS
from hyperkd.evaluation.splits.split_parts import TEST, TRAIN, VALIDATION, Attempt, refusal
from hyperkd.evaluation.splits.split_parts import Split as Split
from hyperkd.evaluation.splits.split_units import GroupedPixels, dealt_units
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.types import Ints


def split_labels(
    labels: Labels,
    *,
    method: str,
    shares: Sequence[float] = (0.6, 0.2, 0.2),
    buffer_px: Optional[int] = None,
    receptive_field_px: int = 0,
    seed: int,
    block_px: Optional[int] = None,
) -> Split:
    """Split labels into train, validation and test, each class in each part.

    Args:
        method: ``polygons``, ``blocks`` or ``scenes`` stay together; ``random`` deals
            single pixels and is marked optimistic; ``auto`` takes scenes, polygons or
            blocks, the first that allows the buffer.
        shares: of train, validation and test; a part with share 0 stays empty.
        buffer_px: pixels of training and validation this near to a pixel of the test
            part, or of training this near to validation, are left out; kept or refused.
            None: half of the receptive field, halved again until at least half of the
            pixels of each part remain, with a note.
        receptive_field_px: side of the square that a prediction depends on.
        seed: the same seed gives the same split.
        block_px: side of blocks; None: as large as possible.

    Raises:
        HyperKDError: ``class_missing_in_split`` where a class cannot be in each part;
            ``bad_job`` for arguments out of range.
    """
    _require_labels(labels)
    wanted = _check_shares(shares)
    used = [part for part in range(3) if wanted[part] > 0]
    target, fixed = _target(method, buffer_px, receptive_field_px)
    tried: list[Attempt] = []
    shares = [wanted[i] for i in used]
    every = frozenset(used)
    for pixels, name, size, unit, dealt in dealt_units(labels, method, block_px, shares, seed):
        part = np.array(used, np.int8)[dealt]
        attempt = Attempt.of(pixels, name, size, unit, part, every, every, target, fixed)
        tried.append(attempt)
        if attempt.good:
            break
    best = max(tried, key=lambda attempt: attempt.rank)
    if best.missing:
        raise refusal(tried, target)
    return best.split(seed, target)


def k_folds(
    labels: Labels,
    *,
    folds: int,
    method: str,
    buffer_px: Optional[int] = None,
    receptive_field_px: int = 0,
    seed: int,
    block_px: Optional[int] = None,
    validation: bool,
) -> list[Split]:
    """Return one split per fold: each unit is in the test part of exactly one.

    The validation part of a fold is the next fold, or the next one that leaves every
    class to the training part. Classes are spread over the folds as evenly as their
    units allow; every class is in every training part.

    Args:
        folds: how many.
        method, buffer_px, receptive_field_px, seed, block_px: see ``split_labels``; one
            buffer serves all folds.
        validation: whether a fold is set aside for validation.

    Raises:
        HyperKDError: as ``split_labels``.
    """
    _require_labels(labels)
    target, fixed = _target(method, buffer_px, receptive_field_px)
    tried: list[list[Attempt]] = []
    shares = [1 / folds] * folds
    for pixels, name, size, unit, fold in dealt_units(labels, method, block_px, shares, seed):
        attempts = [
            _fold_attempt(
                pixels,
                name,
                size,
                unit,
                _fold_parts(pixels, fold, number, folds if validation else 0),
                target,
                fixed,
            )
            for number in range(folds)
        ]
        if not fixed:
            common = min(attempt.buffer_px for attempt in attempts)
            for attempt in attempts:
                attempt.settle(common)
        tried.append(attempts)
        if all(attempt.good for attempt in attempts):
            break
    best = max(tried, key=lambda attempts: min(attempt.rank for attempt in attempts))
    if any(attempt.missing for attempt in best):
        raise refusal([attempt for attempts in tried for attempt in attempts], target)
    return [attempt.split(seed, target) for attempt in best]


def _fold_parts(
    pixels: GroupedPixels, fold: Ints, number: int, validating: int
) -> NDArray[np.int8]:
    """Return the parts where fold ``number`` tests, and one of ``validating`` may validate."""
    part = np.full(fold.size, TRAIN, np.int8)
    part[fold == number] = TEST
    if validating:
        others = [(number + step) % validating for step in range(1, validating)]
        lost = [_classes_lost(pixels, part, fold == other) for other in others]
        part[fold == others[int(np.argmin(lost))]] = VALIDATION
    return part


def _classes_lost(pixels: GroupedPixels, part: NDArray[np.int8], taken: NDArray[np.bool_]) -> int:
    """Return how many classes the training part has no more without the pixels ``taken``."""
    if not pixels.names:
        return 0
    left = np.bincount(pixels.stratum[(part == TRAIN) & ~taken], minlength=pixels.strata)
    return int((left == 0).sum())


def _fold_attempt(
    pixels: GroupedPixels,
    name: str,
    size: Optional[int],
    unit: Ints,
    part: NDArray[np.int8],
    target_px: int,
    fixed: bool,
) -> Attempt:
    # A fold's test part may lack a rare class, its training part may not.
    used = frozenset(int(each) for each in np.unique(part)) | {TRAIN, TEST}
    return Attempt.of(pixels, name, size, unit, part, used, frozenset({TRAIN}), target_px, fixed)


def _target(method: str, buffer_px: Optional[int], receptive_field_px: int) -> tuple[int, bool]:
    """Return the buffer to aim at, and whether it must be kept."""
    if method == "random":
        return 0, True  # any buffer would leave out all that is dealt pixel by pixel
    return (receptive_field_px // 2, False) if buffer_px is None else (buffer_px, True)


def _require_labels(labels: Labels) -> None:
    if len(labels) == 0:
        raise HyperKDError("no_labels", "There are no labels to split.", "Give labels.")


def _check_shares(shares: Sequence[float]) -> tuple[float, ...]:
    fine = len(shares) == 3 and min(shares) >= 0 and abs(sum(shares) - 1) < 1e-6
    if not fine or shares[TRAIN] == 0:
        raise HyperKDError(
            "bad_job",
            f"The fractions of train, validation, test are {', '.join(f'{s:g}' for s in shares)}.",
            "Give three numbers from 0 to 1 that add up to 1, the first above 0.",
        )
    return tuple(shares)
