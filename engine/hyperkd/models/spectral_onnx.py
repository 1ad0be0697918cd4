"""The graph of a network for single spectra, from its weights; torch is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from hyperkd.models.onnx_graph import PRESENT
from hyperkd.models.pixel_graph import PixelGraph
from hyperkd.types import FloatArray

if TYPE_CHECKING:
    from onnx import ModelProto

# Of a fraction, before it is set right: the likelihood of one that is always 0 has no bound.
LEAST_ERROR: Final = 0.005
LARGEST_ERROR: Final = 0.5


def spectral_graph(weights: Mapping[str, FloatArray], error_scale: FloatArray) -> ModelProto:
    """Return the graph that gives fractions and their standard errors, without a card.

    Args:
        weights: of a ``SpectralNet``, by the names of its parameters and buffers.
        error_scale: ``(K,)`` what the network's errors are multiplied by to be true ones.
    """
    graph = PixelGraph(len(weights["mean"]))
    last = spectral_features(graph, weights)
    logits = graph.product(last, weights["answer.weight"], weights["answer.bias"], "logits")
    fractions = graph.node("Softmax", [logits], "fractions", axis=1)
    scaled = weights["error.bias"] + np.log(error_scale)
    errors = graph.node(
        "Exp", [graph.product(last, weights["error.weight"], scaled, "spread")], "exp"
    )
    least = graph.constant("least", LEAST_ERROR * error_scale[:, None, None])
    errors = graph.node("Add", [errors, least], "error")
    largest = graph.constant("largest", np.full((), LARGEST_ERROR))
    errors = graph.node("Min", [errors, largest], "standard_error")
    answer = graph.node("Concat", [fractions, errors], "answer", axis=1)
    return graph.finish(answer, "values", 2 * len(error_scale), name="spectral")


def spectral_features(graph: PixelGraph, weights: Mapping[str, FloatArray]) -> str:
    """Add the layers up to the embedding, and return its name."""
    mean, std = weights["mean"], weights["std"]
    stem = weights["spectrum.weight"] / std
    bias = weights["spectrum.bias"] - stem @ mean
    seen = graph.product("pixels", stem, bias, "spectrum")
    # A constant, which inference replaces where a raster lacks bands: see ``with_present``.
    graph.constant(PRESENT, np.ones((1, len(mean), 1, 1)))
    told = graph.product(PRESENT, weights["present.weight"], np.zeros(len(stem)), "told")
    last = graph.node("Relu", [graph.node("Add", [seen, told], "first")], "first_active")
    layer = 0
    while f"hidden.{layer}.weight" in weights:
        name = f"hidden{layer}"
        last = graph.product(
            last, weights[f"hidden.{layer}.weight"], weights[f"hidden.{layer}.bias"], name
        )
        last = graph.node("Relu", [last], f"{name}_active")
        layer += 1
    return last
