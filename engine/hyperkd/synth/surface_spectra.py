"""What covers the ground, and its spectra as look-up tables over state variables.

A cover's spectrum is a multilinear interpolation between the nodes of its table.
The whole scene is therefore linear in the tables: a pixel is a weighted sum of
nodes, whatever the number of covers and states that mix in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.synth.physics_spectra import (
    WAVELENGTH_NM,
    built_spectrum,
    canopy_spectra,
    soil_spectrum,
    water_spectrum,
)

if TYPE_CHECKING:
    from hyperkd.synth.scene_draw import SceneDraw

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

# Nodes lie closer where the reflectance bends more.
NODES: Mapping[str, tuple[float, ...]] = {
    "lai": (0.0, 0.4, 0.8, 1.3, 1.9, 2.6, 3.4, 4.4, 6.0, 8.0),
    "leaf_chlorophyll": (2.0, 4.0, 7.0, 12.0, 20.0, 32.0, 48.0, 70.0),
    "leaf_water": (0.002, 0.004, 0.007, 0.012, 0.02, 0.032),
    "soil_moisture": (0.02, 0.1, 0.2, 0.32, 0.45),
    "water_chlorophyll": (0.5, 2.0, 6.0, 15.0, 35.0, 70.0),
    "suspended_matter": (0.2, 1.0, 3.0, 8.0, 20.0, 45.0),
    "variant": (0.0, 1.0, 2.0, 3.0),
}

CANOPY_AXES = ("lai", "leaf_chlorophyll", "leaf_water", "soil_moisture")
AXES: Mapping[str, tuple[str, ...]] = {
    "canopy": CANOPY_AXES,
    "soil": ("soil_moisture", "variant"),
    "water": ("water_chlorophyll", "suspended_matter"),
    "built": ("variant",),
}


@dataclass(frozen=True)
class Cover:
    """One class of the truth.

    Attributes:
        name: its name in the class map.
        colour: red, green, blue, 0 to 255.
        kind: ``canopy``, ``soil``, ``water`` or ``built``.
    """

    name: str
    colour: tuple[int, int, int]
    kind: str


# The value in the class map is the position plus one; 0 is "no data".
COVERS: tuple[Cover, ...] = (
    Cover("Winter cereal", (214, 204, 88), "canopy"),
    Cover("Ripe cereal", (232, 190, 100), "canopy"),
    Cover("Maize", (240, 220, 20), "canopy"),
    Cover("Root crop", (170, 110, 60), "canopy"),
    Cover("Grassland", (150, 210, 90), "canopy"),
    Cover("Broadleaf forest", (40, 150, 60), "canopy"),
    Cover("Needleleaf forest", (10, 90, 60), "canopy"),
    Cover("Bare soil", (140, 100, 70), "soil"),
    Cover("Water", (50, 110, 200), "water"),
    Cover("Tiled roof", (200, 60, 40), "built"),
    Cover("Flat roof", (180, 180, 200), "built"),
    Cover("Asphalt", (90, 90, 90), "built"),
    Cover("Concrete", (215, 215, 210), "built"),
)
NAMES = tuple(cover.name for cover in COVERS)
CEREAL, RIPE, MAIZE, ROOT, GRASS, BROADLEAF, NEEDLELEAF = range(7)
SOIL, WATER, TILE, FLAT, ASPHALT, CONCRETE = range(7, 13)


class SpectralLibrary:
    """The look-up tables of one scene, in the bands of the sensor.

    Attributes:
        nodes: ``(N, bands)`` float32 reflectance of all nodes of all covers.
        first: position in ``nodes`` of the first node of each cover.
    """

    def __init__(self, draw: SceneDraw, responses: Any) -> None:
        """Compute the tables.

        Args:
            draw: the scene's random parameters.
            responses: ``(bands, 2101)`` scipy sparse matrix or array whose rows sum
                to 1, from 400 to 2500 nm in steps of 1 nm.
        """
        tables = [self._table(draw, index, responses) for index in range(len(COVERS))]
        self.first = np.cumsum([0, *(len(table) for table in tables)])
        self.nodes: Float32Array = np.concatenate(tables).astype(np.float32)

    @staticmethod
    def _table(draw: SceneDraw, index: int, responses: Any) -> FloatArray:
        """Return ``(nodes, bands)`` of one cover, the last axis varying fastest."""
        kind = COVERS[index].kind
        if kind == "canopy":
            return _canopy_table(draw, index, responses)
        nodes = itertools.product(*(NODES[axis] for axis in AXES[kind]))
        if kind == "soil":
            spectra = [soil_spectrum(draw.soils[int(v)], moisture) for moisture, v in nodes]
        elif kind == "water":
            spectra = [water_spectrum(draw.water, *states) for states in nodes]
        else:
            spectra = [built_spectrum(draw.built[index][int(v)]) for (v,) in nodes]
        return _convolve(responses, np.stack(spectra))

    def weights(
        self, index: int, states: Mapping[str, Float32Array]
    ) -> tuple[IndexArray, Float32Array]:
        """Return the nodes that make up a cover's spectrum, and their weights.

        Args:
            index: the cover.
            states: ``(P,)`` value of each of the cover's axes; values beyond the
                outer nodes are taken as the outer nodes.

        Returns:
            ``(P, corners)`` node positions and weights; the weights sum to 1.
        """
        axes = AXES[COVERS[index].kind]
        size = states[axes[0]].shape[0]
        position = np.full((size, 1), self.first[index], dtype=np.int32)
        weight = np.ones((size, 1), dtype=np.float32)
        stride = int(self.first[index + 1] - self.first[index])
        for axis in axes:
            nodes = np.asarray(NODES[axis], dtype=np.float32)
            stride //= len(nodes)
            value = np.clip(states[axis], nodes[0], nodes[-1])
            lower = np.clip(np.searchsorted(nodes, value, side="right") - 1, 0, len(nodes) - 2)
            upper_share = ((value - nodes[lower]) / (nodes[lower + 1] - nodes[lower]))[:, None]
            lower_position = position + (stride * lower[:, None]).astype(np.int32)
            position = np.concatenate([lower_position, lower_position + np.int32(stride)], axis=1)
            weight = np.concatenate([weight * (1 - upper_share), weight * upper_share], axis=1)
        return position, weight


def _convolve(responses: Any, spectra: FloatArray) -> FloatArray:
    return np.ascontiguousarray((responses @ spectra.reshape(-1, WAVELENGTH_NM.size).T).T)


def _canopy_table(draw: SceneDraw, index: int, responses: Any) -> FloatArray:
    lai, chlorophyll, leaf_water, moisture = (np.asarray(NODES[axis]) for axis in CANOPY_AXES)
    soils = np.stack([soil_spectrum(draw.soils[1], value) for value in moisture])
    shape = len(lai), len(chlorophyll), len(leaf_water), len(moisture)
    table = np.empty((*shape, responses.shape[0]))
    for i, pigment in enumerate(chlorophyll):
        for j, water in enumerate(leaf_water):
            spectra = canopy_spectra(
                draw.canopies[index], lai, float(pigment), float(water), soils, draw.geometry
            )
            bands = _convolve(responses, spectra)
            table[:, i, j] = bands.reshape(len(lai), len(moisture), -1)
    return table.reshape(-1, responses.shape[0])
