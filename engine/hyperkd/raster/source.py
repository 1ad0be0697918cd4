"""Reading rasters: the contract of a source, a source in memory, and how to open a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.describe import Given
from hyperkd.raster.masks import Missing as Missing
from hyperkd.raster.masks import valid_mask as valid_mask
from hyperkd.types import BandTable, GridSpec, Tile, Window


class RasterSource(Protocol):
    """A hyperspectral raster that is read window by window.

    One source belongs to one thread; open the file again for another thread.
    After ``close`` nothing may be read any more.
    """

    @property
    def path(self) -> str:
        """The file, as the user named it."""

    @property
    def grid(self) -> GridSpec:
        """Size and geometry."""

    @property
    def bands(self) -> BandTable:
        """What is known about every band of the file."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of stored values."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """``(rows, cols)`` of a block: the least the file decodes at once."""

    @property
    def interleave(self) -> str:
        """``band``, ``line`` or ``pixel``: how the file stores its bands."""

    @property
    def streamed(self) -> bool:
        """Whether windows of one column of blocks are cheap from top to bottom only."""

    @property
    def masked(self) -> bool:
        """Whether more than the values of its bands tells which pixels carry a spectrum."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is odd about the raster though it can be used, one sentence each."""

    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return stored values ``(band, row, col)``, C-contiguous, in ``dtype``.

        Args:
            window: a rectangle inside the raster.
            bands: 0-based bands in the order wanted; default: all.

        Raises:
            HyperKDError: ``unreadable_raster`` where the file breaks off or is
                damaged, ``input_changed`` where it changed since it was opened.
        """

    def read_tile(
        self,
        window: Window,
        bands: Optional[Sequence[int]] = None,
        out: Optional[NDArray[Any]] = None,
    ) -> Tile:
        """Return stored values with their mask, grid and bands; see ``read``.

        Args:
            window, bands: see ``read``.
            out: a C-contiguous array of the tile's shape and dtype that the data may be
                put into; new memory costs more than filling it.
        """

    def stream(self, wanted: bool, verified: bool = False) -> None:
        """Say whether windows will be read from top to bottom, each once.

        Where that lets the file decode less than its blocks at once, ``block_shape`` gets
        lower and ``streamed`` true. A damaged block may then be noticed at its end only,
        after its rows were read; ``verified`` decodes each block twice, so that none of a
        damaged one is.
        """

    def reopen(self) -> Optional[RasterSource]:
        """Return the same raster for another thread, or None where one thread must do.

        What was found out about the bands is taken over, so that it costs little.
        """

    def stamp(self) -> list[tuple[str, int, int]]:
        """Return name, size and time of change of each file of the raster, as it was opened."""

    def check_unchanged(self) -> None:
        """Raise ``input_changed`` where the file is not the one that was opened."""

    def close(self) -> None:
        """Release the file; closing twice does no harm."""

    def __enter__(self) -> RasterSource:
        """Return the source itself."""

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Close the source."""


def open_raster(
    path: str,
    *,
    bands: Union[BandTable, str, None] = None,
    scale: Optional[float] = None,
    offset: Optional[float] = None,
    nodata: Optional[float] = None,
    missing: Missing = "any",
) -> RasterSource:
    """Open a hyperspectral raster and find out all about its bands.

    Args:
        path: a file that GDAL reads, or a delivered product (see ``raster.products``).
        bands: what to believe instead of the file: a table (for instance a sensor's)
            or the path of a CSV file with one row per band. Of a table, scale,
            offset and nodata count only where its ``origins`` name them.
        scale: reflectance per stored unit, instead of what the file says.
        offset: reflectance of the stored value 0, instead of what the file says.
        nodata: stored value without meaning, instead of what the file says.
        missing: the rule for the valid mask, see ``masks.valid_mask``.

    Raises:
        HyperKDError: ``missing_dependency``, ``unreadable_raster``,
            ``empty_raster``, ``unsupported_raster``, ``no_wavelengths``,
            ``bad_wavelengths``, ``bad_units``, ``bad_scale``, ``band_mismatch``
            or ``no_valid_pixels``; ``bad_product``, and ``bad_job`` where a scale or
            nodata value is given for a delivered product; see docs/rasters.md.
    """
    try:
        # Products open their images by this very function, so they are imported here.
        from hyperkd.raster.products import is_product, open_product

        if bands is None and is_product(Path(path)):
            if any(value is not None for value in (scale, offset, nodata)):
                raise HyperKDError(
                    "bad_job",
                    f"{path} is a delivered product with its own scale and nodata value; they "
                    "cannot be replaced.",
                    "Leave them out, or import the product into a GeoTIFF first.",
                )
            return open_product(Path(path)).source
        from hyperkd.raster.gdal.reader import GdalRaster
    except ImportError as error:
        raise missing_gdal(error) from error
    return GdalRaster(path, Given(bands, scale, offset, nodata), missing)


def missing_gdal(error: ImportError) -> HyperKDError:
    """Return the coded error for an interpreter without GDAL's Python bindings."""
    return HyperKDError(
        "missing_dependency",
        f"This Python has no GDAL bindings ({error}).",
        "Use the Python that QGIS uses, or install the package python3-gdal (conda: gdal) for it.",
        module="osgeo",
    )


def limit_block_cache(size: int) -> None:
    """Let GDAL keep at most ``size`` bytes of decoded blocks, in this process.

    Its default is a share of the machine's memory, which whoever reads every block
    once fills for nothing.

    Raises:
        HyperKDError: ``missing_dependency`` where there is no GDAL.
    """
    try:
        from hyperkd.raster.gdal.opening import set_cache
    except ImportError as error:
        raise missing_gdal(error) from error
    set_cache(size)


# Full-width windows of this size keep reading and writing in large pieces.
_STRIPE_BYTES = 128 * 2**20


@contextmanager
def reading_restored(source: RasterSource) -> Iterator[None]:
    """Leave a raster with the way of reading it had, see ``stream``: it is the caller's."""
    streamed = source.streamed
    try:
        yield
    finally:
        source.stream(streamed)


def iterate_stripes(source: RasterSource) -> Iterator[Window]:
    """Yield full-width windows from top to bottom, of whole blocks and about 128 MiB each."""
    with reading_restored(source):
        source.stream(True)
        grid, block_rows = source.grid, source.block_shape[0]
        row_bytes = grid.width * len(source.bands) * source.dtype.itemsize
        rows = max(1, _STRIPE_BYTES // row_bytes // block_rows) * block_rows
        for row in range(0, grid.height, rows):
            yield Window(0, row, grid.width, min(rows, grid.height - row))


class FakeRaster:
    """A raster in memory, for tests and for arrays that are already there.

    Args:
        data: ``(band, row, col)`` stored values.
        bands: their band table.
        grid: geometry; default: none but the size.
        block_shape: ``(rows, cols)`` that the raster claims to decode at once.
        interleave: ``band``, ``line`` or ``pixel``.
        problems: what the raster claims to be odd about itself.
        missing: the rule for the valid mask, see ``masks.valid_mask``.

    Attributes:
        windows: every window read so far, in order.
    """

    def __init__(
        self,
        data: NDArray[Any],
        bands: BandTable,
        grid: Optional[GridSpec] = None,
        *,
        block_shape: tuple[int, int] = (256, 256),
        interleave: str = "band",
        problems: Sequence[str] = (),
        missing: Missing = "any",
        path: str = "memory",
    ) -> None:
        if data.ndim != 3 or data.shape[0] != len(bands):
            raise ValueError(f"data has shape {data.shape}, the table {len(bands)} bands")
        self.path = path
        self.grid = grid or GridSpec(width=data.shape[2], height=data.shape[1])
        if data.shape[1:] != (self.grid.height, self.grid.width):
            raise ValueError(f"data has shape {data.shape}, the grid {self.grid}")
        self.bands = bands
        self.dtype = data.dtype
        self.block_shape = block_shape
        self.interleave = interleave
        self.streamed = self.masked = False
        self.problems = tuple(problems)
        self.windows: list[Window] = []
        self._data = data
        self._missing = missing

    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return a copy of stored values ``(band, row, col)``."""
        require_inside(window, self.grid)
        self.windows.append(window)
        rows, cols = window.slices()
        index = slice(None) if bands is None else list(bands)
        return np.array(self._data[index, rows, cols], order="C")

    def read_tile(
        self,
        window: Window,
        bands: Optional[Sequence[int]] = None,
        out: Optional[NDArray[Any]] = None,
    ) -> Tile:
        """Return stored values with their mask, grid and bands."""
        data = self.read(window, bands)
        if out is not None:
            np.copyto(out, data)
            data = out
        table = self.bands if bands is None else self.bands.take(bands)
        return Tile(data, valid_mask(data, table, self._missing), window, self.grid, table)

    def stream(self, wanted: bool, verified: bool = False) -> None:
        """Do nothing: an array is not decoded."""

    def reopen(self) -> FakeRaster:
        """Return the raster itself: an array may be read by several threads."""
        return self

    def stamp(self) -> list[tuple[str, int, int]]:
        """Return nothing: there is no file."""
        return []

    def check_unchanged(self) -> None:
        """Do nothing: memory is the caller's."""

    def close(self) -> None:
        """Do nothing: there is no file."""

    def __enter__(self) -> FakeRaster:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


def require_inside(window: Window, grid: GridSpec) -> None:
    """Raise ``ValueError`` where a window reaches outside the raster."""
    if not grid.window.contains(window):
        raise ValueError(f"{window} reaches outside the raster of {grid.width} x {grid.height}")
