"""Class rasters and rasters of targets as labels of scenes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.crs import crs_name, same_crs
from hyperkd.raster.gdal.legend import Legend, read_legend
from hyperkd.raster.gdal.reader import PlainRaster
from hyperkd.raster.masks import has_value
from hyperkd.types import BoolArray, GridSpec, Ints, Reporter, Window

# Values read at once.
_STRIPE_VALUES = 2**22
# Shifts below this fraction of a pixel are rounding, not worth a word.
_EXACT_PX = 1e-3


@dataclass(frozen=True)
class Placement:
    """How a scene lies on a label raster.

    Attributes:
        row, col: the label raster's pixel on which the scene's pixel (0, 0) lies.
        window: the common part, in pixels of the label raster.
        shift_px: how far the centres of the two lie apart, in pixels.
    """

    row: int
    col: int
    window: Window
    shift_px: float = 0.0


@dataclass(frozen=True, eq=False)
class LabelledPixels:
    """The labelled pixels of a label raster at its scenes; n pixels, each once.

    Attributes:
        rows, cols: ``(n,)`` int64 in the label raster.
        values: ``(n, T)`` float64, of a classification one column.
    """

    rows: Ints
    cols: Ints
    values: NDArray[np.float64]


class LabelRaster:
    """One raster with labels.

    Args:
        task: ``classification`` or ``regression``.
        fields: names or numbers (from 1) of bands; none: the only one, or for
            targets all of them.

    Attributes:
        path, name: the file, and how messages call it.
        width: in pixels.
        unplaced: whether it has no geotransform.
        zeros: how many pixels without a class were read that are not nodata.
        legend: what it says about its classes.
        targets: names of the bands that are read.

    Raises:
        HyperKDError: ``bad_labels``, or what opening a raster raises.
    """

    def __init__(self, path: str, task: str, fields: Sequence[str]) -> None:
        self.path, self.name, self._task = path, os.path.basename(path), task
        try:
            self._raster = PlainRaster(path)
        except HyperKDError as error:
            if error.code != "unreadable_raster":
                raise
            raise HyperKDError(
                "bad_labels",
                f"{path} is neither a vector layer nor a raster: {error.message}",
                "Give polygons, lines, points or a class raster.",
                path=path,
            ) from error
        self.width = self._raster.grid.width
        self.zeros = 0
        self.unplaced = self._raster.grid.geotransform is None
        self.legend: Legend = read_legend(path)
        self._bands = self._choose(fields)
        self.targets = tuple(
            fields[place] if len(fields) == len(self._bands) else self._band_name(band)
            for place, band in enumerate(self._bands)
        )

    def _band_name(self, band: int) -> str:
        return self.legend.bands[band] or f"band {band + 1}"

    def _choose(self, fields: Sequence[str]) -> list[int]:
        """Return the 0-based bands to read."""
        count = self._raster.count
        single = self._task == "classification"
        if count == 1 and len(fields) <= 1:
            return [0]  # a field names something in the vector layers beside it
        if not fields and not single:
            return list(range(count))
        names = list(self.legend.bands)
        found = [
            names.index(name) if name in names else int(name) - 1 if name.isdecimal() else -1
            for name in fields
        ]
        if not found or len(found) > 1 and single or not all(0 <= band < count for band in found):
            asked = f"; asked for: {', '.join(fields)}" if fields else ""
            raise HyperKDError(
                "bad_labels",
                f"{self.name} has {count} bands "
                f"({', '.join(name or str(i + 1) for i, name in enumerate(names))}){asked}.",
                "Name the band that holds the classes."
                if single
                else "Name bands that it has, one for each target.",
                path=self.path,
            )
        return found

    def place(self, scene: GridSpec) -> Union[Placement, HyperKDError, None]:
        """Return how a scene lies on the raster.

        None where they have nothing in common; an error, not raised, where they lie
        on different grids: the raster may belong to another scene.
        """
        own = self._raster.grid
        if own.geotransform is None and scene.geotransform is None:
            size = (own.width, own.height)
            if size != (scene.width, scene.height) or own.gcps != scene.gcps:
                return self._other_grid(
                    f"has {size[0]} x {size[1]} pixels and no geotransform, the scene "
                    f"{scene.width} x {scene.height}"
                )
            return Placement(0, 0, own.window)
        if own.geotransform is None or scene.geotransform is None:
            return self._other_grid(
                "has no geotransform, so nobody knows where it lies"
                if own.geotransform is None
                else "has a geotransform, the scene has none"
            )
        if not same_crs(own.crs_wkt, scene.crs_wkt):
            return self._other_grid(
                f"is in {crs_name(own.crs_wkt)}, the scene in {crs_name(scene.crs_wkt)}"
            )
        return self._compare(own, scene)

    def _compare(self, own: GridSpec, scene: GridSpec) -> Union[Placement, HyperKDError, None]:
        matrix, offset = _between(scene, own)
        corners = np.array(
            [(x, y) for x in (0, scene.width) for y in (0, scene.height)], np.float64
        )
        placed = corners @ matrix.T + offset
        low, high = placed.min(axis=0), placed.max(axis=0)
        if (high <= 0).any() or (low >= (own.width, own.height)).any():
            return None
        # Pixels of the same size and direction drift apart by less than half of one.
        whole = np.rint((placed - corners).mean(axis=0))
        shift = float(np.abs(placed - corners - whole).max())
        if shift >= 0.5:
            return self._other_grid(_how_different(matrix, own))
        col, row = int(whole[0]), int(whole[1])
        window = Window(col, row, scene.width, scene.height).intersection(own.window)
        return None if window is None else Placement(row, col, window, shift)

    def _other_grid(self, why: str) -> HyperKDError:
        return HyperKDError(
            "bad_labels",
            f"{self.name} lies on another grid: it {why}.",
            "Warp the labels to the scene's grid with the nearest neighbour (QGIS: Raster, "
            "Projections, Warp), or give them as polygons.",
            path=self.path,
        )

    def read(self, placements: Sequence[Placement], report: Reporter) -> LabelledPixels:
        """Return the labelled pixels of all placements.

        0, nodata and NaN are not a class; nodata and NaN are not a target.

        Raises:
            HyperKDError: ``unreadable_raster``, ``input_changed`` or ``cancelled``.
        """
        width = self._raster.grid.width
        pixels, values = [np.empty(0, np.int64)], [np.empty((0, len(self._bands)))]
        for placement in placements:
            for window in self._stripes(placement.window):
                report.check_cancelled()
                data = self._raster.read(window, self._bands)
                rows, cols = np.nonzero(self._labelled(data))
                pixels.append((rows + window.row) * width + cols + window.col)
                values.append(data[:, rows, cols].T.astype(np.float64))
        pixel, first = np.unique(np.concatenate(pixels), return_index=True)
        return LabelledPixels(*np.divmod(pixel, width), np.concatenate(values)[first])

    def _labelled(self, data: NDArray[Any]) -> BoolArray:
        labelled = np.ones(data.shape[1:], np.bool_)
        nodata = self._raster.nodata()
        for values, band in zip(data, self._bands):
            missing = nodata[band]
            labelled &= has_value(values, np.nan if missing is None else missing)
        if self._task == "classification":
            zero = labelled & (data[0] == 0)
            self.zeros += int(zero.sum())
            labelled &= ~zero
        return labelled

    def require_whole(self, pixels: LabelledPixels) -> None:
        """Raise ``bad_labels`` where a class is not a whole number."""
        rows, cols, values = pixels.rows, pixels.cols, pixels.values[:, 0]
        odd = np.flatnonzero(values != np.rint(values))
        if odd.size:
            raise HyperKDError(
                "bad_labels",
                f"{self.name} holds {values[odd[0]]:g} at column {cols[odd[0]]}, row "
                f"{rows[odd[0]]}, which is not a class.",
                "Classes are whole numbers; for a quantity choose the task regression.",
                path=self.path,
            )

    def _stripes(self, window: Window) -> Iterator[Window]:
        block = self._raster.block_shape[0]
        rows = max(1, _STRIPE_VALUES // (window.width * len(self._bands)) // block) * block
        for row in range(window.row, window.row_end, rows):
            yield Window(window.col, row, window.width, min(rows, window.row_end - row))

    @property
    def nodata(self) -> Optional[float]:
        """The nodata value of the first band that is read."""
        return self._raster.nodata()[self._bands[0]]

    def close(self) -> None:
        """Release the file."""
        self._raster.close()


def _how_different(matrix: NDArray[Any], labels: GridSpec) -> str:
    """Return why a lattice is another one; ``matrix`` turns a scene's pixels into the labels'."""
    turned = abs(matrix[0, 1]) * labels.height, abs(matrix[1, 0]) * labels.width
    if max(turned) >= 0.5:
        return "is turned or sheared against the scene"
    size = 1 / np.diag(matrix)
    if np.abs(size - 1).max() > _EXACT_PX:
        return f"has pixels of {size[0]:.4g} x {size[1]:.4g} times the scene's size"
    return "is shifted by half a pixel, so that no label is nearest"


def _between(scene: GridSpec, labels: GridSpec) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return matrix and offset from pixel coordinates (col, row) of a scene to another's."""

    def affine(grid: GridSpec) -> tuple[NDArray[Any], NDArray[Any]]:
        g: Optional[Sequence[float]] = grid.geotransform
        if g is None:
            raise ValueError("a grid without geotransform has no place")
        return np.array([[g[1], g[2]], [g[4], g[5]]]), np.array([g[0], g[3]])

    scene_matrix, scene_origin = affine(scene)
    own_matrix, own_origin = affine(labels)
    inverse = np.linalg.inv(own_matrix)
    return inverse @ scene_matrix, inverse @ (scene_origin - own_origin)


def is_shifted(placement: Placement) -> bool:
    """Return whether the nearest pixel is not the same pixel, which is worth a note."""
    return placement.shift_px > _EXACT_PX
