"""Train the shipped model ``cover`` on simulated and measured spectra, and measure it on others.

    python benchmarks/train_cover.py --output resources/students

No pixel of a real scene is learned from. The same seed and threads give the same model. The
figures go into the card; those on real tiles come from ``build.py bench real``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from train_student import LOG, ROOT, VALIDATION_SEED, LogReporter

from hyperkd.synth.endmembers import COVER_NAMES
from hyperkd.training.physics.cover_file import write_cover
from hyperkd.training.physics.fit_cover import FittedCover, fit_cover, predicted
from hyperkd.training.physics.simulated_spectra import pure_spectra, scene_spectra
from hyperkd.training.physics.spectral_batches import USUAL, SpectralBatches

HELD_OUT_SCENES, HELD_OUT_DRAWS, SENSORS = 10, 15, 100
# Spectra that figures are computed from, and fractions of missing bands that they are given for.
SPECTRA, MISSING = 8192, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def batches(scenes: range, draws: range, sensors: range, seed: int) -> SpectralBatches:
    """Simulate spectra and return what draws from them."""
    report = LogReporter()
    return SpectralBatches(
        scene_spectra(scenes, report), pure_spectra(draws, report), USUAL, seed, sensors
    )


def figures(fitted: FittedCover, held_out: SpectralBatches) -> dict[str, Any]:
    """Return errors on spectra of scenes, endmembers and sensors that were not trained on."""
    reflectance, present, truth = held_out.draw(SPECTRA)
    true = truth.double().numpy()
    fractions, error = predicted(fitted, reflectance, present)
    residual = ((true - fractions) ** 2).sum(axis=0)
    spread = ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    within = (np.abs(true - fractions) <= error).mean(axis=0)
    return {
        "protocol": "held-out simulated scenes, endmembers and sensor states, with missing bands",
        "r2": dict(zip(COVER_NAMES, (1 - residual / spread).round(4).tolist())),
        "rmse": dict(zip(COVER_NAMES, np.sqrt(residual / SPECTRA).round(4).tolist())),
        "within_one_standard_error": dict(zip(COVER_NAMES, within.round(4).tolist())),
        "dominant_accuracy": round(float((fractions.argmax(1) == true.argmax(1)).mean()), 4),
    }


def missing_error(fitted: FittedCover, held_out: SpectralBatches) -> list[tuple[float, float]]:
    """Return the root mean square error by the fraction of bands in one gap anywhere."""
    reflectance, _, truth = held_out.draw(SPECTRA)
    order = np.argsort(held_out.centre_nm)
    draws, found = np.random.default_rng(0), []
    for fraction in MISSING:
        present = np.ones(tuple(reflectance.shape), np.float32)
        width = round(fraction * len(order))
        for row, first in enumerate(draws.integers(0, len(order) - width + 1, len(present))):
            present[row, order[first : first + width]] = 0
        told = torch.from_numpy(present)
        fractions, _ = predicted(fitted, held_out.bridged(reflectance, told), told)
        error = float(np.sqrt(np.square(truth.double().numpy() - fractions).mean()))
        found.append((fraction, round(error, 5)))
    return found


def main() -> None:
    """Simulate, train, measure, write."""
    args = _arguments()
    logging.basicConfig(format="%(asctime)s %(message)s")
    LOG.setLevel(logging.INFO)
    torch.set_num_threads(args.threads)
    started = time.perf_counter()
    first = 5000 + 1000 * args.seed
    sensors = range(first, first + SENSORS)
    training = batches(
        range(first, first + args.scenes), range(first, first + args.draws), sensors, args.seed
    )
    other = VALIDATION_SEED + first
    held_out = batches(
        range(other, other + HELD_OUT_SCENES),
        range(other, other + HELD_OUT_DRAWS),
        range(other, other + SENSORS // 4),
        args.seed + 1,
    )
    LOG.info("simulated in %.0f s", time.perf_counter() - started)
    fitted = fit_cover(training, held_out, args.steps, args.seed, LogReporter())
    metrics = figures(fitted, held_out)
    LOG.info("%s", json.dumps(metrics, indent=1))
    about = {
        "objective": "cross-entropy of true fractions; likelihood of their errors",
        "simulated_scenes": args.scenes,
        "endmember_draws": args.draws,
        "first_seed": first,
        "steps": args.steps,
        "seed": args.seed,
        "threads": args.threads,
        "variation": dataclasses.asdict(USUAL),
        "seconds": round(time.perf_counter() - started),
        "script": "benchmarks/train_cover.py",
    }
    args.output.mkdir(parents=True, exist_ok=True)
    measured = missing_error(fitted, held_out)
    write_cover(args.output / "cover.onnx", fitted, about, metrics, measured)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--scenes", type=int, default=60, help="simulated scenes to train on")
    parser.add_argument("--draws", type=int, default=150, help="draws of endmembers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "cover")
    return parser.parse_args()


if __name__ == "__main__":
    main()
