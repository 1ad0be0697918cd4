"""Writing rasters: what was given is what GDAL alone reads back, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from osgeo import gdal, osr

from hyperkd.errors import HyperKDError
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.grid import iterate_tiles
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.sink import ClassEntry, RasterSpec
from hyperkd.types import BandTable, GridSpec, Wavelengths, Window
from tests.factories import GEOTRANSFORM, spectra, wkt


def grid(width: int = 7, height: int = 5, **knobs: Any) -> GridSpec:
    knobs = {"geotransform": GEOTRANSFORM, "crs_wkt": wkt(32633), **knobs}
    return GridSpec(width, height, **knobs)


def table() -> BandTable:
    return BandTable(
        Wavelengths(
            np.array([993.083, 902.257, 1 / 3 * 2000, 418.24, 2445.53, 1600.1]),
            np.array([10.6375, 11.2, 6.99561, 7.1, 8.0, 9.1]),
        ),
        good=np.array([True, True, False, True, True, True]),
        scale=np.array([1e-4, 1e-4, 1e-4, 2e-4, 1e-4, 1e-4]),
        offset=np.array([0, 0, 0, 0.01, 0, -0.1]),
        nodata=np.full(6, -32768.0),
        names=("a", "b", "c\u00b5", "", "e", "f"),
    )


def write(path: Path, data: np.ndarray, spec: GridSpec, **knobs: Any) -> None:
    with create_raster(str(path), RasterSpec(spec, len(data), data.dtype, **knobs)) as sink:
        sink.write(spec.window, data)


def read(path: Path) -> np.ndarray:
    dataset = gdal.Open(str(path))
    band = dataset.GetRasterBand(1)
    kind = {"Float16": gdal.GDT_Float32}.get(gdal.GetDataTypeName(band.DataType), band.DataType)
    dtype = {
        gdal.GDT_Byte: np.uint8,
        gdal.GDT_Int16: np.int16,
        gdal.GDT_UInt16: np.uint16,
        gdal.GDT_Int32: np.int32,
        gdal.GDT_Float32: np.float32,
        gdal.GDT_Float64: np.float64,
    }[kind]
    size = (dataset.RasterXSize, dataset.RasterYSize)
    raw = dataset.ReadRaster(0, 0, *size, buf_type=kind)
    return np.frombuffer(raw, dtype).reshape(dataset.RasterCount, size[1], size[0])


def test_gdal_alone_reads_back_everything(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    write(path, spectra(), grid(), nodata=-32768, bands=table(), metadata={"sensor": "EnMAP"})
    dataset = gdal.Open(str(path))
    np.testing.assert_array_equal(read(path), spectra())
    assert dataset.GetGeoTransform() == GEOTRANSFORM
    expected = osr.SpatialReference()
    expected.ImportFromEPSG(32633)
    assert dataset.GetSpatialRef().IsSame(expected)
    assert dataset.GetMetadataItem("sensor") == "EnMAP"
    for index in range(6):
        band = dataset.GetRasterBand(index + 1)
        items = band.GetMetadata()
        assert float(items["wavelength"]) == table().wavelengths.centre_nm[index]
        assert float(items["fwhm"]) == table().wavelengths.fwhm_nm[index]
        assert items["wavelength_units"] == "Nanometers"
        assert items["bbl"] == ("1" if table().good[index] else "0")
        assert band.GetScale() == table().scale[index]
        assert band.GetOffset() == table().offset[index]
        assert band.GetNoDataValue() == -32768
        centre = table().wavelengths.centre_nm[index]
        assert band.GetDescription().endswith(f"{centre:.2f} nm" + ")" * bool(table().names[index]))
        assert band.GetBlockSize() == [16, 16]
    colours = [dataset.GetRasterBand(number).GetColorInterpretation() for number in range(1, 7)]
    assert colours == [gdal.GCI_GrayIndex] + [gdal.GCI_Undefined] * 5
    structure = dataset.GetMetadata("IMAGE_STRUCTURE")
    assert (structure["COMPRESSION"], structure["INTERLEAVE"]) == ("DEFLATE", "BAND")
    assert os.listdir(tmp_path) == ["out.tif"], "nothing lies beside it"


def test_our_own_reader_reads_the_same_table(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    write(path, spectra(), grid(), nodata=-32768, bands=table())
    with open_raster(str(path)) as source:
        for name in ("good", "scale", "offset", "nodata"):
            np.testing.assert_array_equal(getattr(source.bands, name), getattr(table(), name))
        for name in ("centre_nm", "fwhm_nm"):
            np.testing.assert_array_equal(
                getattr(source.bands.wavelengths, name), getattr(table().wavelengths, name)
            )
        assert source.bands.names[0] == "a (993.08 nm)"
        assert source.grid == grid()


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_every_type_to_the_bit_and_never_as_a_picture(
    tmp_path: Path, dtype: str, count: int
) -> None:
    limits = np.finfo(dtype) if dtype.startswith("f") else np.iinfo(dtype)
    data = np.linspace(0, 200, count * 35).astype(dtype).reshape(count, 5, 7)
    data[0, 0, :2] = limits.min, limits.max
    write(tmp_path / "out.tif", data, grid())
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), data)
    dataset = gdal.Open(str(tmp_path / "out.tif"))
    assert dataset.GetRasterBand(count).GetColorInterpretation() in (
        gdal.GCI_GrayIndex,
        gdal.GCI_Undefined,
    )


@pytest.mark.parametrize(
    "spec",
    [
        grid(geotransform=(366000.0, 30.0, 5.0, 5810000.0, -5.0, -30.0)),
        grid(geotransform=(366000.0, 30.0, 0.0, 5810000.0, 0.0, 30.0)),
        grid(geotransform=(13.1, 0.0005, 0.0, 52.5, 0.0, -0.0003), crs_wkt=wkt(4326)),
        grid(geotransform=None, crs_wkt=""),
        grid(geotransform=GEOTRANSFORM, crs_wkt=""),
        grid(geotransform=None, crs_wkt=wkt(32633)),
        grid(geotransform=(0.1, 1 / 3, 0.0, 0.2, 0.0, -1 / 7)),
        GridSpec(
            7, 5, gcps=((0.5, 0.0, 13.0, 52.5, 0.0, "1"), (7.0, 5.0, 13.1, 52.4, 3.0, "2"),
                        (7.0, 0.0, 13.1, 52.5, 0.0, "3")), gcp_crs_wkt=wkt(4326),
        ),
    ],
    ids=["rotated", "south-up", "degrees", "nothing", "no CRS", "no transform", "thirds", "GCPs"],
)  # fmt: skip
def test_geometry_comes_back_verbatim(tmp_path: Path, spec: GridSpec) -> None:
    write(tmp_path / "out.tif", spectra(), spec, bands=table())
    with open_raster(str(tmp_path / "out.tif")) as source:
        assert source.grid == spec


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 3), st.integers(5, 130), st.data())
def test_written_in_tiles_of_any_size_and_order(
    width: int, height: int, count: int, tile_px: int, draw: Any
) -> None:
    import tempfile

    spec = GridSpec(width, height)
    data = np.arange(count * height * width, dtype=np.int32).reshape(count, height, width)
    windows = draw.draw(st.permutations(list(iterate_tiles(spec, tile_px))))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.tif"
        with create_raster(str(path), RasterSpec(spec, count, np.int32)) as sink:
            for window in windows:
                rows, cols = window.slices()
                sink.write(window, data[:, rows, cols])
        np.testing.assert_array_equal(read(path), data)


def test_blocks_suit_the_raster(tmp_path: Path) -> None:
    for size, block in (((1, 1), (16, 16)), ((17, 300), (32, 256)), ((256, 255), (256, 256))):
        spec = GridSpec(size[1], size[0])
        with create_raster(str(tmp_path / "out.tif"), RasterSpec(spec, 1, np.uint8)) as sink:
            assert sink.block_shape == block
            sink.write(spec.window, np.zeros((1, *size), np.uint8))


def test_names_win_over_those_of_the_table(tmp_path: Path) -> None:
    names = [f"component {n}" for n in range(1, 7)]
    write(tmp_path / "out.tif", spectra(), grid(), bands=table(), names=names)
    dataset = gdal.Open(str(tmp_path / "out.tif"))
    assert [dataset.GetRasterBand(n).GetDescription() for n in range(1, 7)] == names


# --- whole or not at all ----------------------------------------------------------------------


def test_an_exception_leaves_nothing_and_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    write(path, spectra(), grid())
    before = path.read_bytes()
    with (
        pytest.raises(ZeroDivisionError),
        create_raster(str(path), RasterSpec(grid(), 6, np.int16)) as sink,
    ):
        sink.write(Window(0, 0, 7, 2), spectra()[:, :2])
        assert sorted(os.listdir(tmp_path)) == ["out.tif", "out.tif.part"]
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == ["out.tif"]
    assert path.read_bytes() == before


def test_what_described_the_older_file_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    write(path, spectra(), grid())
    for suffix in (".aux.xml", ".ovr", ".msk"):
        Path(f"{path}{suffix}").write_text("stale")
    write(path, spectra() + 1, grid())
    assert os.listdir(tmp_path) == ["out.tif"]
    np.testing.assert_array_equal(read(path), spectra() + 1)


def test_finished_twice_and_written_after(tmp_path: Path) -> None:
    sink = create_raster(str(tmp_path / "out.tif"), RasterSpec(grid(), 6, np.int16))
    sink.write(grid().window, spectra())
    sink.commit()
    sink.commit()
    sink.abort()
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), spectra())
    with pytest.raises(ValueError, match="is finished"):
        sink.write(grid().window, spectra())


FILL = """
import resource, signal, sys
import numpy as np
from osgeo import gdal
from hyperkd.errors import HyperKDError
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.sink import RasterSpec
from hyperkd.types import GridSpec, Window

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, data = sys.argv[1], np.random.default_rng(0).random((3, 70, 70), dtype=np.float32)

def write():
    spec = RasterSpec(GridSpec(70, 70), 3, np.float32, names=list("abc"))
    with create_raster(path, spec) as sink:
        sink.write(Window(0, 0, 70, 70), data)

for limit in [int(text) for text in sys.argv[2:]]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write()
        print(limit, "ok", flush=True)
    except HyperKDError as error:
        print(limit, error.code, error.message, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no limit of file sizes")
def test_a_disk_that_fills_at_any_byte_leaves_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "out" / "out.tif"
    path.parent.mkdir()
    data = np.random.default_rng(0).random((3, 70, 70), dtype=np.float32)
    write(path, data, GridSpec(70, 70), names=list("abc"))
    size = path.stat().st_size
    path.unlink()
    limits = [0, 5, size // 4, size // 2, *range(size - 24, size)]
    command = [sys.executable, "-c", FILL, str(path), *map(str, limits)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True, env=environment
    )
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [str(limit), "unwritable_output"] for limit in limits
    ]
    assert all("cannot be written" in line for line in lines)
    assert os.listdir(path.parent) == []
    assert "Exception ignored" not in done.stderr


def test_too_little_space_is_known_before(tmp_path: Path, monkeypatch: Any) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(HyperKDError, match="needs up to 137 MB, only 1 MB are free") as caught:
        create_raster(str(tmp_path / "out.tif"), RasterSpec(GridSpec(600, 1000), 60, np.float32))
    assert caught.value.code == "out_of_disk"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("gone/out.tif", "there is no folder"),
        (".", "it is a folder"),
        ("file/out.tif", "there is no folder"),
    ],
)
def test_unwritable_outputs(tmp_path: Path, output: str, said: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HyperKDError, match=said) as caught:
        create_raster(str(tmp_path / output), RasterSpec(grid(), 1, np.uint8))
    assert caught.value.code == "unwritable_output"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"dtype": np.uint16, "nodata": -9999}, "nodata -9999 cannot be stored as uint16"),
        ({"dtype": np.int16, "nodata": float("nan")}, "nodata nan cannot be stored as int16"),
        ({"dtype": np.int16, "nodata": 0.5}, "nodata 0.5 cannot be stored as int16"),
        ({"dtype": np.bool_}, "no raster stores bool"),
        ({"bands": table()}, "a band table of 6 for 2 bands"),
        ({"names": ["a"]}, "a list of names of 1 for 2 bands"),
    ],
)
def test_faults_of_the_caller(tmp_path: Path, knobs: dict[str, Any], said: str) -> None:
    knobs = {"dtype": np.int16, **knobs}
    with pytest.raises(ValueError, match=said):
        create_raster(str(tmp_path / "out.tif"), RasterSpec(grid(), 2, **knobs))
    assert os.listdir(tmp_path) == []


def test_data_of_another_shape_type_or_place(tmp_path: Path) -> None:
    with create_raster(str(tmp_path / "out.tif"), RasterSpec(grid(), 6, np.int16)) as sink:
        for data in (spectra(5), spectra().astype(np.int32), spectra()[:, :4]):
            with pytest.raises(ValueError, match="expected int16"):
                sink.write(grid().window, data)
        with pytest.raises(ValueError, match="reaches outside"):
            sink.write(Window(1, 0, 7, 5), spectra())
        sink.write(grid().window, spectra().astype(np.int16, order="F"))
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), spectra())


def test_classes_have_names_and_colours_and_zero_is_transparent(tmp_path: Path) -> None:
    path = tmp_path / "classes.tif"
    classes = [ClassEntry("Water", (0, 90, 200), 7), ClassEntry("Forest", (20, 110, 40))]
    values = np.array([[[0, 1, 2]]], np.uint8)
    with create_raster(
        str(path), RasterSpec(grid(3, 1), 1, np.uint8, nodata=0, classes=classes)
    ) as sink:
        sink.write(Window(0, 0, 3, 1), values)
    dataset = gdal.Open(str(path))
    band = dataset.GetRasterBand(1)
    band.GetMetadata()  # GDAL 3.6 reads the names only after something else of the sidecar
    assert band.GetRasterCategoryNames() == ["no data", "Water", "Forest"]
    colours = [band.GetColorTable().GetColorEntry(value) for value in range(3)]
    assert colours == [(0, 0, 0, 0), (0, 90, 200, 255), (20, 110, 40, 255)]
    table = band.GetDefaultRAT()
    rows = [[table.GetValueAsString(row, column) for column in range(7)] for row in range(3)]
    assert rows == [
        ["0", "no data", "0", "0", "0", "0", ""],
        ["1", "Water", "0", "90", "200", "255", "7"],
        ["2", "Forest", "20", "110", "40", "255", ""],
    ]
    with pytest.raises(ValueError, match="2 classes in 1 bands of float32"):
        create_raster(
            str(tmp_path / "x.tif"), RasterSpec(grid(3, 1), 1, np.float32, classes=classes)
        )


def test_units_are_written_per_band(tmp_path: Path) -> None:
    path = tmp_path / "units.tif"
    units = ["degrees", "reflectance"]
    with create_raster(str(path), RasterSpec(grid(), 2, np.float32, units=units)) as sink:
        sink.write(grid().window, np.zeros((2, 5, 7), np.float32))
    dataset = gdal.Open(str(path))
    assert [dataset.GetRasterBand(number).GetUnitType() for number in (1, 2)] == units


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", "500.00 nm"), ("VNIR 7", "VNIR 7 (500.00 nm)"), ("band 7 (500.0 Nanometers)", None)],
)
def test_a_band_is_named_with_its_wavelength_once(tmp_path: Path, name: str, expected: str) -> None:
    one = np.ones(1)
    bands = BandTable(Wavelengths(500 * one), one.astype(bool), one, 0 * one, np.nan * one, (name,))
    path = tmp_path / "named.tif"
    with create_raster(str(path), RasterSpec(grid(), 1, np.int16, bands=bands)) as sink:
        sink.write(grid().window, np.zeros((1, 5, 7), np.int16))
    dataset = gdal.Open(str(path))
    assert dataset.GetRasterBand(1).GetDescription() == (expected or name)


# --- layouts ----------------------------------------------------------------------------------


def test_half_floats_take_16_bits_and_keep_nan(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(2, 70, 70)).astype(np.float32)
    data[:, 3, 4] = np.nan
    path = tmp_path / "half.tif"
    write(path, data, GridSpec(70, 70), half=True, nodata=float("nan"))
    np.testing.assert_array_equal(read(path), data.astype(np.float16).astype(np.float32))
    dataset = gdal.Open(str(path))
    band = dataset.GetRasterBand(1)
    new = gdal.GetDataTypeName(band.DataType) == "Float16"  # from GDAL 3.11 on
    assert new or band.GetMetadataItem("NBITS", "IMAGE_STRUCTURE") == "16"
    whole = tmp_path / "whole.tif"
    write(whole, data, GridSpec(70, 70))
    assert path.stat().st_size < 0.6 * whole.stat().st_size


@pytest.mark.parametrize(("half", "kind"), [(False, np.float32), (True, np.float16)])
def test_a_cloud_optimised_file_holds_the_same_and_overviews(
    tmp_path: Path, half: bool, kind: Any
) -> None:
    data = np.random.default_rng(0).normal(size=(2, 700, 600)).astype(np.float32)
    path = tmp_path / "cog.tif"
    spec = grid(600, 700)
    names = ["one", "two"]
    options: dict[str, Any] = {"names": names, "metadata": {"about": "me"}, "half": half}
    write(path, data, spec, layout="cog", nodata=-1.0, **options)
    assert os.listdir(tmp_path) == ["cog.tif"]
    np.testing.assert_array_equal(read(path), data.astype(kind).astype(np.float32))
    dataset = gdal.Open(str(path))
    assert dataset.GetMetadataItem("LAYOUT", "IMAGE_STRUCTURE") == "COG"
    assert dataset.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE") == "DEFLATE"
    assert dataset.GetMetadataItem("about") == "me"
    assert dataset.GetGeoTransform() == GEOTRANSFORM
    bands = [dataset.GetRasterBand(number) for number in (1, 2)]
    assert [band.GetDescription() for band in bands] == names
    assert [band.GetNoDataValue() for band in bands] == [-1.0, -1.0]
    assert bands[0].GetOverviewCount() >= 1


def test_classes_survive_in_a_cloud_optimised_file(tmp_path: Path) -> None:
    path = tmp_path / "classes.tif"
    classes = [ClassEntry("Water", (0, 90, 200), 7), ClassEntry("Forest", (20, 110, 40))]
    values = np.ones((1, 600, 700), np.uint8)
    values[:, 300:] = 2
    write(path, values, grid(700, 600), layout="cog", nodata=0, classes=classes)
    assert sorted(os.listdir(tmp_path)) == ["classes.tif", "classes.tif.aux.xml"]
    np.testing.assert_array_equal(read(path), values)
    dataset = gdal.Open(str(path))
    band = dataset.GetRasterBand(1)
    assert band.GetDefaultRAT().GetValueAsString(1, 1) == "Water"
    assert band.GetRasterCategoryNames() == ["no data", "Water", "Forest"]
    assert band.GetColorTable().GetColorEntry(2) == (20, 110, 40, 255)
    overview = band.GetOverview(0)
    assert set(overview.ReadRaster()) <= {1, 2}, "a class is never the mean of two others"


def test_a_cloud_optimised_file_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cog.tif"
    with (
        pytest.raises(ZeroDivisionError),
        create_raster(str(path), RasterSpec(grid(), 6, np.int16, layout="cog")) as sink,
    ):
        sink.write(Window(0, 0, 7, 2), spectra()[:, :2])
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_blocks_are_as_high_as_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "low.tif"
    with create_raster(
        str(path), RasterSpec(GridSpec(300, 300), 1, np.uint8, block_rows=64)
    ) as sink:
        assert sink.block_shape == (64, 256)
        sink.write(Window(0, 0, 300, 300), np.ones((1, 300, 300), np.uint8))
    dataset = gdal.Open(str(path))
    assert dataset.GetRasterBand(1).GetBlockSize() == [256, 64]


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"block_rows": 100}, "blocks of 100 rows, TIFF demands a multiple of 16"),
        ({"half": True}, "int16 cannot be stored as 16 bit floating point"),
        ({"layout": "jpeg"}, "the layout 'jpeg' is none of geotiff, cog"),
    ],
)
def test_layouts_that_do_not_exist(tmp_path: Path, knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        create_raster(str(tmp_path / "out.tif"), RasterSpec(grid(), 1, np.int16, **knobs))
    assert os.listdir(tmp_path) == []


def test_finish_completes_the_file_and_commit_names_it(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    sink = create_raster(str(path), RasterSpec(grid(), 6, np.int16))
    sink.write(grid().window, spectra())
    sink.finish()
    assert os.listdir(tmp_path) == ["out.tif.part"]
    np.testing.assert_array_equal(read(Path(f"{path}.part")), spectra())
    sink.commit()
    assert os.listdir(tmp_path) == ["out.tif"]


def test_a_raster_that_the_garbage_collector_releases_waits_for_nobody() -> None:
    """It may run in the thread that holds the lock: a wait there would never end."""
    from hyperkd import output_checks

    output_checks.protect(["a.tif"])
    with output_checks._lock:
        output_checks.release(["a.tif"])
    output_checks.require_unread("a.tif")
