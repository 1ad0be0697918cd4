"""Reference labels in a model's classes or targets, and what the model predicts there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Optional, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.label_matching import fitting_labels
from hyperkd.inference.predict import predict_at
from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.models.card import ModelCard
from hyperkd.raster.labels.read_labels import Labels, read_labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.shared_options import TileOptions
from hyperkd.sentences import counted
from hyperkd.types import Reporter


def require_predictions(card: ModelCard) -> None:
    """Refuse a model without predictions that labels could be compared with.

    Raises:
        HyperKDError: ``bad_model`` for a student.
    """
    if card.task == "pretrain":
        raise HyperKDError(
            "bad_model",
            f"The model {card.name} is a student that was not fine-tuned: it predicts nothing "
            "to compare with labels.",
            "Fine-tune it first, and evaluate the model that this gives.",
        )


def read_truth(
    sources: Sequence[RasterSource],
    paths: Sequence[str],
    card: ModelCard,
    field: Sequence[str],
    margin: float,
    nodata: Sequence[str],
    report: Reporter,
) -> Labels:
    """Return labels in the classes or targets of the model, whose names are the default fields.

    Args:
        paths: label files, each tried on every scene.
        field: the class field, or the fields of the targets; none: see above.
        margin: how far inside a polygon a pixel's centre must lie, in pixels.
        nodata: values that mean no label, see ``read_labels``.

    Raises:
        HyperKDError: as ``read_labels`` and ``fitting_labels``.
    """
    found = read_labels(
        sources,
        paths,
        task=card.task,
        fields=tuple(field) or tuple(str(target["name"]) for target in card.targets),
        margin_px=margin,
        minimum_samples=1,
        nodata=nodata,
        report=report,
    )
    fitting = fitting_labels(found, card, bool(field))
    for problem in fitting.problems[len(found.problems) :]:
        report.problem(problem, card.name)
    return fitting


def predict_labels(
    sources: Sequence[RasterSource],
    model: Union[Path, Bundle],
    labels: Labels,
    options: TileOptions,
    report: Reporter,
    chosen: Optional[NDArray[np.bool_]] = None,
) -> NDArray[np.float32]:
    """Return what the map of each scene is made from at the labelled pixels of all scenes.

    Args:
        model: for classification or regression.
        labels: n pixels.
        options: how to run the model.
        chosen: ``(n,)`` which pixels; all where it is None.

    Returns:
        Of the chosen pixels ``(k, K)`` float32 logits, not divided by the temperature, or
        ``(k, T)`` values.

    Raises:
        HyperKDError: as ``predict_at``.
    """
    bundle = model if isinstance(model, Bundle) else open_bundle(model)
    if chosen is None:
        chosen = np.ones(len(labels), np.bool_)
    outputs, first = [], 0
    for source, scene in zip(sources, labels.scenes):
        here = chosen[first : first + len(scene)]
        first += len(scene)
        if here.any():
            pixels = scene.rows[here], scene.cols[here]
            outputs.append(predict_at(source, bundle, pixels, options=options, report=report))
    return np.concatenate(outputs)


def without_untold(
    card: ModelCard, labels: Labels, outputs: NDArray[np.float32], notes: list[str]
) -> tuple[Labels, NDArray[np.float32]]:
    """Return labels and values without those that the model does not tell, as of water on land.

    Args:
        outputs: ``(n, T)`` values at the labels, NaN where a target does not apply.
        notes: gets how many labels do not count for that.

    Returns:
        Labels that are NaN there, and finite values.

    Raises:
        HyperKDError: ``no_labels`` where no label of a target is left.
    """
    untold = np.isnan(outputs)
    if card.task != "regression" or not untold.any():
        return labels, outputs
    values = np.where(untold, np.nan, labels.values)
    for number, target in enumerate(card.targets):
        lost = np.isfinite(labels.values[:, number]) & untold[:, number]
        if not np.isfinite(values[:, number]).any():
            raise HyperKDError(
                "no_labels",
                f"{card.name} tells no {target['name']} at any of its labels: it finds too little "
                "there of what has one.",
                "Give labels elsewhere.",
            )
        if lost.any():
            notes.append(
                f"{card.name} tells no {target['name']} at {counted(int(lost.sum()), 'label')} of "
                "it; these do not count."
            )
    ends = np.cumsum([len(scene) for scene in labels.scenes])
    scenes = tuple(
        replace(scene, values=part)
        for scene, part in zip(labels.scenes, np.split(values, ends[:-1]))
    )
    return replace(labels, scenes=scenes), np.where(untold, np.float32(0), outputs)
