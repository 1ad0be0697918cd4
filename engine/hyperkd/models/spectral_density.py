"""How like the spectra that a network learned from a spectrum is: a density, and its graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hyperkd.models.pixel_graph import PixelGraph
from hyperkd.types import FloatArray

# From here on a spectrum counts as known; 1 in 100 of those that were kept aside lies below.
KNOWN: Final = 0.5
# What the logistic function makes 0.95 of: where the median of the spectra lies.
USUAL: Final = float(np.log(19))
# As much at the middle of the bounds of brightness.
_STEEP: Final = 10.0


@dataclass(frozen=True, eq=False)
class SpectralDensity:
    """A mixture of normal distributions of the shape of spectra, and bounds of their brightness.

    The shape is a spectrum divided by its brightness, along m directions.

    Attributes:
        directions: ``(m, C)``.
        least: reflectance; darker spectra are not divided by less.
        log_weight: ``(k,)`` logarithm of each distribution's weight, its determinant included.
        mean: ``(k, m)``.
        whitening: ``(k, m, m)``; makes differences to the mean standard normal.
        limit: log density that 1 in 100 spectra falls short of.
        width: log density between the median of the spectra and the limit.
        brightness: least and largest mean reflectance.
    """

    directions: FloatArray
    least: float
    log_weight: FloatArray
    mean: FloatArray
    whitening: FloatArray
    limit: float
    width: float
    brightness: tuple[float, float]

    def shape(self, reflectance: FloatArray) -> FloatArray:
        """Return the ``(n, m)`` shape of ``(n, C)`` spectra."""
        brightness = reflectance.mean(axis=1, keepdims=True)
        found: FloatArray = reflectance @ self.directions.T / np.hypot(brightness, self.least)
        return found

    def log_density(self, reflectance: FloatArray) -> FloatArray:
        """Return ``(n,)`` of ``(n, C)`` spectra, but for a constant."""
        apart = self.shape(reflectance)[:, None] - self.mean
        distance = np.einsum("kij,nkj->nki", self.whitening, apart)
        each = self.log_weight - 0.5 * np.square(distance).sum(axis=2)
        found: FloatArray = np.logaddexp.reduce(each, axis=1)
        return found

    def applicability(self, reflectance: FloatArray) -> FloatArray:
        """Return ``(n,)``, from 0, unlike all that was learned from, to 1; see ``KNOWN``."""
        likely = USUAL * (self.log_density(reflectance) - self.limit) / self.width
        low, high = self.brightness
        off = np.abs(reflectance.mean(axis=1) - (low + high) / 2) / ((high - low) / 2)
        found: FloatArray = 1 / (1 + np.exp(-np.minimum(likely, _STEEP * (1 - off))))
        return found

    def add_to(self, graph: PixelGraph) -> str:
        """Add the applicability of ``pixels`` and return the name of its tensor."""
        count, size = self.mean.shape
        bands = self.directions.shape[1]
        brightness = graph.product(
            "pixels", np.full((1, bands), 1 / bands), np.zeros(1), "brightness"
        )
        squared = graph.node("Mul", [brightness, brightness], "brightness_squared")
        floor = graph.constant("least_squared", np.full((), self.least**2))
        size_of = graph.node("Sqrt", [graph.node("Add", [squared, floor], "floored")], "divisor")
        along = graph.product("pixels", self.directions, np.zeros(size), "directions")
        shape = graph.node("Div", [along, size_of], "shape")
        offset = -np.einsum("kij,kj->ki", self.whitening, self.mean)
        apart = graph.product(shape, self.whitening.reshape(-1, size), offset.ravel(), "apart")
        distance = graph.node("Mul", [apart, apart], "distance")
        halves = np.kron(np.eye(count), np.full((1, size), -0.5))
        each = graph.product(distance, halves, self.log_weight, "each_log_density")
        axis = graph.constant("channels", [1], np.int64)
        density = graph.node("ReduceLogSumExp", [each, axis], "log_density", keepdims=1)
        slope = USUAL / self.width
        likely = _line(graph, density, slope, -slope * self.limit, "likely")
        low, high = self.brightness
        half = (high - low) / 2
        off = _line(graph, brightness, 1 / half, -(low + high) / (2 * half), "off_middle")
        bright = _line(graph, graph.node("Abs", [off], "off"), -_STEEP, _STEEP, "bright")
        both = graph.node("Min", [likely, bright], "worse")
        return graph.node("Sigmoid", [both], "applicability")


def _line(graph: PixelGraph, source: str, slope: float, offset: float, name: str) -> str:
    factor = graph.constant(f"{name}.slope", np.full((), slope))
    scaled = graph.node("Mul", [source, factor], f"{name}.scaled")
    return graph.node("Add", [scaled, graph.constant(f"{name}.offset", np.full((), offset))], name)
