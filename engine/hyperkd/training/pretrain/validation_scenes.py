"""Which scenes are kept from training, so that a validation means something.

Whole scenes, never pixels or neighbouring crops of one: those are so alike that
every student looks good on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hyperkd.training.common.crops import Pixels, PixelSource, has_place
from hyperkd.types import BoolArray

SCENES = "whole scenes"
BLOCK = "a block of the only scene"
NONE = "nothing is held out: the only scene is too small"


class Part:
    """A rectangle of a scene, as a scene of its own."""

    def __init__(self, scene: PixelSource, rows: slice, cols: slice) -> None:
        self.name = scene.name
        self.known = scene.known
        self.valid: BoolArray = scene.valid[rows, cols]
        self._scene = scene
        self._row, self._col = rows.start, cols.start

    def read(self, rows: slice, cols: slice) -> Pixels:
        """Return the pixels of a rectangle of the part."""
        return self._scene.read(
            slice(rows.start + self._row, rows.stop + self._row),
            slice(cols.start + self._col, cols.stop + self._col),
        )


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scenes to train on and scenes to validate on.

    Attributes:
        training, validation: the scenes.
        how: ``SCENES``, ``BLOCK`` or ``NONE``.
    """

    training: tuple[PixelSource, ...]
    validation: tuple[PixelSource, ...]
    how: str


def hold_out(scenes: Sequence[PixelSource], share: float, tile_px: int, seed: int) -> HeldOut:
    """Keep scenes from training.

    Of several scenes some are kept whole. The only one is cut across its longer
    side: the end is kept, and a strip of up to one crop between belongs to nobody.
    Where either part has no crop with enough valid pixels, nothing is held out.

    Args:
        share: share of the scenes, or of the only one, that is kept.
        tile_px: side of a crop; each side of a cut has room for one.
        seed: draws which scenes.
    """
    if len(scenes) > 1:
        count = min(max(1, round(share * len(scenes))), len(scenes) - 1)
        order = np.random.default_rng((seed, 0x5EED)).permutation(len(scenes))
        kept = set(order[:count].tolist())
        return HeldOut(
            tuple(scene for number, scene in enumerate(scenes) if number not in kept),
            tuple(scenes[number] for number in sorted(kept)),
            SCENES,
        )
    scene = scenes[0]
    height, width = scene.valid.shape
    length = max(height, width)
    size = max(tile_px, round(share * length))
    first = length - size  # of the part that is kept
    gap = min(tile_px, first - tile_px)
    if gap < 0:
        return HeldOut((scene,), (scene,), NONE)
    spans = slice(0, first - gap), slice(first, length)
    parts = [
        Part(scene, span, slice(0, width))
        if height >= width
        else Part(scene, slice(0, height), span)
        for span in spans
    ]
    if not all(has_place(part.valid, tile_px) for part in parts):
        return HeldOut((scene,), (scene,), NONE)
    return HeldOut((parts[0],), (parts[1],), BLOCK)
