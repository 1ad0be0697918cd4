"""The file of the model ``cover``: its graph, card and self-test."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from hyperkd.atomic import AtomicFile
from hyperkd.inference.self_test import steady_self_test
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.seal import sealed
from hyperkd.models.spectral_onnx import spectral_graph
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.synth.endmembers import COVER_NAMES
from hyperkd.training.export import deepness_keys
from hyperkd.training.finetune.finetuned_card import with_card
from hyperkd.training.physics.fit_cover import FittedCover

# As maps of land cover have them.
COLOURS: Final = {
    "built": "#c8283c",
    "bare soil": "#b08050",
    "herbaceous": "#a6d854",
    "trees": "#1f7a3d",
    "dry vegetation": "#e8c860",
    "water": "#3070d0",
    "snow": "#d8f4ff",
    "cloud": "#a0a0a8",
}
# Of the model's bands; the training leaves out up to this many.
_MISSING: Final = 0.5
_TILE_PX: Final = 64


def write_cover(
    path: Path,
    fitted: FittedCover,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    missing_error: Sequence[tuple[float, float]],
) -> ModelCard:
    """Write the model and return its card.

    Args:
        training, metrics, missing_error: see ``ModelCard``.

    Raises:
        HyperKDError: as ``AtomicFile``.
    """
    weights = fitted.weights()
    card = ModelCard(
        name="cover",
        task="regression",
        bands=canonical_bands(),
        mean=tuple(weights["mean"].tolist()),
        std=tuple(weights["std"].tolist()),
        patch_px=1,
        tile_px=_TILE_PX,
        receptive_field_px=1,
        embedding_dim=len(weights["answer.weight"][0]),
        licence="GPL-2.0-or-later",
        created=datetime.date.today().isoformat(),
        targets=tuple(
            {"name": name, "unit": "", "minimum": 0.0, "maximum": 1.0, "color": COLOURS[name]}
            for name in COVER_NAMES
        ),
        architecture={"method": "network for single spectra", "widths": _widths(fitted)},
        training=training,
        metrics=metrics,
        has_spread=True,
        has_applicability=True,
        has_embedding=True,
        missing_bands=_MISSING,
        missing_error=tuple(missing_error),
    )
    graph = spectral_graph(weights, np.asarray(fitted.error_scale), fitted.density)
    for key, value in {CARD_KEY: card.to_json(), **deepness_keys(card)}.items():
        graph.metadata_props.add(key=key, value=value)
    with AtomicFile(path) as part:
        draft = Path(part.temporary)
        draft.write_bytes(sealed(graph))
        card = dataclasses.replace(card, self_test=steady_self_test(open_bundle(draft)))
        draft.write_bytes(with_card(draft, card))
    return card


def _widths(fitted: FittedCover) -> list[int]:
    network = fitted.network
    layers = [network.spectrum, *network.hidden]
    return [int(layer.weight.shape[0]) for layer in layers]
