"""Vector layers as pixels of a raster's grid, feature by feature.

Geometries are transformed by OGR into the raster's reference system, brought into
pixel coordinates by the inverse geotransform (rotated and sheared ones too), and
burned by GDAL in a window of their own: a large scene with few polygons costs no
more than the polygons.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, ogr, osr

from hyperkd.errors import HyperKDError
from hyperkd.output_checks import protect, release
from hyperkd.raster.gdal.burning import line_pixels, point_pixels, polygon_pixels, to_pixels
from hyperkd.raster.gdal.crs import called, crs_name, known, raising, reference_of
from hyperkd.raster.gdal.gdal_errors import GDAL_ERRORS
from hyperkd.raster.gdal.vector_layers import (
    choose_layer,
    layer_name,
    open_vector,
    split_path,
    unreadable,
)
from hyperkd.raster.parsing import parsing
from hyperkd.raster.texts import Texts
from hyperkd.types import GridSpec, Ints

_KINDS: Mapping[int, str] = {
    ogr.OFTString: "text",
    ogr.OFTInteger: "integer",
    ogr.OFTInteger64: "integer",
    ogr.OFTReal: "number",
}
# A scene's outline in the layer's system is sampled; the margin covers what bulges between.
_OUTLINE_STEPS = 11
_OUTLINE_MARGIN = 0.1

Raw = Union[str, int, float, None]


@dataclass(frozen=True, eq=False)
class FeaturePixels:
    """What one feature marks in a grid; n pixels, each once.

    Attributes:
        fid: the feature's id in its layer.
        values: one value for each field that was asked for, None where it is empty.
        rows, cols: ``(n,)`` int64.
        pointlike: whether the feature is a point or several.
        why_none: with n = 0 the reason: ``outside`` the grid, ``small`` (no centre of
            a pixel inside), ``empty`` (no geometry) or ``unprojectable``.
    """

    fid: int
    values: tuple[Raw, ...]
    rows: Ints
    cols: Ints
    pointlike: bool = False
    why_none: str = ""


class VectorLayer:
    """One layer of a vector file.

    Args:
        path: the file, with ``|layername=x``, ``|layerid=0`` or ``|subset=...``
            behind it where needed, as QGIS writes them.

    Attributes:
        path: the file.
        name: how messages call the layer.
        fields: kind by name: ``text``, ``integer``, ``number`` or ``other``.
        count: number of features.
        crs: the name of its reference system, or an empty string.

    Raises:
        HyperKDError: ``bad_labels``, or ``unsupported_raster`` for a file on a network.
    """

    @raising()
    def __init__(self, path: str) -> None:
        self.path, options = split_path(path)
        try:
            self._dataset = open_vector(self.path)
        except GDAL_ERRORS as error:
            raise unreadable(self.path, error) from error
        self._layer, several = choose_layer(self._dataset, self.path, options)
        with parsing(self.path, "bad_labels", "Check the path and open the file in QGIS."):
            self._describe(several, options)

    def _describe(self, several: bool, options: Mapping[str, str]) -> None:
        self.name = os.path.basename(self.path)
        self._texts = Texts(self.name)
        if several:
            self.name += f", layer {layer_name(self._layer)}"
        self.count = self._filter(options.get("subset"))
        definition = self._layer.GetLayerDefn()
        self.fields: dict[str, str] = {}
        self._columns: dict[str, int] = {}
        for column in range(definition.GetFieldCount()):
            field = definition.GetFieldDefn(column)
            name = self._texts.read(field.GetName())
            if self._columns.setdefault(name, column) == column:
                self.fields[name] = _KINDS.get(field.GetType(), "other")
        self._reference = known(self._layer.GetSpatialRef())
        self.crs = "" if self._reference is None else called(self._reference)
        self._files = (self.path, *map(os.fsdecode, self._dataset.GetFileList() or ()))
        protect(self._files)

    def features(
        self, grid: GridSpec, fields: Sequence[str], margin_px: float = 0
    ) -> Iterator[FeaturePixels]:
        """Yield the features at or near a grid with the pixels they mark, by their id.

        A polygon marks the pixels whose centre it contains, after it was shrunk by
        ``margin_px`` pixels; a line those that it touches; a point the one it lies in.

        Args:
            grid: the raster's size and geometry.
            fields: names of fields of the layer.
            margin_px: how far inside a polygon a pixel's centre must lie, in pixels.

        Raises:
            HyperKDError: ``bad_labels`` where layer and raster cannot be brought together.
        """
        if grid.geotransform is None:
            raise HyperKDError(
                "bad_labels",
                f"{self.name} cannot be placed on a raster without a geotransform.",
                "Rectify the raster (gdalwarp), or give labels as a raster of the same size.",
            )
        transform = self._transform(grid)
        self._layer.SetSpatialFilter(None)
        extent = _outline(grid, transform)
        if extent is not None:
            self._layer.SetSpatialFilterRect(*extent)
        index = [self._columns[name] for name in fields]
        inverse = gdal.InvGeoTransform(grid.geotransform)
        for feature in self._read():
            values = tuple(
                self._value(feature.GetField(i)) if feature.IsFieldSetAndNotNull(i) else None
                for i in index
            )
            yield _mark(feature, values, grid, transform, inverse, margin_px)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the texts that were read so far, one sentence each."""
        return self._texts.notes

    def _value(self, raw: Any) -> Raw:
        return raw if isinstance(raw, (int, float)) else self._texts.read(raw)

    def geometries(self) -> Iterator[tuple[int, bool]]:
        """Yield the id of every feature of the layer, and whether it has a geometry."""
        self._layer.SetSpatialFilter(None)
        for feature in self._read():
            yield int(feature.GetFID()), _has_geometry(feature)

    @raising()
    def extent(self) -> Optional[tuple[float, float, float, float]]:
        """Return left, right, bottom, top in the layer's system, None without a geometry."""
        self._layer.SetSpatialFilter(None)
        found = self._layer.GetExtent(can_return_null=True)
        if found is None:
            return None
        left, right, bottom, top = (float(value) for value in found)
        return left, right, bottom, top

    def close(self) -> None:
        """Release the file; closing twice does no harm."""
        if self._dataset is not None:
            release(self._files)
        self._layer = self._dataset = None

    def _read(self) -> Iterator[Any]:
        self._layer.ResetReading()
        while True:
            try:
                with raising():
                    feature = self._layer.GetNextFeature()
            except GDAL_ERRORS as error:
                raise unreadable(self.path, error) from error
            if feature is None:
                return
            yield feature

    def _filter(self, subset: Optional[str]) -> int:
        """Apply a filter and return how many features pass."""
        try:
            self._layer.SetAttributeFilter(subset)
            return int(self._layer.GetFeatureCount())
        except GDAL_ERRORS as error:
            if subset is None:
                raise unreadable(self.path, error) from error
            raise HyperKDError(
                "bad_labels",
                f"The filter {subset!r} of {self.name} is not understood: {error}.",
                "Correct the filter of the layer, or save the selected features to a new file.",
            ) from error

    @raising()
    def _transform(self, grid: GridSpec) -> Any:
        """Return what turns the layer's coordinates into the raster's, None for nothing to do."""
        reference = self._reference
        if reference is None and not grid.crs_wkt:
            return None
        if reference is None or not grid.crs_wkt:
            says = (
                f"{self.name} has no coordinate reference system, but the raster is in "
                f"{crs_name(grid.crs_wkt)}."
                if reference is None
                else f"The raster has no coordinate reference system, but {self.name} is in "
                f"{self.crs}."
            )
            raise HyperKDError(
                "bad_labels",
                says,
                "Assign the right one in QGIS and save the file; without it nobody knows where "
                "the labels lie.",
            )
        try:
            # The layer's own order of axes is kept: the driver knows how its data are stored.
            return osr.CoordinateTransformation(reference, reference_of(grid.crs_wkt))
        except GDAL_ERRORS as error:
            raise HyperKDError(
                "bad_labels",
                f"{self.name} in {self.crs} cannot be brought into {crs_name(grid.crs_wkt)}: "
                f"{error}.",
                "Reproject the labels in QGIS and save them to a new file.",
            ) from error

    def __enter__(self) -> VectorLayer:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


@raising()
def _outline(grid: GridSpec, transform: Any) -> Optional[tuple[float, float, float, float]]:
    """Return left, bottom, right, top around a grid in the layer's system.

    None where part of the grid has no place there, or where it may cross the
    meridian at which longitudes jump: then nothing is left out beforehand.
    """
    if grid.geotransform is None:
        return None
    fractions = np.linspace(-_OUTLINE_MARGIN, 1 + _OUTLINE_MARGIN, _OUTLINE_STEPS)
    corners = [
        gdal.ApplyGeoTransform(grid.geotransform, float(x * grid.width), float(y * grid.height))
        for x in fractions
        for y in fractions
    ]
    if transform is None:
        points = np.array(corners)
    else:
        try:
            back = transform.GetInverse()
            points = np.array(back.TransformPoints(corners))[:, :2]
        except GDAL_ERRORS:  # a place that the layer's system does not know
            return None
        jumps = np.abs(points[:, 0]).max() <= 360 and np.ptp(points[:, 0]) > 180
        if jumps or not np.isfinite(points).all():
            return None
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _has_geometry(feature: Any) -> bool:
    geometry = feature.GetGeometryRef()
    return geometry is not None and not geometry.IsEmpty()


_NONE: NDArray[np.int64] = np.empty(0, np.int64)


@raising()
def _mark(
    feature: Any,
    values: tuple[Raw, ...],
    grid: GridSpec,
    transform: Any,
    inverse: Sequence[float],
    margin_px: float,
) -> FeaturePixels:
    """Return the pixels of one feature."""
    fid = int(feature.GetFID())
    if not _has_geometry(feature):
        return FeaturePixels(fid, values, _NONE, _NONE, why_none="empty")
    geometry = feature.GetGeometryRef().GetLinearGeometry()
    geometry.FlattenTo2D()
    if transform is not None:
        try:
            geometry.Transform(transform)
        except GDAL_ERRORS:  # outside of what the projection can show
            return FeaturePixels(fid, values, _NONE, _NONE, why_none="unprojectable")
    parts = to_pixels(geometry, inverse)
    if parts is None:
        return FeaturePixels(fid, values, _NONE, _NONE, why_none="unprojectable")
    found = [
        *(point_pixels(part, grid) for part in parts.points),
        *(line_pixels(part, grid) for part in parts.lines),
        *(polygon_pixels(part, grid, margin_px) for part in parts.polygons),
    ]
    pixels = np.unique(np.concatenate([_NONE, *found]))
    why = "" if pixels.size else ("small" if parts.touches(grid) else "outside")
    rows, cols = np.divmod(pixels, grid.width)
    pointlike = not parts.lines and not parts.polygons
    return FeaturePixels(fid, values, rows, cols, pointlike, why)
