"""The truth in a model's own terms, and what the model answers there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.label_matching import fitting_labels
from hyperkd.inference.predict import predict_at
from hyperkd.models.bundle import Bundle
from hyperkd.models.card import ModelCard
from hyperkd.raster.labels.read_labels import Labels, read_labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.shared_options import TileOptions
from hyperkd.types import Reporter


def require_answers(card: ModelCard) -> None:
    """Refuse a model that gives nothing which labels could judge.

    Raises:
        HyperKDError: ``bad_model`` for a student.
    """
    if card.task == "pretrain":
        raise HyperKDError(
            "bad_model",
            f"The model {card.name} is a student that was not fine-tuned: it predicts nothing "
            "that labels could judge.",
            "Fine-tune it first, and evaluate the model that this gives.",
        )


def read_truth(
    sources: Sequence[RasterSource],
    paths: Sequence[str],
    card: ModelCard,
    field: Sequence[str],
    margin: float,
    report: Reporter,
) -> Labels:
    """Return labels in the classes or targets of the model, whose names are the default fields.

    Args:
        sources: the scenes.
        paths: label files, each tried on every scene.
        card: the model's.
        field: the class field, or the fields of the targets; none: see above.
        margin: how far inside a polygon a pixel's centre must lie, in pixels.
        report: where progress goes.

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
        report=report,
    )
    return fitting_labels(found, card, bool(field))


def answers_at(
    sources: Sequence[RasterSource],
    bundle: Bundle,
    truth: Labels,
    options: TileOptions,
    report: Reporter,
) -> NDArray[np.float32]:
    """Return logits or values at the labelled pixels of all scenes, ``(n, K)`` or ``(n, T)``.

    Raises:
        HyperKDError: as ``predict_at``.
    """
    found = []
    for source, scene in zip(sources, truth.scenes):
        if len(scene):
            report.stage(f"Predicting at the labels of {Path(source.path).name}")
            found.append(
                predict_at(source, bundle, (scene.rows, scene.cols), options=options, report=report)
            )
    return np.concatenate(found)
