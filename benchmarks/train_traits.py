"""Train the shipped model ``traits`` on simulated spectra, and measure it on others.

    python benchmarks/train_traits.py --output resources/students

No pixel of a real scene is learned from. The same seed and threads give the same model. The
figures go into the card; those on real spectra come from ``build.py bench traits``.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

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
    without_gaps,
)
from torch import Tensor
from train_student import LOG, LogReporter

from hyperkd.synth.endmembers import TRAIT_NAMES
from hyperkd.training.physics.fit_traits import (
    LEAST_SHARE,
    SELDOM,
    VARIED,
    FittedTraits,
    applicable,
    fit_traits,
    predicted,
)
from hyperkd.training.physics.simulated_spectra import (
    Spectra,
    free_canopy_spectra,
    joined,
    pure_spectra,
    scene_spectra,
)
from hyperkd.training.physics.spectral_batches import SpectralBatches, Variation
from hyperkd.training.physics.traits_file import write_traits

# Pixels of scenes alone, with what the sensor and the correction of the atmosphere leave.
SCENES = replace(
    VARIED, scenes=1.0, endmember=0.0, pair=0.0, meadow=0.0, crown=0.0,
    vapour=0.0, end=0.0, window=0.0, product=0.0,
)  # fmt: skip


def simulated(seeds: Seeds) -> tuple[Spectra, Spectra]:
    """Return pixels of scenes, and endmembers with canopies of independent traits."""
    report = LogReporter()
    pure = joined(pure_spectra(seeds.draws, report), free_canopy_spectra(seeds.draws, report))
    return scene_spectra(seeds.scenes, report), pure


def batches(
    spectra: tuple[Spectra, Spectra], variation: Variation, seed: int, sensors: Sequence[int]
) -> SpectralBatches:
    """Return what draws from spectra."""
    return SpectralBatches(*spectra, variation, seed, sensors, SELDOM)


def figures(
    fitted: FittedTraits, drawn: SpectralBatches, present: Optional[Tensor] = None
) -> dict[str, Any]:
    """Return how good each trait is where it applies and the network says so.

    Args:
        present: ``(1, C)`` which bands there are, in place of those that are drawn.
    """
    reflectance, told, shares, traits = drawn.draw_traits(2 * SPECTRA)
    if present is not None:
        told = present.expand(len(reflectance), -1)
        reflectance = drawn.bridged(reflectance, told)
    found = predicted(fitted, reflectance, told)
    true, known = traits.double().numpy(), applicable(shares).numpy()
    rows = {}
    for name, truth, value, error, has, says in zip(
        TRAIT_NAMES, true.T, found.values.T, found.errors.T, known.T, found.applies.T
    ):
        both = has & says
        off = (value - truth)[both]
        rows[name] = {
            "r2": 1 - np.square(off).sum() / np.square(truth[both] - truth[both].mean()).sum(),
            "rmse": np.sqrt(np.square(off).mean()),
            "bias": off.mean(),
            "mean_error": error[both].mean(),
            "within_one_standard_error": (np.abs(off) <= error[both]).mean(),
            "applies_found": both.sum() / has.sum(),
            "applies_rightly": both.sum() / says.sum(),
        }
    return {name: {key: float(f"{v:.4g}") for key, v in row.items()} for name, row in rows.items()}


def error_of(fitted: FittedTraits, shares: Tensor, traits: Tensor) -> Any:
    """Return a function that gives the root mean square error of all traits together.

    In standard deviations of each trait (or its logarithm) in the training.
    """
    scale, known = fitted.scale, applicable(shares).numpy()

    def plain(values: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return np.where(scale.logarithmic, np.log(values), values) / scale.spread

    def error(spectra: Tensor, present: Tensor) -> float:
        off = plain(predicted(fitted, spectra, present).values) - plain(traits.double().numpy())
        return float(np.sqrt(np.mean([np.square(o[k]).mean() for o, k in zip(off.T, known.T)])))

    return error


def main() -> None:
    """Simulate, train, measure, write."""
    args = arguments(__doc__.splitlines()[0], "traits", steps=2500)
    logging.basicConfig(format="%(asctime)s %(message)s")
    LOG.setLevel(logging.INFO)
    torch.set_num_threads(args.threads)
    started = time.perf_counter()
    seeds = training_seeds(args.seed, args.scenes, args.draws)
    # Errors are set right on some held-out scenes, and figures are those of others.
    others = [held_out_seeds(args.seed, number) for number in range(2)]
    training, setting, testing = (simulated(each) for each in (seeds, *others))
    LOG.info("simulated in %.0f s", time.perf_counter() - started)
    fitted = fit_traits(
        batches(training, VARIED, args.seed, seeds.sensors),
        batches(setting, VARIED, args.seed + 1, others[0].sensors),
        args.steps,
        args.seed,
        LogReporter(),
    )
    mixed = batches(testing, VARIED, args.seed + 2, others[1].sensors)
    scenes = batches(testing, SCENES, args.seed + 3, others[1].sensors)
    metrics = {
        "protocol": "held-out simulated scenes, endmembers, canopies and sensor states; of pixels "
        f"with at least {LEAST_SHARE} of what a trait belongs to, where the model says so",
        "scenes": figures(fitted, scenes),
        "scenes_186_of_218_bands": figures(fitted, scenes, without_gaps(scenes.centre_nm)),
        "mixtures_with_missing_bands": figures(fitted, mixed),
    }
    LOG.info("%s", json.dumps(metrics, indent=1))
    about = {
        "objective": "squared error of traits or their logarithms where they apply; likelihood of "
        "their errors; cross-entropy of shares of canopy, visible soil and water",
        **summary(args, VARIED, started),
        "script": "benchmarks/train_traits.py",
    }
    reflectance, _, shares, traits = mixed.draw_traits(SPECTRA)
    measured = missing_error(error_of(fitted, shares, traits), reflectance, mixed)
    args.output.mkdir(parents=True, exist_ok=True)
    write_traits(args.output / "traits.onnx", fitted, about, metrics, measured)


if __name__ == "__main__":
    main()
