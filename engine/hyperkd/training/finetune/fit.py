"""From labels and a split to a trained model: the heart of fine-tuning, without files or report."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Final, Optional

import numpy as np
import torch
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.scores.calibration import fit_temperature
from hyperkd.evaluation.splits.split_parts import TEST, TRAIN, VALIDATION, Split
from hyperkd.models.nets.heads import DenseHead, DenseModel
from hyperkd.models.sizes import sizes_of_scratch
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.training.common.augment import Augment, Strength
from hyperkd.training.finetune.base_encoder import Base, load_base, new_base
from hyperkd.training.finetune.encoder_tuning import MODES, Tuned, Tuning, TuningSettings
from hyperkd.training.finetune.head.fit_head import Found, HeadFit, HeadSettings
from hyperkd.training.finetune.head.tasks import Classes, Goal, Quantities
from hyperkd.training.finetune.inner_folds import inner_folds, require_enough, thinned
from hyperkd.training.finetune.labelled_pixels import (
    Float32Array,
    LabelledTile,
    Places,
    TileReader,
    subset,
)
from hyperkd.training.finetune.map_preview import MapPreview
from hyperkd.training.finetune.soft_targets import TeacherGuide, earlier_answers
from hyperkd.training.finetune.token_cache import gather
from hyperkd.training.teacher.find_teacher import find_teacher
from hyperkd.training.teacher.prithvi_features import Teacher
from hyperkd.types import BoolArray, Reporter

TUNES: Final = ("auto", "frozen", *MODES)
BALANCES: Final[Mapping[str, Optional[float]]] = {
    "auto": None,
    "none": 0.0,
    "sqrt": 0.5,
    "balanced": 1.0,
}
_LEAST_STD: Final = 1e-9
# Values may leave the range of the labels by this share of it, not more: in spectra unlike all
# that taught, a linear model would otherwise answer anything.
_BEYOND: Final = 0.1


@dataclass(frozen=True)
class FitSettings:
    """How to fine-tune; the defaults are those of the job.

    Attributes:
        tune: one of ``TUNES``; ``auto`` is ``frozen`` for a student, ``full`` for a new one.
        epochs: of the committee, and of the encoder, at most.
        learning_rate: None for the usual one of each mode.
        class_weights: one of ``BALANCES``.
        label_smoothing: share of the truth that all classes get alike.
        augmentation: of the spectra.
        last: blocks that ``last`` trains.
        rank: of the adapters.
        previous, previous_weight: an earlier model for classes, and the share of the loss that
            its answers have.
        teacher, teacher_weight: a teacher whose features the encoder's tokens shall follow
            while it is trained, and the weight of that.
        device: where to train.
    """

    tune: str = "auto"
    epochs: int = 100
    learning_rate: Optional[float] = None
    class_weights: str = "sqrt"
    label_smoothing: float = 0.0
    augmentation: Strength = Strength()
    last: int = 2
    rank: int = 8
    previous: Optional[str] = None
    previous_weight: float = 0.5
    teacher: Optional[str] = None
    teacher_weight: float = 0.5
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained model and how it came about.

    Attributes:
        model: on the CPU, in evaluation mode, for targets in their units.
        base: what it started from.
        tune: how, never ``auto``.
        found: what the head's folds say.
        tuned: what training the encoder gave, None where it is frozen.
        temperature: of the probabilities.
        pixels: that it learned from or was chosen with.
        notes: for the reader of the scores.
        seconds: that it took.
    """

    model: DenseModel
    base: Base
    tune: str
    found: Found
    tuned: Optional[Tuned]
    temperature: float
    pixels: int
    notes: tuple[str, ...]
    seconds: float

    @property
    def receptive_field_px(self) -> int:
        """Side of the square of input that can change one output pixel."""
        if self.model.head.config.tokens:
            return self.base.reach_px
        return self.model.head.config.reach_px

    @property
    def history(self) -> Sequence[Mapping[str, float]]:
        """One row for each epoch of the last choice."""
        return self.found.history if self.tuned is None else self.tuned.history

    @property
    def scores(self) -> Mapping[str, float]:
        """Scores on pixels of the train and validation parts that were held out in turn."""
        return self.found.scores if self.tuned is None else self.tuned.scores


def fit(
    sources: Sequence[RasterSource],
    labels: Labels,
    split: Split,
    *,
    student: str,
    settings: FitSettings = FitSettings(),
    seed: int = 0,
    found: Optional[Found] = None,
    preview: Optional[MapPreview] = None,
    report: Reporter,
) -> Fit:
    """Train a model on the train and validation parts of a split.

    With a frozen encoder both parts teach, and folds of both choose the settings. Where
    the encoder is trained, the train part teaches and the validation part tells when to
    stop. The test part is never looked at.

    Args:
        sources: the scenes.
        labels: theirs.
        split: of the labels.
        student: name or path of a student, ``scratch``, or ``scratch:<preset>``.
        settings: how.
        seed: the same seed and number of threads give the same model.
        found: settings to use again instead of choosing them.
        preview: is offered the model after each epoch.
        report: progress, metrics, notes.

    Raises:
        HyperKDError: ``bad_job``; ``bad_model`` for the student; ``band_mismatch`` where a
            scene does not cover its bands; ``bad_training`` where too little is left to
            learn from, or the loss is no number any more; ``cancelled``; what reading raises.
    """
    fitting = _Fitting(sources, labels, split, student, settings, seed, report, preview)
    return fitting.run(found)


class _Fitting:
    """One run of ``fit``."""

    def __init__(
        self,
        sources: Sequence[RasterSource],
        labels: Labels,
        split: Split,
        student: str,
        settings: FitSettings,
        seed: int,
        report: Reporter,
        preview: Optional[MapPreview],
    ) -> None:
        self.preview = preview
        self.sources, self.labels, self.split = sources, labels, split
        self.settings, self.seed, self.report = settings, seed, report
        self.notes: list[str] = []
        every = Places.of(labels, split.parts)
        teaching = np.isin(every.part, (TRAIN, VALIDATION))
        self.tests = every.take(every.part == TEST)
        self.chosen = thinned(every, teaching, seed)
        if self.chosen.sum() < teaching.sum():
            self._note(
                f"Of {int(teaching.sum()):,} pixels to learn from, {int(self.chosen.sum()):,} "
                "are taken, of each class in proportion."
            )
        self.places = every.take(self.chosen)
        require_enough(labels, self.places)
        sizes = sizes_of_scratch(student)
        if sizes is None:
            self.base = load_base(student)
        else:
            self.base = new_base(sizes, sources, self.places, seed, report)
        self.tune = settings.tune
        if self.tune == "auto":
            self.tune = "frozen" if self.base.checksum else "full"
        self.goal: Goal
        if labels.task == "classification":
            self.goal = Classes(len(labels.classes), settings.label_smoothing)
            self.values: NDArray[Any] = self.places.values
            self.target_mean = self.target_std = np.zeros(0)
        else:
            self.goal = Quantities(len(labels.targets))
            self.target_mean = np.nanmean(self.places.values, 0)
            self.target_std = np.maximum(np.nanstd(self.places.values, 0), _LEAST_STD)
            self.values = (self.places.values - self.target_mean) / self.target_std

    def run(self, found: Optional[Found]) -> Fit:
        """Read, fit the head, train the encoder where that is asked for."""
        started = time.perf_counter()
        reader = TileReader(self.sources, self.places, self.base.card)
        frozen = self.tune == "frozen"
        teach = np.ones(len(self.places), np.bool_) if frozen else self.places.part == TRAIN
        if not frozen and teach.all():
            raise HyperKDError(
                "bad_training",
                "There is no validation part, which tells when to stop training the encoder.",
                "Give the validation part a share, or keep the encoder frozen.",
            )
        self.report.stage("Reading and encoding the tiles")
        spectra = gather(
            reader,
            self.places,
            self.base.encoder,
            len(self.base.card.bands),
            self.tests,
            self.seed,
            self.report,
            self.settings.device,
        )
        soft = self._earlier()
        learned = subset(self.labels, _scatter(self.chosen, teach))
        head_fit = HeadFit(
            spectra.take(teach),
            np.asarray(self.base.card.mean),
            np.asarray(self.base.card.std),
            self.values[teach],
            inner_folds(learned, self.split.method, self.split.block_px, self.seed),
            self.goal,
            self._head_settings(frozen),
            self.report,
            self.base.encoder.config,
            None if soft is None else soft[teach],
            None if self.preview is None else self._show,
        )
        if found is None:
            found = head_fit.search()
        head = head_fit.train(found)
        model = DenseModel(self.base.encoder, head)
        tuned, temperature = None, found.temperature
        if not frozen:
            tuned, temperature = self._tune(model, reader, teach, found, head_fit.augment, soft)
        return Fit(
            self._in_units(model),
            self.base,
            self.tune,
            found,
            tuned,
            temperature,
            len(self.places),
            tuple(self.notes),
            time.perf_counter() - started,
        )

    def _head_settings(self, frozen: bool) -> HeadSettings:
        settings = self.settings
        return HeadSettings(
            epochs=settings.epochs,
            learning_rate=settings.learning_rate if frozen else None,
            strength=settings.augmentation,
            balance=BALANCES[settings.class_weights],
            tokens=None if frozen else True,
            softness=settings.previous_weight if settings.previous else 0.0,
            seed=self.seed,
            device=settings.device,
        )

    def _tune(
        self,
        model: DenseModel,
        reader: TileReader,
        teach: BoolArray,
        found: Found,
        augment: Augment,
        soft: Optional[Float32Array],
    ) -> tuple[Tuned, float]:
        settings = self.settings
        self.report.stage("Reading the tiles")
        tiles = list(reader.read(self.report))
        self.report.stage("Training the encoder")
        tuning = Tuning(
            model,
            tiles,
            self.values,
            teach,
            self.goal,
            found.plan.balance,
            TuningSettings(
                self.tune,
                settings.epochs,
                settings.learning_rate,
                settings.last,
                settings.rank,
                self.seed,
            ),
            augment,
            settings.device,
            self._guide(tiles),
            settings.teacher_weight,
            soft,
            settings.previous_weight,
            None if self.preview is None else lambda: self._show_model(model),
        )
        tuned = tuning.run(self.report)
        temperature = 1.0
        if self.labels.task == "classification":
            answers, rows = tuning.held_out(self.report)
            temperature = fit_temperature(answers, self.values[rows])
        return tuned, temperature

    def _earlier(self) -> Optional[Float32Array]:
        """Return what an earlier model answers, if there is one."""
        if self.settings.previous is None:
            return None
        self.report.stage("Asking the earlier model")
        return earlier_answers(
            self.settings.previous, self.sources, self.labels, self.places, self.report
        )

    def _guide(self, tiles: Sequence[LabelledTile]) -> Optional[TeacherGuide]:
        """Return the teacher's features as a guide, if there is a teacher."""
        if self.settings.teacher is None:
            return None
        loaded = find_teacher(self.settings.teacher)
        teacher = Teacher(loaded, 0.75, "single", self.settings.device, self.report)
        dim = self.base.encoder.config.dim
        return TeacherGuide(teacher, tiles, self.base.card, dim, self.seed)

    def _show(self, make: Callable[[], DenseHead]) -> None:
        """Offer a head on the encoder as it is to the preview."""
        if self.preview is not None:
            encoder = self.base.encoder
            self.preview.offer(self.base.card, lambda: self._in_units(DenseModel(encoder, make())))

    def _show_model(self, model: DenseModel) -> None:
        """Offer a model, for standardised targets, to the preview."""
        if self.preview is not None:
            self.preview.offer(
                self.base.card,
                lambda: self._in_units(DenseModel(model.student, copy.deepcopy(model.head))),
            )

    def _in_units(self, model: DenseModel) -> DenseModel:
        """Let a regression answer in the units of its targets."""
        if self.labels.task == "regression":
            head = model.head
            head.target_mean.copy_(torch.from_numpy(self.target_mean))
            head.target_std.copy_(torch.from_numpy(self.target_std))
            low, high = np.nanmin(self.places.values, 0), np.nanmax(self.places.values, 0)
            beyond = _BEYOND * (high - low)
            head.target_low.copy_(torch.from_numpy(low - beyond))
            head.target_high.copy_(torch.from_numpy(high + beyond))
        return model.eval()

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.report.log("info", text)


def _scatter(chosen: BoolArray, inside: BoolArray) -> BoolArray:
    """Return ``chosen`` with only those of its pixels left that are ``inside``."""
    scattered = chosen.copy()
    scattered[chosen] = inside
    return scattered
