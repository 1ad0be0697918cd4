"""What the features of the model ``cover`` are worth beside spectra, on the tiles of Potsdam.

    python3 build.py bench embedding

Two questions, no choice made by a label: do clusters agree with land cover (k-means, five
seeds), and does a linear model on the features classify as well as one on the spectra
(logistic regression, folds of whole tiles, three seeds)? Five classes as in ``bench_cover``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bench_cover import CLASSES, read
from numpy.typing import NDArray
from real_tiles import POTSDAM, ROOT, require
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, adjusted_rand_score, normalized_mutual_info_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(ROOT / "engine"))

import hyperkd  # noqa: E402

Array = NDArray[Any]
CLUSTERS, COMPONENTS, FOLDS = (5, 8, 12), 10, 6
PENALTIES = (0.1, 1.0)


def pixels(folder: Path) -> tuple[Mapping[str, Array], Array, Array]:
    """Return features of the labelled pixels by name, their classes, and their tiles."""
    names = {"cover": "cover", "tiny": "tiny"}
    found: dict[str, list[Array]] = {name: [] for name in ("spectra", *names)}
    classes, tiles = [], []
    for number, path in enumerate(sorted((POTSDAM / "images").glob("*.tif"))):
        tile = folder / path.name  # GDAL writes beside what it opens
        tile.write_bytes(path.read_bytes())
        label = read(POTSDAM / "labels" / path.name)[0].ravel()
        truth = np.array([CLASSES.get(int(value), -1) for value in label])
        with hyperkd.open(tile) as scene:
            good = np.flatnonzero(scene.bands.good)
        spectra = read(tile)[good].reshape(len(good), -1)
        made = {"spectra": spectra * 1e-4}
        for name, model in names.items():
            output = folder / f"{name}.tif"
            hyperkd.embed(model, tile, output, components=0)
            values = read(output)
            made[name] = values.reshape(len(values), -1)
        known = (truth >= 0) & np.isfinite(made["cover"][0])
        for name, values in made.items():
            found[name].append(values[:, known].T)
        classes.append(truth[known])
        tiles.append(np.full(known.sum(), number))
    features = {name: np.concatenate(values) for name, values in found.items()}
    return features, np.concatenate(classes), np.concatenate(tiles)


def clusters(features: Array, classes: Array, seeds: int) -> dict[str, float]:
    """Return the agreement of k-means with the classes: adjusted Rand and mutual information."""
    row = {}
    for count in CLUSTERS:
        made = [
            KMeans(count, n_init=3, random_state=seed).fit_predict(features)
            for seed in range(seeds)
        ]
        rand = np.mean([adjusted_rand_score(classes, each) for each in made])
        mutual = np.mean([normalized_mutual_info_score(classes, each) for each in made])
        row[f"ari_{count}"], row[f"nmi_{count}"] = round(float(rand), 3), round(float(mutual), 3)
    return row


def probe(features: Array, classes: Array, tiles: Array, seeds: int) -> dict[str, float]:
    """Return the overall accuracy of a linear model on tiles that it was not fitted to."""
    row = {}
    for penalty in PENALTIES:
        scores = []
        for seed in range(seeds):
            fold = (np.random.default_rng(seed).permutation(tiles.max() + 1) % FOLDS)[tiles]
            guessed = np.zeros_like(classes)
            for each in range(FOLDS):
                test = fold == each
                model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=200))
                model.fit(features[~test], classes[~test])
                guessed[test] = model.predict(features[test])
            scores.append(accuracy_score(classes, guessed))
        row[f"accuracy_c{penalty:g}"] = round(float(np.mean(scores)), 3)
    return row


def main() -> None:
    """Measure clusters and linear models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="one seed")
    args = parser.parse_args()
    require(POTSDAM / "images")
    warnings.simplefilter("ignore", ConvergenceWarning)  # 200 steps for all alike
    with tempfile.TemporaryDirectory() as temporary:
        features, classes, tiles = pixels(Path(temporary))
    reduced = {
        "components of the spectra": PCA(COMPONENTS).fit_transform(features["spectra"]),
        **{name: features[name] for name in ("cover", "tiny")},
    }
    seeds = 1 if args.quick else 5
    rows = [
        {"what": "clusters", "of": name, **clusters(values, classes, seeds)}
        for name, values in reduced.items()
    ]
    both = np.concatenate([features["spectra"], features["cover"]], axis=1)
    for name, values in {**features, "spectra and cover": both}.items():
        found = probe(values, classes, tiles, 1 if args.quick else 3)
        rows.append({"what": "linear model", "of": name, **found})
    protocol = f"Potsdam, 13 tiles, {len(classes)} pixels, 5 classes; folds of whole tiles"
    args.output.write_text(json.dumps({"protocol": protocol, "rows": rows}))


if __name__ == "__main__":
    main()
