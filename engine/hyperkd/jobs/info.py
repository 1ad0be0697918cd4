"""``hyperkd info``: what a raster or a model is, for a person and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.reports.raster_facts import (
    band_lines,
    describe_bands,
    describe_raster,
    description_lines,
)
from hyperkd.jobs.events import plain
from hyperkd.models.bundle import open_bundle, read_checkpoint_card
from hyperkd.models.card import ModelCard
from hyperkd.models.store.registry import resolve, shipped_models
from hyperkd.open_scene import look_at_scene
from hyperkd.raster.products.enmap import EnmapProduct, read_enmap_product
from hyperkd.raster.products.recognise import recognise
from hyperkd.requests.prepare_options import InfoJob
from hyperkd.spectral.preprocessing import input_map
from hyperkd.types import BandTable, Reporter

# PyTorch's own files are not models of ours; the reader of models says so better than GDAL.
_MODEL_SUFFIXES = (".onnx", ".pt", ".pth", ".ckpt")
_CHECKPOINT_SUFFIX = ".safetensors"


def info(request: InfoJob, report: Reporter) -> dict[str, Any]:
    """Return what the file at ``path`` is; the key ``text`` says the same to a person.

    Raises:
        HyperKDError: as ``open_raster``, ``open_bundle`` and ``read_checkpoint_card``.
    """
    suffix = os.path.splitext(request.path)[1].lower()
    if suffix == _CHECKPOINT_SUFFIX:
        card = read_checkpoint_card(request.path)
        summary = {"kind": "checkpoint", "path": request.path, "card": json.loads(card.to_json())}
        lines = _card_lines(card)
    elif suffix in _MODEL_SUFFIXES:
        bundle = open_bundle(request.path)
        summary = {
            "kind": "model",
            "path": request.path,
            "sha256": bundle.sha256,
            "outputs": list(bundle.outputs),
            "card": json.loads(bundle.card.to_json()),
        }
        lines = [f"Outputs: {', '.join(bundle.outputs)}", *_card_lines(bundle.card)]
        lines.append(f"SHA-256: {bundle.sha256}")
    elif (product := _empty_product(request.path)) is not None:
        summary = plain(_product_summary(request.path, product))
        lines = _product_lines(summary)
    else:
        with look_at_scene(request.path, request) as source:
            facts = describe_raster(source, report)
            summary = plain({**facts, "students": _models(source.bands)})
        lines = description_lines(summary)
        lines += [f"Model {name}: {verdict}" for name, verdict in summary["students"].items()]
        lines += [f"Problem: {_sentence(problem)}" for problem in summary["problems"]]
    head = f"{summary['kind'].capitalize()} {request.path}"
    return {**summary, "text": "\n  ".join([head, *lines])}


def _empty_product(path: str) -> Optional[EnmapProduct]:
    """Return the EnMAP product at ``path`` where its image is a file of 0 bytes."""
    found = recognise(Path(path))
    if found is None or found.mission != "EnMAP":
        return None
    product = read_enmap_product(found.files, found.metadata)
    return product if product.image_is_empty else None


def _sentence(problem: Mapping[str, Any]) -> str:
    return f"{problem['message']} {problem['hint']} [{problem['code']}]".replace("  ", " ")


def _product_summary(path: str, product: EnmapProduct) -> dict[str, Any]:
    """Return what an EnMAP product says of itself although its image is empty."""
    metadata = product.metadata
    return {
        "kind": "product",
        "path": path,
        "width": metadata.width,
        "height": metadata.height,
        "acquired": metadata.start_time,
        "schema": metadata.schema,
        "cover_percent": dict(metadata.cover_percent),
        **describe_bands(metadata.bands),
        "empty_images": list(product.empty),
    }


def _product_lines(summary: Mapping[str, Any]) -> list[str]:
    return [
        f"EnMAP L2A: acquired {summary['acquired']}, metadata schema {summary['schema']}",
        f"Size: {summary['width']} x {summary['height']} px",
        *band_lines(summary),
        f"Cover in per cent: {_flat(summary['cover_percent'])}",
        f"Problem: images of 0 bytes: {', '.join(summary['empty_images'])}",
    ]


def _models(bands: BandTable) -> dict[str, str]:
    """Return for each shipped model ``suits``, or why it does not."""
    verdicts = {}
    for name in shipped_models():
        try:
            card = open_bundle(resolve(name)).card
            mean, std = np.array(card.mean), np.array(card.std)
            input_map(bands, card.bands, mean, std, max_extrapolated=card.may_lack)
            verdicts[name] = "suits"
        except HyperKDError as error:
            verdicts[name] = error.message
    return verdicts


def _card_lines(card: ModelCard) -> list[str]:
    centre = card.bands.centre_nm
    lines = [
        f"Name: {card.name}",
        f"Task: {card.task}",
        f"Bands: {len(centre)}, {centre.min():.2f} to {centre.max():.2f} nm",
        f"Units: {card.units}; nodata: {card.nodata}",
        f"Sizes: patch {card.patch_px} px, tile {card.tile_px} px, "
        f"receptive field {card.receptive_field_px} px, pixel {card.ground_sampling_m:g} m",
        f"Embedding: {card.embedding_dim} channels",
        f"Licence: {card.licence}; created {card.created}",
    ]
    if card.has_applicability:
        lines.append("Says of each pixel how like it is to what it learned from (applicability)")
    if card.missing_bands:
        lines.append(f"Bands that a raster may lack: up to {card.missing_bands:.0%}")
    if card.task == "classification":
        lines.append(f"Temperature of the probabilities: {card.temperature:.4g}")
    for title in ("quantisation", "teacher", "architecture", "training", "metrics"):
        values = getattr(card, title)
        if values:
            lines.append(f"{title.capitalize()}: {_flat(values)}")
    lines += [f"Class: {_flat(item)}" for item in card.classes]
    lines += [f"Target: {_flat(item)}" for item in card.targets]
    return lines


def _flat(value: Any) -> str:
    """Return nested values on one line: ``epochs 3, data (scenes 4, tiles 9)``."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} ({_flat(item)})" if isinstance(item, Mapping) else f"{name} {_flat(item)}"
            for name, item in value.items()
        )
    if isinstance(value, (list, tuple)):
        return " ".join(_flat(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
