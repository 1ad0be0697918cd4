"""The teacher's features on disk: computed once, then read at every epoch.

One ``.npy`` file for each tile. Its name is the checksum of everything that the
features depend on, so a changed teacher, alignment or scene never meets an old
file; and a process that is killed leaves whole files or none.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Final, Optional, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.atomic import AtomicFile
from hyperkd.output_checks import make_folder
from hyperkd.types import Window

FeatureArray = NDArray[np.float32]

# Changes when the same key would lead to other numbers or to another layout of the file.
_FORMAT: Final = "hyperkd-features-2"
_HINT: Final = "Choose a folder for the teacher's features that you may write to."


@dataclass(frozen=True)
class FeatureKey:
    """Everything that the features of one tile depend on.

    Attributes:
        teacher: checksum of the teacher's file.
        blocks: how many of its blocks are computed, or the blocks that are kept.
        frames: one of ``hyperkd.training.teacher.prithvi_features.FRAMES``.
        positions: one of ``hyperkd.models.prithvi_versions.POSITIONS``.
        alignment: ``checksum`` of the matrix from the scene's bands to the six of HLS.
        scene: ``checksum`` of the scene's pixels and mask.
        window: the tile in the scene.
        turns: quarter turns of the tile, counter-clockwise.
        mirrored: whether it is mirrored left to right after turning.
        coordinates: year, day of the year, latitude and longitude, if the teacher got them.
        values: whether the values of attention are kept instead of the blocks' output.
    """

    teacher: str
    blocks: Union[int, tuple[int, ...]]
    frames: str
    positions: str
    alignment: str
    scene: str
    window: Window
    turns: int = 0
    mirrored: bool = False
    coordinates: tuple[float, ...] = ()
    values: bool = False

    def digest(self) -> str:
        """Return 64 hexadecimal digits that change with every field."""
        text = json.dumps([_FORMAT, dataclasses.asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def checksum(*arrays: NDArray[Any]) -> str:
    """Return the SHA-256 of type, shape and content of ``arrays`` as hexadecimal digits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        # Row by row, so that a memory-mapped scene is not read into memory at once.
        for row in np.atleast_1d(array):
            digest.update(np.ascontiguousarray(row).tobytes())
    return digest.hexdigest()


class FeatureCache:
    """Features of tiles of one size; one process at a time writes into a folder.

    Args:
        folder: where the files lie; it is made where it does not exist.
        shape: of the features of one tile, for instance ``(N, D)``.

    Raises:
        HyperKDError: ``unwritable_output`` where the folder cannot be made.
    """

    def __init__(self, folder: Union[str, Path], shape: Sequence[int]) -> None:
        self.folder = Path(folder)
        self.shape = tuple(shape)
        make_folder(self.folder, _HINT)

    def path(self, key: FeatureKey) -> Path:
        """Return the file of ``key``, whether or not it exists."""
        digest = key.digest()
        # 256 folders, because some file systems are slow with 100 000 files in one.
        return self.folder / digest[:2] / f"{digest}.npy"

    def get(self, key: FeatureKey) -> Optional[FeatureArray]:
        """Return the features of ``key``, mapped from the file and read-only, or None.

        A file that is cut short or holds another shape or type counts as
        absent; ``put`` replaces it.
        """
        try:
            stored = np.load(self.path(key), mmap_mode="r", allow_pickle=False)
        except (FileNotFoundError, ValueError, EOFError):
            return None
        if not isinstance(stored, np.memmap):  # an archive under our name
            return None
        fits = stored.shape == self.shape and stored.dtype == np.float32
        return stored if fits else None

    def put(self, key: FeatureKey, features: FeatureArray) -> None:
        """Store ``features``; the file appears whole or not at all.

        Raises:
            HyperKDError: ``unwritable_output`` and ``out_of_disk`` as ``AtomicFile``.
        """
        if features.shape != self.shape:
            raise ValueError(f"features {features.shape} in a cache of {self.shape}")
        if not np.isfinite(features).all():
            raise ValueError("the teacher's features are not all numbers")
        path = self.path(key)
        make_folder(path.parent, _HINT)
        with AtomicFile(path) as part, open(part.temporary, "wb") as file:
            np.save(file, np.ascontiguousarray(features, np.float32), allow_pickle=False)

    def collect(
        self, keys: Sequence[FeatureKey], compute: Callable[[Sequence[int]], FeatureArray]
    ) -> FeatureArray:
        """Return the features of ``keys``, of which the absent ones are computed and stored.

        Args:
            keys: the tiles.
            compute: called with the positions in ``keys`` of the absent ones,
                if there are any; returns their features in that order.

        Returns:
            ``(len(keys), *shape)`` float32.
        """
        result = np.empty((len(keys), *self.shape), np.float32)
        absent = []
        for index, key in enumerate(keys):
            stored = self.get(key)
            if stored is None:
                absent.append(index)
            else:
                result[index] = stored
        if absent:
            result[absent] = compute(absent)
            for index in absent:
                self.put(keys[index], result[index])
        return result
