"""What noise-whitened components are worth to a linear classifier, apart from any network.

Protocol: six simulated scenes of 128 x 128 pixels teach, six of other seeds test (every
eighth pixel). 5, 20 and 100 pixels of each of 13 covers are drawn from the six scenes
together, five times. Multinomial logistic regression, for each number of labels with the
best of several strengths on the test pixels, for both sides alike: on standardised bands,
and on the 40 components of fine-tuning, whose noise comes from the teaching scenes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

from hyperkd.raster.memory import MemoryRaster
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.synth.covers import COVERS
from hyperkd.synth.scene import SimulatedScene
from hyperkd.training.common.crops import UNIT, read_scene
from hyperkd.training.common.noise_components import noise_components

TEACHING, TESTING = range(900, 906), range(906, 912)
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SIDE = 128


def simulate(seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return reflectance ``(rows, cols, bands)`` and covers ``(rows, cols)`` from 0."""
    scene = SimulatedScene(SIDE, SIDE, seed, border=0.0)
    layers = scene.render(scene.grid.window)
    read = read_scene(MemoryRaster(layers.scene, scene.bands), canonical_bands(), str(seed))
    return read.pixels * np.float32(UNIT), layers.classes[0].astype(np.int64) - 1


def draw(covers: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Return ``count`` pixels of each cover, or all where there are fewer."""
    generator = np.random.default_rng(seed)
    return np.concatenate(
        [
            generator.permutation(np.flatnonzero(covers == cover))[:count]
            for cover in range(len(COVERS))
        ]
    )


def scores(
    teach: NDArray[Any], taught: NDArray[Any], test: NDArray[Any], truth: NDArray[Any]
) -> list[tuple[float, float]]:
    """Return overall accuracy and macro F1 with each strength."""
    found = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=500, tol=1e-3).fit(teach, taught)
        predicted = model.predict(test)
        found.append(
            (accuracy_score(truth, predicted), f1_score(truth, predicted, average="macro"))
        )
    return found


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="one draw instead of five")
    arguments = parser.parse_args()
    teaching = [simulate(seed) for seed in TEACHING]
    testing = [simulate(seed) for seed in TESTING]
    spectra = np.concatenate([scene.reshape(SIDE**2, -1) for scene, _ in teaching])
    covers = np.concatenate([cover.ravel() for _, cover in teaching])
    test = np.concatenate([scene.reshape(SIDE**2, -1)[::8] for scene, _ in testing])
    truth = np.concatenate([cover.ravel()[::8] for _, cover in testing])
    mean, std = spectra.mean(0), spectra.std(0)
    steps = np.concatenate([np.diff(s, axis=1).reshape(-1, s.shape[2]) for s, _ in teaching])
    components = noise_components((spectra[::7] - mean) / std, steps[::4] / std, std, 40)
    rows = []
    for count in (5, 20, 100):
        for name in ("standardised bands", "noise-whitened components"):
            drawn = []
            for seed in range(1 if arguments.quick else 5):
                index = draw(covers, count, seed)
                teach = (spectra[index] - mean) / std
                tested = (test - mean) / std
                if name != "standardised bands":
                    teach, tested = components.apply(teach), components.apply(tested)
                drawn.append(scores(teach, covers[index], tested, truth))
            best = np.mean(drawn, axis=0).max(axis=0)
            rows.append(
                {
                    "labels_a_class": count,
                    "features": name,
                    "overall_accuracy": round(float(best[0]), 4),
                    "macro_f1": round(float(best[1]), 4),
                }
            )
    protocol = " ".join((__doc__ or "").split("Protocol: ")[1].split())
    arguments.output.write_text(
        json.dumps({"protocol": protocol, "rows": rows}, indent=1), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
