"""Spectra with known truth for networks of single pixels: simulated scenes and endmembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hyperkd.spectral.sensors import sensor_bands
from hyperkd.synth import covers, endmembers
from hyperkd.synth.endmembers import COVER_NAMES, TRAIT_NAMES, Endmembers, draw_endmembers
from hyperkd.synth.free_canopies import draw_free_canopies
from hyperkd.synth.mixing import TRAITS, MixedPixels, mix, points
from hyperkd.synth.scene import SimulatedScene
from hyperkd.synth.scene_draw import SceneDraw
from hyperkd.synth.sensor import fine_responses
from hyperkd.types import BoolArray, Float32Array, Reporter

# Which cover of the map each cover of a simulated scene is.
_OF_SCENES: Final = {
    covers.RIPE: endmembers.DRY,
    **dict.fromkeys((covers.CEREAL, covers.MAIZE, covers.ROOT, covers.GRASS), endmembers.HERB),
    **dict.fromkeys((covers.BROADLEAF, covers.NEEDLELEAF), endmembers.TREES),
    covers.SOIL: endmembers.SOIL,
    covers.WATER: endmembers.WATER,
    **dict.fromkeys((covers.TILE, covers.FLAT, covers.ASPHALT, covers.CONCRETE), endmembers.BUILT),
}
# Which covers of a scene are canopies, bare soil and water.
_HAVE: Final = {
    kind: np.array([item.kind == kind for item in covers.COVERS], np.float32)
    for kind in ("canopy", "soil", "water")
}
# The parts of a pixel that have traits, and which part each of ``TRAIT_NAMES`` is true of.
PART_NAMES: Final = ("canopy", "visible soil", "water")
CANOPY, VISIBLE_SOIL, WATER_BODY = range(len(PART_NAMES))
PART_OF_TRAIT: Final = (
    *(CANOPY, CANOPY, CANOPY, CANOPY),
    *(VISIBLE_SOIL, WATER_BODY, WATER_BODY),
)
_LAI: Final = TRAIT_NAMES.index("lai")
_DRY_MATTER: Final = TRAIT_NAMES.index("dry_matter")
# Of leaves that are oriented at random, seen from above: the soil that shows through.
_EXTINCTION: Final = 0.5
# Pixels along a side of a scene, and how many of them are kept: neighbours are alike.
_SIDE, _KEPT = 96, 3000


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra without sensor or noise, and what they are mixed of.

    Attributes:
        reflectance: ``(N, C)`` float32, 0 to 1, of the good bands of EnMAP.
        fractions: ``(N, K)`` float32 of ``COVER_NAMES``; they sum to 1.
        shares: ``(N, 3)`` float32 of ``PART_NAMES``, 0 where the traits of a part are unknown;
            soil can be seen through a canopy, so they need not sum to 1.
        traits: ``(N, T)`` float32 of ``TRAIT_NAMES``, NaN where the share of its part is 0.
    """

    reflectance: Float32Array
    fractions: Float32Array
    shares: Float32Array
    traits: Float32Array

    @property
    def dominant(self) -> NDArray[np.intp]:
        """``(N,)`` the cover with the largest fraction."""
        return self.fractions.argmax(axis=1)


def scene_spectra(seeds: Sequence[int], report: Reporter) -> Spectra:
    """Return pixels of simulated scenes, one scene for each seed.

    Raises:
        HyperKDError: ``missing_dependency`` without the package prosail.
    """
    good = sensor_bands("enmap").good
    to_map = np.zeros((len(covers.COVERS), len(COVER_NAMES)), np.float32)
    to_map[list(_OF_SCENES), list(_OF_SCENES.values())] = 1
    parts = []
    for done, seed in enumerate(seeds):
        report.check_cancelled()
        report.progress(done, len(seeds), "scene")
        scene = SimulatedScene(_SIDE, _SIDE, seed, border=0.0)
        pixels = mix(scene.landscape(points(0, _SIDE), points(0, _SIDE)), scene.library)
        kept = np.random.default_rng(seed).choice(_SIDE**2, _KEPT, replace=False)
        abundances = pixels.abundances.reshape(len(to_map), -1)[:, kept].T
        traits = _scene_traits(scene.draw, pixels)[kept]
        parts.append(
            Spectra(
                pixels.reflectance[good].reshape(good.sum(), -1)[:, kept].T,
                abundances @ to_map,
                _shares(traits, *(abundances @ _HAVE[kind] for kind in _HAVE)),
                traits,
            )
        )
    return joined(*parts)


def joined(*parts: Spectra) -> Spectra:
    """Return all spectra of some parts, one after the other."""
    names = ("reflectance", "fractions", "shares", "traits")
    return Spectra(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def pure_spectra(seeds: Sequence[int], report: Reporter) -> Spectra:
    """Return endmembers from physics and measurements, one draw for each seed.

    Raises:
        HyperKDError: ``missing_dependency`` without the package prosail.
    """
    bands = sensor_bands("enmap")
    report.check_cancelled()
    drawn = draw_endmembers(seeds, fine_responses(bands))
    return _pure(drawn, bands.good)


def free_canopy_spectra(seeds: Sequence[int], report: Reporter) -> Spectra:
    """Return canopies with independent traits, some for each seed.

    Raises:
        HyperKDError: ``missing_dependency`` without the package prosail.
    """
    bands = sensor_bands("enmap")
    report.check_cancelled()
    return _pure(draw_free_canopies(seeds, fine_responses(bands)), bands.good)


def _pure(drawn: Endmembers, good: BoolArray) -> Spectra:
    identity = np.eye(len(COVER_NAMES), dtype=np.float32)
    has = [
        np.isfinite(drawn.traits[:, PART_OF_TRAIT.index(part)]).astype(np.float32)
        for part in range(len(PART_NAMES))
    ]
    bare = has[VISIBLE_SOIL] * (1 - has[CANOPY])
    return Spectra(
        np.ascontiguousarray(drawn.spectra[:, good]),
        identity[drawn.cover],
        _shares(drawn.traits, has[CANOPY], bare, has[WATER_BODY]),
        drawn.traits,
    )


def _scene_traits(draw: SceneDraw, pixels: MixedPixels) -> Float32Array:
    """Return ``(pixels, traits)``; a scene's canopies differ in dry matter by cover alone."""
    found = np.full((pixels.traits[0].size, len(TRAIT_NAMES)), np.nan, np.float32)
    for place, trait in enumerate(TRAITS):
        found[:, TRAIT_NAMES.index(trait.name)] = pixels.traits[place].ravel()
    covers_of = list(draw.canopies)
    area = pixels.abundances[covers_of].reshape(len(covers_of), -1).T
    matter = np.array([draw.canopies[each].dry_matter for each in covers_of], np.float32)
    known = np.isfinite(found[:, _LAI])
    found[known, _DRY_MATTER] = (area[known] @ matter) / area[known].sum(axis=1)
    return found


def _shares(
    traits: Float32Array, canopy: Float32Array, bare: Float32Array, water: Float32Array
) -> Float32Array:
    """Return the shares of the parts, of which area; soil shows through what is thin."""
    lai = traits[:, _LAI]
    seen = np.exp(-_EXTINCTION * np.where(np.isfinite(lai), lai, np.inf))
    shares = np.stack([canopy, bare + canopy * seen, water], axis=1)
    for part in range(len(PART_NAMES)):
        shares[np.isnan(traits[:, PART_OF_TRAIT.index(part)]), part] = 0
    return shares.astype(np.float32)
