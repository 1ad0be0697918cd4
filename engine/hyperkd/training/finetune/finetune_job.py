"""The job ``finetune``: a scene and labels in; a model, its checkpoint and a report out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.evaluation.reports.accuracy_report import write_report
from hyperkd.evaluation.splits.split_labels import k_folds, split_labels
from hyperkd.evaluation.splits.split_parts import TEST, TRAIN, Split
from hyperkd.models.card import ModelCard
from hyperkd.models.card_values import unsound
from hyperkd.models.sizes import PRESETS, sizes_of_scratch
from hyperkd.open_scene import opened_scenes
from hyperkd.raster.labels.read_labels import Labels, read_labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.scratch import scratch_folder
from hyperkd.training.common.checkpoint import save_checkpoint
from hyperkd.training.export import export_model
from hyperkd.training.finetune.base_encoder import load_base
from hyperkd.training.finetune.classical_files import write_classical
from hyperkd.training.finetune.finetune_request import Request, device_of
from hyperkd.training.finetune.finetuned_card import card_of, with_card
from hyperkd.training.finetune.fit import Fit, fit
from hyperkd.training.finetune.holdout_scores import Judgement, answer_tests, judge
from hyperkd.training.finetune.map_preview import MapPreview
from hyperkd.types import Reporter


def finetune(job: FinetuneJob, report: Reporter) -> dict[str, Any]:
    """Train a model for classes or quantities on labels, and tell how good it is.

    Args:
        job: what is asked for.
        report: where progress goes.

    Raises:
        HyperKDError: ``bad_job``; ``no_labels``, ``bad_labels`` and
            ``class_missing_in_split`` for the labels; ``bad_model`` for the student;
            ``band_mismatch`` where a scene does not cover its bands; ``bad_training``;
            ``out_of_memory``; ``cancelled``; what reading and writing raise. No output
            is left then.
    """
    request = Request.of(job)
    request.check()
    device = device_of(request.device)
    try:
        with ExitStack() as stack:
            report.stage("Opening")
            sources = opened_scenes(job.input, job, stack)
            folder = Path(stack.enter_context(scratch_folder()))
            return _FineTuning(request, sources, device, folder, report).run()
    except torch.OutOfMemoryError as error:
        raise HyperKDError(
            "out_of_memory",
            f"The GPU has too little memory: {str(error).splitlines()[0]}",
            "Train on the CPU (--device cpu), or with a frozen encoder (--tune frozen).",
        ) from error


class _FineTuning:
    """One run of the job."""

    def __init__(
        self,
        request: Request,
        sources: Sequence[RasterSource],
        device: str,
        folder: Path,
        report: Reporter,
    ) -> None:
        self.request, self.sources, self.report = request, sources, report
        self.folder = folder
        self.settings = request.settings(device)
        # Refused before anything is read that takes long.
        sizes = sizes_of_scratch(request.student)
        self.field_px = PRESETS[sizes].tile if sizes else load_base(request.student).reach_px
        self.frozen = request.tune == "frozen" or (request.tune == "auto" and not request.is_new)
        self.preview: Optional[MapPreview] = None

    def run(self) -> dict[str, Any]:
        """Read, split, train, judge, write, and return the summary of the job."""
        request, report = self.request, self.report
        labels = read_labels(
            self.sources,
            request.labels,
            task=request.task,
            fields=request.field,
            margin_px=request.margin,
            colours=request.class_colours(),
            report=report,
        )
        request.check_units(labels.targets)
        _require_sound(labels)
        if request.preview is not None:
            extent = request.preview_extent
            self.preview = MapPreview(request.preview, self.sources[0], extent, labels, report)
        report.stage("Splitting the labels")
        splits = self._splits(labels)
        rounds, made, final = [], None, splits[0]
        reach = 1
        for number, split in enumerate(splits):
            if len(splits) > 1:
                report.log("info", f"Fold {number + 1} of {len(splits)}.")
            fitted = self._fit(labels, split, None)
            reach = max(reach, fitted.receptive_field_px)
            made = (fitted, *self._export(fitted, labels, split, f"{number}.onnx"))
            if any((part == TEST).any() for part in split.parts):
                temperature = fitted.temperature
                rounds.append(
                    answer_tests(made[1], self.sources, labels, split, temperature, report)
                )
        if made is None:
            raise ValueError("a split gives at least one round")
        fitted, model, card = made
        if len(splits) > 1 or request.refit:
            report.log("info", "Training the final model on all labels.")
            split = final = _everything(splits[-1])
            # A single split keeps the settings that it chose; after folds all labels choose.
            fitted = self._fit(labels, split, fitted if len(splits) == 1 else None)
            model, card = self._export(fitted, labels, split, "final.onnx")
        splits = [split.as_seen_by(reach) for split in splits]
        if self.preview is not None:
            self.preview.show(fitted.base.card, fitted.model)
        judged = None
        if rounds:
            judged = judge(
                rounds,
                card,
                self.sources,
                labels,
                request.seed,
                report,
                with_baselines=request.baselines,
            )
            card = dataclasses.replace(card, metrics=judged.metrics(self._protocol(splits)))
        classical: tuple[Mapping[str, Path], list[str]] = ({}, [])
        if request.save_baselines:
            is_tested = len(splits) == 1 and not request.refit
            classical = write_classical(
                self.folder, request.output, card, self.sources, labels, final, judged,
                judged.fitted if judged is not None and is_tested else {}, request.seed, report,
            )  # fmt: skip
        return self._finish(labels, splits, fitted, model, card, judged, *classical)

    def _splits(self, labels: Labels) -> list[Split]:
        request = self.request
        same: dict[str, Any] = {
            "method": request.split,
            "buffer_px": request.buffer,
            "receptive_field_px": self.field_px,
            "seed": request.seed,
            "block_px": request.block,
        }
        if request.folds:
            return k_folds(labels, folds=request.folds, validation=not self.frozen, **same)
        # A frozen encoder needs no validation part: folds of the train part choose.
        validation = 0.0 if self.frozen else request.validation
        shares = (1 - request.test - validation, validation, request.test)
        return [split_labels(labels, shares=shares, **same)]

    def _fit(self, labels: Labels, split: Split, earlier: Optional[Fit]) -> Fit:
        return fit(
            self.sources,
            labels,
            split,
            student=self.request.student,
            settings=self.settings,
            seed=self.request.seed,
            found=None if earlier is None else earlier.found,
            preview=self.preview,
            report=self.report,
        )

    def _export(
        self, fitted: Fit, labels: Labels, split: Split, name: str
    ) -> tuple[Path, ModelCard]:
        request, path = self.request, self.folder / name
        self.report.check_cancelled()
        self.report.stage("Exporting to ONNX")
        card = card_of(
            fitted,
            Path(request.output).stem,
            labels,
            split.as_seen_by(fitted.receptive_field_px),
            self.sources,
            self.settings,
            request.seed,
            request.unit,
        )
        return path, export_model(fitted.model, card, path)

    def _protocol(self, splits: Sequence[Split]) -> str:
        split = splits[0]
        kept = {
            "polygons": "whole polygons, lines or points",
            "blocks": f"whole blocks of {split.block_px} px",
            "scenes": "whole scenes",
            "random": "single pixels, which is optimistic",
        }[split.method]
        buffer = f", a buffer of {split.buffer_px} px around them left out"
        if len(splits) > 1:
            return (
                f"{len(splits)}-fold cross-validation: {kept} were held out in turn{buffer}, and "
                "each answered by an exported model that had not seen them. The model in the "
                "file learned from all labels."
            )
        told = (
            f"Held out were {kept}{buffer}. The exported model answered at their pixels, seams "
            "and blending of tiles included."
        )
        if self.request.refit:
            told += " Afterwards the model in the file learned from all labels."
        return told

    def _finish(
        self,
        labels: Labels,
        splits: Sequence[Split],
        fitted: Fit,
        model: Path,
        card: ModelCard,
        judged: Optional[Judgement],
        classical: Mapping[str, Path],
        notes: Sequence[str],
    ) -> dict[str, Any]:
        """Write models, checkpoint and report, all or none, and return the summary."""
        request, report = self.request, self.report
        report.check_cancelled()
        report.stage("Writing the model")
        content = with_card(model, card)
        # None gets its name before all are written: what cannot be written leaves none.
        with ExitStack() as stack:
            part, beside = (
                stack.enter_context(AtomicFile(path))
                for path in (request.output, request.checkpoint)
            )
            Path(part.temporary).write_bytes(content)
            for name, file in classical.items():
                other = stack.enter_context(AtomicFile(request.classical_files[name]))
                Path(other.temporary).write_bytes(file.read_bytes())
            save_checkpoint(beside.temporary, fitted.model, card)
            if request.report_folder is not None and judged is not None:
                self._write_report(request.report_folder, labels, splits, fitted, card, judged)
        report.artifact("output", request.output)
        report.artifact("checkpoint", str(request.checkpoint))
        written = {name: str(request.classical_files[name]) for name in classical}
        for path in written.values():
            report.artifact("baseline", path)
        stopped = fitted.found.stopped or (fitted.tuned is not None and fitted.tuned.stopped)
        return {
            "output": request.output,
            "checkpoint": str(request.checkpoint),
            "baselines": written,
            "model": card.name,
            "task": card.task,
            "classes": [item["name"] for item in card.classes],
            "targets": [item["name"] for item in card.targets],
            "labelled_pixels": len(labels),
            "split": splits[0].method,
            "folds": len(splits) if len(splits) > 1 else 0,
            "optimistic": any(split.optimistic for split in splits),
            "tune": fitted.tune,
            "linear": dataclasses.asdict(fitted.found.plan),
            "held_out": dict(fitted.scores),
            "metrics": dict(card.metrics),
            "temperature": card.temperature,
            "seconds": round(fitted.seconds, 1),
            "stopped_early": stopped,
            "notes": [
                *labels.notes,
                *splits[0].notes,
                *fitted.notes,
                *(() if judged is None else judged.notes),
                *notes,
            ],
        }

    def _write_report(
        self,
        folder: str,
        labels: Labels,
        splits: Sequence[Split],
        fitted: Fit,
        card: ModelCard,
        judged: Judgement,
    ) -> None:
        request = self.request
        self.report.stage("Writing the report")
        write_report(
            folder,
            judged.assessment,
            title=f"Accuracy of {card.name}",
            about=_about(request, labels, fitted, card),
            protocol=self._protocol(splits),
            optimistic=any(split.optimistic for split in splits),
            comparisons=judged.comparisons,
            split=splits[0].summary(),
            history=fitted.history,
            spectra=judged.spectra,
            notes=(*labels.notes, *fitted.notes, *judged.notes),
            report=self.report,
        )


def _require_sound(labels: Labels) -> None:
    """Refuse names that no card could hold, before all the work.

    Raises:
        HyperKDError: ``bad_labels``.
    """
    for name in (*(each.name for each in labels.classes), *labels.targets):
        reason = unsound(str(name))
        if reason:
            raise HyperKDError(
                "bad_labels",
                f"The name {str(name)!r} in the labels holds {reason}.",
                "Correct the labels, or tell QGIS the encoding of their file.",
            )


def _everything(split: Split) -> Split:
    """Return the split with all pixels in the train part."""
    parts = tuple(np.full_like(part, TRAIN) for part in split.parts)
    return dataclasses.replace(split, parts=parts, counts={}, notes=())


def _about(request: Request, labels: Labels, fitted: Fit, card: ModelCard) -> Mapping[str, str]:
    head = fitted.model.head.config
    looks = ["the pixel's spectrum"]
    looks += ["its eight neighbours"] * head.neighbours + ["the student's tokens"] * head.tokens
    facts = {
        "model": f"{card.name} ({card.task})",
        "student": fitted.base.card.name,
        "encoder": fitted.tune,
        "looks at": ", ".join(looks),
        "scenes": ", ".join(Path(path).name for path in request.input),
        "labels": ", ".join(Path(path).name for path in request.labels),
        "labelled pixels": f"{len(labels):,}",
        "seed": str(request.seed),
    }
    if request.field:
        facts["fields"] = ", ".join(request.field)
    return facts
