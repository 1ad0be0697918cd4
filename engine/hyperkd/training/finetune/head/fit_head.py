"""Fitting a dense head to the features of labelled pixels, the encoder as it is.

1. The noise of the scenes gives the components that the head looks at.
2. Cross-validation over whole polygons, blocks or scenes chooses how strongly a linear
   model is regularised, how classes are balanced, and whether neighbours and tokens help.
3. A committee of small perceptrons learns what the linear model misses; the same folds
   tell when it stops getting better, and how sure the model may be (temperature).
4. Linear model and committee are then trained on all folds, as long as that took.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Final, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hyperkd.evaluation.scores.calibration import fit_temperature
from hyperkd.models.nets.heads import DenseHead, HeadConfig
from hyperkd.models.sizes import StudentConfig
from hyperkd.training.common.augment import Augment, Strength
from hyperkd.training.common.noise_components import noise_components
from hyperkd.training.finetune.head.hyperparameter_search import (
    Advice,
    Plan,
    Sights,
    choose,
    fit_all,
    judged,
    out_of_fold,
)
from hyperkd.training.finetune.head.mlp_ensemble import Committee, CommitteeSettings, Training
from hyperkd.training.finetune.head.tasks import Classes, Goal, Linear
from hyperkd.training.finetune.labelled_pixels import Float32Array, Ints, Spectra
from hyperkd.types import BoolArray, Reporter

Look = Callable[[Callable[[], DenseHead]], None]

COMPONENTS: Final = 40
MEMBERS: Final = 4
# Epochs without a better loss over the folds after which nothing more is expected.
_PATIENCE: Final = 12
_LEAST_STD: Final = 1e-6


@dataclass(frozen=True)
class HeadSettings:
    """How to fit a head.

    Attributes:
        epochs: of the committee at most.
        learning_rate: of the committee, None for the usual one.
        committee: how it is trained else.
        strength: of the augmentation.
        balance: exponent of the class weights, None to choose it.
        tokens: whether the encoder's tokens are looked at; None to choose it.
        softness: share of another model's answers in the loss, where there are some.
        seed: of everything drawn.
        device: where the committee is computed.
    """

    epochs: int = 100
    learning_rate: Optional[float] = None
    committee: CommitteeSettings = CommitteeSettings()
    strength: Strength = Strength()
    balance: Optional[float] = None
    tokens: Optional[bool] = None
    softness: float = 0.0
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class Found:
    """What the folds say.

    Attributes:
        plan: what the linear model looks at, and how it is held back.
        epochs: of the committee; 0 where it has nothing to add.
        temperature: of the probabilities of a classification, else 1.
        scores: over the folds, each judged by models that had no part of it.
        history: one row for each epoch.
        stopped: whether the user ended the search.
    """

    plan: Plan
    epochs: int
    temperature: float
    scores: Mapping[str, float]
    history: Sequence[Mapping[str, float]]
    stopped: bool = False


class HeadFit:
    """Fits a head to labelled pixels.

    Attributes:
        components: what the head looks at.
        augment: of spectra like these.

    Args:
        spectra: what they show.
        mean, std: ``(C,)`` reflectance that normalisation subtracts and divides by.
        values: ``(n,)`` class indices or ``(n, T)`` standardised targets.
        fold: ``(n,)`` from 0; two folds at least.
        goal: the task.
        settings: how.
        report: is told how it goes.
        encoder: sizes of the encoder.
        soft: ``(n, K)`` another model's answers, NaN where there are none; or None.
        look: is offered the head after each epoch, as a function that makes it.
    """

    def __init__(
        self,
        spectra: Spectra,
        mean: NDArray[Any],
        std: NDArray[Any],
        values: NDArray[Any],
        fold: Ints,
        goal: Goal,
        settings: HeadSettings,
        report: Reporter,
        encoder: StudentConfig,
        soft: Optional[Float32Array] = None,
        look: Optional[Look] = None,
    ) -> None:
        self._values, self._fold, self._goal = values, fold, goal
        self._settings, self._report, self._soft = settings, report, soft
        self._advice = None if soft is None else Advice(soft, settings.softness)
        self._encoder, self._look = encoder, look
        most = min(COMPONENTS, spectra.own.shape[1])
        self.components = noise_components(spectra.scene, spectra.steps, std, most)
        self.augment = Augment(settings.strength, self.components, mean, std)
        self._token_mean, self._token_std, tokens = _standardised(spectra.tokens)
        self._sights = Sights(
            self.components.apply(spectra.own),
            self.components.apply_difference(spectra.apart),
            tokens,
            self.components.apply(spectra.scene).std(0),
        )

    def search(self) -> Found:
        """Choose the settings, and how long the committee learns, over the folds.

        Raises:
            HyperKDError: ``cancelled``.
        """
        self._report.stage("Choosing settings")
        plan = choose(
            self._sights,
            self._values,
            self._fold,
            self._goal,
            self._report,
            balance=self._settings.balance,
            tokens=self._settings.tokens,
            generator=np.random.default_rng((self._settings.seed, 0xC4)),
        )
        linear = out_of_fold(
            self._sights,
            self._values,
            self._fold,
            self._goal,
            plan,
            self._report,
            self._advice,
        )
        rows = [np.flatnonzero(self._fold != held) for held in range(len(linear))]
        training = self._training(plan, rows, linear, 0)
        self._report.stage("Training over the folds")
        known = judged(self._values, self._fold)
        watch = _Watch(self._goal, self._held_out(training), self._values, known)
        stopped = False
        while watch.goes_on and watch.epochs < self._settings.epochs:
            if self._report.stop_requested():
                stopped = True
                break
            loss = training.epoch(self._report)
            row = watch.look(self._held_out(training), loss)
            self._report.metric(watch.epochs, row)
            self._report.progress(watch.epochs, self._settings.epochs, "epochs")
            if self._look is not None:
                self._look(lambda: self._head(plan, _mean(linear), training.committee))
        temperature = 1.0
        if isinstance(self._goal, Classes):
            temperature = fit_temperature(watch.best_answers[known], self._values[known])
        return Found(plan, watch.best, temperature, watch.best_scores, watch.history, stopped)

    def train(self, found: Found) -> DenseHead:
        """Train linear model and committee on all folds as ``found`` says.

        Args:
            found: from ``search``.

        Returns:
            The head, for standardised targets in a regression.
        """
        plan = found.plan
        rows = np.arange(len(self._values))
        linear = fit_all(self._sights, self._values, self._goal, plan, self._advice)
        self._report.stage("Training on all folds")
        # Without an epoch the members add nothing yet, but can learn with the encoder.
        training = self._training(plan, [rows] * MEMBERS, [linear] * MEMBERS, 1)
        for epoch in range(found.epochs):
            training.epoch(self._report)
            self._report.progress(epoch + 1, found.epochs, "epochs")
        return self._head(plan, linear, training.committee)

    def _training(
        self, plan: Plan, rows: Sequence[Ints], linear: Sequence[Linear], stream: int
    ) -> Training:
        settings = self._settings
        return Training(
            self._sights,
            self._values,
            rows,
            linear,
            self._goal,
            plan,
            dataclasses.replace(
                settings.committee,
                learning_rate=settings.learning_rate or settings.committee.learning_rate,
                seed=2 * settings.seed + stream,
            ),
            self.augment,
            self._soft,
            settings.softness,
            settings.device,
        )

    def _held_out(self, training: Training) -> Float32Array:
        """Return ``(n, K)``: each pixel as the member answers that did not learn from it."""
        answers = training.answers(np.arange(len(self._values)))
        held: Float32Array = answers[self._fold, np.arange(len(self._values))]
        return held

    @torch.no_grad()
    def _head(self, plan: Plan, linear: Linear, committee: Committee) -> DenseHead:
        """Write what was learnt into the layers of a head."""
        goal, width = self._goal, len(self.components.matrix)
        config = HeadConfig.fitting(
            self._encoder,
            "classification" if isinstance(goal, Classes) else "regression",
            goal.outputs,
            components=width,
            hidden=committee.hidden,
            members=committee.members,
            dropout=self._settings.committee.dropout,
            neighbours=plan.neighbours > 0,
            tokens=plan.tokens > 0,
        )
        head = DenseHead(config)
        _set(head.components, self.components.matrix, self.components.offset)
        scales = self._sights.scales(plan).astype(np.float64)
        own = linear.weight[:, :width] * scales
        weight = own @ self.components.matrix
        bias = linear.bias + own @ self.components.offset
        entering, entering_bias = committee.entrance()
        committee.write(head.mix, head.answer)
        # The answer itself first, as in the layers of both further paths.
        both = np.concatenate([linear.weight, entering])
        both_bias = np.concatenate([bias, entering_bias])
        first = width
        if plan.neighbours:
            _set(head.beside, plan.neighbours * scales * both[:, first : first + width])
            first += width
        if plan.tokens:
            scaled = plan.tokens * both[:, first:] / self._token_std
            _set(head.context, scaled)
            both_bias = both_bias - scaled @ self._token_mean
        _set(head.linear, weight, both_bias[: goal.outputs])
        _set(head.spectral, scales * entering[:, :width], both_bias[goal.outputs :])
        return head.eval()


class _Watch:
    """Knows the best epoch, and when no better one is to be expected."""

    def __init__(
        self, goal: Goal, answers: Float32Array, values: NDArray[Any], known: BoolArray
    ) -> None:
        self._goal, self._values, self._known = goal, values, known
        self.history: list[Mapping[str, float]] = []
        self.epochs = self.best = 0
        self.best_answers = answers
        self.best_scores = goal.judge(answers[known], values[known])

    @property
    def goes_on(self) -> bool:
        """Whether a better epoch may come."""
        return self.epochs - self.best < _PATIENCE

    def look(self, answers: Float32Array, loss: float) -> Mapping[str, float]:
        """Take the answers after another epoch, and return its row of the history."""
        self.epochs += 1
        scores = self._goal.judge(answers[self._known], self._values[self._known])
        if scores["loss"] < self.best_scores["loss"]:
            self.best, self.best_answers, self.best_scores = self.epochs, answers, scores
        row = {"loss": loss, **{f"validation_{name}": value for name, value in scores.items()}}
        self.history.append({"epoch": float(self.epochs), **row})
        return row


def _mean(models: Sequence[Linear]) -> Linear:
    """Return the mean of linear models."""
    return Linear(
        np.mean([model.weight for model in models], 0), np.mean([model.bias for model in models], 0)
    )


def _standardised(
    tokens: Optional[Float32Array],
) -> tuple[Float32Array, Float32Array, Optional[Float32Array]]:
    """Return mean and standard deviation ``(D,)`` of tokens ``(n, V, D)``, and these without."""
    if tokens is None:
        return np.zeros(0, np.float32), np.ones(0, np.float32), None
    mean = tokens.mean((0, 1))
    std = np.maximum(tokens.std((0, 1)), _LEAST_STD)
    return mean, std, (tokens - mean) / std


def _set(layer: nn.Conv2d, weight: NDArray[Any], bias: Optional[NDArray[Any]] = None) -> None:
    layer.weight.copy_(torch.from_numpy(np.asarray(weight))[:, :, None, None])
    if bias is not None and layer.bias is not None:
        layer.bias.copy_(torch.from_numpy(np.asarray(bias)))
