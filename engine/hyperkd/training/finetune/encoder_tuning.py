"""Training the encoder together with its head: the last blocks, all of it, or adapters."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Final, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hyperkd.errors import HyperKDError
from hyperkd.models.nets.heads import DenseModel
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.training.common.augment import VIEWS, Augment, view_of
from hyperkd.training.common.optimiser import (
    Average,
    learning_rate,
    make_optimiser,
    set_learning_rate,
)
from hyperkd.training.finetune.adapters import add_adapters, merge_adapters
from hyperkd.training.finetune.head.tasks import SoftTargets, Task, distilled
from hyperkd.training.finetune.labelled_pixels import LabelledTile
from hyperkd.training.finetune.soft_targets import TeacherLoss
from hyperkd.training.finetune.training_pixels import TrainingPixels
from hyperkd.types import BoolArray, Float32Array, Reporter

_RATES: Final[Mapping[str, float]] = {"last": 3e-4, "full": 3e-4, "adapters": 1e-3}
_BATCH: Final = 4  # tiles of a step
_DECAY: Final = 0.05
_KEPT: Final = 0.9  # fraction of the averaged weights that a step keeps
_PATIENCE: Final = 8
_WARMUP: Final = 0.1
_CLIP: Final = 1.0


def encoder_mode(request: FinetuneJob) -> str:
    """Return what is trained of an encoder that is not frozen; ``auto`` is ``full``."""
    return "full" if request.tune == "auto" else request.tune


@dataclass(frozen=True, eq=False)
class TunedEncoder:
    """How the training of an encoder went.

    Attributes:
        epochs: after which the weights were taken; 0 where training improved nothing.
        temperature: that calibrates the outputs on the validation part.
        scores: of these weights on the validation part.
        history: one row for each epoch.
        stopped: whether the user ended the training early.
    """

    epochs: int
    temperature: float
    scores: Mapping[str, float]
    history: Sequence[Mapping[str, float]]
    stopped: bool


class EncoderTuning:
    """Trains a model on tiles, encoder and head together.

    Args:
        model: its head already predicts as well as one on a frozen encoder can.
        tiles: with their labelled pixels.
        training: the labelled pixels, and which of them to train on.
        values: ``(n,)`` or ``(n, T)`` of all labelled pixels, targets standardised.
        task: classification or regression.
        balance: exponent of the class weights.
        request: the options; ``tune`` may be ``auto``, which trains everything.
        soft: of an earlier model, or None.
        teacher: the loss to a teacher's features, or None.
        preview: called after each epoch, while the model holds its averaged weights.
    """

    def __init__(
        self,
        model: DenseModel,
        tiles: Sequence[LabelledTile],
        training: TrainingPixels,
        values: NDArray[Any],
        task: Task,
        balance: float,
        request: FinetuneJob,
        augment: Augment,
        soft: Optional[SoftTargets],
        teacher: Optional[TeacherLoss],
        preview: Callable[[], None],
    ) -> None:
        self.model, self.tiles, self.task, self.request = model, list(tiles), task, request
        self.mode = encoder_mode(request)
        self._values, self._is_train, self._augment = values, training.is_train, augment
        self._teacher, self._soft, self._preview = teacher, soft, preview
        self._device = torch.device(request.device)
        self._weights = np.zeros(len(values), np.float32)
        train = self._is_train
        self._weights[train] = task.weights(values[train], balance)
        self._train = [i for i, tile in enumerate(self.tiles) if train[tile.index].any()]
        self._validation = [i for i, tile in enumerate(self.tiles) if not train[tile.index].all()]

    def run(self, report: Reporter) -> TunedEncoder:
        """Train, and leave the best weights in the model.

        Raises:
            HyperKDError: ``bad_training`` where the loss became NaN or infinite;
                ``cancelled``.
        """
        # Dropout draws from torch's own generator: seeded here, and left as it was.
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(self.request.seed)
            return self._run(report)

    def _run(self, report: Reporter) -> TunedEncoder:
        request, model = self.request, self.model.to(self._device)
        trained = self._trained()
        extra = [] if self._teacher is None else list(self._teacher.parameters())
        parameters = [*trained, *model.head.parameters(), *extra]
        peak = request.learning_rate or _RATES[self.mode]
        optimiser = make_optimiser(parameters, peak, _DECAY)
        average = Average(model, _KEPT)
        best, best_scores, best_state = 0, self._scores(report), copy.deepcopy(average.tensors)
        history: list[Mapping[str, float]] = []
        per_epoch = -(-len(self._train) // _BATCH)
        stopped = False
        for epoch in range(request.epochs):
            stopped = report.stop_requested()
            if stopped or epoch - best >= _PATIENCE:
                break
            draws = np.random.default_rng((request.seed, 0x7E, epoch))
            model.train()
            losses = []
            for number, index in enumerate(self._batches(draws)):
                report.check_cancelled()
                step = epoch * per_epoch + number
                rate = learning_rate(step, request.epochs * per_epoch, peak, _WARMUP)
                set_learning_rate(optimiser, rate)
                losses.append(self._step(index, draws, optimiser, parameters))
                average.update(model)
            scores = self._averaged_scores(average, report)
            validation = {f"validation_{name}": value for name, value in scores.items()}
            row = {"loss": float(np.mean(losses)), **validation}
            history.append({"epoch": float(epoch + 1), **row})
            report.metric(epoch + 1, row)
            report.progress(epoch + 1, request.epochs, "epochs")
            if scores["loss"] < best_scores["loss"]:
                best, best_scores = epoch + 1, scores
                best_state = copy.deepcopy(average.tensors)
        model.load_state_dict(best_state)
        merge_adapters(model.student)
        _, temperature = self.task.scores(*self._outputs(report))
        model.to("cpu").eval().requires_grad_(True)
        return TunedEncoder(best, temperature, best_scores, history, stopped)

    def _trained(self) -> list[nn.Parameter]:
        """Return the encoder's parameters that are trained; the others are frozen."""
        encoder, request = self.model.student, self.request
        encoder.requires_grad_(self.mode == "full")
        if self.mode == "adapters":
            return add_adapters(encoder, request.rank, request.seed)
        if self.mode == "last":
            for part in (*encoder.blocks[-request.last :], encoder.norm):
                part.requires_grad_(True)
        return [parameter for parameter in encoder.parameters() if parameter.requires_grad]

    def _batches(self, draws: np.random.Generator) -> Iterator[list[int]]:
        order = [self._train[i] for i in draws.permutation(len(self._train))]
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
        outputs = self.model.from_tokens(tokens, reflectance, valid)
        outputs, rows = self._at_labels(outputs, index, views, self._is_train)
        values = torch.from_numpy(self._values[rows]).to(self._device)
        values = values.float() if values.is_floating_point() else values
        weights = torch.from_numpy(self._weights[rows]).to(self._device)
        each = self.task.loss(outputs, values)
        if self._soft is not None:
            logits = torch.from_numpy(self._soft.logits[rows]).to(self._device)
            each = distilled(each, outputs, logits, self._soft.weight)
        loss = (each * weights).sum() / weights.sum()
        if self._teacher is not None:
            distance = self._teacher.loss(index, views, tokens)
            loss = loss + self.request.teacher_weight * distance
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
        self, outputs: Tensor, index: Sequence[int], views: Sequence[int], wanted: BoolArray
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """Return outputs ``(k, K)`` at wanted labelled pixels, and which pixels these are."""
        found, rows = [], []
        places = np.arange(outputs.shape[2] * outputs.shape[3]).reshape(outputs.shape[2:])
        for output, number, view in zip(outputs, index, views):
            tile = self.tiles[number]
            here = wanted[tile.index]
            # Where in the turned tile does each pixel of the tile lie?
            turned = np.empty(places.size, np.int64)
            turned[view_of(places, view).ravel()] = np.arange(places.size)
            at = turned.reshape(places.shape)[tile.row[here], tile.col[here]]
            found.append(output.flatten(1)[:, torch.from_numpy(at).to(output.device)].T)
            rows.append(tile.index[here])
        return torch.cat(found), np.concatenate(rows)

    def _averaged_scores(self, average: Average, report: Reporter) -> Mapping[str, float]:
        now = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(average.tensors)
        scores = self._scores(report)
        self._preview()
        self.model.load_state_dict(now)
        return scores

    def _scores(self, report: Reporter) -> Mapping[str, float]:
        return self.task.scores(*self._outputs(report))[0]

    @torch.no_grad()
    def _outputs(self, report: Reporter) -> tuple[Float32Array, NDArray[Any]]:
        """Return standardised outputs ``(k, K)`` at the validation pixels, and their values."""
        self.model.eval()
        student = self.model.student
        found, rows = [], []
        for index in self._validation:
            report.check_cancelled()
            pixels, valid = self._tensors([index], [0])
            reflectance = pixels * student.std[:, None, None] + student.mean[:, None, None]
            outputs = self.model(reflectance, valid)
            output, here = self._at_labels(outputs, [index], [0], ~self._is_train)
            found.append(output.cpu().numpy())
            rows.append(here)
        return np.concatenate(found), self._values[np.concatenate(rows)]
