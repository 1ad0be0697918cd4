"""Products and texts that contradict themselves: each ends in a coded error that says what."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from osgeo import ogr

from hyperkd.errors import HyperKDError
from hyperkd.jobs.info import info
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.products.enmap import parse_metadata
from hyperkd.raster.products.open_product import open_product
from hyperkd.raster.products.product_xml import MAX_METADATA
from hyperkd.raster.texts import Texts
from hyperkd.requests.evaluate_options import LabelsJob
from hyperkd.requests.prepare_options import InfoJob
from tests.factories import make_envi, make_raster, spectra
from tests.label_factories import make_vector
from tests.products import STEM, enmap_xml, write_emit, write_enmap, write_prisma
from tests.reports import SilentReport

h5py = pytest.importorskip("h5py", reason="builds the PRISMA and EMIT files")
TABLE = np.ones((3, 4), np.int32)


def refused(path: Path | str, **arguments: Any) -> HyperKDError:
    with (
        pytest.raises(HyperKDError) as caught,
        open_product(path, **{"mask": (), **arguments}) as product,
    ):
        product.source.read_tile(product.source.grid.window)
    assert caught.value.hint
    return caught.value


# --- EnMAP's metadata ---


def deflate_wrong(archive: bytearray) -> None:
    """Damage what is compressed of the first member."""
    start = 30 + int.from_bytes(archive[26:28], "little") + int.from_bytes(archive[28:30], "little")
    archive[start : start + 20] = bytes(20)


def mark(field: int, value: int) -> Callable[[bytearray], None]:
    """Return what sets a 16-bit field of every member, in both of its headers."""

    def change(archive: bytearray) -> None:
        for sign, offset in ((b"PK\x03\x04", field), (b"PK\x01\x02", field + 2)):
            place = archive.find(sign)
            while place >= 0:
                archive[place + offset : place + offset + 2] = value.to_bytes(2, "little")
                place = archive.find(sign, place + 1)

    return change


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (deflate_wrong, "cannot be unpacked: "),
        (mark(6, 1), "cannot be unpacked: .*encrypted"),
        (mark(8, 97), "cannot be unpacked: .*compression"),
    ],
    ids=("damaged", "encrypted", "compressed otherwise"),
)
def test_members_of_a_zip_that_cannot_be_unpacked(
    tmp_path: Path, damage: Callable[[bytearray], None], says: str
) -> None:
    path = tmp_path / "product.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{STEM}-METADATA.XML", enmap_xml())
        archive.writestr(f"{STEM}-SPECTRAL_IMAGE.TIF", b"II*\0")
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)
    error = refused(path)
    assert error.code == "bad_product"
    with pytest.raises(HyperKDError, match=says):
        raise error


@pytest.mark.parametrize("packed", [False, True])
def test_metadata_that_would_fill_the_memory_is_not_read(tmp_path: Path, packed: bool) -> None:
    folder = write_enmap(tmp_path)
    metadata = folder / f"{STEM}-METADATA.XML"
    with metadata.open("r+b") as file:
        file.truncate(MAX_METADATA + 1)
    path = folder
    if packed:
        path = tmp_path / "product.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for item in folder.iterdir():
                archive.write(item, item.name)
        assert path.stat().st_size < 10**6
    error = refused(path)
    assert (error.code, "has 16777217 bytes; metadata of at most 16777216" in error.message) == (
        "bad_product",
        True,
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<widthOfOrthoScene>4<", "<widthOfOrthoScene>4.5<", "widthOfOrthoScene is '4.5'"),
        ("<widthOfOrthoScene>4<", "<widthOfOrthoScene>-4<", "widthOfOrthoScene is '-4'"),
        ("<widthOfOrthoScene>4<", f"<widthOfOrthoScene>{'9' * 5000}<", "no number of pixels"),
        ("<GainOfBand>0.0001<", "<GainOfBand>much<", "GainOfBand of band 1 is 'much'"),
        ("<level_X>", "<!DOCTYPE a [<!ENTITY b 'c'>]><level_X>", "declares a document type"),
        ("<level_X>", "<?xml version='1.0' encoding='klingon'?><level_X>", "not well-formed XML"),
        ("<level_X>", "<level_X><", "not well-formed XML"),
    ],
)
def test_metadata_of_enmap_that_is_no_such_thing(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    folder = write_enmap(tmp_path)
    metadata = folder / f"{STEM}-METADATA.XML"
    assert old in metadata.read_text()
    metadata.write_text(metadata.read_text().replace(old, new, 1))
    error = refused(folder)
    assert error.code == "bad_product"
    assert says in error.message


def test_a_document_type_is_refused_in_every_encoding(tmp_path: Path) -> None:
    folder = write_enmap(tmp_path)
    metadata = folder / f"{STEM}-METADATA.XML"
    bomb = f"<!DOCTYPE a [<!ENTITY b 'c'>]>{metadata.read_text()}"
    metadata.write_bytes(f"<?xml version='1.0' encoding='UTF-16'?>{bomb}".encode("utf-16"))
    assert "declares a document type" in refused(folder).message


@pytest.mark.parametrize("text", ["4.0", "", "abc", "nan", "1e999"])
def test_a_cover_that_is_no_number_tells_nothing(tmp_path: Path, text: str) -> None:
    folder = write_enmap(tmp_path)
    metadata = folder / f"{STEM}-METADATA.XML"
    metadata.write_text(metadata.read_text().replace(">12<", f">{text}<"))
    found = parse_metadata(metadata.read_bytes(), metadata.name).cover_percent
    assert found == ({"cloudCover": 4.0} if text == "4.0" else {})


# --- PRISMA and EMIT ---


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"L2ScaleVnirMax": np.float32("nan")}, "L2ScaleVnirMin is -0.0625, Max nan"),
        ({"L2ScaleSwirMax": np.float32("inf")}, "L2ScaleSwirMin is 0, Max inf"),
        ({"L2ScaleSwirMax": np.float32(0)}, "L2ScaleSwirMin is 0, Max 0"),
        ({"List_Fwhm_Vnir": np.array([12.0], np.float32)}, "3 wavelengths and 1 FWHM"),
        ({"List_Cw_Swir": np.ones(9, np.float32)}, "9 wavelengths and 4 FWHM"),
        (
            {
                "List_Cw_Swir": np.ones(9, np.float32),
                "List_Fwhm_Swir": np.ones(9, np.float32),
            },
            r"Swir cube has the shape \(4, 4, 5\) for 9 wavelengths",
        ),
        ({"Epsg_Code": np.bytes_("UTM")}, "cannot be understood: could not convert"),
        ({"Epsg_Code": np.float64("nan")}, "cannot be understood: cannot convert float NaN"),
        ({"L2ScaleVnirMin": np.bytes_("low")}, "cannot be understood"),
        ({"List_Cw_Vnir": np.bytes_("972 500 0")}, "cannot be understood"),
    ],
)
def test_prisma_attributes_that_contradict(tmp_path: Path, changes: Any, says: str) -> None:
    write_prisma(tmp_path / "x.he5", **changes)
    error = refused(tmp_path / "x.he5")
    assert error.code == "bad_product"
    with pytest.raises(HyperKDError, match=says):
        raise error


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (4, 4, 5, 1)])
def test_prisma_cubes_of_other_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    write_prisma(tmp_path / "x.he5")
    with h5py.File(tmp_path / "x.he5", "r+") as file:
        name = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/SWIR_Cube"
        del file[name]
        file[name] = np.ones(shape, np.uint16)
    error = refused(tmp_path / "x.he5")
    assert (error.code, "contradicts itself" in error.message) == ("bad_product", True)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("location/glt_x", np.ones(4, np.int32), r"glt_x (4,), glt_y (3, 4)"),
        ("location/glt_x", np.ones((2, 4), np.int32), r"glt_x (2, 4), glt_y (3, 4)"),
        ("reflectance", np.ones((6, 5), np.float32), r"reflectance has the shape (6, 5)"),
        ("sensor_band_parameters/good_wavelengths", np.ones(3, np.uint8), "shape (3,) for 4 bands"),
        ("sensor_band_parameters/fwhm", np.ones(9, np.float32), "fwhm has the shape (9,)"),
        ("sensor_band_parameters/fwhm", np.array([b"abc"] * 4), "holds no plain numbers"),
    ],
)
def test_emit_arrays_that_contradict(tmp_path: Path, name: str, value: Any, says: str) -> None:
    path = tmp_path / "x.nc"
    write_emit(path, TABLE, TABLE)
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = value
    error = refused(path)
    assert error.code == "bad_product"
    assert says in error.message


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("geotransform", np.full(6, np.nan), "geotransform of 6 numbers"),
        ("geotransform", np.zeros(5), "geotransform of 5 numbers"),
        ("geotransform", b"a", "cannot be understood"),
        ("spatial_ref", 3.0, "reference system '3.0' is unknown"),
        ("spatial_ref", b"EPSG:4326", "reference system 'EPSG:4326' is unknown"),
        ("spatial_ref", b"/etc/passwd", "reference system '/etc/passwd' is unknown"),
    ],
)
def test_emit_attributes_that_contradict(tmp_path: Path, name: str, value: Any, says: str) -> None:
    path = tmp_path / "x.nc"
    write_emit(path, TABLE, TABLE)
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
    error = refused(path)
    assert error.code == "bad_product"
    assert says in error.message


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
@pytest.mark.parametrize("name", ["x.he5", "x.nc", "x.tif", "scene.tif.aux.xml", "scene.hdr"])
def test_a_pipe_in_a_files_place_is_refused_at_once(tmp_path: Path, name: str) -> None:
    make_raster(tmp_path / "scene.tif")
    os.mkfifo(tmp_path / name)
    path = tmp_path / ("scene.tif" if name.startswith("scene") else name)
    code = "import sys\nfrom hyperkd.cli import main\nsys.exit(main(['info', sys.argv[1]]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, timeout=60, text=True
    )
    assert done.returncode == 3
    assert f"{tmp_path / name} is a pipe or a device, not a file." in done.stderr


# --- texts ---


def test_text_is_utf8_else_latin1_and_can_always_be_written() -> None:
    texts = Texts("a.hdr")
    assert texts.read("Grünland") == "Grünland"
    assert texts.read("Grünland".encode()) == "Grünland"
    assert texts.read(None) == ""
    assert texts.notes == ()
    assert texts.read("Gr\udcfcnland") == "Grünland"
    assert texts.read(b"\xb5m") == "µm"
    assert texts.read("\ud800") == "?"
    assert texts.notes == (
        "Text of a.hdr is not UTF-8 and was read as Latin-1, for instance 'Grünland'.",
    )


def test_an_envi_header_in_latin1_is_read_and_told(tmp_path: Path) -> None:
    path = make_envi(tmp_path / "scene.bsq", data=spectra(dtype="int16"))
    header = Path(f"{path}.hdr")
    content = header.read_text() + "description = {Aufnahme über Grünland}\n"
    header.write_bytes(content.encode("latin-1"))
    with open_raster(str(path)) as source:
        (note,) = (each for each in source.problems if each.code == "text_not_utf8")
        assert "not UTF-8 and was read as Latin-1" in note.message
    found = info(InfoJob(path=str(path)), SilentReport())
    json.dumps(found, ensure_ascii=False).encode("utf-8")


def test_class_names_of_a_raster_in_latin1(tmp_path: Path) -> None:
    from hyperkd.raster.gdal.legend import read_legend

    path = make_envi(tmp_path / "classes.bsq", data=np.ones((1, 5, 7), np.uint8), wavelengths=None)
    header = Path(f"{path}.hdr")
    content = header.read_text().replace("ENVI Standard", "ENVI Classification")
    content += "classes = 2\nclass lookup = {0,0,0, 0,139,0}\nclass names = {Nichts, Grünland}\n"
    header.write_bytes(content.encode("latin-1"))
    legend = read_legend(str(path))
    assert legend.names == {0: "Nichts", 1: "Grünland"}
    assert "read as Latin-1" in legend.notes[0]


def test_labels_in_latin1_are_read_and_told_before_any_training(tmp_path: Path) -> None:
    from hyperkd.evaluation.label_overview import overview

    def places(row: int) -> str:
        return ", ".join(f"{366015 + 30 * col} {5809985 - 30 * row}" for col in range(4))

    scene = make_raster(tmp_path / "scene.tif")
    path = Path(
        make_vector(
            tmp_path / "labels.shp",
            [
                (f"MULTIPOINT({places(0)})", {"class": "Ackerland"}),
                (f"MULTIPOINT({places(2)})", {"class": "Wasser"}),
            ],
            {"class": "text"},
            driver="ESRI Shapefile",
            geometry=ogr.wkbMultiPoint,
        )
    )
    table = path.with_suffix(".dbf")
    content = bytearray(table.read_bytes().replace(b"Ackerland", b"Gr\xfcnland "))
    content[29] = 0
    table.write_bytes(content)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    report = SilentReport()
    with_scene = overview(
        LabelsJob(input=(str(scene),), labels=(str(path),), task="classification"), report
    )
    assert {item["name"] for item in with_scene["classes"]} == {"Grünland", "Wasser"}
    assert "labels.shp is not UTF-8 and was read as Latin-1" in with_scene["text"]
    assert any("was read as Latin-1" in message for _, message in report.logs)
    json.dumps(with_scene["classes"], ensure_ascii=False).encode("utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such name")
@pytest.mark.parametrize("name", [b"sc\xe8ne.tif", b"sc\xe8ne.gpkg"])
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path, name: bytes) -> None:
    source = make_raster(tmp_path / "scene.tif")
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    shutil.copy(source, path)
    with pytest.raises(HyperKDError, match=r"sc\\udce8ne.* is not UTF-8") as caught:
        open_raster(path)
    assert (caught.value.code, caught.value.hint) == ("unreadable_raster", "Rename the file.")


# --- labels ---


def test_what_stands_in_the_log_of_a_geopackage_only_is_read(tmp_path: Path) -> None:
    from hyperkd.raster.gdal.vector_pixels import VectorLayer

    path = Path(
        make_vector(tmp_path / "a.gpkg", [("POINT(1 2)", {"class": "old"})], {"class": "text"})
    )
    script = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1])\n"
        "for name, in database.execute(\"SELECT name FROM sqlite_master WHERE type = 'trigger'\""
        ").fetchall():\n    database.execute(f'DROP TRIGGER \"{name}\"')\n"
        "database.execute('PRAGMA journal_mode = WAL')\n"
        "database.execute(\"UPDATE labels SET class = 'new'\")\n"
        "database.commit()\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    with VectorLayer(str(path)) as layer:
        assert [feature.GetField("class") for feature in layer._read()] == ["new"]
    path.with_name("a.gpkg-wal").write_bytes(b"no log at all" * 100)
    with VectorLayer(str(path)) as layer:
        assert [feature.GetField("class") for feature in layer._read()] == ["old"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE gpkg_geometry_columns SET geometry_type_name = 'NONE'", None),
        ("UPDATE gpkg_contents SET table_name = 'gone'", None),
        ("DELETE FROM gpkg_geometry_columns", None),
        ("DROP TABLE labels", None),
        ("UPDATE labels SET geom = x'00'", None),
    ],
)
def test_damaged_geopackages_end_in_a_code(tmp_path: Path, change: str, says: Any) -> None:
    from hyperkd.evaluation.label_overview import overview

    scene = make_raster(tmp_path / "scene.tif")
    path = make_vector(tmp_path / "a.gpkg", [("POINT(1 2)", {"class": "a"})], {"class": "text"})
    database = sqlite3.connect(path)
    database.execute("PRAGMA writable_schema = ON")
    database.execute("PRAGMA foreign_keys = OFF")
    for (name,) in database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        database.execute(f'DROP TRIGGER "{name}"')
    database.execute(change)
    database.commit()
    database.close()
    with pytest.raises(HyperKDError) as caught:
        overview(
            LabelsJob(input=(str(scene),), labels=(path,), task="classification"), SilentReport()
        )
    assert caught.value.code in ("bad_labels", "no_labels")
    assert caught.value.message


def test_a_gml_is_refused_with_what_to_do(tmp_path: Path) -> None:
    from hyperkd.raster.gdal.vector_layers import is_vector

    path = tmp_path / "labels.gml"
    path.write_text('<gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml"/>')
    with pytest.raises(HyperKDError, match="is a file of the format GML, which is closed") as found:
        is_vector(str(path))
    assert found.value.code == "bad_labels"
    assert "ogr2ogr -f GPKG OUT.gpkg IN" in found.value.hint
