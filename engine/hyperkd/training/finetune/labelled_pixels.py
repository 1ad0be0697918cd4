"""Labelled pixels as fine-tuning needs them: read in the tiles in which a map is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling.blend import axis_weights
from hyperkd.inference.tiling.reflectance_tiles import reflectance_tile
from hyperkd.inference.tiling.tile_plan import TilePlan
from hyperkd.models.card import ModelCard
from hyperkd.raster.labels.read_labels import Labels, SceneLabels
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.preprocessing import input_map
from hyperkd.types import BoolArray, Reporter, Window

Float32Array = NDArray[np.float32]
Ints = NDArray[np.int64]

_NEIGHBOURS: Final = 3
# Spectra and differences of neighbours that are kept for the statistics of the scenes.
_SPECTRA: Final = 20_000


@dataclass(frozen=True, eq=False)
class Places:
    """Labelled pixels of all scenes after each other; n pixels.

    Attributes:
        scene, row, col: ``(n,)``.
        group: ``(n,)`` the polygon, line, point or patch it comes from.
        values: ``(n,)`` class index, or ``(n, T)`` targets, NaN where unknown.
        part: ``(n,)`` int8 as in ``Split.parts``.
    """

    scene: Ints
    row: Ints
    col: Ints
    group: Ints
    values: NDArray[Any]
    part: NDArray[np.int8]

    @classmethod
    def of(cls, labels: Labels, parts: Sequence[NDArray[np.int8]]) -> Places:
        """Return the pixels of labels with the parts of a split."""
        sizes = [len(scene) for scene in labels.scenes]
        return cls(
            np.repeat(np.arange(len(sizes)), sizes),
            np.concatenate([scene.rows for scene in labels.scenes]),
            np.concatenate([scene.cols for scene in labels.scenes]),
            labels.group,
            labels.values,
            np.concatenate(parts),
        )

    def __len__(self) -> int:
        return int(self.row.size)

    def take(self, index: NDArray[Any]) -> Places:
        """Return some of the pixels."""
        return Places(
            self.scene[index],
            self.row[index],
            self.col[index],
            self.group[index],
            self.values[index],
            self.part[index],
        )


@dataclass(frozen=True, eq=False)
class LabelledTile:
    """A tile as the network sees it in a map, and labelled pixels in it.

    Attributes:
        scene, window: where it lies.
        pixels: ``(C, T, T)`` float32 normalised reflectance, 0 where it is not valid.
        valid: ``(T, T)``; a raster smaller than the window's side is reflected beyond.
        index: ``(k,)`` which of the places these are.
        row, col: ``(k,)`` where they lie in the tile.
    """

    scene: int
    window: Window
    pixels: Float32Array
    valid: BoolArray
    index: Ints
    row: Ints
    col: Ints


def subset(labels: Labels, chosen: BoolArray) -> Labels:
    """Return the labels of which ``chosen``, ``(n,)`` over all scenes, is True."""
    scenes, first = [], 0
    for scene in labels.scenes:
        here = chosen[first : first + len(scene)]
        first += len(scene)
        scenes.append(
            SceneLabels(scene.rows[here], scene.cols[here], scene.values[here], scene.group[here])
        )
    return dataclasses.replace(labels, scenes=tuple(scenes))


class TileReader:
    """Reads the tiles that hold labelled pixels, on the bands of a student.

    Each pixel belongs to the one tile that counts most for it where a map is blended.

    Args:
        sources: the scenes.
        places: the labelled pixels.
        card: the student's: bands, normalisation, tile.

    Raises:
        HyperKDError: ``band_mismatch`` where a scene does not cover the student's bands.
    """

    def __init__(self, sources: Sequence[RasterSource], places: Places, card: ModelCard) -> None:
        self._sources, self._card = sources, card
        mean, std = np.asarray(card.mean), np.asarray(card.std)
        self._maps = [input_map(source.bands, card.bands, mean, std)[0] for source in sources]
        self._tiles = [
            (scene, window, index)
            for scene, source in enumerate(sources)
            for window, index in _tiles(source, scene, places, card.tile_px)
        ]
        self._places = places

    def __len__(self) -> int:
        return len(self._tiles)

    def read(self, report: Reporter) -> Iterator[LabelledTile]:
        """Yield the tiles; progress is told."""
        tile_px = self._card.tile_px
        for number, (scene, window, index) in enumerate(self._tiles):
            report.check_cancelled()
            source = self._sources[scene]
            spectra, valid = reflectance_tile(source, window, self._maps[scene], tile_px)
            _require_finite(spectra, source, window)
            yield LabelledTile(
                scene,
                window,
                spectra,
                valid,
                index,
                self._places.row[index] - window.row,
                self._places.col[index] - window.col,
            )
            report.progress(number + 1, len(self._tiles), "tiles")


def _tiles(
    source: RasterSource, scene: int, places: Places, tile_px: int
) -> Iterator[tuple[Window, Ints]]:
    """Yield the tiles of a scene in which labelled pixels count most, and these pixels."""
    here = np.flatnonzero(places.scene == scene)
    plan = TilePlan.over(source.grid, tile_px)
    down = _heaviest(source.grid.height, plan.rows, tile_px)[places.row[here]]
    right = _heaviest(source.grid.width, plan.cols, tile_px)[places.col[here]]
    number = down * len(plan.cols) + right
    for tile in np.unique(number):
        row, col = plan.rows[tile // len(plan.cols)], plan.cols[tile % len(plan.cols)]
        yield Window(col, row, plan.width, plan.height), here[number == tile]


def _heaviest(length: int, starts: Sequence[int], tile_px: int) -> Ints:
    """Return ``(length,)``, the tile of the largest weight at each pixel of an axis."""
    weights = np.zeros((len(starts), length), np.float32)
    for row, start, values in zip(weights, starts, axis_weights(length, starts, tile_px)):
        row[start : start + len(values)] = values
    heaviest: Ints = weights.argmax(axis=0)
    return heaviest


def _require_finite(spectra: Float32Array, source: RasterSource, window: Window) -> None:
    if np.isfinite(spectra.sum()):
        return
    raise HyperKDError(
        "unsupported_raster",
        f"{source.path} holds values that are no finite numbers in columns {window.col} to "
        f"{window.col_end - 1}, rows {window.row} to {window.row_end - 1}.",
        "Declare values that mean 'no data' as nodata, and check scale and offset of the bands.",
    )


@dataclass(frozen=True, eq=False)
class Spectra:
    """What the labelled pixels show; all spectra are normalised reflectance.

    Attributes:
        own: ``(n, C)`` float32.
        apart: ``(n, C)`` the mean over the valid neighbours and the pixel, less the pixel.
        tokens: ``(n, V, D)`` of V views of the tile, the first as it is; None without.
        scene: ``(m, C)`` spectra of the scenes, labelled or not, without test pixels.
        steps: ``(m, C)`` differences of such neighbours.
    """

    own: Float32Array
    apart: Float32Array
    tokens: Optional[Float32Array]
    scene: Float32Array
    steps: Float32Array

    def take(self, chosen: BoolArray) -> Spectra:
        """Return the same of some of the labelled pixels."""
        tokens = None if self.tokens is None else self.tokens[chosen]
        return Spectra(self.own[chosen], self.apart[chosen], tokens, self.scene, self.steps)


class Gatherer:
    """Collects ``Spectra`` tile by tile.

    Args:
        places: the labelled pixels.
        bands: C.
        tiles: how many tiles there will be.
        hidden: pixels that must not enter the statistics of the scenes.
        generator: chooses the pixels of these statistics.
    """

    def __init__(
        self,
        places: Places,
        bands: int,
        tiles: int,
        hidden: Places,
        generator: np.random.Generator,
    ) -> None:
        self.own: Float32Array = np.zeros((len(places), bands), np.float32)
        self.apart = np.zeros_like(self.own)
        self._hidden = hidden
        self._generator = generator
        self._each = -(-_SPECTRA // max(1, tiles))
        self._scene: list[Float32Array] = []
        self._steps: list[Float32Array] = []

    def add(self, tile: LabelledTile) -> None:
        """Take the labelled pixels of a tile, and some of its other pixels."""
        self.own[tile.index] = tile.pixels[:, tile.row, tile.col].T
        self.apart[tile.index] = _apart(tile)
        window, hidden = tile.window, self._hidden
        pixels = tile.pixels[:, : window.height, : window.width]
        usable = tile.valid[: window.height, : window.width].copy()
        row, col = hidden.row - window.row, hidden.col - window.col
        here = (hidden.scene == tile.scene) & (row >= 0) & (row < window.height)
        here &= (col >= 0) & (col < window.width)
        usable[row[here], col[here]] = False
        rows, cols = self._some(np.nonzero(usable))
        self._scene.append(pixels[:, rows, cols].T)
        for down, right in ((0, 1), (1, 0)):
            beside = usable[down:, right:]
            beside = beside & usable[: window.height - down, : window.width - right]
            rows, cols = self._some(np.nonzero(beside))
            self._steps.append((pixels[:, rows + down, cols + right] - pixels[:, rows, cols]).T)

    def _some(self, places: tuple[Ints, ...]) -> tuple[Ints, ...]:
        count = places[0].size
        if count <= self._each:
            return places
        chosen = np.sort(self._generator.choice(count, self._each, replace=False))
        return tuple(axis[chosen] for axis in places)

    def result(self, tokens: Optional[Float32Array]) -> Spectra:
        """Return what was collected."""
        return Spectra(
            self.own, self.apart, tokens, np.concatenate(self._scene), np.concatenate(self._steps)
        )


def _apart(tile: LabelledTile) -> Float32Array:
    """Return ``(k, C)``: the mean over each pixel's valid neighbours and itself, less itself."""
    margin = _NEIGHBOURS // 2
    pixels = np.pad(tile.pixels, [(0, 0), (margin, margin), (margin, margin)])
    valid = np.pad(tile.valid, margin).astype(np.float32)
    total = np.zeros((len(tile.index), len(pixels)), np.float32)
    count = np.zeros((len(tile.index), 1), np.float32)
    for down in range(_NEIGHBOURS):
        for right in range(_NEIGHBOURS):
            total += pixels[:, tile.row + down, tile.col + right].T
            count += valid[tile.row + down, tile.col + right][:, None]
    apart: Float32Array = total / count - tile.pixels[:, tile.row, tile.col].T
    return apart
