"""A spectral image that is one array of an HDF5 or netCDF file, with its axes in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.raster.gdal.multidim import ArrayFile, crs_wkt
from hyperkd.raster.products.array_product import ArrayProduct
from hyperkd.types import GridSpec, Window

_LATTICE: Final = 7  # control points along each side


class ArrayCube(ArrayProduct):
    """Reads windows of an array; who describes it says which array and which axes.

    Attributes:
        array: its full name.
        axes: which of its axes is that of bands, rows and columns.
    """

    array: str
    axes: tuple[int, int, int]

    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return stored values ``(band, row, col)``."""
        index = np.arange(len(self.bands) if bands is None else 0, dtype=np.intp)
        index = index if bands is None else np.asarray(bands, np.intp)
        return self._read_bands(window, index)

    def _read_bands(self, window: Window, index: NDArray[np.intp]) -> NDArray[Any]:
        self.grid.require_inside(window)
        first = int(index.min()) if index.size else 0
        last = int(index.max()) if index.size else 0
        start, count = [0] * 3, [1] * 3
        for axis, begin, size in zip(
            self.axes,
            (first, window.row, window.col),
            (last - first + 1, window.height, window.width),
        ):
            start[axis], count[axis] = begin, size
        values = self._file.read(self.array, start, count).transpose(self.axes)
        return np.ascontiguousarray(values[index - first])

    def _blocks(self) -> tuple[int, int]:
        """Return ``(rows, cols)`` that the file decodes at once."""
        block = self._file.block(self.array)
        known = len(block) == 3 and all(block)
        rows, cols = (block[axis] for axis in self.axes[1:]) if known else (1, self.grid.width)
        return min(rows, self.grid.height), min(cols, self.grid.width)


def control_points(
    file: ArrayFile, latitude: str, longitude: str, shape: tuple[int, int]
) -> GridSpec:
    """Return a grid that places pixels by their latitude and longitude, at most 7 x 7 of them.

    Args:
        file: the file.
        latitude, longitude: full names of arrays ``(row, col)`` in degrees on WGS 84.
        shape: rows and columns of the image.
    """
    rows, cols = shape
    lat, lon = (
        file.read(name).reshape(rows, cols).astype(np.float64) for name in (latitude, longitude)
    )
    points: list[tuple[float, float, float, float, float, str]] = []
    for row in np.unique(np.linspace(0, rows - 1, _LATTICE).round().astype(int)):
        for col in np.unique(np.linspace(0, cols - 1, _LATTICE).round().astype(int)):
            x, y = float(lon[row, col]), float(lat[row, col])
            if abs(y) <= 90 and abs(x) <= 360:  # else fill, or NaN
                points.append((col + 0.5, row + 0.5, x, y, 0.0, str(len(points) + 1)))
    return GridSpec(cols, rows, gcps=tuple(points), gcp_crs_wkt=crs_wkt(4326) if points else "")
