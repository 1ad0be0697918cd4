"""Delivered products, built here with the structure that their documentation gives."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.jobs.info import info
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.products.enmap import parse_bands, parse_metadata
from hyperkd.raster.products.import_product import import_product
from hyperkd.raster.products.open_product import open_product
from hyperkd.raster.products.quality_masks import ENMAP_MASKS as MASKS
from hyperkd.requests.prepare_options import ImportJob, InfoJob
from hyperkd.types import Tile, Window
from tests.factories import WAVELENGTHS_NM, make_raster, make_vrt
from tests.products import (
    CENTRES,
    STEM,
    WIDTHS,
    Delivery,
    enmap_cube,
    enmap_xml,
    write_emit,
    write_enmap,
    write_prisma,
    write_tif,
)
from tests.reports import SilentReport

h5py = pytest.importorskip("h5py", reason="builds the PRISMA and EMIT files")


@pytest.fixture
def enmap(tmp_path: Path) -> Path:
    """Return the folder of a small but complete EnMAP product."""
    return write_enmap(tmp_path)


def read_all(path: Path) -> np.ndarray:
    """Read a raster with GDAL alone."""
    dataset = gdal.Open(str(path))
    kinds = {gdal.GDT_Int16: np.int16, gdal.GDT_Float32: np.float32, gdal.GDT_Byte: np.uint8}
    dtype = kinds[dataset.GetRasterBand(1).DataType]
    shape = (dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize)
    return np.frombuffer(dataset.ReadRaster(), dtype).reshape(shape)


def test_enmap_import_keeps_values_and_writes_complete_band_metadata(
    enmap: Path, tmp_path: Path
) -> None:
    output = tmp_path / "scene.tif"
    summary = import_product(
        ImportJob(product=str(enmap), output=str(output), mask=()), SilentReport()
    )
    assert summary == {"bands": 6, "good_bands": 5, "valid_pixels": 11, "masked_pixels": 0}
    np.testing.assert_array_equal(read_all(output), enmap_cube())
    dataset = gdal.Open(str(output))
    assert dataset.GetGeoTransform() == (365000.0, 30.0, 0.0, 5807000.0, 0.0, -30.0)
    assert dataset.GetSpatialRef().GetAuthorityCode(None) == "32633"
    assert dataset.GetMetadataItem("start_time") == "2022-07-24T10:45:26Z"
    for index in range(6):
        band = dataset.GetRasterBand(index + 1)
        items = band.GetMetadata()
        assert float(items["wavelength"]) == CENTRES[index]
        assert items["wavelength_units"] == "Nanometers"
        assert float(items["fwhm"]) == WIDTHS[index]
        assert items["bbl"] == ("0" if index == 5 else "1")
        assert (band.GetScale(), band.GetOffset()) == (0.0001, 0.02)
        assert band.GetNoDataValue() == -32768


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("cloud", [(0, 1)]),
        ("cloud_shadow", [(0, 2)]),
        ("haze", [(0, 3)]),
        ("cirrus", [(1, 0), (1, 1), (1, 2)]),
        ("snow", [(1, 3)]),
        ("water", [(2, 0)]),
        ("land", [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3)]),
        ("defective", [(2, 3)]),
    ],
)
def test_enmap_mask_leaves_out_exactly_its_pixels(
    enmap: Path, tmp_path: Path, name: str, pixels: list[Any]
) -> None:
    output = tmp_path / "scene.tif"
    summary = import_product(
        ImportJob(product=str(enmap), output=str(output), mask=(name,)), SilentReport()
    )
    expected = enmap_cube()
    for row, col in pixels:
        expected[:, row, col] = -32768
    np.testing.assert_array_equal(read_all(output), expected)
    assert summary["masked_pixels"] == len(pixels)


def test_every_mask_has_a_case() -> None:
    marks = [m for m in test_enmap_mask_leaves_out_exactly_its_pixels.pytestmark]
    assert {case[0] for case in marks[0].args[1]} == set(MASKS)


def test_enmap_zip_and_metadata_path_read_like_the_folder(enmap: Path, tmp_path: Path) -> None:
    archive = tmp_path / "product.zip"
    with zipfile.ZipFile(archive, "w") as handle:
        for item in enmap.iterdir():
            handle.write(item, f"{enmap.name}/{item.name}")
    for path in (archive, enmap / f"{STEM}-METADATA.XML"):
        with open_product(path, ("cloud",)) as product:
            assert product.kind == "EnMAP L2A"
            tile = product.source.read_tile(product.source.grid.window)
            np.testing.assert_array_equal(tile.data, enmap_cube())
            assert product.quality is not None
            assert product.quality.read(product.source.grid.window).sum() == 1


@pytest.mark.parametrize("suffix", ["-METADATA.XML.XML", "-metadata.xml"])
def test_enmap_metadata_names_seen_in_the_wild(enmap: Path, suffix: str) -> None:
    (enmap / f"{STEM}-METADATA.XML").rename(enmap / f"{STEM}{suffix}")
    with open_product(enmap, ()) as product:
        assert len(product.source.bands) == 6


def test_enmap_cog_image_name(enmap: Path) -> None:
    (enmap / f"{STEM}-SPECTRAL_IMAGE.TIF").rename(enmap / f"{STEM}-SPECTRAL_IMAGE_COG.tiff")
    with open_product(enmap, ()) as product:
        assert product.source.path.endswith("-SPECTRAL_IMAGE_COG.tiff")


def test_enmap_metadata_values() -> None:
    metadata = parse_metadata(enmap_xml().encode(), "x")
    np.testing.assert_array_equal(metadata.bands.wavelengths.centre_nm, CENTRES)
    np.testing.assert_array_equal(metadata.bands.wavelengths.fwhm_nm, WIDTHS)
    np.testing.assert_array_equal(metadata.bands.good, [True] * 5 + [False])
    assert (metadata.width, metadata.height, metadata.schema) == (4, 3, "00.02.00")
    assert metadata.cover_percent == {"cloudCover": 12.0}


def _broken(enmap: Path, case: str) -> Path:
    image = enmap / f"{STEM}-SPECTRAL_IMAGE.TIF"
    metadata = enmap / f"{STEM}-METADATA.XML"
    if case == "L1C":
        metadata.write_text(enmap_xml(level="L1C"))
    elif case == "two":
        (enmap / "OTHER-METADATA.XML").write_text(enmap_xml())
    elif case == "no image":
        image.unlink()
    elif case == "empty image":
        image.write_bytes(b"")
        (enmap / f"{STEM}-QL_QUALITY_SNOW.TIF").write_bytes(b"")
    elif case == "entities":
        metadata.write_text('<!DOCTYPE a [<!ENTITY b "bb">]>' + enmap_xml())
    elif case == "not xml":
        metadata.write_text("<level_X><base>")
    elif case == "no bands":
        metadata.write_text("<level_X><base><level>L2A</level></base></level_X>")
    elif case == "bad number":
        metadata.write_text(enmap_xml(gain="ten"))
    return enmap


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("L1C", r"of level L1C\..*L2A"),
        ("two", r"holds 2 files named \*-METADATA\.XML: .*OTHER-METADATA\.XML"),
        ("no image", "has no .*SPECTRAL_IMAGE file"),
        ("empty image", r"is empty \(0 bytes\); .*: QL_QUALITY_SNOW, SPECTRAL_IMAGE\."),
        ("entities", "declares a document type or entities"),
        ("not xml", "is not well-formed XML"),
        ("no bands", "has no specific/bandCharacterisation"),
        ("bad number", "GainOfBand of band 1 is 'ten', not a number"),
    ],
)
def test_broken_enmap_products_are_refused(
    enmap: Path, tmp_path: Path, case: str, message: str
) -> None:
    output = tmp_path / "out.tif"
    with pytest.raises(HyperKDError, match=message) as caught:
        import_product(
            ImportJob(product=str(_broken(enmap, case)), output=str(output), mask=()),
            SilentReport(),
        )
    assert caught.value.code == "bad_product"
    assert not output.exists()


def test_mask_problems_are_named(enmap: Path) -> None:
    with pytest.raises(HyperKDError, match="Unknown mask 'fog'") as caught:
        open_product(enmap, ("fog",))
    assert caught.value.code == "bad_job"
    (enmap / f"{STEM}-QL_QUALITY_SNOW.TIF").write_bytes(b"")
    with pytest.raises(HyperKDError, match="no readable QL_QUALITY_SNOW") as caught:
        open_product(enmap, ("snow",))
    assert caught.value.code == "bad_product"
    write_tif(enmap / f"{STEM}-QL_QUALITY_HAZE.TIF", np.zeros((1, 5, 5), np.uint8))
    with pytest.raises(HyperKDError, match="QL_QUALITY_HAZE has 5 x 5 pixels, the image 4 x 3"):
        open_product(enmap, ("haze",))


def test_all_pixels_masked_is_refused_and_leaves_no_file(enmap: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tif"
    write_tif(enmap / f"{STEM}-QL_QUALITY_CLOUD.TIF", np.ones((1, 3, 4), np.uint8))
    with pytest.raises(HyperKDError, match="no valid pixel outside the masks cloud") as caught:
        import_product(
            ImportJob(product=str(enmap), output=str(output), mask=("cloud",)), SilentReport()
        )
    assert caught.value.code == "no_valid_pixels"
    assert list(tmp_path.glob("out.tif*")) == []


def test_delivered_enmap_zip_names_its_empty_images(delivery: Delivery) -> None:
    with pytest.raises(HyperKDError, match="all empty images of the product: ") as caught:
        open_product(delivery.archive, ())
    assert caught.value.context["empty"] == [
        "QL_PIXELMASK",
        "QL_QUALITY_CIRRUS",
        "QL_QUALITY_CLOUD",
        "QL_QUALITY_CLOUDSHADOW",
        "QL_QUALITY_HAZE",
        "QL_QUALITY_SNOW",
        "QL_QUALITY_TESTFLAGS",
        "QL_SWIR",
        "QL_VNIR",
        "SPECTRAL_IMAGE",
    ]


@pytest.mark.parametrize("part", ["METADATA.XML", "SPECTRAL_IMAGE.TIF"])
def test_a_part_of_the_product_is_never_taken_for_the_output(enmap: Path, part: str) -> None:
    taken = enmap / f"{STEM}-{part}"
    before = taken.read_bytes()
    with pytest.raises(HyperKDError, match=f"{part} is read by this job") as caught:
        import_product(ImportJob(product=str(enmap), output=str(taken), mask=()), SilentReport())
    assert caught.value.code == "bad_job"
    assert taken.read_bytes() == before


def test_info_tells_the_bands_of_a_product_whose_image_is_empty(delivery: Delivery) -> None:
    summary = info(InfoJob(path=str(delivery.archive)), SilentReport())
    assert (summary["bands"], summary["bad_bands"]) == (218, [])
    assert summary["wavelengths"]["minimum_nm"] == 423.03
    widths = re.findall("<FWHMOfBand>(.*?)</FWHMOfBand>", delivery.metadata()[1].decode())
    assert summary["wavelengths"]["fwhm_maximum_nm"] == max(map(float, widths))
    assert summary["wavelengths"]["fwhm_maximum_nm"] == (14.4 if delivery.real else 14.41)
    assert (summary["scale"], summary["offset"]) == ([0.0001], [0.0])
    assert summary["empty_images"][-1] == "SPECTRAL_IMAGE"
    assert "Problem: images of 0 bytes: QL_PIXELMASK, QL_QUALITY_CIRRUS" in summary["text"]


def test_info_reads_the_image_where_only_a_quality_layer_is_empty(enmap: Path) -> None:
    (enmap / f"{STEM}-QL_QUALITY_SNOW.TIF").write_bytes(b"")
    assert info(InfoJob(path=str(enmap)), SilentReport())["kind"] == "raster"


def test_delivered_enmap_metadata_yields_its_218_bands(delivery: Delivery) -> None:
    name, content = delivery.metadata()
    metadata = parse_metadata(content, name)
    bands = metadata.bands
    # Read independently of the parser: every value of the block, in its order.
    block = content.decode().split("<bandCharacterisation>")[1].split("</bandCharacterisation>")[0]
    for tag, values in (
        ("wavelengthCenterOfBand", bands.wavelengths.centre_nm),
        ("FWHMOfBand", bands.wavelengths.fwhm_nm),
        ("GainOfBand", bands.scale),
        ("OffsetOfBand", bands.offset),
    ):
        expected = [float(text) for text in re.findall(f"<{tag}>(.*?)</{tag}>", block)]
        assert len(expected) == 218
        np.testing.assert_array_equal(values, expected)
    assert bands.good.all()
    assert (metadata.width, metadata.height) == (1128, 1212)


def test_band_block_of_a_2022_product(delivery: Delivery) -> None:
    from xml.etree import ElementTree

    bands = parse_bands(ElementTree.parse(delivery.bands).getroot(), delivery.bands.name)
    assert len(bands) == 224
    assert bands.wavelengths.centre_nm[0] == 418.24
    assert np.all(np.diff(bands.wavelengths.centre_nm) > 0)


# --- PRISMA -------------------------------------------------------------------------------------


def test_prisma_values_order_and_grid(tmp_path: Path) -> None:
    path = tmp_path / "PRS_L2D_STD_20200101.he5"
    cubes = write_prisma(path)
    with open_product(path, mask=()) as product:
        source = product.source
        np.testing.assert_array_equal(
            source.bands.wavelengths.centre_nm, [500.0, 943.0, 972.0, 1600.0, 2400.0]
        )
        np.testing.assert_array_equal(
            source.bands.wavelengths.fwhm_nm, [11.0, 11.5, 12.0, 10.0, 9.0]
        )
        assert source.grid.geotransform == (300000.0, 30.0, 0.0, 5000030.0, 0.0, -30.0)
        tile = source.read_tile(source.grid.window)
        vnir = -0.0625 + cubes["VNIR"].astype(float) * 1.0625 / 65535
        swir = cubes["SWIR"].astype(float) * 0.5 / 65535
        expected = np.stack(
            [vnir[:, 1], swir[:, 2], vnir[:, 0], swir[:, 1], swir[:, 0]]
        )  # (band, row, col)
        valid = np.ones((4, 5), bool)
        valid[0, 0] = False
        np.testing.assert_array_equal(tile.valid, valid)
        np.testing.assert_array_equal(tile.data[:, valid], np.rint(expected[:, valid] * 1e4))
        assert (tile.data[:, 0, 0] == -32768).all()
        part = source.read(Window(1, 1, 3, 2), [4, 0])
        np.testing.assert_array_equal(part, tile.data[[4, 0], 1:3, 1:4])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"swath": "HDFEOS/SWATHS/PRS_L1_HCO", "Processing_Level": np.bytes_("1")}, "level 1, not"),
        ({"L2ScaleVnirMax": None}, "has no attribute L2ScaleVnirMax"),
        ({"Epsg_Code": np.int64(999999)}, "reference system 999999 is unknown"),
    ],
)
def test_wrong_prisma_files_are_refused(tmp_path: Path, changes: Any, message: str) -> None:
    path = tmp_path / "x.he5"
    write_prisma(path, **changes)
    with pytest.raises(HyperKDError, match=message) as caught:
        open_product(path, mask=())
    assert caught.value.code == "bad_product"


def test_prisma_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.he5"
    write_prisma(path)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(HyperKDError, match=r"as HDF5 or netCDF: .*[^.]\.$") as caught:
        open_product(path, mask=())
    assert caught.value.code == "unreadable_raster"


# --- EMIT ---------------------------------------------------------------------------------------


def test_emit_pixels_follow_the_geolocation_table(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    glt_x, glt_y = random.integers(1, 6, (7, 8)), random.integers(1, 7, (7, 8))
    glt_x[0, :3] = glt_y[0, :3] = 0
    path = tmp_path / "EMIT_L2A_RFL_001_20230316.nc"
    swath = write_emit(path, glt_x, glt_y)
    with open_product(path, mask=()) as product:
        source = product.source
        np.testing.assert_array_equal(source.bands.good, [True, True, False, True])
        assert source.grid.geotransform == (10.0, 0.0005, 0.0, 50.0, 0.0, -0.0007)
        tile = source.read_tile(source.grid.window)
        for row in range(7):
            for col in range(8):
                if glt_x[row, col] == 0:
                    expected = np.full(4, -9999, np.float32)
                else:
                    expected = swath[glt_y[row, col] - 1, glt_x[row, col] - 1]
                np.testing.assert_array_equal(tile.data[:, row, col], expected)
        np.testing.assert_array_equal(tile.valid, glt_x > 0)
        part = source.read(Window(2, 1, 5, 4), [3, 1])
        np.testing.assert_array_equal(part, tile.data[[3, 1], 1:5, 2:7])


def test_emit_import_writes_the_map_grid(tmp_path: Path) -> None:
    path, output = tmp_path / "e.nc", tmp_path / "e.tif"
    glt = np.arange(12).reshape(3, 4) % 5
    write_emit(path, glt, glt)
    summary = import_product(
        ImportJob(product=str(path), output=str(output), mask=()), SilentReport()
    )
    assert summary["valid_pixels"] == int((glt > 0).sum())
    dataset = gdal.Open(str(output))
    assert dataset.GetRasterBand(3).GetMetadataItem("bbl") == "0"
    assert dataset.GetGeoTransform() == (10.0, 0.0005, 0.0, 50.0, 0.0, -0.0007)
    assert dataset.GetRasterBand(1).GetNoDataValue() == -9999


def test_netcdf_of_another_kind_is_not_taken_for_emit(tmp_path: Path) -> None:
    path = tmp_path / "temperature.nc"
    gdal.GetDriverByName("netCDF").Create(str(path), 3, 2, 1, gdal.GDT_Float32).FlushCache()
    with pytest.raises(HyperKDError, match="temperature.nc") as caught:
        open_raster(str(path))
    assert caught.value.code != "bad_product"
    broken = tmp_path / "broken.nc"
    broken.write_bytes(b"CDF")
    with pytest.raises(HyperKDError, match="broken.nc") as caught:
        open_raster(str(broken))
    assert caught.value.code == "unreadable_raster"


def test_emit_table_that_points_outside_the_swath_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.nc"
    glt = np.full((2, 2), 6)
    write_emit(path, glt, glt)
    with pytest.raises(
        HyperKDError, match="points at column 6, row 6 of a swath of 5 x 6"
    ) as caught:
        open_product(path, mask=())
    assert caught.value.code == "bad_product"


# --- DESIS and the rest -------------------------------------------------------------------------


def test_desis_folder_takes_wavelengths_and_gain_from_its_header(tmp_path: Path) -> None:
    folder = tmp_path / "DESIS-HSI-L2A-DT0123"
    folder.mkdir()
    values = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
    image = folder / "DESIS-HSI-L2A-DT0123-SPECTRAL_IMAGE.tif"
    write_tif(image, values, -32768)
    image.with_suffix(".hdr").write_text(
        "ENVI\nsamples = 5\nlines = 4\nbands = 3\ndata type = 2\ninterleave = bip\n"
        "wavelength units = nanometers\nwavelength = {\n 401.9, 404.4,\n 999.5}\n"
        "fwhm = {3.5, 3.4, 3.6}\ndata gain values = {0.0001, 0.0001, 0.0001}\n"
        "data offset values = {0, 0, 0}\n"
    )
    with open_product(folder, mask=()) as product:
        bands = product.source.bands
        np.testing.assert_array_equal(bands.wavelengths.centre_nm, [401.9, 404.4, 999.5])
        np.testing.assert_array_equal(bands.wavelengths.fwhm_nm, [3.5, 3.4, 3.6])
        np.testing.assert_array_equal(bands.scale, [1e-4] * 3)
        assert product.source.problems[0].code == "recognised_by_name"


def test_unknown_folder_and_missing_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HyperKDError, match="is not a product that HyperKD knows") as caught:
        open_product(tmp_path, mask=())
    assert caught.value.code == "bad_product"
    with pytest.raises(HyperKDError, match="There is no file ") as caught:
        open_product(tmp_path / "nothing", mask=())
    assert caught.value.code == "unreadable_raster"


def test_masks_are_refused_for_products_without_quality_layers(tmp_path: Path) -> None:
    path = tmp_path / "x.he5"
    write_prisma(path)
    with pytest.raises(
        HyperKDError, match="PRISMA L2D brings no layer for the masks cloud"
    ) as caught:
        open_product(path, ("cloud",))
    assert caught.value.code == "bad_job"


def test_every_job_reads_a_product_like_a_raster(enmap: Path, tmp_path: Path) -> None:
    for path in (enmap, enmap / f"{STEM}-METADATA.XML"):
        with open_raster(str(path)) as source:
            np.testing.assert_array_equal(source.bands.wavelengths.centre_nm, CENTRES)
            np.testing.assert_array_equal(source.read(source.grid.window), enmap_cube())
    prisma = tmp_path / "x.he5"
    write_prisma(prisma)
    with open_raster(str(prisma)) as source:
        assert len(source.bands) == 5


# --- rasters that are no product --------------------------------------------------------------


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).integers(300, 5000, (6, 12, 10)).astype(np.int16)


def imported(path: Union[str, Path], output: Path) -> tuple[dict[str, Any], Tile]:
    """Import a raster, and return the summary and what the output holds."""
    summary = import_product(
        ImportJob(product=str(path), output=str(output), mask=()), SilentReport()
    )
    with open_raster(str(output)) as source:
        assert not source.masked
        tile = source.read_tile(source.grid.window)
    assert summary["valid_pixels"] == int(tile.valid.sum())
    return summary, tile


@pytest.mark.parametrize(
    ("dtype", "nodata", "becomes"),
    [
        ("int16", None, -32768),
        ("int16", -5, -5),
        ("uint16", None, 65535),
        ("uint16", -9999, 65535),
        ("float32", None, np.nan),
    ],
)
def test_what_a_mask_leaves_out_is_nodata(
    tmp_path: Path, values: np.ndarray, dtype: str, nodata: Optional[float], becomes: float
) -> None:
    mask = np.full((12, 10), 255, np.uint8)
    mask[:4] = 0
    path = make_raster(tmp_path / "in.tif", values.astype(dtype), mask=mask, nodata=nodata)
    tile = imported(path, tmp_path / "out.tif")[1]
    np.testing.assert_array_equal(tile.valid, mask > 0)
    np.testing.assert_array_equal(tile.data[:, 4:], values[:, 4:])
    np.testing.assert_array_equal(tile.data[:, :4], np.full((6, 4, 10), becomes, dtype))


def test_what_an_alpha_band_leaves_out_is_nodata(tmp_path: Path, values: np.ndarray) -> None:
    alpha = np.zeros((1, 12, 10), np.int16)
    alpha[:, :, 3:] = 255
    path = make_raster(
        tmp_path / "in.tif",
        np.concatenate([values, alpha]),
        wavelengths=[*WAVELENGTHS_NM, None],
        alpha=True,
        nodata=None,
    )
    tile = imported(path, tmp_path / "out.tif")[1]
    np.testing.assert_array_equal(tile.valid, alpha[0] > 0)
    np.testing.assert_array_equal(tile.data[:, :, 3:], values[:, :, 3:])


def test_bands_with_their_own_nodata_values_get_one(tmp_path: Path, values: np.ndarray) -> None:
    own = [-1000 * number for number in range(1, 7)]
    for number, value in enumerate(own):
        values[number, : number + 1] = value
    parts = [
        make_raster(
            tmp_path / f"{number}.tif",
            values[number : number + 1],
            wavelengths=[WAVELENGTHS_NM[number]],
            nodata=value,
        )
        for number, value in enumerate(own)
    ]
    path = make_vrt(tmp_path / "in.vrt", parts)
    tile = imported(path, tmp_path / "out.tif")[1]
    for number in range(6):
        np.testing.assert_array_equal(tile.data[number, : number + 1], -1000)
        np.testing.assert_array_equal(tile.data[number, number + 1 :], values[number, number + 1 :])
    assert not tile.valid[:6].any() and tile.valid[6:].all()


def test_a_value_that_would_mean_nodata_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    values[4, 7, 7] = -32768
    mask = np.full((12, 10), 255, np.uint8)
    mask[0] = 0
    path = make_raster(tmp_path / "in.tif", values, mask=mask, nodata=None)
    with pytest.raises(HyperKDError, match="Band 5 holds -32768 as a value") as caught:
        imported(path, tmp_path / "out.tif")
    assert caught.value.code == "unsupported_raster"
    assert not (tmp_path / "out.tif").exists()


def test_paths_of_gdals_own_file_systems_are_opened(tmp_path: Path, values: np.ndarray) -> None:
    path = make_raster(tmp_path / "in.tif", values)
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(path, "in.tif")
    tile = imported(f"/vsizip/{tmp_path}/in.zip/in.tif", tmp_path / "out.tif")[1]
    np.testing.assert_array_equal(tile.data, values)
