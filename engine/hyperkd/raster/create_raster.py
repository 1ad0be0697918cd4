"""Creating a GeoTIFF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np

from hyperkd.raster.gdal_bindings import gdal_bindings
from hyperkd.raster.sink import ClassEntry, Layout, RasterSink
from hyperkd.types import BandTable, GridSpec


def create_raster(
    path: str,
    grid: GridSpec,
    count: int,
    dtype: Any,
    *,
    nodata: Optional[float] = None,
    scale: Optional[float] = None,
    bands: Optional[BandTable] = None,
    names: Optional[Sequence[str]] = None,
    units: Optional[Sequence[str]] = None,
    classes: Optional[Sequence[ClassEntry]] = None,
    metadata: Optional[Mapping[str, str]] = None,
    block_rows: int = 256,
    half: bool = False,
    layout: Layout = "geotiff",
) -> RasterSink:
    """Create a GeoTIFF: tiled, band interleaved, deflate, BigTIFF where it must be.

    Args:
        path: the file to write; an older one is replaced at commit.
        grid: size and geometry, copied verbatim.
        count: number of bands.
        dtype: stored dtype, for instance ``np.float32``.
        nodata: the nodata value of every band, which ``dtype`` must be able to hold.
        scale: what a stored value is worth, the same for every band.
        bands: a table of ``count`` bands whose wavelengths, FWHM, bad bands, scale,
            offset and names are written to each band.
        names: band descriptions; they win over those of ``bands``.
        units: the unit of each band, for instance ``"degrees"``.
        classes: of a class map (one band of uint8), the values 1, 2, ...: written as
            names, colours and a raster attribute table; the value 0 is "no data" and
            transparent.
        metadata: items of the dataset.
        block_rows: height of a tile of the file, a multiple of 16.
        half: whether float32 is stored in 16 bits: rounded to 3 digits, clipped to 65504.
        layout: ``geotiff``, or ``cog`` for a cloud optimised GeoTIFF, which has overviews
            and is made from the whole file at the end.

    Raises:
        HyperKDError: ``unwritable_output``, ``out_of_disk`` or ``missing_dependency``.
    """
    with gdal_bindings():
        from hyperkd.raster.gdal.geotiff import GeoTiffSink
    return GeoTiffSink(
        path,
        grid,
        count,
        np.dtype(dtype),
        nodata=nodata,
        scale=scale,
        bands=bands,
        names=names,
        units=units,
        classes=classes,
        metadata=metadata or {},
        block_rows=block_rows,
        half=half,
        layout=layout,
    )
