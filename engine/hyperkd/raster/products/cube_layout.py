"""Finding the spectral image of an HDF5 or netCDF file: its array, axes, wavelengths and grid.

What is taken for what: an array of three axes of which one is as long as an array of
wavelengths; a grid mapping with a GeoTransform, coordinates that are evenly spaced, or
latitude and longitude of each pixel. What stays ambiguous is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.band_values import BandSource, property_of
from hyperkd.raster.gdal.multidim import ArrayFile, crs_wkt
from hyperkd.raster.products.array_cube import control_points
from hyperkd.raster.products.array_product import contradiction
from hyperkd.types import GeoTransform, GridSpec

_REFLECTANCE = re.compile(r"reflectance|(^|_)rfl($|_)|^rhos$|^sr$", re.IGNORECASE)
_NO_IMAGE = re.compile(
    r"uncert|(^|_)unc($|_)|error|std|sigma|mask|quality|flag|observ|glt", re.IGNORECASE
)
_RADIANCE = re.compile(r"radiance|(^|_)(rad|rdn)($|_)|^l[tw]$", re.IGNORECASE)
_OTHER_QUANTITY: Final = {
    "rrs": "remote sensing reflectance per steradian",
    "rhot": "reflectance at the top of the atmosphere",
    "toa_reflectance": "reflectance at the top of the atmosphere",
}
_X: Final = ("x", "easting", "lon", "longitude", "crosstrack", "cols", "columns", "samples")
_Y: Final = ("y", "northing", "lat", "latitude", "downtrack", "rows", "lines")
_GOOD: Final = ("good_wavelengths", "good_bands", "bbl")
_MAPPINGS: Final = ("crs", "spatial_ref", "projection", "transverse_mercator")
_EVEN: Final = 0.01  # of a pixel, by which coordinates may be off their even spacing


@dataclass(frozen=True)
class CubeLayout:
    """Where the spectral image of a file is.

    Attributes:
        array: its full name.
        axes: which of its axes is that of bands, rows and columns.
        wavelengths: the full name of their array.
    """

    array: str
    axes: tuple[int, int, int]
    wavelengths: str


def find_cube(file: ArrayFile, path: Path) -> Optional[CubeLayout]:
    """Return where the spectral image of a file is, or None where it names no wavelengths.

    Raises:
        HyperKDError: ``bad_product`` where it holds another quantity than surface
            reflectance, or several arrays that may be the image.
    """
    names = file.names()
    wavelengths = [name for name in names if _is_wavelengths(file, name)]
    if not wavelengths:
        return None
    found = [layout for name in names if (layout := _layout(file, name, wavelengths)) is not None]
    named = [layout for layout in found if _REFLECTANCE.search(_last(layout.array))]
    chosen = named or found
    if not chosen:
        return None
    if len(chosen) > 1:
        listed = ", ".join(layout.array for layout in chosen)
        raise HyperKDError(
            "bad_product",
            f"{path.name} holds {len(chosen)} arrays with wavelengths: {listed}.",
            "Write the one with surface reflectance into a GeoTIFF, with its wavelengths.",
        )
    _require_reflectance(file, chosen[0].array, path)
    return chosen[0]


def _is_wavelengths(file: ArrayFile, name: str) -> bool:
    last = re.sub(r"_(3d|1d)$", "", _last(name).lower())
    shape = file.shape(name)
    if len(shape) != 1 or shape[0] < 2 or file.dtype(name) is None:
        return False
    unit = file.unit(name).strip().lower()
    return property_of(last)[0] == "wavelength" or (last == "bands" and unit in ("nm", "um"))


def _layout(file: ArrayFile, name: str, wavelengths: Sequence[str]) -> Optional[CubeLayout]:
    shape = file.shape(name)
    if len(shape) != 3 or min(shape) < 1 or file.dtype(name) is None:
        return None
    if _NO_IMAGE.search(_last(name)):
        return None
    axes = file.axes(name)
    # The nearest array of wavelengths: the axis itself, in the same group, in another one.
    nearest = sorted(
        (one for one in wavelengths if file.shape(one)[0] in shape),
        key=lambda one: (one not in axes, _group(one) != _group(name), one.count("/"), one),
    )
    if not nearest:
        return None
    place = nearest[0]
    size = file.shape(place)[0]
    # The netCDF library invents axes for HDF5 files and gives those of one length one name.
    own = [place, *(axis for axis in file.axes(place) if axis and "phony_dim" not in axis)]
    named = [axis for axis in range(3) if axes[axis] in own]
    fitting = named or [axis for axis in range(3) if shape[axis] == size]
    if len(fitting) != 1:
        raise HyperKDError(
            "bad_product",
            f"Several axes of the array {name}, of the shape {shape}, are as long as its "
            f"{size} wavelengths.",
            "Write the image into a GeoTIFF, with its wavelengths.",
        )
    row, col = (axis for axis in range(3) if axis != fitting[0])
    if _last(axes[row]).lower() in _X and _last(axes[col]).lower() in _Y:
        row, col = col, row
    return CubeLayout(name, (fitting[0], row, col), place)


def _require_reflectance(file: ArrayFile, name: str, path: Path) -> None:
    last, unit = _last(name).lower(), file.unit(name)
    plain = unit.lower().replace(" ", "")
    holds = _OTHER_QUANTITY.get(last)
    if _RADIANCE.search(last) or ("sr" in plain and "w" in plain):
        holds = "radiance"
    if holds is not None:
        emit = "EMIT_L2A_RFL" if path.name.upper().startswith("EMIT") else "surface reflectance"
        raise HyperKDError(
            "bad_product",
            f"{path.name} holds {holds} (array {name}{', ' + unit if unit else ''}), not surface "
            "reflectance.",
            f"Take the product of Level 2 with surface reflectance: the {emit} file of the scene.",
        )


def band_source(file: ArrayFile, layout: CubeLayout) -> BandSource:
    """Return wavelengths, widths and bad bands as the file has them in its own arrays."""
    count = file.shape(layout.array)[layout.axes[0]]
    columns = {"wavelength": _texts(file.read(layout.wavelengths))}
    origins = {"wavelength": f"array {layout.wavelengths}"}
    unit = file.unit(layout.wavelengths)
    if unit:
        columns["units"], origins["units"] = (unit,) * count, f"units of {layout.wavelengths}"
    groups = (_group(layout.wavelengths), _group(layout.array), "/sensor_band_parameters", "")
    for column, wanted in (("fwhm", ("fwhm",)), ("bbl", _GOOD)):
        for name in (f"{group.rstrip('/')}/{one}" for group in groups for one in wanted):
            if file.has(name) and file.shape(name) == (count,):
                columns[column], origins[column] = _texts(file.read(name)), f"array {name}"
                break
    return BandSource(columns, origins)


def _texts(values: NDArray[Any]) -> tuple[str, ...]:
    return tuple(repr(float(value)) for value in values)


def find_grid(file: ArrayFile, layout: CubeLayout, path: Path) -> GridSpec:
    """Return size and geometry of the image.

    Raises:
        HyperKDError: ``bad_product`` where the file says two different things.
    """
    shape = file.shape(layout.array)
    rows, cols = shape[layout.axes[1]], shape[layout.axes[2]]
    mapping = _grid_mapping(file, layout.array)
    stated = _numbers(mapping.get("GeoTransform", mapping.get("geotransform")))
    wkt = str(mapping.get("crs_wkt") or mapping.get("spatial_ref") or "")
    measured, unit = _from_coordinates(file, layout, rows, cols)
    if stated and measured and not stated[2] and not stated[4]:
        corner = (stated[0], stated[3], stated[0] + cols * stated[1], stated[3] + rows * stated[5])
        other = (
            *(measured[0], measured[3]),
            *(measured[0] + cols * measured[1], measured[3] + rows * measured[5]),
        )
        pixel = min(abs(stated[1]), abs(stated[5]))
        if max(abs(a - b) for a, b in zip(corner, other)) > pixel / 2:
            raise contradiction(path, f"its GeoTransform says {stated}, its coordinates {measured}")
    transform = stated or measured
    if transform is None:
        return _swath(file, layout, (rows, cols))
    if not wkt and unit.lower().startswith("degree"):
        wkt = crs_wkt(4326)
    return GridSpec(cols, rows, transform, crs_wkt(wkt) if wkt else "")


def _grid_mapping(file: ArrayFile, array: str) -> dict[str, Any]:
    """Return the attributes of the array that describes the grid, else those of the file."""
    called = str(file.attributes(array).get("grid_mapping", "")).split(":")[0].strip()
    names = ([called] if called else []) + list(_MAPPINGS)
    for place in (f"{group}/{name}" for name in names for group in (_group(array), "")):
        if file.has(place):
            found = file.attributes(place)
            if {"crs_wkt", "spatial_ref", "GeoTransform"} & set(found):
                return found
    return file.attributes()


def _numbers(value: Any) -> Optional[GeoTransform]:
    """Return a geotransform that is written as a text or as numbers."""
    items = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or len(items) != 6:
        return None
    a, b, c, d, e, f = (float(item) for item in items)
    return (a, b, c, d, e, f) if np.isfinite((a, b, c, d, e, f)).all() else None


def _from_coordinates(
    file: ArrayFile, layout: CubeLayout, rows: int, cols: int
) -> tuple[Optional[GeoTransform], str]:
    """Return the geotransform of evenly spaced centres, and their unit."""
    axes = file.axes(layout.array)
    y = _coordinates(file, layout.array, axes[layout.axes[1]], _Y, rows)
    x = _coordinates(file, layout.array, axes[layout.axes[2]], _X, cols)
    if x is None or y is None:
        return None, ""
    steps = []
    for values, count in ((x[0], cols), (y[0], rows)):
        step = (values[-1] - values[0]) / (count - 1)
        even = values[0] + step * np.arange(count)
        if not step or float(np.abs(values - even).max()) > _EVEN * abs(step):
            return None, ""
        steps.append(float(step))
    (dx, dy), unit = steps, x[1]
    return (float(x[0][0]) - dx / 2, dx, 0.0, float(y[0][0]) - dy / 2, 0.0, dy), unit


def _coordinates(
    file: ArrayFile, array: str, axis: str, names: Sequence[str], size: int
) -> Optional[tuple[NDArray[Any], str]]:
    places = [axis, *(f"{group}/{name}" for group in (_group(array), "") for name in names)]
    for place in places:
        if place and size > 1 and file.has(place) and file.shape(place) == (size,):
            if file.dtype(place) is not None:
                return file.read(place).astype(np.float64), file.unit(place)
    return None


def _swath(file: ArrayFile, layout: CubeLayout, shape: tuple[int, int]) -> GridSpec:
    """Return a grid by the latitude and longitude of each pixel, or none at all."""
    places = {_last(name).lower(): name for name in file.names() if file.shape(name) == shape}
    for lat, lon in (("latitude", "longitude"), ("lat", "lon")):
        if lat in places and lon in places:
            return control_points(file, places[lat], places[lon], shape)
    return GridSpec(shape[1], shape[0])


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _group(name: str) -> str:
    return name.rpartition("/")[0]
