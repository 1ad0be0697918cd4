"""Train a stand-in teacher: Prithvi's architecture on the six bands of simulated scenes.

    python benchmarks/train_stand_in_teacher.py --output stand-in-teacher.safetensors

Prithvi's weights cannot be had everywhere. This one is a small network of the same
architecture and the same task (masked autoencoder, six bands, one date), trained on
more scenes and more tiles than the students that learn from it. Whatever is measured
with it has to say "stand-in teacher": it knows nothing of real images.

With --informed it also learns from the true land cover of its scenes, as no published
Prithvi did: a teacher that knows more than six bands without labels can tell. It shows
what distillation passes on where there is something to pass on, and is no stand-in.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ablation_data import Extent, load_teacher_images
from numpy.typing import NDArray
from torch import Tensor

from hyperkd.models.nets.prithvi import Prithvi, Visible
from hyperkd.models.prithvi_versions import REFLECTANCE_UNIT, PrithviConfig, PrithviVersion
from hyperkd.training.common.optimiser import learning_rate, make_optimiser, set_learning_rate
from hyperkd.training.teacher.standin import StandIn, save_stand_in

ROOT = Path(__file__).resolve().parents[1]
WARMUP = 0.05  # share of the steps
INFORMED = 1.0  # weight of the land cover, whose error is about as large as the images'


@dataclass(frozen=True)
class TeacherSettings:
    """How the teacher is trained.

    Attributes:
        steps: optimiser steps.
        batch: tiles per step.
        tile: side of a tile in pixels.
        learning_rate: its peak after a warm-up of a twentieth; then a cosine to zero.
        weight_decay: of AdamW, on matrices alone.
        mask_ratio: share of hidden tokens.
        seed: of weights, tiles and masks.
        informed: weight of the error of the covers' shares, which a linear map predicts
            from the visible tokens; 0: images alone.
    """

    steps: int
    batch: int = 64
    tile: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    mask_ratio: float = 0.75
    seed: int = 0
    informed: float = 0.0


def stand_in_version(config: PrithviConfig, images: NDArray[np.float32]) -> PrithviVersion:
    """Describe a teacher whose normalisation is that of ``images`` (..., 6) reflectance."""
    values = np.clip(images.reshape(-1, images.shape[-1]), 0, 1).astype(np.float64)
    values *= REFLECTANCE_UNIT
    mean, std = values.mean(0), values.std(0)
    return PrithviVersion("stand-in", config, tuple(mean.tolist()), tuple(std.tolist()))


def make_teacher(version: PrithviVersion, seed: int) -> Prithvi:
    """Return a network with random weights as Prithvi's training begins with."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Prithvi(version.config)
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1 and "token" not in name:
                torch.nn.init.xavier_uniform_(parameter.flatten(1).data)
            elif "token" in name:
                torch.nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                torch.nn.init.zeros_(parameter)
    return network


def train_teacher(
    network: Prithvi,
    version: PrithviVersion,
    images: NDArray[np.float32],
    shares: NDArray[np.float32],
    settings: TeacherSettings,
    say: Callable[[str], None],
) -> list[float]:
    """Train in place on random tiles; return the loss of each step.

    Args:
        network: with random weights.
        version: what it is.
        images: ``(S, H, W, 6)`` reflectance.
        shares: ``(S, h, w, K)`` true shares of the covers, for an informed teacher.
        settings: how to train.
        say: is told how it goes.
    """
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        head = torch.nn.Linear(version.config.dim, shares.shape[-1])
    every = [*network.parameters(), *(head.parameters() if settings.informed else ())]
    optimiser = make_optimiser(every, settings.learning_rate, settings.weight_decay)
    losses: list[float] = []
    started = time.perf_counter()
    network.train()
    batches = _batches(version, images, shares, settings)
    for step, (tiles, noise, truth) in enumerate(batches):
        rate = learning_rate(step, settings.steps, settings.learning_rate, WARMUP)
        set_learning_rate(optimiser, rate)
        result = network(tiles, noise, settings.mask_ratio)
        loss = result.loss
        if settings.informed:
            loss = loss + settings.informed * _land_cover_error(head, result.visible, truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(every, 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if (step + 1) % 100 == 0 or step + 1 == settings.steps:
            speed = (step + 1) * settings.batch / (time.perf_counter() - started)
            say(
                f"teacher, step {step + 1} of {settings.steps}: "
                f"loss {np.mean(losses[-100:]):.4f}, {speed:.0f} tiles/s"
            )
    network.eval()
    return losses


def _land_cover_error(head: torch.nn.Linear, visible: Visible, truth: Tensor) -> Tensor:
    """Return the cross-entropy of the covers' shares ``truth`` (B, N, K) at visible tokens."""
    told: Tensor = head(visible.latent[:, 1:])
    order = visible.ids_restore.argsort(1)[:, : told.shape[1], None]
    seen = truth.gather(1, order.expand(-1, -1, truth.shape[2]))
    return -(seen * told.log_softmax(-1)).sum(-1).mean()


def _batches(
    version: PrithviVersion,
    images: NDArray[np.float32],
    shares: NDArray[np.float32],
    settings: TeacherSettings,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield tiles ``(B, 6, 1, H, W)``, normalised, noise ``(B, N)`` and truth ``(B, N, K)``.

    The truth belongs to tokens, so an informed teacher's tiles begin at their edges.
    """
    size, tile, patch = settings.batch, settings.tile, version.config.patch
    side, step_px = tile // patch, patch if settings.informed else 1
    tokens = side**2
    places = (images.shape[1] - tile) // step_px + 1
    stored = np.clip(images, 0, 1) * np.float32(REFLECTANCE_UNIT)
    stored = (stored - np.array(version.mean, np.float32)) / np.array(version.std, np.float32)
    for step in range(settings.steps):
        generator = np.random.default_rng((settings.seed, step))
        batch = np.empty((size, tile, tile, stored.shape[-1]), np.float32)
        truth = np.empty((size, side, side, shares.shape[-1]), np.float32)
        for target, known in zip(batch, truth):
            scene, row, col, turns, mirror = generator.integers((len(stored), places, places, 4, 2))
            row, col = row * step_px, col * step_px
            crop = stored[scene, row : row + tile, col : col + tile]
            row, col = row // patch, col // patch
            below = shares[scene, row : row + side, col : col + side]
            for whole, part in ((target, crop), (known, below)):
                turned = np.rot90(part, turns)
                whole[:] = turned[:, ::-1] if mirror else turned
        noise = generator.random((size, tokens), dtype=np.float32)
        yield (
            torch.from_numpy(batch).permute(0, 3, 1, 2)[:, :, None],
            torch.from_numpy(noise),
            torch.from_numpy(truth).flatten(1, 2),
        )


def describe_teacher(version: PrithviVersion, training: dict[str, Any]) -> StandIn:
    """Return what the teacher's file says about it."""
    informed = ", with their true land cover" if training["informed"] else ""
    return StandIn(
        version.name,
        version.config,
        version.mean,
        version.std,
        "GPL-2.0-or-later",
        f"stand-in teacher: Prithvi's architecture, trained on simulated scenes alone{informed}",
        training,
    )


def main() -> None:
    """Simulate, train, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "ablation" / "scenes")
    parser.add_argument("--scenes", type=int, default=96)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--patch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--informed", action="store_true", help="learn from true land cover too")
    given = parser.parse_args()
    settings = TeacherSettings(
        given.steps,
        learning_rate=given.learning_rate,
        seed=given.seed,
        informed=INFORMED if given.informed else 0.0,
    )
    config = teacher_config(given.dim, given.depth, given.patch, settings.tile)
    extent = Extent(given.scenes, 0, 0, 0, patch=given.patch)
    started = time.perf_counter()
    images, shares = load_teacher_images(given.cache, extent, print)
    version = stand_in_version(config, images)
    network = make_teacher(version, given.seed)
    losses = train_teacher(network, version, images, shares, settings, print)
    training = {
        **dataclasses.asdict(settings),
        "scenes": given.scenes,
        "loss": round(float(np.mean(losses[-100:])), 5),
        "seconds": round(time.perf_counter() - started),
    }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    save_stand_in(given.output, network, describe_teacher(version, training))
    print(f"{given.output}: {json.dumps(training)}")


def teacher_config(dim: int, depth: int, patch: int, tile: int) -> PrithviConfig:
    """Return the sizes of a small Prithvi for one date."""
    return PrithviConfig(
        dim, depth, max(1, dim // 32), patch=patch, frames=1, tile=tile,
        decoder_dim=64, decoder_depth=2, decoder_heads=2,
    )  # fmt: skip


if __name__ == "__main__":
    main()
