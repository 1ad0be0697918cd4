"""GDAL's multidimensional API: arrays and attributes of HDF5 and netCDF files.

The classic raster view of these files guesses which axes are rows, columns and
bands, and guesses wrong for PRISMA and EMIT on the GDAL versions that QGIS
ships. Here the axes are the file's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, osr

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.crs import raising
from hyperkd.raster.gdal.local_names import require_local, require_regular
from hyperkd.raster.gdal.probe import require_sound
from hyperkd.raster.gdal.restrictions import ARRAY_DRIVERS, present, restricted
from hyperkd.raster.parsing import parsing
from hyperkd.raster.texts import Texts

_DTYPES = {
    gdal.GDT_Byte: np.uint8,
    gdal.GDT_UInt16: np.uint16,
    gdal.GDT_Int16: np.int16,
    gdal.GDT_UInt32: np.uint32,
    gdal.GDT_Int32: np.int32,
    gdal.GDT_Float32: np.float32,
    gdal.GDT_Float64: np.float64,
}


class ArrayFile:
    """An HDF5 or netCDF file as named arrays with attributes.

    Args:
        path: the file.

    Raises:
        HyperKDError: ``unreadable_raster`` where GDAL cannot open it so.
    """

    @restricted()
    def __init__(self, path: str) -> None:
        self.path = path
        require_local(path)
        require_regular(path)
        require_sound(path)
        try:
            self._dataset = gdal.OpenEx(
                path, gdal.OF_MULTIDIM_RASTER, allowed_drivers=present(ARRAY_DRIVERS)
            )
        except RuntimeError as error:
            raise self._unreadable(str(error)) from error
        if self._dataset is None:
            raise self._unreadable(gdal.GetLastErrorMsg())
        self._root = self._dataset.GetRootGroup()
        if self._root is None:
            raise self._unreadable("it has no groups")

    def close(self) -> None:
        """Release the file."""
        self._root = None
        self._dataset = None

    @restricted()
    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the root group: numbers, tuples of numbers, strings."""
        texts = Texts(self.path)

        def plain(value: Any) -> Any:
            if isinstance(value, (tuple, list)):
                return tuple(plain(item) for item in value)
            return texts.read(value) if isinstance(value, (str, bytes, bytearray)) else value

        with self._guard():
            return {
                texts.read(item.GetName()): plain(item.Read())
                for item in self._root.GetAttributes() or ()
            }

    @restricted()
    def has(self, name: str) -> bool:
        """Return whether the file holds an array of the full name ``name``."""
        return self._find(name) is not None

    @restricted()
    def shape(self, name: str) -> tuple[int, ...]:
        """Return the lengths of an array's axes."""
        with self._guard():
            return tuple(int(axis.GetSize()) for axis in self._array(name).GetDimensions() or ())

    @restricted()
    def read(
        self,
        name: str,
        start: Optional[Sequence[int]] = None,
        count: Optional[Sequence[int]] = None,
    ) -> NDArray[Any]:
        """Return an array, or the part of it that begins at ``start`` and spans ``count``.

        Raises:
            HyperKDError: ``bad_product`` where the array is missing,
                ``unreadable_raster`` where its bytes cannot be read.
        """
        array = self._array(name)
        shape = self.shape(name)
        first = [0] * len(shape) if start is None else [int(value) for value in start]
        size = list(shape) if count is None else [int(value) for value in count]
        dtype = _DTYPES.get(array.GetDataType().GetNumericDataType())
        if dtype is None:
            raise HyperKDError(
                "bad_product",
                f"The array {name} of {self.path} holds no plain numbers.",
                "The file does not follow the product's documentation.",
            )
        try:
            buffer = array.Read(first, size)
        except (RuntimeError, ValueError, OverflowError) as error:
            raise self._unreadable(f"array {name} at {first}: {error}") from error
        if buffer is None:
            raise self._unreadable(f"array {name} at {first}: {gdal.GetLastErrorMsg()}")
        return np.frombuffer(buffer, dtype=dtype).reshape(size)

    def _guard(self) -> AbstractContextManager[None]:
        return parsing(self.path, "bad_product", "Check that the download is complete.")

    def _find(self, name: str) -> Any:
        gdal.PushErrorHandler("CPLQuietErrorHandler")
        try:
            return self._root.OpenMDArrayFromFullname(name)
        except RuntimeError:
            return None
        finally:
            gdal.PopErrorHandler()

    def _array(self, name: str) -> Any:
        array = self._find(name)
        if array is None:
            raise HyperKDError(
                "bad_product",
                f"{self.path} has no array {name}.",
                "The file does not follow the product's documentation; was it cut or converted?",
            )
        return array

    def _unreadable(self, reason: str) -> HyperKDError:
        reason = reason.rstrip(".") or "unknown format"
        return HyperKDError(
            "unreadable_raster",
            f"{self.path} cannot be read as HDF5 or netCDF: {reason}.",
            "Check that the download is complete.",
        )


@raising()
def crs_wkt(definition: Union[int, str]) -> str:
    """Return the WKT of an EPSG code or of a WKT text, with x before y.

    Raises:
        HyperKDError: ``bad_product`` where GDAL does not know the definition.
    """
    reference = osr.SpatialReference()
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    try:
        status = (
            reference.ImportFromEPSG(definition)
            if isinstance(definition, int)
            # Not SetFromUserInput: it takes files and web addresses too.
            else reference.ImportFromWkt(definition)
        )
    except RuntimeError:
        status = 1
    if status:
        raise HyperKDError(
            "bad_product",
            f"The product's coordinate reference system {definition!r} is unknown.",
            "Check that GDAL and PROJ are installed completely.",
        )
    return str(reference.ExportToWkt())
