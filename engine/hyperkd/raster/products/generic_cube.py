"""An HDF5 or netCDF file whose wavelengths are an array of its own, AVIRIS-3 and -5 for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.raster.bands.band_table import BandMetadata, RasterMetadata
from hyperkd.raster.bands.describe import describe_bands
from hyperkd.raster.bands.sampling import Sample, take_sample
from hyperkd.raster.grid import geometry_notes
from hyperkd.raster.masks import valid_mask
from hyperkd.raster.products.array_cube import ArrayCube
from hyperkd.raster.products.array_product import contradiction
from hyperkd.raster.products.cube_layout import band_source, find_cube, find_grid
from hyperkd.types import FloatArray, Tile, Window

# Attributes that say what the values are.
_SAYINGS: Final = (
    *("title", "summary", "description", "long_name", "standard_name", "product_type"),
    "processing_level",
)


class GenericCube(ArrayCube):
    """A spectral image found by its wavelengths; its scale and nodata as for any raster.

    Args:
        path: the file.
        given: what the user says instead of the file.

    Raises:
        HyperKDError: as ``find_cube``, ``find_grid`` and ``describe_bands``.
    """

    kind: ClassVar[str] = "netCDF or HDF5"

    def _describe(self, path: Path) -> None:
        layout = find_cube(self._file, path)
        dtype = None if layout is None else self._file.dtype(layout.array)
        if layout is None or dtype is None:
            raise contradiction(path, "it holds no spectral image")
        self.array, self.axes = layout.array, layout.axes
        count = self._file.shape(self.array)[self.axes[0]]
        self.dtype = dtype
        self.grid = find_grid(self._file, layout, path)
        self.block_shape = self._blocks()
        scale, offset = self._file.scaling(self.array)
        nodata = self._file.nodata(self.array)
        band = BandMetadata(
            unit=self._file.unit(self.array),
            scale=scale,
            offset=offset,
            nodata=None if np.isnan(nodata) else nodata,
        )
        self._every = np.arange(count, dtype=np.intp)
        description = describe_bands(
            RasterMetadata(self.path, dtype, (band,) * count, {"": self._texts()}),
            (band_source(self._file, layout),),
            self._given,
            self._sample,
        )
        told = f"array {self.array} with the wavelengths of {layout.wavelengths}"
        self.bands = replace(
            description.bands, origins={**description.bands.origins, "product": told}
        )
        self._tiny = description.tiny
        self.problems = (*geometry_notes(self.grid, ()), *description.problems)

    def _texts(self) -> dict[str, str]:
        """Return what the file and the array say of themselves."""
        said = {**self._file.attributes(), **self._file.attributes(self.array)}
        return {key: said[key] for key in _SAYINGS if isinstance(said.get(key), str)}

    def _sample(self, nodata: FloatArray) -> Sample:
        def decoded(window: Window) -> int:
            return self._every.size * self.dtype.itemsize * window.width * window.height

        return take_sample(
            lambda window: self._read_bands(window, self._every),
            *(self.grid, decoded, nodata, self.block_shape),
        )

    def read_tile(
        self,
        window: Window,
        bands: Optional[Sequence[int]] = None,
        out: Optional[NDArray[Any]] = None,
    ) -> Tile:
        """Return a window with its mask of pixels that carry a spectrum; ``out`` is left alone."""
        tile = super().read_tile(window, bands, out)
        valid = valid_mask(tile.data, tile.bands, tiny=self._tiny)
        return replace(tile, valid=valid)
