"""A batch of tiles on the device, and the same cut into patches of which some are hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperkd.models.nets.student import Student, take_patches
from hyperkd.training.common.crops import UNIT, Crop, CropSampler
from hyperkd.training.pretrain.token_masking import random_order, visible_count
from hyperkd.types import BoolArray


@dataclass(frozen=True, eq=False)
class Tiles:
    """Tiles as they were read.

    Attributes:
        pixels: ``(B, H, W, C)`` int16, reflectance x 10000.
        valid: ``(B, H, W)`` bool, False where there is no spectrum.
        known: ``(B, C)`` float32, 0 for a band that the sensor does not have, or
            None where all bands are known.
        crops: where they come from; empty where nobody asks.
    """

    pixels: Tensor
    valid: Tensor
    known: Optional[Tensor] = None
    crops: tuple[Crop, ...] = ()

    @classmethod
    def read(
        cls, sampler: CropSampler, crops: tuple[Crop, ...], device: Union[str, torch.device]
    ) -> Tiles:
        """Read ``crops`` and bring them to the device."""
        pixels, valid = sampler.read(crops)
        known = sampler.known(crops)
        return cls(
            torch.from_numpy(pixels).to(device, non_blocking=True),
            torch.from_numpy(valid).to(device, non_blocking=True),
            None if known is None else torch.from_numpy(known).float().to(device),
            crops,
        )

    def __len__(self) -> int:
        return len(self.pixels)

    def empty(self, patch: int) -> Tensor:
        """Return ``(B, N)`` bool, True where no pixel of a token is valid."""
        cut = self.valid.unflatten(2, (-1, patch)).unflatten(1, (-1, patch))
        return ~cut.any(4).any(2).flatten(1)


@dataclass(frozen=True, eq=False)
class Masked:
    """Tiles cut into patches, of which the student sees the first.

    Attributes:
        patches: ``(B, N, P, P, C)`` float32 reflectance in the order of ``order``.
        valid: ``(B, N, P, P, 1)`` float32, 1 or 0.
        order: ``(B, N)`` token numbers.
        visible: V, how many tokens are visible.
        grid: rows and columns of tokens.
    """

    patches: Tensor
    valid: Tensor
    order: Tensor
    visible: int
    grid: tuple[int, int]

    @classmethod
    def make(
        cls,
        pixels: NDArray[np.int16],
        valid: BoolArray,
        order: NDArray[np.int64],
        visible: int,
        patch: int,
        device: torch.device,
    ) -> Masked:
        """Cut ``pixels`` (B, H, W, C), reflectance x 10000, and ``valid`` (B, H, W)."""
        tiles = Tiles(torch.from_numpy(pixels).to(device), torch.from_numpy(valid).to(device))
        return cls.cut(tiles, torch.from_numpy(order).to(device), visible, patch)

    @classmethod
    def cut(cls, tiles: Tiles, order: Tensor, visible: int, patch: int) -> Masked:
        """Cut tiles into patches and sort them; the first ``visible`` are seen."""
        # Sorted into patches while they are 16 bits wide, then made float.
        stored = take_patches(tiles.pixels, order, patch)
        mask = take_patches(tiles.valid[..., None], order, patch)
        grid = (tiles.pixels.shape[1] // patch, tiles.pixels.shape[2] // patch)
        return cls(stored.float().mul_(UNIT), mask.float(), order, visible, grid)

    def predict(self, student: Student) -> Tensor:
        """Return the hidden patches as the student sees them, normalised."""
        count = self.visible
        visible = student.normalise(self.patches[:, :count])
        return student.predict_hidden(visible, self.valid[:, :count], self.order, self.grid)

    def hidden(self) -> tuple[Tensor, Tensor]:
        """Return ``patches`` and ``valid`` of the hidden tokens."""
        return self.patches[:, self.visible :], self.valid[:, self.visible :]

    def paste(self, patches: Tensor) -> Tensor:
        """Put ``patches`` (B, N, P, P, K) back in their places: ``(B, K, H, W)``."""
        rows, cols = self.grid
        places = self.order.argsort(1)[..., None, None, None].expand_as(patches)
        grid = patches.gather(1, places).unflatten(1, (rows, cols))
        # (B, rows, cols, P, P, K) -> (B, K, rows, P, cols, P)
        return grid.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def draw(
    sampler: CropSampler,
    generator: np.random.Generator,
    batch: int,
    mask_ratio: float,
    student: Student,
    device: torch.device,
) -> Masked:
    """Draw tiles and hide tokens of them at random."""
    pixels, valid = sampler.batch(generator, batch)
    patch = student.config.patch
    tokens = (sampler.tile_px // patch) ** 2
    order = random_order(generator, batch, tokens)
    return Masked.make(pixels, valid, order, visible_count(tokens, mask_ratio), patch, device)
