"""Simulated scenes of the ablation: simulated once, kept as arrays, the same for every arm.

Four groups of scenes, every scene from a seed of its own, so that no endmember
spectrum occurs in two scenes:

- ``teacher``: what the stand-in teachers are trained on, six bands only. Its first
  scenes are the student's, as a real teacher has seen far more than the student.
- ``student``: unlabelled for pretraining, and the pool of labels for the probes.
- ``validation``: where every choice of the protocol was made.
- ``held_out``: what the table is about. Nothing was chosen on them.

Every scene carries a signal that the six bands cannot see, see ``hidden_shape``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.atomic import AtomicFile
from hyperkd.raster.memory import MemoryRaster
from hyperkd.spectral.hls_alignment import align_to_hls
from hyperkd.spectral.sensors import canonical_bands, sensor_bands
from hyperkd.synth.metamers import absorption, hide
from hyperkd.synth.mixing import TRAITS
from hyperkd.synth.scene import SimulatedScene
from hyperkd.training.common.crops import UNIT, MemoryScene, read_scene
from hyperkd.types import BandTable, FloatArray

# Far from each other and from the seeds of benchmarks/train_student.py.
FIRST_SEED = {"teacher": 20_000, "student": 20_000, "validation": 30_000, "held_out": 60_000}
# The hidden signal: an absorption of clay, at full strength HIDDEN_DEPTH deep.
HIDDEN_CENTRE_NM, HIDDEN_WIDTH_NM, HIDDEN_DEPTH = 2200.0, 60.0, 0.02
# Traits of land that many tokens have; those of water have too few.
TRAIT_NAMES = ("lai", "leaf_chlorophyll", "leaf_water", "soil_moisture")
_FORMAT = {True: 1, False: 2}  # of scenes with all bands, and of the teacher's


@dataclass(frozen=True)
class Extent:
    """How many scenes there are.

    Attributes:
        teacher, student, validation, held_out: scenes of each group.
        side: of a scene in pixels.
        patch: side of a token's square in pixels; truth is averaged over tokens.
    """

    teacher: int
    student: int
    validation: int
    held_out: int
    side: int = 128
    patch: int = 4


@dataclass(frozen=True, eq=False)
class Group:
    """Scenes on the student's bands, and the truth of each token.

    Attributes:
        pixels: ``(S, H, W, 218)`` int16, reflectance x 10000.
        abundances: ``(S, h, w, 13)`` float32, share of area.
        traits: ``(S, h, w, 4)`` float32, NaN where undefined in any pixel of the token.
        hidden: ``(S, h, w)`` float32, 0 to 1, the share of the hidden signal.
    """

    pixels: NDArray[np.int16]
    abundances: NDArray[np.float32]
    traits: NDArray[np.float32]
    hidden: NDArray[np.float32]

    @property
    def classes(self) -> NDArray[np.int64]:
        """The cover with the largest area in each token, ``(S, h, w)`` from 0."""
        classes: NDArray[np.int64] = self.abundances.argmax(-1)
        return classes

    def scenes(self) -> list[MemoryScene]:
        """Return the scenes as the trainer takes them; every pixel is valid."""
        valid = np.ones(self.pixels.shape[1:3], np.bool_)
        return [MemoryScene(f"scene {i}", pixels, valid) for i, pixels in enumerate(self.pixels)]


def canonical_table() -> BandTable:
    """Return the band table of the student's grid, the good bands of EnMAP."""
    delivered = sensor_bands("enmap")
    return delivered.take(np.flatnonzero(delivered.good))


def alignment_matrix() -> FloatArray:
    """Return the ``(6, 218)`` matrix from the student's grid to the teacher's bands."""
    return align_to_hls(canonical_table(), "range_mean").matrix


def hidden_shape() -> FloatArray:
    """Return the ``(224,)`` reflectance that the teacher's six bands cannot see.

    It vanishes in the bands made of the delivered raster and in those made of the
    student's grid, so that it does not matter which of them the teacher is shown.
    """
    delivered = sensor_bands("enmap")
    good = np.flatnonzero(delivered.good)
    through_grid = np.zeros((6, len(delivered)))
    through_grid[:, good] = alignment_matrix()
    broad = np.concatenate((align_to_hls(delivered, "range_mean").matrix, through_grid))
    shape = absorption(delivered.wavelengths, HIDDEN_CENTRE_NM, HIDDEN_WIDTH_NM)
    return HIDDEN_DEPTH * hide(np.where(delivered.good, shape, 0.0), broad)


def six_bands(pixels: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return ``(..., 6)`` reflectance of the teacher's bands of ``pixels`` (..., 218)."""
    matrix = (alignment_matrix() * UNIT).astype(np.float32)
    used = np.flatnonzero(matrix.any(0))
    aligned: NDArray[np.float32] = pixels[..., used].astype(np.float32) @ matrix[:, used].T
    return aligned


def load_group(folder: Path, name: str, extent: Extent, say: Callable[[str], None]) -> Group:
    """Return a group; what is not there yet is simulated, scene by scene, and kept."""
    first, count = FIRST_SEED[name], getattr(extent, name)
    parts = [_load_scene(folder, first + i, extent, say) for i in range(count)]
    arrays: dict[str, Any] = {
        key: np.stack([part[key] for part in parts]) for key in Group.__annotations__
    }
    return Group(**arrays)


def load_teacher_images(
    folder: Path, extent: Extent, say: Callable[[str], None]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return ``(S, H, W, 6)`` reflectance of the teacher's scenes, and ``(S, h, w, 13)`` shares.

    The shares of the covers are for the informed teacher alone.
    """
    first = FIRST_SEED["teacher"]
    scenes = [_load_scene(folder, first + i, extent, say) for i in range(extent.teacher)]
    return np.stack([s["six"] for s in scenes]), np.stack([s["abundances"] for s in scenes])


def _load_scene(
    folder: Path, seed: int, extent: Extent, say: Callable[[str], None]
) -> dict[str, NDArray[np.float32]]:
    # The scenes that only the teacher sees are not worth 218 bands on disk.
    whole = not extent.student <= seed - FIRST_SEED["teacher"] < extent.teacher
    path = folder / f"{_digest(seed, extent, whole)}.npz"
    if not path.is_file():
        say(f"simulating scene {seed}")
        arrays = _simulate(seed, extent, whole)
        folder.mkdir(parents=True, exist_ok=True)
        with AtomicFile(path) as part, open(part.temporary, "wb") as file:
            np.savez(file, **arrays)
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _digest(seed: int, extent: Extent, whole: bool) -> str:
    """Return a name that changes with whatever changes the arrays."""
    hidden = [HIDDEN_CENTRE_NM, HIDDEN_WIDTH_NM, HIDDEN_DEPTH]
    about = json.dumps([_FORMAT[whole], seed, extent.side, extent.patch, whole, hidden])
    return hashlib.sha256(about.encode()).hexdigest()[:16]


def _simulate(seed: int, extent: Extent, whole: bool) -> dict[str, NDArray[np.generic]]:
    simulated = SimulatedScene(extent.side, extent.side, seed, border=0.0, hidden=hidden_shape())
    window = simulated.grid.window
    layers = simulated.render(window)
    source = MemoryRaster(layers.scene, simulated.bands, simulated.grid)
    pixels = read_scene(source, canonical_bands(), f"simulated {seed}").pixels
    arrays: dict[str, NDArray[np.generic]] = {
        "six": six_bands(pixels),
        "abundances": token_means(layers.abundances, extent.patch),
    }
    if whole:
        names = [trait.name for trait in TRAITS]
        chosen = [names.index(name) for name in TRAIT_NAMES]
        arrays |= {
            "pixels": pixels,
            "traits": token_means(layers.traits[chosen], extent.patch),
            "hidden": token_means(simulated.hidden_share(window)[None], extent.patch)[..., 0],
        }
    return arrays


def token_means(layers: NDArray[np.float32], patch: int) -> NDArray[np.float32]:
    """Return the means ``(h, w, L)`` over tokens of ``layers`` (L, H, W); NaN where one is."""
    count, height, width = layers.shape
    grid = layers.reshape(count, height // patch, patch, width // patch, patch)
    means: NDArray[np.float32] = grid.mean((2, 4)).transpose(1, 2, 0).astype(np.float32)
    return means
