"""One way to split labels: the parts, the buffer that they allow, and what is missing then."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KDTree

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.splits.split_units import GroupedPixels
from hyperkd.sentences import counted, some
from hyperkd.types import Ints

PARTS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, -1

# An automatic buffer leaves at least this share of the pixels of each part.
_KEPT_FRACTION = 0.5


@dataclass(frozen=True, eq=False)
class Split:
    """Which labelled pixels are for training, validation and test.

    Attributes:
        parts: per scene ``(n,)`` int8: 0 train, 1 validation, 2 test, -1 left out
            because it lies within the buffer of another part.
        method: ``polygons``, ``blocks``, ``scenes`` or ``random``.
        buffer_px: no two pixels of different parts of one scene are this near or nearer
            (Chebyshev distance).
        optimistic: whether scores on the test part are known to be too good.
        block_px: side of the blocks.
        counts: by part: pixels, units and pixels by class.
        notes: what the reader of a score has to know about the split.
        wanted_px: the buffer that it should have, where that would leave too few labels; else 0.
    """

    parts: tuple[NDArray[np.int8], ...]
    method: str
    buffer_px: int
    seed: int
    optimistic: bool = False
    block_px: Optional[int] = None
    counts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    wanted_px: int = 0

    def as_seen_by(self, receptive_field_px: int) -> Split:
        """Return the split of a model that turned out to see so many pixels.

        The buffer is chosen before it is known whether a model looks around a pixel. Where
        it looks less far than the buffer reaches, the note that this is small goes.
        """
        if not 0 < self.wanted_px or receptive_field_px // 2 > self.buffer_px:
            return self
        small = buffer_note(self.buffer_px, self.wanted_px)
        notes = tuple(note for note in self.notes if note != small)
        return dataclasses.replace(self, notes=notes, wanted_px=0)

    def summary(self) -> dict[str, Any]:
        """Return what a card and a report tell about the split; JSON-able."""
        return {
            "method": self.method,
            "buffer_px": self.buffer_px,
            "buffer_distance": "chebyshev",
            "block_px": self.block_px,
            "seed": self.seed,
            "optimistic": self.optimistic,
            **self.counts,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class PartDistances:
    """Parts before the buffer, and how near each pixel lies to the parts it must not touch.

    Attributes:
        part: ``(n,)`` int8.
        distance_px: ``(n,)`` to the nearest test pixel, of a training pixel also to the
            nearest validation pixel; infinite beyond the reach, in another scene, and
            for test pixels.
    """

    part: NDArray[np.int8]
    distance_px: NDArray[np.float64]

    @classmethod
    def of(cls, pixels: GroupedPixels, part: NDArray[np.int8], reach_px: int) -> PartDistances:
        """Measure the distances up to ``reach_px`` for ``part``, ``(n,)`` int8, none left out."""
        distance = np.full(part.size, np.inf)
        place = np.stack([pixels.row, pixels.col], axis=1)
        for own in (TRAIN, VALIDATION) if reach_px else ():
            for scene in range(len(pixels.sizes)):
                here = np.flatnonzero((pixels.scene == scene) & (part == own))
                other = np.flatnonzero((pixels.scene == scene) & (part > own))
                here = here[_near(place[here], place[other], reach_px)]
                if here.size:
                    tree = KDTree(place[other], metric="chebyshev")
                    distance[here] = tree.query(place[here], k=1)[0][:, 0]
        return cls(part, distance)

    def buffered(self, buffer_px: int) -> NDArray[np.int8]:
        """Return the parts with the pixels within the buffer left out."""
        near = (self.distance_px <= buffer_px) & (buffer_px > 0)
        return np.where(near, LEFT_OUT, self.part).astype(np.int8)


def _near(first: Ints, second: Ints, reach_px: int) -> NDArray[np.bool_]:
    """Return ``(n,)``, False where ``first`` lies farther than the reach from ``second``.

    Compared are squares of the reach's side: beyond the eight around lies nothing near.
    """
    width = int(max(first[:, 1].max(initial=0), second[:, 1].max(initial=0))) // reach_px + 3
    mine, others = ((place // reach_px + 1) @ np.array([width, 1]) for place in (first, second))
    around = np.array([row * width + col for row in (-1, 0, 1) for col in (-1, 0, 1)])
    near: NDArray[np.bool_] = np.isin(mine, np.unique(others)[:, None] + around)
    return near


@dataclass(eq=False)
class Attempt:
    """One way to split, with the buffer that it allows.

    Attributes:
        used: the parts that must not be empty.
        complete: the parts that must hold every class.
    """

    pixels: GroupedPixels
    method: str
    block_px: Optional[int]
    unit: Ints
    distances: PartDistances
    used: frozenset[int]
    complete: frozenset[int]
    buffer_px: int = 0
    good: bool = False
    kept: float = 0.0
    missing: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        pixels: GroupedPixels,
        method: str,
        block_px: Optional[int],
        unit: Ints,
        part: NDArray[np.int8],
        used: frozenset[int],
        complete: frozenset[int],
        target_px: int,
        fixed: bool,
    ) -> Attempt:
        """Make an attempt with the parts ``(n,)``, and choose its buffer, see ``choose``."""
        distances = PartDistances.of(pixels, part, target_px)
        attempt = cls(pixels, method, block_px, unit, distances, used, complete)
        attempt.choose(target_px, fixed=fixed)
        return attempt

    def choose(self, target_px: int, *, fixed: bool) -> None:
        """Choose the buffer: the target, or the first of its halves that leaves enough."""
        buffer_px = target_px
        self._measure(buffer_px)
        while not fixed and not self.good and buffer_px > 0:
            buffer_px //= 2
            self._measure(buffer_px)
        self.good &= buffer_px == target_px

    def settle(self, buffer_px: int) -> None:
        """Take a buffer that another fold needs; one that is not its own first choice."""
        chosen = self.good and buffer_px == self.buffer_px
        self._measure(buffer_px)
        self.good = chosen

    def _measure(self, buffer_px: int) -> None:
        self.buffer_px = buffer_px
        part = self.distances.buffered(buffer_px)
        self.kept = min(
            np.count_nonzero(part == p) / max(1, np.count_nonzero(self.distances.part == p))
            for p in self.used
        )
        self.missing = self._missing(part)
        self.good = not self.missing and self.kept >= _KEPT_FRACTION

    def _missing(self, part: NDArray[np.int8]) -> list[tuple[int, int]]:
        """Return parts and strata that are needed in them and not there; -1 for all strata."""
        missing = []
        for p in sorted(self.used):
            found = np.bincount(self.pixels.stratum[part == p], minlength=self.pixels.strata)
            if not found.any():
                missing.append((p, -1))
            elif self.pixels.names and p in self.complete:
                missing += [(p, int(stratum)) for stratum in np.flatnonzero(found == 0)]
        return missing

    @property
    def rank(self) -> tuple[bool, int, float]:
        """What makes an attempt better than another."""
        return not self.missing, self.buffer_px, self.kept

    def split(self, seed: int, target_px: int) -> Split:
        """Return the split."""
        part = self.distances.buffered(self.buffer_px)
        bounds = np.cumsum(self.pixels.sizes)[:-1]
        return Split(
            parts=tuple(np.split(part, bounds)),
            method=self.method,
            buffer_px=self.buffer_px,
            seed=seed,
            optimistic=self.method == "random",
            block_px=self.block_px,
            counts=self._counts(part),
            notes=tuple(self._notes(part, target_px)),
            wanted_px=target_px if self.buffer_px < target_px else 0,
        )

    def _counts(self, part: NDArray[np.int8]) -> dict[str, Any]:
        counts: dict[str, Any] = {}
        for p, name in enumerate(PARTS):
            here = part == p
            counts[name] = {
                "pixels": int(here.sum()),
                "groups": int(np.unique(self.unit[here]).size),
            }
            if self.pixels.names:
                found = np.bincount(self.pixels.stratum[here], minlength=self.pixels.strata)
                counts[name]["classes"] = dict(zip(self.pixels.names, found.tolist()))
        counts["left_out"] = {"pixels": int((part == LEFT_OUT).sum())}
        return counts

    def _notes(self, part: NDArray[np.int8], target_px: int) -> Iterator[str]:
        if self.method == "random":
            yield (
                "Pixels were split at random: test pixels lie beside training pixels, so the "
                "scores are optimistic."
            )
        elif self.buffer_px < target_px:
            yield buffer_note(self.buffer_px, target_px)
        left = int((part == LEFT_OUT).sum())
        if left:
            yield (
                f"{left} of {counted(part.size, 'labelled pixel')} lie within "
                f"{self.buffer_px} px of another part and are left out."
            )
        for p in sorted(self.used if self.pixels.names else ()):
            found = np.bincount(self.pixels.stratum[part == p], minlength=self.pixels.strata)
            absent = [name for name, count in zip(self.pixels.names, found) if count == 0]
            if absent:
                yield f"No pixel of the {PARTS[p]} part is {some(absent, limit=20)}."


def buffer_note(buffer_px: int, wanted_px: int) -> str:
    """Return a note on a buffer that is smaller than it should be."""
    apart = f"are only {counted(buffer_px, 'pixel')} apart" if buffer_px else "may lie side by side"
    return (
        f"Training and test labels {apart} ({wanted_px} would be safer, but too few labels would "
        "remain). Scores may be too high."
    )


def refusal(tried: Sequence[Attempt], target_px: int) -> HyperKDError:
    """Return the error for labels that cannot be split, with the classes by name."""
    failed = [attempt for attempt in tried if attempt.missing]
    best = max(failed, key=lambda attempt: (-len(attempt.missing), attempt.rank))
    pixels, method = best.pixels, best.method
    units = {"random": "pixels"}.get(method, method)
    where: dict[int, list[str]] = {}
    for part, stratum in best.missing:
        where.setdefault(stratum, []).append(PARTS[part])
    described = []
    for stratum, parts in where.items():
        mine = best.unit if stratum < 0 else best.unit[pixels.stratum == stratum]
        count = np.unique(mine).size
        called = "the labels" if stratum < 0 else pixels.names[stratum]
        described.append(
            f"{called} ({counted(count, units[:-1])}) in {' and '.join(dict.fromkeys(parts))}"
        )
    hint = (
        "Label these classes in more places that lie apart, merge them with others or leave "
        "them out, or choose another split."
    )
    best.choose(target_px, fixed=False)
    if not best.missing and best.buffer_px < target_px:
        hint = f"A buffer of {best.buffer_px} px would do. {hint}"
    buffer = f" with a buffer of {target_px} px" if target_px else ""
    return HyperKDError(
        "class_missing_in_split",
        f"A split by {method}{buffer} has no pixel of {some(described, limit=10)}.",
        hint,
        classes=[pixels.names[stratum] for stratum in where if stratum >= 0],
        method=method,
        buffer_px=target_px,
    )
