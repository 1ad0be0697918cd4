"""The job ``import``: one product in, one self-describing GeoTIFF out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.problems import problems_item, tell_problems
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.masks import present_mask
from hyperkd.raster.one_nodata import one_nodata, with_one_nodata
from hyperkd.raster.products.open_product import open_product
from hyperkd.raster.sink import RasterSpec
from hyperkd.raster.source import iterate_stripes
from hyperkd.requests.prepare_options import ImportJob
from hyperkd.types import BoolArray, Reporter, Tile


def import_product(request: ImportJob, report: Reporter) -> dict[str, Any]:
    """Write a product as one GeoTIFF with complete band metadata.

    Stored values, gain, offset, bad bands and grid are kept; nothing is
    resampled. Pixels that ``mask`` names, or that the raster's own mask or alpha
    band leaves out, become nodata in every band. A GeoTIFF has one nodata value:
    bands that have another one get it in its place.

    Args:
        request: what is asked for.
        report: where progress goes.

    Returns:
        Summary with the number of bands, good bands, valid and masked pixels.

    Raises:
        HyperKDError: ``bad_product`` and the codes of ``open_raster``,
            ``no_valid_pixels`` where every pixel is nodata or masked,
            ``unsupported_raster`` where a pixel holds what will mean nodata.
    """
    with open_product(request.product, request.mask) as opened:
        source, quality = opened.source, opened.quality
        tell_problems(source.problems, request.product, request.accept, report.problem)
        nodata = one_nodata(source, needed=source.masked or quality is not None)
        valid_pixels = masked_pixels = 0
        report.stage("Importing")
        with create_raster(
            request.output,
            RasterSpec(
                source.grid,
                len(source.bands),
                source.dtype,
                nodata=nodata,
                bands=source.bands,
                metadata={
                    **opened.metadata,
                    **problems_item(source.problems, request.product),
                },
            ),
        ) as sink:
            for window in iterate_stripes(source):
                report.check_cancelled()
                tile = source.read_tile(window)
                left_out: Optional[BoolArray] = None if quality is None else quality.read(window)
                masked = 0 if left_out is None else int((left_out & tile.valid).sum())
                masked_pixels += masked
                valid_pixels += int(tile.valid.sum()) - masked
                sink.write(window, _filled(tile, left_out, nodata))
                report.progress(window.row_end, source.grid.height, "rows")
            source.check_unchanged()
            if not valid_pixels:
                raise HyperKDError(
                    "no_valid_pixels",
                    f"{Path(request.product).name} has no valid pixel"
                    f"{' outside the masks ' + ', '.join(request.mask) if request.mask else ''}.",
                    "Choose another scene, or fewer masks.",
                )
    report.artifact("output", request.output)
    return {
        "bands": len(source.bands),
        "good_bands": int(source.bands.good.sum()),
        "valid_pixels": valid_pixels,
        "masked_pixels": masked_pixels,
    }


def _filled(tile: Tile, left_out: Optional[BoolArray], nodata: Optional[float]) -> NDArray[Any]:
    """Return stored values that say by ``nodata`` alone what has no value.

    Args:
        tile: what the file holds.
        left_out: ``(row, col)``, pixels that get nodata in every band.
        nodata: the value for all bands, or None where nothing lacks one.
    """
    if nodata is None:
        return tile.data
    # A pixel that lacks some bands keeps the others; one that a mask leaves out keeps nothing.
    blank = present_mask(tile.data, tile.bands) & ~tile.valid
    if left_out is not None:
        blank |= left_out
    return with_one_nodata(tile.data, tile.bands, nodata, blank, tile.valid)
