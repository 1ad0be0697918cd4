"""The job ``import``: one product in, one self-describing GeoTIFF out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.raster.products import open_product
from hyperkd.raster.sink import create_raster
from hyperkd.raster.source import RasterSource, iterate_stripes
from hyperkd.types import BoolArray, Reporter


def import_product(
    *, product: str, output: str, mask: Sequence[str], report: Reporter
) -> dict[str, Any]:
    """Write a product as one GeoTIFF with complete band metadata.

    Stored values, gain, offset, bad bands and grid are kept; nothing is
    resampled. Pixels that ``mask`` names become nodata in every band.

    Args:
        product: EnMAP L2A folder, zip or METADATA.XML, PRISMA L2D .he5, EMIT
            L2A .nc, or any raster with wavelengths that GDAL reads.
        output: the GeoTIFF to write.
        mask: names of ``quality.MASKS``; EnMAP only.
        report: where progress goes.

    Returns:
        Summary with the number of bands, good bands, valid and masked pixels.

    Raises:
        HyperKDError: ``bad_product`` and the codes of ``open_raster``,
            ``no_valid_pixels`` where every pixel is nodata or masked.
    """
    with open_product(Path(product), mask) as opened:
        source, quality = opened.source, opened.quality
        nodata = _nodata(source)
        valid_pixels = masked_pixels = 0
        report.stage("Importing")
        with create_raster(
            output,
            source.grid,
            len(source.bands),
            source.dtype,
            nodata=nodata,
            bands=source.bands,
            metadata=opened.metadata,
        ) as sink:
            for window in iterate_stripes(source):
                report.check_cancelled()
                tile = source.read_tile(window)
                left_out: Optional[BoolArray] = None if quality is None else quality.read(window)
                data = tile.data
                if left_out is not None:
                    masked_pixels += int((left_out & tile.valid).sum())
                    data = np.where(left_out, np.asarray(nodata, data.dtype), data)
                    valid_pixels += int((tile.valid & ~left_out).sum())
                else:
                    valid_pixels += int(tile.valid.sum())
                sink.write(window, data)
                report.progress(window.row_end, source.grid.height, "rows")
            source.check_unchanged()
            if not valid_pixels:
                raise HyperKDError(
                    "no_valid_pixels",
                    f"{Path(product).name} has no valid pixel"
                    f"{' outside the masks ' + ', '.join(mask) if mask else ''}.",
                    "Choose another scene, or fewer masks.",
                )
    report.artifact("output", output)
    return {
        "bands": len(source.bands),
        "good_bands": int(source.bands.good.sum()),
        "valid_pixels": valid_pixels,
        "masked_pixels": masked_pixels,
    }


def _nodata(source: RasterSource) -> Optional[float]:
    """Return the one nodata value of the output, or None where bands declare none."""
    declared = source.bands.nodata[np.isfinite(source.bands.nodata)]
    return float(declared[0]) if declared.size else None
