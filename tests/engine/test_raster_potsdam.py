"""The 13 EnMAP tiles, held against what osgeo reads from them without our code."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.raster.source import open_raster
from hyperkd.types import Window
from tests.potsdam import NAMES, Potsdam, pixels

BAD_BANDS = [129, 130, 131, 132, 133, 134]


@pytest.fixture(params=NAMES)
def tile_path(request: pytest.FixtureRequest, potsdam: Potsdam) -> str:
    return str(potsdam.folder / "images" / request.param)


def test_band_table_equals_the_file(tile_path: str) -> None:
    dataset = gdal.Open(tile_path)
    items = [dataset.GetRasterBand(n).GetMetadata() for n in range(1, 225)]
    with open_raster(tile_path) as source:
        bands = source.bands
    assert bands.wavelengths.centre_nm.tolist() == [float(i["wavelength"]) for i in items]
    assert bands.wavelengths.fwhm_nm is not None
    assert bands.wavelengths.fwhm_nm.tolist() == [float(i["fwhm"]) for i in items]
    assert bands.good.tolist() == [i["bbl"] == "1" for i in items]
    assert np.flatnonzero(~bands.good).tolist() == BAD_BANDS
    assert bands.wavelengths.centre_nm[[0, 90, 91, 223]].tolist() == [
        *(418.24, 993.083, 902.257, 2445.53)
    ]
    assert set(bands.scale) == {1e-4}
    assert set(bands.offset) == {0.0}
    assert set(bands.nodata) == {-32768.0}
    assert bands.names[0] == "band 1 (418.24 Nanometers)"
    assert bands.origins == {
        "wavelength": "band metadata 'wavelength'",
        "units": "band metadata 'wavelength_units' (nanometres)",
        "fwhm": "band metadata 'fwhm'",
        "good": "band metadata 'bbl'",
        "scale": "band scale and offset",
        "nodata": "band nodata",
    }


def test_values_mask_and_grid_equal_the_file(tile_path: str) -> None:
    dataset = gdal.Open(tile_path)
    raw = pixels(tile_path)
    with open_raster(tile_path) as source:
        tile = source.read_tile(source.grid.window)
        part = source.read(Window(3, 30, 29, 2), [223, 0, 130])
        assert source.grid.geotransform == dataset.GetGeoTransform()
        assert dataset.GetSpatialRef().IsSame(_reference(source.grid.crs_wkt))
        assert (source.dtype, source.block_shape, source.interleave) == (
            np.dtype("float32"),
            (32, 32),
            "band",
        )
    np.testing.assert_array_equal(tile.data, raw)
    np.testing.assert_array_equal(part, raw[[223, 0, 130], 30:32, 3:32])
    good = np.delete(raw, BAD_BANDS, axis=0)
    np.testing.assert_array_equal(tile.valid, (good != -32768).all(axis=0))
    assert tile.valid.all(), "all tiles lie inside the scene"


def test_the_order_of_detectors_is_no_problem(tile_path: str) -> None:
    with open_raster(tile_path) as source:
        assert source.problems == ()


def _reference(wkt: str):
    from osgeo import osr

    reference = osr.SpatialReference()
    reference.ImportFromWkt(wkt)
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return reference
