"""What the scripts that train networks for single spectra share: data, gaps, arguments."""

from __future__ import annotations

import argparse
import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch
from real_tiles import GAPS_NM
from torch import Tensor
from train_student import ROOT, VALIDATION_SEED

from hyperkd.training.physics.spectral_batches import SpectralBatches

HELD_OUT_SCENES, HELD_OUT_DRAWS, SENSORS = 10, 15, 100
# Spectra that figures are computed from, and fractions of missing bands that they are given for.
SPECTRA, MISSING = 8192, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class Seeds:
    """Seeds of simulated scenes, of draws of endmembers and of states of the sensor."""

    scenes: range
    draws: range
    sensors: range


def training_seeds(seed: int, scenes: int, draws: int) -> Seeds:
    """Return the seeds of what is trained on."""
    first = 5000 + 1000 * seed
    return Seeds(*(range(first, first + count) for count in (scenes, draws, SENSORS)))


def held_out_seeds(seed: int, number: int = 0) -> Seeds:
    """Return seeds that are not trained on; another number gives others."""
    first = (1 + number) * VALIDATION_SEED + 5000 + 1000 * seed
    counts = (HELD_OUT_SCENES, HELD_OUT_DRAWS, SENSORS // 4)
    return Seeds(*(range(first, first + count) for count in counts))


def summary(args: argparse.Namespace, variation: Any, started: float) -> dict[str, Any]:
    """Return how a model was trained, for its card."""
    return {
        "simulated_scenes": args.scenes,
        "endmember_draws": args.draws,
        "first_seed": training_seeds(args.seed, 1, 1).scenes.start,
        "steps": args.steps,
        "seed": args.seed,
        "threads": args.threads,
        "variation": dataclasses.asdict(variation),
        "seconds": round(time.perf_counter() - started),
    }


def without_gaps(centre_nm: Any) -> Tensor:
    """Return ``(1, C)``, 1 where products without gaps and ends have a band."""
    lacking = np.any([(first < centre_nm) & (centre_nm < last) for first, last in GAPS_NM], 0)
    return torch.from_numpy((~lacking).astype(np.float32)[None])


def missing_error(
    score: Callable[[Tensor, Tensor], float], reflectance: Tensor, batches: SpectralBatches
) -> list[tuple[float, float]]:
    """Return an error by the fraction of bands in one gap anywhere.

    Args:
        score: the error of a network for ``(n, C)`` reflectance and which bands there are.
        reflectance: held-out spectra.
    """
    order = np.argsort(batches.centre_nm)
    draws, found = np.random.default_rng(0), []
    for fraction in MISSING:
        present = np.ones(tuple(reflectance.shape), np.float32)
        width = round(fraction * len(order))
        for row, first in enumerate(draws.integers(0, len(order) - width + 1, len(present))):
            present[row, order[first : first + width]] = 0
        told = torch.from_numpy(present)
        found.append((fraction, round(score(batches.bridged(reflectance, told), told), 5)))
    return found


def arguments(description: str, name: str, steps: int) -> argparse.Namespace:
    """Return the arguments of a script that trains the model of this name."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--scenes", type=int, default=60, help="simulated scenes to train on")
    parser.add_argument("--draws", type=int, default=150, help="draws of endmembers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / name)
    return parser.parse_args()
