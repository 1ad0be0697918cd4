"""A small map of the model in training, renewed while it is trained."""

from __future__ import annotations

import time
from typing import Callable, Final, Optional

import numpy as np
import torch

from hyperkd.errors import HyperKDError
from hyperkd.inference.classify import NO_CLASS, class_map
from hyperkd.inference.tiling.reflectance_tiles import reflectance_tile
from hyperkd.models.card import ModelCard
from hyperkd.models.nets.heads import DenseModel
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.grid import iterate_tiles
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.sink import ClassEntry, RasterSpec
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.preprocessing import input_map
from hyperkd.types import BoolArray, Float32Array, GridSpec, Reporter, Window

_SIDE: Final = 256
_EVERY_S: Final = 20.0


class MapPreview:
    """Writes the preview.

    Args:
        extent: xmin, ymin, xmax, ymax in the scene's reference system; empty for the middle.
        labels: the classes, or the targets of which the first is shown.
        report: gets the artifact ``preview``.

    Raises:
        HyperKDError: ``bad_job`` where the extent lies outside the scene, or the scene has
            no geotransform to find it with.
    """

    def __init__(
        self,
        path: str,
        source: RasterSource,
        extent: tuple[float, ...],
        labels: Labels,
        report: Reporter,
    ) -> None:
        self._path, self._labels, self._report = path, labels, report
        self._window = window_of(source.grid, extent)
        self._grid = grid_of(source.grid, self._window)
        self._source = source
        self._pixels: Optional[Float32Array] = None
        self._valid: BoolArray = np.zeros((0, 0), np.bool_)
        self._written = -np.inf

    def offer(self, card: ModelCard, make: Callable[[], DenseModel]) -> None:
        """Write the map of a model, unless the last one was written just now.

        Args:
            card: the student's: bands, normalisation, tile.
            make: returns the model, for targets in their units.
        """
        if time.monotonic() - self._written >= _EVERY_S:
            self.show(card, make())

    def show(self, card: ModelCard, model: DenseModel) -> None:
        """Write the map of a model, however new the last one is.

        Args:
            model: for targets in their units.
        """
        if self._pixels is None:
            self._read(card)
        answers = self._compute(model, card.tile_px)
        self._write(answers)
        self._report.artifact("preview", self._path)
        self._written = time.monotonic()

    def _read(self, card: ModelCard) -> None:
        affine, _ = input_map(
            self._source.bands, card.bands, np.zeros(len(card.bands)), np.ones(len(card.bands))
        )
        self._pixels, self._valid = reflectance_tile(self._source, self._window, affine)

    @torch.no_grad()
    def _compute(self, model: DenseModel, tile_px: int) -> Float32Array:
        """Return outputs ``(K, rows, cols)``; tiles do not overlap, enough for a preview."""
        device = model.student.mean.device
        pixels, valid = self._pixels, self._valid
        if pixels is None:
            raise ValueError("the preview's pixels were not read")
        answers = np.zeros((model.head.config.outputs, *valid.shape), np.float32)
        for window in iterate_tiles(GridSpec(valid.shape[1], valid.shape[0]), tile_px):
            self._report.check_cancelled()
            rows, cols = window.slices()
            margin = [(0, tile_px - window.height), (0, tile_px - window.width)]
            tile = np.pad(pixels[:, rows, cols], [(0, 0), *margin], mode="reflect")
            mask = np.pad(valid[rows, cols], margin, mode="reflect").astype(np.float32)
            answer = model(
                torch.from_numpy(tile)[None].to(device),
                torch.from_numpy(mask)[None, None].to(device),
            )
            answers[:, rows, cols] = answer[0, :, : window.height, : window.width].cpu().numpy()
        return answers

    def _write(self, answers: Float32Array) -> None:
        if self._labels.task == "classification":
            entries = [
                ClassEntry(item.name, _rgb(item.colour), item.value)
                for item in self._labels.classes
            ]
            data = class_map(answers, self._valid)
            with create_raster(
                self._path, RasterSpec( self._grid, 1, np.uint8, nodata=NO_CLASS, names=["class"],
                classes=entries,
            )) as sink:  # fmt: skip
                sink.write(self._grid.window, data)
            return
        values = np.where(self._valid, answers[:1], np.nan).astype(np.float32)
        with create_raster(
            self._path,
            RasterSpec(self._grid, 1, np.float32, nodata=np.nan, names=[self._labels.targets[0]]),
        ) as sink:
            sink.write(self._grid.window, values)


def window_of(grid: GridSpec, extent: tuple[float, ...]) -> Window:
    """Return the pixels of an extent, cut to ``_SIDE`` pixels a side around its centre.

    Raises:
        HyperKDError: ``bad_job`` where it lies outside the raster.
    """
    col, row, right, below = 0.0, 0.0, float(grid.width), float(grid.height)
    if extent:
        if grid.geotransform is None:
            raise _bad("the first raster has no geotransform")
        x0, dx, rx, y0, ry, dy = grid.geotransform
        inverse = np.linalg.inv(np.array([[dx, rx], [ry, dy]]))
        xs, ys = (extent[0], extent[2]), (extent[1], extent[3])
        corners = np.array([inverse @ (x - x0, y - y0) for x in xs for y in ys])
        (col, row), (right, below) = corners.min(0), corners.max(0)
    col, width = _span(col, right, grid.width)
    row, height = _span(row, below, grid.height)
    if width < 1 or height < 1:
        raise _bad("it lies outside the first raster")
    return Window(int(col), int(row), width, height)


def _span(first: float, last: float, length: int) -> tuple[int, int]:
    """Return the first pixel and the number of pixels of one axis."""
    begin, end = max(0, int(np.floor(first))), min(length, int(np.ceil(last)))
    if end - begin > _SIDE:
        begin = (begin + end - _SIDE) // 2
        end = begin + _SIDE
    return begin, end - begin


def grid_of(grid: GridSpec, window: Window) -> GridSpec:
    """Return the grid of a window of a raster."""
    moved = None
    if grid.geotransform is not None:
        x0, dx, rx, y0, ry, dy = grid.geotransform
        moved = (
            *(x0 + window.col * dx + window.row * rx, dx, rx),
            *(y0 + window.col * ry + window.row * dy, ry, dy),
        )
    return GridSpec(window.width, window.height, moved, grid.crs_wkt)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _bad(why: str) -> HyperKDError:
    return HyperKDError(
        "bad_job",
        f"The preview's extent cannot be used: {why}.",
        "Leave it out, or give xmin ymin xmax ymax in the reference system of the first raster.",
        key="preview_extent",
    )
