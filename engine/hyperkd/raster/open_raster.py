"""Opening a raster file or a delivered product."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.describe import Given
from hyperkd.raster.gdal_bindings import gdal_bindings
from hyperkd.raster.masks import Missing
from hyperkd.raster.source import RasterSource
from hyperkd.types import BandTable


def open_raster(
    path: str,
    *,
    bands: Union[BandTable, str, None] = None,
    scale: Optional[float] = None,
    offset: Optional[float] = None,
    nodata: Optional[float] = None,
    missing: Missing = "any",
) -> RasterSource:
    """Open a hyperspectral raster and find out all about its bands.

    Args:
        path: a file that GDAL reads, or a delivered product (see ``open_product``).
        bands: what to believe instead of the file: a table (for instance a sensor's)
            or the path of a CSV file with one row per band. Of a table, scale,
            offset and nodata count only where its ``origins`` name them.
        scale: reflectance per stored unit, instead of what the file says.
        offset: reflectance of the stored value 0, instead of what the file says.
        nodata: stored value without meaning, instead of what the file says.
        missing: the rule for the valid mask, see ``masks.valid_mask``.

    Raises:
        HyperKDError: ``missing_dependency``, ``unreadable_raster``,
            ``empty_raster``, ``unsupported_raster``, ``no_wavelengths``,
            ``bad_wavelengths``, ``bad_units``, ``bad_scale``, ``band_mismatch``
            or ``no_valid_pixels``; ``bad_product``, and ``bad_job`` where a scale or
            nodata value is given for a delivered product; see docs/rasters.md.
    """
    with gdal_bindings():
        from hyperkd.raster.gdal.reader import GdalRaster
        from hyperkd.raster.products.array_files import open_generic_cube
        from hyperkd.raster.products.open_product import is_product, open_product
    given = Given(bands, scale, offset, nodata)
    cube = open_generic_cube(Path(path), given)
    if cube is not None:
        return cube
    if bands is None and is_product(Path(path)):
        if any(value is not None for value in (scale, offset, nodata)):
            raise HyperKDError(
                "bad_job",
                f"{path} is a delivered product with its own scale and nodata value; they "
                "cannot be replaced.",
                "Leave them out, or import the product into a GeoTIFF first.",
            )
        product = open_product(Path(path), mask=())
        source = product.source
        if isinstance(source, GdalRaster):
            source.missing = missing
            source.items.update(product.metadata)
        return source
    return GdalRaster(path, given, missing)


def limit_block_cache(size: int) -> None:
    """Let GDAL keep at most ``size`` bytes of decoded blocks.

    In the engine's own process; a Python session keeps its own limit.

    Its default is a fraction of the machine's memory, which whoever reads every block
    once fills for nothing.

    Raises:
        HyperKDError: ``missing_dependency`` where there is no GDAL.
    """
    with gdal_bindings():
        from hyperkd.raster.gdal.opening import set_cache
    set_cache(size)
