"""Samples for training: random crops of scenes on the student's bands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Final, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.grid import iterate_tiles
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.preprocessing import input_map
from hyperkd.types import BoolArray, FloatArray, Reporter, Wavelengths, Window

# Scenes are kept as EnMAP delivers them, int16 and reflectance x 10000: half the
# memory of float32, and a step of 1e-4 lies far below the noise.
UNIT: Final = 1e-4

READ_PX: Final = 256  # side of the window that is read and resampled at once
_STRIP_ROWS: Final = 64  # read at once for statistics
_DRAWS_PER_CROP: Final = 100
_LEAST_SHARE: Final = 0.5  # of a crop that is valid

Pixels = NDArray[np.int16]
LeaveOut = Callable[[Window], BoolArray]


class PixelSource(Protocol):
    """A scene on the student's bands, wherever its pixels lie."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    @property
    def valid(self) -> BoolArray:
        """``(rows, cols)``, False where there is no spectrum; in memory."""

    @property
    def known(self) -> Optional[BoolArray]:
        """``(C,)``, False for a band that the sensor does not have; None: all are known."""

    def read(self, rows: slice, cols: slice) -> Pixels:
        """Return ``(rows, cols, C)`` int16, reflectance x 10000; not to be written into."""


@dataclass(frozen=True, eq=False)
class MemoryScene:
    """A scene on the student's bands, in memory or mapped from a file.

    Attributes:
        name: what to call it in messages.
        pixels: ``(rows, cols, C)`` int16, reflectance x 10000; in memory or a memory map.
        valid: ``(rows, cols)`` bool, False where there is no spectrum.
        known: see ``PixelSource``.
    """

    name: str
    pixels: Pixels
    valid: BoolArray
    known: Optional[BoolArray] = None

    def read(self, rows: slice, cols: slice) -> Pixels:
        """Return the pixels of a rectangle."""
        return self.pixels[rows, cols]


class ToStudentBands:
    """The map from a raster's stored values to the student's bands.

    Args:
        bands: the student's.
        leave_out: returns which pixels of a window to leave out, ``(rows, cols)`` bool.

    Attributes:
        known: ``(C,)``, False for an extrapolated band, or None where there is none.

    Raises:
        HyperKDError: ``band_mismatch`` where the raster does not cover the bands.
    """

    def __init__(
        self, source: RasterSource, bands: Wavelengths, leave_out: Optional[LeaveOut] = None
    ) -> None:
        count = len(bands)
        affine, support = input_map(source.bands, bands, np.zeros(count), np.ones(count))
        self.used = np.flatnonzero(affine.matrix.any(0))
        self.known = None if support.supported.all() else support.supported
        self._matrix = np.ascontiguousarray(affine.matrix[:, self.used], np.float32)
        self._offset = affine.offset.astype(np.float32)
        self._leave_out = leave_out

    def read(self, source: RasterSource, window: Window) -> tuple[Pixels, BoolArray]:
        """Return ``(rows, cols, C)`` int16, reflectance x 10000, and ``(rows, cols)`` valid."""
        tile = source.read_tile(window, self.used.tolist())
        valid = tile.valid
        if self._leave_out is not None:
            valid = valid & ~self._leave_out(window)
        stored = np.where(valid, tile.data, 0).astype(np.float32)
        spectra = np.einsum("os,shw->hwo", self._matrix, stored, optimize=True) + self._offset
        limits = np.iinfo(np.int16)
        units = np.rint(spectra / np.float32(UNIT)).clip(limits.min, limits.max)
        return np.where(valid[:, :, None], units, 0).astype(np.int16), valid


def read_scene(
    source: RasterSource,
    bands: Wavelengths,
    name: str,
    report: Optional[Reporter] = None,
    pixels: Optional[Pixels] = None,
    leave_out: Optional[LeaveOut] = None,
) -> MemoryScene:
    """Read a raster window by window and bring it to the student's bands.

    Args:
        bands: the student's.
        name: what to call the scene in messages.
        report: learns nothing, but can cancel.
        pixels: ``(rows, cols, C)`` to fill, for instance a memory map; default: new memory.
        leave_out: returns which pixels of a window to leave out, for instance clouds.

    Raises:
        HyperKDError: ``band_mismatch`` where the raster does not cover the
            bands, ``no_valid_pixels`` where it holds no spectrum, ``cancelled``.
    """
    mapping = ToStudentBands(source, bands, leave_out)
    grid = source.grid
    if pixels is None:
        pixels = np.zeros((grid.height, grid.width, len(bands)), np.int16)
    valid = np.zeros((grid.height, grid.width), np.bool_)
    for window in iterate_tiles(grid, READ_PX):
        if report is not None:
            report.check_cancelled()
        place = window.slices()
        pixels[place], valid[place] = mapping.read(source, window)
    require_valid(valid, name)
    return MemoryScene(name, pixels, valid, mapping.known)


def require_valid(valid: BoolArray, name: str) -> None:
    """Raise ``no_valid_pixels`` where no pixel of a scene is valid."""
    if not valid.any():
        raise HyperKDError(
            "no_valid_pixels",
            f"{name} holds no valid pixel to train on.",
            "Leave this raster out, or check its nodata value.",
        )


def least_valid(valid: BoolArray, tile_px: int, share: float = _LEAST_SHARE) -> float:
    """Return how many valid pixels a crop must have: a share of it, or of what there is."""
    return min(share * tile_px**2, 0.5 * float(valid.sum()))


def has_place(valid: BoolArray, tile_px: int) -> bool:
    """Return whether a scene has a crop with enough valid pixels."""
    return any(len(each) for each in good_places(valid, tile_px, least_valid(valid, tile_px)))


def good_places(
    valid: BoolArray, tile_px: int, least: float, step_px: int = 1
) -> Iterator[NDArray[np.int64]]:
    """Yield, row by row, where crops of at least ``least`` valid pixels begin, ``(N, 2)``.

    Row by row because a mask may have a thousand million pixels, and their sums far more bytes.
    """
    height, width = (min(tile_px, length) for length in valid.shape)
    counts = valid[:height].sum(0)  # of each column, in the rows of the crop
    for row in range(valid.shape[0] - height + 1):
        if row:
            counts += valid[row + height - 1]
            counts -= valid[row - 1]
        if row % step_px == 0:
            sums = np.concatenate(([0], counts.cumsum()))
            cols = np.flatnonzero((sums[width:] - sums[:-width])[::step_px] >= least) * step_px
            yield np.stack((np.full_like(cols, row), cols), 1)


def band_statistics(scenes: Sequence[PixelSource]) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation ``(C,)`` of the reflectance of all valid pixels."""
    count = 0
    total: Any = 0.0
    squares: Any = 0.0
    for scene in scenes:
        height, width = scene.valid.shape
        for first in range(0, height, _STRIP_ROWS):
            rows = slice(first, min(first + _STRIP_ROWS, height))
            for row, valid in zip(scene.read(rows, slice(0, width)), scene.valid[rows]):
                spectra = row[valid].astype(np.float64) * UNIT
                count += len(spectra)
                total = total + spectra.sum(0)
                squares = squares + np.square(spectra).sum(0)
    mean: FloatArray = total / count
    variance = np.maximum(squares / count - np.square(mean), 0)
    # A constant band carries nothing; the floor keeps it from being blown up to noise.
    std: FloatArray = np.maximum(np.sqrt(variance), 1e-3)
    return mean, std


@dataclass(frozen=True)
class Crop:
    """Where a sample lies, and how it is turned.

    Attributes:
        scene: number of the scene.
        window: its pixels in the scene; smaller than the tile where the scene is.
        row, col: where the window lies in the tile, before turning.
        turns: quarter turns, counter-clockwise.
        mirrored: whether it is mirrored left to right after turning.
    """

    scene: int
    window: Window
    row: int
    col: int
    turns: int
    mirrored: bool


class CropSampler:
    """Draws random crops, turned and mirrored, from scenes.

    Args:
        tile_px: side of a crop. A smaller scene lies at a random place in the
            crop and is invalid around.
        weights: chance of each scene; default: by its number of valid pixels.
        min_valid: least share of valid pixels that a crop must have, as a share
            of what the scene can give. Where that is rare, chance finds none soon; then
            crops are drawn among all the places that have it.
        step_px: crops begin at multiples of it, so that the same ones come
            again; default: anywhere.
    """

    def __init__(
        self,
        scenes: Sequence[PixelSource],
        tile_px: int,
        weights: Optional[Sequence[float]] = None,
        min_valid: float = _LEAST_SHARE,
        step_px: int = 1,
    ) -> None:
        self.scenes = tuple(scenes)
        self.tile_px = tile_px
        self.step_px = step_px
        if weights is None:
            weights = [float(scene.valid.sum()) for scene in scenes]
        self._chance = np.asarray(weights, np.float64) / np.sum(weights)
        self._min_valid = [least_valid(scene.valid, tile_px, min_valid) for scene in scenes]
        self._good: dict[int, NDArray[np.int64]] = {}

    def plan(self, generator: np.random.Generator, size: int) -> tuple[Crop, ...]:
        """Draw where ``size`` crops lie.

        Raises:
            HyperKDError: ``no_valid_pixels`` where a scene holds no place with
                enough valid pixels.
        """
        chosen = generator.choice(len(self.scenes), size, p=self._chance)
        return tuple(self._place(generator, int(number)) for number in chosen)

    def read(self, crops: Sequence[Crop]) -> tuple[Pixels, BoolArray]:
        """Return ``pixels`` (B, H, W, C) int16, reflectance x 10000, and ``valid`` (B, H, W)."""
        tile = self.tile_px
        parts = [self.scenes[crop.scene].read(*crop.window.slices()) for crop in crops]
        pixels = np.zeros((len(crops), tile, tile, parts[0].shape[2]), np.int16)
        valid = np.zeros((len(crops), tile, tile), np.bool_)
        for index, (crop, part) in enumerate(zip(crops, parts)):
            mask = self.scenes[crop.scene].valid[crop.window.slices()]
            inside = (
                slice(crop.row, crop.row + crop.window.height),
                slice(crop.col, crop.col + crop.window.width),
            )
            for target, image in ((pixels, part), (valid, mask)):
                view = np.rot90(target[index], crop.turns)
                view = view[:, ::-1] if crop.mirrored else view
                view[inside] = image
        return pixels, valid

    def known(self, crops: Sequence[Crop]) -> Optional[BoolArray]:
        """Return ``(B, C)``, which bands the sensor of each crop has; None where all are known."""
        known = [self.scenes[crop.scene].known for crop in crops]
        if all(each is None for each in known):
            return None
        count = next(len(each) for each in known if each is not None)
        return np.stack([np.ones(count, np.bool_) if each is None else each for each in known])

    def batch(self, generator: np.random.Generator, size: int) -> tuple[Pixels, BoolArray]:
        """Draw and read ``size`` crops; see ``plan`` and ``read``."""
        return self.read(self.plan(generator, size))

    def _place(self, generator: np.random.Generator, number: int) -> Crop:
        scene = self.scenes[number]
        for _ in range(_DRAWS_PER_CROP):
            (row_in, row, height), (col_in, col, width) = (
                _span(generator, length, self.tile_px, self.step_px) for length in scene.valid.shape
            )
            window = Window(col, row, width, height)
            if scene.valid[window.slices()].sum() >= self._min_valid[number]:
                break
        else:
            row, col = generator.choice(self._good_places(number)).tolist()
            window = Window(col, row, width, height)
        turns, mirrored = int(generator.integers(4)), bool(generator.integers(2))
        return Crop(number, window, row_in, col_in, turns, mirrored)

    def _good_places(self, number: int) -> NDArray[np.int64]:
        """Return where crops can begin, ``(N, 2)``: on the grid, or anywhere if it has none."""
        if number not in self._good:
            valid, least = self.scenes[number].valid, self._min_valid[number]
            for step_px in (self.step_px, 1):
                places = np.concatenate(list(good_places(valid, self.tile_px, least, step_px)))
                if len(places):
                    break
            else:
                raise HyperKDError(
                    "no_valid_pixels",
                    f"{self.scenes[number].name} holds no {self.tile_px} x {self.tile_px} pixels "
                    "of which enough are valid.",
                    "Leave this raster out, or train with another tile.",
                )
            self._good[number] = places
        return self._good[number]


def _span(
    generator: np.random.Generator, length: int, tile_px: int, step_px: int
) -> tuple[int, int, int]:
    """Draw one axis of a crop: its first pixel in the tile and in the scene, and its length."""
    first = int(generator.integers(abs(length - tile_px) // step_px + 1)) * step_px
    return (0, first, tile_px) if length >= tile_px else (first, 0, length)
