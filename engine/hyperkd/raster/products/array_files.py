"""Which product an HDF5 or netCDF file is: by the arrays that it holds, not by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.describe import Given
from hyperkd.raster.gdal.multidim import ArrayFile
from hyperkd.raster.products.array_product import ArrayProduct
from hyperkd.raster.products.cube_layout import find_cube
from hyperkd.raster.products.delivery_files import first_bytes
from hyperkd.raster.products.emit import EmitL2A, is_emit
from hyperkd.raster.products.generic_cube import GenericCube
from hyperkd.raster.products.prisma import SWATHS, PrismaL2D
from hyperkd.raster.products.tanager import TanagerReflectance, is_tanager

_MAGIC = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")
_PRISMA = ".he5"
ARRAY_SUFFIXES = (".he5", ".h5", ".hdf5", ".nc", ".nc4")


def array_product_of(path: Path) -> Optional[type[ArrayProduct]]:
    """Return what reads an HDF5 or netCDF file, or None where no product is known in it."""
    if not path.is_file():
        return None
    if not first_bytes(path, 8).startswith(_MAGIC):
        return PrismaL2D if path.suffix.lower() == _PRISMA else None
    try:
        file = ArrayFile(str(path))
    except HyperKDError:
        # Whoever opens it says why not.
        return PrismaL2D if path.suffix.lower() == _PRISMA else None
    try:
        names = file.names()
        if is_emit(file):
            return EmitL2A
        if any(name.startswith(SWATHS) for name in names):
            return PrismaL2D
        if is_tanager(names):
            return TanagerReflectance
        return GenericCube if find_cube(file, path) is not None else None
    finally:
        file.close()


def open_generic_cube(path: Path, given: Given) -> Optional[ArrayProduct]:
    """Return the image of a file that is no known product but has wavelengths of its own."""
    return GenericCube(path, given) if array_product_of(path) is GenericCube else None
