"""Classical models on raw spectra, trained and tested on the very split of the network.

They tell whether a network earned its place. Defaults are those of a careful analyst:
standardised bands, settings chosen by cross-validation inside the training part, grouped
as the split is. Training samples are capped, so that all take seconds: the settings say
how many pixels a model was trained on.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.types import FloatArray, Reporter

# Training pixels at most, and at most for choosing the settings; of more, each class keeps its
# share, but at least _PER_CLASS.
MAX_PIXELS = 5000
MAX_TUNING_PIXELS = 1500
_PER_CLASS = 50
_FOLDS = 3
_TREES = 200
_COMPONENTS = 20
_C_LINEAR = (0.01, 0.1, 1.0, 10.0)
_C_KERNEL = (1.0, 10.0, 100.0, 1000.0)
# Of the kernel's width, as multiples of 1 / number of bands (bands have unit variance).
_GAMMA = (0.1, 1.0)


@dataclass(frozen=True, eq=False)
class Baseline:
    """A classical model's answer.

    Attributes:
        predicted: ``(n,)`` int64 class indices, or ``(n, T)`` float64 values.
        settings: what was chosen, for the report.
    """

    predicted: NDArray[Any]
    settings: Mapping[str, Any]


def baselines(
    task: str,
    spectra_train: NDArray[Any],
    truth_train: NDArray[Any],
    groups_train: NDArray[np.int64],
    spectra_test: NDArray[Any],
    seed: int,
    report: Optional[Reporter] = None,
) -> dict[str, Baseline]:
    """Train classical models and apply them.

    Args:
        task: ``classification`` or ``regression``.
        spectra_train: ``(n, C)`` reflectance of the good bands, finite; two groups or more.
        truth_train: ``(n,)`` class indices of at least two classes, or ``(n, T)`` values
            (NaN where a pixel has no truth).
        groups_train: ``(n,)`` the polygon, point or block of each pixel.
        spectra_test: ``(m, C)`` reflectance of the same bands.
        seed: of sampling, folds and forests.
        report: is asked between two fits whether the job was cancelled.

    Returns:
        By name: ``logistic regression``, ``random forest``, ``RBF SVM``; or ``PLSR`` and
        ``random forest``.
    """
    from sklearn.exceptions import ConvergenceWarning

    train, test = np.asarray(spectra_train, np.float64), np.asarray(spectra_test, np.float64)
    if task == "classification":
        keep = _capped(truth_train, MAX_PIXELS, seed)
        with warnings.catch_warnings():
            # A logistic regression cut off at its last iteration predicts the same.
            warnings.filterwarnings("ignore", category=ConvergenceWarning)
            # A class of fewer pixels than folds takes no part in some of them.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            return _classifiers(
                train[keep], truth_train[keep], groups_train[keep], test, seed, report
            )
    by_target = [
        _regressors(train[known], column[known], groups_train[known], test, seed, report)
        for column in np.asarray(truth_train, np.float64).T
        for known in [_known(column, MAX_PIXELS, seed)]
    ]
    return {
        name: Baseline(
            np.stack([models[name].predicted for models in by_target], axis=1),
            {"targets": [dict(models[name].settings) for models in by_target]},
        )
        for name in by_target[0]
    }


def _classifiers(
    train: FloatArray,
    truth: NDArray[np.int64],
    groups: NDArray[np.int64],
    test: FloatArray,
    seed: int,
    report: Optional[Reporter],
) -> dict[str, Baseline]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    train, test = _standardised(train, test)
    few = _capped(truth, MAX_TUNING_PIXELS, seed)
    folds = [(few[a], few[b]) for a, b in _class_folds(truth[few], groups[few], seed)]
    searches: dict[str, list[Any]] = {
        "logistic regression": [
            LogisticRegression(C=c, max_iter=1000, tol=1e-3, random_state=seed) for c in _C_LINEAR
        ],
        "RBF SVM": [
            SVC(C=c, gamma=gamma / train.shape[1], random_state=seed)
            for c in _C_KERNEL
            for gamma in _GAMMA
        ],
    }
    found = {}
    for name, candidates in searches.items():
        best = _best_classifier(candidates, train, truth, folds, report)
        settings = {"C": best.C, **({"gamma": best.gamma} if name == "RBF SVM" else {})}
        found[name] = Baseline(best.fit(train, truth).predict(test), _told(settings, train, folds))
    forest = RandomForestClassifier(_TREES, random_state=seed)
    found["random forest"] = Baseline(
        forest.fit(train, truth).predict(test),
        _told({"trees": _TREES}, train, []),
    )
    return found


def _regressors(
    train: FloatArray,
    truth: FloatArray,
    groups: NDArray[np.int64],
    test: FloatArray,
    seed: int,
    report: Optional[Reporter],
) -> dict[str, Baseline]:
    from sklearn.ensemble import RandomForestRegressor

    train, test = _standardised(train, test)
    few = _known(truth, MAX_TUNING_PIXELS, seed)
    folds = [(few[a], few[b]) for a, b in _group_folds(groups[few], seed)]
    _go_on(report)
    components = _best_components(train, truth, folds)
    _go_on(report)
    forest = RandomForestRegressor(_TREES, max_features=1 / 3, random_state=seed)
    return {
        "PLSR": Baseline(
            _partial_least_squares(train, truth, test, components)[-1],
            _told({"components": components}, train, folds),
        ),
        "random forest": Baseline(
            forest.fit(train, truth).predict(test), _told({"trees": _TREES}, train, [])
        ),
    }


def _best_classifier(
    candidates: list[Any],
    train: FloatArray,
    truth: NDArray[np.int64],
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    report: Optional[Reporter],
) -> Any:
    """Return the candidate with the best mean of accuracy and macro F1; without folds C = 1.

    Classes are not weighted: weights trade overall accuracy for macro F1, and both count.
    """
    from sklearn.base import clone
    from sklearn.metrics import accuracy_score, f1_score

    if not folds:
        return next(model for model in candidates if model.C == 1)
    scores = []
    for model in candidates:
        _go_on(report)
        predicted = np.concatenate(
            [clone(model).fit(train[a], truth[a]).predict(train[b]) for a, b in folds]
        )
        known = np.concatenate([truth[b] for _, b in folds])
        macro = f1_score(known, predicted, average="macro", labels=np.unique(known))
        scores.append(accuracy_score(known, predicted) + macro)
    return candidates[int(np.argmax(scores))]


def _best_components(
    train: FloatArray,
    truth: FloatArray,
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> int:
    """Return the number of components with the smallest squared error over the folds."""
    smallest = min([len(train), *(len(a) for a, _ in folds)])
    most = max(1, min(_COMPONENTS, smallest - 1, train.shape[1]))
    if not folds:
        return min(most, 5)
    errors = np.zeros(most)
    for fit, held in folds:
        for k, predicted in enumerate(
            _partial_least_squares(train[fit], truth[fit], train[held], most)
        ):
            errors[k] += ((predicted - truth[held]) ** 2).sum()
    return int(np.argmin(errors)) + 1


def _partial_least_squares(
    train: FloatArray, truth: FloatArray, test: FloatArray, components: int
) -> list[FloatArray]:
    """Return predictions ``(m,)`` with 1, 2, ... components: one fit holds all of them."""
    from sklearn.cross_decomposition import PLSRegression

    if not truth.std() > 0:
        return [np.full(len(test), truth.mean())] * components
    model = PLSRegression(components, scale=False).fit(train, truth)
    scores = (test - train.mean(axis=0)) @ model.x_rotations_
    steps = np.cumsum(scores * model.y_loadings_[0], axis=1) + truth.mean()
    return list(steps.T)


def _standardised(train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return both with the mean and standard deviation of the training part removed."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return (train - mean) / deviation, (test - mean) / deviation


def _class_folds(
    truth: NDArray[np.int64], groups: NDArray[np.int64], seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield grouped folds with each class in each, as far as its groups reach."""
    from sklearn.model_selection import StratifiedGroupKFold

    per_class = [len(np.unique(groups[truth == k])) for k in np.unique(truth)]
    # A class in one group is in no fold's training part or in no test part: it cannot tune.
    folds = min(_FOLDS, max(per_class))
    if folds < 2:
        return
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for fit, held in splitter.split(truth[:, None], truth, groups):
        if len(np.unique(truth[fit])) > 1:
            yield fit, held


def _group_folds(
    groups: NDArray[np.int64], seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield folds of whole groups."""
    names, index = np.unique(groups, return_inverse=True)
    folds = min(_FOLDS, len(names))
    if folds < 2:
        return
    fold_of = np.random.default_rng(seed).permutation(len(names)) % folds
    for fold in range(folds):
        held = fold_of[index] == fold
        yield np.flatnonzero(~held), np.flatnonzero(held)


def _capped(truth: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Return about ``most`` indices of class labels; rare classes keep what they have."""
    if len(truth) <= most:
        return np.arange(len(truth))
    generator = np.random.default_rng(seed)
    kept = []
    for k in np.unique(truth):
        members = np.flatnonzero(truth == k)
        share = max(_PER_CLASS, round(most * len(members) / len(truth)))
        kept.append(generator.permutation(members)[:share])
    return np.sort(np.concatenate(kept))


def _known(column: FloatArray, most: int, seed: int) -> NDArray[np.int64]:
    """Return at most ``most`` indices of pixels with a truth."""
    known = np.flatnonzero(np.isfinite(column))
    if len(known) <= most:
        return known
    return np.sort(np.random.default_rng(seed).permutation(known)[:most])


def _go_on(report: Optional[Reporter]) -> None:
    if report is not None:
        report.check_cancelled()


def _told(settings: Mapping[str, Any], train: FloatArray, folds: list[Any]) -> dict[str, Any]:
    told: dict[str, Any] = {**settings, "training_pixels": len(train), "bands": train.shape[1]}
    if folds:
        told["chosen_over_folds"] = len(folds)
    return told
