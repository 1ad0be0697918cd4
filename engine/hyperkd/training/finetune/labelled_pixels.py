"""Labelled pixels, and the tiles of a map that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling.blend import axis_weights
from hyperkd.inference.tiling.reflectance_tiles import reflectance_tile
from hyperkd.inference.tiling.tile_plan import TilePlan
from hyperkd.models.card import ModelCard
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.preprocessing import input_map
from hyperkd.types import BoolArray, Float32Array, Ints, Reporter, Window


@dataclass(frozen=True, eq=False)
class SplitPixels:
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
    def of(cls, labels: Labels, parts: Sequence[NDArray[np.int8]]) -> SplitPixels:
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

    def take(self, index: NDArray[Any]) -> SplitPixels:
        """Return some of the pixels."""
        return SplitPixels(
            self.scene[index],
            self.row[index],
            self.col[index],
            self.group[index],
            self.values[index],
            self.part[index],
        )


@dataclass(frozen=True, eq=False)
class LabelledTile:
    """A tile as the network takes it as input for a map, and labelled pixels in it.

    Attributes:
        scene, window: where it lies.
        pixels: ``(C, T, T)`` float32 normalised reflectance, 0 where it is not valid.
        valid: ``(T, T)``; a raster smaller than the window's side is reflected beyond.
        index: ``(k,)`` which of the labelled pixels these are.
        row, col: ``(k,)`` where they lie in the tile.
    """

    scene: int
    window: Window
    pixels: Float32Array
    valid: BoolArray
    index: Ints
    row: Ints
    col: Ints


class TileReader:
    """Reads the tiles that hold labelled pixels, on the bands of a student.

    Each pixel belongs to the tile with the largest weight at it where a map is blended.

    Args:
        card: the student's: bands, normalisation, tile.

    Raises:
        HyperKDError: ``band_mismatch`` where a scene does not cover the student's bands.
    """

    def __init__(
        self, sources: Sequence[RasterSource], pixels: SplitPixels, card: ModelCard
    ) -> None:
        self._sources, self._card = sources, card
        mean, std = np.asarray(card.mean), np.asarray(card.std)
        self._maps = [input_map(source.bands, card.bands, mean, std)[0] for source in sources]
        self._tiles = [
            (scene, window, index, pixels.row[index] - window.row, pixels.col[index] - window.col)
            for scene, source in enumerate(sources)
            for window, index in _tiles(source, scene, pixels, card.tile_px)
        ]

    def __len__(self) -> int:
        return len(self._tiles)

    def read(self, report: Reporter) -> Iterator[LabelledTile]:
        """Yield the tiles.

        Raises:
            HyperKDError: ``cancelled``; ``unsupported_raster`` for values that are not finite;
                what reading raises.
        """
        tile_px = self._card.tile_px
        for number, (scene, window, index, row, col) in enumerate(self._tiles):
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
                row,
                col,
            )
            report.progress(number + 1, len(self._tiles), "tiles")


def _tiles(
    source: RasterSource, scene: int, pixels: SplitPixels, tile_px: int
) -> Iterator[tuple[Window, Ints]]:
    """Yield the tiles of a scene that hold labelled pixels, and which pixels these are."""
    here = np.flatnonzero(pixels.scene == scene)
    plan = TilePlan.over(source.grid, tile_px)
    down = _heaviest(source.grid.height, plan.rows, tile_px)[pixels.row[here]]
    right = _heaviest(source.grid.width, plan.cols, tile_px)[pixels.col[here]]
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
