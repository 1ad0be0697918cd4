"""The spectra of land covers as look-up tables over state variables.

A cover's spectrum is a multilinear interpolation between the nodes of its table.
The whole scene is therefore linear in the tables: a pixel is a weighted sum of
nodes, whatever the number of covers and states that mix in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.synth.covers import AXES, CANOPY_AXES, COVERS, NODES
from hyperkd.synth.physics_spectra import (
    WAVELENGTH_NM,
    built_spectrum,
    canopy_spectra,
    soil_spectrum,
    water_spectrum,
)
from hyperkd.synth.scene_draw import SceneDraw
from hyperkd.types import Float32Array, FloatArray

IndexArray = NDArray[np.int32]


class SpectralLibrary:
    """The look-up tables of one scene, in the bands of the sensor.

    Attributes:
        nodes: ``(N, bands)`` float32 reflectance of all nodes of all covers.
        first: position in ``nodes`` of the first node of each cover.
    """

    def __init__(self, draw: SceneDraw, responses: Any) -> None:
        """Compute the tables.

        Args:
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
