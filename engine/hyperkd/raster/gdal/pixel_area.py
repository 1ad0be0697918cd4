"""The area of a pixel on the ground, as far as the reference system tells it."""

from __future__ import annotations

from typing import Optional

from osgeo import osr

from hyperkd.raster.gdal.crs import raising
from hyperkd.types import GridSpec

_M2_PER_HA = 10_000.0


@raising()
def pixel_hectares(grid: GridSpec) -> Optional[float]:
    """Return the area of a pixel in hectares, None without a projected reference system.

    It is the area in the projection: in UTM it is off by 0.2 % at most.
    """
    if grid.geotransform is None or not grid.crs_wkt:
        return None
    reference = osr.SpatialReference()
    reference.ImportFromWkt(grid.crs_wkt)
    if not reference.IsProjected():
        return None
    _, dx, rx, _, ry, dy = grid.geotransform
    return float(abs(dx * dy - rx * ry) * reference.GetLinearUnits() ** 2 / _M2_PER_HA)
