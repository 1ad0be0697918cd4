"""What fine-tuned students are measured on: labels, folds and the pixels to predict."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.splits.split_labels import TEST, Split, k_folds, split_labels
from hyperkd.raster.labels.read_labels import LabelClass, Labels, SceneLabels, read_labels
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.source import RasterSource
from hyperkd.reporting import RecordingReporter
from hyperkd.requests.prepare_options import SynthJob
from hyperkd.synth.scene import synth, truth_paths

POTSDAM_CLASSES = ("roof", "pavement", "low vegetation", "tree", "soil", "water")
POTSDAM_FOLDS = 6
# Labels (of a class, of a trait), and seconds as in ``Task``. A trait gets five times as many
# as a class: about as many as all classes together.
COVER_SECONDS = {5: (10, 75, 1), 20: (10, 75, 1), 100: (30, 100, 8)}
TRAIT_SECONDS = {25: (10, 45, 1), 100: (8, 45, 1), 500: (15, 60, 2)}
# Training from scratch trains an encoder and takes longest.
SCRATCH_SEEDS = 3

# Simulated scenes: one to learn from, others to be tested on, all with their own draw of
# spectra and landscape; seeds that no student was trained or chosen on.
SIDE_PX = 192
TEST_SCENES = 2
FIRST_SEED = 7_000_000
# A class is scored where the training scene and the test scenes hold this many pixels of it.
CLASS_PIXELS = 150
TEST_PIXELS = 4000
TRAITS = ("lai", "leaf_chlorophyll")


@dataclass(frozen=True, eq=False)
class Fold:
    """One training and its test.

    Attributes:
        sources: the scenes to learn from.
        labels: of these scenes.
        split: train and validation; pixels of the test part are not to be looked at.
        groups: ``(n,)`` what inner cross-validation keeps together.
        test_sources: the scenes to predict.
        test: labels of exactly the pixels to predict.
        places: per test scene a number that is the same in all folds and seeds: what
            the bootstrap draws.
    """

    sources: Sequence[RasterSource]
    labels: Labels
    split: Split
    groups: NDArray[np.int64]
    test_sources: Sequence[RasterSource]
    test: Labels
    places: Sequence[int]


@dataclass(frozen=True)
class Task:
    """A benchmark.

    Attributes:
        name: its key in rows.
        title: its name in tables.
        kind: ``classification`` or ``regression``.
        folds: yields the folds of a seed, given a folder for scratch files.
        count: how many folds.
        outputs: names of classes or targets.
        seconds: of a fold on a free core: HyperKD, the same from scratch, a classical model.
        scratch: on how many of the first seeds training from scratch is measured too.
        table: which figures the table shows, where they are not those of the kind.
    """

    name: str
    title: str
    kind: str
    folds: Callable[[int, Path], Iterator[Fold]]
    count: int
    outputs: tuple[str, ...]
    seconds: tuple[float, float, float]
    scratch: int = 0
    table: str = ""


def potsdam_tasks(folder: Path) -> list[Task]:
    """Return the tasks on the real tiles."""
    return [
        Task(
            "potsdam_6",
            "Potsdam land cover, 6 classes",
            "classification",
            lambda seed, _: _tile_folds(folder, seed, merged=False),
            POTSDAM_FOLDS,
            POTSDAM_CLASSES,
            (13, 0, 6),
        ),
        Task(
            "potsdam_5",
            "Potsdam land cover, 5 classes",
            "classification",
            lambda seed, _: _tile_folds(folder, seed, merged=True),
            POTSDAM_FOLDS,
            ("roof or pavement", *POTSDAM_CLASSES[2:]),
            (8, 0, 6),
        ),
        Task(
            "vegetation",
            "Potsdam vegetation fraction",
            "regression",
            lambda seed, _: _vegetation_folds(folder, seed),
            POTSDAM_FOLDS,
            ("vegetation_fraction",),
            (5, 0, 1),
        ),
    ]


def _tiles(folder: Path) -> tuple[list[RasterSource], list[str]]:
    images = sorted(str(path) for path in (folder / "images").glob("*.tif"))
    labels = sorted(str(path) for path in (folder / "labels").glob("*.tif"))
    return [open_raster(path) for path in images], labels


def potsdam_labels(folder: Path, *, merged: bool) -> tuple[list[RasterSource], Labels]:
    """Return the tiles and their labels; ``merged`` makes roof and pavement one class."""
    sources, paths = _tiles(folder)
    labels = read_labels(sources, paths, task="classification", report=RecordingReporter())
    classes = tuple(
        dataclasses.replace(item, name=name) for item, name in zip(labels.classes, POTSDAM_CLASSES)
    )
    labels = dataclasses.replace(labels, classes=classes)
    if merged:
        # Roof and pavement become class 0; the others move up by one.
        joined = LabelClass("roof or pavement", 1, classes[0].colour)
        scenes = [
            dataclasses.replace(scene, values=np.maximum(scene.values - 1, 0))
            for scene in labels.scenes
        ]
        labels = dataclasses.replace(labels, classes=(joined, *classes[2:]), scenes=tuple(scenes))
    return sources, labels


def _tile_folds(folder: Path, seed: int, *, merged: bool) -> Iterator[Fold]:
    yield from _folds_by_tile(*potsdam_labels(folder, merged=merged), seed)


def _vegetation_folds(folder: Path, seed: int) -> Iterator[Fold]:
    sources, _ = _tiles(folder)
    labels = read_labels(
        sources,
        [str(folder / "vegcover_point.gpkg")],
        task="regression",
        fields=["vegetation_fraction"],
        report=RecordingReporter(),
    )
    yield from _folds_by_tile(sources, labels, seed)


def _folds_by_tile(sources: list[RasterSource], labels: Labels, seed: int) -> Iterator[Fold]:
    with contextlib.ExitStack() as stack:
        for source in sources:
            stack.enter_context(source)
        tile = np.repeat(np.arange(len(sources)), [len(scene) for scene in labels.scenes])
        for split in k_folds(
            labels, folds=POTSDAM_FOLDS, method="scenes", seed=seed, validation=True
        ):
            test = [_take(scene, part == TEST) for scene, part in zip(labels.scenes, split.parts)]
            tested = [number for number, scene in enumerate(test) if len(scene)]
            yield Fold(
                sources,
                labels,
                split,
                tile,
                [sources[number] for number in tested],
                dataclasses.replace(labels, scenes=tuple(test[number] for number in tested)),
                tested,
            )


def _take(scene: SceneLabels, mask: NDArray[np.bool_]) -> SceneLabels:
    return SceneLabels(scene.rows[mask], scene.cols[mask], scene.values[mask], scene.group[mask])


def simulated_tasks() -> list[Task]:
    """Return the tasks on simulated scenes."""
    covers = [
        Task(
            f"cover_{count}",
            f"Simulated cover, {count} labels a class",
            "classification",
            lambda seed, scratch, count=count: _cover_fold(seed, scratch, count),
            1,
            (),  # the classes are those of the scenes
            seconds,
            SCRATCH_SEEDS,
        )
        for count, seconds in COVER_SECONDS.items()
    ]
    traits = [
        Task(
            f"traits_{count}",
            f"Simulated leaf area and chlorophyll, {count} labels",
            "regression",
            lambda seed, scratch, count=count: _trait_fold(seed, scratch, count),
            1,
            TRAITS,
            seconds,
            SCRATCH_SEEDS,
            table="traits",
        )
        for count, seconds in TRAIT_SECONDS.items()
    ]
    return [*covers, *traits]


def _scenes(seed: int, folder: Path) -> list[str]:
    """Return the paths of a training scene and test scenes of a seed."""
    paths = []
    for number in range(1 + TEST_SCENES):
        path = str(folder / f"scene_{seed}_{number}.tif")
        if not Path(path).is_file():
            synth(
                SynthJob(
                    output=path,
                    width=SIDE_PX,
                    height=SIDE_PX,
                    seed=FIRST_SEED + 100 * seed + number,
                    border=0.0,
                    truth=True,
                ),
                RecordingReporter(),
            )
        paths.append(path)
    return paths


def _cover_fold(seed: int, folder: Path, count: int) -> Iterator[Fold]:
    with contextlib.ExitStack() as stack:
        paths = _scenes(seed, folder)
        sources = [stack.enter_context(open_raster(path)) for path in paths]
        truth = read_labels(
            sources,
            [truth_paths(path)["classes"] for path in paths],
            task="classification",
            report=RecordingReporter(),
        )
        size = len(truth.classes)
        found = [np.bincount(scene.values, minlength=size) for scene in truth.scenes]
        kept = np.flatnonzero((found[0] >= CLASS_PIXELS) & (sum(found[1:]) >= CLASS_PIXELS))
        new = np.full(size, -1)
        new[kept] = np.arange(kept.size)
        scenes = [
            _take(dataclasses.replace(scene, values=new[scene.values]), new[scene.values] >= 0)
            for scene in truth.scenes
        ]
        classes = tuple(truth.classes[index] for index in kept)
        labels = dataclasses.replace(truth, classes=classes, scenes=tuple(scenes))
        generator = np.random.default_rng([seed, count])
        chosen = np.concatenate(
            [
                generator.choice(np.flatnonzero(scenes[0].values == k), count, replace=False)
                for k in range(kept.size)
            ]
        )
        yield _points_fold(sources, labels, chosen, generator, seed)


def _trait_fold(seed: int, folder: Path, count: int) -> Iterator[Fold]:
    with contextlib.ExitStack() as stack:
        paths = _scenes(seed, folder)
        sources = [stack.enter_context(open_raster(path)) for path in paths]
        labels = read_labels(
            sources,
            [truth_paths(path)["traits"] for path in paths],
            task="regression",
            fields=TRAITS,
            report=RecordingReporter(),
        )
        generator = np.random.default_rng([seed, count])
        chosen = generator.choice(len(labels.scenes[0]), count, replace=False)
        yield _points_fold(sources, labels, chosen, generator, seed)


def _points_fold(
    sources: Sequence[RasterSource],
    labels: Labels,
    chosen: NDArray[np.int64],
    generator: np.random.Generator,
    seed: int,
) -> Fold:
    """Return the fold that learns from some pixels of the first scene, each its own group."""
    mask = np.zeros(len(labels.scenes[0]), np.bool_)
    mask[chosen] = True
    learn = _take(labels.scenes[0], mask)
    learn = dataclasses.replace(learn, group=np.arange(len(learn)))
    train = dataclasses.replace(labels, scenes=(learn,))
    split = split_labels(train, method="polygons", shares=(0.75, 0.25, 0.0), buffer_px=0, seed=seed)
    test = []
    for scene in labels.scenes[1:]:
        some = np.zeros(len(scene), np.bool_)
        some[generator.permutation(len(scene))[:TEST_PIXELS]] = True
        test.append(_take(scene, some))
    places = [TEST_SCENES * seed + number for number in range(len(test))]
    return Fold(
        sources[:1],
        train,
        split,
        learn.group,
        sources[1:],
        dataclasses.replace(labels, scenes=tuple(test)),
        places,
    )
