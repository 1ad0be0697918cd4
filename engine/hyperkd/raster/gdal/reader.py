"""Reading rasters with GDAL. Only the modules of this folder know osgeo.

Rules measured on QGIS's GDAL: never ``gdal_array`` (it fails with numpy 2),
always explicit buffer sizes and types, built-in ``int`` only, one dataset
``ReadRaster`` for all bands of a window (a band by band read of a pixel
interleaved file is a hundred times slower), and the dataset is kept referenced
for as long as anything of it is used.
"""

from __future__ import annotations

import copy
import os
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.output_checks import protect, release
from hyperkd.problems import Problem
from hyperkd.raster.bands.band_table import without_misfits
from hyperkd.raster.bands.band_values import BandSource, general_items
from hyperkd.raster.bands.describe import Given, describe_bands
from hyperkd.raster.bands.sampling import Sample, take_sample
from hyperkd.raster.bands.sidecars import find_sidecars, sidecar_files
from hyperkd.raster.gdal.data_types import GDAL_TYPES, dtype_of, is_signed_byte
from hyperkd.raster.gdal.opening import files_of, open_dataset, read_grid, read_metadata, stamp
from hyperkd.raster.gdal.restrictions import restricted
from hyperkd.raster.gdal.vrt_bands import vrt_sources
from hyperkd.raster.grid import geometry_notes
from hyperkd.raster.masks import Missing, check_missing, valid_mask
from hyperkd.raster.parsing import DAMAGED, parsing
from hyperkd.raster.tiff.deflate import RowStreams, read_deflated_tiff
from hyperkd.types import BandTable, BoolArray, FloatArray, GridSpec, Tile, Window

# Blocks of so few rows are decoded whole: they fit the processor's cache or nearly so.
_LOW_BLOCK = 16


class PlainRaster(AbstractContextManager["PlainRaster"]):
    """Any raster as windows of stored values, with no idea of what its bands mean.

    For labels, class maps and quality layers.

    Args:
        path: a file that GDAL reads.

    Attributes:
        path: the file that is read.
        grid: size and geometry, verbatim.
        count: number of bands.
        dtype: the dtype of stored values; of mixed bands one that holds all.
        interleave: ``band``, ``line`` or ``pixel``.

    Raises:
        HyperKDError: ``unreadable_raster``, ``empty_raster`` or ``unsupported_raster``.
    """

    @restricted()
    def __init__(self, path: str) -> None:
        self._dataset, self.path = open_dataset(os.fspath(path))
        with parsing(self.path, "unreadable_raster", DAMAGED):
            self._describe()

    def _describe(self) -> None:
        self._files = stamp([*files_of(self._dataset), *sidecar_files(self.path)])
        names = list(self._files)
        protect(names)
        # Also where opening fails later, or a session drops the raster without closing it.
        self._unprotect = weakref.finalize(self, release, names)
        self.count = int(self._dataset.RasterCount)
        self.grid: GridSpec = read_grid(self._dataset)
        self.dtype = self._common_dtype()
        self._signed = self._signed_bytes()
        block_width, block_height = self._dataset.GetRasterBand(1).GetBlockSize()
        self._blocks = (int(block_height), int(block_width))
        stored = self._dataset.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE") or "BAND"
        self.interleave = str(stored).lower()

    @property
    def block_shape(self) -> tuple[int, int]:
        """``(rows, cols)`` that the file decodes at once."""
        return self._blocks

    @restricted()
    def nodata(self) -> tuple[Optional[float], ...]:
        """Return the nodata value of each band, None where a band declares none."""
        bands = (self._dataset.GetRasterBand(number + 1) for number in range(self.count))
        return tuple(band.GetNoDataValue() for band in bands)

    def read(
        self,
        window: Window,
        bands: Optional[Sequence[int]] = None,
        out: Optional[NDArray[Any]] = None,
    ) -> NDArray[Any]:
        """Return stored values ``(band, row, col)``, C-contiguous, in ``dtype``.

        Args:
            window: a rectangle inside the raster.
            bands: 0-based bands in the order wanted; default: all.
            out: C-contiguous array of the result's shape and dtype to put it into.

        Raises:
            HyperKDError: ``unreadable_raster`` or ``input_changed``.
        """
        self.grid.require_inside(window)
        index = range(self.count) if bands is None else bands
        if not all(0 <= band < self.count for band in index):
            raise ValueError(f"bands {list(index)} of a raster with {self.count} bands")
        return self._read_bands(window, index, out)

    def _read_bands(
        self, window: Window, index: Sequence[int], out: Optional[NDArray[Any]] = None
    ) -> NDArray[Any]:
        shape = (len(index), window.height, window.width)
        pixels = np.empty(shape, self.dtype) if out is None else out
        if pixels.shape != shape or pixels.dtype != self.dtype or not pixels.flags.c_contiguous:
            # GDAL checks the number of bytes alone.
            raise ValueError(f"out is {pixels.dtype} {pixels.shape}, not {self.dtype} {shape}")
        self._fill(window, index, pixels)
        return pixels

    def _fill(self, window: Window, index: Sequence[int], pixels: NDArray[Any]) -> None:
        with self._reading(window):
            done = self._dataset.ReadRaster(
                window.col,
                window.row,
                window.width,
                window.height,
                buf_xsize=window.width,
                buf_ysize=window.height,
                buf_type=GDAL_TYPES.get(self.dtype, gdal.GDT_Byte),  # int8 in an older GDAL
                band_list=[int(band) + 1 for band in index],
                buf_obj=pixels,
            )
            _require_done(done)
        for values, band in zip(pixels, index):
            if band in self._signed:
                values[values > np.iinfo(np.int8).max] -= 256

    def stamp(self) -> list[tuple[str, int, int]]:
        """Return name, size and time of change of each file of the raster, as it was opened."""
        return [(name, *state) for name, state in sorted(self._files.items())]

    def check_unchanged(self) -> None:
        """Raise ``input_changed`` where a file of the raster is not the one that was opened."""
        now = stamp(self._files)
        for name, (size, changed) in self._files.items():
            if now.get(name) != (size, changed):
                became = f"{now[name][0]} now" if name in now else "it is gone"
                raise HyperKDError(
                    "input_changed",
                    f"{name} changed while it was read: {size} bytes when it was opened, {became}.",
                    "Wait until the program that writes it has finished, then try again.",
                    path=name,
                )

    def close(self) -> None:
        """Release the file; closing twice does no harm."""
        self._unprotect()
        self._dataset = None

    def _common_dtype(self) -> np.dtype[Any]:
        found = set()
        for number in range(1, self.count + 1):
            band = self._dataset.GetRasterBand(number)
            dtype = dtype_of(band)
            if dtype is None:
                raise HyperKDError(
                    "unsupported_raster",
                    f"{self.path} holds values of the type {gdal.GetDataTypeName(band.DataType)}.",
                    "HyperKD reads real numbers: integers or floating point.",
                    path=self.path,
                )
            found.add(dtype)
        return np.result_type(*found)

    def _signed_bytes(self) -> frozenset[int]:
        """Return the bands of signed bytes that an older GDAL widens as if they had no sign."""
        if self.dtype == np.int8:
            return frozenset()
        bands = range(self.count)
        return frozenset(n for n in bands if is_signed_byte(self._dataset.GetRasterBand(n + 1)))

    @contextmanager
    def _reading(self, window: Window) -> Iterator[None]:
        """Turn GDAL's complaint about a window into the coded error."""
        if self._dataset is None:
            raise ValueError(f"{self.path} is closed")
        try:
            with restricted():
                yield
        except (RuntimeError, UnicodeDecodeError) as error:
            self.check_unchanged()
            raise HyperKDError(
                "unreadable_raster",
                f"{self.path} cannot be read at column {window.col}, row {window.row} "
                f"({window.width} x {window.height} pixels): {str(error).rstrip('.')}.",
                DAMAGED,
                path=self.path,
                window=[window.col, window.row, window.width, window.height],
            ) from error

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


def _require_done(result: Any) -> None:
    """Fail where GDAL failed without an exception.

    They are process-wide in older versions, and a sink that closes in another
    thread switches them off for a moment.
    """
    if result is None:
        raise RuntimeError(gdal.GetLastErrorMsg())


class GdalRaster(PlainRaster):
    """A hyperspectral raster; see ``source.RasterSource`` and ``open_raster``.

    Args:
        path: a file that GDAL reads.
        given: what the user says instead of the file.
        missing: the rule for the valid mask, which may be changed.

    Attributes:
        bands, items: what is known about every band, and of the whole raster.
        problems: what is odd about the raster.
    """

    @restricted()
    def __init__(self, path: str, given: Given, missing: Missing = "any") -> None:
        check_missing(missing)
        super().__init__(path)
        self.missing = missing
        with parsing(self.path, "unreadable_raster", DAMAGED):
            self._describe_bands(given)

    def _describe_bands(self, given: Given) -> None:
        self._streams: Optional[RowStreams] = None
        self._shares = False  # another one's streams
        first, last = (self._dataset.GetRasterBand(number) for number in (1, self.count))
        # GDAL takes an alpha band for a mask in two types only, so it is read like a band.
        self._has_alpha = self.count > 1 and last.GetColorInterpretation() == gdal.GCI_AlphaBand
        flags = first.GetMaskFlags()
        self._has_mask = flags & gdal.GMF_PER_DATASET and not flags & gdal.GMF_ALPHA
        self.count -= int(self._has_alpha)
        if first.GetColorTable() is not None:
            raise HyperKDError(
                "unsupported_raster",
                f"{self.path} has a colour table: it is a map or a picture, not a spectral image.",
                "Choose the hyperspectral raster itself.",
                path=self.path,
            )
        metadata = read_metadata(self.path, self._dataset, self.count, self.dtype)
        if self._dataset.GetDriver().ShortName == "ENVI":
            metadata = without_misfits(metadata, "ENVI")
        description = describe_bands(metadata, self._beside(), given, self._sample)
        self.bands: BandTable = description.bands
        self.items = general_items(metadata.domains[""])
        self.problems: tuple[Problem, ...] = (
            *geometry_notes(self.grid, metadata.domains),
            *metadata.notes,
            *description.problems,
        )
        self._tiny = description.tiny

    def read_tile(
        self,
        window: Window,
        bands: Optional[Sequence[int]] = None,
        out: Optional[NDArray[Any]] = None,
    ) -> Tile:
        """Return stored values with their mask, grid and bands; see ``source.RasterSource``."""
        data = self.read(window, bands, out)
        table = self.bands if bands is None else self.bands.take(bands)
        valid = valid_mask(data, table, self.missing, self._tiny)
        if self._has_alpha:
            valid &= self._read_bands(window, [self.count])[0] != 0
        if self._has_mask:
            valid &= self._read_mask(window)
        return Tile(data, valid, window, self.grid, table)

    @property
    def block_shape(self) -> tuple[int, int]:
        """``(rows, cols)`` that the file decodes at once."""
        return (1, self._blocks[1]) if self.streamed else self._blocks

    @property
    def streamed(self) -> bool:
        """Whether windows of one column of blocks are cheap from top to bottom only."""
        return self._streams is not None

    @property
    def masked(self) -> bool:
        """Whether a mask or an alpha band tells which pixels carry a spectrum."""
        return bool(self._has_alpha or self._has_mask)

    def stream(self, wanted: bool, verified: bool = False) -> None:
        """Say whether windows will be read from top to bottom; see ``source.RasterSource``."""
        if self._streams is not None and not self._shares:
            self._streams.close()
        self._streams = self._row_streams(verified) if wanted else None

    def close(self) -> None:
        """Release the file; closing twice does no harm."""
        self.stream(False)
        super().close()

    def reopen(self) -> GdalRaster:
        """Return the same raster for another thread; what is known about its bands is kept.

        Both read from the same streams, if any: what one has decoded the other need not.
        """
        self.check_unchanged()
        other = copy.copy(self)
        other._shares = True
        other._dataset, _ = open_dataset(self.path)
        protect(other._files)
        return other

    def _read_mask(self, window: Window) -> BoolArray:
        mask = np.empty((window.height, window.width), np.uint8)
        band = self._dataset.GetRasterBand(1)
        with self._reading(window):
            done = band.GetMaskBand().ReadRaster(
                window.col,
                window.row,
                window.width,
                window.height,
                buf_xsize=window.width,
                buf_ysize=window.height,
                buf_type=gdal.GDT_Byte,
                buf_obj=mask,
            )
            _require_done(done)
        return mask > 0

    def _beside(self) -> tuple[BandSource, ...]:
        """Return what other files say about the bands."""
        driver = self._dataset.GetDriver().ShortName
        if driver == "ENVI":  # GDAL has read its header already
            return ()
        parts = vrt_sources(self.path, self._dataset, self.count) if driver == "VRT" else ()
        return (*parts, *find_sidecars(self.path, self.count))

    def _fill(self, window: Window, index: Sequence[int], pixels: NDArray[Any]) -> None:
        if self._streams is not None:
            with self._reading(window):
                try:
                    self._streams.read(window, index, pixels)
                except (zlib.error, OSError) as error:
                    raise RuntimeError(str(error)) from error
            return
        super()._fill(window, index, pixels)

    def _row_streams(self, verified: bool) -> Optional[RowStreams]:
        """Return streams where they decode less at once than GDAL does."""
        if self.interleave != "pixel" or self._blocks[0] <= _LOW_BLOCK or self._has_alpha:
            return None
        file = read_deflated_tiff(self.path, self.count, self.dtype, self.nodata())
        same = file is not None and (
            (file.block_rows, file.block_cols) == self._blocks
            and (file.width, file.height) == (self.grid.width, self.grid.height)
        )
        return RowStreams(file, verified) if file is not None and same else None

    def _sample(self, nodata: FloatArray) -> Sample:
        self.stream(True)
        try:
            return take_sample(
                *(self.read, self.grid, self._decoded_bytes, nodata, self._blocks),
                from_top=self.streamed,
            )
        finally:
            self.stream(False)

    def _decoded_bytes(self, window: Window) -> int:
        """Return how much the file decodes for a window."""
        rows, cols = self._blocks
        down = ((window.row_end - 1) // rows - window.row // rows + 1) * rows
        if self._streams is not None:
            down = window.row % rows + window.height
        across = (window.col_end - 1) // cols - window.col // cols + 1
        return down * across * cols * self.count * self.dtype.itemsize

    def __enter__(self) -> GdalRaster:
        return self
