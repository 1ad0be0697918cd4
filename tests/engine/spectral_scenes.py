"""Rasters of EnMAP's good bands for the networks of single spectra, and their maps read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from hyperkd.models.spectral_density import SpectralDensity
from hyperkd.spectral.sensors import sensor_bands
from tests.factories import make_raster

_TABLE = sensor_bands("enmap")
GOOD = np.flatnonzero(_TABLE.good)
CENTRE_NM = _TABLE.wavelengths.centre_nm[GOOD]
SIDE = 16


def stored_values() -> NDArray[np.int16]:
    """Return ``(bands, 16, 16)`` reflectance times 10000, any, with one pixel of no data."""
    generator = np.random.default_rng(2)
    values = generator.uniform(200, 5000, (GOOD.size, SIDE, SIDE)).astype(np.int16)
    values[:, 3, 4] = -32768
    return values


def scene(path: Path, keep: NDArray[np.intp]) -> str:
    """Write those pixels in some of the bands."""
    fwhm = _TABLE.wavelengths.fwhm_nm
    assert fwhm is not None
    made = make_raster(
        path,
        stored_values()[keep],
        wavelengths=CENTRE_NM[keep].tolist(),
        fwhm=fwhm[GOOD][keep].tolist(),
    )
    return str(made)


def read(path: Path) -> NDArray[Any]:
    """Return ``(band, row, col)`` of a file."""
    dataset = gdal.Open(str(path))
    kind = {gdal.GDT_Byte: np.uint8, gdal.GDT_Float32: np.float32}
    shape = (dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize)
    dtype = kind[dataset.GetRasterBand(1).DataType]
    return np.frombuffer(dataset.ReadRaster(), dtype).reshape(shape)


def some_density(generator: np.random.Generator, bands: int = GOOD.size) -> SpectralDensity:
    """Return a density of three distributions along four directions."""
    whitening = np.tril(generator.normal(size=(3, 4, 4))) + 2 * np.eye(4)
    return SpectralDensity(
        generator.normal(size=(4, bands)) / bands,
        0.02,
        generator.normal(size=3),
        generator.normal(size=(3, 4)),
        whitening,
        -8.0,
        5.0,
        (0.0, 0.6),
    )
