"""The file of the model ``traits``: its graph, card and self-test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hyperkd.models.card import ModelCard
from hyperkd.models.trait_onnx import trait_graph
from hyperkd.synth.endmembers import TRAIT_NAMES, TRAIT_UNITS
from hyperkd.training.physics.fit_traits import FittedTraits
from hyperkd.training.physics.simulated_spectra import PART_NAMES
from hyperkd.training.physics.spectral_file import spectral_card, write_spectral

# As users call them. The chlorophyll of water is learned with the others but not told: of
# held-out waters the network explains 5 % of its variance.
TITLES: Final = {
    "lai": "leaf area index",
    "leaf_chlorophyll": "leaf chlorophyll",
    "leaf_water": "leaf water",
    "dry_matter": "dry matter",
    "soil_moisture": "soil moisture",
    "suspended_matter": "suspended matter",
}


def write_traits(
    path: Path,
    fitted: FittedTraits,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    missing_error: Sequence[tuple[float, float]],
) -> ModelCard:
    """Write the model and return its card; a target says which part of a pixel it is true of.

    Args:
        training, metrics, missing_error: see ``ModelCard``.

    Raises:
        HyperKDError: as ``AtomicFile``.
    """
    places, scale = [TRAIT_NAMES.index(name) for name in TITLES], fitted.scale
    targets = [
        {
            "name": TITLES[name],
            "unit": TRAIT_UNITS[name],
            "minimum": float(scale.low[place]),
            "maximum": float(scale.high[place]),
            "part": PART_NAMES[scale.part[place]],
            "least_part": scale.least_share,
        }
        for place, name in zip(places, TITLES)
    ]
    card = spectral_card("traits", fitted.network, targets, training, metrics, missing_error)
    weights, shares = fitted.weights(), range(len(TRAIT_NAMES), len(fitted.network.answer.weight))
    for name, rows in (("answer", [*places, *shares]), ("error", places)):
        for part in ("weight", "bias"):
            weights[f"{name}.{part}"] = weights[f"{name}.{part}"][rows]
    graph = trait_graph(weights, scale.take(places), fitted.density)
    return write_spectral(path, card, graph)
