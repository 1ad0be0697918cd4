"""The job ``evaluate``: how good a fine-tuned model is where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.baselines.baseline_comparison import Learned, contest
from hyperkd.evaluation.reports.accuracy_report import require_writable_report, write_report
from hyperkd.evaluation.scores.class_accuracy import ClassificationAssessment, assess_classification
from hyperkd.evaluation.scores.map_area import AreaEstimate, estimate_area
from hyperkd.evaluation.scores.regression_error import RegressionAssessment, assess_regression
from hyperkd.evaluation.splits.fingerprint import seen_share
from hyperkd.evaluation.splits.strata import read_strata
from hyperkd.evaluation.truth import answers_at, read_truth, require_answers
from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.models.card import ModelCard
from hyperkd.models.store.registry import resolve
from hyperkd.open_scene import opened_scenes
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.evaluate_options import EvaluateJob
from hyperkd.types import Reporter

# Files that the report names of many.
_NAMED = 6
_KEY_FIGURES = ("overall_accuracy", "macro_f1", "macro_iou", "kappa")


def evaluate(request: EvaluateJob, report: Reporter) -> dict[str, Any]:
    """Compare a model's predictions at labelled pixels with the labels, and write a report.

    Args:
        request: what is asked for.
        report: where progress goes.

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
    require_answers(card)
    require_writable_report(request.report)
    with ExitStack() as stack:
        sources = opened_scenes(request.input, request, stack)
        truth = read_truth(sources, request.labels, card, request.field, request.margin, report)
        learned = None
        if request.training_labels:
            scenes = opened_scenes(request.training_input, request, stack) or sources
            learned = Learned(
                scenes,
                read_truth(
                    scenes, request.training_labels, card, request.field, request.margin, report
                ),
            )
        answers = answers_at(sources, bundle, truth, request, report)
        judged = _judge(card, truth, answers, request.seed)
        notes: list[str] = []
        areas = None
        if request.strata:
            areas = _areas(
                request.strata, sources, card, truth, answers, request.seed, notes, report
            )
        beside = contest(card, sources, truth, answers, learned, request.seed, report)
        notes += beside.notes
        seen = _seen(card, sources, truth, notes)
        for note in notes:
            report.log("warning", note)
        notes = [*truth.notes, *notes]
        report.stage("Writing the report")
        write_report(
            request.report,
            judged,
            title=f"Accuracy of {card.name}",
            about=_about(
                bundle, request.input, request.labels, request.field, request.strata, truth
            ),
            protocol=_protocol(bool(request.strata), len(truth)),
            optimistic=seen,
            comparisons=beside.comparisons,
            spectra=beside.spectra,
            areas=areas,
            notes=notes,
            report=report,
        )
    return _summary(judged, areas, [*notes, *judged.notes])


def _judge(
    card: ModelCard, truth: Labels, answers: NDArray[np.float32], seed: int
) -> Union[ClassificationAssessment, RegressionAssessment]:
    if card.task == "regression":
        return assess_regression(truth.values, answers, card.targets, truth.group, seed=seed)
    return assess_classification(
        truth.values, answers, card.classes, truth.group, seed=seed, temperature=card.temperature
    )


def _areas(
    paths: Sequence[str],
    sources: Sequence[RasterSource],
    card: ModelCard,
    truth: Labels,
    answers: NDArray[np.float32],
    seed: int,
    notes: list[str],
    report: Reporter,
) -> AreaEstimate:
    if card.task != "classification":
        raise HyperKDError(
            "bad_job",
            f"{card.name} is a model for {card.task}; strata are for the areas of classes.",
            "Leave the strata out.",
            key="strata",
        )
    found = read_strata(paths, sources, truth, report)
    inside = found.index >= 0
    if not inside.all():
        notes.append(
            f"{int((~inside).sum())} labelled pixels lie in no stratum and do not count for areas."
        )
    return estimate_area(
        truth.values[inside],
        answers.argmax(axis=1)[inside],
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
    """Return whether the model learned from some of the pixels, and say so."""
    seen = card.training.get("labels_seen")
    if seen is None:
        notes.append(
            "The model does not tell which pixels it learned from: make sure that these labels "
            "are none of them."
        )
        return False
    places = [(source.grid, scene.rows, scene.cols) for source, scene in zip(sources, truth.scenes)]
    share = seen_share(seen, places)
    if share > 0:
        notes.append(
            f"About {share:.0%} of these pixels are among those that the model learned from or "
            "was chosen with."
        )
    return share > 0


def _about(
    bundle: Bundle,
    inputs: Sequence[str],
    labels: Sequence[str],
    fields: Sequence[str],
    strata: Sequence[str],
    truth: Labels,
) -> dict[str, str]:
    def names(paths: Sequence[str]) -> str:
        shown = [Path(path).name for path in paths]
        more = len(shown) - _NAMED
        return ", ".join(shown[:_NAMED]) + (f" and {more} more" if more > 0 else "")

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
        f"The model was applied as it is, and all {pixels:,} valid labelled pixels were compared "
        "with what the map says there, seams and blending of tiles included."
    )
    if stratified:
        told += " For the areas the labels are taken as a random sample within each stratum."
    return told


def _summary(
    judged: Union[ClassificationAssessment, RegressionAssessment],
    areas: Optional[AreaEstimate],
    notes: Sequence[str],
) -> dict[str, Any]:
    told = judged.to_json()
    summary: dict[str, Any] = {"pixels": told["pixels"], "groups": told["groups"]}
    if isinstance(judged, ClassificationAssessment):
        summary.update({name: told["overall"][name]["value"] for name in _KEY_FIGURES})
        if areas is not None:
            adjusted = areas.to_json()["overall_accuracy"]["value"]
            summary["area_adjusted_overall_accuracy"] = adjusted
    else:
        summary["targets"] = {
            target["name"]: {name: target[name]["value"] for name in ("r2", "rmse", "bias")}
            for target in told["targets"]
        }
    return {**summary, "notes": list(notes)}
