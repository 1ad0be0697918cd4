"""What distinguishes one simulated scene from another: season, sun, soils, materials.

Every seed draws its own values, so that two scenes share no endmember spectrum:
a model that is trained on some scenes meets unseen spectra in the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hyperkd.synth import covers
from hyperkd.synth.physics_spectra import Built, Canopy, Geometry, Soil, WaterBody


@dataclass(frozen=True)
class Spread:
    """How a state variable is distributed over the parcels of a covers.

    Attributes:
        mean: mean over all parcels.
        between: standard deviation of the parcels' means.
        within: standard deviation inside a parcel.
    """

    mean: float
    between: float
    within: float


@dataclass(frozen=True)
class SceneDraw:
    """The random parameters of one scene.

    Attributes:
        season: 0 (April) to 1 (October).
        geometry: sun and view directions.
        sun_azimuth_deg: clockwise from north.
        relief_m: standard deviation of the terrain height.
        shares: share of the scene's area that is water, settlement and forest.
        needleleaf: share of the forest.
        crops: relative area of the covers grown on farmland, by cover index.
        river: whether a river crosses the land.
        canopies: fixed canopy parameters by cover index.
        traits: spread of LAI, leaf chlorophyll and leaf water by cover index.
        moisture: spread of the soil moisture.
        soils: four soils; the second lies below canopies.
        water: the water bodies.
        pigment: median chlorophyll of the water in mg/m3.
        sediment: median suspended matter in g/m3.
        built: four variants of each built covers.
    """

    season: float
    geometry: Geometry
    sun_azimuth_deg: float
    relief_m: float
    shares: Mapping[str, float]
    needleleaf: float
    crops: Mapping[int, float]
    river: bool
    canopies: Mapping[int, Canopy]
    traits: Mapping[int, Mapping[str, Spread]]
    moisture: Spread
    soils: tuple[Soil, ...]
    water: WaterBody
    pigment: float
    sediment: float
    built: Mapping[int, tuple[Built, ...]]

    def as_metadata(self) -> dict[str, Any]:
        """Return everything as plain JSON values, covers by name."""
        values = asdict(self)
        for key in ("crops", "canopies", "traits", "built"):
            values[key] = {covers.NAMES[index]: value for index, value in values[key].items()}
        return values


def draw_scene(seed: int) -> SceneDraw:
    """Return the random parameters of the scene with this seed."""
    generator = np.random.default_rng([seed, 0x5CE])
    season = float(generator.uniform())
    dryness = float(generator.beta(2, 3))
    return SceneDraw(
        season=season,
        geometry=Geometry(
            # Highest sun in late June, at 0.4 of the season, about 50 degrees north.
            sun_zenith_deg=float(29 + 75 * (season - 0.4) ** 2 + generator.uniform(-2, 4)),
            view_zenith_deg=float(generator.uniform(0, 20)),
            relative_azimuth_deg=float(generator.uniform(0, 180)),
        ),
        sun_azimuth_deg=float(generator.uniform(140, 190)),
        relief_m=float(generator.gamma(2.0, 12.0)),
        shares={
            "water": float(generator.uniform(0.015, 0.1)),
            "settlement": float(generator.uniform(0.05, 0.25)),
            "forest": float(generator.uniform(0.12, 0.45)),
        },
        needleleaf=float(generator.uniform(0.15, 0.8)),
        crops=_draw_crops(generator, season),
        river=bool(generator.uniform() < 0.6),
        canopies=_draw_canopies(generator, dryness),
        traits=_draw_traits(generator, season, dryness),
        moisture=Spread(float(0.28 - 0.2 * dryness + generator.uniform(-0.03, 0.03)), 0.05, 0.03),
        soils=tuple(_draw_soil(generator) for _ in range(4)),
        water=WaterBody(
            dissolved=float(generator.lognormal(-0.9, 0.6)),
            slope=float(generator.uniform(0.012, 0.018)),
            glint=float(generator.gamma(2.0, 0.0025)),
            backscatter=float(generator.uniform(0.006, 0.014)),
        ),
        pigment=float(generator.lognormal(2.0, 0.8)),
        sediment=float(generator.lognormal(1.1, 0.8)),
        built=_draw_built(generator),
    )


def _draw_crops(generator: np.random.Generator, season: float) -> dict[int, float]:
    """Ripe cereals replace green ones in summer and bare soils follow them."""
    ripe = 1 / (1 + np.exp(-(season - 0.45) / 0.07))
    ploughed = np.clip((season - 0.6) / 0.4, 0, 1)
    area = {
        covers.CEREAL: 3.0 * (1 - 0.9 * ripe) + 0.2,
        covers.RIPE: 3.0 * ripe * (1 - 0.7 * ploughed) + 0.1,
        covers.MAIZE: 1.5,
        covers.ROOT: 1.2,
        covers.GRASS: 2.0,
        covers.SOIL: 0.7 + 1.5 * ploughed + 0.8 * (season < 0.25),
    }
    weights = {index: float(value * generator.gamma(4.0, 0.25)) for index, value in area.items()}
    total = sum(weights.values())
    return {index: value / total for index, value in weights.items()}


def _draw_canopies(generator: np.random.Generator, dryness: float) -> dict[int, Canopy]:
    def canopy(
        structure: float,
        angle: float,
        dry_matter: float,
        hotspot: float,
        brown: float = 0.0,
        light: float = 1.0,
    ) -> Canopy:
        return Canopy(
            structure=float(structure + generator.normal(0, 0.12)),
            carotenoid_ratio=float(generator.uniform(0.16, 0.26)),
            anthocyanin=float(generator.gamma(1.5, 0.6)),
            brown=float(np.clip(brown + generator.normal(0, 0.04), 0, 1)),
            dry_matter=float(dry_matter * generator.lognormal(0, 0.15)),
            leaf_angle_deg=float(angle + generator.normal(0, 4)),
            hotspot=float(hotspot * generator.lognormal(0, 0.3)),
            crown_light=float(np.clip(light + generator.normal(0, 0.04), 0.4, 1)),
        )

    return {
        covers.CEREAL: canopy(1.45, 63, 0.0050, 0.05),
        covers.RIPE: canopy(2.1, 60, 0.0085, 0.05, brown=0.85),
        covers.MAIZE: canopy(1.5, 52, 0.0050, 0.12),
        covers.ROOT: canopy(1.55, 48, 0.0055, 0.15),
        covers.GRASS: canopy(1.6, 60, 0.0055, 0.03, brown=0.05 + 0.45 * dryness),
        covers.BROADLEAF: canopy(1.8, 48, 0.0085, 0.03, brown=0.1, light=0.86),
        covers.NEEDLELEAF: canopy(1.9, 52, 0.0160, 0.02, brown=0.12, light=0.62),
    }


def _draw_traits(
    generator: np.random.Generator, season: float, dryness: float
) -> dict[int, dict[str, Spread]]:
    def spreads(lai: float, chlorophyll: float, water: float, between: float) -> dict[str, Spread]:
        factor = generator.lognormal(0, 0.12, size=3)
        means = lai * factor[0], chlorophyll * factor[1], water * factor[2]
        return {
            name: Spread(float(mean), float(mean * between * share), float(mean * between * 0.45))
            for name, mean, share in zip(
                ("lai", "leaf_chlorophyll", "leaf_water"), means, (1.0, 0.7, 0.7)
            )
        }

    growth = float(np.clip((season - 0.1) / 0.4, 0.05, 1))
    fresh = 1 - 0.5 * dryness
    return {
        covers.CEREAL: spreads(2.0 + 2.5 * np.sin(np.pi * min(season / 0.6, 1)), 44, 0.012, 0.3),
        covers.RIPE: spreads(1.8, 5, 0.004, 0.35),
        covers.MAIZE: spreads(0.3 + 3.9 * growth, 48, 0.013, 0.3),
        covers.ROOT: spreads(0.4 + 3.8 * growth, 42, 0.016, 0.3),
        covers.GRASS: spreads(2.6 * fresh, 34 * fresh, 0.012 * fresh, 0.4),
        covers.BROADLEAF: spreads(4.2, 45 - 18 * max(season - 0.75, 0) * 4, 0.011, 0.25),
        covers.NEEDLELEAF: spreads(3.5, 46, 0.017, 0.25),
    }


def _draw_soil(generator: np.random.Generator) -> Soil:
    return Soil(
        brightness=float(generator.uniform(0.55, 1.05)),
        organic=float(generator.gamma(2.0, 0.16)),
        iron=float(generator.gamma(2.0, 0.13)),
        clay=float(generator.gamma(2.0, 0.05)),
        carbonate=float(generator.gamma(1.2, 0.05)),
    )


def _draw_built(generator: np.random.Generator) -> dict[int, tuple[Built, ...]]:
    def scaled(*anchors: float) -> tuple[float, float, float, float]:
        level, tilt = generator.lognormal(0, 0.18), generator.normal(0, 0.08)
        one, two, three, four = (
            float(np.clip(value * level * (1 + tilt * (step - 1.5)), 0.02, 0.85))
            for step, value in enumerate(anchors)
        )
        return one, two, three, four

    def depth(mean: float) -> float:
        return float(generator.gamma(3.0, mean / 3.0))

    tiles, flat, asphalt, concrete = [], [], [], []
    for variant in range(4):
        tiles.append(Built(scaled(0.12, 0.22, 0.28, 0.26), iron=depth(0.9), hydroxyl=depth(0.05)))
        if variant % 2:
            flat.append(Built(scaled(0.22, 0.28, 0.31, 0.33), carbonate=depth(0.01)))
        else:
            flat.append(Built(scaled(0.13, 0.16, 0.18, 0.17), hydrocarbon=depth(0.10)))
        asphalt.append(
            Built(scaled(0.07, 0.11, 0.15, 0.17), hydrocarbon=depth(0.05), carbonate=depth(0.03))
        )
        concrete.append(
            Built(scaled(0.17, 0.28, 0.33, 0.29), carbonate=depth(0.10), hydroxyl=depth(0.12))
        )
    return {
        covers.TILE: tuple(tiles),
        covers.FLAT: tuple(flat),
        covers.ASPHALT: tuple(asphalt),
        covers.CONCRETE: tuple(concrete),
    }
