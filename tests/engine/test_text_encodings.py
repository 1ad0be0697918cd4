"""Text in files that is not UTF-8: read as Latin-1 and told, wherever it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.jobs.info import info
from hyperkd.raster.gdal.legend import read_legend
from hyperkd.raster.gdal.vector_layers import layer_paths
from hyperkd.raster.gdal.vector_pixels import VectorLayer
from hyperkd.raster.open_raster import open_raster
from hyperkd.requests.prepare_options import InfoJob
from tests.factories import WAVELENGTHS_NM, make_envi, make_raster, make_vrt
from tests.label_factories import make_classes, make_scene, make_vector, read, square
from tests.reports import SilentReport

MARK, WORD, LATIN = "Gr@nland", "Grünland", "Grünland".encode("latin-1")
UM = [value / 1000 for value in WAVELENGTHS_NM]


def spoil(path: Path) -> Path:
    """Put Latin-1 in the place of the mark in a file; the number of bytes stays."""
    content = path.read_bytes()
    assert MARK.encode() in content
    path.write_bytes(content.replace(MARK.encode(), LATIN))
    return path


def headed(path: Path, **knobs: Any) -> Path:
    made = make_envi(path / "scene.bsq", **knobs)
    spoil(Path(f"{made}.hdr"))
    return made


def tagged(path: Path, **knobs: Any) -> Path:
    return spoil(make_raster(path / "scene.tif", **knobs))


def micro(path: Path) -> Path:
    made = make_envi(path / "scene.bsq", wavelengths=UM, units="µm")
    header = Path(f"{made}.hdr")
    header.write_bytes(header.read_text(encoding="utf-8").encode("latin-1"))
    return made


def names(path: Path) -> Path:
    listed = ", ".join(f"{MARK} {i}" for i in range(len(WAVELENGTHS_NM)))
    return headed(path, header=f"band names = {{{listed}}}")


def described(count: int) -> list[str]:
    return [f"{MARK} {i}" for i in range(count)]


SCENES: dict[str, Callable[[Path], Path]] = {
    "ENVI, description": lambda p: headed(p, header=f"description = {{{MARK}}}"),
    "ENVI, band names": names,
    "ENVI, a key of its own": lambda p: headed(p, header=f"{MARK} = 1"),
    "ENVI, sensor type": lambda p: headed(p, header=f"sensor type = {MARK}"),
    "ENVI, the unit of the wavelengths": micro,
    "TIFF, band names": lambda p: tagged(p, descriptions=described(len(WAVELENGTHS_NM))),
    "TIFF, a value": lambda p: tagged(p, metadata={"": {"place": MARK}}),
    "TIFF, a key": lambda p: tagged(p, metadata={"": {MARK: "1"}}),
    "TIFF, a domain": lambda p: tagged(p, metadata={MARK: {"place": "1"}}),
    "TIFF, a unit": lambda p: tagged(p, unit_type=MARK),
}


@pytest.mark.parametrize("name", SCENES)
def test_text_of_a_scene_is_read_as_latin1_and_told(name: str, tmp_path: Path) -> None:
    path = SCENES[name](tmp_path)
    with open_raster(str(path)) as source:
        np.testing.assert_allclose(source.bands.wavelengths.centre_nm, WAVELENGTHS_NM, rtol=1e-12)
        told = [each.message for each in source.problems if each.code == "text_not_utf8"]
        if "band names" in name:
            assert str(source.bands.names[0]).startswith(f"{WORD} 0")
    (sentence,) = told
    assert "is not UTF-8 and was read as Latin-1" in sentence
    assert (WORD in sentence) != (name == "ENVI, the unit of the wavelengths")
    found = info(InfoJob(path=str(path)), SilentReport())
    json.dumps(found, ensure_ascii=False).encode("utf-8")


def test_text_of_a_vrts_sources(tmp_path: Path) -> None:
    source = make_raster(tmp_path / "a.tif")
    dataset = gdal.Open(str(source), gdal.GA_Update)
    for number in range(1, dataset.RasterCount + 1):
        dataset.GetRasterBand(number).SetMetadataItem(MARK, "1")
    del dataset
    make_vrt(tmp_path / "a.vrt", [source])
    spoil(source)
    with open_raster(str(tmp_path / "a.vrt")) as opened:
        assert opened.bands.wavelengths.centre_nm.tolist() == list(WAVELENGTHS_NM)


# --- labels ---------------------------------------------------------------------------------


def shapes(path: Path, field: str, value: str) -> Path:
    made = make_vector(
        path / "labels.shp",
        [(square(1, 1, 3, 3), {field: value}), (square(6, 1, 3, 3), {field: "Wasser"})],
        {field: "text"},
        driver="ESRI Shapefile",
    )
    table = Path(made).with_suffix(".dbf")
    content = bytearray(table.read_bytes())
    content[29] = 0  # nothing is said of the encoding
    table.write_bytes(content)
    Path(made).with_suffix(".cpg").unlink(missing_ok=True)
    spoil(table)
    return Path(made)


def test_a_class_of_a_shapefile(tmp_path: Path) -> None:
    labels, _ = read(make_scene(), str(shapes(tmp_path, "class", MARK)))
    assert labels.class_counts() == {WORD: 9, "Wasser": 9}


def test_the_name_of_a_field(tmp_path: Path) -> None:
    path = str(shapes(tmp_path, MARK, "Acker"))
    with VectorLayer(path) as layer:
        assert layer.fields == {WORD: "text"}
        assert WORD in layer.notes[0]
    labels, _ = read(make_scene(), path, fields=WORD)
    assert labels.class_counts() == {"Acker": 9, "Wasser": 9}


def test_the_reference_system_of_a_shapefile(tmp_path: Path) -> None:
    path = make_vector(
        tmp_path / "a.shp",
        [(square(1, 1, 3, 3), {"class": "a"}), (square(6, 1, 3, 3), {"class": "b"})],
        {"class": "text"},
        driver="ESRI Shapefile",
    )
    system = Path(path).with_suffix(".prj")
    text = system.read_text().replace("WGS_1984_UTM_Zone_33N", MARK)
    system.write_text(text)
    spoil(system)
    with VectorLayer(path) as layer:
        layer.crs.encode("utf-8")
    labels, _ = read(make_scene(), path)
    assert labels.class_counts() == {"a": 9, "b": 9}


def test_the_name_of_a_layer(tmp_path: Path) -> None:
    path = Path(
        make_vector(
            tmp_path / "a.geojson",
            [(square(1, 1, 3, 3), {"class": "a"})],
            {"class": "text"},
            driver="GeoJSON",
            layer=MARK,
        )
    )
    spoil(path)
    assert layer_paths(str(path)) == [f"{path}|layername={WORD}"]


def legend_of(path: Path, **knobs: Any) -> Any:
    values = np.repeat(np.arange(1, 4, dtype=np.uint8), 16 * 4).reshape(12, 16)
    made = Path(make_classes(path / "classes.tif", values, **knobs))
    beside = Path(f"{made}.aux.xml")
    spoil(beside if beside.exists() else made)
    return read_legend(str(made))


def test_category_names(tmp_path: Path) -> None:
    legend = legend_of(tmp_path, names=["", MARK, "Wasser"])
    assert legend.names == {1: WORD, 2: "Wasser"}
    assert "is not UTF-8 and was read as Latin-1" in legend.notes[0]


def test_names_of_the_bands_of_a_label_raster(tmp_path: Path) -> None:
    legend = legend_of(tmp_path, bands=[MARK])
    assert legend.bands == (WORD,)
    assert len(legend.notes) == 1


def test_an_attribute_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GDAL 3.11 and newer would write it into the file itself.
    monkeypatch.setenv("GTIFF_WRITE_RAT_TO_PAM", "YES")
    made = make_classes(tmp_path / "a.tif", np.ones((12, 16), np.uint8))
    dataset = gdal.Open(made, gdal.GA_Update)
    table = gdal.RasterAttributeTable()
    table.CreateColumn("Value", gdal.GFT_Integer, gdal.GFU_MinMax)
    table.CreateColumn("Class", gdal.GFT_String, gdal.GFU_Name)
    table.SetValueAsInt(0, 0, 1)
    table.SetValueAsString(0, 1, MARK)
    dataset.GetRasterBand(1).SetDefaultRAT(table)
    del dataset
    spoil(Path(f"{made}.aux.xml"))
    legend = read_legend(made)
    assert legend.names == {1: WORD}
    assert WORD in legend.notes[0]
