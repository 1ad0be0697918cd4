"""Creating a GeoTIFF."""

from __future__ import annotations

from hyperkd.raster.gdal_bindings import gdal_bindings
from hyperkd.raster.sink import RasterSink, RasterSpec


def create_raster(path: str, spec: RasterSpec) -> RasterSink:
    """Create a GeoTIFF, which appears as ``path`` at ``commit``; an older file is replaced.

    Raises:
        HyperKDError: ``unwritable_output``, ``out_of_disk`` or ``missing_dependency``.
        ValueError: where no GeoTIFF stores the dtype.
    """
    with gdal_bindings():
        from hyperkd.raster.gdal.geotiff import GeoTiffSink
    return GeoTiffSink(path, spec)
