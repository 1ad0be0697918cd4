"""Classical models on raw spectra: the baselines that a network is compared with.

Bands are standardised, and settings are chosen by cross-validation inside the training
pixels, with groups kept together. Training samples are capped, so that all take seconds: the
settings tell how many pixels a model was trained on.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.baselines.plsr import Plsr, best_components
from hyperkd.types import FloatArray, Reporter

# Training pixels at most, and at most for choosing the settings; of more, each class keeps its
# share, but at least _PER_CLASS.
MAX_PIXELS = 5000
MAX_TUNING_PIXELS = 1500
_PER_CLASS = 50
METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "classification": ("logistic regression", "RBF SVM", "random forest"),
    "regression": ("PLSR", "random forest"),
}
_FOLDS = 3
_TREES = 200
# In standard deviations of a band: above the rounding of float32, far below one stored step.
_OFF_MIDDLE = 1e-5
_C_LINEAR = (0.01, 0.1, 1.0, 10.0)
_C_KERNEL = (1.0, 10.0, 100.0, 1000.0)
# Of the kernel's width, as multiples of 1 / number of bands (bands have unit variance).
_GAMMA = (0.1, 1.0)


@dataclass(frozen=True, eq=False)
class Scaling:
    """Mean and standard deviation of the training part, ``(C,)`` each."""

    mean: FloatArray
    std: FloatArray

    @classmethod
    def of(cls, train: FloatArray) -> Scaling:
        """Measure spectra ``(n, C)``; a constant band keeps its values."""
        deviation = train.std(axis=0)
        return cls(train.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def apply(self, spectra: NDArray[Any]) -> FloatArray:
        """Return standardised spectra."""
        scaled: FloatArray = (np.asarray(spectra, np.float64) - self.mean) / self.std
        return scaled


@dataclass(frozen=True, eq=False)
class FittedBaseline:
    """A trained classical model.

    Attributes:
        task: ``classification`` or ``regression``.
        scaling: of its input.
        models: of scikit-learn, for standardised spectra: one for classes, else one for each
            target (``Plsr`` for PLSR).
        settings: what was chosen, for the report.
        held_out: decisions ``(n, K)`` and class indices ``(n,)`` of pixels that a fold held
            out, where they were asked for: of a model without probabilities.
    """

    task: str
    scaling: Scaling
    models: tuple[Any, ...]
    settings: Mapping[str, Any]
    held_out: tuple[tuple[FloatArray, NDArray[np.int64]], ...] = ()

    @property
    def has_probabilities(self) -> bool:
        """Whether it has probabilities of classes, not decisions or values."""
        return hasattr(self.models[0], "predict_proba")

    def predict(self, spectra: NDArray[Any]) -> NDArray[Any]:
        """Return ``(n,)`` class indices or ``(n, T)`` values of reflectance ``(n, C)``."""
        scaled = self.scaling.apply(spectra)
        answers = [model.predict(scaled) for model in self.models]
        return answers[0] if self.task == "classification" else np.stack(answers, axis=1)


def fit_baselines(
    task: str,
    spectra: NDArray[Any],
    values: NDArray[Any],
    groups: NDArray[np.int64],
    seed: int,
    report: Optional[Reporter] = None,
    *,
    decisions: bool = False,
) -> dict[str, FittedBaseline]:
    """Train classical models.

    Args:
        task: ``classification`` or ``regression``.
        spectra: ``(n, C)`` reflectance of the good bands, finite; two groups or more.
        values: ``(n,)`` class indices of at least two classes, or ``(n, T)`` targets, NaN
            where one is unknown.
        groups: ``(n,)`` the polygon, point or block of each pixel.
        report: tells between two fits whether the job was cancelled.
        decisions: whether to keep what a model without probabilities decides in the folds.

    Returns:
        The models by the names in ``METHODS``.
    """
    from sklearn.exceptions import ConvergenceWarning

    train = np.asarray(spectra, np.float64)
    if task == "classification":
        keep = capped(values, MAX_PIXELS, seed)
        with warnings.catch_warnings():
            # A logistic regression cut off at its last iteration predicts the same.
            warnings.filterwarnings("ignore", category=ConvergenceWarning)
            # A class of fewer pixels than folds takes no part in some of them.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            return _classifiers(train[keep], values[keep], groups[keep], seed, report, decisions)
    columns = np.asarray(values, np.float64).T
    kept = [_known(column, MAX_PIXELS, seed) for column in columns]
    # The targets share one scaling, so that one model can answer all of them.
    scaling = Scaling.of(train[np.unique(np.concatenate(kept))])
    scaled = scaling.apply(train)
    by_target = [
        _regressors(scaled[known], column[known], groups[known], seed, report)
        for column, known in zip(columns, kept)
    ]
    return {
        name: FittedBaseline(
            task,
            scaling,
            tuple(fitted[name][0] for fitted in by_target),
            {"targets": [fitted[name][1] for fitted in by_target]},
        )
        for name in by_target[0]
    }


def _classifiers(
    spectra: FloatArray,
    values: NDArray[np.int64],
    groups: NDArray[np.int64],
    seed: int,
    report: Optional[Reporter],
    decisions: bool,
) -> dict[str, FittedBaseline]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    scaling = Scaling.of(spectra)
    train = scaling.apply(spectra)
    few = capped(values, MAX_TUNING_PIXELS, seed)
    folds = [(few[a], few[b]) for a, b in _class_folds(values[few], groups[few], seed)]
    logistic = _best_classifier(
        [LogisticRegression(C=c, max_iter=1000, tol=1e-3, random_state=seed) for c in _C_LINEAR],
        train,
        values,
        folds,
        report,
    )
    # Ties of votes are broken by the decisions, as in an exported model.
    machine = _best_classifier(
        [
            SVC(C=c, gamma=gamma / train.shape[1], break_ties=True, random_state=seed)
            for c in _C_KERNEL
            for gamma in _GAMMA
        ],
        train,
        values,
        folds,
        report,
    )
    forest = RandomForestClassifier(_TREES, random_state=seed)
    searched = {"C": machine.C, "gamma": machine.gamma}
    held_out = tuple(_held_out(machine, train, values, folds)) if decisions else ()

    def fitted(model: Any, told: dict[str, Any], *more: Any) -> FittedBaseline:
        model.fit(train, values)
        if model is forest:
            _steady(model)
        return FittedBaseline("classification", scaling, (model,), told, *more)

    return {
        "logistic regression": fitted(logistic, _told({"C": logistic.C}, train, folds)),
        "RBF SVM": fitted(machine, _told(searched, train, folds), held_out),
        "random forest": fitted(forest, _told({"trees": _TREES}, train, [])),
    }


def _steady(forest: Any) -> Any:
    """Move the thresholds of a fitted forest off the middles of what scenes store.

    A threshold is the middle of two training values. Scenes store whole numbers, so pixels
    often lie exactly there, and rounding alone, which differs from program to program, would
    decide to which side they fall. Now they go left.
    """
    for estimator in forest.estimators_:
        estimator.tree_.threshold[:] += _OFF_MIDDLE
    return forest


def _held_out(
    model: Any,
    train: FloatArray,
    values: NDArray[np.int64],
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> Iterator[tuple[FloatArray, NDArray[np.int64]]]:
    """Yield decisions for what each fold holds out, of folds whose training has all classes."""
    from sklearn.base import clone

    classes = np.unique(values)
    for fit, held in folds:
        if np.array_equal(np.unique(values[fit]), classes):
            yield decisions_of(clone(model).fit(train[fit], values[fit]), train[held]), values[held]


def decisions_of(model: Any, spectra: FloatArray) -> FloatArray:
    """Return ``(n, K)`` decisions of a fitted machine; of two classes each gets a half."""
    found: FloatArray = model.decision_function(spectra)
    return found if found.ndim == 2 else np.stack([-found / 2, found / 2], axis=1)


def _regressors(
    train: FloatArray,
    values: FloatArray,
    groups: NDArray[np.int64],
    seed: int,
    report: Optional[Reporter],
) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return by name the fitted model of one target and its settings."""
    from sklearn.ensemble import RandomForestRegressor

    few = _known(values, MAX_TUNING_PIXELS, seed)
    folds = [(few[a], few[b]) for a, b in _group_folds(groups[few], seed)]
    _go_on(report)
    components = best_components(train, values, folds)
    _go_on(report)
    forest = RandomForestRegressor(_TREES, max_features=1 / 3, random_state=seed)
    return {
        "PLSR": (
            Plsr.fit(train, values, components),
            _told({"components": components}, train, folds),
        ),
        "random forest": (_steady(forest.fit(train, values)), _told({"trees": _TREES}, train, [])),
    }


def _best_classifier(
    candidates: list[Any],
    train: FloatArray,
    values: NDArray[np.int64],
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
            [clone(model).fit(train[a], values[a]).predict(train[b]) for a, b in folds]
        )
        known = np.concatenate([values[b] for _, b in folds])
        macro = f1_score(known, predicted, average="macro", labels=np.unique(known))
        scores.append(accuracy_score(known, predicted) + macro)
    return candidates[int(np.argmax(scores))]


def _class_folds(
    values: NDArray[np.int64], groups: NDArray[np.int64], seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield grouped folds with each class in each, as far as its groups reach."""
    from sklearn.model_selection import StratifiedGroupKFold

    per_class = [len(np.unique(groups[values == k])) for k in np.unique(values)]
    # A class in one group is in no fold's training part or in no test part: it cannot tune.
    folds = min(_FOLDS, max(per_class))
    if folds < 2:
        return
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for fit, held in splitter.split(values[:, None], values, groups):
        if len(np.unique(values[fit])) > 1:
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


def capped(values: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Return about ``most`` indices of class labels; rare classes keep what they have."""
    if len(values) <= most:
        return np.arange(len(values))
    generator = np.random.default_rng(seed)
    kept = []
    for k in np.unique(values):
        members = np.flatnonzero(values == k)
        share = max(_PER_CLASS, round(most * len(members) / len(values)))
        kept.append(generator.permutation(members)[:share])
    return np.sort(np.concatenate(kept))


def _known(column: FloatArray, most: int, seed: int) -> NDArray[np.int64]:
    """Return at most ``most`` indices of pixels with a known value."""
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
