"""What needs no training of a student: classical models on the token's mean spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ablation_arms import World, read_features, start, teacher_features
from ablation_data import alignment_matrix
from ablation_readouts import (
    SHARES,
    Float32Array,
    Parts,
    label_subset,
    mean_spectra,
    r_squared,
    score_classes,
    scored_classes,
    student_features,
    summarise_targets,
)
from sklearn.cross_decomposition import PLSRegression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from hyperkd.models.nets.student import Student

PLS_COMPONENTS = (5, 10, 20, 40)  # chosen on the validation scenes, for each target

BASELINES = {
    "raw-linear": "raw spectrum, logistic and ridge regression",
    "raw-forest": "raw spectrum, random forest",
    "raw-pls": "raw spectrum, PLSR",
    "six-linear": "six aligned bands, logistic and ridge regression",
    "six-forest": "six aligned bands, random forest",
    "random-encoder": "frozen encoder of random weights",
    "start": "frozen encoder before training (components)",
    "teacher": "the stand-in teacher's own features",
    "informed-teacher": "the informed teacher's own features",
}


def run_baseline(world: World, name: str, seed: int) -> dict[str, Any]:
    """Return the figures of a baseline for one choice of labels."""
    row: dict[str, Any] = {"arm": name, "seed": seed}
    if name.endswith("teacher"):
        kind = "informed" if name.startswith("informed") else "stand-in"
        return row | read_features(world, teacher_features(world, kind), seed)
    if name in ("start", "random-encoder"):
        return row | read_features(world, _untrained(world, name, seed), seed)
    spectra = {key: mean_spectra(group.pixels, 4) for key, group in world.groups.items()}
    if world.real is not None and name == "raw-linear":
        row["potsdam_f1"] = world.real.score(mean_spectra(world.real.pixels, 4))
    if name.startswith("six"):
        matrix = alignment_matrix().T.astype(np.float32)
        spectra = {key: values @ matrix for key, values in spectra.items()}
    if name.endswith("linear"):
        return row | read_features(world, spectra, seed)
    parts = world.parts(spectra)
    if name == "raw-pls":
        return row | _partial_least_squares(parts)
    return row | _forests(parts, world.size.trees, seed)


def _untrained(world: World, name: str, seed: int) -> Mapping[str, Float32Array]:
    student = start(world, seed)
    if name == "random-encoder":
        # The same statistics, but the weights that the constructor draws.
        student = Student(student.config, student.mean.tolist(), student.std.tolist())
    student.eval()
    return {
        key: student_features(student, group.pixels, world.size.tile)
        for key, group in world.groups.items()
    }


def _forests(parts: Parts, trees: int, seed: int) -> dict[str, Any]:
    labels, held_out = parts.labels, parts.held_out
    count = labels.targets.shape[1] - 5
    figures: dict[str, Any] = {}
    for share in SHARES:
        chosen = label_subset(labels.classes, share, seed)
        forest = RandomForestClassifier(trees, random_state=seed)
        forest.fit(labels.features[chosen], labels.classes[chosen])
        predicted = forest.predict(held_out.features)
        score, accuracy, confusion = score_classes(labels, held_out, predicted, count)
        figures[f"f1_{share:g}"], figures[f"oa_{share:g}"] = score, accuracy
        figures[f"confusion_{share:g}"] = confusion.tolist()
    return figures | _forest_targets(parts, trees, seed)


def _forest_targets(parts: Parts, trees: int, seed: int) -> dict[str, float]:
    scores: dict[int, float] = {}
    known = np.isfinite(parts.labels.targets)
    # Targets that are known at the same tokens share a forest.
    patterns, member = np.unique(known, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        columns = np.flatnonzero(member == number)
        rows = patterns[:, number]
        forest = RandomForestRegressor(
            trees, max_features="sqrt", min_samples_leaf=3, max_samples=0.5, random_state=seed
        )
        truth = parts.labels.targets[np.ix_(rows, columns)]
        forest.fit(parts.labels.features[rows], truth if truth.shape[1] > 1 else truth[:, 0])
        predicted = forest.predict(parts.held_out.features).reshape(-1, len(columns))
        for place, column in enumerate(columns):
            truth = parts.held_out.targets[:, column].astype(np.float64)
            scores[int(column)] = r_squared(truth, predicted[:, place])
    return summarise_targets(
        dict(sorted(scores.items())),
        scored_classes(parts.labels.classes, parts.held_out.classes),
    )


def _partial_least_squares(parts: Parts) -> dict[str, float]:
    scores: dict[int, float] = {}
    for column in range(parts.labels.targets.shape[1]):
        truth = parts.labels.targets[:, column].astype(np.float64)
        rows = np.isfinite(truth)
        best, best_score = None, -np.inf
        for components in PLS_COMPONENTS:
            model = PLSRegression(components).fit(parts.labels.features[rows], truth[rows])
            score = _score_pls(model, parts.validation.features, parts.validation, column)
            if score > best_score:
                best, best_score = model, score
        scores[column] = _score_pls(best, parts.held_out.features, parts.held_out, column)
    return summarise_targets(scores, scored_classes(parts.labels.classes, parts.held_out.classes))


def _score_pls(model: Any, features: Float32Array, part: Any, column: int) -> float:
    return r_squared(part.targets[:, column].astype(np.float64), model.predict(features).ravel())
