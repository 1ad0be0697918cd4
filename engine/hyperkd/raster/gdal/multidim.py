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
from hyperkd.raster.gdal.data_types import DTYPES, GDAL_TYPES
from hyperkd.raster.gdal.gdal_errors import GDAL_ERRORS
from hyperkd.raster.gdal.local_names import require_local, require_regular
from hyperkd.raster.gdal.probe import require_sound
from hyperkd.raster.gdal.restrictions import ARRAY_DRIVERS, present, restricted
from hyperkd.raster.parsing import parsing
from hyperkd.raster.texts import Texts

_MOST_NAMES = 10_000


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
        except GDAL_ERRORS as error:
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
    def attributes(self, of: str = "") -> dict[str, Any]:
        """Return the attributes of the root, or of a group or array: numbers, tuples, strings.

        Args:
            of: full name of the group or array; one that is not there has none.
        """
        texts = Texts(self.path)

        def plain(value: Any) -> Any:
            if isinstance(value, (tuple, list)):
                return tuple(plain(item) for item in value)
            return texts.read(value) if isinstance(value, (str, bytes, bytearray)) else value

        with self._guard():
            holder = self._find(of) or self._group(of) if of else self._root
            return {
                texts.read(item.GetName()): plain(item.Read())
                for item in (() if holder is None else holder.GetAttributes() or ())
            }

    @restricted()
    def names(self) -> tuple[str, ...]:
        """Return the full names of all arrays, those without axes too; at most 10 000."""
        texts = Texts(self.path)
        found: list[str] = []
        with self._guard():
            groups = [("", self._root)]
            for place, group in groups:  # it grows meanwhile
                arrays = group.GetMDArrayNames(["SHOW_ALL=YES", "SHOW_ZERO_DIM=YES"]) or ()
                found += [f"{place}/{texts.read(name)}" for name in arrays]
                for name in group.GetGroupNames() or ():
                    inner = group.OpenGroup(name)
                    if inner is not None:
                        groups.append((f"{place}/{texts.read(name)}", inner))
                if len(found) + len(groups) > _MOST_NAMES:
                    break
        return tuple(found[:_MOST_NAMES])

    @restricted()
    def texts(self, name: str) -> tuple[str, ...]:
        """Return an array of strings; an empty one where it is none or cannot be read safely."""
        array = self._find(name)
        if array is None or array.GetDataType().GetClass() != gdal.GEDTC_STRING:
            return ()
        if not array.GetDimensions() and self._dataset.GetDriver().ShortName != "HDF5":
            return ()  # GDAL's netCDF driver returns bytes of somebody else's memory
        texts = Texts(self.path)
        with self._guard():
            return tuple(texts.read(item) for item in array.Read() or ())

    @restricted()
    def axes(self, name: str) -> tuple[str, ...]:
        """Return the full names of an array's axes, which may be those of arrays of coordinates."""
        texts = Texts(self.path)
        with self._guard():
            axes = self._array(name).GetDimensions() or ()
            return tuple(texts.read(axis.GetFullName()) for axis in axes)

    @restricted()
    def dtype(self, name: str) -> Optional[np.dtype[Any]]:
        """Return the type of an array's values, or None where they are no plain numbers."""
        with self._guard():
            found = self._array(name).GetDataType()
            if found.GetClass() != gdal.GEDTC_NUMERIC:
                return None
            return DTYPES.get(found.GetNumericDataType())

    @restricted()
    def nodata(self, name: str) -> float:
        """Return the value that an array declares as fill, NaN where it declares none."""
        with self._guard():
            value = self._array(name).GetNoDataValueAsDouble()
            return float("nan") if value is None else float(value)

    @restricted()
    def scaling(self, name: str) -> tuple[Optional[float], Optional[float]]:
        """Return scale and offset of an array's values, None where it declares none."""
        with self._guard():
            array = self._array(name)
            return array.GetScale(), array.GetOffset()

    @restricted()
    def unit(self, name: str) -> str:
        """Return the unit of an array's values, or an empty string."""
        with self._guard():
            stated = self._array(name).GetUnit()
        return Texts(self.path).read(stated) or str(self.attributes(name).get("units", ""))

    @restricted()
    def block(self, name: str) -> tuple[int, ...]:
        """Return the lengths of an array's chunks, 0 where they are not known."""
        with self._guard():
            return tuple(int(size) for size in self._array(name).GetBlockSize() or ())

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
        dtype = self.dtype(name)
        if dtype is None:
            raise HyperKDError(
                "bad_product",
                f"The array {name} of {self.path} holds no plain numbers.",
                "The file does not follow the product's documentation.",
            )
        try:
            # Half floats come as floats.
            kind = gdal.ExtendedDataType.Create(GDAL_TYPES[dtype])
            buffer = array.Read(first, size, buffer_datatype=kind)
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
        except GDAL_ERRORS:
            return None
        finally:
            gdal.PopErrorHandler()

    def _group(self, name: str) -> Any:
        gdal.PushErrorHandler("CPLQuietErrorHandler")
        try:
            return self._root.OpenGroupFromFullname(name)
        except GDAL_ERRORS:
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
    except GDAL_ERRORS:
        status = 1
    if status:
        raise HyperKDError(
            "bad_product",
            f"The product's coordinate reference system {definition!r} is unknown.",
            "Check that GDAL and PROJ are installed completely.",
        )
    return str(reference.ExportToWkt())
