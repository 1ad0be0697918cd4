"""The teacher's features of the crops of a training, kept on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable, Union

import numpy as np
import torch
from torch import Tensor

from hyperkd.training.common.crops import Crop, PixelSource
from hyperkd.training.common.masked_batch import Tiles
from hyperkd.training.pretrain.token_distillation import Aligner, Distiller
from hyperkd.training.teacher.feature_cache import FeatureArray, FeatureCache, FeatureKey, checksum


class KeptFeatures:
    """Computes what is not kept yet; the same crop comes again at other epochs.

    Args:
        distiller: whose teacher is asked.
        aligner: makes what the teacher sees; another matrix of it means other features.
        identity: what the teacher's features depend on besides the image, see ``Teacher``.
        scenes: the scenes that crops are numbers of.
        tile_px: side of a crop.
        patch_px, dim: of the teacher's tokens.
    """

    def __init__(
        self,
        folder: Path,
        distiller: Distiller,
        aligner: Aligner,
        identity: Mapping[str, Union[str, int]],
        scenes: Sequence[PixelSource],
        tile_px: int,
        patch_px: int,
        dim: int,
    ) -> None:
        blocks = distiller.blocks
        self._cache = FeatureCache(folder, (len(blocks), (tile_px // patch_px) ** 2, dim))
        self._blocks = blocks
        self._values = distiller.settings.distance == "relation"
        self._identity = identity
        self._alignment = checksum(*(part.cpu().numpy() for part in (aligner.used, aligner.matrix)))
        self._scenes = [_scene_checksum(scene) for scene in scenes]

    def __call__(
        self, tiles: Tiles, six: Tensor, look: Callable[[Tiles, Tensor], list[Tensor]]
    ) -> list[Tensor]:
        """Return the teacher's features of whole tiles, ``(B, N, T)`` for each block."""

        def compute(absent: Sequence[int]) -> FeatureArray:
            chosen = torch.tensor(absent, device=six.device)
            some = Tiles(tiles.pixels[chosen], tiles.valid[chosen])
            # In float32 whatever the training multiplies in: they outlive it.
            with torch.autocast(six.device.type, enabled=False):
                layers = look(some, six[chosen])
            found: FeatureArray = torch.stack(layers, 1).float().cpu().numpy()
            return found

        stored = self._cache.collect([self._key(crop) for crop in tiles.crops], compute)
        return list(torch.from_numpy(stored).to(six.device).unbind(1))

    def _key(self, crop: Crop) -> FeatureKey:
        if crop.row or crop.col:
            raise ValueError("features are kept of crops that lie wholly inside their scene")
        return FeatureKey(
            teacher=str(self._identity["teacher"]),
            blocks=self._blocks,
            frames=str(self._identity["frames"]),
            positions=str(self._identity["positions"]),
            alignment=self._alignment,
            scene=self._scenes[crop.scene],
            window=crop.window,
            turns=crop.turns,
            mirrored=crop.mirrored,
            values=self._values,
        )


def _scene_checksum(scene: PixelSource) -> str:
    """Return a checksum of a scene's mask and of every pixel, read in strips."""
    height, width = scene.valid.shape
    strips = (
        checksum(scene.read(slice(row, min(row + 64, height)), slice(0, width)))
        for row in range(0, height, 64)
    )
    texts = [checksum(scene.valid), *strips]
    return checksum(np.frombuffer("".join(texts).encode(), np.uint8))
