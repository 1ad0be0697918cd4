"""Where things are: water, settlements, roads, forests and fields with their states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.synth import covers as cover
from hyperkd.synth.random_fields import (
    Field,
    HashArray,
    bricks,
    derive,
    normal,
    uniform,
    voronoi,
)
from hyperkd.synth.scene_draw import SceneDraw
from hyperkd.types import Float32Array

Positions = NDArray[np.float64]

PIXEL_M = 30.0
# Reflectance scales with the cosine of the sun's incidence; steeper slopes than
# these bounds allow would need cast shadows and diffuse light as well.
ILLUMINATION_RANGE = (0.7, 1.3)

# Texture of the illumination by crowns, rows and roofs, as standard deviation.
_TEXTURE = {
    cover.BROADLEAF: 0.07, cover.NEEDLELEAF: 0.09, cover.MAIZE: 0.03, cover.WATER: 0.0,
    cover.TILE: 0.1, cover.FLAT: 0.06,
}  # fmt: skip
_OTHER_TEXTURE = 0.02

# Chance of each cover in the blocks of a settlement, by kind of block.
_BLOCK_COVERS = (
    cover.GRASS, cover.BROADLEAF, cover.TILE, cover.FLAT, cover.CONCRETE, cover.ASPHALT
)  # fmt: skip
_BLOCKS = np.array(
    [
        (0.38, 0.25, 0.17, 0.03, 0.06, 0.11),  # houses with gardens
        (0.10, 0.15, 0.28, 0.20, 0.10, 0.17),  # closed blocks
        (0.12, 0.05, 0.03, 0.40, 0.20, 0.20),  # halls and yards
        (0.50, 0.44, 0.01, 0.00, 0.03, 0.02),  # parks
    ],
    dtype=np.float32,
)
_HOUSES, _CLOSED, _HALLS, _PARK = range(4)
# How much of the light buildings and trees of a block take at most.
_BLOCK_SHADE = np.array([0.3, 0.4, 0.15, 0.2], dtype=np.float32)


@dataclass(frozen=True)
class Ground:
    """What lies at each point of a block.

    Attributes:
        cover: ``(H, W)`` uint8 index of the cover.
        states: ``(H, W)`` float32 of each state variable; meaningful where the
            cover has that axis.
        illumination: ``(H, W)`` float32 factor on the reflectance.
    """

    cover: NDArray[np.uint8]
    states: Mapping[str, Float32Array]
    illumination: Float32Array


def _upper_quantile(share: float) -> float:
    """Return the value that a standard normal number exceeds with this chance."""
    return NormalDist().inv_cdf(1 - share)


class Landscape:
    """The ground of one scene, at any point of the plane."""

    def __init__(self, draw: SceneDraw, seed: int) -> None:
        """Prepare the fields."""
        self.draw = draw
        self._keys = [int(derive(seed, number)[0]) for number in range(40)]
        keys = self._keys
        self._height = Field(keys[0], 70, octaves=4, persistence=0.4)
        self._lake = Field(keys[1], 45, octaves=5, persistence=0.45)
        self._river = Field(keys[2], 120, octaves=4, persistence=0.35)
        self._town = Field(keys[3], 38, octaves=4, persistence=0.6)
        self._forest = Field(keys[4], 40, octaves=5, persistence=0.6)
        self._stand = Field(keys[5], 22, octaves=3, persistence=0.5)
        self._warp = Field(keys[6], 25, octaves=2), Field(keys[7], 25, octaves=2)
        self._texture = Field(keys[8], 1.0, octaves=1)
        self._soil = Field(keys[9], 50, octaves=2)
        self._wetness = Field(keys[10], 30, octaves=3)
        self._within = {
            name: Field(keys[11 + number], 7, octaves=3, persistence=0.6)
            for number, name in enumerate(("lai", "leaf_chlorophyll", "leaf_water"))
        }
        self._pigment = Field(keys[14], 30, octaves=2)
        self._sediment = Field(keys[15], 25, octaves=2)
        self._hidden = Field(keys[16], 12, octaves=2)
        self._macro_px = float(45 + 45 * uniform(derive(seed, 50))[0])

    def __call__(self, rows: Positions, cols: Positions) -> Ground:
        """Return the ground at all pairs of ``rows`` (H,) and ``cols`` (W,), in pixels."""
        warp = 3 * self._warp[0](rows, cols), 3 * self._warp[1](rows, cols)
        warped = rows[:, None] + warp[0], cols[None, :] + warp[1]
        region, region_edge = voronoi(self._keys[20], *warped, self._macro_px)
        # Straight field edges: the region is warped, the parcels inside are not.
        place = _pairs(rows, cols)
        parcel, parcel_edge = bricks(region, *place, (4, 11), (8, 24))

        covers = self._farmland(parcel, parcel_edge)
        self._add_forest(covers, rows, cols)
        lane = (region_edge < 0.16) & ~_is(covers, cover.BROADLEAF, cover.NEEDLELEAF)
        covers[lane] = cover.ASPHALT
        cell, light = self._add_settlement(covers, region, rows, cols)
        self._add_water(covers, rows, cols)
        key = np.where(cell != 0, cell, parcel)
        states = self._states(covers, key, rows, cols)
        return Ground(covers, states, self._illumination(covers, light, rows, cols))

    def hidden(self, rows: Positions, cols: Positions) -> Float32Array:
        """Return the share, 0 to 1, of a hidden signal at all pairs of positions in pixels."""
        share: Float32Array = 1 / (1 + np.exp(-1.7 * self._hidden(rows, cols)))
        return share

    def _farmland(self, parcel: HashArray, parcel_edge: Float32Array) -> NDArray[np.uint8]:
        crops = np.array(list(self.draw.crops), dtype=np.uint8)
        bounds = np.cumsum(list(self.draw.crops.values()))
        choice = np.searchsorted(bounds, uniform(parcel, 1), side="right")
        covers: NDArray[np.uint8] = crops[np.minimum(choice, len(crops) - 1)]
        hedge = (parcel_edge < 0.25) & (uniform(parcel, 2) < 0.15)
        covers[hedge] = cover.BROADLEAF
        return covers

    def _add_forest(self, covers: NDArray[np.uint8], rows: Positions, cols: Positions) -> None:
        forest = self._forest(rows, cols) > _upper_quantile(self.draw.shares["forest"])
        stand = self._stand(rows, cols)
        needle = stand > _upper_quantile(self.draw.needleleaf)
        covers[forest] = np.where(needle, cover.NEEDLELEAF, cover.BROADLEAF)[forest]

    def _add_settlement(
        self, covers: NDArray[np.uint8], region: HashArray, rows: Positions, cols: Positions
    ) -> tuple[HashArray, Float32Array]:
        """Build streets, houses, halls, yards and gardens into settlements.

        Returns:
            The random key of the building or garden, 0 outside settlements, and
            the share of light that its neighbours leave it.
        """
        place = _pairs(rows, cols)
        field = self._town(rows, cols)
        edge = _upper_quantile(self.draw.shares["settlement"])
        town = field > edge
        block, street = bricks(derive(region, 5), *place, (2.5, 4.5), (4, 8))
        closed = 0.1 + 0.5 * np.clip((field - edge) / 0.8, 0, 1)
        draw = uniform(block, 1)
        kind = np.where(draw < closed, _CLOSED, _HOUSES)
        kind[draw > 0.78] = _HALLS
        kind[draw > 0.92] = _PARK

        small, _ = voronoi(self._keys[21], *place, 0.55, jitter=0.9)
        large, _ = voronoi(self._keys[22], *place, 1.8, jitter=0.9)
        cell = np.where(kind == _HALLS, large, small)
        bounds = np.cumsum(_BLOCKS, axis=1)[:, :-1]
        choice = (uniform(cell, 1)[..., None] >= bounds[kind]).sum(axis=-1)
        chosen = np.array(_BLOCK_COVERS, dtype=np.uint8)[choice]
        chosen[street < 0.17] = cover.ASPHALT
        covers[town] = chosen[town]
        light = np.where(town, 1 - _BLOCK_SHADE[kind] * uniform(small, 2), np.float32(1))
        return np.where(town, cell, np.uint64(0)), light

    def _add_water(self, covers: NDArray[np.uint8], rows: Positions, cols: Positions) -> None:
        lake = self._lake(rows, cols) - _upper_quantile(self.draw.shares["water"])
        bank = (lake > -0.12) & (lake <= 0) & ~_is(covers, cover.BROADLEAF, cover.NEEDLELEAF)
        covers[bank] = cover.GRASS
        covers[lake > 0] = cover.WATER
        if self.draw.river:
            middle = np.abs(self._river(rows, cols) - 0.3)
            covers[(middle < 0.05) & (middle >= 0.02) & (covers < cover.BROADLEAF)] = cover.GRASS
            covers[middle < 0.02] = cover.WATER

    def _states(
        self, covers: NDArray[np.uint8], key: HashArray, rows: Positions, cols: Positions
    ) -> dict[str, Float32Array]:
        states = {}
        for number, (name, field) in enumerate(self._within.items()):
            table = np.zeros((3, len(cover.COVERS)), dtype=np.float32)
            for index, spreads in self.draw.traits.items():
                spread = spreads[name]
                table[:, index] = spread.mean, spread.between, spread.within
            mean, between, within = table[:, covers]
            value = mean + between * normal(key, 3 + number) + within * field(rows, cols)
            states[name] = np.clip(value, cover.NODES[name][0], cover.NODES[name][-1])
        # Bare branches do not make a crop: keep some leaf area wherever there is a canopy.
        states["lai"] = np.maximum(states["lai"], np.float32(0.1))

        spread = self.draw.moisture
        moisture = spread.mean + spread.between * self._wetness(rows, cols)
        moisture += spread.within * normal(key, 6)
        states["soil_moisture"] = _inside("soil_moisture", moisture)
        soil = 1.5 + 0.9 * self._soil(rows, cols)
        building = 4 * uniform(key, 8) - 0.5
        states["variant"] = _inside("variant", np.where(covers == cover.SOIL, soil, building))
        states["water_chlorophyll"] = _inside(
            "water_chlorophyll", self.draw.pigment * np.exp(0.5 * self._pigment(rows, cols))
        )
        states["suspended_matter"] = _inside(
            "suspended_matter", self.draw.sediment * np.exp(0.5 * self._sediment(rows, cols))
        )
        return states

    def _illumination(
        self, covers: NDArray[np.uint8], light: Float32Array, rows: Positions, cols: Positions
    ) -> Float32Array:
        """Return the cosine of incidence relative to flat ground, with shade and texture."""
        step = 0.5
        scale = self.draw.relief_m / (2 * step * PIXEL_M)
        east = scale * (self._height(rows, cols + step) - self._height(rows, cols - step))
        south = scale * (self._height(rows + step, cols) - self._height(rows - step, cols))
        zenith = np.deg2rad(self.draw.geometry.sun_zenith_deg)
        azimuth = np.deg2rad(self.draw.sun_azimuth_deg)
        sun_east, sun_north = np.sin(azimuth) * np.tan(zenith), np.cos(azimuth) * np.tan(zenith)
        cosine = (1 - east * sun_east + south * sun_north) / np.sqrt(1 + east**2 + south**2)
        cosine[covers == cover.WATER] = 1
        texture = np.full(len(cover.COVERS), _OTHER_TEXTURE, dtype=np.float32)
        texture[list(_TEXTURE)] = list(_TEXTURE.values())
        factor = light * cosine * (1 + texture[covers] * self._texture(rows, cols))
        clipped: Float32Array = np.clip(factor, *ILLUMINATION_RANGE).astype(np.float32)
        return clipped


def _pairs(rows: Positions, cols: Positions) -> tuple[Positions, Positions]:
    """Return the row and the column of all pairs, both (H, W)."""
    row_of, col_of = np.broadcast_arrays(rows[:, None], cols[None, :])
    return row_of, col_of


def _is(covers: NDArray[np.uint8], *indices: int) -> NDArray[np.bool_]:
    return np.isin(covers, indices)


def _inside(name: str, values: NDArray[Any]) -> Float32Array:
    nodes = cover.NODES[name]
    clipped: Float32Array = np.clip(values, nodes[0], nodes[-1]).astype(np.float32)
    return clipped
