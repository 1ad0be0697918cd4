"""One nodata value for all bands, as a GeoTIFF has it, from bands that each have their own."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.masks import has_value, representable
from hyperkd.raster.source import RasterSource
from hyperkd.types import BandTable, BoolArray


def one_nodata(source: RasterSource, needed: bool) -> Optional[float]:
    """Return the one nodata value of the output, or None where none is ``needed`` or declared."""
    declared = source.bands.nodata[np.isfinite(source.bands.nodata)]
    usable = [float(value) for value in declared if representable(value, source.dtype)]
    if usable or not needed:
        return usable[0] if usable else None
    if source.dtype.kind == "f":
        return float("nan")
    limits = np.iinfo(source.dtype)
    return float(limits.min if limits.min < 0 else limits.max)


def with_one_nodata(
    data: NDArray[Any], table: BandTable, nodata: float, blank: BoolArray, kept: BoolArray
) -> NDArray[Any]:
    """Return stored values in which ``nodata`` alone says what has no value.

    Args:
        data: ``(band, row, col)`` stored values, which are left alone.
        table: the table of these bands.
        nodata: the value for all bands.
        blank: ``(row, col)``, pixels that get it in every band.
        kept: ``(row, col)``, pixels of which no value may be taken for it.

    Raises:
        HyperKDError: ``unsupported_raster`` where such a pixel holds what will mean nodata.
    """
    if not blank.any() and (table.nodata == nodata).all():
        return data
    data, kept = data.copy(), kept & ~blank
    for number, (band, own) in enumerate(zip(data, table.nodata), 1):
        value = has_value(band, float(own))
        if own != nodata and (kept & value & (band == nodata)).any():
            raise HyperKDError(
                "unsupported_raster",
                f"Band {number} holds {nodata:g} as a value, which means nodata in the output.",
                "Give all bands of the raster one nodata value that no pixel has.",
            )
        band[blank | ~value] = nodata
    return data
