"""The file of a network for single spectra: its card, and its graph with a self-test."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hyperkd.atomic import AtomicFile
from hyperkd.inference.self_test import steady_self_test
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.nets.spectral_net import SpectralNet
from hyperkd.models.seal import sealed
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.training.export import deepness_keys
from hyperkd.training.finetune.finetuned_card import with_card

# Of the model's bands; the training leaves out up to this many.
_MISSING: Final = 0.5
_TILE_PX: Final = 64


def spectral_card(
    name: str,
    network: SpectralNet,
    targets: Sequence[Mapping[str, Any]],
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    missing_error: Sequence[tuple[float, float]],
) -> ModelCard:
    """Return the card of a network that gives values with standard errors, and its applicability.

    Args:
        targets, training, metrics, missing_error: see ``ModelCard``.
    """
    widths = [int(layer.weight.shape[0]) for layer in (network.spectrum, *network.hidden)]
    return ModelCard(
        name=name,
        task="regression",
        bands=canonical_bands(),
        mean=tuple(network.mean.double().tolist()),
        std=tuple(network.std.double().tolist()),
        patch_px=1,
        tile_px=_TILE_PX,
        receptive_field_px=1,
        embedding_dim=widths[-1],
        licence="GPL-2.0-or-later",
        created=datetime.date.today().isoformat(),
        targets=tuple(targets),
        architecture={"method": "network for single spectra", "widths": widths},
        training=training,
        metrics=metrics,
        has_spread=True,
        has_applicability=True,
        has_embedding=True,
        missing_bands=_MISSING,
        missing_error=tuple(missing_error),
    )


def write_spectral(path: Path, card: ModelCard, graph: Any) -> ModelCard:
    """Write a model and return its card, with the self-test.

    Args:
        graph: an ONNX model without a card.

    Raises:
        HyperKDError: as ``AtomicFile``.
    """
    for key, value in {CARD_KEY: card.to_json(), **deepness_keys(card)}.items():
        graph.metadata_props.add(key=key, value=value)
    with AtomicFile(path) as part:
        draft = Path(part.temporary)
        draft.write_bytes(sealed(graph))
        card = dataclasses.replace(card, self_test=steady_self_test(open_bundle(draft)))
        draft.write_bytes(with_card(draft, card))
    return card
