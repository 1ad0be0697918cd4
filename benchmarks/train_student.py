"""Train the shipped student from simulated scenes, and measure it on held-out ones.

    python benchmarks/train_student.py --steps 1800 --scenes 60 --threads 1 --bfloat16
    python benchmarks/train_student.py --teacher stand-in-teacher.safetensors …
    python benchmarks/train_student.py --plain …

The recipe is the trainer's: guided masking and the loss of squared error, structural
similarity and spectral divergence; with --teacher also distillation, with --plain a masked
autoencoder without any of them. The student, its card and its figures as tables go to
build/student; --output resources/students replaces the shipped one.

Scenes come from hyperkd.synth, each from its own seed, and are never written.
Where the real EnMAP tiles of Potsdam lie at --potsdam, the nine of the
southern block are trained on as well and the four of the northern block are
held out. The same seed, steps and threads give the same student. The figures
go into the card; what each of them means is in docs/student.md.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import datetime
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from real_tiles import POTSDAM, absence
from student_figures import Crops, Figures, markdown, probe_figures, reconstruction_figures

from hyperkd.models.card import ModelCard
from hyperkd.models.nets.student import Student
from hyperkd.models.sizes import PRESETS
from hyperkd.problems import Problem
from hyperkd.raster.memory import MemoryRaster
from hyperkd.raster.open_raster import open_raster
from hyperkd.requests.distill_options import DistillJob
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.synth.scene import SimulatedScene
from hyperkd.training.common.checkpoint import architecture, save_checkpoint
from hyperkd.training.common.crops import CropSampler, MemoryScene, band_statistics, read_scene
from hyperkd.training.common.train_settings import Settings
from hyperkd.training.export import export_model
from hyperkd.training.pretrain.distill_settings import recipe_of
from hyperkd.training.pretrain.initial_weights import start_from_components
from hyperkd.training.pretrain.objective import Recipe
from hyperkd.training.pretrain.train_loop import train
from hyperkd.training.teacher.find_teacher import find_teacher
from hyperkd.training.teacher.prithvi_features import LoadedTeacher, Teacher

ROOT = Path(__file__).resolve().parents[1]
LOG = logging.getLogger("train_student")

# Columns and rows of the tiles in their scene; the blocks touch in one corner only.
NORTH = ((64, 32), (96, 32), (128, 32), (128, 0))
SOUTH = (
    (96, 96), (128, 96), (160, 96), (160, 64), (128, 128),
    (160, 128), (192, 128), (160, 160), (192, 160),
)  # fmt: skip

VALIDATION_SEED = 1_000_000  # far from every training seed
POTSDAM_SHARE = 0.1  # of the crops; a hundredth of the pixels would hardly be seen


class LogReporter:
    """Tells the log how training goes."""

    def stage(self, name: str) -> None:
        """Begin a stage."""
        LOG.info("%s", name)

    def progress(self, done: float, total: float, unit: str) -> None:
        """Say nothing: the metrics tell how far it is."""

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line of numbers."""
        LOG.info("step %d: %s", step, ", ".join(f"{k} {v:.5g}" for k, v in values.items()))

    def log(self, level: str, message: str) -> None:
        """Pass a message on."""
        LOG.log(logging.WARNING if level == "warning" else logging.INFO, "%s", message)

    def problem(self, problem: Problem, scene: str) -> None:
        """Pass a problem on as a message."""
        self.log("warning", f"{scene}: {problem.message}")

    def artifact(self, role: str, path: str) -> None:
        """Name a finished file."""
        LOG.info("%s: %s", role, path)

    def check_cancelled(self) -> None:
        """Do nothing: Ctrl+C ends a script."""

    def stop_requested(self) -> bool:
        """Return that nobody asks for an early end."""
        return False


def simulate(seed: int, side: int) -> tuple[MemoryScene, NDArray[np.uint8]]:
    """Return a simulated scene on the student's bands, and its class map."""
    simulated = SimulatedScene(side, side, seed, border=0.1)
    layers = simulated.render(simulated.grid.window)
    source = MemoryRaster(layers.scene, simulated.bands, simulated.grid)
    return read_scene(source, canonical_bands(), f"simulated {seed}"), layers.classes[0]


def read_potsdam(
    folder: Path, tiles: Sequence[tuple[int, int]], name: str
) -> Optional[MemoryScene]:
    """Return a block of Potsdam tiles as one scene, invalid where there is none."""
    paths = {place: folder / f"enmap_potsdam_tile_{place[0]}_{place[1]}.tif" for place in tiles}
    if not all(path.is_file() for path in paths.values()):
        return None
    side = 32
    first = np.min(tiles, 0)
    cols, rows = np.max(tiles, 0) - first + side
    bands = canonical_bands()
    pixels = np.zeros((rows, cols, len(bands)), np.int16)
    valid = np.zeros((rows, cols), np.bool_)
    for place, path in paths.items():
        col, row = place - first
        with open_raster(str(path)) as source:
            tile = read_scene(source, bands, path.stem)
        pixels[row : row + side, col : col + side] = tile.pixels
        valid[row : row + side, col : col + side] = tile.valid
    return MemoryScene(name, pixels, valid)


def main() -> None:
    """Simulate, train, measure, export."""
    args = _arguments()
    logging.basicConfig(format="%(asctime)s %(message)s")
    LOG.setLevel(logging.INFO)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    config = PRESETS[args.preset]
    loaded = None if args.teacher == "none" else find_teacher(args.teacher)
    recipe = _recipe(args.plain, loaded)

    started = time.perf_counter()
    scenes = [simulate(args.seed + i, args.side)[0] for i in range(args.scenes)]
    held_out = [
        simulate(VALIDATION_SEED + args.seed + i, args.side) for i in range(args.held_out_scenes)
    ]
    weights = [1.0 / len(scenes)] * len(scenes)
    sentence = absence(args.potsdam, "no real pixel is learned from or tested on")
    if sentence is not None:
        LOG.warning(sentence)
    potsdam = read_potsdam(args.potsdam, SOUTH, "Potsdam, southern block")
    north = read_potsdam(args.potsdam, NORTH, "Potsdam, northern block")
    if potsdam is not None:
        scenes.append(potsdam)
        weights.append(POTSDAM_SHARE)
    LOG.info("%d scenes in %.0f s", len(scenes), time.perf_counter() - started)

    mean, std = band_statistics(scenes)
    student = Student(config, mean.tolist(), std.tolist()).to(args.device)
    random = Student(config, mean.tolist(), std.tolist()).to(args.device)
    settings = Settings(
        args.steps,
        args.batch,
        args.chunk,
        learning_rate=args.learning_rate,
        seed=args.seed,
        average=0.0,
        patience=0,
        hours=0.0,
        bfloat16=args.bfloat16,
    )
    sampler = CropSampler(scenes, config.tile, weights)
    started = time.perf_counter()
    start_from_components(student, sampler, np.random.default_rng(args.seed), recipe.masking.ratio)
    beginning = copy.deepcopy(student)
    report = LogReporter()
    teacher = None if loaded is None else Teacher(loaded, 0.75, "single", args.device, report)
    history = train(student, sampler, settings, report, recipe, teacher)
    seconds = time.perf_counter() - started

    metrics = {
        "protocol": "docs/student.md#figures",
        "reconstruction": _measure(student, held_out, north, args),
        "linear_probe": probe_figures(
            {
                "embedding": student,
                "embedding before training": beginning,
                "embedding of random weights": random,
            },
            [scene for scene, _ in held_out],
            [classes for _, classes in held_out],
            per_class=100,
            seed=args.seed,
        ),
        "loss": round(float(np.mean([entry["loss_mse"] for entry in history[-5:]])), 5),
    }
    LOG.info("%s", json.dumps(metrics, indent=1))
    card = ModelCard(
        name=args.preset,
        task="pretrain",
        bands=canonical_bands(),
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        patch_px=config.patch,
        tile_px=config.tile,
        receptive_field_px=config.tile,
        embedding_dim=config.dim,
        licence="GPL-2.0-or-later",
        created=datetime.date.today().isoformat(),
        teacher=_about_teacher(loaded, teacher),
        parents=() if loaded is None else (loaded.sha256,),
        architecture=architecture(args.preset, config),
        training={
            "objective": _objective(args.plain, loaded),
            "recipe": dataclasses.asdict(recipe),
            "start": "principal components of spectra and patches, least-squares head",
            "simulated_scenes": args.scenes,
            "simulated_seeds": [args.seed, args.seed + args.scenes - 1],
            "scene_px": args.side,
            "real_tiles": [] if potsdam is None else [f"Potsdam {x} {y}" for x, y in SOUTH],
            "real_share": 0.0 if potsdam is None else round(weights[-1] / sum(weights), 4),
            **dataclasses.asdict(settings),
            "threads": args.threads,
            "device": args.device,
            "seconds": round(seconds),
            "script": "benchmarks/train_student.py",
        },
        metrics=metrics,
    )
    args.output.mkdir(parents=True, exist_ok=True)
    student = student.cpu()
    card = export_model(student, card, args.output / f"{args.preset}.onnx")
    save_checkpoint(args.output / f"{args.preset}.safetensors", student, card)
    (args.output / f"{args.preset}-figures.md").write_text(markdown(metrics), encoding="utf-8")


def _recipe(plain: bool, loaded: Optional[LoadedTeacher]) -> Recipe:
    options: dict[str, Any] = {} if loaded is None else {"teacher": loaded.version.name}
    if plain:
        if loaded is not None:
            raise SystemExit("--plain learns from no teacher: leave out --teacher.")
        options = {"guided_share": 0.0, "ssim": 0.0, "kl": 0.0}
    return recipe_of(DistillJob(input=(), output="", **options))


def _objective(plain: bool, loaded: Optional[LoadedTeacher]) -> str:
    if plain:
        return "masked autoencoder, mean squared error of hidden patches"
    parts = "masked autoencoder, HyperKD-style: guided masking; squared error, SSIM, KL divergence"
    return parts if loaded is None else f"{parts}; distillation from a {loaded.kind}"


def _about_teacher(
    loaded: Optional[LoadedTeacher], teacher: Optional[Teacher]
) -> Optional[dict[str, object]]:
    """Return what the card says about the teacher, as the job ``distill`` does."""
    if loaded is None or teacher is None:
        return None
    return {
        "name": loaded.version.name,
        "kind": loaded.kind,
        "sha256": loaded.sha256,
        "licence": loaded.licence,
        "blocks": teacher.blocks,
        "patch_px": teacher.patch_px,
    }


def _measure(
    student: Student,
    held_out: Sequence[tuple[MemoryScene, NDArray[np.uint8]]],
    north: Optional[MemoryScene],
    args: argparse.Namespace,
) -> Mapping[str, Figures]:
    tile, patch = student.config.tile, student.config.patch
    groups: list[tuple[str, list[MemoryScene], int]] = [
        ("held-out simulated scenes", [scene for scene, _ in held_out], 64)
    ]
    if north is not None:
        groups.append(("held-out Potsdam tiles", [north], 16))
    return {
        name: reconstruction_figures(student, Crops.draw(group, tile, patch, count, args.seed))
        for name, group, count in groups
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=tuple(PRESETS), default="tiny")
    parser.add_argument("--steps", type=int, default=5000, help="optimiser steps")
    parser.add_argument("--batch", type=int, default=32, help="tiles per step")
    parser.add_argument("--chunk", type=int, default=8, help="tiles computed at once")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--scenes", type=int, default=80, help="simulated scenes to train on")
    parser.add_argument("--held-out-scenes", type=int, default=8)
    parser.add_argument("--side", type=int, default=192, help="side of a simulated scene in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--bfloat16", action="store_true", help="faster where the CPU or GPU has it"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--potsdam", type=Path, default=POTSDAM / "images")
    parser.add_argument("--teacher", default="none", help="name or file of the teacher, or none")
    parser.add_argument("--plain", action="store_true", help="squared error and random masks only")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "student")
    return parser.parse_args()


if __name__ == "__main__":
    main()
