"""Settings that the labels choose themselves: cross-validation of the linear model.

Whole polygons, blocks or scenes are held out in turn, never single pixels of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.training.finetune.head.tasks import Goal, Linear, spread
from hyperkd.training.finetune.labelled_pixels import Float32Array, Ints
from hyperkd.types import BoolArray, Reporter

# Weights of the two further paths, as standard deviations of what they show; 0 leaves one out.
NEIGHBOURS: Final = (0.0, 0.3, 1.0)
TOKENS: Final = (0.0, 0.1, 0.2)
BALANCES: Final = (0.0, 0.5, 1.0)
_BALANCE: Final = 0.5  # until it is chosen
_LEAST_SIZE: Final = 1e-6
# Pixels that a choice is made with at most: more do not change it, but take long.
_MOST: Final = 3000
# What is unusual is chosen where it lowers the loss by this share, and in this share of the
# folds: what helps by accident in a choice harms in use.
_WORTH: Final = 0.03
_AGREEING: Final = 0.8


@dataclass(frozen=True)
class Plan:
    """What the linear model looks at, and how it is held back.

    Attributes:
        strength: inverse of the regularisation.
        emphasis: components count as their size to the power of this; 0 leaves them as they
            are, in units of the noise.
        balance: classes count as their number of pixels to the power of minus this.
        neighbours, tokens: weight of a path, 0 without it.
    """

    strength: float
    emphasis: float
    balance: float
    neighbours: float
    tokens: float


@dataclass(frozen=True, eq=False)
class Sights:
    """What each of n labelled pixels shows to the head.

    Attributes:
        components: ``(n, R)`` of its spectrum.
        apart: ``(n, R)`` of the difference between its surroundings and it.
        tokens: ``(n, V, D)`` in V views of its tile, zero mean and unit variance; or None.
        sizes: ``(R,)`` standard deviation of the components in the scenes.
    """

    components: Float32Array
    apart: Float32Array
    tokens: Optional[Float32Array]
    sizes: Float32Array

    def scales(self, plan: Plan) -> Float32Array:
        """Return the factor of each component, ``(R,)``."""
        emphasised = np.maximum(self.sizes, _LEAST_SIZE) ** plan.emphasis
        size = np.sqrt(np.mean(np.square(emphasised * self.sizes)))
        return np.asarray(emphasised / max(size, _LEAST_SIZE), np.float32)

    def parts(self, plan: Plan, rows: Any = slice(None)) -> list[NDArray[np.float32]]:
        """Return what the head looks at: components, surroundings, tokens of all views."""
        scales = self.scales(plan)
        parts: list[NDArray[np.float32]] = [scales * self.components[rows]]
        if plan.neighbours:
            parts.append(np.float32(plan.neighbours) * scales * self.apart[rows])
        if plan.tokens and self.tokens is not None:
            parts.append(np.float32(plan.tokens) * self.tokens[rows])
        return parts

    def features(self, plan: Plan, rows: Any = slice(None)) -> Float32Array:
        """Return what a linear model gets, ``(n, d)``, of the tile as it is."""
        return np.concatenate(
            [part if part.ndim == 2 else part[:, 0] for part in self.parts(plan, rows)], 1
        )


def choose(
    sights: Sights,
    values: NDArray[Any],
    fold: Ints,
    goal: Goal,
    report: Reporter,
    *,
    balance: Optional[float] = None,
    tokens: Optional[bool] = None,
    generator: np.random.Generator,
) -> Plan:
    """Choose the plan whose linear model predicts held-out folds best.

    One setting is chosen after the other, in the order of their effect.

    Args:
        sights: of the pixels to learn from.
        values: theirs.
        fold: ``(n,)`` the fold of each, from 0.
        goal: the task.
        report: is asked whether to go on.
        balance: given where it is not to be chosen.
        tokens: whether tokens are looked at; None to choose it.
        generator: of the pixels to choose with, where there are more than needed.
    """
    rows = _some(len(values), generator)
    trial = _Trial(sights, values, fold, rows, goal, report)
    first = _BALANCE if balance is None else balance
    plan = trial.surely_best(
        [
            Plan(strength, emphasis, first, 0.0, 0.0)
            for emphasis in goal.emphases
            for strength in goal.strengths
        ]
    )
    plan = trial.surely_best([dataclasses.replace(plan, neighbours=scale) for scale in NEIGHBOURS])
    if tokens is not False and sights.tokens is not None:
        plans = [dataclasses.replace(plan, tokens=scale) for scale in TOKENS]
        plan = trial.best(plans[1:]) if tokens else trial.surely_best(plans)
    if balance is None:
        plan = trial.fairest([dataclasses.replace(plan, balance=value) for value in BALANCES])
    return plan


@dataclass(frozen=True, eq=False)
class Advice:
    """What another model says about the labelled pixels.

    Attributes:
        answers: ``(n, K)`` its logits, NaN rows where it is not to be heard.
        share: of the loss.
    """

    answers: Float32Array
    share: float


def out_of_fold(
    sights: Sights,
    values: NDArray[Any],
    fold: Ints,
    goal: Goal,
    plan: Plan,
    report: Reporter,
    advice: Optional[Advice] = None,
) -> list[Linear]:
    """Return one linear model per fold, which that fold's pixels had no part in."""
    models = []
    features = sights.features(plan)
    for held in range(int(fold.max()) + 1):
        report.check_cancelled()
        fit = np.flatnonzero(fold != held)
        models.append(_fit(features[fit], values[fit], goal, plan, advice=_of(advice, fit)))
    return models


def fit_all(
    sights: Sights,
    values: NDArray[Any],
    goal: Goal,
    plan: Plan,
    advice: Optional[Advice] = None,
) -> Linear:
    """Return the linear model of all pixels."""
    return _fit(sights.features(plan), values, goal, plan, advice=advice)


def _of(advice: Optional[Advice], rows: Ints) -> Optional[Advice]:
    return None if advice is None else Advice(advice.answers[rows], advice.share)


def judged(values: NDArray[Any], fold: Ints) -> BoolArray:
    """Return ``(n,)``: the pixels by which models of the other folds can be judged.

    A class that lies in one fold alone is unknown to the model that is judged there.
    Where that is so for all classes, all pixels count.
    """
    if values.ndim > 1:
        return np.ones(len(values), np.bool_)
    folds_of = np.array([len(np.unique(fold[values == k])) for k in range(values.max() + 1)])
    known: BoolArray = folds_of[values] > 1
    return known if known.any() else np.ones(len(values), np.bool_)


def _fit(
    features: NDArray[Any],
    values: NDArray[Any],
    goal: Goal,
    plan: Plan,
    start: Optional[Linear] = None,
    advice: Optional[Advice] = None,
) -> Linear:
    weights: NDArray[Any] = goal.weights(values, plan.balance)
    if advice is not None:
        rows, values, weights = spread(values, weights, advice.answers, advice.share)
        features = features[rows]
    return goal.fit(features, values, weights, plan.strength, start)


def _some(count: int, generator: np.random.Generator) -> Ints:
    if count <= _MOST:
        return np.arange(count)
    return np.sort(generator.choice(count, _MOST, replace=False))


class _Trial:
    """Tries plans on the folds."""

    def __init__(
        self,
        sights: Sights,
        values: NDArray[Any],
        fold: Ints,
        rows: Ints,
        goal: Goal,
        report: Reporter,
    ) -> None:
        self.sights, self.goal, self.report, self.rows = sights, goal, report, rows
        self.values, self.fold = values[rows], fold[rows]
        self.known = judged(self.values, self.fold)
        self._answers: dict[Plan, Float32Array] = {}
        self._models: dict[int, Linear] = {}

    def answers(self, plan: Plan) -> Float32Array:
        """Return the answers to pixels of held-out folds, ``(n, K)``."""
        if plan in self._answers:
            return self._answers[plan]
        features = self.sights.features(plan, self.rows)
        found = np.zeros((len(self.rows), self.goal.outputs), np.float32)
        for held in np.unique(self.fold):
            self.report.check_cancelled()
            fit, test = self.fold != held, self.fold == held
            if not fit.any():
                continue
            # The last plan's weights are near to this one's where both look at the same.
            start = self._models.get(int(held))
            if start is not None and start.weight.shape[1] != features.shape[1]:
                start = None
            model = _fit(features[fit], self.values[fit], self.goal, plan, start)
            self._models[int(held)] = model
            found[test] = model.apply(features[test])
        self._answers[plan] = found
        return found

    def losses(self, plan: Plan) -> list[float]:
        """Return the loss in each fold."""
        answers, known = self.answers(plan), self.known
        losses = []
        for held in np.unique(self.fold[known]):
            here = known & (self.fold == held)
            losses.append(self.goal.judge(answers[here], self.values[here])["loss"])
        return losses

    def loss(self, plan: Plan) -> float:
        """Return the loss over all folds."""
        known = self.known
        return self.goal.judge(self.answers(plan)[known], self.values[known])["loss"]

    def best(self, plans: Sequence[Plan]) -> Plan:
        """Return the plan of the least loss; the first of equals."""
        return min(plans, key=self.loss)

    def surely_best(self, plans: Sequence[Plan]) -> Plan:
        """Return the first plan, the usual one, unless another is clearly better."""
        usual, best = plans[0], self.best(plans)
        if self.loss(best) > (1 - _WORTH) * self.loss(usual):
            return usual
        pairs = list(zip(self.losses(best), self.losses(usual)))
        agreeing = sum(other < expected for other, expected in pairs)
        return best if agreeing >= _AGREEING * len(pairs) else usual

    def fairest(self, plans: Sequence[Plan]) -> Plan:
        """Return the plan of the largest sum of accuracy and macro F1."""
        if self.values.ndim > 1:
            return plans[0]

        def score(plan: Plan) -> float:
            scores = self.goal.judge(self.answers(plan)[self.known], self.values[self.known])
            return scores["accuracy"] + scores["macro_f1"]

        return max(plans, key=score)
