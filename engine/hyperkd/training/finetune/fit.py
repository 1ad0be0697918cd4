"""From labels and a split to a trained model: fine-tuning without output files and report."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Callable, Optional

from hyperkd.evaluation.splits.requested_split import is_frozen
from hyperkd.evaluation.splits.split_parts import Split
from hyperkd.models.nets.heads import DenseHead, DenseModel
from hyperkd.models.sizes import sizes_of_scratch
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.distill_options import DistillJob
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.training.common.augment import Augment
from hyperkd.training.finetune.base_encoder import BaseEncoder, load_base, new_base
from hyperkd.training.finetune.encoder_tuning import EncoderTuning, TunedEncoder, encoder_mode
from hyperkd.training.finetune.head.fit_head import HeadFit, HeadSearch
from hyperkd.training.finetune.head.tasks import SoftTargets, task_of
from hyperkd.training.finetune.labelled_pixels import TileReader
from hyperkd.training.finetune.map_preview import MapPreview
from hyperkd.training.finetune.physics_network import PhysicsNetwork, load_physics
from hyperkd.training.finetune.pixel_features import read_features
from hyperkd.training.finetune.soft_targets import TeacherLoss, read_soft_targets
from hyperkd.training.finetune.training_pixels import training_pixels
from hyperkd.training.teacher.find_teacher import find_teacher
from hyperkd.training.teacher.prithvi_features import Teacher
from hyperkd.types import Reporter


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained model and how it came about.

    Attributes:
        model: on the CPU, in evaluation mode, for targets in their units.
        base: the encoder that it started from.
        physics: the network whose fractions the head takes, None where it takes none.
        tune: what was trained beside the head, never ``auto``.
        search: what cross-validation found for the head.
        tuned: how the training of the encoder went, None where it is frozen.
        pixels: training and validation pixels.
        notes: for the reader of the scores.
    """

    model: DenseModel
    base: BaseEncoder
    physics: Optional[PhysicsNetwork]
    tune: str
    search: HeadSearch
    tuned: Optional[TunedEncoder]
    pixels: int
    notes: tuple[str, ...]
    seconds: float

    @property
    def receptive_field_px(self) -> int:
        """Side of the square of input that can change one output pixel."""
        if self.model.head.config.tokens:
            return self.base.receptive_field_px
        return self.model.head.config.reach_px

    @property
    def temperature(self) -> float:
        """The temperature of the probabilities; 1 for a regression."""
        return (self.tuned or self.search).temperature

    @property
    def history(self) -> Sequence[Mapping[str, float]]:
        """One row for each epoch, of the encoder where it was trained, else of the head."""
        return (self.tuned or self.search).history

    @property
    def scores(self) -> Mapping[str, float]:
        """Scores on pixels of the train and validation parts that were held out."""
        return (self.tuned or self.search).scores


def fit(
    sources: Sequence[RasterSource],
    labels: Labels,
    split: Split,
    request: FinetuneJob,
    report: Reporter,
    *,
    base: Optional[BaseEncoder] = None,
    search: Optional[HeadSearch] = None,
    preview: Optional[MapPreview] = None,
) -> Fit:
    """Train a model on the train and validation parts of a split.

    With a frozen encoder the model is trained on both parts, and folds of both give the
    hyperparameters. Where the encoder is trained, the validation part tells when to stop.
    The test part has no influence.

    Args:
        request: the options; with the device ``cpu`` or ``cuda``. The same seed and number of
            threads give the same model.
        base: the student's encoder where it is loaded already; it stays as it is.
        search: to take again instead of a new search.
        preview: gets the model after each epoch.

    Raises:
        HyperKDError: ``bad_job``; ``bad_model`` for the student; ``band_mismatch`` where a
            scene does not cover its bands; ``bad_training`` where too little is left to
            train on, or the loss became NaN; ``cancelled``; what reading raises.
    """
    return _Fitting(sources, labels, split, request, report, base, preview).run(search)


class _Fitting:
    """One call of ``fit``."""

    def __init__(
        self,
        sources: Sequence[RasterSource],
        labels: Labels,
        split: Split,
        request: FinetuneJob,
        report: Reporter,
        base: Optional[BaseEncoder],
        preview: Optional[MapPreview],
    ) -> None:
        self.started = time.perf_counter()
        self.sources, self.labels, self.request = sources, labels, request
        self.report, self.preview, self.frozen = report, preview, is_frozen(request)
        self.training = training_pixels(labels, split, request.seed, frozen=self.frozen)
        if self.training.note:
            report.log("info", self.training.note)
        pixels = self.training.pixels
        sizes = sizes_of_scratch(request.student)
        if sizes is not None:
            base = new_base(sizes, sources, pixels, request.seed, report)
        elif base is None or not self.frozen:
            # Training changes an encoder in place: the one that was given stays as it is.
            base = (
                load_base(request.student)
                if base is None
                else replace(base, encoder=copy.deepcopy(base.encoder))
            )
        self.base = base
        self.physics, missing = load_physics(request.physics, base.card.bands)
        if missing:
            report.log("info", missing)
        self.notes = tuple(note for note in (self.training.note, missing) if note)
        self.task, self.values = task_of(labels, request.label_smoothing, pixels.values)

    def run(self, search: Optional[HeadSearch]) -> Fit:
        """Read, fit the head, train the encoder where that is asked for."""
        request, report, training = self.request, self.report, self.training
        report.stage("Reading and encoding the tiles")
        features = read_features(
            self.sources, training.pixels, training.test, self.base, request.seed, request.device,
            report, self.physics,
        )  # fmt: skip
        soft = None
        if request.previous is not None:
            name, weight = request.previous, request.previous_weight
            soft = read_soft_targets(
                name, weight, self.sources, self.labels, training.pixels, report
            )
        head_fit = HeadFit(
            features.take(training.is_train),
            self.values[training.is_train],
            training.fold,
            self.task,
            request,
            self.base.encoder.config,
            self.base.card,
            report,
            None if soft is None else soft.take(training.is_train),
            lambda make: self._show(lambda: self._model(make())),
        )
        head, search = head_fit.fit(search)
        model, tuned = self._model(head), None
        if not self.frozen:
            balance = search.hyperparameters.balance
            tuned = self._tune(model, balance, head_fit.augment, soft)
        return Fit(
            self._in_units(model),
            self.base,
            self.physics if head.config.physics else None,
            "frozen" if self.frozen else encoder_mode(request),
            search,
            tuned,
            len(training.pixels),
            self.notes,
            time.perf_counter() - self.started,
        )

    def _model(self, head: DenseHead) -> DenseModel:
        """Put a head on what it takes."""
        physics = self.physics.fractions if self.physics and head.config.physics else None
        return DenseModel(self.base.encoder, head, physics)

    def _tune(
        self,
        model: DenseModel,
        balance: float,
        augment: Augment,
        soft: Optional[SoftTargets],
    ) -> TunedEncoder:
        """Train encoder and head together, in place."""
        request, report = self.request, self.report
        report.stage("Reading the tiles")
        reader = TileReader(self.sources, self.training.pixels, self.base.card)
        tiles = list(reader.read(report))
        report.stage("Training the encoder")
        teacher = None
        if request.teacher is not None:
            loaded = Teacher(
                find_teacher(request.teacher),
                DistillJob.teacher_depth[0],
                DistillJob.teacher_frames,
                request.device,
                report,
            )
            dim = self.base.encoder.config.dim
            teacher = TeacherLoss(loaded, tiles, self.base.card, dim, request.seed)
        tuning = EncoderTuning(
            model,
            tiles,
            self.training,
            self.values,
            self.task,
            balance,
            request,
            augment,
            soft,
            teacher,
            lambda: self._show(
                lambda: DenseModel(model.student, copy.deepcopy(model.head), model.physics)
            ),
        )
        return tuning.run(report)

    def _show(self, make: Callable[[], DenseModel]) -> None:
        """Offer a model, for standardised targets, to the preview."""
        if self.preview is not None:
            self.preview.offer(self.base.card, lambda: self._in_units(make()))

    def _in_units(self, model: DenseModel) -> DenseModel:
        """Let a model for standardised targets predict in their units, in evaluation mode."""
        self.task.in_units(model.head)
        return model.eval()
