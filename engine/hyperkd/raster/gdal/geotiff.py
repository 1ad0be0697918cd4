"""Writing GeoTIFFs with GDAL; see ``create_raster``."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.data_types import GDAL_TYPES
from hyperkd.raster.gdal.gdal_errors import GDAL_ERRORS, collected_failures
from hyperkd.raster.gdal.restrictions import compressing_threads, restricted
from hyperkd.raster.sink import ClassEntry, RasterSpec
from hyperkd.raster.tiff.integrity import is_whole
from hyperkd.types import BandTable, GridSpec, Window

_TILE_PX = 256
# What GDAL or QGIS may have put beside an older output; it would describe the new one wrongly.
_COMPANIONS = (".aux.xml", ".ovr", ".msk")
# Deflate rarely makes real values smaller than this: with less space the job must fail.
_BEST_COMPRESSION = 20
_FULL_BYTES = 2**20


# Values are clipped to the range of half floats. What GDAL 3.10 calls beyond it are the bytes
# that pad the blocks of overviews, which it never sets.
_PADDING = "beyond range of float16"


class GeoTiffSink:
    """A GeoTIFF under its temporary name; see ``sink.RasterSink`` and ``create_raster``.

    Attributes:
        path: the file that ``commit`` makes.
        block_shape: ``(rows, cols)`` of a tile.
    """

    def __init__(self, path: str, spec: RasterSpec) -> None:
        if spec.dtype not in GDAL_TYPES:
            raise ValueError(f"no raster stores {spec.dtype}")
        self.path = os.fspath(path)
        self._spec = spec
        self.block_shape = (
            _block(spec.grid.height, spec.block_rows),
            _block(spec.grid.width, _TILE_PX),
        )
        self._part = AtomicFile(self.path, _COMPANIONS)
        # A cloud optimised file can only be made from a whole one.
        self._optimised = spec.layout == "cog"
        self._plain = self._part
        if self._optimised:
            self._plain = AtomicFile(f"{self.path}.plain", _COMPANIONS)
        self._dataset: Any = None
        self._finished = False
        try:
            self._require_space()
            self._attempt(self._create)
            self._attempt(self._describe)
        except BaseException:
            self.abort()
            raise

    def _require_space(self) -> None:
        size = self._spec.row_bytes * self._spec.grid.height
        free = shutil.disk_usage(os.path.dirname(os.path.abspath(self.path))).free
        if free < size / _BEST_COMPRESSION:
            raise HyperKDError(
                "out_of_disk",
                f"{self.path} needs up to {size / 2**20:.0f} MB, only {free / 2**20:.0f} MB "
                "are free.",
                "Free some disk space or choose another output folder.",
                path=self.path,
                needed=size,
                free=free,
            )

    def _create(self) -> None:
        spec = self._spec
        self._dataset = gdal.GetDriverByName("GTiff").Create(
            self._plain.temporary,
            spec.grid.width,
            spec.grid.height,
            spec.count,
            GDAL_TYPES[spec.dtype],
            self._creation_options(),
        )

    def _describe(self) -> None:
        spec = self._spec
        _write_grid(self._dataset, spec.grid)
        self._dataset.SetMetadata(dict(spec.metadata))
        for index in range(spec.count):
            band = self._dataset.GetRasterBand(index + 1)
            if spec.nodata is not None:
                band.SetNoDataValue(float(spec.nodata))
            if spec.scale is not None:
                band.SetScale(float(spec.scale))
            if spec.bands is not None:
                _write_band(band, index, spec.bands)
            if spec.names is not None:
                band.SetDescription(spec.names[index])
            if spec.units is not None:
                band.SetUnitType(spec.units[index])
        if spec.classes is not None:
            _write_classes(self._dataset.GetRasterBand(1), spec.classes)

    def _creation_options(self) -> list[str]:
        rows, cols = self.block_shape
        return [
            "TILED=YES",
            f"BLOCKXSIZE={cols}",
            f"BLOCKYSIZE={rows}",
            "INTERLEAVE=BAND",
            "COMPRESS=DEFLATE",
            # Level 6 takes twice the time of level 1 and saves 1 % of noisy values.
            "ZLEVEL=1",
            f"PREDICTOR={3 if self._spec.dtype.kind == 'f' else 2}",
            f"NUM_THREADS={compressing_threads()}",
            "BIGTIFF=IF_SAFER",
            # From a plain file of half floats newer GDAL makes no overviews.
            *(["NBITS=16"] if self._spec.half and not self._optimised else []),
            # Otherwise three or four bytes become RGB(A).
            "PHOTOMETRIC=MINISBLACK",
            "ALPHA=NO",
        ]

    def write(self, window: Window, data: NDArray[Any]) -> None:
        """Write stored values ``(band, row, col)`` in the sink's dtype."""
        self._spec.grid.require_inside(window)
        expected = (self._spec.count, window.height, window.width)
        if data.shape != expected or data.dtype != self._spec.dtype:
            raise ValueError(
                f"data is {data.dtype} {data.shape}, expected {self._spec.dtype} {expected}"
            )
        if self._dataset is None:
            raise ValueError(f"{self.path} is finished")
        pixels = np.ascontiguousarray(data)
        if self._spec.half:  # GDAL would cut digits off instead of rounding, and overflow
            limit = np.finfo(np.float16).max
            pixels = pixels.clip(-limit, limit).astype(np.float16).astype(np.float32)
        self._attempt(
            lambda: self._dataset.WriteRaster(
                window.col,
                window.row,
                window.width,
                window.height,
                pixels,
                buf_xsize=window.width,
                buf_ysize=window.height,
                buf_type=GDAL_TYPES[self._spec.dtype],
                band_list=list(range(1, self._spec.count + 1)),
            )
        )

    def finish(self) -> None:
        """Complete the file under its temporary name; later calls do nothing."""
        if self._dataset is None:
            return
        try:
            self._attempt(lambda: self._dataset.FlushCache())
            self._attempt(self._close)
            self._attempt(lambda: _require_whole(self._plain.temporary))
            if self._optimised:
                self._attempt(self._optimise)
                self._attempt(lambda: _require_whole(self._part.temporary))
                self._plain.abort()
        except BaseException:
            self.abort()
            raise
        self._finished = True

    def commit(self) -> None:
        """Finish the file and give it its name; later calls do nothing."""
        self.finish()
        if self._finished:
            self._finished = False
            self._part.commit()

    def abort(self) -> None:
        """Remove what was written; after ``commit`` it does nothing."""
        with contextlib.suppress(RuntimeError):  # what is thrown away need not be complete
            self._close()
        self._finished = False
        self._plain.abort()
        self._part.abort()

    def _optimise(self) -> Any:
        """Make the cloud optimised file from the plain one."""
        options = [
            "COMPRESS=DEFLATE",
            "LEVEL=1",
            "PREDICTOR=YES",
            "BIGTIFF=IF_SAFER",
            f"NUM_THREADS={compressing_threads()}",
            f"OVERVIEW_RESAMPLING={'MODE' if self._spec.classes else 'AVERAGE'}",
            *(["NBITS=16"] if self._spec.half else []),
        ]
        plain = gdal.Open(self._plain.temporary)
        with collected_failures(_PADDING):
            self._dataset = gdal.GetDriverByName("COG").CreateCopy(
                self._part.temporary, plain, 1, options
            )
        del plain
        self._close(_PADDING)

    @restricted()
    def _close(self, forgiven: str = "") -> None:
        """Close the dataset, which writes."""
        with collected_failures(forgiven):
            self._dataset = None

    def _attempt(self, action: Callable[[], Any]) -> None:
        """Do something with GDAL and turn its complaint into the coded error.

        The coded error is raised outside the handler: GDAL's exception holds
        the dataset, which could not be closed and removed as long as it lives.
        """
        problem = ""
        try:
            with restricted():
                done = action()
            if done not in (None, gdal.CE_None):  # without exceptions, see reader
                problem = gdal.GetLastErrorMsg() or "unknown error"
        except GDAL_ERRORS as error:
            problem = str(error)
        if not problem:
            return
        free = shutil.disk_usage(os.path.dirname(os.path.abspath(self.path))).free
        if "No space left" in problem or free < _FULL_BYTES:
            raise HyperKDError(
                "out_of_disk",
                f"The disk is full: {self.path} cannot be written.",
                "Free some disk space or choose another output folder.",
                path=self.path,
            )
        raise HyperKDError(
            "unwritable_output",
            f"{self.path} cannot be written: {' '.join(problem.split())}.",
            "Choose an output on another disk, or check its quota.",
            path=self.path,
        )

    def __enter__(self) -> GeoTiffSink:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()


def _require_whole(path: str) -> None:
    if not is_whole(path):
        raise RuntimeError("it ended before its last byte")


def _block(length: int, most: int) -> int:
    """Return the side of a tile: a multiple of 16, as TIFF demands, and no larger than needed."""
    return min(most, -(-length // 16) * 16)


def _write_grid(dataset: Any, grid: GridSpec) -> None:
    if grid.gcps:
        points = [
            gdal.GCP(x, y, z, pixel, line, "", name) for pixel, line, x, y, z, name in grid.gcps
        ]
        dataset.SetGCPs(points, grid.gcp_crs_wkt)
        return
    if grid.crs_wkt:
        dataset.SetProjection(grid.crs_wkt)
    if grid.geotransform is not None:
        dataset.SetGeoTransform([float(value) for value in grid.geotransform])


def _write_band(band: Any, index: int, bands: BandTable) -> None:
    """Write what is known about one band, under the names that EnMAP-Box reads too."""
    items = {
        "wavelength": repr(float(bands.wavelengths.centre_nm[index])),
        "wavelength_units": "Nanometers",
        "bbl": "1" if bands.good[index] else "0",
    }
    if bands.wavelengths.fwhm_nm is not None:
        items["fwhm"] = repr(float(bands.wavelengths.fwhm_nm[index]))
    band.SetMetadata(items)
    band.SetDescription(_band_name(bands, index))
    band.SetScale(float(bands.scale[index]))
    band.SetOffset(float(bands.offset[index]))


def _band_name(bands: BandTable, index: int) -> str:
    """Return the name of a band with its wavelength, which QGIS shows nowhere else."""
    name, wavelength = bands.names[index], f"{bands.wavelengths.centre_nm[index]:.2f} nm"
    if re.search(r"\d\s*(nm|nanomet)", name, re.IGNORECASE):
        return name
    return f"{name} ({wavelength})" if name else wavelength


def _write_classes(band: Any, classes: Sequence[ClassEntry]) -> None:
    """Name and colour the values 1, 2, ... of a class map; 0 is no data."""
    entries = [ClassEntry("no data", (0, 0, 0)), *classes]
    colours = gdal.ColorTable()
    table = gdal.RasterAttributeTable()
    columns = (
        ("Value", gdal.GFT_Integer, gdal.GFU_MinMax),
        ("Class", gdal.GFT_String, gdal.GFU_Name),
        ("Red", gdal.GFT_Integer, gdal.GFU_Red),
        ("Green", gdal.GFT_Integer, gdal.GFU_Green),
        ("Blue", gdal.GFT_Integer, gdal.GFU_Blue),
        ("Alpha", gdal.GFT_Integer, gdal.GFU_Alpha),
        ("Label", gdal.GFT_String, gdal.GFU_Generic),
    )
    for column in columns:
        table.CreateColumn(*column)
    table.SetRowCount(len(entries))
    for value, entry in enumerate(entries):
        alpha = 255 if value else 0
        colours.SetColorEntry(value, (*entry.colour, alpha))
        label = "" if entry.label is None else str(entry.label)
        for index, item in enumerate((value, entry.name, *entry.colour, alpha, label)):
            set_item = table.SetValueAsString if isinstance(item, str) else table.SetValueAsInt
            set_item(value, index, item)
    band.SetRasterColorTable(colours)
    band.SetRasterCategoryNames([entry.name for entry in entries])
    band.SetDefaultRAT(table)
