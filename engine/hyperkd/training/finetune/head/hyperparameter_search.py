"""Hyperparameters of the linear model, by cross-validation over the training labels.

Whole polygons, blocks or scenes are held out in turn, never single pixels of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.training.finetune.head.tasks import LinearHead, SoftTargets, Task, fit_weighted
from hyperkd.types import BoolArray, Float32Array, Ints, Reporter

# Candidate weights of the neighbourhood difference and of the tokens, as their standard
# deviation; 0 leaves them out.
NEIGHBOURS: Final = (0.0, 0.3, 1.0)
TOKENS: Final = (0.0, 0.1, 0.2)
# Inverse of the regularisation of fractions by physics, which lie between 0 and 1.
PHYSICS: Final = 2.4
BALANCES: Final = (0.0, 0.5, 1.0)
_BALANCE: Final = 0.5  # until it is searched
_LEAST_SIZE: Final = 1e-6
# Pixels of a search at most: more do not change the result, but take long.
_MOST: Final = 3000
# A candidate other than the default is taken where it lowers the loss by this fraction, and in
# this fraction of the folds: what helps by accident in a search harms in use.
_WORTH: Final = 0.03
_AGREEING: Final = 0.8


@dataclass(frozen=True)
class Hyperparameters:
    """Features and regularisation of the linear model.

    Attributes:
        strength: inverse of the regularisation.
        emphasis: components are scaled by their size to the power of this; 0 leaves them as
            they are, in units of the noise.
        balance: classes are weighted by their number of pixels to the power of minus this.
        neighbours, tokens: weight of the neighbourhood difference and of the tokens; 0
            without.
        physics: as ``strength``, of the fractions by a fixed network; 0 without.
    """

    strength: float
    emphasis: float
    balance: float
    neighbours: float
    tokens: float
    physics: float = 0.0


@dataclass(frozen=True, eq=False)
class HeadInputs:
    """What n labelled pixels give to the head, and what it is to predict there.

    Attributes:
        components: ``(n, R)`` float32 of the spectrum.
        difference: ``(n, R)`` float32, the neighbourhood difference: the mean over the valid
            neighbours and the pixel, less the pixel, in components.
        tokens: ``(n, V, D)`` float32 in V views of the tile, zero mean and unit variance; or
            None.
        sizes: ``(R,)`` standard deviation of the components in the scenes.
        values: ``(n,)`` class indices or ``(n, T)`` standardised targets.
        task: classification or regression.
        soft: of an earlier model, or None.
        physics: ``(n, F)`` float32 fractions of covers by a fixed network; or None.
    """

    components: Float32Array
    difference: Float32Array
    tokens: Optional[Float32Array]
    sizes: Float32Array
    values: NDArray[Any]
    task: Task
    soft: Optional[SoftTargets] = None
    physics: Optional[Float32Array] = None

    def scales(self, chosen: Hyperparameters) -> Float32Array:
        """Return the factor of each component, ``(R,)``."""
        emphasised = np.maximum(self.sizes, _LEAST_SIZE) ** chosen.emphasis
        size = np.sqrt(np.mean(np.square(emphasised * self.sizes)))
        return np.asarray(emphasised / max(size, _LEAST_SIZE), np.float32)

    def parts(self, chosen: Hyperparameters, rows: Any = slice(None)) -> list[Float32Array]:
        """Return components, neighbourhood difference, physics, tokens, as far as taken."""
        scales = self.scales(chosen)
        parts: list[Float32Array] = [scales * self.components[rows]]
        if chosen.neighbours:
            parts.append(np.float32(chosen.neighbours) * scales * self.difference[rows])
        if chosen.physics and self.physics is not None:
            parts.append(self.physics[rows])
        if chosen.tokens and self.tokens is not None:
            parts.append(np.float32(chosen.tokens) * self.tokens[rows])
        return parts

    def leeway(self, chosen: Hyperparameters) -> Float32Array:
        """Return the factor of each feature while a linear model is fitted, ``(d,)``.

        The larger it is, the less the feature is regularised.
        """
        factors = np.ones(self.features(chosen, slice(1)).shape[1], np.float32)
        if chosen.physics and self.physics is not None:
            first = self.components.shape[1] * (2 if chosen.neighbours else 1)
            ratio = np.sqrt(chosen.physics / chosen.strength)
            factors[first : first + self.physics.shape[1]] = ratio
        return factors

    def features(self, chosen: Hyperparameters, rows: Any = slice(None)) -> Float32Array:
        """Return the features of a linear model, ``(n, d)``, with tokens of the first view."""
        return np.concatenate(
            [part if part.ndim == 2 else part[:, 0] for part in self.parts(chosen, rows)], 1
        )


@dataclass(frozen=True, eq=False)
class LinearSearch:
    """The hyperparameters, and linear models by them.

    Attributes:
        hyperparameters: that were found.
        models: one per fold, without that fold's pixels.
        scored: ``(n,)`` the pixels on which models of the other folds are scored.
    """

    hyperparameters: Hyperparameters
    models: list[LinearHead]
    scored: BoolArray


def search_hyperparameters(
    inputs: HeadInputs,
    fold: Ints,
    report: Reporter,
    *,
    balance: Optional[float],
    tokens: Optional[bool],
    generator: np.random.Generator,
) -> LinearSearch:
    """Find the hyperparameters whose linear model predicts held-out folds best.

    One is searched after the other, in the order of their effect.

    Args:
        inputs: of the training pixels.
        fold: ``(n,)`` the fold of each, from 0.
        balance: given where it is not to be searched.
        tokens: whether tokens are taken; None to search it.
        generator: draws the pixels of the search, where there are more than needed.

    Raises:
        HyperKDError: ``cancelled``.
    """
    count, task = len(inputs.values), inputs.task
    every = count <= _MOST
    rows = np.arange(count) if every else np.sort(generator.choice(count, _MOST, replace=False))
    trial = _Trial(inputs, fold, rows, report)
    first = _BALANCE if balance is None else balance
    chosen = trial.clearly_best(
        [
            Hyperparameters(strength, emphasis, first, 0.0, 0.0)
            for emphasis in task.emphases
            for strength in task.strengths
        ]
    )
    chosen = trial.clearly_best([replace(chosen, neighbours=weight) for weight in NEIGHBOURS])
    if inputs.physics is not None:
        chosen = trial.with_physics(chosen)
    if tokens is not False and inputs.tokens is not None:
        candidates = [replace(chosen, tokens=weight) for weight in TOKENS]
        chosen = trial.best(candidates[1:]) if tokens else trial.clearly_best(candidates)
    if balance is None:
        chosen = trial.best_balance([replace(chosen, balance=value) for value in BALANCES])
    training = [np.flatnonzero(fold != held) for held in range(int(fold.max()) + 1)]
    models = fit_linear(inputs, chosen, training, report)
    return LinearSearch(chosen, models, scored_pixels(inputs.values, fold))


def fit_linear(
    inputs: HeadInputs, chosen: Hyperparameters, training: Sequence[Ints], report: Reporter
) -> list[LinearHead]:
    """Return a linear model for each set of training pixels, soft targets included.

    Args:
        inputs: of all pixels.
        training: for each model the rows of its training pixels.

    Raises:
        HyperKDError: ``cancelled``.
    """
    features, models = inputs.features(chosen), []
    for rows in training:
        report.check_cancelled()
        soft = None if inputs.soft is None else inputs.soft.take(rows)
        models.append(_fit(inputs, features[rows], inputs.values[rows], chosen, soft))
    return models


def _fit(
    inputs: HeadInputs,
    features: Float32Array,
    values: NDArray[Any],
    chosen: Hyperparameters,
    soft: Optional[SoftTargets] = None,
    start: Optional[LinearHead] = None,
) -> LinearHead:
    factors = inputs.leeway(chosen)
    if start is not None:
        start = LinearHead(start.weight / factors, start.bias)
    balance, strength = chosen.balance, chosen.strength
    model = fit_weighted(inputs.task, features * factors, values, balance, strength, soft, start)
    return LinearHead(model.weight * factors, model.bias)


def scored_pixels(values: NDArray[Any], fold: Ints) -> BoolArray:
    """Return ``(n,)``: the pixels on which models of the other folds are scored.

    A class that lies in one fold alone is unknown to the model that is scored there.
    Where that is so for all classes, all pixels count.
    """
    if values.ndim > 1:
        return np.ones(len(values), np.bool_)
    folds_of = np.array([len(np.unique(fold[values == k])) for k in range(values.max() + 1)])
    scored: BoolArray = folds_of[values] > 1
    return scored if scored.any() else np.ones(len(values), np.bool_)


class _Trial:
    """Scores hyperparameters on the folds."""

    def __init__(self, inputs: HeadInputs, fold: Ints, rows: Ints, report: Reporter) -> None:
        self.inputs, self.task, self.report, self.rows = inputs, inputs.task, report, rows
        self.values, self.fold = inputs.values[rows], fold[rows]
        self.scored = scored_pixels(self.values, self.fold)
        self._outputs: dict[Hyperparameters, Float32Array] = {}
        self._models: dict[int, LinearHead] = {}

    def outputs(self, chosen: Hyperparameters) -> Float32Array:
        """Return the outputs at pixels of held-out folds, ``(n, K)``."""
        if chosen in self._outputs:
            return self._outputs[chosen]
        features = self.inputs.features(chosen, self.rows)
        outputs = np.zeros((len(self.rows), self.task.outputs), np.float32)
        for held in np.unique(self.fold):
            self.report.check_cancelled()
            train, test = self.fold != held, self.fold == held
            if not train.any():
                continue
            # The last candidate's weights are near to this one's where the features are the same.
            start = self._models.get(int(held))
            if start is not None and start.weight.shape[1] != features.shape[1]:
                start = None
            values = self.values[train]
            model = _fit(self.inputs, features[train], values, chosen, start=start)
            self._models[int(held)] = model
            outputs[test] = model.apply(features[test])
        self._outputs[chosen] = outputs
        return outputs

    def scores(self, chosen: Hyperparameters, fold: Optional[int] = None) -> dict[str, float]:
        """Return the scores over all folds, or in one of them."""
        here = self.scored if fold is None else self.scored & (self.fold == fold)
        return dict(self.task.scores(self.outputs(chosen)[here], self.values[here])[0])

    def loss(self, chosen: Hyperparameters) -> float:
        """Return the loss over all folds."""
        return self.scores(chosen)["loss"]

    def best(self, candidates: Sequence[Hyperparameters]) -> Hyperparameters:
        """Return the candidate with the smallest loss; the first of equals."""
        return min(candidates, key=self.loss)

    def clearly_best(self, candidates: Sequence[Hyperparameters]) -> Hyperparameters:
        """Return the first candidate, the default, unless another one is clearly better."""
        default, best = candidates[0], self.best(candidates)
        if self.loss(best) > (1 - _WORTH) * self.loss(default):
            return default
        folds = np.unique(self.fold[self.scored])
        better = [
            self.scores(best, held)["loss"] < self.scores(default, held)["loss"] for held in folds
        ]
        return best if sum(better) >= _AGREEING * len(better) else default

    def with_physics(self, alone: Hyperparameters) -> Hyperparameters:
        """Return hyperparameters with fractions by physics, or ``alone`` as it is.

        For classes it is the spectra alone that have to be clearly better: a simulation knows
        more than a few labels, and few labels cannot tell so. But fractions that do not lower
        the loss of the same components are left out in any case.
        """
        beside = [
            replace(alone, strength=strength, physics=PHYSICS)
            for strength in self.task.beside_physics
        ]
        if not self.task.physics_first:
            return self.clearly_best([alone, *beside])
        chosen = self.clearly_best([self.clearly_best(beside), alone])
        useless = self.loss(replace(chosen, physics=0.0)) <= self.loss(chosen)
        return alone if useless else chosen

    def best_balance(self, candidates: Sequence[Hyperparameters]) -> Hyperparameters:
        """Return the candidate with the largest sum of accuracy and macro F1."""
        if self.values.ndim > 1:
            return candidates[0]

        def score(chosen: Hyperparameters) -> float:
            scores = self.scores(chosen)
            return scores["accuracy"] + scores["macro_f1"]

        return max(candidates, key=score)
