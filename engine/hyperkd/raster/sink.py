"""Writing rasters: the contract of a sink, and what a class of a map is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Optional, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.raster.masks import representable
from hyperkd.types import BandTable, GridSpec, Window

# How an output is laid out: "geotiff", or "cog" for a cloud optimised one.
Layout = str
LAYOUTS = ("geotiff", "cog")


class ClassEntry(NamedTuple):
    """A class of a map: its name, its colour, and what the user's labels called it.

    Attributes:
        colour: red, green, blue, 0 to 255.
        label: the value in the labels, or None where there were none.
    """

    name: str
    colour: tuple[int, int, int]
    label: Union[int, str, None] = None


@dataclass(frozen=True, eq=False)
class RasterSpec:
    """A GeoTIFF that is to be written: tiled, band interleaved, deflate, BigTIFF where needed.

    Attributes:
        grid: size and geometry, copied verbatim.
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
        ValueError: where the parts contradict each other.
    """

    grid: GridSpec
    count: int
    dtype: Any
    nodata: Optional[float] = None
    scale: Optional[float] = None
    bands: Optional[BandTable] = None
    names: Optional[Sequence[str]] = None
    units: Optional[Sequence[str]] = None
    classes: Optional[Sequence[ClassEntry]] = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    block_rows: int = 256
    half: bool = False
    layout: Layout = "geotiff"

    def __post_init__(self) -> None:
        dtype, count = np.dtype(self.dtype), self.count
        object.__setattr__(self, "dtype", dtype)
        if self.nodata is not None and not representable(self.nodata, dtype):
            raise ValueError(f"nodata {self.nodata!r} cannot be stored as {dtype}")
        classes = self.classes
        if classes is not None and (dtype != np.uint8 or count != 1 or len(classes) > 255):
            raise ValueError(f"{len(classes)} classes in {count} bands of {dtype}")
        lists = {"band table": self.bands, "list of names": self.names, "list of units": self.units}
        for what, given in lists.items():
            if given is not None and len(given) != count:
                raise ValueError(f"a {what} of {len(given)} for {count} bands")
        if self.block_rows < 16 or self.block_rows % 16:
            raise ValueError(f"blocks of {self.block_rows} rows, TIFF demands a multiple of 16")
        if self.half and dtype != np.float32:
            raise ValueError(f"{dtype} cannot be stored as 16 bit floating point")
        if self.layout not in LAYOUTS:
            raise ValueError(f"the layout {self.layout!r} is none of {', '.join(LAYOUTS)}")

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of all bands."""
        return self.grid.width * self.count * int(self.dtype.itemsize)


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
