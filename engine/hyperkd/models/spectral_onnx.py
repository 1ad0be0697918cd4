"""The graph of a network for single spectra, from its weights; torch is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from hyperkd.models.onnx_graph import PRESENT
from hyperkd.models.pixel_graph import PixelGraph
from hyperkd.models.spectral_density import SpectralDensity
from hyperkd.types import FloatArray

if TYPE_CHECKING:
    from onnx import ModelProto

# Of a fraction, before it is set right: the likelihood of one that is always 0 has no bound.
LEAST_ERROR: Final = 0.005
LARGEST_ERROR: Final = 0.5


def spectral_graph(
    weights: Mapping[str, FloatArray], error_scale: FloatArray, density: SpectralDensity
) -> ModelProto:
    """Return the graph that gives values and the embedding, without a card.

    The values are fractions, their standard errors, and the applicability.

    Args:
        weights: of a ``SpectralNet``, by the names of its parameters and buffers.
        error_scale: ``(K,)`` what the network's errors are multiplied by to be true ones.
        density: of the spectra that the network learned from.
    """
    mean, std = weights["mean"], weights["std"]
    graph = PixelGraph(len(mean))
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
        layer += 1
        ends = f"hidden.{layer}.weight" not in weights
        last = graph.node("Relu", [last], "embedding" if ends else f"{name}_active")
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
    applicability = density.add_to(graph)
    answer = graph.node("Concat", [fractions, errors, applicability], "answer", axis=1)
    width, features = 2 * len(error_scale) + 1, weights["answer.weight"].shape[1]
    return graph.finish(answer, "values", width, name="spectral", also={"embedding": features})
