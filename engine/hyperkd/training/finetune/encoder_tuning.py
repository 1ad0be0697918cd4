"""Training the encoder together with its head: the last blocks, all of it, or adapters."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Final, Optional, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hyperkd.errors import HyperKDError
from hyperkd.models.nets.heads import DenseModel
from hyperkd.training.common.augment import VIEWS, Augment, view_of
from hyperkd.training.common.optimiser import (
    Average,
    learning_rate,
    make_optimiser,
    set_learning_rate,
)
from hyperkd.training.finetune.adapters import add_adapters, merge_adapters
from hyperkd.training.finetune.head.tasks import Goal, softened
from hyperkd.training.finetune.labelled_pixels import Float32Array, LabelledTile
from hyperkd.types import BoolArray, Reporter

MODES: Final = ("last", "full", "adapters")
RATES: Final[Mapping[str, float]] = {"last": 3e-4, "full": 3e-4, "adapters": 1e-3}
_BATCH: Final = 4  # tiles of a step
_DECAY: Final = 0.05
_KEPT: Final = 0.9  # share of the averaged weights that a step keeps
_PATIENCE: Final = 8
_WARMUP: Final = 0.1
_CLIP: Final = 1.0


@dataclass(frozen=True)
class TuningSettings:
    """How to train an encoder.

    Attributes:
        mode: one of ``MODES``.
        epochs: passes over the tiles at most.
        learning_rate: its peak.
        last: blocks from the end that are trained, in the mode ``last``.
        rank: of the adapters.
        seed: of the order and the changes of tiles.
    """

    mode: str
    epochs: int = 30
    learning_rate: Optional[float] = None
    last: int = 2
    rank: int = 8
    seed: int = 0


class Guide(Protocol):
    """A further loss, for instance of a teacher's features."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return what is trained with it."""

    def loss(self, tile: Sequence[int], views: Sequence[int], tokens: Tensor) -> Tensor:
        """Return the loss of the tokens ``(B, D, h, w)`` of tiles in their views."""


@dataclass(frozen=True, eq=False)
class Tuned:
    """What came of it.

    Attributes:
        epochs: after which the weights were taken; 0 where training made nothing better.
        scores: of these weights on the validation part.
        history: one row for each epoch.
        stopped: whether the user ended the training early.
    """

    epochs: int
    scores: Mapping[str, float]
    history: Sequence[Mapping[str, float]]
    stopped: bool


class Tuning:
    """Trains a model on tiles, and knows how good it is on the validation part.

    Args:
        model: its head already answers as well as one on a frozen encoder can.
        tiles: with their labelled pixels.
        values: ``(n,)`` or ``(n, T)`` of all labelled pixels, targets standardised.
        teach: ``(n,)`` the pixels to learn from; the others tell when to stop.
        goal: the task.
        balance: exponent of the class weights.
        settings: how.
        augment: what happens to tiles.
        device: where.
        guide: a further loss, or None.
        guided: its weight.
        soft, softness: another model's answers ``(n, K)``, and their share of the loss.
        look: is called after each epoch, while the model holds its averaged weights.
    """

    def __init__(
        self,
        model: DenseModel,
        tiles: Sequence[LabelledTile],
        values: NDArray[Any],
        teach: BoolArray,
        goal: Goal,
        balance: float,
        settings: TuningSettings,
        augment: Augment,
        device: str = "cpu",
        guide: Optional[Guide] = None,
        guided: float = 0.0,
        soft: Optional[Float32Array] = None,
        softness: float = 0.0,
        look: Optional[Callable[[], None]] = None,
    ) -> None:
        self.model, self.tiles, self.goal, self.settings = model, list(tiles), goal, settings
        self._values, self._teach, self._augment = values, teach, augment
        self._guide, self._guided = guide, guided
        self._soft, self._softness, self._look = soft, softness, look
        self._device = torch.device(device)
        self._weights = np.zeros(len(values), np.float32)
        self._weights[teach] = goal.weights(values[teach], balance)
        self._teaching = [i for i, tile in enumerate(self.tiles) if teach[tile.index].any()]
        self._held_out = [i for i, tile in enumerate(self.tiles) if not teach[tile.index].all()]

    def run(self, report: Reporter) -> Tuned:
        """Train, and leave the best weights in the model.

        Raises:
            HyperKDError: ``bad_training`` where the loss is no number any more,
                ``cancelled``.
        """
        # Dropout draws from torch's own generator: seeded here, and left as it was.
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(self.settings.seed)
            return self._run(report)

    def _run(self, report: Reporter) -> Tuned:
        settings, model = self.settings, self.model.to(self._device)
        chosen = self._trained()
        extra = [] if self._guide is None else list(self._guide.parameters())
        parameters = [*chosen, *model.head.parameters(), *extra]
        peak = settings.learning_rate or RATES[settings.mode]
        optimiser = make_optimiser(parameters, peak, _DECAY)
        average = Average(model, _KEPT)
        best, best_scores, best_state = 0, self._scores(report), copy.deepcopy(average.tensors)
        history: list[Mapping[str, float]] = []
        per_epoch = -(-len(self._teaching) // _BATCH)
        stopped = False
        for epoch in range(settings.epochs):
            stopped = report.stop_requested()
            if stopped or epoch - best >= _PATIENCE:
                break
            draws = np.random.default_rng((settings.seed, 0x7E, epoch))
            model.train()
            losses = []
            for number, index in enumerate(self._batches(draws)):
                report.check_cancelled()
                step = epoch * per_epoch + number
                rate = learning_rate(step, settings.epochs * per_epoch, peak, _WARMUP)
                set_learning_rate(optimiser, rate)
                losses.append(self._step(index, draws, optimiser, parameters))
                average.update(model)
            scores = self._averaged_scores(average, report)
            row = {"loss": float(np.mean(losses)), **_validation(scores)}
            history.append({"epoch": float(epoch + 1), **row})
            report.metric(epoch + 1, row)
            report.progress(epoch + 1, settings.epochs, "epochs")
            if scores["loss"] < best_scores["loss"]:
                best, best_scores = epoch + 1, scores
                best_state = copy.deepcopy(average.tensors)
        model.load_state_dict(best_state)
        merge_adapters(model.student)
        model.to("cpu").eval().requires_grad_(True)
        return Tuned(best, best_scores, history, stopped)

    def _trained(self) -> list[nn.Parameter]:
        """Return the encoder's parameters that are trained; the others are frozen."""
        encoder, settings = self.model.student, self.settings
        encoder.requires_grad_(settings.mode == "full")
        if settings.mode == "adapters":
            return add_adapters(encoder, settings.rank, settings.seed)
        if settings.mode == "last":
            for part in (*encoder.blocks[-settings.last :], encoder.norm):
                part.requires_grad_(True)
        return [parameter for parameter in encoder.parameters() if parameter.requires_grad]

    def _batches(self, draws: np.random.Generator) -> Iterator[list[int]]:
        order = [self._teaching[i] for i in draws.permutation(len(self._teaching))]
        for first in range(0, len(order), _BATCH):
            yield order[first : first + _BATCH]

    def _step(
        self,
        index: Sequence[int],
        draws: np.random.Generator,
        optimiser: torch.optim.Optimizer,
        parameters: Sequence[nn.Parameter],
    ) -> float:
        views = [int(view) for view in draws.integers(VIEWS, size=len(index))]
        pixels, valid = self._tensors(index, views)
        student = self.model.student
        pixels = self._augment.tiles(pixels, student.mean, student.std, draws)
        reflectance = pixels * student.std[:, None, None] + student.mean[:, None, None]
        tokens = self.model.encode(reflectance, valid)
        answers = self.model.from_tokens(tokens, reflectance, valid)
        chosen, rows = self._at_labels(answers, index, views, self._teach)
        values = torch.from_numpy(self._values[rows]).to(self._device)
        values = values.float() if values.is_floating_point() else values
        weights = torch.from_numpy(self._weights[rows]).to(self._device)
        each = self.goal.loss(chosen, values)
        if self._soft is not None:
            soft = torch.from_numpy(self._soft[rows]).to(self._device)
            each = softened(each, chosen, soft, self._softness)
        loss = (each * weights).sum() / weights.sum()
        if self._guide is not None:
            loss = loss + self._guided * self._guide.loss(index, views, tokens)
        if not bool(loss.isfinite()):
            raise HyperKDError(
                "bad_training",
                f"The loss became {float(loss.detach())}.",
                "Train with a smaller learning rate.",
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, _CLIP)
        optimiser.step()
        return float(loss.detach())

    def _tensors(self, index: Sequence[int], views: Sequence[int]) -> tuple[Tensor, Tensor]:
        pixels = [view_of(self.tiles[i].pixels, view) for i, view in zip(index, views)]
        valid = [view_of(self.tiles[i].valid, view)[None] for i, view in zip(index, views)]
        return (
            torch.from_numpy(np.stack(pixels)).to(self._device),
            torch.from_numpy(np.stack(valid).astype(np.float32)).to(self._device),
        )

    def _at_labels(
        self, answers: Tensor, index: Sequence[int], views: Sequence[int], wanted: BoolArray
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """Return the answers ``(k, K)`` at wanted labelled pixels, and which these are."""
        found, rows = [], []
        places = np.arange(answers.shape[2] * answers.shape[3]).reshape(answers.shape[2:])
        for answer, number, view in zip(answers, index, views):
            tile = self.tiles[number]
            here = wanted[tile.index]
            # Where in the turned tile does each pixel of the tile lie?
            turned = np.empty(places.size, np.int64)
            turned[view_of(places, view).ravel()] = np.arange(places.size)
            at = turned.reshape(places.shape)[tile.row[here], tile.col[here]]
            found.append(answer.flatten(1)[:, torch.from_numpy(at).to(answer.device)].T)
            rows.append(tile.index[here])
        return torch.cat(found), np.concatenate(rows)

    def _averaged_scores(self, average: Average, report: Reporter) -> Mapping[str, float]:
        now = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(average.tensors)
        scores = self._scores(report)
        if self._look is not None:
            self._look()
        self.model.load_state_dict(now)
        return scores

    @torch.no_grad()
    def _scores(self, report: Reporter) -> Mapping[str, float]:
        answers, rows = self.answers(self._held_out, ~self._teach, report)
        return self.goal.judge(answers, self._values[rows])

    @torch.no_grad()
    def answers(
        self, tiles: Sequence[int], wanted: BoolArray, report: Reporter
    ) -> tuple[Float32Array, NDArray[np.int64]]:
        """Return standardised answers at the wanted pixels of tiles, and which these are."""
        self.model.eval()
        found, rows = [], []
        for index in tiles:
            report.check_cancelled()
            pixels, valid = self._tensors([index], [0])
            student = self.model.student
            reflectance = pixels * student.std[:, None, None] + student.mean[:, None, None]
            answer, here = self._at_labels(self.model(reflectance, valid), [index], [0], wanted)
            found.append(answer.cpu().numpy())
            rows.append(here)
        return np.concatenate(found), np.concatenate(rows)

    def held_out(self, report: Reporter) -> tuple[Float32Array, NDArray[np.int64]]:
        """Return the answers at the validation pixels, and which pixels these are."""
        return self.answers(self._held_out, ~self._teach, report)


def _validation(scores: Mapping[str, float]) -> dict[str, float]:
    return {f"validation_{name}": value for name, value in scores.items()}
