"""Canopies whose traits are drawn each for itself, unlike those of crops and forests.

In a scene needles are heavy and ripe cereals are dry; a network that knows no other plants
would guess the plant and tell its usual traits. Here every combination occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from hyperkd.synth.endmembers import HERB, TRAIT_NAMES, TREES, Endmembers
from hyperkd.synth.measured_spectra import measured_spectra
from hyperkd.synth.physics_spectra import (
    WAVELENGTH_NM,
    Canopy,
    Geometry,
    canopy_spectra,
    wet_spectrum,
)
from hyperkd.types import FloatArray

_PER_SEED: Final = 40
_AREAS: Final = 3
# Of the canopies: above dead plants instead of soil; and of crowns that shade each other.
_LITTER, _CROWNS = 0.25, 0.4


def draw_free_canopies(seeds: Sequence[int], responses: Any) -> Endmembers:
    """Draw canopies of leaves with independent traits, each with some leaf areas.

    Args:
        seeds: ``_PER_SEED`` leaves each; the same seeds give the same spectra.
        responses: as of ``draw_endmembers``.

    Raises:
        HyperKDError: ``missing_dependency`` without the package prosail.
    """
    spectra, cover, traits, scene = [], [], [], []
    for number, seed in enumerate(seeds):
        generator = np.random.default_rng([seed, 0xF4EE])
        for _ in range(_PER_SEED):
            fine, is_tree, truth = _canopy(generator)
            spectra.append(np.ascontiguousarray((responses @ fine.T).T, np.float32))
            cover += [TREES if is_tree else HERB] * _AREAS
            traits.append(truth)
        scene += [number] * (_PER_SEED * _AREAS)
    return Endmembers(
        np.concatenate(spectra),
        np.array(cover, np.uint8),
        np.concatenate(traits).astype(np.float32),
        np.array(scene, np.int32),
    )


def _canopy(generator: np.random.Generator) -> tuple[FloatArray, bool, FloatArray]:
    """Return ``(areas, 2101)`` reflectance, whether it is of crowns, and ``(areas, traits)``."""
    is_tree = bool(generator.random() < _CROWNS)
    lai = np.clip(generator.lognormal(0.7, 0.8, _AREAS), 0.3, 8.0)
    chlorophyll = float(generator.uniform(2, 80))
    water = float(np.clip(generator.lognormal(-4.5, 0.6), 0.002, 0.05))
    dry_matter = float(np.clip(generator.lognormal(-4.8, 0.6), 0.0015, 0.035))
    canopy = Canopy(
        structure=float(generator.uniform(1.1, 2.6)),
        carotenoid_ratio=float(generator.uniform(0.15, 0.3)),
        anthocyanin=float(generator.gamma(1.5, 0.8)),
        brown=float(np.clip(generator.exponential(0.12), 0, 1)),
        dry_matter=dry_matter,
        leaf_angle_deg=float(generator.uniform(35, 70)),
        hotspot=float(generator.lognormal(-3, 0.6)),
        crown_light=float(generator.uniform(0.5, 0.95) if is_tree else generator.normal(1, 0.03)),
    )
    geometry = Geometry(
        sun_zenith_deg=float(generator.uniform(25, 60)),
        view_zenith_deg=float(generator.uniform(0, 20)),
        relative_azimuth_deg=float(generator.uniform(0, 180)),
    )
    ground, moisture = _ground(generator)
    fine = canopy_spectra(canopy, lai, chlorophyll, water, ground[None], geometry)[:, 0]
    truth = np.full((_AREAS, len(TRAIT_NAMES)), np.nan)
    known = {
        "lai": lai,
        "leaf_chlorophyll": chlorophyll,
        "leaf_water": water,
        "dry_matter": dry_matter,
        "soil_moisture": moisture,
    }
    for name, value in known.items():
        truth[:, TRAIT_NAMES.index(name)] = value
    return fine.reshape(_AREAS, WAVELENGTH_NM.size), is_tree, truth


def _ground(generator: np.random.Generator) -> tuple[FloatArray, float]:
    """Return what lies below a canopy and its moisture, NaN where that is no soil."""
    measured = measured_spectra()
    litter = generator.random() < _LITTER
    kind = measured["dry vegetation" if litter else "soil"]
    spectrum = kind[generator.integers(len(kind))] * generator.uniform(0.5, 1.0)
    if litter:
        return spectrum, float("nan")
    moisture = float(generator.uniform(0.02, 0.45))
    return wet_spectrum(spectrum, moisture), moisture
