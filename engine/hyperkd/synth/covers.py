"""The land covers of a simulated scene, and the state variables that their spectra depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
