"""A committee of small perceptrons that corrects a linear model, trained on kept features.

All members are trained at once, as batched matrix products. What becomes of them is part
of a ``DenseHead``, as ``members`` of its residual path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hyperkd.models.nets.encoder import Convolution
from hyperkd.training.common.augment import Augment
from hyperkd.training.common.optimiser import make_optimiser
from hyperkd.training.finetune.head.hyperparameter_search import Plan, Sights
from hyperkd.training.finetune.head.tasks import Goal, Linear, softened
from hyperkd.training.finetune.labelled_pixels import Float32Array, Ints
from hyperkd.types import FloatArray, Reporter


@dataclass(frozen=True)
class CommitteeSettings:
    """How to train a committee.

    Attributes:
        hidden: channels of each member.
        dropout: share of them that a step leaves out.
        learning_rate: of AdamW, constant.
        weight_decay: likewise, of matrices.
        batch: pixels of a step for each member.
        steps: of an epoch at most.
        seed: of weights and draws.
    """

    hidden: int = 32
    dropout: float = 0.3
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch: int = 256
    steps: int = 32
    seed: int = 0


class Committee(nn.Module):
    """M members; inputs ``(M, n, d)`` to corrections ``(M, n, K)``, which start at 0."""

    def __init__(
        self, members: int, inputs: int, hidden: int, outputs: int, generator: torch.Generator
    ) -> None:
        super().__init__()

        def weight(rows: int, columns: int) -> nn.Parameter:
            drawn = torch.randn(members, rows, columns, generator=generator)
            return nn.Parameter(drawn / rows**0.5)

        def bias(columns: int) -> nn.Parameter:
            # Two dimensions less than a matrix, so that it is not decayed.
            return nn.Parameter(torch.zeros(members * columns))

        self.members, self.hidden, self.outputs = members, hidden, outputs
        self.enter, self.enter_bias = weight(inputs, hidden), bias(hidden)
        self.mix, self.mix_bias = weight(hidden, hidden), bias(hidden)
        self.leave = nn.Parameter(torch.zeros(members, hidden, outputs))
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

    def entrance(self) -> tuple[FloatArray, FloatArray]:
        """Return weight ``(M S, d)`` and bias ``(M S,)`` of the first layers of all members."""
        weight = self.enter.detach().double().transpose(1, 2).flatten(0, 1)
        return weight.cpu().numpy(), self.enter_bias.detach().double().cpu().numpy()

    @torch.no_grad()
    def write(self, mix: nn.Conv2d, answer: Convolution) -> None:
        """Write the other layers into those of a head; the members' mean is its answer."""
        mix.weight.copy_(self.mix.transpose(1, 2).flatten(0, 1)[:, :, None, None])
        if mix.bias is not None:
            mix.bias.copy_(self.mix_bias)
        mean = self.leave.permute(2, 0, 1).flatten(1) / self.members
        answer.weight.copy_(mean[:, :, None, None])
        answer.bias.copy_(self.leave_bias.view(self.members, -1).mean(0))


class Training:
    """Trains a committee on pixels, epoch by epoch.

    Args:
        sights: of all pixels.
        values: theirs.
        rows: of each member the pixels that it learns from.
        linear: of each member the linear model that it corrects.
        goal, plan: the task, and what the linear model looks at.
        settings: how.
        augment: what happens to spectra in training, or None.
        soft: ``(n, K)`` answers of another model to come near to, NaN rows without; or None.
        softness: share of the loss that they have.
        device: where to compute.
    """

    def __init__(
        self,
        sights: Sights,
        values: NDArray[Any],
        rows: Sequence[Ints],
        linear: Sequence[Linear],
        goal: Goal,
        plan: Plan,
        settings: CommitteeSettings,
        augment: Optional[Augment] = None,
        soft: Optional[Float32Array] = None,
        softness: float = 0.0,
        device: str = "cpu",
    ) -> None:
        self.goal, self.plan, self.settings = goal, plan, settings
        self.rows, self.augment, self.softness = list(rows), augment, softness
        self.device = torch.device(device)
        self._views = 1 if sights.tokens is None else sights.tokens.shape[1]
        self._scales = self._tensor(sights.scales(plan))
        self._parts = [self._tensor(part) for part in sights.parts(plan)]
        self._values = torch.from_numpy(values).to(self.device)
        if self._values.is_floating_point():
            self._values = self._values.float()
        self._soft = None if soft is None else self._tensor(soft)
        weights = np.zeros((len(rows), len(values)), np.float32)
        for member, index in enumerate(rows):
            weights[member, index] = goal.weights(values[index], plan.balance)
        self._weights = self._tensor(weights)
        self._linear = (
            self._tensor(np.stack([model.weight for model in linear])),
            self._tensor(np.stack([model.bias for model in linear])),
        )
        generator = torch.Generator().manual_seed(settings.seed)
        width = sum(part.shape[-1] for part in self._parts)
        committee = Committee(len(rows), width, settings.hidden, goal.outputs, generator)
        self.committee = committee.to(self.device)
        self._optimiser = make_optimiser(
            committee.parameters(), settings.learning_rate, settings.weight_decay
        )
        self._epoch = 0
        # Of dropout alone: nobody else's random numbers are touched.
        self._chance = torch.Generator(self.device).manual_seed(settings.seed)

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)

    def epoch(self, report: Reporter) -> float:
        """Show each member its pixels once, or ``steps`` batches of them; return the loss."""
        settings = self.settings
        draws = np.random.default_rng((settings.seed, 0xC0, self._epoch))
        most = max(len(index) for index in self.rows)
        batch = min(settings.batch, most)
        steps = min(settings.steps, max(1, round(most / batch)))
        index = np.stack([_draw(rows, steps * batch, draws) for rows in self.rows])
        total = 0.0
        for step in range(steps):
            report.check_cancelled()
            total += self._step(index[:, step * batch : (step + 1) * batch], draws)
        self._epoch += 1
        return total / steps

    def _step(self, index: Ints, draws: np.random.Generator) -> float:
        chosen = torch.from_numpy(index).to(self.device)
        view = torch.from_numpy(draws.integers(self._views, size=index.shape)).to(self.device)
        inputs = self._inputs(chosen, view, draws)
        answers = self._linear_answers(inputs) + self.committee(inputs, self._keep)
        loss = self.goal.loss(answers, self._values[chosen])
        if self._soft is not None:
            loss = softened(loss, answers, self._soft[chosen], self.softness)
        weights = torch.gather(self._weights, 1, chosen)
        mean = (loss * weights).mean()
        self._optimiser.zero_grad(set_to_none=True)
        # Members do not share parameters: each is to see the gradient of its own mean.
        (mean * len(self.rows)).backward()
        self._optimiser.step()
        return float(mean.detach())

    def _keep(self, hidden: Tensor) -> Tensor:
        share = self.settings.dropout
        drawn = torch.rand(hidden.shape, generator=self._chance, device=hidden.device)
        return hidden * (drawn >= share) / (1 - share)

    def _inputs(self, chosen: Tensor, view: Tensor, draws: Optional[np.random.Generator]) -> Tensor:
        parts = [part[chosen] for part in self._parts[: 2 if self.plan.neighbours else 1]]
        if draws is not None and self.augment is not None:
            parts = self.augment.components(parts, self._scales, draws)
        if self.plan.tokens:
            parts.append(self._parts[-1][chosen, view])
        return torch.cat(parts, -1)

    def _linear_answers(self, inputs: Tensor) -> Tensor:
        weight, bias = self._linear
        return torch.baddbmm(bias[:, None], inputs, weight.transpose(1, 2))

    @torch.no_grad()
    def answers(self, index: Ints) -> Float32Array:
        """Return the answers of each member to pixels as they are, ``(M, n, K)``."""
        chosen = torch.from_numpy(np.tile(index, (len(self.rows), 1))).to(self.device)
        inputs = self._inputs(chosen, torch.zeros_like(chosen), None)
        found: Float32Array = (self._linear_answers(inputs) + self.committee(inputs)).cpu().numpy()
        return found

    def state(self) -> dict[str, Tensor]:
        """Return a copy of the members' parameters."""
        return {name: value.clone() for name, value in self.committee.state_dict().items()}


def _draw(rows: Ints, count: int, draws: np.random.Generator) -> Ints:
    """Return ``count`` of the rows, each as often as any other, in random order."""
    times = -(-count // len(rows))
    return np.concatenate([draws.permutation(rows) for _ in range(times)])[:count]
