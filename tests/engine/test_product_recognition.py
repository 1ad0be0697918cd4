"""A product is what its metadata says, whatever its files are called and lie beside."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.jobs.info import info
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.products import delivery_files
from hyperkd.raster.products.import_product import import_product
from hyperkd.raster.products.open_product import open_product
from hyperkd.requests.prepare_options import ImportJob, InfoJob
from tests.products import (
    DESIS_CENTRES,
    DESIS_STEM,
    DESIS_WIDTHS,
    EMIT_MASKS,
    STEM,
    desis_cube,
    desis_xml,
    enmap_cube,
    enmap_xml,
    write_desis,
    write_emit,
    write_emit_mask,
    write_enmap,
    write_prisma,
    write_tif,
)
from tests.reports import SilentReport

APPLE = b"\0\5\x16\7" + bytes(200)  # how the files begin that macOS puts beside others


def zipped(folder: Path, path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for item in sorted(folder.rglob("*")):
            if item.is_file():
                archive.write(item, f"{top}{item.relative_to(folder)}")
    return path


def refused(path: Path) -> HyperKDError:
    with pytest.raises(HyperKDError) as caught:
        open_raster(str(path))
    assert caught.value.hint
    return caught.value


# --- DESIS ---


@pytest.mark.parametrize("given", ["folder", "zip", "zip in a folder", "zip by its bytes", "xml"])
def test_desis_as_delivered(tmp_path: Path, given: str) -> None:
    folder = path = write_desis(tmp_path)
    if given == "zip":
        path = zipped(folder, tmp_path / "d.zip", f"{DESIS_STEM}/")
    elif given == "zip in a folder":
        (tmp_path / "order" / "data").mkdir(parents=True)
        zipped(folder, tmp_path / "order" / "data" / "d.zip")
        path = tmp_path / "order"
    elif given == "zip by its bytes":
        path = zipped(folder, tmp_path / "download")
    elif given == "xml":
        path = folder / f"{DESIS_STEM}-METADATA.xml"
    with open_product(path, ()) as product:
        assert product.kind == "DESIS L2A"
        assert product.metadata == {"sensor": "DESIS", "start_time": "2019-10-07T07:08:34Z"}
        source = product.source
        np.testing.assert_array_equal(source.bands.wavelengths.centre_nm, DESIS_CENTRES)
        np.testing.assert_array_equal(source.bands.wavelengths.fwhm_nm, DESIS_WIDTHS)
        np.testing.assert_array_equal(source.bands.scale, [1e-4] * 4)
        np.testing.assert_array_equal(source.bands.offset, [0.01] * 4)
        np.testing.assert_array_equal(source.bands.nodata, [-32768.0] * 4)
        assert source.grid.geotransform == (365000.0, 30.0, 0.0, 5807000.0, 0.0, -30.0)
        tile = source.read_tile(source.grid.window)
    np.testing.assert_array_equal(tile.data, desis_cube())
    np.testing.assert_array_equal(tile.valid, desis_cube()[0] != -32768)


def test_desis_is_imported_with_the_bands_of_its_xml(tmp_path: Path) -> None:
    output = tmp_path / "out.tif"
    done = import_product(
        ImportJob(product=str(write_desis(tmp_path)), output=str(output)), SilentReport()
    )
    assert (done["bands"], done["valid_pixels"]) == (4, 14)
    dataset = gdal.Open(str(output))
    items = [dataset.GetRasterBand(n + 1).GetMetadata() for n in range(4)]
    assert [float(item["wavelength"]) for item in items] == DESIS_CENTRES
    assert dataset.GetRasterBand(1).GetOffset() == 0.01
    assert dataset.GetMetadataItem("sensor") == "DESIS"


def test_namespaces_do_not_matter(tmp_path: Path) -> None:
    folder = write_desis(tmp_path)
    metadata = folder / f"{DESIS_STEM}-METADATA.xml"
    named = metadata.read_text().replace("<hsi_doc>", '<hsi_doc xmlns="urn:a" xmlns:b="urn:b">')
    metadata.write_text(named.replace("level>", "b:level>"))
    with open_product(folder, ()) as product:
        np.testing.assert_array_equal(product.source.bands.wavelengths.centre_nm, DESIS_CENTRES)


def test_desis_bands_come_by_their_number(tmp_path: Path) -> None:
    with open_product(write_desis(tmp_path, order=(3, 1, 4, 2)), ()) as product:
        centre = product.source.bands.wavelengths.centre_nm
    np.testing.assert_array_equal(centre, DESIS_CENTRES)


def test_info_tells_by_what_a_product_was_recognised(tmp_path: Path) -> None:
    found = info(InfoJob(path=str(write_desis(tmp_path))), SilentReport())
    said = f"{DESIS_STEM}-METADATA.xml: hsi_doc of DESIS, level L2A"
    assert found["read_from"]["product"] == said
    assert f"Product: {said}" in found["text"]
    found = info(InfoJob(path=str(write_enmap(tmp_path))), SilentReport())
    assert found["read_from"]["product"] == f"{STEM}-METADATA.XML: EnMAP's level_X, base/level L2A"


def test_the_image_of_a_desis_product_takes_the_bands_of_its_xml(tmp_path: Path) -> None:
    image = write_desis(tmp_path) / f"{DESIS_STEM}-SPECTRAL_IMAGE.tif"
    with open_raster(str(image)) as source:
        np.testing.assert_array_equal(source.bands.wavelengths.centre_nm, DESIS_CENTRES)
        assert source.bands.origins["scale"].startswith("sidecar DESIS-HSI-L2A-")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<bandNumber>2<", "<bandNumber>7<", "bandNumber does not count its 4 bands from 1"),
        ("<bandNumber>2<", "<bandNumber>two<", "bandNumber does not count its 4 bands from 1"),
        ("<gainOfBand>0.0001<", "<gainOfBand>x<", "gainOfBand of band 1 is 'x', not a number"),
        ("bandCharacterisation", "bands", "has no bandCharacterisation/band"),
        ("<hsi_doc>", "<hsi_doc", "is not well-formed XML"),
        ("<level>L2A</level>", "<level>L1C</level>", "of level L1C, radiance"),
        ("<level>L2A</level>", "<level>L2A or L1B</level>", "of level L1B or L2A, radiance"),
    ],
)
def test_desis_metadata_that_cannot_be_used(tmp_path: Path, old: str, new: str, says: str) -> None:
    folder = write_desis(tmp_path)
    metadata = folder / f"{DESIS_STEM}-METADATA.xml"
    assert old in metadata.read_text()
    metadata.write_text(metadata.read_text().replace(old, new))
    error = refused(folder)
    assert (error.code, says in error.message) == ("bad_product", True), error.message


# --- levels ---


def desis_without_xml(tmp_path: Path) -> Path:
    folder = write_desis(tmp_path, "L1C")
    for item in folder.glob("*.xml"):
        item.unlink()
    return folder


def enmap_of_level(tmp_path: Path) -> Path:
    folder = write_enmap(tmp_path)
    (folder / f"{STEM}-METADATA.XML").write_text(enmap_xml(level="L1B"))
    return folder


@pytest.mark.parametrize(
    ("build", "says", "todo"),
    [
        (lambda t: write_desis(t, "L1C"), "of level L1C, radiance", "order the scene as L2A"),
        (lambda t: write_desis(t, "L1B"), "of level L1B, radiance", "order the scene as L2A"),
        (
            lambda t: next(write_desis(t, "L1C").glob("*-METADATA.xml")),
            *("of level L1C, radiance", "order the scene as L2A"),
        ),
        (desis_without_xml, "of level L1C, radiance", "order the scene as L2A"),
        (
            lambda t: next(desis_without_xml(t).glob("*IMAGE.tif")),
            *("is a DESIS product of level L1C", "Order the scene as surface reflectance"),
        ),
        (
            lambda t: next(write_desis(t, "L1C").glob("*SPECTRAL_IMAGE.tif")),
            *("of level L1C, radiance", "order the scene as L2A"),
        ),
        (enmap_of_level, "EnMAP product of level L1B", "or make it with EnPT"),
    ],
    ids=["folder", "L1B", "xml", "no xml", "image alone", "image", "EnMAP"],
)
def test_radiance_is_refused_with_what_to_do(
    tmp_path: Path, build: Callable[[Path], Path], says: str, todo: str
) -> None:
    error = refused(build(tmp_path))
    assert (error.code, says in error.message) == ("bad_product", True), error.message
    assert todo in error.hint


# --- files that are not the product's ---


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("build", [write_enmap, write_desis])
def test_what_macos_leaves_is_ignored(
    tmp_path: Path, build: Callable[[Path], Path], packed: bool
) -> None:
    folder = build(tmp_path)
    names = [item.name for item in folder.iterdir()]
    for name in names:
        (folder / f"._{name}").write_bytes(APPLE)
    (folder / ".DS_Store").write_bytes(APPLE)
    path = folder
    if packed:
        path = zipped(folder, tmp_path / "p.zip", "p/")
        with zipfile.ZipFile(path, "a") as archive:
            for name in names:
                archive.writestr(f"__MACOSX/p/._{name}", APPLE)
    with open_product(path, ()) as product:
        data = product.source.read(product.source.grid.window)
    np.testing.assert_array_equal(data, enmap_cube() if build is write_enmap else desis_cube())


@pytest.mark.parametrize("name", ["scene.xml", "readme.XML", "METADATA.XML"])
def test_metadata_of_another_name_is_found_by_what_it_holds(tmp_path: Path, name: str) -> None:
    folder = write_enmap(tmp_path)
    (folder / f"{STEM}-METADATA.XML").rename(folder / name)
    with open_product(folder, ("cloud",)) as product:
        assert product.kind == "EnMAP L2A"
        assert product.quality is not None
        assert product.quality.read(product.source.grid.window).sum() == 1


def test_renamed_files_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "bands.xml").write_text(desis_xml())
    write_tif(folder / "scene.tif", desis_cube(), -32768)
    with open_product(folder, ()) as product:
        assert product.kind == "DESIS L2A"
        np.testing.assert_array_equal(product.source.read(product.source.grid.window), desis_cube())


def test_of_two_images_the_one_with_the_bands_of_the_metadata_is_read(tmp_path: Path) -> None:
    folder = write_enmap(tmp_path)
    write_tif(folder / f"{STEM}-SPECTRAL_IMAGE_COG.TIF", enmap_cube()[:4], -32768)
    with open_product(folder, ()) as product:
        np.testing.assert_array_equal(product.source.read(product.source.grid.window), enmap_cube())
        assert product.source.bands.origins["product"].endswith(
            "; of 2 images the one with its 6 bands"
        )


@pytest.mark.parametrize(("bands", "fit"), [(6, 2), (5, 0)])
def test_two_images_of_which_none_or_both_fit_are_refused(
    tmp_path: Path, bands: int, fit: int
) -> None:
    folder = write_enmap(tmp_path)
    for name in ("SPECTRAL_IMAGE.TIF", "SPECTRAL_IMAGE_COG.TIF"):
        write_tif(folder / f"{STEM}-{name}", enmap_cube()[:bands], -32768)
    error = refused(folder)
    assert error.code == "bad_product"
    assert f"describes 6 bands, and {fit} of the images" in error.message
    assert f"IMAGE_COG.TIF ({bands} bands)" in error.message


def test_several_products_are_listed(tmp_path: Path) -> None:
    order = tmp_path / "order"
    order.mkdir()
    for number in (1, 2):
        part = tmp_path / str(number)
        part.mkdir()
        zipped(write_desis(part), order / f"{number}.zip")
    error = refused(order)
    assert (error.code, "holds 2 zips: 1.zip, 2.zip." in error.message) == ("bad_product", True)
    shutil.rmtree(order)
    order.mkdir()
    for number in (1, 2):
        shutil.copytree(tmp_path / str(number), order / str(number))
    assert "holds 2 files named *-METADATA.XML: 1/DESIS" in refused(order).message


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.xml").write_text("<notes/>")
    error = refused(tmp_path)
    assert (error.code, "is not a product that HyperKD knows" in error.message) == (
        "bad_product",
        True,
    )


def test_other_xml_beside_a_product_does_not_matter(tmp_path: Path) -> None:
    folder = write_desis(tmp_path)
    (folder / f"{DESIS_STEM}-METADATA.xml").rename(folder / "bands.xml")
    (folder / "broken.xml").write_text("<not")
    (folder / "style.xml").write_text("<!DOCTYPE qgis><qgis/>")
    with open_product(folder, ()) as product:
        np.testing.assert_array_equal(product.source.bands.wavelengths.centre_nm, DESIS_CENTRES)


def test_what_may_not_be_read_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    def forbidden(path: Path, most_bytes: int) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    folder = write_desis(tmp_path)
    monkeypatch.setattr(delivery_files, "read_regular", forbidden)
    for path in (folder, folder / f"{DESIS_STEM}-METADATA.xml"):
        error = refused(path)
        assert (error.code, "Permission denied" in error.message) == ("unreadable_raster", True)


def test_many_folders_are_not_searched_for_ever(tmp_path: Path, monkeypatch: Any) -> None:
    for number in range(10):
        (tmp_path / f"{number}" / "a").mkdir(parents=True)
    write_enmap(tmp_path / "0" / "a")
    with open_product(tmp_path, ()) as product:
        assert product.kind == "EnMAP L2A"
    monkeypatch.setattr(delivery_files, "_MAX_FILES", 15)
    assert "is not a product that HyperKD knows" in refused(tmp_path).message


# --- archives of archives ---

ORDER = "dims_op_oc_oc-en_700000000_1"


def packed(path: Path, parts: dict[str, Path]) -> Path:
    """Write a tar, deflated by its name, with files and folders by the names they get."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        readme = tarfile.TarInfo(f"{ORDER}/readme.html")
        archive.addfile(readme, io.BytesIO())
        for name, part in parts.items():
            archive.add(part, f"{ORDER}/ENMAP.HSI.L2A/{name}")
    return path


@pytest.mark.parametrize("ending", [".tar.gz", ".tgz", ".tar", ".download"])
@pytest.mark.parametrize("inner", ["zip", "folder"])
def test_enmap_in_a_tar_is_read_in_place(tmp_path: Path, ending: str, inner: str) -> None:
    folder = write_enmap(tmp_path)
    order = tmp_path / "order"
    order.mkdir()
    parts = {STEM: folder}
    if inner == "zip":
        parts = {f"{STEM}.ZIP": zipped(folder, tmp_path / "p.zip", f"{STEM}/")}
    path = packed(order / f"{ORDER}{ending}", parts)
    before = path.stat()
    with open_product(path, ("cloud",)) as product:
        source = product.source
        np.testing.assert_array_equal(source.read(source.grid.window), enmap_cube())
        np.testing.assert_array_equal(source.bands.scale, [1e-4] * 6)
        assert product.quality is not None
        np.testing.assert_array_equal(
            np.argwhere(product.quality.read(source.grid.window)), [[0, 1]]
        )
        assert [stamp[0] for stamp in source.stamp()] == [str(path)]
    assert list(order.iterdir()) == [path]  # nothing is written beside it
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_tar_is_imported(tmp_path: Path) -> None:
    path = packed(
        tmp_path / f"{ORDER}.tar.gz",
        {f"{STEM}.ZIP": zipped(write_enmap(tmp_path), tmp_path / "p.zip")},
    )
    done = import_product(
        ImportJob(product=str(path), output=str(tmp_path / "o.tif"), mask=("cloud",)),
        SilentReport(),
    )
    assert (done["bands"], done["valid_pixels"], done["masked_pixels"]) == (6, 10, 1)


def test_a_tar_of_several_products_says_what_to_unpack(tmp_path: Path) -> None:
    inner = zipped(write_enmap(tmp_path), tmp_path / "p.zip")
    path = packed(tmp_path / "o.tar.gz", {"1.ZIP": inner, "2.ZIP": inner})
    error = refused(path)
    assert error.code == "bad_product"
    assert f"holds 2 zips: {ORDER}/ENMAP.HSI.L2A/1.ZIP, " in error.message
    assert error.hint == (
        "Unpack one of them and give it, for instance: "
        f"tar -xf o.tar.gz {ORDER}/ENMAP.HSI.L2A/1.ZIP"
    )


def test_the_inner_product_is_checked_like_any_other(tmp_path: Path) -> None:
    folder = enmap_of_level(tmp_path)
    error = refused(packed(tmp_path / "o.tar.gz", {"p.ZIP": zipped(folder, tmp_path / "p.zip")}))
    assert (error.code, "of level L1B" in error.message) == ("bad_product", True)


def test_a_tar_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    inner = zipped(write_enmap(tmp_path), tmp_path / "p.zip")
    path = packed(tmp_path / "o.tar.gz", {"p.ZIP": inner})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    error = refused(path)
    assert (error.code, "cannot be read as a tar" in error.message) == ("bad_product", True)


def test_a_tar_that_would_never_end_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("a.bin")
        info.size = 2**26
        archive.addfile(info, io.BytesIO(bytes(2**26)))
    assert path.stat().st_size < 2**17
    error = refused(path)
    assert (error.code, "100 times as large as the archive" in error.message) == (
        "bad_product",
        True,
    )


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_name_that_would_fill_the_memory_is_not_read(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, 2**40
    (tmp_path / "o.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(2**20))
    error = refused(tmp_path / "o.tar")
    assert (error.code, f"a name of {2**40} bytes" in error.message) == ("bad_product", True)


def test_a_zip_bomb_inside_a_tar_does_not_fill_the_memory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A-METADATA.XML", bytes(2**25))
    error = refused(packed(tmp_path / "o.tar.gz", {"p.ZIP": tmp_path / "p.zip"}))
    assert (error.code, "metadata of at most 16777216 are read" in error.message) == (
        "bad_product",
        True,
    )


# --- folders and zips of one HDF5 or netCDF file ---


def test_a_folder_of_one_prisma_or_emit_file_is_that_file(tmp_path: Path) -> None:
    write_prisma(tmp_path / "PRS_L2D_STD_20200101.he5")
    (tmp_path / "readme.txt").write_text("nothing")
    with open_product(tmp_path, ()) as product:
        assert product.kind == "PRISMA L2D"
    emit = tmp_path / "emit"
    emit.mkdir()
    table = np.ones((3, 4), np.int32)
    write_emit(emit / "EMIT_L2A_RFL_001_a.nc", table, table)
    write_emit_mask(emit / "EMIT_L2A_MASK_001_a.nc", EMIT_MASKS["001"])
    with open_product(emit, ("cloud",)) as product:
        assert product.kind == "EMIT L2A"
    write_emit(emit / "EMIT_L2A_RFL_001_b.nc", table, table)
    error = refused(emit)
    assert error.code == "bad_product"
    assert "holds 2 products: EMIT_L2A_RFL_001_a.nc, EMIT_L2A_RFL_001_b.nc." in error.message


def test_prisma_in_its_zip_says_what_to_unpack(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    write_prisma(folder / "PRS_L2D_STD_20200101.he5")
    error = refused(zipped(folder, tmp_path / "PRS_L2D_STD_20200101.zip"))
    assert error.code == "bad_product"
    assert "holds PRS_L2D_STD_20200101.he5, which cannot be read inside" in error.message
    assert error.hint == "Unpack the archive, and give PRS_L2D_STD_20200101.he5."
