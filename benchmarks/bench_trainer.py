"""What the trainer costs beside the bare loop: forward, backward, clip, step.

Protocol: the tiny student, tiles of 64 px from smooth made-up scenes in memory, one
thread. The bare loop gets tiles that are already drawn, read, hidden and cut, and does
nothing but forward, loss, backward, clipping and AdamW; the trainer draws, reads, turns,
hides, cuts, reports metrics and checks for cancellation as well. Seconds are the processor
time of the process on a CPU, so that other work on the machine does not count, and wall time
on a GPU. Both run in turn, several times; the figures are medians, the ratio is that of
the medians.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hyperkd.models.nets.student import Student
from hyperkd.models.prithvi_versions import VERSIONS, PrithviConfig
from hyperkd.models.sizes import PRESETS
from hyperkd.reporting import SilentReporter
from hyperkd.requests.distill_options import DistillJob
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.training.common.crops import CropSampler, MemoryScene, band_statistics
from hyperkd.training.common.masked_batch import Tiles
from hyperkd.training.common.optimiser import make_optimiser
from hyperkd.training.common.train_settings import Settings
from hyperkd.training.pretrain.distill_settings import recipe_of
from hyperkd.training.pretrain.gradient_balance import Balance, weighted_sum
from hyperkd.training.pretrain.objective import Draws, Objective, Recipe
from hyperkd.training.pretrain.train_loop import train
from hyperkd.training.teacher.prithvi_features import Teacher
from hyperkd.training.teacher.standin import random_teacher

SIDE, SCENES = 256, 2


def make_scene(seed: int) -> MemoryScene:
    """Return smooth spectra under a smooth field, with a little noise."""
    generator = np.random.default_rng(seed)
    centre = np.linspace(0, 1, len(canonical_bands()))
    ends = np.stack(
        [np.interp(centre, np.linspace(0, 1, 8), generator.uniform(300, 5000, 8)) for _ in "ab"]
    )
    row, col = np.mgrid[:SIDE, :SIDE] / 40
    share = (0.5 + 0.5 * np.sin(row + seed) * np.cos(1.3 * col))[..., None]
    pixels = share * ends[0] + (1 - share) * ends[1]
    pixels = pixels + generator.normal(0, 30, pixels.shape)
    return MemoryScene(str(seed), np.int16(pixels), np.ones((SIDE, SIDE), bool))


class Case:
    """One recipe, run both ways."""

    def __init__(self, recipe: Recipe, settings: Settings, device: torch.device) -> None:
        self.recipe, self.settings, self.device = recipe, settings, device
        scenes = [make_scene(seed) for seed in range(SCENES)]
        self.mean, self.std = band_statistics(scenes)
        self.config = PRESETS["tiny"]
        self.sampler = CropSampler(scenes, self.config.tile)
        sizes = PrithviConfig(dim=192, depth=6, heads=3, patch=self.config.patch)
        loaded = random_teacher(sizes, 0, VERSIONS["prithvi-eo-2.0-300m"])
        self.teacher = Teacher(loaded, 0.75, "single", device)

    def student(self) -> Student:
        """Return the same new student every time."""
        torch.manual_seed(0)
        return Student(self.config, self.mean.tolist(), self.std.tolist()).to(self.device)

    def trainer(self) -> float:
        """Return samples per second of the trainer, all of it."""
        student = self.student()
        started = self._now()
        train(student, self.sampler, self.settings, SilentReporter(), self.recipe, self.teacher)
        return self.settings.steps * self.settings.batch / (self._now() - started)

    def bare(self) -> float:
        """Return samples per second of forward, loss, backward, clip and step."""
        settings, student = self.settings, self.student()
        objective = Objective(
            student, self.recipe, canonical_bands(), self.config.tile, self.teacher
        )
        parameters = [*student.parameters(), *objective.parameters()]
        optimiser = make_optimiser(parameters, settings.learning_rate, settings.weight_decay)
        weights = Balance(self.recipe, settings.steps).at(0.0)
        draws = Draws.of_step(self.sampler, 0, 0, settings.batch, student)
        chunks = []
        for first in range(0, settings.batch, settings.chunk):
            chunk = draws.chunk(first, settings.chunk, self.device)
            tiles = Tiles.read(self.sampler, chunk.crops, self.device)
            chunks.append((tiles, chunk, *objective.mask(tiles, chunk, 0.5)))
        share = settings.chunk / settings.batch
        started = self._now()
        for _ in range(settings.steps):
            optimiser.zero_grad(set_to_none=True)
            for tiles, chunk, masked, six in chunks:
                parts = objective.computed(student, tiles, chunk, masked, six, settings.bfloat16)
                (weighted_sum(parts, weights) * share).backward()
            torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
            optimiser.step()
        return settings.steps * settings.batch / (self._now() - started)

    def _now(self) -> float:
        """Return seconds: of the processor, or of the clock once the GPU is done."""
        if self.device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    on_gpu = device.type == "cuda"
    steps, runs = (2, 3) if arguments.quick else (3, 11)
    settings = Settings(
        steps * 20 if on_gpu else steps,
        batch=32,
        chunk=32 if on_gpu else 8,
        learning_rate=1e-3,
        seed=0,
        average=0.0,
        patience=0,
        hours=0.0,
        report_every=20,
        bfloat16=on_gpu,
        ahead=on_gpu,
    )
    rows = []
    for name, recipe in (
        ("plain masked autoencoder", _recipe(guided_share=0.0, ssim=0.0, kl=0.0)),
        ("everything, never calibrated", _everything()),
    ):
        case = Case(recipe, settings, device)
        case.bare(), case.trainer()  # the first runs warm up
        pairs = [(case.bare(), case.trainer()) for _ in range(runs)]
        bare, trainer = (statistics.median(values) for values in zip(*pairs))
        rows.append(
            {
                "recipe": name,
                "device": arguments.device,
                "bare_samples_per_s": round(bare, 2),
                "trainer_samples_per_s": round(trainer, 2),
                "ratio": round(trainer / bare, 3),
                "runs": runs,
            }
        )
    protocol = " ".join((__doc__ or "").split("Protocol: ")[1].split())
    arguments.output.write_text(json.dumps({"protocol": protocol, "rows": rows}, indent=1))


def _everything() -> Recipe:
    """Return HyperKD's recipe; the calibration is one step of a whole training, so left out."""
    recipe = _recipe(teacher="random")
    return dataclasses.replace(recipe, losses=dataclasses.replace(recipe.losses, calibrate_at=0))


def _recipe(**options: Any) -> Recipe:
    return recipe_of(DistillJob(input=(), output="", **options))


if __name__ == "__main__":
    main()
