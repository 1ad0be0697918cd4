"""Small label files made to order, and scenes in memory to put them on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, ogr, osr

from hyperkd.raster.labels.read_labels import Labels, read_labels
from hyperkd.raster.memory import MemoryRaster
from hyperkd.types import BandTable, GridSpec, Wavelengths
from tests.factories import GEOTRANSFORM, UTM_33N, WAVELENGTHS_NM, wkt
from tests.reports import SilentReport

_TYPES = {"text": ogr.OFTString, "integer": ogr.OFTInteger64, "number": ogr.OFTReal}
NODATA = -32768


def make_vector(
    path: Path,
    features: Sequence[tuple[Optional[str], Mapping[str, Any]]],
    fields: Mapping[str, str],
    *,
    epsg: Optional[int] = UTM_33N,
    layer: str = "labels",
    driver: str = "GPKG",
    geometry: int = ogr.wkbUnknown,
    width: int = 0,
    append: bool = False,
) -> str:
    """Write features ``(WKT or None, values by field)`` and return the path of the file.

    Args:
        path: the file.
        features: what to write; a value that is left out or None stays empty.
        fields: type by name: ``text``, ``integer``, ``number`` or ``date``.
        epsg: coordinate reference system, x before y in the WKT, or None.
        layer: the name of the layer.
        driver: GDAL's name of the format.
        geometry: the layer's type of geometry.
        width: how many characters a text may have, 0 for any number.
        append: whether the file exists and gets another layer.
    """
    if append:
        dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_UPDATE)
    else:
        dataset = gdal.GetDriverByName(driver).Create(str(path), 0, 0, 0, gdal.GDT_Unknown)
    reference = None
    if epsg is not None:
        reference = osr.SpatialReference()
        reference.ImportFromEPSG(epsg)
        reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    made = dataset.CreateLayer(layer, reference, geometry)
    for name, kind in fields.items():
        field = ogr.FieldDefn(name, _TYPES.get(kind, ogr.OFTDate))
        if kind == "text":
            field.SetWidth(width)
        made.CreateField(field)
    for shape, values in features:
        feature = ogr.Feature(made.GetLayerDefn())
        for name, value in values.items():
            if value is not None:
                feature.SetField(name, value)
        if shape is not None:
            feature.SetGeometry(ogr.CreateGeometryFromWkt(shape))
        made.CreateFeature(feature)
    del made, dataset
    return str(path)


def make_classes(
    path: Path,
    values: NDArray[Any],
    *,
    geotransform: Optional[Sequence[float]] = GEOTRANSFORM,
    epsg: Optional[int] = UTM_33N,
    nodata: Optional[float] = None,
    names: Sequence[str] = (),
    colours: Mapping[int, tuple[int, int, int]] = {},
    bands: Sequence[str] = (),
) -> str:
    """Write a label raster of ``(row, col)`` or ``(band, row, col)`` and return its path.

    Args:
        path: the file, GeoTIFF.
        values: uint8, int16, int32 or float32.
        geotransform, epsg, nodata: of the raster, None for none.
        names: category names of the values 0, 1, ...
        colours: colour table.
        bands: descriptions of the bands.
    """
    values = values if values.ndim == 3 else values[None]
    types = {"uint8": "Byte", "int16": "Int16", "int32": "Int32", "float32": "Float32"}
    kind = getattr(gdal, f"GDT_{types[str(values.dtype)]}")
    count, height, width = values.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), width, height, count, kind)
    if geotransform is not None:
        dataset.SetGeoTransform([float(value) for value in geotransform])
    if epsg is not None:
        dataset.SetProjection(wkt(epsg))
    if colours:  # before the first pixel, as GDAL 3.10 wants it
        table = gdal.ColorTable()
        for value, colour in colours.items():
            table.SetColorEntry(value, (*colour, 255))
        dataset.GetRasterBand(1).SetRasterColorTable(table)
    data = np.ascontiguousarray(values)
    dataset.WriteRaster(0, 0, width, height, data, buf_xsize=width, buf_ysize=height, buf_type=kind)
    for number in range(count):
        band = dataset.GetRasterBand(number + 1)
        if nodata is not None:
            band.SetNoDataValue(float(nodata))
        if bands:
            band.SetDescription(bands[number])
    if names:
        dataset.GetRasterBand(1).SetRasterCategoryNames(list(names))
    del dataset
    return str(path)


def make_scene(
    height: int = 12,
    width: int = 16,
    *,
    geotransform: Optional[Sequence[float]] = GEOTRANSFORM,
    epsg: Optional[int] = UTM_33N,
    valid: Optional[NDArray[np.bool_]] = None,
    path: str = "scene.tif",
    block_shape: tuple[int, int] = (256, 256),
) -> MemoryRaster:
    """Return a scene in memory whose values do not matter, only where it has data."""
    count = len(WAVELENGTHS_NM)
    # One value for all pixels, so that a large scene needs no memory.
    data = np.broadcast_to(np.int16(100), (count, height, width))
    if valid is not None:
        data = np.where(valid, data, np.int16(NODATA))
    table = BandTable(
        Wavelengths(np.array(WAVELENGTHS_NM)),
        np.ones(count, np.bool_),
        np.full(count, 1e-4),
        np.zeros(count),
        np.full(count, float(NODATA)),
    )
    place = None if geotransform is None else tuple(float(value) for value in geotransform)
    grid = GridSpec(width, height, place, "" if epsg is None else wkt(epsg))
    return MemoryRaster(data, table, grid, path=path, block_shape=block_shape)


def square(col: float, row: float, width: float, height: float) -> str:
    """Return the WKT of a rectangle in pixels of ``GEOTRANSFORM``."""
    left, step, _, top, _, down = GEOTRANSFORM
    x = (left + step * col, left + step * (col + width))
    y = (top + down * row, top + down * (row + height))
    corners = ((x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1]), (x[0], y[0]))
    return f"POLYGON(({', '.join(f'{a:.10f} {b:.10f}' for a, b in corners)}))"


def point(col: float, row: float) -> str:
    """Return the WKT of a point in pixels of ``GEOTRANSFORM``."""
    left, step, _, top, _, down = GEOTRANSFORM
    return f"POINT({left + step * col:.10f} {top + down * row:.10f})"


def read(
    scenes: Any, paths: Any, task: str = "classification", fields: Any = (), **others: Any
) -> tuple[Labels, SilentReport]:
    """Read labels of one or several scenes, with no class too small unless said otherwise."""
    report = SilentReport()
    labels = read_labels(
        [scenes] if isinstance(scenes, MemoryRaster) else scenes,
        [paths] if isinstance(paths, str) else paths,
        task=task,
        fields=[fields] if isinstance(fields, str) else fields,
        report=report,
        **{"minimum_samples": 1, **others},
    )
    return labels, report


def image(labels: Labels, shape: tuple[int, int], scene: int = 0) -> NDArray[Any]:
    """Return class index + 1 (or the first target) as ``(row, col)``, 0 where unlabelled."""
    found = labels.scenes[scene]
    picture = np.zeros(shape)
    values = found.values if found.values.ndim == 1 else found.values[:, 0]
    picture[found.rows, found.cols] = values + (found.values.ndim == 1)
    return picture
