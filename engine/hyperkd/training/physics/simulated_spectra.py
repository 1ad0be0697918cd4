"""Spectra with known truth for networks of single pixels: simulated scenes and endmembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hyperkd.spectral.sensors import sensor_bands
from hyperkd.synth import covers, endmembers
from hyperkd.synth.endmembers import COVER_NAMES, draw_endmembers
from hyperkd.synth.mixing import mix, points
from hyperkd.synth.scene import SimulatedScene
from hyperkd.synth.sensor import fine_responses
from hyperkd.types import Float32Array, Reporter

# Which cover of the map each cover of a simulated scene is.
_OF_SCENES: Final = {
    covers.RIPE: endmembers.DRY,
    **dict.fromkeys((covers.CEREAL, covers.MAIZE, covers.ROOT, covers.GRASS), endmembers.HERB),
    **dict.fromkeys((covers.BROADLEAF, covers.NEEDLELEAF), endmembers.TREES),
    covers.SOIL: endmembers.SOIL,
    covers.WATER: endmembers.WATER,
    **dict.fromkeys((covers.TILE, covers.FLAT, covers.ASPHALT, covers.CONCRETE), endmembers.BUILT),
}
# Pixels along a side of a scene, and how many of them are kept: neighbours are alike.
_SIDE, _KEPT = 96, 3000


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra without sensor or noise, and what they are mixed of.

    Attributes:
        reflectance: ``(N, C)`` float32, 0 to 1, of the good bands of EnMAP.
        fractions: ``(N, K)`` float32 of ``COVER_NAMES``; they sum to 1.
    """

    reflectance: Float32Array
    fractions: Float32Array

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
    reflectance, fractions = [], []
    for done, seed in enumerate(seeds):
        report.check_cancelled()
        report.progress(done, len(seeds), "scene")
        scene = SimulatedScene(_SIDE, _SIDE, seed, border=0.0)
        pixels = mix(scene.landscape(points(0, _SIDE), points(0, _SIDE)), scene.library)
        kept = np.random.default_rng(seed).choice(_SIDE**2, _KEPT, replace=False)
        reflectance.append(pixels.reflectance[good].reshape(good.sum(), -1)[:, kept].T)
        fractions.append(pixels.abundances.reshape(len(to_map), -1)[:, kept].T @ to_map)
    return Spectra(np.concatenate(reflectance), np.concatenate(fractions))


def pure_spectra(seeds: Sequence[int], report: Reporter) -> Spectra:
    """Return endmembers from physics and measurements, one draw for each seed.

    Raises:
        HyperKDError: ``missing_dependency`` without the package prosail.
    """
    bands = sensor_bands("enmap")
    report.check_cancelled()
    drawn = draw_endmembers(seeds, fine_responses(bands))
    identity = np.eye(len(COVER_NAMES), dtype=np.float32)
    return Spectra(np.ascontiguousarray(drawn.spectra[:, bands.good]), identity[drawn.cover])
