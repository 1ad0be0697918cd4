"""The job ``evaluate``: how good a fine-tuned model is where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.baselines.baseline_comparison import (
    BaselineComparison,
    BaselineFold,
    compare_with_baselines,
)
from hyperkd.evaluation.reports.accuracy_report import (
    report_contents,
    require_writable_report,
    write_report,
)
from hyperkd.evaluation.scores.class_accuracy import ClassificationAssessment
from hyperkd.evaluation.scores.map_area import AreaEstimate, estimate_area
from hyperkd.evaluation.scores.model_scores import KEY_METRICS, Assessment, assess, predictions
from hyperkd.evaluation.splits.fingerprint import pixel_hashes, seen_fraction
from hyperkd.evaluation.splits.strata import read_strata
from hyperkd.evaluation.truth import (
    predict_labels,
    read_truth,
    require_predictions,
    without_untold,
)
from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.models.card import ModelCard
from hyperkd.models.store.registry import resolve
from hyperkd.open_scene import opened_scenes, problem_sentences
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.evaluate_options import EvaluateJob
from hyperkd.sentences import some
from hyperkd.types import Reporter

# Files that the report names of many.
_NAMED = 6


def evaluate(request: EvaluateJob, report: Reporter) -> dict[str, Any]:
    """Compare a model's predictions at labelled pixels with the labels, and write a report.

    Returns:
        Summary: the pixels, the key figures, and the notes of the report.

    Raises:
        HyperKDError: ``bad_model`` where the model is a student; ``bad_job`` where fields
            and targets do not match; ``bad_labels`` where the labels hold classes that the
            model does not know, or strata without labels; what reading labels and scenes
            and predicting raise; ``unwritable_output``. No report is left then.
    """
    bundle = open_bundle(resolve(request.model))
    card = bundle.card
    require_predictions(card)
    require_writable_report(request.report)
    with ExitStack() as stack:
        sources = opened_scenes(request.input, request, report, stack)
        truth = read_truth(
            sources,
            request.labels,
            card,
            request.field,
            request.margin,
            request.label_nodata,
            report,
        )
        training = _training_labels(request, sources, card, stack, report)
        report.stage("Predicting at the labels")
        outputs = predict_labels(sources, bundle, truth, request, report)
        notes: list[str] = []
        truth, outputs = without_untold(card, truth, outputs, notes)
        assessment = assess(
            card, truth.values, outputs, truth.group, request.seed, card.temperature
        )
        areas = None
        if request.strata:
            areas = _areas(
                request.strata, sources, card, truth, outputs, request.seed, notes, report
            )
        baselines = _baselines(card, sources, truth, outputs, training, request.seed, notes, report)
        seen = _seen(card, sources, truth, notes)
        for note in notes:
            report.log("warning", note)
        notes = [*truth.notes, *notes]
        report.stage("Writing the report")
        contents = report_contents(
            assessment,
            title=f"Accuracy of {card.name}",
            about=_about(
                bundle, request.input, request.labels, request.field, request.strata, truth
            ),
            protocol=_protocol(bool(request.strata), len(truth)),
            optimistic=seen,
            comparisons=baselines.comparisons,
            spectra=baselines.spectra,
            areas=areas,
            notes=[
                *problem_sentences(sources),
                *(problem.advice for problem in truth.problems),
                *notes,
            ],
        )
        write_report(request.report, contents, report)
    return _summary(assessment, areas, [*notes, *assessment.notes])


def _training_labels(
    request: EvaluateJob,
    sources: Sequence[RasterSource],
    card: ModelCard,
    stack: ExitStack,
    report: Reporter,
) -> Optional[tuple[Sequence[RasterSource], Labels]]:
    """Return the labels that classical models are trained on with their scenes, if any."""
    if not request.training_labels:
        return None
    scenes = opened_scenes(request.training_input, request, report, stack) or sources
    paths = request.training_labels
    return scenes, read_truth(
        scenes, paths, card, request.field, request.margin, request.label_nodata, report
    )


def _baselines(
    card: ModelCard,
    sources: Sequence[RasterSource],
    truth: Labels,
    outputs: NDArray[np.float32],
    training: Optional[tuple[Sequence[RasterSource], Labels]],
    seed: int,
    notes: list[str],
    report: Reporter,
) -> BaselineComparison:
    """Compare with classical models, where there are labels to train them on."""
    tested, folds, labels = np.arange(len(truth)), [], truth
    if training is not None:
        scenes, known = training
        shared = _shared(scenes, known, sources, truth)
        if shared.any():
            notes.append(
                f"{int(shared.sum())} of the training labels are test labels too; the classical "
                "models are not trained on them."
            )
        folds = [BaselineFold(len(truth) + np.flatnonzero(~shared), tested)]
        sources = [*sources, *scenes]
        labels = replace(truth, scenes=(*truth.scenes, *known.scenes))
    compared = compare_with_baselines(
        card, sources, labels, predictions(card, outputs), folds, tested, seed, report
    )
    notes += compared.notes
    return compared


def _shared(
    scenes: Sequence[RasterSource],
    training: Labels,
    sources: Sequence[RasterSource],
    truth: Labels,
) -> NDArray[np.bool_]:
    """Return ``(n,)`` whether each training pixel is tested too."""

    def hashes(rasters: Sequence[RasterSource], labels: Labels) -> list[int]:
        return [
            number
            for raster, scene in zip(rasters, labels.scenes)
            for number in pixel_hashes(raster.grid, scene.rows, scene.cols)
        ]

    tested = set(hashes(sources, truth))
    return np.array([number in tested for number in hashes(scenes, training)], np.bool_)


def _areas(
    paths: Sequence[str],
    sources: Sequence[RasterSource],
    card: ModelCard,
    truth: Labels,
    outputs: NDArray[np.float32],
    seed: int,
    notes: list[str],
    report: Reporter,
) -> AreaEstimate:
    if card.task != "classification":
        raise HyperKDError(
            "bad_job",
            f"{card.name} is {card.described}; strata are for the areas of classes.",
            "Leave the strata out.",
            key="strata",
        )
    found = read_strata(paths, sources, truth, report)
    inside = found.index >= 0
    if not inside.all():
        notes.append(
            f"{int((~inside).sum())} labelled pixels lie outside the strata; areas leave them out."
        )
    return estimate_area(
        truth.values[inside],
        outputs.argmax(axis=1)[inside],
        found.index[inside],
        found.pixels,
        card.classes,
        truth.group[inside],
        pixel_ha=found.pixel_ha,
        strata_names=found.names,
        seed=seed,
    )


def _seen(
    card: ModelCard, sources: Sequence[RasterSource], truth: Labels, notes: list[str]
) -> bool:
    """Return whether the model was trained on some of the pixels, and say so."""
    seen = card.training.get("labels_seen")
    if seen is None:
        notes.append(
            "The model does not say which pixels it was trained on: make sure that these labels "
            "are not among them."
        )
        return False
    pixels = [(source.grid, scene.rows, scene.cols) for source, scene in zip(sources, truth.scenes)]
    fraction = seen_fraction(seen, pixels)
    if fraction > 0:
        notes.append(
            f"About {fraction:.0%} of these pixels were used to train or to select the model."
        )
    return fraction > 0


def _about(
    bundle: Bundle,
    inputs: Sequence[str],
    labels: Sequence[str],
    fields: Sequence[str],
    strata: Sequence[str],
    truth: Labels,
) -> dict[str, str]:
    def names(paths: Sequence[str]) -> str:
        return some([Path(path).name for path in paths], limit=_NAMED)

    about = {
        "model": f"{bundle.card.name} ({bundle.card.task}), SHA-256 {bundle.sha256[:16]}…",
        "scenes": names(inputs),
        "labels": names(labels),
        "labelled pixels": f"{len(truth):,}",
    }
    if fields:
        about["fields"] = ", ".join(fields)
    if strata:
        about["strata"] = names(strata)
    return about


def _protocol(stratified: bool, pixels: int) -> str:
    told = (
        f"The model was applied as it is, and its map was compared with all {pixels:,} valid "
        "labelled pixels, seams and blending of tiles included."
    )
    if stratified:
        told += " The areas assume that the labels are a random sample within each stratum."
    return told


def _summary(
    assessment: Assessment,
    areas: Optional[AreaEstimate],
    notes: Sequence[str],
) -> dict[str, Any]:
    scores = assessment.to_json()
    summary: dict[str, Any] = {"pixels": scores["pixels"], "groups": scores["groups"]}
    if isinstance(assessment, ClassificationAssessment):
        summary.update({name: scores["overall"][name]["value"] for name in KEY_METRICS})
        if areas is not None:
            adjusted = areas.to_json()["overall_accuracy"]["value"]
            summary["area_adjusted_overall_accuracy"] = adjusted
    else:
        summary["targets"] = {
            target["name"]: {name: target[name]["value"] for name in ("r2", "rmse", "bias")}
            for target in scores["targets"]
        }
    return {**summary, "notes": list(notes)}
