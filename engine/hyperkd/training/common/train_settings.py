"""Settings of a training, and the state that its next step depends on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional, Protocol

import torch
from torch import Tensor, nn

from hyperkd.models.nets.student import Student
from hyperkd.training.common.optimiser import Average
from hyperkd.training.pretrain.gradient_balance import Balance
from hyperkd.training.pretrain.objective import Objective


@dataclass(frozen=True)
class Settings:
    """Settings of the training loop.

    Attributes:
        chunk: tiles computed at once; their gradients add up to the batch's. On a CPU a
            chunk that fits the cache is twice as fast as 32 tiles, on a GPU take the whole batch.
        learning_rate: its peak, after the warm-up; it then falls to zero as a cosine.
        seed: of the samples and masks.
        average: decay of averaged weights, which then are the result; 0: none.
        patience: validations without a smaller error after which training ends, and the
            weights of the best one are the result; 0: it never ends early.
        hours: end this run after so long, with the best student; 0: there is no limit.
        warmup: fraction of the steps in which the learning rate rises.
        weight_decay: of AdamW, on matrices alone.
        clip: largest norm of the gradient.
        bfloat16: multiply matrices in bfloat16; weights, loss and optimiser stay float32.
        validate_every: steps between two validations; 0: none.
        save_every: steps between two saved states; 0: none.
        report_every: steps between two reported metrics.
        ahead: read the next batch while this one is computed.
    """

    steps: int
    batch: int
    chunk: int
    learning_rate: float
    seed: int
    average: float
    patience: int
    hours: float
    warmup: float = 0.05
    weight_decay: float = 0.05
    clip: float = 1.0
    bfloat16: bool = False
    validate_every: int = 0
    save_every: int = 0
    report_every: int = 20
    ahead: bool = False


class Validator(Protocol):
    """Measures a student."""

    def __call__(self, student: Student, step: int) -> Mapping[str, float]:
        """Return metrics; the training minimises ``validation_loss`` among them."""


class Keeper(Protocol):
    """Stores the state of a training, so that it can be resumed."""

    def save(self, progress: Progress) -> None:
        """Store everything that the next step depends on."""

    def restore(self, progress: Progress) -> None:
        """Restore what ``save`` stored last, if there is anything."""


@dataclass(eq=False)
class Progress:
    """Everything that the next step depends on.

    Attributes:
        student, objective, optimiser: trained in place.
        balance: the weights of the loss's parts.
        average: averaged weights, or None.
        best: the student's tensors at its best validation, or None before the first.
        best_loss, waited: that validation's loss, and how many followed without a smaller one.
        step: finished steps.
        history: reported metrics, each with its ``step``.
        recent: losses of the steps since the last report.
    """

    student: Student
    objective: Objective
    optimiser: torch.optim.AdamW
    balance: Balance
    average: Optional[Average]
    best: Optional[dict[str, Tensor]] = None
    best_loss: float = math.inf
    waited: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    recent: list[dict[str, float]] = field(default_factory=list)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that is trained, in a fixed order."""
        return [*self.student.parameters(), *self.objective.parameters()]

    def result(self) -> dict[str, Tensor]:
        """Return the tensors of the student as it stands: the averaged ones where there are."""
        return dict(self.student.state_dict() if self.average is None else self.average.tensors)

    def outcome(self, settings: Settings) -> dict[str, Tensor]:
        """Return the tensors of the student that the training gives if it ends here."""
        wanted = self.best if gives_best(settings, self.step) else None
        return self.result() if wanted is None else wanted


def gives_best(settings: Settings, step: int) -> bool:
    """Return whether a training that ends after ``step`` gives the student validated as best.

    The end of a whole schedule is what it was planned for; one cut short ends anywhere.
    """
    return step < settings.steps or settings.patience > 0
