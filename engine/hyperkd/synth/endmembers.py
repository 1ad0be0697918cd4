"""Spectra of pure covers with what is true of them, drawn from physics and measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hyperkd.synth import covers
from hyperkd.synth.covers import NODES
from hyperkd.synth.measured_spectra import measured_spectra
from hyperkd.synth.physics_spectra import (
    Canopy,
    WaterBody,
    built_spectrum,
    canopy_spectra,
    soil_spectrum,
    water_spectrum,
    wet_spectrum,
)
from hyperkd.synth.scene_draw import SceneDraw, draw_scene
from hyperkd.synth.snow_and_cloud_spectra import below_cloud, snow_spectrum
from hyperkd.types import Float32Array, FloatArray

# What the map without labels tells apart; "cloud" is a cover of its own, so that its pixels
# are called neither snow nor built.
COVER_NAMES: Final = (
    *("built", "bare soil", "herbaceous", "trees"),
    *("dry vegetation", "water", "snow", "cloud"),
)
BUILT, SOIL, HERB, TREES, DRY, WATER, SNOW, CLOUD = range(len(COVER_NAMES))
# What is estimated besides, with its unit; NaN where a cover has it not.
TRAIT_UNITS: Final = {
    "lai": "m2/m2",
    "leaf_chlorophyll": "ug/cm2",
    "leaf_water": "cm",
    "dry_matter": "g/cm2",
    "soil_moisture": "m3/m3",
    "water_chlorophyll": "mg/m3",
    "suspended_matter": "g/m3",
}
TRAIT_NAMES: Final = tuple(TRAIT_UNITS)

_CANOPIES: Final = {
    covers.CEREAL: HERB,
    covers.RIPE: DRY,
    covers.MAIZE: HERB,
    covers.ROOT: HERB,
    covers.GRASS: HERB,
    covers.BROADLEAF: TREES,
    covers.NEEDLELEAF: TREES,
}
# Of each canopy of a draw: leaves of so many kinds, each with so many leaf areas.
_LEAVES, _AREAS = 2, 3
_PER_DRAW: Final = {"soil": 24, "measured built": 14, "water": 6, "snow": 4, "cloud": 5, "dry": 6}


@dataclass(frozen=True)
class Endmembers:
    """Pure spectra and their truth.

    Attributes:
        spectra: ``(N, bands)`` float32 reflectance, 0 to 1.
        cover: ``(N,)`` position in ``COVER_NAMES``.
        traits: ``(N, traits)`` float32, NaN where undefined.
        scene: ``(N,)`` number of the draw, so that spectra of one scene can be mixed.
    """

    spectra: Float32Array
    cover: NDArray[np.uint8]
    traits: Float32Array
    scene: NDArray[np.int32]


def draw_endmembers(seeds: Sequence[int], responses: Any) -> Endmembers:
    """Draw the endmembers of some scenes.

    Args:
        seeds: one scene each; the same seeds give the same spectra.
        responses: ``(bands, 2101)`` matrix or scipy sparse matrix whose rows sum to 1, from
            400 to 2500 nm in steps of 1 nm.

    Raises:
        HyperKDError: ``missing_dependency`` without the package prosail.
    """
    parts = []
    for number, seed in enumerate(seeds):
        drawn = _Draw(seed)
        fine = np.concatenate(drawn.spectra)
        bands = np.ascontiguousarray((responses @ fine.T).T, np.float32)
        count = len(bands)
        parts.append((bands, drawn.cover, drawn.traits, np.full(count, number, np.int32)))
    spectra, cover, traits, scene = zip(*parts)
    return Endmembers(
        np.concatenate(spectra),
        np.concatenate([np.array(each, np.uint8) for each in cover]),
        np.concatenate([np.array(each, np.float32) for each in traits]),
        np.concatenate(scene),
    )


class _Draw:
    """The spectra of one scene, at 1 nm, as they are drawn."""

    def __init__(self, seed: int) -> None:
        self.spectra: list[FloatArray] = []
        self.cover: list[int] = []
        self.traits: list[list[float]] = []
        self._generator = np.random.default_rng([seed, 0xE7D])
        self._scene: SceneDraw = draw_scene(seed)
        self._grounds = self._soils()
        self._vegetation()
        self._built()
        self._waters()
        self._snow()
        self._clouds()

    def _add(self, spectra: FloatArray, cover: int, **traits: float) -> None:
        spectra = np.atleast_2d(spectra)
        self.spectra.append(spectra)
        self.cover += [cover] * len(spectra)
        row = [float(traits.get(name, np.nan)) for name in TRAIT_NAMES]
        self.traits += [row] * len(spectra)

    def _moisture(self) -> float:
        spread = self._scene.moisture
        value = self._generator.normal(spread.mean, 2 * spread.between)
        return float(np.clip(value, NODES["soil_moisture"][0], NODES["soil_moisture"][-1]))

    def _soils(self) -> list[tuple[FloatArray, float]]:
        """Add bare soils, half of them dry; returns grounds for canopies with their moisture."""
        generator, measured = self._generator, measured_spectra()
        grounds = []
        for number in range(_PER_DRAW["soil"]):
            moisture = self._moisture()
            if number % 12 == 0:
                spectrum = soil_spectrum(self._scene.soils[number % 4], moisture)
            else:
                kind = "rock" if number % 6 == 5 else "soil"
                spectrum = measured[kind][generator.integers(len(measured[kind]))]
                if number % 2:
                    # What the library calls air-dry; a field in summer, a road of sand.
                    moisture = NODES["soil_moisture"][0]
                    spectrum = spectrum * generator.uniform(0.75, 1.1)
                else:
                    # The library's soils are sieved and dried: a field is rougher and darker.
                    spectrum = wet_spectrum(spectrum * generator.uniform(0.6, 1.0), moisture)
            self._add(spectrum, SOIL, soil_moisture=moisture)
            grounds.append((spectrum, moisture))
        char = measured["burned"]
        self._add(char[generator.integers(len(char))], SOIL)
        return grounds

    def _vegetation(self) -> None:
        generator = self._generator
        for index, cover in _CANOPIES.items():
            spreads = self._scene.traits[index]
            for _ in range(_LEAVES):
                state = {
                    name: float(
                        np.clip(
                            generator.normal(spread.mean, 1.5 * spread.between),
                            NODES[name][0],
                            NODES[name][-1],
                        )
                    )
                    for name, spread in spreads.items()
                }
                self._canopies(self._scene.canopies[index], cover, state)
        measured = measured_spectra()["dry vegetation"]
        for _ in range(_PER_DRAW["dry"]):
            straw = measured[generator.integers(len(measured))]
            ground, _ = self._grounds[generator.integers(len(self._grounds))]
            share = generator.uniform(0.6, 1)
            self._add((share * straw + (1 - share) * ground) * generator.uniform(0.7, 1.1), DRY)

    def _canopies(self, canopy: Canopy, cover: int, state: dict[str, float]) -> None:
        """Add a canopy with some leaf areas above one ground each."""
        generator = self._generator
        areas = np.clip(state["lai"] * generator.lognormal(0, 0.5, _AREAS), 0.4, 8.0)
        ground, moisture = self._grounds[generator.integers(len(self._grounds))]
        spectra = canopy_spectra(
            canopy,
            areas,
            state["leaf_chlorophyll"],
            state["leaf_water"],
            ground[None],
            self._scene.geometry,
        )
        for area, spectrum in zip(areas, spectra[:, 0]):
            self._add(
                spectrum,
                cover,
                lai=area,
                leaf_chlorophyll=state["leaf_chlorophyll"],
                leaf_water=state["leaf_water"],
                dry_matter=canopy.dry_matter,
                soil_moisture=moisture,
            )

    def _built(self) -> None:
        generator, measured = self._generator, measured_spectra()
        for index in (covers.TILE, covers.FLAT, covers.ASPHALT, covers.CONCRETE):
            for built in self._scene.built[index][:2]:
                self._add(built_spectrum(built), BUILT)
        for number in range(_PER_DRAW["measured built"]):
            kind = measured["roof" if number % 2 else "pavement"]
            self._add(kind[generator.integers(len(kind))] * generator.uniform(0.8, 1.15), BUILT)

    def _waters(self) -> None:
        generator = self._generator
        for _ in range(_PER_DRAW["water"]):
            body = WaterBody(
                dissolved=float(generator.lognormal(-0.9, 0.9)),
                slope=self._scene.water.slope,
                glint=float(generator.gamma(1.5, 0.004)),
                backscatter=self._scene.water.backscatter,
            )
            pigment = float(np.clip(generator.lognormal(1.8, 1.1), 0.5, 70))
            sediment = float(np.clip(generator.lognormal(1.1, 1.1), 0.2, 45))
            spectrum = water_spectrum(body, pigment, sediment)
            self._add(spectrum, WATER, water_chlorophyll=pigment, suspended_matter=sediment)

    def _snow(self) -> None:
        generator = self._generator
        for _ in range(_PER_DRAW["snow"]):
            grain_mm = float(generator.lognormal(-0.7, 1.0))
            impurity = float(generator.gamma(0.5, 12.0))
            self._add(snow_spectrum(grain_mm, impurity) * generator.uniform(0.8, 1.05), SNOW)

    def _clouds(self) -> None:
        """Add clouds; what is thinner than an optical thickness of 3 is still the ground's."""
        generator = self._generator
        for _ in range(_PER_DRAW["cloud"]):
            ground = self.spectra[generator.integers(len(self.spectra))][0]
            ice = generator.random() < 0.4
            spectrum = below_cloud(
                ground,
                float(3 * generator.lognormal(0.9, 0.7)),
                float(generator.uniform(20, 50) if ice else generator.uniform(5, 18)),
                "ice" if ice else "water",
            )
            self._add(spectrum, CLOUD)
