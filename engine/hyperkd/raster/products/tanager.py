"""Planet Tanager surface reflectance, ortho (on a map grid) and basic (as it was seen).

Structure: Planet's product specification as public readers tell it; see docs/products.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.band_values import common_unit, to_nanometres
from hyperkd.raster.gdal.multidim import crs_wkt
from hyperkd.raster.grid import geometry_notes
from hyperkd.raster.products.array_cube import ArrayCube, control_points
from hyperkd.raster.products.array_product import contradiction, numbers
from hyperkd.raster.products.quality_masks import PixelTest
from hyperkd.types import BandTable, BoolArray, GeoTransform, GridSpec, Wavelengths, Window

_GROUPS: Final = ("/HDFEOS/GRIDS/HYP", "/HDFEOS/SWATHS/HYP")
_FIELDS: Final = "Data Fields"
_NODATA: Final = -9999.0
_STRUCTURE: Final = "/HDFEOS INFORMATION/StructMetadata.0"
_CORNER: Final = r"{name}\s*=\s*\(\s*([-+0-9.eE]+)\s*,\s*([-+0-9.eE]+)\s*\)"
_GEOLOCATION: Final = ("Latitude", "Longitude")
_LAYERS: Final = {"cloud": "beta_cloud_mask", "cirrus": "beta_cirrus_mask"}


def is_tanager(names: tuple[str, ...]) -> bool:
    """Return whether a file with arrays of these names is a product of Tanager."""
    return any(name.startswith(f"{group}/{_FIELDS}/") for name in names for group in _GROUPS)


class TanagerReflectance(ArrayCube):
    """Tanager surface reflectance (.h5) as float32 reflectance.

    The array is (band, row, col). Pixels that ``nodata_pixels`` names have no value; bands
    whose ``good_wavelengths`` is 0 are bad: they hold numbers that look like reflectance.
    A basic product has ground control points of its latitudes and longitudes in place of a
    grid.

    Args:
        path: the .h5 file.

    Raises:
        HyperKDError: ``bad_product`` for radiance, or where arrays or attributes are missing.
    """

    kind: ClassVar[str] = "Tanager L2"

    def _describe(self, path: Path) -> None:
        names = self._file.names()
        self._group = next(g for g in _GROUPS if any(name.startswith(g + "/") for name in names))
        self.array, self.axes = self._field("surface_reflectance"), (0, 1, 2)
        if self.array not in names:
            held = sorted({name.rpartition("/")[2] for name in names if "radiance" in name})
            raise HyperKDError(
                "bad_product",
                f"{path.name} is a Tanager product without surface_reflectance"
                f"{': it holds ' + ', '.join(held) if held else ''}.",
                "Take the product ortho_sr_hdf5 or basic_sr_hdf5 of the scene.",
            )
        shape = self._file.shape(self.array)
        dtype = self._file.dtype(self.array)
        if len(shape) != 3 or dtype is None or dtype.kind != "f":
            raise contradiction(path, f"surface_reflectance has the shape {shape} of {dtype}")
        self.dtype = np.dtype(np.float32)
        self.grid = self._grid(path, (shape[1], shape[2]))
        self.block_shape = self._blocks()
        fill = self._file.nodata(self.array)
        self._fill = _NODATA if np.isnan(fill) else fill
        self._nodata_pixels = self._layer("nodata_pixels", path)
        self.bands = self._table(path, shape[0])
        self.problems = geometry_notes(self.grid, ())

    def _table(self, path: Path, count: int) -> BandTable:
        attributes = self._file.attributes(self.array)
        columns = {}
        for name in ("wavelengths", "fwhm", "good_wavelengths"):
            if name == "good_wavelengths" and name not in attributes:
                columns[name] = np.ones(count)
                continue
            columns[name] = np.array(numbers(attributes, name, path))
            if columns[name].size != count:
                raise contradiction(
                    path, f"{name} has {columns[name].size} values for {count} bands"
                )
        origin = "attribute wavelengths of surface_reflectance"
        unit = common_unit([str(attributes.get("wavelengths_units", ""))], origin)
        centre, units = to_nanometres(columns["wavelengths"], unit, origin)
        factor = float(centre[0] / columns["wavelengths"][0])
        return BandTable(
            Wavelengths(centre, columns["fwhm"] * factor),
            good=columns["good_wavelengths"] > 0,
            scale=np.ones(count),
            offset=np.zeros(count),
            nodata=np.full(count, self._fill),
            names=tuple(f"Tanager band {band + 1}" for band in range(count)),
            origins={
                "wavelength": origin,
                "units": units,
                "fwhm": "attribute fwhm of surface_reflectance",
                "good": "attribute good_wavelengths of surface_reflectance",
                "scale": "the Tanager convention (reflectance)",
                "nodata": "_FillValue and nodata_pixels",
                "product": f"{self.array} of Tanager",
            },
        )

    def _grid(self, path: Path, shape: tuple[int, int]) -> GridSpec:
        if self._group != _GROUPS[0]:
            places = [f"{self._group}/Geolocation Fields/{name}" for name in _GEOLOCATION]
            if all(self._file.has(place) for place in places):
                return control_points(self._file, places[0], places[1], shape)
            return GridSpec(shape[1], shape[0])
        code = self._file.attributes(self._group).get("epsg_code")
        transform = self._corners(path, shape)
        return GridSpec(shape[1], shape[0], transform, "" if code is None else crs_wkt(int(code)))

    def _corners(self, path: Path, shape: tuple[int, int]) -> Optional[GeoTransform]:
        """Return the geotransform by the outer corners that StructMetadata.0 names."""
        text = "".join(self._file.texts(_STRUCTURE))
        block = text[max(text.find('GridName="HYP"'), 0) :]
        found = [
            re.search(_CORNER.format(name=name), block)
            for name in ("UpperLeftPointMtrs", "LowerRightMtrs")
        ]
        if found[0] is None or found[1] is None:
            return None
        (left, top), (right, bottom) = (
            [float(n) for n in match.groups()] for match in found if match
        )
        rows, cols = shape
        for name, size in (("XDim", cols), ("YDim", rows)):
            stated = re.search(rf"{name}\s*=\s*(\d+)", block)
            if stated is not None and int(stated.group(1)) != size:
                raise contradiction(path, f"StructMetadata.0 says {stated.group(0)}, not {size}")
        if not (left < right and bottom < top):
            raise contradiction(
                path, f"its corners are {left:g}, {top:g} and {right:g}, {bottom:g}"
            )
        return (left, (right - left) / cols, 0.0, top, 0.0, (bottom - top) / rows)

    def _field(self, name: str) -> str:
        return f"{self._group}/{_FIELDS}/{name}"

    def _layer(self, name: str, path: Path) -> Optional[str]:
        """Return the full name of a layer of the image's size, None where there is none."""
        place, size = self._field(name), (self.grid.height, self.grid.width)
        if not self._file.has(place):
            return None
        if self._file.shape(place) != size:
            raise contradiction(path, f"{name} has the shape {self._file.shape(place)}, not {size}")
        return place

    def masks(self) -> Mapping[str, PixelTest]:
        """Return the layers of clouds and cirrus that the product brings."""
        places = {mask: self._layer(name, Path(self.path)) for mask, name in _LAYERS.items()}
        return {mask: self._test(place) for mask, place in places.items() if place is not None}

    def _test(self, place: str) -> PixelTest:
        def test(window: Window) -> BoolArray:
            start, count = (window.row, window.col), (window.height, window.width)
            return np.asarray(self._file.read(place, start, count) > 0)

        return test

    def _read_bands(self, window: Window, index: NDArray[np.intp]) -> NDArray[Any]:
        """Return reflectance as float32 ``(band, row, col)``."""
        data = super()._read_bands(window, index).astype(np.float32)
        if self._nodata_pixels is not None:
            data[:, self._test(self._nodata_pixels)(window)] = self._fill
        return data
