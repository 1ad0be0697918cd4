"""Spectral images in HDF5 and netCDF files with wavelengths of their own, beside h5py's reading."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from osgeo import gdal, osr

from hyperkd.errors import HyperKDError
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.products.import_product import import_product
from hyperkd.raster.products.open_product import open_product
from hyperkd.requests.prepare_options import ImportJob
from hyperkd.types import Window
from tests.products import TANAGER_WAVELENGTHS, write_tanager
from tests.reports import SilentReport

h5py = pytest.importorskip("h5py", reason="builds the files, and reads them independently")
WAVELENGTHS = np.array([420.5, 665.25, 1600.75, 2200.5], np.float32)
WIDTHS = np.array([7.5, 8.0, 8.5, 9.0], np.float32)
ROTATED = (400000.0, 2.5, 1.5, 3700000.0, 1.5, -2.5)


def wkt(epsg: int = 32611) -> str:
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(epsg)
    return str(reference.ExportToWkt())


def values(dtype: str = "float32") -> np.ndarray:
    """Return (band, row, col) values; the pixel (1, 2) is fill."""
    cube = np.random.default_rng(9).random((4, 5, 6)).astype(np.float32)
    if dtype != "float32":
        cube = (cube * 9000 + 300).astype(dtype)
    cube[:, 1, 2] = -9999
    return cube


def write_aviris(path: Path, transform: Optional[tuple[float, ...]] = ROTATED) -> np.ndarray:
    """Write the structure of an AVIRIS-3 or -5 L2A file of the ORNL DAAC."""
    cube = values()
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "AVIRIS-3 L2A Orthocorrected Surface Reflectance"
        group = file.create_group("reflectance")
        data = group.create_dataset("reflectance", data=cube, chunks=(2, 3, 3), fillvalue=-9999)
        data.attrs["_FillValue"] = np.float32(-9999)
        data.attrs["grid_mapping"] = "transverse_mercator"
        data.attrs["units"] = "unitless"
        group["wavelength"], group["fwhm"] = WAVELENGTHS, WIDTHS
        group["wavelength"].attrs["units"] = "nanometers"
        mapping = file.create_dataset("transverse_mercator", data=np.bytes_(""))
        mapping.attrs["crs_wkt"] = mapping.attrs["spatial_ref"] = wkt()
        if transform is not None:
            mapping.attrs["GeoTransform"] = " ".join(map(repr, transform))
        else:
            file["easting"] = 400001.25 + 2.5 * np.arange(6)
            file["northing"] = 3699998.75 - 2.5 * np.arange(5)
        file["aerosol_optical_thickness/aerosol_optical_thickness"] = np.ones((5, 6), np.float32)
    return cube


@pytest.mark.parametrize("name", ["AV320230926t201618_004_L2A_OE_main_RFL_ORT.nc", "mine.h5"])
def test_aviris_netcdf_on_its_rotated_grid(tmp_path: Path, name: str) -> None:
    cube = write_aviris(tmp_path / name)
    with open_raster(str(tmp_path / name)) as source:
        bands = source.bands
        np.testing.assert_array_equal(bands.wavelengths.centre_nm, WAVELENGTHS)
        np.testing.assert_array_equal(bands.wavelengths.fwhm_nm, WIDTHS)
        np.testing.assert_array_equal(bands.nodata, [-9999.0] * 4)
        assert bands.origins["product"] == (
            "array /reflectance/reflectance with the wavelengths of /reflectance/wavelength"
        )
        assert source.grid.geotransform == ROTATED
        reference = osr.SpatialReference(source.grid.crs_wkt)
        assert reference.GetAuthorityCode(None) == "32611"
        assert "rotated_grid" in [problem.code for problem in source.problems]
        tile = source.read_tile(source.grid.window)
        part = source.read(Window(2, 1, 3, 3), [3, 1])
    np.testing.assert_array_equal(tile.data, cube)
    np.testing.assert_array_equal(tile.valid, cube[0] != -9999)
    np.testing.assert_array_equal(part, cube[[3, 1], 1:4, 2:5])


def test_the_import_of_a_rotated_netcdf_is_what_gdal_reads(tmp_path: Path) -> None:
    path, output = tmp_path / "a.nc", tmp_path / "a.tif"
    cube = write_aviris(path)
    done = import_product(ImportJob(product=str(path), output=str(output)), SilentReport())
    assert (done["bands"], done["valid_pixels"]) == (4, 29)
    dataset = gdal.Open(str(output))
    assert dataset.GetGeoTransform() == ROTATED
    written = np.frombuffer(dataset.ReadRaster(), np.float32).reshape(4, 5, 6)
    np.testing.assert_array_equal(written, cube)
    assert dataset.GetRasterBand(2).GetMetadataItem("wavelength") == "665.25"


def test_coordinates_give_the_grid_where_no_geotransform_does(tmp_path: Path) -> None:
    write_aviris(tmp_path / "a.nc", transform=None)
    with open_raster(str(tmp_path / "a.nc")) as source:
        assert source.grid.geotransform == (400000.0, 2.5, 0.0, 3700000.0, 0.0, -2.5)
        assert osr.SpatialReference(source.grid.crs_wkt).GetAuthorityCode(None) == "32611"


def test_a_grid_that_is_told_twice_and_differently_is_refused(tmp_path: Path) -> None:
    write_aviris(tmp_path / "a.nc", transform=None)
    with h5py.File(tmp_path / "a.nc", "r+") as file:
        file["transverse_mercator"].attrs["GeoTransform"] = "400002.0 2.5 0 3700000 0 -2.5"
    with pytest.raises(HyperKDError, match="contradicts itself: its GeoTransform says") as caught:
        open_raster(str(tmp_path / "a.nc"))
    assert caught.value.code == "bad_product"


@pytest.mark.parametrize("order", ["byx", "ybx", "yxb", "xyb", "bxy"])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_axes_in_any_order(tmp_path: Path, order: str, dtype: str) -> None:
    cube = values(dtype)
    stored = cube.transpose(["byx".index(axis) for axis in order])
    with h5py.File(tmp_path / "cube.nc", "w") as file:
        scales = {
            "b": file.create_dataset("wavelength", data=WAVELENGTHS / 1000),
            "y": file.create_dataset("lat", data=47.9 - 0.002 * np.arange(5)),
            "x": file.create_dataset("lon", data=11.1 + 0.003 * np.arange(6)),
        }
        scales["b"].attrs["units"] = "um"
        scales["x"].attrs["units"], scales["y"].attrs["units"] = "degrees_east", "degrees_north"
        data = file.create_dataset("reflectance", data=stored)
        data.attrs["_FillValue"] = np.array(-9999, dtype)
        for axis, letter in enumerate(order):
            scales[letter].make_scale()
            data.dims[axis].attach_scale(scales[letter])
    with open_raster(str(tmp_path / "cube.nc")) as source:
        np.testing.assert_allclose(source.bands.wavelengths.centre_nm, WAVELENGTHS, atol=1e-4)
        assert source.bands.scale[0] == (1.0 if dtype == "float32" else 1e-4)
        transform = np.array(source.grid.geotransform)
        np.testing.assert_allclose(transform, (11.0985, 0.003, 0, 47.901, 0, -0.002), atol=1e-9)
        assert osr.SpatialReference(source.grid.crs_wkt).GetAuthorityCode(None) == "4326"
        tile = source.read_tile(source.grid.window)
        part = source.read(Window(1, 2, 4, 2), [2, 0])
    np.testing.assert_array_equal(tile.data, cube)
    np.testing.assert_array_equal(tile.valid, cube[0] != -9999)
    np.testing.assert_array_equal(part, cube[[2, 0], 2:4, 1:5])


def test_what_the_user_says_goes_before_the_file(tmp_path: Path) -> None:
    write_aviris(tmp_path / "a.nc")
    table = tmp_path / "bands.csv"
    table.write_text("wavelength_nm\n500\n600\n700\n800\n")
    with open_raster(str(tmp_path / "a.nc"), bands=str(table), scale=0.5, nodata=-1.0) as source:
        np.testing.assert_array_equal(source.bands.wavelengths.centre_nm, [500, 600, 700, 800])
        np.testing.assert_array_equal(source.bands.scale, [0.5] * 4)
        np.testing.assert_array_equal(source.bands.nodata, [-1.0] * 4)


def write_swath(path: Path, name: str, **attributes: Any) -> np.ndarray:
    """Write the structure of a PACE OCI Level 2 file."""
    cube = values().transpose(1, 2, 0)
    with h5py.File(path, "w") as file:
        file.attrs["instrument"] = "OCI"
        data = file.create_dataset(f"geophysical_data/{name}", data=cube)
        data.attrs["_FillValue"] = np.float32(-9999)
        for key, value in attributes.items():
            data.attrs[key] = value
        file["sensor_band_parameters/wavelength_3d"] = WAVELENGTHS
        file["sensor_band_parameters/wavelength_3d"].attrs["units"] = "nm"
        rows, cols = np.mgrid[0:5, 0:6]
        file["navigation_data/latitude"] = (40 - 0.01 * rows - 0.001 * cols).astype(np.float32)
        file["navigation_data/longitude"] = (-70 + 0.02 * cols).astype(np.float32)
    return cube


def test_a_swath_gets_control_points(tmp_path: Path) -> None:
    cube = write_swath(tmp_path / "PACE_OCI.L2.SFREFL.nc", "rhos")
    with open_raster(str(tmp_path / "PACE_OCI.L2.SFREFL.nc")) as source:
        assert source.grid.geotransform is None
        points = {(p[0], p[1]): (p[2], p[3]) for p in source.grid.gcps}
        assert len(points) == 30
        assert points[5.5, 2.5] == pytest.approx((-69.9, 39.975), abs=1e-5)
        assert [p.code for p in source.problems][0] == "ground_control_points"
        data = source.read(source.grid.window)
    np.testing.assert_array_equal(data, cube.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("name", "attributes", "says"),
    [
        ("Rrs", {"units": "sr^-1"}, "holds remote sensing reflectance per steradian"),
        ("rhot", {}, "holds reflectance at the top of the atmosphere"),
        ("radiance", {}, "holds radiance (array /geophysical_data/radiance)"),
        ("Lt", {"units": "W m^-2 um^-1 sr^-1"}, "holds radiance (array /geophysical_data/Lt, W m"),
        ("cube", {"units": "uW/cm^2/SR/nm"}, "holds radiance (array /geophysical_data/cube, uW"),
    ],
)
def test_other_quantities_are_told_and_refused(
    tmp_path: Path, name: str, attributes: Any, says: str
) -> None:
    write_swath(tmp_path / "x.nc", name, **attributes)
    with pytest.raises(HyperKDError) as caught:
        open_raster(str(tmp_path / "x.nc"))
    assert caught.value.code == "bad_product"
    assert says in caught.value.message
    assert "surface reflectance" in caught.value.hint


def test_what_an_array_calls_itself_is_held_against_its_numbers(tmp_path: Path) -> None:
    write_swath(tmp_path / "x.nc", "cube", long_name="At-sensor radiance")
    with open_raster(str(tmp_path / "x.nc")) as source:
        assert "words_contradict" in [problem.code for problem in source.problems]


def test_emit_radiance_names_the_file_to_take(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "EMIT_L1B_RAD_001.nc", "w") as file:
        file["radiance"] = np.ones((5, 6, 4), np.float32)
        file["sensor_band_parameters/wavelengths"] = WAVELENGTHS
        file["location/glt_x"] = file["location/glt_y"] = np.ones((5, 6), np.int32)
    with pytest.raises(HyperKDError, match="holds radiance") as caught:
        open_raster(str(tmp_path / "EMIT_L1B_RAD_001.nc"))
    assert "the EMIT_L2A_RFL file of the scene" in caught.value.hint


def test_files_with_several_images_are_refused(tmp_path: Path) -> None:
    write_swath(tmp_path / "x.nc", "first")
    with h5py.File(tmp_path / "x.nc", "r+") as file:
        file["geophysical_data/second"] = np.ones((5, 6, 4), np.float32)
        file["geophysical_data/reflectance_uncertainty"] = np.ones((5, 6, 4), np.float32)
    with pytest.raises(HyperKDError, match="holds 2 arrays with wavelengths: .*first, .*second"):
        open_raster(str(tmp_path / "x.nc"))
    with h5py.File(tmp_path / "x.nc", "r+") as file:
        file["geophysical_data/surface_reflectance"] = np.full((5, 6, 4), 0.25, np.float32)
    with open_raster(str(tmp_path / "x.nc")) as source:
        np.testing.assert_array_equal(source.read(Window(0, 0, 1, 1)), np.full((4, 1, 1), 0.25))


def test_axes_that_are_all_as_long_as_the_wavelengths_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file["reflectance"] = np.ones((4, 4, 4), np.float32)
        file["wavelength"] = WAVELENGTHS
    with pytest.raises(HyperKDError, match="Several axes of the array /reflectance") as caught:
        open_raster(str(tmp_path / "x.nc"))
    assert caught.value.code == "bad_product"


# --- Tanager ---


def test_tanager_ortho(tmp_path: Path) -> None:
    path = tmp_path / "20250224_ortho_sr_hdf5.h5"
    cube = write_tanager(path)
    with open_product(path, ()) as product:
        assert product.kind == "Tanager L2"
        source = product.source
        assert source.grid.geotransform == (345660.0, 30.0, 0.0, 6286110.0, 0.0, -30.0)
        assert osr.SpatialReference(source.grid.crs_wkt).GetAuthorityCode(None) == "32734"
        assert source.problems == ()
        bands = source.bands
        np.testing.assert_array_equal(
            bands.wavelengths.centre_nm, np.array(TANAGER_WAVELENGTHS, np.float32)
        )
        np.testing.assert_array_equal(bands.wavelengths.fwhm_nm, [5.0, 5.5, 6.0, 6.5])
        np.testing.assert_array_equal(bands.good, [True, True, False, True])
        assert bands.origins["product"].startswith("/HDFEOS/GRIDS/HYP/Data Fields/")
        tile = source.read_tile(source.grid.window)
        part = source.read(Window(4, 3, 2, 2), [3])
    cube[:, 4, 5] = -9999  # nodata_pixels says so
    np.testing.assert_array_equal(tile.data, cube)
    np.testing.assert_array_equal(tile.valid, cube[0] != -9999)
    assert tile.valid.sum() == 28
    np.testing.assert_array_equal(part, cube[[3], 3:5, 4:6])


def test_tanager_basic_gets_control_points(tmp_path: Path) -> None:
    cube = write_tanager(tmp_path / "basic_sr.h5", "SWATHS")
    with open_product(tmp_path / "basic_sr.h5", ()) as product:
        source = product.source
        points = {(p[0], p[1]): (p[2], p[3]) for p in source.grid.gcps}
        assert points[0.5, 0.5] == (18.0, -33.0)
        assert points[5.5, 4.5] == pytest.approx((18.005, -33.0045), abs=1e-9)
        assert [p.code for p in source.problems] == ["ground_control_points"]
        data = source.read(source.grid.window)
    np.testing.assert_array_equal(data[:, :4], cube[:, :4])


@pytest.mark.parametrize(("mask", "diagonal"), [("cloud", 0), ("cirrus", 1)])
def test_tanager_masks(tmp_path: Path, mask: str, diagonal: int) -> None:
    write_tanager(tmp_path / "a.h5")
    with open_product(tmp_path / "a.h5", (mask,)) as product:
        assert product.quality is not None
        masked = product.quality.read(Window(1, 0, 4, 5))
    np.testing.assert_array_equal(masked, np.eye(5, 6, k=diagonal)[:, 1:5] > 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"array": "toa_radiance"}, "without surface_reflectance: it holds toa_radiance."),
        ({"attributes": {"wavelengths": None}}, "has no attribute wavelengths"),
        ({"attributes": {"wavelengths": np.ones(3)}}, "wavelengths has 3 values for 4 bands"),
        ({"attributes": {"fwhm": np.ones(3)}}, "fwhm has 3 values for 4 bands"),
        (
            {"layers": {"nodata_pixels": np.ones((4, 6), "u1")}},
            "nodata_pixels has the shape (4, 6)",
        ),
        (
            {
                "structure": "XDim=7\nUpperLeftPointMtrs=(0,30)\nLowerRightMtrs=(30,0)",
            },
            "StructMetadata.0 says XDim=7, not 6",
        ),
        (
            {"structure": "UpperLeftPointMtrs=(0,30)\nLowerRightMtrs=(30,60)"},
            "its corners are 0, 30 and 30, 60",
        ),
    ],
)
def test_tanager_files_that_cannot_be_used(tmp_path: Path, changes: Any, says: str) -> None:
    write_tanager(tmp_path / "a.h5", **changes)
    with pytest.raises(HyperKDError) as caught:
        open_product(tmp_path / "a.h5", ())
    assert caught.value.code == "bad_product"
    assert says in caught.value.message


def test_tanager_without_its_structure_says_that_it_has_no_grid(tmp_path: Path) -> None:
    write_tanager(tmp_path / "a.h5", structure="nothing")
    with open_product(tmp_path / "a.h5", ()) as product:
        assert [problem.code for problem in product.source.problems] == ["no_geotransform"]


def test_a_container_without_wavelengths_says_what_to_give(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = np.ones((4, 5, 6), np.float32)
        file["other"] = np.ones((5, 6), np.float32)
    with pytest.raises(HyperKDError, match="is a container of 2 rasters, .*, and holds no image"):
        open_raster(str(tmp_path / "a.h5"))


@pytest.mark.parametrize("seed", range(6))
def test_damaged_files_end_in_a_code_or_are_read(tmp_path: Path, seed: int) -> None:
    builders = (lambda p: write_tanager(p), write_aviris, lambda p: write_swath(p, "rhos"))
    path = tmp_path / ("a.h5" if seed % 3 == 0 else "a.nc")
    builders[seed % 3](path)
    chance = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    for place in chance.integers(0, len(content), 12):
        content[place] = int(chance.integers(0, 256))
    path.write_bytes(content)
    # Which code depends on what is hit; anything else than a code fails here.
    with suppress(HyperKDError), open_product(path, ()) as product:
        product.source.read_tile(product.source.grid.window)
