"""EMIT L2A surface reflectance, with its mask product where that lies beside.

Structure: EMIT L2A user guide (NASA JPL) and public readers; see docs/products.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.gdal.multidim import ArrayFile, crs_wkt
from hyperkd.raster.gdal.opening import stamp
from hyperkd.raster.products.array_product import ArrayProduct, contradiction, numbers
from hyperkd.raster.products.quality_masks import PixelTest
from hyperkd.types import BandTable, BoolArray, GridSpec, Wavelengths, Window

_NODATA = -9999.0
# A window of the map grid touches a slanted strip of the swath. Columns are
# gathered in chunks so that the strip's bounding box stays small in memory.
_CHUNK_PX = 256
_GRANULE = re.compile(r"^(?P<head>EMIT_L2A_)RFL_(?P<version>\d+)_(?P<rest>.+\.nc)$", re.IGNORECASE)
_MASKS: Final = "/sensor_band_parameters/mask_bands"
# The names in mask_bands, whose order differs between versions, in lower case.
FLAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "cloud": ("cloud flag", "spectf-cloud flag"),
    "cirrus": ("cirrus flag",),
    "water": ("water flag",),
    "spacecraft": ("spacecraft flag",),
    "cloud_buffer": ("dilated cloud flag",),
    "aggregate": ("aggregate flag",),
}


def is_emit(file: ArrayFile) -> bool:
    """Return whether a file holds EMIT's reflectance cube and its geolocation table."""
    return file.has("/reflectance") and file.has("/location/glt_x")


class EmitL2A(ArrayProduct):
    """EMIT L2A surface reflectance (netCDF) on the map grid of its geolocation table.

    ``location/glt_x`` and ``glt_y`` name, for each map pixel, the 1-based column
    and row of the swath, 0 where there is none: values are taken, not interpolated.

    Args:
        path: the .nc file.

    Raises:
        HyperKDError: ``bad_product`` where arrays or attributes are missing.
    """

    kind: ClassVar[str] = "EMIT L2A"

    def _describe(self, path: Path) -> None:
        attributes = self._file.attributes()
        transform = numbers(attributes, "geotransform", path)
        if len(transform) != 6 or not np.isfinite(transform).all():
            raise contradiction(
                path, f"it has a geotransform of {len(transform)} numbers: {transform[:6]}"
            )
        self._glt_x = self._file.read("/location/glt_x").astype(np.int64) - 1
        self._glt_y = self._file.read("/location/glt_y").astype(np.int64) - 1
        cube = self._file.shape("/reflectance")
        if len(cube) != 3 or self._glt_x.ndim != 2 or self._glt_x.shape != self._glt_y.shape:
            raise contradiction(
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
        self.bands = self._table(path, count)
        self.dtype = np.dtype(np.float32)
        self.block_shape = (_CHUNK_PX, _CHUNK_PX)
        self._mask_path = _mask_beside(path)
        if self._mask_path is None:
            self.problems = (
                Problem(
                    "clouds_in_data",
                    "Clouds are in the data: no EMIT_L2A_MASK file of the scene lies beside it.",
                    "Download that file, lay it beside the scene, and import with --mask cloud.",
                ),
            )

    def _table(self, path: Path, count: int) -> BandTable:
        parameters = "/sensor_band_parameters/"
        for name in ("wavelengths", "fwhm", "good_wavelengths"):
            if self._file.shape(parameters + name) != (count,):
                raise contradiction(
                    path,
                    f"{name} has the shape {self._file.shape(parameters + name)} for {count} bands",
                )
        return BandTable(
            Wavelengths(
                self._file.read(parameters + "wavelengths").astype(np.float64),
                self._file.read(parameters + "fwhm").astype(np.float64),
            ),
            good=self._file.read(parameters + "good_wavelengths") > 0,
            scale=np.ones(count),
            offset=np.zeros(count),
            nodata=np.full(count, _NODATA),
            names=tuple(f"EMIT band {band + 1}" for band in range(count)),
            origins={
                "wavelength": "sensor_band_parameters/wavelengths",
                "units": "the EMIT convention (nm)",
                "fwhm": "sensor_band_parameters/fwhm",
                "good": "sensor_band_parameters/good_wavelengths",
                "scale": "the EMIT convention (reflectance)",
                "nodata": "the EMIT convention",
                "product": "arrays reflectance, location/glt_x and sensor_band_parameters of EMIT",
            },
        )

    def masks(self) -> Mapping[str, PixelTest]:
        """Return the flags of the mask file that lies beside; see ``FLAGS``.

        Raises:
            HyperKDError: ``bad_product`` where that file is another scene's or lacks its names.
        """
        if self._mask_path is None:
            return {}
        file = ArrayFile(str(self._mask_path))
        self._files.update(stamp([str(self._mask_path)]))
        names = [" ".join(text.lower().split()) for text in file.texts(_MASKS)]
        shape = file.shape("/mask")
        if shape != (*self._file.shape("/reflectance")[:2], len(names)):
            raise contradiction(
                self._mask_path,
                f"mask has the shape {shape} for {len(names)} mask_bands, the reflectance "
                f"{self._file.shape('/reflectance')}",
            )
        layers = {
            mask: [number for number, name in enumerate(names) if name in flags]
            for mask, flags in FLAGS.items()
        }
        return {mask: self._flagged(file, found) for mask, found in layers.items() if found}

    def _flagged(self, file: ArrayFile, layers: list[int]) -> PixelTest:
        def test(window: Window) -> BoolArray:
            flags = np.zeros((len(layers), window.height, window.width), np.float32)
            self._gather_all(file, "/mask", window, np.asarray(layers), flags)
            return np.asarray((flags > 0).any(axis=0))

        return test

    def read(self, window: Window, bands: Optional[Sequence[int]] = None) -> NDArray[Any]:
        """Return reflectance as float32 ``(band, row, col)``, -9999 outside the swath."""
        index = np.arange(len(self.bands)) if bands is None else np.asarray(bands, np.intp)
        data = np.full((index.size, window.height, window.width), _NODATA, np.float32)
        self._gather_all(self._file, "/reflectance", window, index, data)
        return data

    def _gather_all(
        self,
        file: ArrayFile,
        name: str,
        window: Window,
        index: NDArray[np.intp],
        target: NDArray[Any],
    ) -> None:
        """Put the layers ``index`` of a swath into the map pixels that the table names."""
        for row in range(0, window.height, _CHUNK_PX):
            for col in range(0, window.width, _CHUNK_PX):
                part = Window(
                    window.col + col,
                    window.row + row,
                    min(_CHUNK_PX, window.width - col),
                    min(_CHUNK_PX, window.height - row),
                )
                rows, cols = part.slices(inside=window)
                self._gather(file, name, part, index, target[:, rows, cols])

    def _gather(
        self,
        file: ArrayFile,
        name: str,
        part: Window,
        index: NDArray[np.intp],
        target: NDArray[Any],
    ) -> None:
        slices = part.slices()
        x, y = self._glt_x[slices], self._glt_y[slices]
        known = (x >= 0) & (y >= 0)
        if not known.any():
            return
        x, y = x[known], y[known]
        first = (int(y.min()), int(x.min()))
        size = (int(y.max()) - first[0] + 1, int(x.max()) - first[1] + 1)
        swath = file.read(name, (*first, 0), (*size, file.shape(name)[2]))
        spectra = swath[y - first[0], x - first[1]][:, index]  # (pixels, bands)
        target[:, known] = spectra.T


def _mask_beside(path: Path) -> Optional[Path]:
    """Return the mask file of the same scene: of the same version, else of the highest one."""
    found = _GRANULE.match(path.name)
    if found is None:
        return None
    head, version, rest = found.group("head", "version", "rest")
    wanted = re.compile(rf"^{head}MASK_(?P<version>\d+)_{re.escape(rest)}$", re.IGNORECASE)
    masks = {m.group("version"): i for i in path.parent.iterdir() if (m := wanted.match(i.name))}
    return masks.get(version) or (masks[max(masks)] if masks else None)
