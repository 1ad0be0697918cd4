"""The training loop: masked-autoencoder training of a student, distilled or not.

Plain torch instead of a trainer's framework: the loop is short, everything that
happens in a step stands in one function, and a run repeats to the last bit because
nothing is hidden in callbacks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, Final, Optional

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from hyperkd.errors import HyperKDError
from hyperkd.models.nets.student import Student
from hyperkd.sentences import some
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.training.common.batches import Batches
from hyperkd.training.common.crops import CropSampler
from hyperkd.training.common.masked_batch import Masked as Masked
from hyperkd.training.common.masked_batch import Tiles
from hyperkd.training.common.masked_batch import draw as draw
from hyperkd.training.common.optimiser import (
    Average,
    learning_rate,
    make_optimiser,
    set_learning_rate,
)
from hyperkd.training.common.parallel import Group
from hyperkd.training.common.train_settings import Keeper, Progress, Settings, Validator
from hyperkd.training.pretrain.gradient_balance import Balance, part_gradients, weighted_sum
from hyperkd.training.pretrain.objective import MAIN, Draws, Objective, Recipe
from hyperkd.training.pretrain.token_distillation import FrozenTeacher
from hyperkd.types import Reporter, Wavelengths

_NAMED_CROPS: Final = 3  # of a batch that went wrong


def train(
    student: Student,
    sampler: CropSampler,
    settings: Settings,
    report: Reporter,
    recipe: Recipe,
    teacher: Optional[FrozenTeacher],
    *,
    bands: Optional[Wavelengths] = None,
    validate: Optional[Validator] = None,
    keeper: Optional[Keeper] = None,
    group: Group = Group(),  # noqa: B008 - frozen
    prepare: Optional[Callable[[Objective], None]] = None,
    after_step: Optional[Callable[[int], None]] = None,
) -> list[dict[str, float]]:
    """Train a student in place, where it lies; a seed and a number of threads give one student.

    Args:
        student, sampler, settings: what to train, on which tiles, and how.
        report: receives losses, learning rate, samples per second and seconds left.
        teacher: required where the recipe distils.
        bands: the student's; default: the canonical grid.
        validate: called every ``validate_every`` steps and at the end.
        keeper: called every ``save_every`` steps, and at the end also of a cancelled run.
        group: the processes that train together; each calls this function.
        prepare: called with the objective before the first step.
        after_step: called with the number of finished steps.

    Returns:
        The reported metrics, each with its ``step``.

    Raises:
        HyperKDError: ``bad_training`` where the loss becomes NaN or infinite, ``cancelled``.
    """
    progress = _begin(student, sampler.tile_px, settings, recipe, teacher, bands)
    if prepare is not None:
        prepare(progress.objective)
    if keeper is not None:
        keeper.restore(progress)
    run = _Run(progress, sampler, settings, report, group, validate)
    student.train()
    with _saved(progress, keeper):
        batches = Batches(sampler, student, settings, group)
        with batches, _attention(student.mean.device, settings.bfloat16):
            for step in range(progress.step, settings.steps):
                losses = run.step(step, batches)
                asked = group.any(report.stop_requested() or run.late())
                run.report_step(losses, last=asked or progress.step == settings.steps)
                if keeper and _every(settings.save_every, progress.step):
                    keeper.save(progress)
                if after_step is not None:
                    after_step(progress.step)
                if reason := _early_end(progress, settings, asked):
                    report.log("info", reason)
                    break
    student.load_state_dict(progress.outcome(settings))
    student.eval()
    return progress.history


def _begin(
    student: Student,
    tile_px: int,
    settings: Settings,
    recipe: Recipe,
    teacher: Optional[FrozenTeacher],
    bands: Optional[Wavelengths],
) -> Progress:
    """Return the state of a training before its first step."""
    # A plain recipe asks for no wavelengths, so a student of other bands may do without.
    objective = Objective(student, recipe, bands or canonical_bands(), tile_px, teacher)
    parameters = [*student.parameters(), *objective.parameters()]
    return Progress(
        student,
        objective,
        make_optimiser(parameters, settings.learning_rate, settings.weight_decay),
        Balance(recipe, settings.steps),
        Average(student, settings.average) if settings.average else None,
    )


@contextmanager
def _saved(progress: Progress, keeper: Optional[Keeper]) -> Iterator[None]:
    """Save the state at the end of a training, of a cancelled one too."""
    first = progress.step
    try:
        yield
    except HyperKDError as error:
        # A loss of NaN must not replace the last good state.
        if keeper is None or error.code != "cancelled" or progress.step == 0:
            raise
        if progress.step > first:
            keeper.save(progress)
        raise HyperKDError(
            error.code,
            error.message,
            f"Start it again with the option resume to continue after step {progress.step}.",
            **error.context,
        ) from error
    if keeper is not None:
        keeper.save(progress)


def _early_end(progress: Progress, settings: Settings, asked: bool) -> str:
    """Return why training ends before its last step, as a sentence, or ""."""
    if asked:
        return f"Training ends after step {progress.step}: it was stopped, or its hours are over."
    if settings.patience and progress.waited >= settings.patience:
        return (
            f"No smaller validation loss for {progress.waited} validations: training ends "
            f"after step {progress.step}."
        )
    return ""


@dataclass(eq=False)
class _Run:
    """A training in progress."""

    progress: Progress
    sampler: CropSampler
    settings: Settings
    report: Reporter
    group: Group
    validate: Optional[Validator]

    def __post_init__(self) -> None:
        self._first = self.progress.step
        self._started = time.perf_counter()
        self._computing_s = 0.0

    def step(self, step: int, batches: Batches) -> dict[str, float]:
        """Take one step, and return the batch's loss and its parts."""
        progress, settings = self.progress, self.settings
        done = step / max(1, settings.steps - 1)
        started = time.perf_counter()
        chunks = batches.of(step)
        if progress.balance.due(step):
            progress.balance.calibrate(self._sizes(chunks, done))
        weights = progress.balance.at(done)
        set_learning_rate(progress.optimiser, self.rate(step))
        progress.optimiser.zero_grad(set_to_none=True)
        chunk_values: list[Tensor] = []
        for tiles, draws in chunks:
            # A step of a large student takes minutes on a CPU; nothing is changed before its end.
            self.report.check_cancelled()
            share = len(tiles) / settings.batch
            parts = progress.objective.parts(
                progress.student, tiles, draws, done, settings.bfloat16
            )
            loss = weighted_sum(parts, weights)
            (loss * share).backward()
            chunk_values.append(torch.stack([loss, *parts.values()]).detach() * share)
        self.group.add_up_gradients(progress.parameters)
        norm = nn.utils.clip_grad_norm_(progress.parameters, settings.clip)
        total = self.group.add_up(torch.stack(chunk_values).sum(0))
        values, length = total.tolist(), float(norm)
        if not (math.isfinite(values[0]) and math.isfinite(length)):
            raise self._diverged(step, values[0], length, chunks, chunk_values)
        progress.optimiser.step()
        if progress.average is not None:
            progress.average.update(progress.student)
        progress.step = step + 1
        self._computing_s += time.perf_counter() - started
        return dict(zip(("loss", *(f"loss_{name}" for name in parts)), values))

    def late(self) -> bool:
        """Return whether the hours of this run are over; a resumed one has its own."""
        return self._left_s() < 0

    def _left_s(self) -> float:
        if not self.settings.hours:
            return math.inf
        return self.settings.hours * 3600 - (time.perf_counter() - self._started)

    def rate(self, step: int) -> float:
        """Return the learning rate of a 0-based step."""
        settings = self.settings
        return learning_rate(step, settings.steps, settings.learning_rate, settings.warmup)

    def report_step(self, losses: Mapping[str, float], last: bool) -> None:
        """Report a finished step; validate where it is time to, and after the last one."""
        progress, settings = self.progress, self.settings
        done = progress.step
        progress.recent.append(dict(losses))
        values: dict[str, float] = {}
        if done % settings.report_every == 0 or last:
            recent, progress.recent = progress.recent, []
            values = {name: sum(each[name] for each in recent) / len(recent) for name in losses}
            taken = done - self._first
            elapsed_s = time.perf_counter() - self._started
            values["learning_rate"] = self.rate(done - 1)
            values["samples_per_s"] = taken * settings.batch / self._computing_s
            whole_s = elapsed_s / taken * (settings.steps - done)
            values["seconds_left"] = max(0.0, min(whole_s, self._left_s()))
        if self.validate is not None and (_every(settings.validate_every, done) or last):
            values.update(self._validated())
        if values:
            progress.history.append({"step": float(done), **values})
            self.report.metric(done, values)
        self.report.progress(done, settings.steps, "step")

    def _validated(self) -> Mapping[str, float]:
        """Validate the student as it would be the result, and remember the best one."""
        progress, student = self.progress, self.progress.student
        if self.validate is None:
            return {}
        own = {name: value.clone() for name, value in student.state_dict().items()}
        student.load_state_dict(progress.result())
        student.eval()
        metrics = self.validate(student, progress.step)
        loss = metrics["validation_loss"]
        progress.waited = 0 if loss < progress.best_loss else progress.waited + 1
        if progress.waited == 0:
            progress.best_loss = loss
            progress.best = {name: value.clone() for name, value in student.state_dict().items()}
        student.load_state_dict(own)
        student.train()
        return metrics

    def _sizes(
        self, chunks: list[tuple[Tiles, Draws]], done: float
    ) -> dict[str, tuple[float, float]]:
        """Return the gradient norms of each part of the loss and of the squared error.

        Both over the parameters that the part reaches.
        """
        progress, settings = self.progress, self.settings
        parameters = list(progress.student.parameters())
        totals: dict[str, list[Optional[Tensor]]] = {}
        for tiles, draws in chunks:
            parts = progress.objective.parts(
                progress.student, tiles, draws, done, settings.bfloat16
            )
            share = len(tiles) / settings.batch
            for name, gradients in part_gradients(parts, parameters).items():
                sums = totals.setdefault(name, [None] * len(parameters))
                for place, gradient in enumerate(gradients):
                    if gradient is not None:
                        before = sums[place]
                        scaled = gradient * share
                        sums[place] = scaled if before is None else before + scaled
        for sums in totals.values():
            for tensor in sums:
                if tensor is not None:
                    self.group.add_up(tensor)
        sizes = {}
        for name, sums in totals.items():
            reached = [main for main, own in zip(totals[MAIN], sums) if own is not None]
            sizes[name] = (_length(sums), _length(reached))
        return sizes

    def _diverged(
        self,
        step: int,
        loss: float,
        length: float,
        chunks: list[tuple[Tiles, Draws]],
        chunk_values: list[Tensor],
    ) -> HyperKDError:
        """Return the error that ends the training, with its step and the tiles in question."""
        wrong = [
            crop
            for (tiles, _), values in zip(chunks, chunk_values)
            if not bool(values.isfinite().all())
            for crop in tiles.crops
        ]
        crops = wrong or [crop for tiles, _ in chunks for crop in tiles.crops]
        named = [
            f"{self.sampler.scenes[crop.scene].name} at column {crop.window.col}, "
            f"row {crop.window.row}"
            for crop in crops
        ]
        what = f"loss became {loss:g}" if not math.isfinite(loss) else f"gradient became {length:g}"
        return HyperKDError(
            "bad_training",
            f"The {what} in step {step + 1}; its batch: "
            f"{some(named, limit=_NAMED_CROPS, separator='; ')}.",
            f"Train with a learning rate below {self.settings.learning_rate:g}.",
            step=step + 1,
        )


@contextmanager
def _attention(device: torch.device, bfloat16: bool) -> Iterator[None]:
    """Choose how attention is computed.

    The fused kernel's backward pass takes a third of a step on a CPU in bfloat16 with
    the few tokens of a masked tile; plain products train half as fast again.
    """
    if device.type == "cpu" and bfloat16:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    else:
        yield


def _every(interval: int, step: int) -> bool:
    return interval > 0 and step % interval == 0


def _length(tensors: Sequence[Optional[Tensor]]) -> float:
    return math.sqrt(sum(float(each.square().sum()) for each in tensors if each is not None))
