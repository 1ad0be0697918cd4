"""The file of the model ``cover``: its graph, card and self-test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from hyperkd.models.card import ModelCard
from hyperkd.models.spectral_onnx import spectral_graph
from hyperkd.synth.endmembers import COVER_NAMES
from hyperkd.training.physics.fit_cover import FittedCover
from hyperkd.training.physics.spectral_file import spectral_card, write_spectral

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
    card = spectral_card(
        "cover",
        fitted.network,
        [
            {"name": name, "unit": "", "minimum": 0.0, "maximum": 1.0, "color": COLOURS[name]}
            for name in COVER_NAMES
        ],
        training,
        metrics,
        missing_error,
    )
    graph = spectral_graph(fitted.weights(), np.asarray(fitted.error_scale), fitted.density)
    return write_spectral(path, card, graph)
