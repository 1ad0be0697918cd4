"""Samples for training: random crops of scenes on the student's bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.grid import iterate_tiles
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.preprocessing import input_map
from hyperkd.types import BoolArray, FloatArray, Reporter, Wavelengths

# Scenes are kept as EnMAP delivers them, int16 and reflectance x 10000: half the
# memory of float32, and a step of 1e-4 lies far below the noise.
UNIT: Final = 1e-4

_READ_PX: Final = 256  # side of the window that is read and resampled at once
_DRAWS_PER_CROP: Final = 100


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene on the student's bands.

    Attributes:
        name: what to call it in messages.
        pixels: ``(rows, cols, C)`` int16, reflectance x 10000; in memory or a memory map.
        valid: ``(rows, cols)`` bool, False where there is no spectrum.
    """

    name: str
    pixels: NDArray[np.int16]
    valid: BoolArray


def read_scene(
    source: RasterSource,
    bands: Wavelengths,
    name: str,
    report: Optional[Reporter] = None,
) -> Scene:
    """Read a raster window by window and bring it to the student's bands.

    Raises:
        HyperKDError: ``band_mismatch`` where the raster does not cover the
            bands, ``no_valid_pixels`` where it holds no spectrum, ``cancelled``.
    """
    count = len(bands)
    affine, _ = input_map(source.bands, bands, np.zeros(count), np.ones(count))
    used = np.flatnonzero(affine.matrix.any(0))
    matrix = np.ascontiguousarray(affine.matrix[:, used], np.float32)
    offset = affine.offset.astype(np.float32)
    grid = source.grid
    pixels = np.zeros((grid.height, grid.width, count), np.int16)
    valid = np.zeros((grid.height, grid.width), np.bool_)
    limits = np.iinfo(np.int16)
    for window in iterate_tiles(grid, _READ_PX):
        if report is not None:
            report.check_cancelled()
        tile = source.read_tile(window, used.tolist())
        stored = np.where(tile.valid, tile.data, 0).astype(np.float32)
        spectra = np.einsum("os,shw->hwo", matrix, stored, optimize=True) + offset
        units = np.rint(spectra / np.float32(UNIT)).clip(limits.min, limits.max)
        rows, cols = window.slices()
        valid[rows, cols] = tile.valid
        pixels[rows, cols] = np.where(tile.valid[:, :, None], units, 0)
    if not valid.any():
        raise HyperKDError(
            "no_valid_pixels",
            f"{name} holds no valid pixel to train on.",
            "Leave this raster out, or check its nodata value.",
        )
    return Scene(name, pixels, valid)


def band_statistics(scenes: Sequence[Scene]) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation ``(C,)`` of the reflectance of all valid pixels."""
    count = 0
    total: Any = 0.0
    squares: Any = 0.0
    for scene in scenes:
        for row, valid in zip(scene.pixels, scene.valid):
            spectra = row[valid].astype(np.float64) * UNIT
            count += len(spectra)
            total = total + spectra.sum(0)
            squares = squares + np.square(spectra).sum(0)
    mean: FloatArray = total / count
    variance = np.maximum(squares / count - np.square(mean), 0)
    # A constant band carries nothing; the floor keeps it from being blown up to noise.
    std: FloatArray = np.maximum(np.sqrt(variance), 1e-3)
    return mean, std


class CropSampler:
    """Draws random crops, turned and mirrored, from scenes.

    Args:
        scenes: where to draw from.
        tile_px: side of a crop. A smaller scene lies at a random place in the
            crop and is invalid around.
        weights: chance of each scene; default: by its number of valid pixels.
        min_valid: least share of valid pixels that a crop must have, as a share
            of what the scene can give.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        tile_px: int,
        weights: Optional[Sequence[float]] = None,
        min_valid: float = 0.5,
    ) -> None:
        self.scenes = tuple(scenes)
        self.tile_px = tile_px
        if weights is None:
            weights = [float(scene.valid.sum()) for scene in scenes]
        self._chance = np.asarray(weights, np.float64) / np.sum(weights)
        self._min_valid = [
            min(min_valid * tile_px**2, 0.5 * float(scene.valid.sum())) for scene in scenes
        ]

    def batch(
        self, generator: np.random.Generator, size: int
    ) -> tuple[NDArray[np.int16], BoolArray]:
        """Return ``pixels`` (B, H, W, C) int16, reflectance x 10000, and ``valid`` (B, H, W)."""
        tile = self.tile_px
        bands = self.scenes[0].pixels.shape[2]
        pixels = np.zeros((size, tile, tile, bands), np.int16)
        valid = np.zeros((size, tile, tile), np.bool_)
        chosen = generator.choice(len(self.scenes), size, p=self._chance)
        for index, number in enumerate(chosen):
            inside, crop = self._place(generator, int(number))
            scene = self.scenes[number]
            turns, mirror = int(generator.integers(4)), bool(generator.integers(2))
            for target, image in ((pixels, scene.pixels), (valid, scene.valid)):
                view = np.rot90(target[index], turns)
                view = view[:, ::-1] if mirror else view
                view[inside] = image[crop]
        return pixels, valid

    def _place(
        self, generator: np.random.Generator, number: int
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Draw where a crop lies: ``(rows, cols)`` in the crop and in the scene."""
        scene = self.scenes[number]
        for _ in range(_DRAWS_PER_CROP):
            spans = [_span(generator, length, self.tile_px) for length in scene.valid.shape]
            (rows_in, rows), (cols_in, cols) = spans
            if scene.valid[rows, cols].sum() >= self._min_valid[number]:
                return (rows_in, cols_in), (rows, cols)
        raise HyperKDError(
            "no_valid_pixels",
            f"{scene.name} holds no {self.tile_px} x {self.tile_px} pixels of which enough "
            f"are valid ({_DRAWS_PER_CROP} places tried).",
            "Leave this raster out, or train with a smaller tile.",
        )


def _span(generator: np.random.Generator, length: int, tile_px: int) -> tuple[slice, slice]:
    """Draw one axis of a crop: its place in the crop and in the scene."""
    first = int(generator.integers(abs(length - tile_px) + 1))
    if length >= tile_px:
        return slice(0, tile_px), slice(first, first + tile_px)
    return slice(first, first + length), slice(0, length)
