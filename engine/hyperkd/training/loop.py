"""The training loop: plain masked-autoencoder training of a student."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperkd.errors import HyperKDError
from hyperkd.metrics import psnr_db, spectral_angle_deg
from hyperkd.models.nets.student import Student, take_patches
from hyperkd.training.dataset import UNIT, CropSampler
from hyperkd.training.losses import masked_mse
from hyperkd.training.masking import random_order, visible_count
from hyperkd.types import BoolArray, Reporter


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        steps: optimiser steps.
        batch: tiles per step.
        chunk: tiles computed at once; their gradients add up to the batch's. On a CPU a
            chunk that fits the cache is twice as fast as 32 tiles, on a GPU take the whole batch.
        learning_rate: its peak, after the warm-up; it then falls to zero as a cosine.
        warmup: share of the steps in which the learning rate rises.
        weight_decay: of AdamW, on matrices alone.
        mask_ratio: share of hidden tokens.
        clip: largest norm of the gradient.
        seed: of the samples and masks.
        bfloat16: multiply matrices in bfloat16; weights, loss and optimiser stay float32.
        report_every: steps between two reported metrics.
    """

    steps: int
    batch: int = 64
    chunk: int = 8
    learning_rate: float = 1e-3
    warmup: float = 0.05
    weight_decay: float = 0.05
    mask_ratio: float = 0.75
    clip: float = 1.0
    seed: int = 0
    bfloat16: bool = False
    report_every: int = 20


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
        tokens = torch.from_numpy(order).to(device)
        # Sorted into patches while they are 16 bits wide, then made float.
        stored = take_patches(torch.from_numpy(pixels).to(device), tokens, patch)
        mask = take_patches(torch.from_numpy(valid).to(device)[..., None], tokens, patch)
        grid = (pixels.shape[1] // patch, pixels.shape[2] // patch)
        return cls(stored.float().mul_(UNIT), mask.float(), tokens, visible, grid)

    def predict(self, student: Student) -> Tensor:
        """Return the hidden patches as the student sees them, normalised."""
        count = self.visible
        visible = student.normalise(self.patches[:, :count])
        return student.predict_hidden(visible, self.valid[:, :count], self.order, self.grid)

    def hidden(self) -> tuple[Tensor, Tensor]:
        """Return ``patches`` and ``valid`` of the hidden tokens."""
        return self.patches[:, self.visible :], self.valid[:, self.visible :]


def train(
    student: Student,
    sampler: CropSampler,
    settings: Settings,
    report: Reporter,
    after_step: Optional[Callable[[int], None]] = None,
) -> list[Mapping[str, float]]:
    """Train a student in place; the same seed and threads give the same student.

    Args:
        student: what to train, on the device where it lies.
        sampler: where the tiles come from.
        settings: how to train.
        report: is told loss, learning rate and samples per second.
        after_step: called with the number of finished steps, for checkpoints and validation.

    Returns:
        The reported metrics, each with its ``step``.

    Raises:
        HyperKDError: ``bad_training`` where the loss is no longer a number, ``cancelled``.
    """
    device = student.mean.device
    optimiser = make_optimiser(student, settings)
    history: list[Mapping[str, float]] = []
    losses: list[float] = []
    started = time.perf_counter()
    student.train()
    for step in range(settings.steps):
        report.check_cancelled()
        # One generator per step: a resumed run draws what the whole run would have.
        generator = np.random.default_rng((settings.seed, step))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, settings)
        optimiser.zero_grad(set_to_none=True)
        loss = 0.0
        for first in range(0, settings.batch, settings.chunk):
            size = min(settings.chunk, settings.batch - first)
            masked = draw(sampler, generator, size, settings.mask_ratio, student, device)
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.bfloat16):
                share = reconstruction_loss(student, masked) * (size / settings.batch)
            share.backward()
            loss += float(share.detach())
        torch.nn.utils.clip_grad_norm_(student.parameters(), settings.clip)
        optimiser.step()

        losses.append(loss)
        if not math.isfinite(losses[-1]):
            raise HyperKDError(
                "bad_training",
                f"The loss became {losses[-1]} in step {step + 1}.",
                f"Train with a learning rate below {settings.learning_rate:g}.",
            )
        done = step + 1
        if done % settings.report_every == 0 or done == settings.steps:
            rate = done * settings.batch / (time.perf_counter() - started)
            values = {
                "loss": float(np.mean(losses[-settings.report_every :])),
                "learning_rate": learning_rate(step, settings),
                "samples_per_s": rate,
            }
            history.append({"step": float(done), **values})
            report.metric(done, values)
        report.progress(done, settings.steps, "step")
        if after_step is not None:
            after_step(done)
    student.eval()
    return history


def draw(
    sampler: CropSampler,
    generator: np.random.Generator,
    batch: int,
    mask_ratio: float,
    student: Student,
    device: torch.device,
) -> Masked:
    """Draw tiles and what of them is hidden."""
    pixels, valid = sampler.batch(generator, batch)
    patch = student.config.patch
    tokens = (sampler.tile_px // patch) ** 2
    order = random_order(generator, batch, tokens)
    return Masked.make(pixels, valid, order, visible_count(tokens, mask_ratio), patch, device)


def reconstruction_loss(student: Student, masked: Masked) -> Tensor:
    """Return the mean squared error of the hidden patches in normalised reflectance."""
    hidden, valid = masked.hidden()
    return masked_mse(masked.predict(student), student.normalise(hidden), valid)


def make_optimiser(student: Student, settings: Settings) -> torch.optim.AdamW:
    """Return AdamW; biases, norms and the mask token are not decayed."""
    matrices = [p for p in student.parameters() if p.ndim > 1]
    vectors = [p for p in student.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    # 0.95 for the second moment, as masked autoencoders use throughout.
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.95))


def learning_rate(step: int, settings: Settings) -> float:
    """Return the learning rate of a 0-based step: linear warm-up, then a cosine to zero."""
    warmup = max(1, round(settings.warmup * settings.steps))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, settings.steps - warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def figures(prediction: Tensor, truth: Tensor, valid: Tensor) -> Mapping[str, float]:
    """Compare reflectance ``(..., C)`` where ``valid`` (..., 1) is 1.

    Returns:
        ``psnr_db`` with the peak 1.0, and the mean spectral angle ``sam_deg``.
    """
    chosen = valid[..., 0] > 0
    predicted, true = prediction[chosen].cpu().numpy(), truth[chosen].cpu().numpy()
    error = float(np.mean(np.square(predicted - true, dtype=np.float64)))
    angle = spectral_angle_deg(predicted, true, axis=-1)
    return {"psnr_db": psnr_db(error), "sam_deg": float(np.nanmean(angle))}
