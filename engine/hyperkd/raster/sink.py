"""Writing rasters: the contract of a sink, and how to create a GeoTIFF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from hyperkd.raster.source import missing_gdal
from hyperkd.types import BandTable, GridSpec, Window

# The name of a class and its colour as red, green, blue (0 to 255).
ClassEntry = tuple[str, tuple[int, int, int]]


class RasterSink(Protocol):
    """A raster that is written window by window and appears whole at ``commit``.

    A context manager: it commits on success and aborts on any exception. One
    sink belongs to one thread. Windows that cover whole blocks of
    ``block_shape`` are the fastest and give the smallest file.
    """

    @property
    def path(self) -> str:
        """The file that ``commit`` makes."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """``(rows, cols)`` of a block of the file."""

    def write(self, window: Window, data: NDArray[Any]) -> None:
        """Write stored values ``(band, row, col)`` in the sink's dtype.

        Raises:
            HyperKDError: ``out_of_disk`` or ``unwritable_output``.
        """

    def commit(self) -> None:
        """Finish the file and give it its name; an older file is replaced in one step.

        Raises:
            HyperKDError: ``out_of_disk`` or ``unwritable_output``.
        """

    def abort(self) -> None:
        """Remove what was written; an older file stays as it was."""

    def __enter__(self) -> RasterSink:
        """Return the sink itself."""

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Commit, or abort where there is an exception."""


def create_raster(
    path: str,
    grid: GridSpec,
    count: int,
    dtype: Any,
    *,
    nodata: Optional[float] = None,
    bands: Optional[BandTable] = None,
    names: Optional[Sequence[str]] = None,
    units: Optional[Sequence[str]] = None,
    classes: Optional[Sequence[ClassEntry]] = None,
    metadata: Optional[Mapping[str, str]] = None,
) -> RasterSink:
    """Create a GeoTIFF: tiled, band interleaved, deflate, BigTIFF where it must be.

    Args:
        path: the file to write; an older one is replaced at commit.
        grid: size and geometry, copied verbatim.
        count: number of bands.
        dtype: stored dtype, for instance ``np.float32``.
        nodata: the nodata value of every band, which ``dtype`` must be able to hold.
        bands: a table of ``count`` bands whose wavelengths, FWHM, bad bands, scale,
            offset and names are written to each band.
        names: band descriptions; they win over those of ``bands``.
        units: the unit of each band, for instance ``"degrees"``.
        classes: of a class map (one band of uint8): name and colour of the values
            1, 2, ...; the value 0 is "no data" and transparent.
        metadata: items of the dataset.

    Raises:
        HyperKDError: ``unwritable_output``, ``out_of_disk`` or ``missing_dependency``.
    """
    try:
        from hyperkd.raster._gdal_write import GeoTiffSink
    except ImportError as error:
        raise missing_gdal(error) from error
    return GeoTiffSink(
        path,
        grid,
        count,
        np.dtype(dtype),
        nodata=nodata,
        bands=bands,
        names=names,
        units=units,
        classes=classes,
        metadata=metadata or {},
    )
