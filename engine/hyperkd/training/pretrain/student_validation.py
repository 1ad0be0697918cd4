"""How good a student is on scenes that it does not learn from.

The same tiles under the same random masks every time, so that a curve shows the
student and not the luck of the draw. Masks are random whatever leads them in
training, and metrics come from hidden valid pixels alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperkd.metrics import psnr_db
from hyperkd.models.nets.student import Student
from hyperkd.training.common import losses
from hyperkd.training.common.crops import CropSampler, PixelSource
from hyperkd.training.common.masked_batch import Masked, Tiles
from hyperkd.training.pretrain.token_masking import random_order, visible_count
from hyperkd.types import BoolArray

_CHUNK = 8
_SSIM_BANDS = 16
_SSIM_RANGE = 4.0  # standard deviations of a band, as in training


@dataclass(frozen=True, eq=False)
class Example:
    """One tile, what a student saw of it and what it made of the rest.

    Attributes:
        truth: ``(H, W, C)`` reflectance.
        prediction: the same with hidden patches predicted.
        shown: ``(H, W)`` bool, True where the student saw the pixel.
        valid: ``(H, W)`` bool.
    """

    truth: NDArray[np.float32]
    prediction: NDArray[np.float32]
    shown: BoolArray
    valid: BoolArray


class Validation:
    """Fixed tiles with fixed masks.

    Args:
        scenes: where the tiles come from.
        student: whose patch and device they are for.
        tile_px: side of a tile.
        count: how many tiles.
        mask_ratio: share of hidden tokens.
        seed: draws places and masks.
    """

    def __init__(
        self,
        scenes: Sequence[PixelSource],
        student: Student,
        tile_px: int,
        count: int,
        mask_ratio: float,
        seed: int,
    ) -> None:
        generator = np.random.default_rng((seed, 0x7A1))
        sampler = CropSampler(scenes, tile_px)
        crops = sampler.plan(generator, count)
        self._patch = student.config.patch
        tokens = (tile_px // self._patch) ** 2
        order = torch.from_numpy(random_order(generator, count, tokens))
        self._visible = visible_count(tokens, mask_ratio)
        device = student.mean.device
        self._chunks = [
            (
                Tiles.read(sampler, crops[first : first + _CHUNK], device),
                order[first : first + _CHUNK].to(device),
            )
            for first in range(0, count, _CHUNK)
        ]
        bands = student.config.bands
        step = max(1, bands // _SSIM_BANDS)
        self._bands = torch.arange(0, bands, step, device=device)[:_SSIM_BANDS]

    def __call__(self, student: Student, step: int) -> Mapping[str, float]:
        """Return the metrics of a student.

        Returns:
            ``validation_loss``, the mean squared error in normalised reflectance;
            ``psnr_db`` with the peak 1.0 reflectance; ``ssim`` of images in which
            visible patches are true, around hidden pixels; and the mean spectral
            angle ``sam_deg``.
        """
        sums = torch.zeros(7, dtype=torch.float64)
        for tiles, order in self._chunks:
            sums += self._sums(student, tiles, order).cpu()
        error, square, values, angle, angles, similarity, places = sums.tolist()
        return {
            "validation_loss": error / max(values, 1),
            "psnr_db": psnr_db(square / max(values, 1)),
            "ssim": similarity / max(places, 1),
            "sam_deg": angle / max(angles, 1),
        }

    @torch.no_grad()
    def _sums(self, student: Student, tiles: Tiles, order: Tensor) -> Tensor:
        masked = Masked.cut(tiles, order, self._visible, self._patch)
        prediction = masked.predict(student)
        hidden, valid = masked.hidden()
        known = 1.0 if tiles.known is None else tiles.known[:, None, None, None]
        weight = (valid * known).expand_as(hidden)
        error = (prediction - student.normalise(hidden)).square() * weight
        reflectance = prediction * student.std + student.mean
        square = (reflectance - hidden).square() * weight
        angle, counted = _angles_deg(reflectance * weight, hidden * weight)
        counted = counted * valid[..., 0]
        similarity, centres = self._similarity(student, tiles, masked, reflectance)
        return torch.stack(
            [
                each.double().sum()
                for each in (
                    error,
                    square,
                    weight,
                    angle * counted,
                    counted,
                    similarity * centres,
                    centres,
                )
            ]
        )

    def _similarity(
        self, student: Student, tiles: Tiles, masked: Masked, reflectance: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the structural similarity around each pixel, and which pixels count."""
        scale = _SSIM_RANGE * student.std[self._bands]
        truth = masked.patches[..., self._bands] / scale
        guess = torch.cat((truth[:, : masked.visible], reflectance[..., self._bands] / scale), 1)
        hidden = masked.valid.clone()
        hidden[:, : masked.visible] = 0
        valid = masked.paste(masked.valid)
        similarity = losses.ssim_map(masked.paste(guess), masked.paste(truth), valid)
        centres = masked.paste(hidden).expand_as(similarity)
        if tiles.known is not None:
            centres = centres * tiles.known[:, self._bands, None, None]
        return similarity, centres

    @torch.no_grad()
    def example(self, student: Student) -> Example:
        """Return the first tile as the student sees and completes it."""
        tiles, order = self._chunks[0]
        masked = Masked.cut(
            Tiles(tiles.pixels[:1], tiles.valid[:1]), order[:1], self._visible, self._patch
        )
        prediction = masked.predict(student) * student.std + student.mean
        guess = torch.cat((masked.patches[:, : masked.visible], prediction), 1)
        shown = masked.valid.clone()
        shown[:, masked.visible :] = 0
        images = (
            masked.paste(each)[0].permute(1, 2, 0).cpu().numpy()
            for each in (masked.patches, guess, shown, masked.valid)
        )
        truth, pasted, seen, valid = images
        return Example(truth, pasted, seen[..., 0] > 0, valid[..., 0] > 0)


def _angles_deg(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the angles between spectra ``(..., C)`` in degrees, and 1 where there is one."""
    lengths = first.norm(dim=-1, keepdim=True), second.norm(dim=-1, keepdim=True)
    exists = ((lengths[0] > 0) & (lengths[1] > 0))[..., 0].float()
    one, other = (each / length.clamp(min=1e-12) for each, length in zip((first, second), lengths))
    # The half-angle form keeps its precision where arccos loses it, near 0.
    half = torch.atan2((one - other).norm(dim=-1), (one + other).norm(dim=-1))
    return torch.rad2deg(2 * half), exists
