"""Writing rasters: the contract of a sink, and how to create a GeoTIFF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Optional, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.raster.source import missing_gdal
from hyperkd.types import BandTable, GridSpec, Window

# How an output is laid out: "geotiff", or "cog" for a cloud optimised one.
Layout = str
LAYOUTS = ("geotiff", "cog")


class ClassEntry(NamedTuple):
    """A class of a map: its name, its colour, and what the user's labels called it.

    Attributes:
        name: shown in the legend.
        colour: red, green, blue, 0 to 255.
        label: the value in the labels, or None where there were none.
    """

    name: str
    colour: tuple[int, int, int]
    label: Union[int, str, None] = None


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

    def finish(self) -> None:
        """Complete the file under its temporary name; nothing can be written any more.

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
    scale: Optional[float] = None,
    bands: Optional[BandTable] = None,
    names: Optional[Sequence[str]] = None,
    units: Optional[Sequence[str]] = None,
    classes: Optional[Sequence[ClassEntry]] = None,
    metadata: Optional[Mapping[str, str]] = None,
    block_rows: int = 256,
    half: bool = False,
    layout: Layout = "geotiff",
) -> RasterSink:
    """Create a GeoTIFF: tiled, band interleaved, deflate, BigTIFF where it must be.

    Args:
        path: the file to write; an older one is replaced at commit.
        grid: size and geometry, copied verbatim.
        count: number of bands.
        dtype: stored dtype, for instance ``np.float32``.
        nodata: the nodata value of every band, which ``dtype`` must be able to hold.
        scale: what a stored value is worth, the same for every band.
        bands: a table of ``count`` bands whose wavelengths, FWHM, bad bands, scale,
            offset and names are written to each band.
        names: band descriptions; they win over those of ``bands``.
        units: the unit of each band, for instance ``"degrees"``.
        classes: of a class map (one band of uint8), the values 1, 2, ...: written as
            names, colours and a raster attribute table; the value 0 is "no data" and
            transparent.
        metadata: items of the dataset.
        block_rows: height of a tile of the file, a multiple of 16.
        half: whether float32 is stored in 16 bits: rounded to 3 digits, clipped to 65504.
        layout: ``geotiff``, or ``cog`` for a cloud optimised GeoTIFF, which has overviews
            and is made from the whole file at the end.

    Raises:
        HyperKDError: ``unwritable_output``, ``out_of_disk`` or ``missing_dependency``.
    """
    try:
        from hyperkd.raster.gdal.geotiff import GeoTiffSink
    except ImportError as error:
        raise missing_gdal(error) from error
    return GeoTiffSink(
        path,
        grid,
        count,
        np.dtype(dtype),
        nodata=nodata,
        scale=scale,
        bands=bands,
        names=names,
        units=units,
        classes=classes,
        metadata=metadata or {},
        block_rows=block_rows,
        half=half,
        layout=layout,
    )
