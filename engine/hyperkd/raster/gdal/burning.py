"""Geometries in pixel coordinates, burned into windows of their own; see ``vector_pixels``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, ogr, osr

from hyperkd.types import GridSpec, Ints, Window

# Pixels burned at once; a polygon over a whole scene must not need the whole scene.
_BURN_PX = 2**22
# Segments of a quarter circle where a polygon is shrunk around a corner that points
# inwards: the arc is off by less than 0.0004 of the margin.
_ARC_SEGMENTS = 32


@dataclass(eq=False)
class PixelGeometry:
    """A feature in pixel coordinates: x is the column, y the row, pixel (0, 0) from 0 to 1.

    Attributes:
        points: x and y of each point.
        lines, polygons: OGR geometries.
    """

    points: list[tuple[float, float]] = field(default_factory=list)
    lines: list[Any] = field(default_factory=list)
    polygons: list[Any] = field(default_factory=list)

    def touches(self, grid: GridSpec) -> bool:
        """Return whether the bounding box of any part lies at the grid."""
        boxes = [(x, x, y, y) for x, y in self.points]
        boxes += [part.GetEnvelope() for part in (*self.lines, *self.polygons)]
        return any(
            left < grid.width and right >= 0 and top < grid.height and bottom >= 0
            for left, right, top, bottom in boxes
        )


def to_pixels(geometry: Any, inverse: Sequence[float]) -> Optional[PixelGeometry]:
    """Return a linear 2D geometry in pixel coordinates; None where one is not finite.

    Args:
        geometry: an OGR geometry in the raster's reference system; it is changed.
        inverse: the inverse geotransform.
    """
    found = PixelGeometry()
    for part in _parts(geometry):
        kind = ogr.GT_Flatten(part.GetGeometryType())
        for line in _rings(part):
            points = np.array(line.GetPoints(), np.float64)[:, :2]
            # No matrix product: its rounding depends on the row, and rings must stay closed.
            x = inverse[0] + points[:, 0] * inverse[1] + points[:, 1] * inverse[2]
            y = inverse[3] + points[:, 0] * inverse[4] + points[:, 1] * inverse[5]
            if not (np.isfinite(x).all() and np.isfinite(y).all()):
                return None
            for index in range(len(points)):
                line.SetPoint_2D(index, float(x[index]), float(y[index]))
        if kind == ogr.wkbPoint:
            found.points.append((part.GetX(), part.GetY()))
        else:
            part.CloseRings()
            (found.lines if kind == ogr.wkbLineString else found.polygons).append(part.Clone())
    return found


def _parts(geometry: Any) -> Iterator[Any]:
    """Yield the points, lines and polygons that a geometry consists of."""
    if geometry.IsEmpty():
        return
    kind = ogr.GT_Flatten(geometry.GetGeometryType())
    if kind in (ogr.wkbPoint, ogr.wkbLineString, ogr.wkbPolygon, ogr.wkbTriangle):
        yield geometry
        return
    for index in range(geometry.GetGeometryCount()):
        yield from _parts(geometry.GetGeometryRef(index))


def _rings(part: Any) -> Iterator[Any]:
    if part.GetGeometryCount() == 0:
        yield part
    for index in range(part.GetGeometryCount()):
        yield part.GetGeometryRef(index)


def point_pixels(point: tuple[float, float], grid: GridSpec) -> Ints:
    """Return the flat index of the pixel that a point lies in; none outside the grid."""
    col, row = math.floor(point[0]), math.floor(point[1])
    inside = 0 <= col < grid.width and 0 <= row < grid.height
    return np.array([row * grid.width + col] if inside else [], np.int64)


def line_pixels(line: Any, grid: GridSpec) -> Ints:
    """Return the flat indices of the pixels that a line touches."""
    return _burn(line, grid, touched=True)


def polygon_pixels(polygon: Any, grid: GridSpec, margin_px: float) -> Ints:
    """Return the flat indices of pixels whose centre lies ``margin_px`` inside a polygon.

    Where borders of two polygons coincide, a centre on the border belongs to one of them.
    """
    polygon = _with_area(polygon)
    if margin_px > 0:
        # A polygon that crosses itself has no inside for GEOS, unlike for GDAL; GEOS need
        # not tell the world about each of them.
        gdal.PushErrorHandler("CPLQuietErrorHandler")
        try:
            sound = polygon if polygon.IsValid() else polygon.MakeValid()
        finally:
            gdal.PopErrorHandler()
        polygon = sound.Buffer(-float(margin_px), _ARC_SEGMENTS)
    return np.empty(0, np.int64) if polygon.IsEmpty() else _burn(polygon, grid, touched=False)


def _with_area(polygon: Any) -> Any:
    """Return a polygon without the rings that enclose nothing, at which GEOS stumbles."""
    rings = [polygon.GetGeometryRef(index) for index in range(polygon.GetGeometryCount())]
    found = ogr.Geometry(ogr.wkbPolygon)
    if rings[0].GetPointCount() > 3:
        for ring in rings:
            if ring.GetPointCount() > 3:
                found.AddGeometry(ring)
    return found


def _burn(geometry: Any, grid: GridSpec, *, touched: bool) -> Ints:
    left, right, top, bottom = geometry.GetEnvelope()
    col, row = max(0, math.floor(left)), max(0, math.floor(top))
    width = min(grid.width, math.floor(right) + 1) - col
    height = min(grid.height, math.floor(bottom) + 1) - row
    if width <= 0 or height <= 0:
        return np.empty(0, np.int64)
    layer_file = _layer_of(geometry)
    step = max(1, _BURN_PX // width)
    found = []
    for first in range(row, row + height, step):
        window = Window(col, first, width, min(step, row + height - first))
        rows, cols = np.nonzero(_burn_window(layer_file, window, touched))
        found.append((rows + first) * grid.width + cols + col)
    pixels: Ints = np.concatenate(found).astype(np.int64)
    return pixels


def _pixel_reference() -> Any:
    reference = osr.SpatialReference()
    reference.SetLocalCS("pixels")
    return reference


def _layer_of(geometry: Any) -> Any:
    # MEM holds vectors from GDAL 3.11 on, where the driver Memory goes away.
    driver = gdal.GetDriverByName("Memory") or gdal.GetDriverByName("MEM")
    dataset = driver.Create("", 0, 0, 0, gdal.GDT_Unknown)
    layer = dataset.CreateLayer("", _pixel_reference(), ogr.wkbUnknown)
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetGeometry(geometry)
    layer.CreateFeature(feature)
    return dataset


def _burn_window(layer_file: Any, window: Window, touched: bool) -> NDArray[np.uint8]:
    # GDAL takes the geotransform (0, 1, 0, 0, 0, 1) for none at all, so the window at the
    # raster's corner begins one column further left.
    pad = int(window.col == 0 and window.row == 0)
    width, height = window.width + pad, window.height
    dataset = gdal.GetDriverByName("MEM").Create("", width, height, 1, gdal.GDT_Byte)
    dataset.SetSpatialRef(_pixel_reference())
    dataset.SetGeoTransform([float(window.col - pad), 1.0, 0.0, float(window.row), 0.0, 1.0])
    options = ["ALL_TOUCHED=TRUE"] if touched else []
    gdal.RasterizeLayer(dataset, [1], layer_file.GetLayer(0), burn_values=[1], options=options)
    burned = dataset.ReadRaster(
        *(0, 0, width, height), buf_xsize=width, buf_ysize=height, buf_type=gdal.GDT_Byte
    )
    return np.frombuffer(burned, np.uint8).reshape(height, width)[:, pad:]
