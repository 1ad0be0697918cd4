"""Fine-tuning with few labels beside classical models, on the real tiles of Potsdam.

    python3 build.py bench few_labels            five seeds, a quarter of an hour of one core
    python3 build.py bench few_labels --quick    one seed
    python benchmarks/bench_few_labels.py --physics build/cover/cover.onnx --docs

Protocol: three folds of whole tiles, so that no tile is in training and test; five classes (roof
and pavement are one). So many pixels of each class are drawn from all training tiles, or all of
them are taken; a seed deals the tiles anew, draws anew and seeds the training. All pixels of the
test tiles are predicted. Both sides learn from the same pixels and choose their settings by
cross-validation over whole tiles among these. The head is searched and fitted by the code of the
job; its file is not written. Leads are HyperKD's, paired by seed, with two intervals of 95 %: over
seeds (Student's t), and over tiles (bootstrap).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from finetune_methods import STUDENT
from finetune_table import markdown, row_of, short, summary
from finetune_tasks import potsdam_labels
from numpy.typing import NDArray
from real_tiles import POTSDAM, ROOT, require

from hyperkd.evaluation.baselines.classical_models import fit_baselines
from hyperkd.evaluation.reports.label_spectra import common_bands, reflectance_at
from hyperkd.evaluation.splits.split_labels import TEST, TRAIN, k_folds
from hyperkd.evaluation.splits.split_units import inner_folds
from hyperkd.models.nets.heads import DenseModel
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.reporting import SilentReporter
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.training.finetune.base_encoder import BaseEncoder, load_base
from hyperkd.training.finetune.head.fit_head import HeadFit
from hyperkd.training.finetune.head.tasks import task_of
from hyperkd.training.finetune.labelled_pixels import SplitPixels, TileReader
from hyperkd.training.finetune.physics_network import PhysicsNetwork, load_physics
from hyperkd.training.finetune.pixel_features import PixelFeatures, read_features
from hyperkd.training.finetune.training_pixels import subset

# Labels a class; 0 for all.
COUNTS = (5, 20, 100, 0)
FOLDS, SEEDS = 3, 5
WITHOUT = "HyperKD without physics"
REPORT = SilentReporter()
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


@dataclass(frozen=True, eq=False)
class Place:
    """The tiles, and everything about their labelled pixels that no fold changes."""

    sources: list[RasterSource]
    labels: Labels
    spectra: NDArray[np.float32]
    tile: NDArray[np.int64]
    base: BaseEncoder
    physics: PhysicsNetwork


@dataclass(frozen=True, eq=False)
class Fold:
    """Training and test pixels of a fold, as masks of all labelled pixels."""

    seed: int
    number: int
    is_train: NDArray[np.bool_]
    is_test: NDArray[np.bool_]
    test: SplitPixels
    features: PixelFeatures


def read_place(folder: Path, physics: str, stack: ExitStack) -> Place:
    """Open the tiles and read labels and spectra."""
    sources, labels = potsdam_labels(folder, merged=True)
    for source in sources:
        stack.enter_context(source)
    bands = common_bands([source.bands for source in sources])
    if bands is None:
        raise ValueError("the tiles have different bands")
    spectra = [
        reflectance_at(source, scene.rows, scene.cols, bands, REPORT)
        for source, scene in zip(sources, labels.scenes)
    ]
    tile = np.repeat(np.arange(len(sources)), [len(scene) for scene in labels.scenes])
    base = load_base("tiny")
    network, missing = load_physics(physics, base.card.bands)
    if network is None:
        raise SystemExit(f"{missing or 'No network is given.'} Give its path with --physics.")
    return Place(sources, labels, np.concatenate(spectra), tile, base, network)


def folds_of(place: Place, seed: int) -> Iterator[Fold]:
    """Yield the folds of a seed."""
    splits = k_folds(place.labels, folds=FOLDS, method="scenes", seed=seed, validation=False)
    for number, split in enumerate(splits):
        part = np.concatenate(split.parts)
        every = SplitPixels.of(place.labels, split.parts)
        train, test = every.take(part == TRAIN), every.take(part == TEST)
        features = read_features(
            place.sources, train, test, place.base, seed, "cpu", REPORT, place.physics
        )
        yield Fold(seed, number, part == TRAIN, part == TEST, test, features)


def drawn(place: Place, fold: Fold, count: int) -> NDArray[np.bool_]:
    """Return which labelled pixels teach, so many of each class; 0 for all."""
    if not count:
        return fold.is_train
    generator = np.random.default_rng([fold.seed, fold.number, count])
    chosen = np.zeros(len(place.labels), np.bool_)
    for each in np.unique(place.labels.values):
        members = np.flatnonzero(fold.is_train & (place.labels.values == each))
        chosen[generator.permutation(members)[:count]] = True
    return chosen


def student(
    place: Place, fold: Fold, chosen: NDArray[np.bool_], physics: bool
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Return the classes that a fine-tuned head gives the test pixels, and what it chose."""
    labels = subset(place.labels, chosen)
    features = fold.features.take(chosen[fold.is_train])
    if not physics:
        features = PixelFeatures(
            features.spectra, features.difference, features.tokens, features.scene, features.steps
        )
    request = FinetuneJob(
        input=(), labels=(), output="", task="classification", seed=fold.seed, device="cpu"
    )
    task, values = task_of(labels, 0.0, labels.values)
    inner = inner_folds(labels, "scenes", None, fold.seed)
    config, card = place.base.encoder.config, place.base.card
    fit = HeadFit(features, values, inner, task, request, config, card, REPORT)
    head, search = fit.fit(None)
    network = place.physics.fractions if head.config.physics else None
    model = DenseModel(place.base.encoder, head, network).eval()
    found = np.zeros(len(fold.test), np.int64)
    std, mean = (np.asarray(each, np.float32)[:, None, None] for each in (card.std, card.mean))
    for tile in TileReader(place.sources, fold.test, card).read(REPORT):
        with torch.no_grad():
            logits = model(
                torch.from_numpy(tile.pixels * std + mean)[None],
                torch.from_numpy(np.float32(tile.valid))[None, None],
            )[0].numpy()
        found[tile.index] = logits[:, tile.row, tile.col].argmax(0)
    return found, {"found": repr(search.hyperparameters), "epochs": search.epochs}


def measure(place: Place, fold: Fold, count: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each method."""
    chosen, classes = drawn(place, fold, count), len(place.labels.classes)

    def row(method: str, predicted: Any, started: float, settings: Any) -> dict[str, Any]:
        truth, tile = place.labels.values[fold.is_test], place.tile[fold.is_test]
        return {
            **{"task": f"few_{count}", "seed": fold.seed, "fold": fold.number, "method": method},
            "seconds": time.process_time() - started,
            "settings": settings,
            **row_of(truth, predicted, tile, classes),
        }

    for method, physics in ((STUDENT, True), (WITHOUT, False)):
        started = time.process_time()
        predicted, settings = student(place, fold, chosen, physics)
        yield row(method, predicted, started, settings)
    started = time.process_time()
    models = fit_baselines(
        "classification",
        place.spectra[chosen],
        place.labels.values[chosen],
        place.tile[chosen],
        fold.seed,
    )
    started += (time.process_time() - started) * (1 - 1 / len(models))  # they share the work
    for method, model in models.items():
        predicted = model.predict(place.spectra[fold.is_test])
        yield row(method, predicted, started, dict(model.settings))


def main() -> None:
    """Measure, and write the figures."""
    given = _arguments()
    torch.set_num_threads(1)
    require(given.real / "images")
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        place = read_place(given.real, given.physics, stack)
        for seed in range(given.first, given.first + (1 if given.quick else given.seeds)):
            for fold in folds_of(place, seed):
                for count in given.counts:
                    rows += measure(place, fold, count)
            print(f"{time.strftime('%H:%M:%S')} seed {seed}", flush=True)
            text = write_figures(rows, given)
    print(text)


def write_figures(rows: list[dict[str, Any]], given: argparse.Namespace) -> str:
    """Write what was measured so far, and return its tables."""
    names = {
        f"few_{count}": f"{count} labels a class" if count else "All labels"
        for count in given.counts
    }
    kinds = dict.fromkeys(names, "classification")
    lines = summary(rows, kinds, dict.fromkeys(names, FOLDS))
    text = markdown(lines, names, kinds)
    result = {
        "protocol": " ".join((__doc__ or "").split("Protocol: ")[1].split()),
        "rows": short(lines),
        "lines": [{k: v for k, v in line.items() if not k.startswith("_")} for line in lines],
        "found": [
            {key: row[key] for key in ("task", "seed", "fold", "settings")}
            for row in rows
            if row["method"] == STUDENT
        ],
    }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if given.docs:
        before, _, rest = given.docs.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        given.docs.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
    return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    output = ROOT / "build" / "bench" / "few_labels.json"
    parser.add_argument("--output", type=Path, default=output)
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS, help="0 for all labels")
    parser.add_argument("--physics", default=FinetuneJob.physics, help="name or path of a model")
    parser.add_argument("--real", type=Path, default=POTSDAM, help="folder of the tiles")
    page = ROOT / "docs" / "few-labels.md"
    parser.add_argument("--docs", type=Path, nargs="?", const=page, help="write into this page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
