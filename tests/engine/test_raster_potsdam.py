"""The 13 EnMAP tiles, held against what osgeo reads from them without our code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from osgeo import gdal, ogr

from hyperkd.raster.open_raster import open_raster
from hyperkd.types import Window
from tests.potsdam import NAMES, Potsdam, band_rows, pixels

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


# --- the structure, which the simulated tiles have from the real ones -------------------------


@pytest.fixture
def no_sidecars() -> Iterator[None]:
    """Read files without what other programs wrote beside them, such as statistics."""
    before = gdal.GetConfigOption("GDAL_PAM_ENABLED")
    gdal.SetConfigOption("GDAL_PAM_ENABLED", "NO")
    yield
    gdal.SetConfigOption("GDAL_PAM_ENABLED", before)


def test_the_structure_of_the_tiles(potsdam: Potsdam, no_sidecars: None) -> None:
    """Everything but the pixels: what a factory writes and a satellite's tiles have alike."""
    assert [path.name for path in potsdam.images] == list(NAMES)
    assert [path.name for path in potsdam.labels] == list(NAMES)
    for path in potsdam.images:
        dataset = gdal.Open(str(path))
        col, row = (int(number) for number in path.stem.split("_")[-2:])
        assert dataset.GetGeoTransform() == (366015 + 30 * (col - 128), 30, 0, 5809965 - 30 * row,
                                             0, -30)  # fmt: skip
        assert dataset.GetSpatialRef().GetAuthorityCode(None) == "32633"
        assert (dataset.RasterXSize, dataset.RasterYSize, dataset.RasterCount) == (32, 32, 224)
        assert dataset.GetMetadata() == {
            "AREA_OR_POINT": "Area", "start_time": "2022-07-24T10:45:26"
        }  # fmt: skip
        assert dataset.GetMetadata("IMAGE_STRUCTURE") == {"INTERLEAVE": "BAND"}
        for number, told in enumerate(band_rows(), 1):
            band = dataset.GetRasterBand(number)
            assert band.GetMetadata() == {
                "wavelength": told["centre_nm"], "wavelength_units": "Nanometers",
                "fwhm": told["fwhm_nm"], "bbl": told["good"],
            }  # fmt: skip
            assert band.GetDescription() == f"band {number} ({told['centre_nm']} Nanometers)"
            assert (band.DataType, band.GetNoDataValue()) == (gdal.GDT_Float32, -32768)
            assert (band.GetScale(), band.GetOffset(), band.GetUnitType()) == (1e-4, 0, "")
            assert band.GetBlockSize() == [32, 32]
        stored = pixels(path)
        assert (stored[BAD_BANDS] == -32768).all()
        np.testing.assert_array_equal(stored, np.rint(stored))


def test_the_structure_of_the_labels(potsdam: Potsdam, no_sidecars: None) -> None:
    found = []
    for path, image in zip(potsdam.labels, potsdam.images):
        dataset = gdal.Open(str(path))
        band = dataset.GetRasterBand(1)
        assert dataset.GetGeoTransform() == gdal.Open(str(image)).GetGeoTransform()
        assert dataset.GetSpatialRef().GetAuthorityCode(None) == "32633"
        assert (dataset.RasterXSize, dataset.RasterYSize, dataset.RasterCount) == (32, 32, 1)
        assert dataset.GetMetadata() == {"AREA_OR_POINT": "Area"}
        assert (band.DataType, band.GetNoDataValue()) == (gdal.GDT_Float32, None)
        assert (band.GetDescription(), band.GetMetadata(), band.GetScale()) == ("", {}, None)
        found.append(set(np.unique(pixels(path)).tolist()))
    assert set.union(*found) == set(range(7))
    assert all(0 in values for values in found), "much is not labelled"
    assert sum(len(values) == 7 for values in found) == 1, "water and soil are rare"


@pytest.mark.parametrize(
    ("name", "count", "fields"),
    [
        ("landcover_point", 35, [("level_1", "String", 254), ("level_2", "String", 254)]),
        ("vegcover_point", 109, [("vegetation_fraction", "Real", 0)]),
    ],
)
def test_the_structure_of_the_points(
    potsdam: Potsdam, name: str, count: int, fields: list[tuple[str, str, int]]
) -> None:
    dataset = ogr.Open(str(potsdam.folder / f"{name}.gpkg"))
    layer = dataset.GetLayer(0)
    assert (dataset.GetLayerCount(), layer.GetName()) == (1, name)
    assert (layer.GetFeatureCount(), layer.GetGeomType()) == (count, ogr.wkbPoint)
    assert (layer.GetFIDColumn(), layer.GetGeometryColumn()) == ("fid", "geom")
    assert layer.GetSpatialRef().GetAuthorityCode(None) == "32633"
    described = layer.GetLayerDefn()
    assert [
        (field.GetName(), field.GetTypeName(), field.GetWidth())
        for field in (described.GetFieldDefn(i) for i in range(described.GetFieldCount()))
    ] == fields
