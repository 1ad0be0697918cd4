"""The job ``distill``: scenes in; a checkpoint, an ONNX student and a report out."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Optional

import numpy as np
import torch

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.models.nets.student import Student
from hyperkd.models.sizes import StudentConfig
from hyperkd.models.sizes import preset as sizes_of
from hyperkd.reporting import SilentReporter
from hyperkd.requests.distill_options import DistillJob
from hyperkd.spectral.sensors import canonical_bands, given_bands
from hyperkd.training.common.checkpoint import architecture, save_checkpoint
from hyperkd.training.common.crops import CropSampler, band_statistics
from hyperkd.training.common.parallel import Group, joined
from hyperkd.training.common.resume_state import StateFile, identity, read_state
from hyperkd.training.common.scene_pixels import Scenes, open_scenes, opener
from hyperkd.training.common.train_settings import Progress, Settings
from hyperkd.training.export import export_model
from hyperkd.training.pretrain.distill_settings import (
    NO_MASK,
    NO_TEACHER,
    PLANS,
    Outputs,
    recipe_of,
    settings_of,
)
from hyperkd.training.pretrain.initial_weights import start_from_components
from hyperkd.training.pretrain.objective import Objective
from hyperkd.training.pretrain.reconstruction_preview import Previews
from hyperkd.training.pretrain.student_card import Facts, valid_pixels
from hyperkd.training.pretrain.student_report import ReportContent, render
from hyperkd.training.pretrain.student_validation import Validation
from hyperkd.training.pretrain.train_loop import train
from hyperkd.training.pretrain.validation_scenes import hold_out
from hyperkd.training.teacher.crop_feature_cache import KeptFeatures
from hyperkd.training.teacher.find_teacher import find_teacher
from hyperkd.training.teacher.prithvi_features import LoadedTeacher, Teacher
from hyperkd.types import Reporter

_PICTURES: Final = 10  # of a training
# Options of the job that the report lists, besides the settings of the training: no paths.
_REPORTED: Final = (
    "preset", "epochs", "initial", "teacher_frames", "validation", "precision", "device",
    "reading", "mask", "scale", "nodata", "licence",
)  # fmt: skip


def distill(request: DistillJob, report: Reporter) -> dict[str, Any]:
    """Train a student on scenes.

    Raises:
        HyperKDError: ``bad_job``, ``bad_model`` for the teacher, ``no_valid_pixels`` and
            what opening rasters raises for the scenes, ``bad_training`` where the loss
            becomes NaN or infinite, ``out_of_disk``, ``out_of_memory``, ``cancelled``.
    """
    device = _device(request.device)
    try:
        with joined(device) as group:
            quiet = report if group.leads else _CancelOnly(report)
            return _Distillation(request, device, group, quiet).run()
    except torch.OutOfMemoryError as error:
        raise HyperKDError(
            "out_of_memory",
            f"The {device.type} has too little memory: {str(error).splitlines()[0]}",
            "Compute fewer tiles at once (chunk), or take a smaller preset or tile.",
        ) from error


class _Distillation:
    """One run of the job."""

    def __init__(
        self, request: DistillJob, device: torch.device, group: Group, report: Reporter
    ) -> None:
        self.request, self.device, self.group, self.report = request, device, group, report
        self.outputs = Outputs.of(request.output, request.cache)
        if group.leads:
            self.outputs.require_writable()
        if group.size > 1 and request.teacher_view == "cached":
            raise HyperKDError(
                "bad_job",
                f"{group.size} processes cannot fill one cache of the teacher's features.",
                "Start one process, or take the teacher's view full (teacher_view).",
            )
        self.config = _sizes(request)
        self.bands = canonical_bands()
        self.recipe = recipe_of(request)
        self.loaded: Optional[LoadedTeacher] = None
        self.teacher: Optional[Teacher] = None

    def run(self) -> dict[str, Any]:
        """Read, train, export, and return the summary of the job."""
        request, report = self.request, self.report
        if request.teacher != NO_TEACHER:
            report.stage("Reading the teacher")
            self.loaded = find_teacher(request.teacher)
            deepest = max(request.teacher_depth)
            frames = request.teacher_frames
            self.teacher = Teacher(self.loaded, deepest, frames, self.device, report)
        report.stage("Reading the scenes")
        masks = tuple(name for name in request.mask if name != NO_MASK)
        open_one = opener(masks, given_bands(request.bands), request.scale, request.nodata)
        # One process fills the cache, then the others find it.
        takes_turns = request.reading in ("auto", "cache")
        if takes_turns and not self.group.leads:
            self.group.wait()
        with open_scenes(
            request.input,
            open_one,
            self.bands,
            self.config.tile,
            report,
            reading=request.reading,
            cache=self.outputs.cache / "scenes",
            alignment=request.alignment if self.teacher is not None else None,
            accept=request.accept,
        ) as scenes:
            if takes_turns and self.group.leads:
                self.group.wait()
            return self._train(scenes)

    def _train(self, scenes: Scenes) -> dict[str, Any]:
        request, report, group = self.request, self.report, self.group
        facts = self._facts(scenes)
        mean, std = band_statistics(facts.held_out.training)
        torch.manual_seed(request.seed)
        student = Student(self.config, mean.tolist(), std.tolist()).to(self.device)
        # Tiles from a grid recur, so that their features can be cached.
        step_px = self.config.tile // 2 if self._caches_features else 1
        sampler = CropSampler(facts.held_out.training, self.config.tile, step_px=step_px)
        if request.initial == "components" and not request.resume:
            report.stage("Computing initial weights")
            generator = np.random.default_rng((request.seed, 0xC0))
            start_from_components(student, sampler, generator, request.mask_ratio)
        validation = Validation(
            facts.held_out.validation,
            student,
            self.config.tile,
            PLANS[request.preset].validation,
            request.mask_ratio,
            request.seed,
        )
        pictures = self.outputs.previews if group.leads else None
        every = max(1, facts.settings.steps // _PICTURES)
        report.stage("Training")
        started = time.perf_counter()
        history = train(
            student,
            sampler,
            facts.settings,
            report,
            self.recipe,
            self.teacher,
            bands=self.bands,
            validate=Previews(validation, self.bands, pictures, every, report),
            keeper=self._keeper(facts, student),
            group=group,
            prepare=lambda objective: self._use_feature_cache(objective, sampler),
        )
        group.wait()
        if not group.leads:
            return {}
        seconds = time.perf_counter() - started
        return self._finish(student, history, facts, scenes, validation, seconds)

    def _facts(self, scenes: Scenes) -> Facts:
        request = self.request
        held_out = hold_out(scenes.usable, request.validation, self.config.tile, request.seed)
        settings = settings_of(
            request,
            valid_pixels(held_out.training),
            self.config.tile,
            processes=self.group.size,
            on_gpu=self.device.type == "cuda",
            in_memory=scenes.reading == "memory",
        )
        return Facts(
            self.outputs.checkpoint.stem,
            request.preset,
            request.licence,
            request.initial,
            self.bands,
            self.recipe,
            settings,
            held_out,
            scenes.pixel_m,
            self.loaded,
            self.teacher,
        )

    def _keeper(self, facts: Facts, student: Student) -> StateFile:
        """Return the state file; resuming from it requires the same settings and data."""
        request, outputs = self.request, self.outputs
        older = self._older_files()
        if not request.resume:
            self._warn_of_older_files()
        started_with = identity(
            facts.settings,
            self.recipe,
            facts.data(student, request.validation),
            student=architecture(request.preset, self.config),
            teacher=None if self.teacher is None else self.teacher.identity,
            initial=request.initial,
            epochs=request.epochs,
            older_files=older,
        )

        def save_student(progress: Progress) -> None:
            """Write the checkpoint of a training on its way: it can be used already."""
            now = Student(self.config, student.mean.tolist(), student.std.tolist())
            tensors = progress.outcome(facts.settings).items()
            now.load_state_dict({name: value.cpu() for name, value in tensors})
            save_checkpoint(outputs.checkpoint, now, facts.card(now, progress.history))

        # Next to the ONNX file of another student it would be taken for that one.
        other_student = older or outputs.model.exists()
        return StateFile(
            outputs.state,
            started_with,
            resume=request.resume,
            writes=self.group.leads,
            after_save=None if other_student else save_student,
        )

    def _older_files(self) -> bool:
        """Return whether files of an earlier training lay here when this one was started."""
        if self.request.resume:
            return bool(read_state(self.outputs.state)["started_with"].get("older_files"))
        return self.outputs.checkpoint.exists() or self.outputs.model.exists()

    def _warn_of_older_files(self) -> None:
        outputs = self.outputs
        if outputs.state.exists():
            self.report.log(
                "warning",
                f"{outputs.state.name} of an interrupted training will be replaced; "
                "the option resume would continue it.",
            )
        older = [path.name for path in (outputs.checkpoint, outputs.model) if path.exists()]
        if older:
            self.report.log(
                "warning",
                f"{' and '.join(older)} of an earlier training will be replaced at the end; until "
                f"then the student is kept in {outputs.state.name} alone.",
            )

    @property
    def _caches_features(self) -> bool:
        return self.teacher is not None and self.request.teacher_view == "cached"

    def _use_feature_cache(self, objective: Objective, sampler: CropSampler) -> None:
        distiller, aligner = objective.distiller, objective.aligner
        if self._caches_features and self.teacher and distiller and aligner:
            distiller.cache = KeptFeatures(
                self.outputs.cache / "features",
                distiller,
                aligner,
                self.teacher.identity,
                sampler.scenes,
                self.config.tile,
                self.teacher.patch_px,
                self.teacher.dim,
            )

    def _finish(
        self,
        student: Student,
        history: Sequence[Mapping[str, float]],
        facts: Facts,
        scenes: Scenes,
        validation: Validation,
        seconds: float,
    ) -> dict[str, Any]:
        """Write the three files, and return the summary of the job."""
        report, outputs = self.report, self.outputs
        report.stage("Exporting to ONNX")
        example = validation.example(student)
        student = student.cpu()
        card = export_model(student, facts.card(student, history), outputs.model)
        save_checkpoint(outputs.checkpoint, student, card)
        content = ReportContent(
            card,
            history,
            example,
            self.bands,
            facts.scene_rows(),
            scenes.left_out,
            scenes.notes,
            facts.held_out.how,
            facts.teacher_rows(),
            {
                "job": {name: getattr(self.request, name) for name in _REPORTED},
                "training": dataclasses.asdict(facts.settings),
                "recipe": dataclasses.asdict(self.recipe),
            },
            seconds,
        )
        with AtomicFile(outputs.page) as part:
            Path(part.temporary).write_text(render(content), encoding="utf-8")
        if _may_go_on(facts.settings, history):
            total = facts.settings.steps
            report.log(
                "info", f"{outputs.state.name} stays: with resume it continues to step {total}."
            )
        else:
            outputs.state.unlink(missing_ok=True)
        files = {"output": outputs.checkpoint, "model": outputs.model, "report": outputs.page}
        for role, path in files.items():
            report.artifact(role, str(path))
        return {
            **{role: str(path) for role, path in files.items()},
            "steps": int(history[-1]["step"]),
            "seconds": round(seconds, 1),
            "teacher": facts.teacher_entry(),
            "scenes": len(scenes.usable),
            "left_out": len(scenes.left_out),
            "held_out": facts.held_out.how,
            "validation": card.metrics["validation"],
        }


def _may_go_on(settings: Settings, history: Sequence[Mapping[str, float]]) -> bool:
    """Return whether steps are left that would be taken: the training was ended from outside."""
    losses = [row["validation_loss"] for row in history if "validation_loss" in row]
    waited = len(losses) - 1 - losses.index(min(losses))
    ended_itself = 0 < settings.patience <= waited
    return history[-1]["step"] < settings.steps and not ended_itself


class _CancelOnly(SilentReporter):
    """The reporter of a process other than the first: it reports nothing, and can be cancelled."""

    def __init__(self, report: Reporter) -> None:
        self.check_cancelled = report.check_cancelled  # type: ignore[method-assign]
        self.stop_requested = report.stop_requested  # type: ignore[method-assign]


def _sizes(request: DistillJob) -> StudentConfig:
    """Return the sizes of the student.

    Raises:
        HyperKDError: ``bad_job`` where the tile does not divide into blocks of two patches.
    """
    config = sizes_of(request.preset, request.patch)
    config = dataclasses.replace(config, tile=request.tile or config.tile)
    block = 2 * config.patch
    if config.tile % block:
        raise HyperKDError(
            "bad_job",
            f"Tiles of {config.tile} px do not divide into blocks of two patches of "
            f"{config.patch} px.",
            f"Choose a multiple of {block} px (tile).",
        )
    return config


def _device(name: str) -> torch.device:
    """Return where to train; each process of several takes a GPU of its own.

    Raises:
        HyperKDError: ``missing_dependency`` where a GPU is asked for and torch finds none.
    """
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise HyperKDError(
            "missing_dependency",
            "Torch finds no CUDA GPU.",
            "Install a torch built for your GPU's driver, or train on the CPU (device cpu).",
        )
    if name == "cpu" or not found:
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device
