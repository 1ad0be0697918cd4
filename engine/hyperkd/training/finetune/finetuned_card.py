"""The card of a fine-tuned model, and writing it once its scores are known."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch

from hyperkd.evaluation.splits.fingerprint import fingerprint
from hyperkd.evaluation.splits.split_parts import TRAIN, VALIDATION, Split
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.seal import sealed
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.training.common.augment import AugmentConfig
from hyperkd.training.common.checkpoint import architecture
from hyperkd.training.finetune.fit import Fit

# Options that a card holds by their names, and those of the augmentation together.
_SETTINGS: Final = (
    *("tune", "epochs", "learning_rate", "class_weights", "label_smoothing", "augmentation"),
    *("last", "rank", "previous", "previous_weight", "teacher", "teacher_weight", "device"),
)


def card_of(
    fitted: Fit, labels: Labels, split: Split, sources: Sequence[RasterSource], request: FinetuneJob
) -> ModelCard:
    """Describe a fine-tuned model, without paths and times.

    Args:
        labels, split, sources: what it was trained on.
        request: the options; the output gives its name.
    """
    base, physics = fitted.base, fitted.physics
    head = fitted.model.head.config
    classes: tuple[Mapping[str, Any], ...] = tuple(
        {"name": item.name, "value": item.value, "color": item.colour} for item in labels.classes
    )
    return dataclasses.replace(
        base.card,
        name=Path(request.output).stem,
        task=labels.task,
        receptive_field_px=fitted.receptive_field_px,
        licence="",
        created=datetime.date.today().isoformat(),
        classes=classes,
        targets=_targets(labels, split, request.unit),
        temperature=fitted.temperature,
        parents=tuple(
            checksum
            for checksum in (base.checksum, None if physics is None else physics.checksum)
            if checksum is not None
        ),
        architecture=architecture(base.preset, base.encoder.config, head, fitted.model.physics),
        training=_training(fitted, labels, split, sources, request),
        metrics={},
        self_test=None,
    )


def _targets(labels: Labels, split: Split, units: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    if labels.task == "classification":
        return ()
    seen = np.isin(np.concatenate(split.parts), (TRAIN, VALIDATION))
    values = labels.values[seen]
    padded = [*units, *([""] * (len(labels.targets) - len(units)))]
    return tuple(
        {
            "name": name,
            "unit": unit,
            "minimum": float(np.nanmin(column)),
            "maximum": float(np.nanmax(column)),
        }
        for name, unit, column in zip(labels.targets, padded, values.T)
    )


def _training(
    fitted: Fit,
    labels: Labels,
    split: Split,
    sources: Sequence[RasterSource],
    request: FinetuneJob,
) -> dict[str, Any]:
    search, tuned, physics = fitted.search, fitted.tuned, fitted.physics
    pixels = [
        (source.grid, scene.rows[seen], scene.cols[seen])
        for source, scene, part in zip(sources, labels.scenes, split.parts)
        for seen in [np.isin(part, (TRAIN, VALIDATION))]
    ]
    return {
        "objective": labels.task,
        "student": fitted.base.card.name,
        "physics": None if physics is None else physics.name,
        "tune": fitted.tune,
        "linear": dataclasses.asdict(search.hyperparameters),
        "committee_epochs": search.epochs,
        "encoder_epochs": 0 if tuned is None else tuned.epochs,
        "pixels": fitted.pixels,
        "scenes": len(sources),
        "held_out": {key: round(value, 6) for key, value in fitted.scores.items()},
        "split": split.summary(),
        "settings": _settings(request),
        "seed": request.seed,
        "threads": torch.get_num_threads(),
        "labels_seen": fingerprint(pixels),
    }


def _settings(request: FinetuneJob) -> dict[str, Any]:
    """Return the options as a card holds them: the names of models, not their paths."""
    augmentation = AugmentConfig(request.illumination, request.noise, request.band_dropout)
    together = dataclasses.asdict(augmentation)
    settings: dict[str, Any] = {name: getattr(request, name, together) for name in _SETTINGS}
    for key in ("previous", "teacher"):
        if settings[key] is not None:
            settings[key] = Path(settings[key]).name
    return settings


def with_card(model: Path, card: ModelCard) -> bytes:
    """Return an exported model with another card.

    Args:
        model: the file that ``export_model`` wrote.
        card: the card that it returned, with scores added.
    """
    graph = onnx.load(str(model))
    for entry in graph.metadata_props:
        if entry.key == CARD_KEY:
            entry.value = card.to_json()
    return sealed(graph)
