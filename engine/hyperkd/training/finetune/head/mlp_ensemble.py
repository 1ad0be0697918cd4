"""An ensemble of small perceptrons (MLPs) that corrects a linear model, trained on kept features.

All members are trained at once, as batched matrix products. They become the ``members`` of
the residual path of a ``DenseHead``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Final, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hyperkd.models.nets.encoder import Convolution
from hyperkd.training.common.augment import Augment
from hyperkd.training.common.optimiser import make_optimiser
from hyperkd.training.finetune.head.hyperparameter_search import (
    HeadInputs,
    Hyperparameters,
    LinearSearch,
)
from hyperkd.training.finetune.head.tasks import LinearHead, Scores, distilled
from hyperkd.types import Float32Array, FloatArray, Ints, Reporter

HIDDEN: Final = 32  # channels of each member
DROPOUT: Final = 0.3  # fraction of them that a step leaves out
_RATE: Final = 1e-3  # learning rate of AdamW, constant
_DECAY: Final = 0.01  # weight decay of matrices
_BATCH: Final = 256  # pixels of a step for each member
_STEPS: Final = 32  # of an epoch at most
# Epochs without a smaller loss over the folds after which the training stops.
_PATIENCE: Final = 12


class MlpEnsemble(nn.Module):
    """M perceptrons; inputs ``(M, n, d)`` to corrections ``(M, n, K)``, which start at 0."""

    def __init__(self, members: int, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()

        def weight(rows: int, columns: int) -> nn.Parameter:
            drawn = torch.randn(members, rows, columns, generator=generator)
            return nn.Parameter(drawn / rows**0.5)

        def bias(columns: int) -> nn.Parameter:
            # Two dimensions less than a matrix, so that it is not decayed.
            return nn.Parameter(torch.zeros(members * columns))

        self.members = members
        self.enter, self.enter_bias = weight(inputs, HIDDEN), bias(HIDDEN)
        self.mix, self.mix_bias = weight(HIDDEN, HIDDEN), bias(HIDDEN)
        self.leave = nn.Parameter(torch.zeros(members, HIDDEN, outputs))
        self.leave_bias = bias(outputs)

    def forward(self, inputs: Tensor, keep: Optional[Callable[[Tensor], Tensor]] = None) -> Tensor:
        """Return the corrections of each member; ``keep`` drops some of the channels."""
        layers = (
            (self.enter, self.enter_bias),
            (self.mix, self.mix_bias),
            (self.leave, self.leave_bias),
        )
        hidden = inputs
        for number, (weight, bias) in enumerate(layers):
            if number:
                hidden = functional.gelu(hidden)
                hidden = hidden if keep is None else keep(hidden)
            hidden = torch.baddbmm(bias.view(self.members, 1, -1), hidden, weight)
        return hidden

    def first_layer(self) -> tuple[FloatArray, FloatArray]:
        """Return weight ``(M S, d)`` and bias ``(M S,)`` of the first layer of all members."""
        weight = self.enter.detach().double().transpose(1, 2).flatten(0, 1)
        return weight.cpu().numpy(), self.enter_bias.detach().double().cpu().numpy()

    @torch.no_grad()
    def write(self, mix: nn.Conv2d, answer: Convolution) -> None:
        """Write the other layers into those of a head, whose output is the members' mean."""
        mix.weight.copy_(self.mix.transpose(1, 2).flatten(0, 1)[:, :, None, None])
        if mix.bias is not None:
            mix.bias.copy_(self.mix_bias)
        mean = self.leave.permute(2, 0, 1).flatten(1) / self.members
        answer.weight.copy_(mean[:, :, None, None])
        answer.bias.copy_(self.leave_bias.view(self.members, -1).mean(0))


@dataclass(frozen=True, eq=False)
class EnsembleOptions:
    """How ensembles are trained.

    Attributes:
        augment: changes spectra.
        rate: learning rate; None for the usual one.
        seed: of weights and draws.
        device: ``cpu`` or ``cuda``.
    """

    augment: Augment
    rate: Optional[float]
    seed: int
    device: str


class EnsembleTraining:
    """Trains an ensemble on pixels, epoch by epoch.

    Args:
        inputs: of all pixels.
        chosen: the hyperparameters of the linear models.
        rows: for each member the pixels that it is trained on.
        linear: for each member the linear model that it corrects.
    """

    def __init__(
        self,
        inputs: HeadInputs,
        chosen: Hyperparameters,
        rows: Sequence[Ints],
        linear: Sequence[LinearHead],
        options: EnsembleOptions,
    ) -> None:
        self.task, self.chosen, self.values = inputs.task, chosen, inputs.values
        self.rows, self.augment, self.seed = list(rows), options.augment, options.seed
        self.device = torch.device(options.device)
        self._views = 1 if inputs.tokens is None else inputs.tokens.shape[1]
        self._scales = self._tensor(inputs.scales(chosen))
        self._parts = [self._tensor(part) for part in inputs.parts(chosen)]
        self._values = torch.from_numpy(inputs.values).to(self.device)
        if self._values.is_floating_point():
            self._values = self._values.float()
        self._soft = inputs.soft
        self._logits = None if inputs.soft is None else self._tensor(inputs.soft.logits)
        weights = np.zeros((len(rows), len(inputs.values)), np.float32)
        for member, index in enumerate(rows):
            weights[member, index] = self.task.weights(inputs.values[index], chosen.balance)
        self._weights = self._tensor(weights)
        self._linear = (
            self._tensor(np.stack([model.weight for model in linear])),
            self._tensor(np.stack([model.bias for model in linear])),
        )
        generator = torch.Generator().manual_seed(self.seed)
        width = sum(part.shape[-1] for part in self._parts)
        ensemble = MlpEnsemble(len(rows), width, self.task.outputs, generator)
        self.ensemble = ensemble.to(self.device)
        self._optimiser = make_optimiser(ensemble.parameters(), options.rate or _RATE, _DECAY)
        self._epoch = 0
        # A generator for dropout alone: torch's own one stays untouched.
        self._dropout = torch.Generator(self.device).manual_seed(self.seed)

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)

    def epoch(self, report: Reporter) -> float:
        """Train each member on its pixels once, or on 32 batches of them; return the loss.

        Raises:
            HyperKDError: ``cancelled``.
        """
        draws = np.random.default_rng((self.seed, 0xC0, self._epoch))
        most = max(len(index) for index in self.rows)
        batch = min(_BATCH, most)
        steps = min(_STEPS, max(1, round(most / batch)))
        index = np.stack([_draw(rows, steps * batch, draws) for rows in self.rows])
        total = 0.0
        for step in range(steps):
            report.check_cancelled()
            total += self._step(index[:, step * batch : (step + 1) * batch], draws)
        self._epoch += 1
        return total / steps

    def _step(self, index: Ints, draws: np.random.Generator) -> float:
        rows = torch.from_numpy(index).to(self.device)
        view = torch.from_numpy(draws.integers(self._views, size=index.shape)).to(self.device)
        inputs = self._inputs(rows, view, draws)
        outputs = self._linear_outputs(inputs) + self.ensemble(inputs, self._drop)
        loss = self.task.loss(outputs, self._values[rows])
        if self._soft is not None and self._logits is not None:
            loss = distilled(loss, outputs, self._logits[rows], self._soft.weight)
        weights = torch.gather(self._weights, 1, rows)
        mean = (loss * weights).mean()
        self._optimiser.zero_grad(set_to_none=True)
        # Members share no parameters: each gets the gradient of its own mean.
        (mean * len(self.rows)).backward()
        self._optimiser.step()
        return float(mean.detach())

    def _drop(self, hidden: Tensor) -> Tensor:
        drawn = torch.rand(hidden.shape, generator=self._dropout, device=hidden.device)
        return hidden * (drawn >= DROPOUT) / (1 - DROPOUT)

    def _inputs(self, rows: Tensor, view: Tensor, draws: Optional[np.random.Generator]) -> Tensor:
        spectral = 2 if self.chosen.neighbours else 1
        parts = [part[rows] for part in self._parts[:spectral]]
        if draws is not None:
            parts = self.augment.components(parts, self._scales, draws)
        if self.chosen.physics:
            parts.append(self._parts[spectral][rows])
        if self.chosen.tokens:
            parts.append(self._parts[-1][rows, view])
        return torch.cat(parts, -1)

    def _linear_outputs(self, inputs: Tensor) -> Tensor:
        weight, bias = self._linear
        return torch.baddbmm(bias[:, None], inputs, weight.transpose(1, 2))

    @torch.no_grad()
    def outputs(self) -> Float32Array:
        """Return the outputs of each member at all pixels as they are, ``(M, n, K)``."""
        every = np.tile(np.arange(len(self.values)), (len(self.rows), 1))
        rows = torch.from_numpy(every).to(self.device)
        inputs = self._inputs(rows, torch.zeros_like(rows), None)
        found: Float32Array = (self._linear_outputs(inputs) + self.ensemble(inputs)).cpu().numpy()
        return found


def train_ensemble(
    inputs: HeadInputs,
    chosen: Hyperparameters,
    linear: LinearHead,
    members: int,
    epochs: int,
    options: EnsembleOptions,
    report: Reporter,
) -> MlpEnsemble:
    """Train an ensemble on all pixels; without an epoch it adds nothing yet.

    Raises:
        HyperKDError: ``cancelled``.
    """
    rows = np.arange(len(inputs.values))
    training = EnsembleTraining(inputs, chosen, [rows] * members, [linear] * members, options)
    for epoch in range(epochs):
        training.epoch(report)
        report.progress(epoch + 1, epochs, "epochs")
    return training.ensemble


class CrossValidation:
    """Trains one member per fold, which never sees that fold, and finds the best epoch.

    Attributes:
        best: the epoch of the smallest loss; 0 where the ensemble improves nothing.
        scores, temperature: over the folds at the best epoch.
        history: one row for each epoch.
        stopped: whether the user ended the training.

    Args:
        inputs: of all pixels.
        linear: the linear models of the folds, which the members correct.
        fold: ``(n,)`` from 0.
        epochs: at most.
        report: progress and metrics; may stop or cancel the training.
        after_epoch: gets the ensemble after each epoch.

    Raises:
        HyperKDError: ``cancelled``.
    """

    def __init__(
        self,
        inputs: HeadInputs,
        linear: LinearSearch,
        fold: Ints,
        epochs: int,
        options: EnsembleOptions,
        report: Reporter,
        after_epoch: Callable[[MlpEnsemble], None],
    ) -> None:
        rows = [np.flatnonzero(fold != held) for held in range(len(linear.models))]
        chosen = linear.hyperparameters
        self._training = EnsembleTraining(inputs, chosen, rows, linear.models, options)
        self._fold, self._scored = fold, linear.scored
        self.history: list[Mapping[str, float]] = []
        self.best, self.stopped = 0, False
        self.scores, self.temperature = self._held_out()
        while len(self.history) < epochs and len(self.history) - self.best < _PATIENCE:
            self.stopped = report.stop_requested()
            if self.stopped:
                break
            row = self._epoch(report)
            report.metric(len(self.history), row)
            report.progress(len(self.history), epochs, "epochs")
            after_epoch(self._training.ensemble)

    def _epoch(self, report: Reporter) -> Mapping[str, float]:
        loss = self._training.epoch(report)
        scores, temperature = self._held_out()
        row = {"loss": loss, **{f"validation_{name}": value for name, value in scores.items()}}
        epoch = len(self.history) + 1
        self.history.append({"epoch": float(epoch), **row})
        if scores["loss"] < self.scores["loss"]:
            self.best, self.scores, self.temperature = epoch, scores, temperature
        return row

    def _held_out(self) -> Scores:
        """Score the outputs of the member that was not trained on each pixel."""
        training, scored = self._training, self._scored
        outputs = training.outputs()[self._fold, np.arange(len(self._fold))]
        return training.task.scores(outputs[scored], training.values[scored])


def _draw(rows: Ints, count: int, draws: np.random.Generator) -> Ints:
    """Return ``count`` of the rows, each as often as any other, in random order."""
    times = -(-count // len(rows))
    return np.concatenate([draws.permutation(rows) for _ in range(times)])[:count]
