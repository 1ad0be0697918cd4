"""The graph of a network for the traits of single spectra, from its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from hyperkd.models.pixel_graph import PixelGraph
from hyperkd.models.spectral_density import SpectralDensity
from hyperkd.models.spectral_onnx import LEAST_ERROR, spectral_answer, spectral_features
from hyperkd.types import BoolArray, FloatArray

if TYPE_CHECKING:
    from onnx import ModelProto

# In the place of a standard error where a pixel has too little of what the trait belongs to.
DOES_NOT_APPLY: Final = -1.0


@dataclass(frozen=True, eq=False)
class TraitScale:
    """How the answers of a network become T traits in their units.

    Attributes:
        centre, spread: ``(T,)`` of the trait, or of its logarithm.
        logarithmic: ``(T,)`` whether the network gives the logarithm.
        low, high: ``(T,)`` of the training; a trait beyond them is set to them.
        error_scale: ``(T,)`` what the network's errors are to be multiplied by.
        part: ``(T,)`` position of the part of a pixel that the trait is true of.
        least_share: of that part, for the trait to apply.
    """

    centre: FloatArray
    spread: FloatArray
    logarithmic: BoolArray
    low: FloatArray
    high: FloatArray
    error_scale: FloatArray
    part: Sequence[int]
    least_share: float

    def take(self, places: Sequence[int]) -> TraitScale:
        """Return the scale of some of the traits."""
        chosen = list(places)
        return replace(
            self,
            part=[self.part[place] for place in chosen],
            **{
                name: getattr(self, name)[chosen]
                for name in ("centre", "spread", "logarithmic", "low", "high", "error_scale")
            },
        )

    @property
    def largest_error(self) -> FloatArray:
        """``(T,)`` half of the range: whoever knows nothing is not further off."""
        return (self.high - self.low) / 2

    @property
    def least_logit(self) -> float:
        """The logit of ``least_share``."""
        return float(np.log(self.least_share / (1 - self.least_share)))


def trait_graph(
    weights: Mapping[str, FloatArray], scale: TraitScale, density: SpectralDensity
) -> ModelProto:
    """Return the graph that gives traits in their units and standard errors, without a card.

    Errors are those of the first order: of a logarithm, times the trait. Where a trait does
    not apply the error is ``DOES_NOT_APPLY``; its value means nothing then.

    Args:
        weights: of a ``SpectralNet`` whose answers are T traits, standardised, and a logit for
            the share of each part, by the names of its parameters and buffers.
        density: of the spectra that the network learned from.
    """
    count = len(scale.centre)
    graph = PixelGraph(len(weights["mean"]))
    features = spectral_features(graph, weights)

    def channels(name: str, values: FloatArray) -> str:
        return graph.constant(name, values[:, None, None])

    weight, bias = weights["answer.weight"], weights["answer.bias"]
    plain = graph.product(
        features,
        weight[:count] * scale.spread[:, None],
        bias[:count] * scale.spread + scale.centre,
        "plain",
    )
    logarithmic = graph.constant("logarithmic", scale.logarithmic[:, None, None], np.bool_)
    power = graph.node("Exp", [plain], "power")
    values = graph.node("Where", [logarithmic, power, plain], "in_units")
    # What the network gives for odd spectra has no bound, and its exponential overflows.
    values = graph.node("Min", [values, channels("highest", scale.high)], "below")
    values = graph.node("Max", [values, channels("lowest", scale.low)], "traits")
    slope = graph.node("Where", [logarithmic, values, channels("one", np.ones(count))], "slope")
    errors = _errors(graph, weights, features, scale)
    errors = graph.node("Mul", [errors, slope], "errors")
    limit = channels("largest_error", scale.largest_error)
    errors = graph.node("Min", [errors, limit], "limited")
    rows = [count + part for part in scale.part]
    share = graph.product(features, weight[rows], bias[rows], "share")
    least = graph.constant("least_share", np.full((), scale.least_logit))
    applies = graph.node("GreaterOrEqual", [share, least], "applies")
    marked = graph.constant("does_not_apply", np.full((), DOES_NOT_APPLY))
    errors = graph.node("Where", [applies, errors, marked], "standard_error")
    return spectral_answer(graph, [values, errors], 2 * count, weights, density)


def _errors(
    graph: PixelGraph, weights: Mapping[str, FloatArray], features: str, scale: TraitScale
) -> str:
    """Return the errors of the traits or their logarithms."""
    count, factor = len(scale.centre), scale.error_scale * scale.spread
    bias = weights["error.bias"][:count] + np.log(factor)
    spread = graph.product(features, weights["error.weight"][:count], bias, "spread")
    least = graph.constant("least_spread", LEAST_ERROR * factor[:, None, None])
    return graph.node("Add", [graph.node("Exp", [spread], "exp"), least], "error")
