"""The job ``finetune``: a scene and labels in; a model, its checkpoint and a report out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.evaluation.reports.accuracy_report import report_contents, report_files
from hyperkd.evaluation.splits.requested_split import is_frozen, requested_folds, requested_split
from hyperkd.evaluation.splits.split_parts import TEST, TRAIN, VALIDATION, Split
from hyperkd.models.card import ModelCard
from hyperkd.models.card_values import unsound
from hyperkd.models.sizes import PRESETS, sizes_of_scratch
from hyperkd.open_scene import opened_scenes, problem_sentences
from hyperkd.raster.labels.read_labels import Labels, read_labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.scratch import scratch_folder
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.training.common.checkpoint import save_checkpoint
from hyperkd.training.export import export_model
from hyperkd.training.finetune.base_encoder import BaseEncoder, load_base
from hyperkd.training.finetune.classical_files import write_classical
from hyperkd.training.finetune.finetune_request import (
    baseline_paths,
    check_request,
    check_units,
    checkpoint_path,
    class_colours,
    training_device,
)
from hyperkd.training.finetune.finetuned_card import card_of, with_card
from hyperkd.training.finetune.fit import Fit, fit
from hyperkd.training.finetune.head.fit_head import HeadSearch
from hyperkd.training.finetune.holdout_scores import HoldoutFold, HoldoutScores, score_holdout
from hyperkd.training.finetune.map_preview import MapPreview
from hyperkd.training.finetune.physics_network import load_physics
from hyperkd.types import Reporter


def finetune(request: FinetuneJob, report: Reporter) -> dict[str, Any]:
    """Train a model for classes or targets on labels, and measure how good it is.

    Returns:
        Summary: the files, classes or targets, hyperparameters, metrics and notes.

    Raises:
        HyperKDError: ``bad_job``; ``no_labels``, ``bad_labels`` and
            ``class_missing_in_split`` for the labels; ``bad_model`` for the student;
            ``band_mismatch`` where a scene does not cover its bands; ``bad_training``;
            ``out_of_memory``; ``cancelled``; what reading and writing raise. No output
            is left then.
    """
    check_request(request)
    request = dataclasses.replace(request, device=training_device(request))
    try:
        with ExitStack() as stack:
            report.stage("Opening")
            sources = opened_scenes(request.input, request, report, stack)
            folder = Path(stack.enter_context(scratch_folder()))
            return _FineTuning(request, sources, folder, report).run()
    except torch.OutOfMemoryError as error:
        raise HyperKDError(
            "out_of_memory",
            f"The GPU has too little memory: {str(error).splitlines()[0]}",
            "Train on the CPU (device cpu), or with a frozen encoder (tune frozen).",
        ) from error


@dataclass(frozen=True, eq=False)
class _Trained:
    """A trained model and its files.

    Attributes:
        split: whose train and validation parts it was trained on.
    """

    fitted: Fit
    split: Split
    path: Path
    card: ModelCard


class _FineTuning:
    """One run of the job."""

    def __init__(
        self, request: FinetuneJob, sources: Sequence[RasterSource], folder: Path, report: Reporter
    ) -> None:
        self.request, self.sources, self.folder, self.report = request, sources, folder, report
        self.base: Optional[BaseEncoder] = None
        sizes = sizes_of_scratch(request.student)
        if sizes is None:
            # A student that cannot be trained is refused before the labels are read.
            self.base = load_base(request.student)
            self.receptive_field_px = self.base.receptive_field_px
        else:
            self.receptive_field_px = PRESETS[sizes].tile
        bands = canonical_bands() if self.base is None else self.base.card.bands
        load_physics(request.physics, bands)
        self.preview: Optional[MapPreview] = None

    def run(self) -> dict[str, Any]:
        """Read, split, train, score, write, and return the summary of the job."""
        request, report = self.request, self.report
        labels = read_labels(
            self.sources,
            request.labels,
            task=request.task,
            fields=request.field,
            margin_px=request.margin,
            nodata=request.label_nodata,
            colours=class_colours(request),
            report=report,
        )
        check_units(request, labels.targets)
        _require_sound(labels)
        if request.preview is not None:
            extent = request.preview_extent
            self.preview = MapPreview(request.preview, self.sources[0], extent, labels, report)
        report.stage("Splitting the labels")
        field_px = self.receptive_field_px
        splits = (
            requested_folds(labels, request, field_px)
            if request.folds
            else [requested_split(labels, request, field_px)]
        )
        trained, folds, field_px = self._train_folds(labels, splits)
        if len(splits) > 1 or request.refit:
            report.log("info", "Training the final model on all labels.")
            # A single split keeps its hyperparameters; after folds all labels give new ones.
            search = trained.fitted.search if len(splits) == 1 else None
            split = _everything(splits[-1], is_frozen(request))
            trained = self._train(labels, split, "final.onnx", search)
        splits = [split.as_seen_by(field_px) for split in splits]
        if self.preview is not None:
            self.preview.show(trained.fitted.base.card, trained.fitted.model)
        scores = None
        if folds:
            scores = score_holdout(folds, trained.card, self.sources, labels, request, report)
            metrics = scores.metrics(self._protocol(splits))
            trained = replace(trained, card=replace(trained.card, metrics=metrics))
        classical: tuple[Mapping[str, Path], list[str]] = ({}, [])
        if request.save_baselines:
            is_tested = scores is not None and len(splits) == 1 and not request.refit
            known = scores.baselines.fitted if scores is not None and is_tested else {}
            classical = write_classical(
                self.folder, trained.card, self.sources, labels, trained.split, scores, known,
                request, report,
            )  # fmt: skip
        self._write(labels, splits, trained, scores, classical[0])
        return self._summary(labels, splits, trained, scores, *classical)

    def _train_folds(
        self, labels: Labels, splits: Sequence[Split]
    ) -> tuple[_Trained, list[HoldoutFold], int]:
        """Train on each split.

        Returns:
            The last model, those that have a test part, and the largest receptive field in pixels.
        """
        folds, field_px = [], 1
        for number, split in enumerate(splits):
            if len(splits) > 1:
                self.report.log("info", f"Fold {number + 1} of {len(splits)}.")
            trained = self._train(labels, split, f"{number}.onnx", None)
            field_px = max(field_px, trained.fitted.receptive_field_px)
            if any((part == TEST).any() for part in split.parts):
                folds.append(HoldoutFold(trained.path, trained.fitted.temperature, split))
        return trained, folds, field_px

    def _train(
        self, labels: Labels, split: Split, name: str, search: Optional[HeadSearch]
    ) -> _Trained:
        """Train a model on a split and export it to a file of the scratch folder."""
        fitted = fit(
            self.sources,
            labels,
            split,
            self.request,
            self.report,
            base=self.base,
            search=search,
            preview=self.preview,
        )
        self.report.check_cancelled()
        self.report.stage("Exporting to ONNX")
        seen = split.as_seen_by(fitted.receptive_field_px)
        card = card_of(fitted, labels, seen, self.sources, self.request)
        path = self.folder / name
        return _Trained(fitted, split, path, export_model(fitted.model, card, path))

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
                "each predicted by an exported model that was not trained on them. The model in "
                "the file was trained on all labels."
            )
        told = (
            f"Held out were {kept}{buffer}. The exported model predicted their pixels, seams "
            "and blending of tiles included."
        )
        if self.request.refit:
            told += " Afterwards the model in the file was trained on all labels."
        return told

    def _write(
        self,
        labels: Labels,
        splits: Sequence[Split],
        trained: _Trained,
        scores: Optional[HoldoutScores],
        classical: Mapping[str, Path],
    ) -> None:
        """Write models, checkpoint and report; none gets its name before all are written."""
        request, report = self.request, self.report
        report.check_cancelled()
        report.stage("Writing the model")
        content = with_card(trained.path, trained.card)
        checkpoint, final = checkpoint_path(request), baseline_paths(request)
        with ExitStack() as stack:
            part, beside = (
                stack.enter_context(AtomicFile(path)) for path in (request.output, checkpoint)
            )
            Path(part.temporary).write_bytes(content)
            for name, file in classical.items():
                other = stack.enter_context(AtomicFile(final[name]))
                Path(other.temporary).write_bytes(file.read_bytes())
            save_checkpoint(beside.temporary, trained.fitted.model, trained.card)
            pages: dict[str, Path] = {}
            if request.report is not None and scores is not None:
                report.stage("Writing the report")
                contents = self._report(labels, splits, trained, scores)
                pages = stack.enter_context(report_files(request.report, contents))
        for role, path in pages.items():
            report.artifact(role, str(path))
        report.artifact("output", request.output)
        report.artifact("checkpoint", str(checkpoint))
        for name in classical:
            report.artifact("baseline", str(final[name]))

    def _summary(
        self,
        labels: Labels,
        splits: Sequence[Split],
        trained: _Trained,
        scores: Optional[HoldoutScores],
        classical: Mapping[str, Path],
        notes: Sequence[str],
    ) -> dict[str, Any]:
        request, fitted, card = self.request, trained.fitted, trained.card
        final = baseline_paths(request)
        return {
            "output": request.output,
            "checkpoint": str(checkpoint_path(request)),
            "baselines": {name: str(final[name]) for name in classical},
            "model": card.name,
            "task": card.task,
            "classes": [item["name"] for item in card.classes],
            "targets": [item["name"] for item in card.targets],
            "labelled_pixels": len(labels),
            "split": splits[0].method,
            "folds": len(splits) if len(splits) > 1 else 0,
            "optimistic": any(split.optimistic for split in splits),
            "tune": fitted.tune,
            "linear": dataclasses.asdict(fitted.search.hyperparameters),
            "held_out": dict(fitted.scores),
            "metrics": dict(card.metrics),
            "temperature": card.temperature,
            "seconds": round(fitted.seconds, 1),
            "stopped_early": fitted.search.stopped or bool(fitted.tuned and fitted.tuned.stopped),
            "notes": [
                *labels.notes,
                *splits[0].notes,
                *fitted.notes,
                *(() if scores is None else scores.notes),
                *notes,
            ],
        }

    def _report(
        self,
        labels: Labels,
        splits: Sequence[Split],
        trained: _Trained,
        scores: HoldoutScores,
    ) -> Mapping[str, Any]:
        fitted, card = trained.fitted, trained.card
        return report_contents(
            scores.assessment,
            title=f"Accuracy of {card.name}",
            about=_about(self.request, labels, fitted, card),
            protocol=self._protocol(splits),
            optimistic=any(split.optimistic for split in splits),
            comparisons=scores.baselines.comparisons,
            split=splits[0].summary(),
            history=fitted.history,
            spectra=scores.baselines.spectra,
            notes=(
                *problem_sentences(self.sources),
                *labels.told,
                *fitted.notes,
                *scores.notes,
            ),
        )


def _require_sound(labels: Labels) -> None:
    """Refuse names that no card can hold, before all the work.

    Raises:
        HyperKDError: ``bad_labels``.
    """
    for name in (*(each.name for each in labels.classes), *labels.targets):
        reason = unsound(str(name))
        if reason:
            raise HyperKDError(
                "bad_labels",
                f"The name {str(name)!r} in the labels holds {reason}.",
                "Correct the labels, or set the encoding of their file in QGIS.",
            )


def _everything(split: Split, frozen: bool) -> Split:
    """Return the split with all pixels in the train part.

    An encoder that is trained keeps the validation part, which tells when to stop.
    """
    parts = tuple(
        np.full_like(part, TRAIN)
        if frozen
        else np.where(part == VALIDATION, VALIDATION, TRAIN).astype(part.dtype)
        for part in split.parts
    )
    return replace(split, parts=parts, counts={}, notes=())


def _about(request: FinetuneJob, labels: Labels, fitted: Fit, card: ModelCard) -> Mapping[str, str]:
    head = fitted.model.head.config
    inputs = ["the pixel's spectrum"]
    inputs += ["its eight neighbours"] * head.neighbours + ["the student's tokens"] * head.tokens
    inputs += [] if fitted.physics is None else [f"fractions by the network {fitted.physics.name}"]
    facts = {
        "model": f"{card.name} ({card.task})",
        "student": fitted.base.card.name,
        "encoder": fitted.tune,
        "inputs": ", ".join(inputs),
        "scenes": ", ".join(Path(path).name for path in request.input),
        "labels": ", ".join(Path(path).name for path in request.labels),
        "labelled pixels": f"{len(labels):,}",
        "seed": str(request.seed),
    }
    if request.field:
        facts["fields"] = ", ".join(request.field)
    return facts
