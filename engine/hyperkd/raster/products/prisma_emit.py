"""PRISMA L2D and EMIT L2A: cubes in HDF5 and netCDF files, read along their own axes.

Both are presented as rasters of (band, row, col) on a map grid. Structure:
PRISMA Product Specification (ASI) and EMIT L2A user guide (NASA JPL) as read
by EnMAP-Box; see docs/products.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.output_checks import protect, release
from hyperkd.problems import Problem
from hyperkd.raster.gdal.multidim import ArrayFile, crs_wkt
from hyperkd.raster.gdal.opening import stamp
from hyperkd.raster.masks import valid_mask
from hyperkd.raster.parsing import parsing
from hyperkd.types import BandTable, GridSpec, Tile, Wavelengths, Window

DN_NODATA = -32768
_PRISMA_FIELDS = "/HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/"
_PRISMA_PIXEL_M = 30.0
_EMIT_NODATA = -9999.0
# A window of the map grid touches a slanted strip of the swath. Columns are
# gathered in chunks so that the strip's bounding box stays small in memory.
_EMIT_CHUNK_PX = 256
_AGAIN = "Download the product again; HyperKD does not read a converted one."


class ArrayProduct(ABC):
    """A product that is read through named arrays; implements ``RasterSource``."""

    interleave: ClassVar[str] = "line"
    streamed: ClassVar[bool] = False
    masked: ClassVar[bool] = False
    grid: GridSpec
    bands: BandTable
    dtype: np.dtype[Any]
    block_shape: tuple[int, int]
    problems: tuple[Problem, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._file = ArrayFile(self.path)
        self._files = stamp([self.path])
        protect([self.path])
        self._open = True
        try:
            with parsing(self.path, "bad_product", _AGAIN):
                self._describe(path)
        except BaseException:
            self.close()
            raise

    @abstractmethod
    def _describe(self, path: Path) -> None:
        """Find out grid and bands."""

    @abstractmethod
    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return stored values ``(band, row, col)`` of a window."""

    def read_tile(
        self,
        window: Window,
        bands: Optional[Sequence[int]] = None,
        out: Optional[NDArray[Any]] = None,
    ) -> Tile:
        """Return a window with its mask of pixels that carry a spectrum; ``out`` is left alone."""
        index = range(len(self.bands)) if bands is None else bands
        table = self.bands.take(list(index))
        data = self.read(window, bands)
        return Tile(data, valid_mask(data, table), window, self.grid, table)

    def stream(self, wanted: bool, verified: bool = False) -> None:
        """Do nothing: chunks are decoded whole."""
        del wanted

    def reopen(self) -> None:
        """Return None: the HDF5 library lets one thread read at a time."""
        return None

    def stamp(self) -> list[tuple[str, int, int]]:
        """Return name, size and time of change of the file, as it was opened."""
        return [(name, *state) for name, state in self._files.items()]

    def check_unchanged(self) -> None:
        """Raise ``input_changed`` where the file is not the one that was opened."""
        if stamp([self.path]) != self._files:
            raise HyperKDError(
                "input_changed",
                f"{self.path} changed while it was read.",
                "Wait until the program that writes it has finished, then try again.",
            )

    def close(self) -> None:
        """Release the file; closing twice does no harm."""
        if self._open:
            self._open = False
            release([self.path])
            self._file.close()

    def __enter__(self) -> ArrayProduct:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class PrismaL2D(ArrayProduct):
    """PRISMA L2D surface reflectance (.he5) as int16 reflectance x 10000.

    The file holds two uint16 cubes (row, band, col) in descending wavelength
    with unused slots. Here their used bands come in ascending wavelength.
    Reflectance = minimum + DN x (maximum - minimum) / 65535 with the detector's
    ``L2Scale*`` attributes. A pixel whose DN are all 0 carries no spectrum.

    Args:
        path: the .he5 file.

    Raises:
        HyperKDError: ``bad_product`` for another level or missing parts.
    """

    def _describe(self, path: Path) -> None:
        attributes = self._file.attributes()
        level = str(attributes.get("Processing_Level", "")).strip()
        if not self._file.has(_PRISMA_FIELDS + "VNIR_Cube"):
            raise HyperKDError(
                "bad_product",
                f"{path.name} is a PRISMA file of level {level or 'unknown'}, not L2D.",
                "HyperKD reads geocoded surface reflectance: order the scene as L2D.",
            )
        self._slots: list[tuple[str, int]] = []
        self._scaling: dict[str, tuple[float, float]] = {}
        centre: list[float] = []
        fwhm: list[float] = []
        for detector in ("Vnir", "Swir"):
            centres = _numbers(attributes, f"List_Cw_{detector}", path)
            widths = _numbers(attributes, f"List_Fwhm_{detector}", path)
            low, high = (
                _numbers(attributes, f"L2Scale{detector}{end}", path)[0] for end in ("Min", "Max")
            )
            if not (np.isfinite((low, high)).all() and low < high):
                raise _contradiction(path, f"L2Scale{detector}Min is {low:g}, Max {high:g}")
            if len(widths) != len(centres):
                raise _contradiction(
                    path, f"{detector} has {len(centres)} wavelengths and {len(widths)} FWHM"
                )
            if len(self._shape_of(detector)) != 3 or len(centres) > self._shape_of(detector)[1]:
                raise _contradiction(
                    path,
                    f"the {detector} cube has the shape {self._shape_of(detector)} for "
                    f"{len(centres)} wavelengths",
                )
            self._scaling[detector] = (low, (high - low) / 65535.0)
            for slot, value in enumerate(centres):
                if value > 0:
                    self._slots.append((detector, slot))
                    centre.append(value)
                    fwhm.append(widths[slot])
        order = np.argsort(np.array(centre), kind="stable")
        self._slots = [self._slots[i] for i in order]
        count = len(order)
        self.bands = BandTable(
            Wavelengths(np.array(centre)[order], np.array(fwhm)[order]),
            good=np.ones(count, bool),
            scale=np.full(count, 1e-4),
            offset=np.zeros(count),
            nodata=np.full(count, float(DN_NODATA)),
            names=tuple(f"PRISMA {detector.upper()} {slot + 1}" for detector, slot in self._slots),
            origins={
                "wavelength": "root attributes List_Cw_Vnir, List_Cw_Swir",
                "units": "the PRISMA convention (nm)",
                "fwhm": "root attributes List_Fwhm_Vnir, List_Fwhm_Swir",
                "scale": "root attributes L2ScaleVnirMin/Max, L2ScaleSwirMin/Max",
                "nodata": "pixels whose values are all 0",
            },
        )
        rows, _, cols = self._shape_of("Vnir")
        if self._shape_of("Swir")[::2] != (rows, cols):
            raise _contradiction(
                path, f"its cubes have {self._shape_of('Vnir')} and {self._shape_of('Swir')} values"
            )
        # The corner is the centre of the upper left pixel.
        east, north = (
            _numbers(attributes, f"Product_ULcorner_{axis}", path)[0]
            for axis in ("easting", "northing")
        )
        half = _PRISMA_PIXEL_M / 2
        self.grid = GridSpec(
            cols,
            rows,
            (east - half, _PRISMA_PIXEL_M, 0.0, north + half, 0.0, -_PRISMA_PIXEL_M),
            crs_wkt(int(_numbers(attributes, "Epsg_Code", path)[0])),
        )
        self.dtype = np.dtype(np.int16)
        self.block_shape = (1, cols)

    def _shape_of(self, detector: str) -> tuple[int, ...]:
        return self._file.shape(f"{_PRISMA_FIELDS}{detector.upper()}_Cube")

    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return reflectance x 10000 as int16 ``(band, row, col)``."""
        start, count = (window.row, 0, window.col), (window.height, -1, window.width)
        cubes: dict[str, NDArray[Any]] = {}
        for detector in ("Vnir", "Swir"):
            name = f"{_PRISMA_FIELDS}{detector.upper()}_Cube"
            slots = self._file.shape(name)[1]
            cubes[detector] = self._file.read(name, start, (count[0], slots, count[2]))
        empty = ~(cubes["Vnir"].any(axis=1) | cubes["Swir"].any(axis=1))
        index = range(len(self._slots)) if bands is None else bands
        data = np.empty((len(index), window.height, window.width), np.int16)
        for target, band in enumerate(index):
            detector, slot = self._slots[band]
            low, step = self._scaling[detector]
            reflectance = low + cubes[detector][:, slot, :] * step
            data[target] = np.clip(np.rint(reflectance * 1e4), DN_NODATA + 1, 32767)
        data[:, empty] = DN_NODATA
        return data


def is_emit(path: Path) -> bool:
    """Return whether a file is a netCDF with EMIT's reflectance cube."""
    if path.suffix.lower() != ".nc" or not path.is_file():
        return False
    try:
        file = ArrayFile(str(path))
    except HyperKDError:
        return False  # no netCDF at all: whoever opens it as a raster says so
    try:
        return file.has("/reflectance") and file.has("/sensor_band_parameters/wavelengths")
    finally:
        file.close()


class EmitL2A(ArrayProduct):
    """EMIT L2A surface reflectance (netCDF) on the map grid of its geolocation table.

    ``location/glt_x`` and ``glt_y`` name, for each map pixel, the 1-based column
    and row of the swath, 0 where there is none: values are taken, not interpolated.

    Args:
        path: the .nc file.

    Raises:
        HyperKDError: ``bad_product`` where arrays or attributes are missing.
    """

    def _describe(self, path: Path) -> None:
        attributes = self._file.attributes()
        transform = _numbers(attributes, "geotransform", path)
        if len(transform) != 6 or not np.isfinite(transform).all():
            raise _contradiction(
                path, f"it has a geotransform of {len(transform)} numbers: {transform[:6]}"
            )
        self._glt_x = self._file.read("/location/glt_x").astype(np.int64) - 1
        self._glt_y = self._file.read("/location/glt_y").astype(np.int64) - 1
        cube = self._file.shape("/reflectance")
        if len(cube) != 3 or self._glt_x.ndim != 2 or self._glt_x.shape != self._glt_y.shape:
            raise _contradiction(
                path,
                f"reflectance has the shape {cube}, glt_x {self._glt_x.shape}, "
                f"glt_y {self._glt_y.shape}",
            )
        rows, cols = self._glt_x.shape
        swath_rows, swath_cols, count = cube
        if self._glt_x.max() >= swath_cols or self._glt_y.max() >= swath_rows:
            raise HyperKDError(
                "bad_product",
                f"{path.name}: the geolocation table points at column {self._glt_x.max() + 1}, "
                f"row {self._glt_y.max() + 1} of a swath of {swath_cols} x {swath_rows} pixels.",
                "Download the EMIT L2A file again.",
            )
        self.grid = GridSpec(
            cols,
            rows,
            (transform[0], transform[1], transform[2], transform[3], transform[4], transform[5]),
            crs_wkt(str(attributes.get("spatial_ref", ""))),
        )
        parameters = "/sensor_band_parameters/"
        for name in ("wavelengths", "fwhm", "good_wavelengths"):
            if self._file.shape(parameters + name) != (count,):
                raise _contradiction(
                    path,
                    f"{name} has the shape {self._file.shape(parameters + name)} for {count} bands",
                )
        self.bands = BandTable(
            Wavelengths(
                self._file.read(parameters + "wavelengths").astype(np.float64),
                self._file.read(parameters + "fwhm").astype(np.float64),
            ),
            good=self._file.read(parameters + "good_wavelengths") > 0,
            scale=np.ones(count),
            offset=np.zeros(count),
            nodata=np.full(count, _EMIT_NODATA),
            names=tuple(f"EMIT band {band + 1}" for band in range(count)),
            origins={
                "wavelength": "sensor_band_parameters/wavelengths",
                "units": "the EMIT convention (nm)",
                "fwhm": "sensor_band_parameters/fwhm",
                "good": "sensor_band_parameters/good_wavelengths",
                "scale": "the EMIT convention (reflectance)",
                "nodata": "the EMIT convention",
            },
        )
        self.dtype = np.dtype(np.float32)
        self.block_shape = (_EMIT_CHUNK_PX, _EMIT_CHUNK_PX)

    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return reflectance as float32 ``(band, row, col)``, -9999 outside the swath."""
        index = np.arange(len(self.bands)) if bands is None else np.asarray(bands, np.intp)
        data = np.full((index.size, window.height, window.width), _EMIT_NODATA, np.float32)
        for row in range(0, window.height, _EMIT_CHUNK_PX):
            for col in range(0, window.width, _EMIT_CHUNK_PX):
                part = Window(
                    window.col + col,
                    window.row + row,
                    min(_EMIT_CHUNK_PX, window.width - col),
                    min(_EMIT_CHUNK_PX, window.height - row),
                )
                rows, cols = part.slices(inside=window)
                self._gather(part, index, data[:, rows, cols])
        return data

    def _gather(self, part: Window, index: NDArray[np.intp], target: NDArray[Any]) -> None:
        slices = part.slices()
        x, y = self._glt_x[slices], self._glt_y[slices]
        known = (x >= 0) & (y >= 0)
        if not known.any():
            return
        x, y = x[known], y[known]
        first = (int(y.min()), int(x.min()))
        size = (int(y.max()) - first[0] + 1, int(x.max()) - first[1] + 1)
        swath = self._file.read("/reflectance", (*first, 0), (*size, len(self.bands)))
        spectra = swath[y - first[0], x - first[1]][:, index]  # (pixels, bands)
        target[:, known] = spectra.T


def _contradiction(path: Path, what: str) -> HyperKDError:
    return HyperKDError("bad_product", f"{path.name} contradicts itself: {what}.", _AGAIN)


def _numbers(attributes: dict[str, Any], name: str, path: Path) -> tuple[float, ...]:
    value = attributes.get(name)
    if value is None:
        raise HyperKDError(
            "bad_product",
            f"{path.name} has no attribute {name}.",
            "The file does not follow the product's documentation; was it cut or converted?",
        )
    items = value if isinstance(value, (tuple, list)) else (value,)
    if not items:
        raise _contradiction(path, f"the attribute {name} is empty")
    return tuple(float(item) for item in items)
