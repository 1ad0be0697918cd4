"""From points on the ground to pixels: point spread, mixing, and what is true of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.synth.covers import AXES, COVERS
from hyperkd.synth.landscape import Ground
from hyperkd.synth.surface_spectra import SpectralLibrary
from hyperkd.types import Float32Array

# Ground points per pixel and axis, and the weights of the points of a pixel and
# of one point beyond each side: a triangle of 1.1 pixels full width at half
# maximum, the blur of optics, detector and resampling to the grid.
OVERSAMPLING = 3
POINT_SPREAD = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
MARGIN = (len(POINT_SPREAD) - OVERSAMPLING) // 2


@dataclass(frozen=True)
class Trait:
    """A continuous variable of the truth.

    Attributes:
        name: its name in files.
        unit: its unit in files, empty for a ratio.
        kinds: kinds of cover that have it; it is averaged over these alone.
    """

    name: str
    unit: str
    kinds: tuple[str, ...]


TRAITS = (
    Trait("lai", "m2/m2", ("canopy",)),
    Trait("leaf_chlorophyll", "ug/cm2", ("canopy",)),
    Trait("leaf_water", "cm", ("canopy",)),
    Trait("soil_moisture", "m3/m3", ("canopy", "soil")),
    Trait("water_chlorophyll", "mg/m3", ("water",)),
    Trait("suspended_matter", "g/m3", ("water",)),
)
# Below this share of a pixel a trait is not defined: no spectrum shows it.
MINIMUM_SHARE = 0.1
ILLUMINATION = Trait("illumination", "", ("canopy", "soil", "water", "built"))


@dataclass(frozen=True)
class MixedPixels:
    """A block of pixels without noise, and its truth.

    Attributes:
        reflectance: ``(bands, H, W)`` float32, 0 to 1.
        abundances: ``(covers, H, W)`` float32, share of area; they sum to 1.
        traits: ``(traits + 1, H, W)`` float32, NaN where undefined; the last is
            the illumination, the factor on the reflectance of flat ground.
    """

    reflectance: Float32Array
    abundances: Float32Array
    traits: Float32Array


def points(first_pixel: int, pixels: int) -> NDArray[np.float64]:
    """Return the positions, in pixels, of the ground points that pixels on one axis need."""
    first = OVERSAMPLING * first_pixel - MARGIN
    count = OVERSAMPLING * pixels + 2 * MARGIN
    return (np.arange(first, first + count) + 0.5) / OVERSAMPLING


def mix(ground: Ground, library: SpectralLibrary) -> MixedPixels:
    """Average the ground points of each pixel, linearly in reflectance.

    Args:
        ground: points as :func:`points` places them on both axes.
        library: the scene's spectra.
    """
    from scipy import sparse

    height, width = ((size - 2 * MARGIN) // OVERSAMPLING for size in ground.cover.shape)
    spread = sparse.kron(_spread(height), _spread(width), format="csr")
    share = _node_shares(ground, library)
    lit = sparse.diags(ground.illumination.ravel()) @ share
    reflectance = (spread @ lit) @ library.nodes

    points_of = np.arange(ground.cover.size)
    members = sparse.csr_matrix(
        (np.ones(points_of.size, np.float32), (points_of, ground.cover.ravel())),
        shape=(points_of.size, len(COVERS)),
    )
    abundances = (spread @ members).toarray().astype(np.float32)
    traits = [_average(spread, ground.cover, ground.states[trait.name], trait) for trait in TRAITS]
    traits.append(_average(spread, ground.cover, ground.illumination, ILLUMINATION))
    shape = -1, height, width
    return MixedPixels(
        np.ascontiguousarray(reflectance.T, dtype=np.float32).reshape(shape),
        np.ascontiguousarray(abundances.T).reshape(shape),
        np.stack(traits).reshape(shape),
    )


def _spread(pixels: int) -> Any:
    """Return the ``(pixels, points)`` weights along one axis."""
    from scipy import sparse

    rows = np.repeat(np.arange(pixels), len(POINT_SPREAD))
    cols = (OVERSAMPLING * np.arange(pixels)[:, None] + np.arange(len(POINT_SPREAD))).ravel()
    weights = np.tile(POINT_SPREAD, pixels)
    return sparse.csr_matrix(
        (weights, (rows, cols)), shape=(pixels, OVERSAMPLING * pixels + 2 * MARGIN)
    )


def _node_shares(ground: Ground, library: SpectralLibrary) -> Any:
    """Return the ``(points, nodes)`` weights of the look-up tables."""
    from scipy import sparse

    flat = ground.cover.ravel()
    rows, cols, weights = [], [], []
    for index, kind in enumerate(item.kind for item in COVERS):
        here = np.flatnonzero(flat == index)
        if here.size:
            states = {axis: ground.states[axis].ravel()[here] for axis in AXES[kind]}
            node, weight = library.weights(index, states)
            rows.append(np.repeat(here, node.shape[1]))
            cols.append(node.ravel())
            weights.append(weight.ravel())
    return sparse.csr_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(cols))),
        shape=(flat.size, len(library.nodes)),
    )


def _average(
    spread: Any, covers: NDArray[np.uint8], values: Float32Array, trait: Trait
) -> Float32Array:
    """Return a pixel's mean of a variable over the covers that have it, ``(pixels,)``."""
    has = np.array([item.kind in trait.kinds for item in COVERS])[covers].ravel()
    share = spread @ has.astype(np.float64)
    total = spread @ np.where(has, values.ravel(), 0.0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(share >= MINIMUM_SHARE, total / share, np.nan)
    return mean.astype(np.float32)


def dominant(abundances: Float32Array) -> NDArray[np.uint8]:
    """Return the class map of ``(covers, H, W)`` abundances: 1 is the first cover."""
    classes: NDArray[np.uint8] = (abundances.argmax(axis=0) + 1).astype(np.uint8)
    return classes
