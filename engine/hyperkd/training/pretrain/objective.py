"""The training objective of a student: the parts of its loss, and their weights.

    loss = MSE + w1 (1 - SSIM) + w2 KL + w3 distillation (+ spectral angle + slopes)

Each part but the first has a share: the norm of its gradient relative to that of the
squared error. The weights that achieve this are computed once, early in the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Optional

import numpy as np
import torch
from torch import Tensor, nn

from hyperkd.models.nets.student import Student
from hyperkd.requests.distill_options import DistillJob
from hyperkd.training.common import losses
from hyperkd.training.common.crops import Crop, CropSampler
from hyperkd.training.common.masked_batch import Masked, Tiles
from hyperkd.training.pretrain.mask_guide import token_scores
from hyperkd.training.pretrain.token_distillation import (
    Aligner,
    Distillation,
    Distiller,
    FrozenTeacher,
)
from hyperkd.training.pretrain.token_masking import Masking, token_order, visible_count
from hyperkd.training.teacher.prithvi_features import recorded
from hyperkd.types import Wavelengths

MAIN: Final = "mse"
FEATURES: Final = "features"

# EnMAP's two detectors both see these wavelengths, and their bands alternate there.
_OVERLAP_NM: Final = (902.0, 993.0)


@dataclass(frozen=True)
class Losses:
    """The terms of the reconstruction loss besides the squared error.

    Attributes:
        ssim, kl, angle, slope: shares of structural similarity, of the divergence of
            spectra, of the spectral angle and of the first difference: the norm of its
            gradient relative to that of the squared error, once calibrated; 0: left out.
        norm_patches: whether the squared error is measured in standard deviations of its
            own patch, instead of those of the band.
        ssim_bands: number of bands, drawn in each step, that the similarity is computed from.
        ssim_window: side of its window in pixels.
        ssim_range: its data range for each band, in standard deviations.
        pixels: fraction of a patch's pixels, drawn in each step, whose spectra the
            divergence, the angle and the slopes are computed from.
        uncalibrated: weight of every part until the calibration.
        calibrate_at: step after which the weights follow the shares; earlier in a
            short training, at a tenth of it; 0: never.
    """

    ssim: float
    kl: float
    angle: float
    slope: float
    norm_patches: bool
    ssim_bands: int = 16
    ssim_window: int = 7
    ssim_range: float = 4.0
    pixels: float = 0.25
    uncalibrated: float = 0.1
    calibrate_at: int = 100

    def shares(self) -> dict[str, float]:
        """Return the shares that are not 0."""
        every = {name: getattr(self, name) for name in ("ssim", "kl", "angle", "slope")}
        return {name: share for name, share in every.items() if share > 0}


@dataclass(frozen=True)
class Recipe:
    """What an arm of an ablation switches.

    Attributes:
        losses: the terms of the reconstruction loss.
        distillation: what is learned from the teacher; None: no teacher.
    """

    masking: Masking
    losses: Losses
    distillation: Optional[Distillation]

    def shares(self) -> dict[str, float]:
        """Return the share of every part besides the squared error."""
        shares = self.losses.shares()
        if self.distillation is not None and self.distillation.share > 0:
            shares[FEATURES] = self.distillation.share
        return shares


@dataclass(frozen=True, eq=False)
class Draws:
    """The random numbers of one step; they do not depend on the recipe.

    Attributes:
        crops: B places of tiles.
        noise, preference, shuffle: ``(B, N)`` uniform float32; see ``token_order``.
        bands: a random order of the student's bands.
        pixels: a random order of the pixels of a patch.
    """

    crops: tuple[Crop, ...]
    noise: Tensor
    preference: Tensor
    shuffle: Tensor
    bands: Tensor
    pixels: Tensor

    @classmethod
    def of_step(
        cls, sampler: CropSampler, seed: int, step: int, batch: int, student: Student
    ) -> Draws:
        """Draw for a 0-based step.

        One generator per step: a resumed run draws what the whole run would have,
        and every process of several draws the same and takes its part.
        """
        generator = np.random.default_rng((seed, step))
        crops = sampler.plan(generator, batch)
        tokens = (sampler.tile_px // student.config.patch) ** 2
        uniform = generator.random((3, batch, tokens), dtype=np.float32)
        bands = torch.from_numpy(generator.permutation(student.config.bands))
        pixels = torch.from_numpy(generator.permutation(student.config.patch**2))
        noise, preference, shuffle = torch.from_numpy(uniform)
        return cls(crops, noise, preference, shuffle, bands, pixels)

    def chunk(self, first: int, size: int, device: torch.device) -> Draws:
        """Return the numbers of some of the tiles, on the device."""
        pick = slice(first, first + size)
        return Draws(
            self.crops[pick],
            self.noise[pick].to(device),
            self.preference[pick].to(device),
            self.shuffle[pick].to(device),
            self.bands.to(device),
            self.pixels.to(device),
        )


class Objective(nn.Module):
    """Computes the parts of the loss; its parameters are trained but never exported.

    Args:
        student: the network that learns; it does not become a part of this module.
        bands: the student's bands.
        tile_px: side of the training tiles.
        teacher: required where the recipe distils.
    """

    std: Tensor
    step_nm: Tensor
    pairs: Tensor

    def __init__(
        self,
        student: Student,
        recipe: Recipe,
        bands: Wavelengths,
        tile_px: int,
        teacher: Optional[FrozenTeacher],
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self._patch = student.config.patch
        distils = FEATURES in recipe.shares()
        if distils and teacher is None:
            raise ValueError("the recipe distils, but there is no teacher")
        self._guided = recipe.masking.share(1.0) > 0
        # Without a teacher the image is still made, to guide the mask.
        mode = (recipe.distillation or DistillJob).alignment
        self.aligner = Aligner(bands, mode) if distils or self._guided else None
        self.distiller: Optional[Distiller] = None
        if distils and recipe.distillation is not None and teacher is not None:
            self.distiller = Distiller(student, teacher, recipe.distillation, tile_px)
        self.register_buffer("_ones", torch.ones(1), persistent=False)
        if recipe.losses.slope > 0:
            pairs = losses.slope_pairs(bands.centre_nm, _OVERLAP_NM)
            step_nm = np.where(pairs, np.diff(bands.centre_nm), 1.0)
            self.register_buffer("pairs", torch.from_numpy(pairs).float(), persistent=False)
            self.register_buffer("step_nm", torch.from_numpy(step_nm).float(), persistent=False)
        self.to(student.mean.device)

    _ones: Tensor

    def mask(self, tiles: Tiles, draws: Draws, progress: float) -> tuple[Masked, Optional[Tensor]]:
        """Hide tokens of the tiles; return the six bands of HLS too where they were made.

        Args:
            tiles: B tiles.
            draws: their random numbers.
            progress: share of the training that is done, 0 to 1.
        """
        masking = self.recipe.masking
        visible = visible_count(draws.noise.shape[1], masking.ratio)
        six = None if self.aligner is None else self.aligner(tiles)
        share = masking.share(progress)
        if share > 0 and six is not None:
            scores = token_scores(six.mean(1), tiles.valid, self._patch, masking.score)
            empty = tiles.empty(self._patch)
            order = token_order(draws.noise, draws.preference, scores, empty, masking, share)
        else:
            order = draws.noise.argsort(dim=1, stable=True)
        return Masked.cut(tiles, order, visible, self._patch), six

    def parts(
        self,
        student: Student,
        tiles: Tiles,
        draws: Draws,
        progress: float,
        bfloat16: bool = False,
    ) -> dict[str, Tensor]:
        """Return each part of the loss, not weighted.

        Args:
            student: the network, on the device of the tiles.
            tiles, draws, progress: as in ``mask``.
            bfloat16: whether networks multiply in bfloat16; losses never do.
        """
        masked, six = self.mask(tiles, draws, progress)
        return self.computed(student, tiles, draws, masked, six, bfloat16)

    def computed(
        self,
        student: Student,
        tiles: Tiles,
        draws: Draws,
        masked: Masked,
        six: Optional[Tensor],
        bfloat16: bool,
    ) -> dict[str, Tensor]:
        """Return the parts of the loss of tiles that are hidden already; see ``mask``."""
        layers = () if self.distiller is None else self.distiller.layers
        parts = {}
        with torch.autocast(tiles.pixels.device.type, torch.bfloat16, enabled=bfloat16):
            with recorded(layers) as seen:
                prediction = masked.predict(student)
            if self.distiller is not None and six is not None:
                parts[FEATURES] = self.distiller(seen, tiles, masked, six, draws.shuffle)
        return {**self.reconstruction(student, tiles, draws, masked, prediction.float()), **parts}

    def reconstruction(
        self, student: Student, tiles: Tiles, draws: Draws, masked: Masked, prediction: Tensor
    ) -> dict[str, Tensor]:
        """Return the parts of the loss that compare hidden patches ``(B, M, P, P, C)``."""
        wanted = self.recipe.losses.shares()
        hidden, valid = masked.hidden()
        bands = self._ones if tiles.known is None else tiles.known[:, None, None, None]
        weight = valid if tiles.known is None else valid * bands
        target = student.normalise(hidden)
        if self.recipe.losses.norm_patches:
            std = losses.patch_std(target, weight)
            parts = {MAIN: losses.masked_mse(prediction / std, target / std, weight)}
        else:
            parts = {MAIN: losses.masked_mse(prediction, target, weight)}
        if not wanted:
            return parts
        if "ssim" in wanted:
            parts["ssim"] = self._ssim(student, tiles, draws, masked, prediction)
        if wanted.keys() == {"ssim"}:
            return parts
        # (B, M, K, C), K pixels of each patch
        count = max(1, round(self.recipe.losses.pixels * len(draws.pixels)))
        truth, counted, guess = (
            each.flatten(2, 3).index_select(2, draws.pixels[:count])
            for each in (hidden, valid, prediction)
        )
        guess = guess * student.std + student.mean
        if tiles.known is not None:
            bands = bands[..., 0, :]
        if "kl" in wanted:
            parts["kl"] = losses.spectral_divergence(guess, truth, counted, bands)
        if "angle" in wanted:
            parts["angle"] = losses.spectral_angle_loss(guess, truth, counted, bands)
        if "slope" in wanted:
            parts["slope"] = losses.slope_loss(
                guess, truth, counted, bands, self.step_nm, self.pairs
            )
        return parts

    def _ssim(
        self, student: Student, tiles: Tiles, draws: Draws, masked: Masked, prediction: Tensor
    ) -> Tensor:
        """Compare images in which the hidden patches are predicted and the others are true.

        Pasting alone would flatter the student, so only the surroundings of hidden
        pixels are counted.
        """
        settings = self.recipe.losses
        chosen = draws.bands[: settings.ssim_bands]
        mean, std = student.mean[chosen], student.std[chosen]
        truth = masked.patches.index_select(4, chosen)
        guess = prediction.index_select(4, chosen) * std + mean
        guess = torch.cat((truth[:, : masked.visible], guess), 1)
        valid = masked.valid
        counted = valid.clone()
        counted[:, : masked.visible] = 0
        image, original = (
            masked.paste(each / (settings.ssim_range * std)) for each in (guess, truth)
        )
        where = masked.paste(counted)
        if tiles.known is not None:
            where = where * tiles.known[:, chosen, None, None]
        return losses.ssim_loss(image, original, masked.paste(valid), where, settings.ssim_window)
