"""The card of a fine-tuned model, and writing it once its scores are known."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from hyperkd.evaluation.splits.fingerprint import fingerprint
from hyperkd.evaluation.splits.split_parts import TRAIN, VALIDATION, Split
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.seal import sealed
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.training.common.checkpoint import architecture
from hyperkd.training.finetune.fit import Fit, FitSettings


def card_of(
    fitted: Fit,
    name: str,
    labels: Labels,
    split: Split,
    sources: Sequence[RasterSource],
    settings: FitSettings,
    seed: int,
    units: Sequence[str] = (),
) -> ModelCard:
    """Describe a fine-tuned model; nothing of it says where a file lay or how long it took.

    Args:
        fitted: the model.
        name: of the model.
        labels, split, sources: what it learned from.
        settings, seed: how.
        units: of the targets, in their order.
    """
    base = fitted.base
    head = fitted.model.head.config
    classes: tuple[Mapping[str, Any], ...] = tuple(
        {"name": item.name, "value": item.value, "color": item.colour} for item in labels.classes
    )
    return dataclasses.replace(
        base.card,
        name=name,
        task=labels.task,
        receptive_field_px=fitted.receptive_field_px,
        licence="",
        created=datetime.date.today().isoformat(),
        classes=classes,
        targets=_targets(labels, split, units),
        temperature=fitted.temperature,
        parents=() if base.checksum is None else (base.checksum,),
        architecture=architecture(base.preset, base.encoder.config, head),
        training=_training(fitted, labels, split, sources, settings, seed),
        metrics={},
        self_test=None,
    )


def _targets(labels: Labels, split: Split, units: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    if labels.task == "classification":
        return ()
    learned = np.isin(np.concatenate(split.parts), (TRAIN, VALIDATION))
    values = labels.values[learned]
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
    settings: FitSettings,
    seed: int,
) -> dict[str, Any]:
    found, tuned = fitted.found, fitted.tuned
    places = [
        (source.grid, scene.rows[taught], scene.cols[taught])
        for source, scene, part in zip(sources, labels.scenes, split.parts)
        for taught in [np.isin(part, (TRAIN, VALIDATION))]
    ]
    return {
        "objective": labels.task,
        "student": fitted.base.card.name,
        "tune": fitted.tune,
        "linear": dataclasses.asdict(found.plan),
        "committee_epochs": found.epochs,
        "encoder_epochs": 0 if tuned is None else tuned.epochs,
        "pixels": fitted.pixels,
        "scenes": len(sources),
        "held_out": {key: round(value, 6) for key, value in fitted.scores.items()},
        "split": split.summary(),
        "settings": _settings(settings),
        "seed": seed,
        "threads": torch.get_num_threads(),
        "labels_seen": fingerprint(places),
    }


def _settings(settings: FitSettings) -> dict[str, Any]:
    """Return settings as a card tells them: the names of models, not where they lay."""
    told = dataclasses.asdict(settings)
    for key in ("previous", "teacher"):
        if told[key] is not None:
            told[key] = Path(told[key]).name
    return told


def with_card(model: Path, card: ModelCard) -> bytes:
    """Return an exported model with a card that tells more of it.

    Args:
        model: the file that ``export_model`` wrote.
        card: the card that it returned, with scores added.
    """
    graph = onnx.load(str(model))
    for entry in graph.metadata_props:
        if entry.key == CARD_KEY:
            entry.value = card.to_json()
    return sealed(graph)
