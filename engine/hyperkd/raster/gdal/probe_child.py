"""The process that opens an HDF5 or netCDF file first; see ``probe``.

Arguments: the file, and the folders that Python looks for modules in. It ends with 0
whether GDAL can read the file or says why not: only a crash or a hang counts.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

_MOST_BYTES = 16 * 2**30
_MOST_GROUPS = 10_000


def main(path: str) -> None:
    """Read what the engine may read of a file: attributes, shapes, the ends of arrays."""
    from osgeo import gdal

    from hyperkd.raster.gdal.restrictions import ARRAY_DRIVERS, RASTER_DRIVERS, present

    failures = (RuntimeError, ValueError, OverflowError, MemoryError, TypeError)
    with contextlib.suppress(*failures):
        dataset = gdal.OpenEx(path, gdal.OF_RASTER, allowed_drivers=present(RASTER_DRIVERS))
        dataset.GetMetadata()
        dataset.GetSubDatasets()
        dataset.GetSpatialRef()
        if dataset.RasterCount:
            band = dataset.GetRasterBand(1)
            band.GetMetadata()
            band.ReadRaster(0, 0, 1, 1)
            band.ReadRaster(band.XSize - 1, band.YSize - 1, 1, 1)
    with contextlib.suppress(*failures):
        dataset = gdal.OpenEx(path, gdal.OF_MULTIDIM_RASTER, allowed_drivers=present(ARRAY_DRIVERS))
        groups = [dataset.GetRootGroup()]
        for group in groups:  # it grows meanwhile
            _walk(group, groups, failures)
            if len(groups) > _MOST_GROUPS:
                break


def _walk(group: Any, groups: list[Any], failures: tuple[type[Exception], ...]) -> None:
    with contextlib.suppress(*failures):
        _attributes(group)
    for name in group.GetMDArrayNames() or ():
        with contextlib.suppress(*failures):
            array = group.OpenMDArray(name)
            _attributes(array)
            sizes = [axis.GetSize() for axis in array.GetDimensions() or ()]
            array.Read([0] * len(sizes), [1] * len(sizes))
            array.Read([size - 1 for size in sizes], [1] * len(sizes))
    for name in group.GetGroupNames() or ():
        with contextlib.suppress(*failures):
            groups.append(group.OpenGroup(name))


def _attributes(holder: Any) -> None:
    for item in holder.GetAttributes() or ():
        item.Read()


def _limit_memory() -> None:
    """Keep a damaged size from filling the machine; Windows knows no such limit."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _MOST_BYTES if hard == resource.RLIM_INFINITY else min(hard, _MOST_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    sys.path[:] = sys.argv[2:]
    from hyperkd.engine_process import mark_engine_process

    mark_engine_process()
    try:
        import hyperkd.raster.gdal.restrictions  # noqa: F401
    except ImportError:
        raise SystemExit(3) from None
    _limit_memory()
    main(sys.argv[1])
