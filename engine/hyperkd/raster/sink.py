"""Writing rasters: the contract of a sink, and what a class of a map is called."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple, Optional, Protocol, Union

from numpy.typing import NDArray

from hyperkd.types import Window

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
