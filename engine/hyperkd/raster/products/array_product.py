"""Products that are named arrays in an HDF5 or netCDF file, read along their own axes.

They are presented as rasters of (band, row, col) on the product's own grid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.output_checks import protect, release
from hyperkd.problems import Problem
from hyperkd.raster.bands.describe import Given
from hyperkd.raster.gdal.multidim import ArrayFile
from hyperkd.raster.gdal.opening import stamp
from hyperkd.raster.masks import valid_mask
from hyperkd.raster.parsing import parsing
from hyperkd.raster.products.quality_masks import PixelTest
from hyperkd.types import BandTable, GridSpec, Tile, Window

NOTHING_GIVEN = Given()
AGAIN = "Download the product again; HyperKD does not read a converted one."


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
    items: ClassVar[Mapping[str, str]] = {}
    kind: ClassVar[str] = ""

    def __init__(self, path: Path, given: Given = NOTHING_GIVEN) -> None:
        self.path = str(path)
        self._given = given
        self._file = ArrayFile(self.path)
        self._files = stamp([self.path])
        protect([self.path])
        self._open = True
        try:
            with parsing(self.path, "bad_product", AGAIN):
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

    def masks(self) -> Mapping[str, PixelTest]:
        """Return what tells pixels to leave out, by the name of the mask that wants it."""
        return {}

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
        """Return name, size and time of change of the files, as they were opened."""
        return [(name, *state) for name, state in self._files.items()]

    def check_unchanged(self) -> None:
        """Raise ``input_changed`` where the file is not the one that was opened."""
        if stamp(self._files) != self._files:
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


def contradiction(path: Path, what: str) -> HyperKDError:
    """Return the refusal of a file whose parts do not fit each other."""
    return HyperKDError("bad_product", f"{path.name} contradicts itself: {what}.", AGAIN)


def numbers(attributes: Mapping[str, Any], name: str, path: Path) -> tuple[float, ...]:
    """Return an attribute as numbers.

    Raises:
        HyperKDError: ``bad_product`` where it is missing or empty.
        ValueError: where it holds no numbers.
    """
    value = attributes.get(name)
    if value is None:
        raise HyperKDError(
            "bad_product",
            f"{path.name} has no attribute {name}.",
            "The file does not follow the product's documentation; was it cut or converted?",
        )
    items = value if isinstance(value, (tuple, list)) else (value,)
    if not items:
        raise contradiction(path, f"the attribute {name} is empty")
    return tuple(float(item) for item in items)
