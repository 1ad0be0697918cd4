"""Train the shipped model ``cover`` on simulated and measured spectra, and measure it on others.

    python benchmarks/train_cover.py --output resources/students

No pixel of a real scene is learned from. The same seed and threads give the same model. The
figures go into the card; those on real tiles come from ``build.py bench real``.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import numpy as np
import torch
from spectral_training import (
    SPECTRA,
    Seeds,
    arguments,
    held_out_seeds,
    missing_error,
    summary,
    training_seeds,
)
from torch import Tensor
from train_student import LOG, LogReporter

from hyperkd.synth.endmembers import COVER_NAMES
from hyperkd.training.physics.cover_file import write_cover
from hyperkd.training.physics.fit_cover import FittedCover, fit_cover, predicted
from hyperkd.training.physics.simulated_spectra import pure_spectra, scene_spectra
from hyperkd.training.physics.spectral_batches import USUAL, SpectralBatches


def batches(seeds: Seeds, seed: int) -> SpectralBatches:
    """Simulate spectra and return what draws from them."""
    report = LogReporter()
    scenes, pure = scene_spectra(seeds.scenes, report), pure_spectra(seeds.draws, report)
    return SpectralBatches(scenes, pure, USUAL, seed, seeds.sensors)


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


def main() -> None:
    """Simulate, train, measure, write."""
    args = arguments(__doc__.splitlines()[0], "cover", steps=1500)
    logging.basicConfig(format="%(asctime)s %(message)s")
    LOG.setLevel(logging.INFO)
    torch.set_num_threads(args.threads)
    started = time.perf_counter()
    training = batches(training_seeds(args.seed, args.scenes, args.draws), args.seed)
    held_out = batches(held_out_seeds(args.seed), args.seed + 1)
    LOG.info("simulated in %.0f s", time.perf_counter() - started)
    fitted = fit_cover(training, held_out, args.steps, args.seed, LogReporter())
    metrics = figures(fitted, held_out)
    LOG.info("%s", json.dumps(metrics, indent=1))
    about = {
        "objective": "cross-entropy of true fractions; likelihood of their errors",
        **summary(args, USUAL, started),
        "script": "benchmarks/train_cover.py",
    }
    reflectance, _, truth = held_out.draw(SPECTRA)

    def error(spectra: Tensor, present: Tensor) -> float:
        fractions, _ = predicted(fitted, spectra, present)
        return float(np.sqrt(np.square(truth.double().numpy() - fractions).mean()))

    args.output.mkdir(parents=True, exist_ok=True)
    measured = missing_error(error, reflectance, held_out)
    write_cover(args.output / "cover.onnx", fitted, about, metrics, measured)


if __name__ == "__main__":
    main()
