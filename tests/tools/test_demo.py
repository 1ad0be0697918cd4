"""The demo from end to end: a scene through ``qgis_process`` to layers and a map."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools import demo, machine
from tools.machine import Interpreter, SetupError

gdal = pytest.importorskip("osgeo.gdal", reason="this interpreter has no GDAL")
# By row and column: in how many colours at least the middle of each panel is drawn. A map of
# covers has one for each cover.
LAYERS = {"fractions": 8, "dominant": 1, "composite": 3, "embedding": 16, "error": 2}
PANELS = ((50, 2, 20), (20, 50, 50))


@pytest.fixture(scope="module")
def qgis() -> Interpreter:
    found, passed_by = machine.find_interpreter()
    if found is None or machine.find_qgis_process(found) is None:
        pytest.skip(f"no QGIS here: {passed_by}")
    return found


@pytest.fixture(scope="module")
def result(qgis: Interpreter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a demo of a scene that is not a multiple of the tile."""
    folder = tmp_path_factory.mktemp("demo with a space")
    scene = folder / "my scene.tif"
    size = ["--width", "90", "--height", "70", "--seed", "3", "--no-truth"]
    subprocess.run(
        [sys.executable, "-I", str(demo.ROOT / "engine"), "synth", "--output", str(scene), *size],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    (folder / "before").write_bytes(scene.read_bytes())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(demo, "PROFILE", folder / "profile")
        assert demo.run_demo(qgis, Path(sys.executable), scene, folder / "out") == 0
    return folder


def opened(path: Path) -> Any:
    return gdal.OpenEx(str(path), gdal.OF_RASTER | gdal.OF_VERBOSE_ERROR)


def valid(dataset: Any, band: int = 1) -> Any:
    found = dataset.GetRasterBand(band)
    values, nodata = found.ReadAsArray(), found.GetNoDataValue()
    return ~np.isnan(values) & ((values != nodata) if nodata is not None else True)


@pytest.mark.slow
@pytest.mark.qgis
@pytest.mark.parametrize(("name", "bands"), LAYERS.items())
def test_layers_have_the_grid_and_the_nodata_of_the_scene(
    result: Path, name: str, bands: int
) -> None:
    scene, layer = opened(result / "my scene.tif"), opened(result / "out" / f"{name}.tif")
    assert (layer.RasterXSize, layer.RasterYSize, layer.RasterCount) == (90, 70, bands)
    assert layer.GetGeoTransform() == scene.GetGeoTransform()
    assert layer.GetSpatialRef().IsSame(scene.GetSpatialRef())
    inside = valid(scene)
    assert 0 < inside.sum() < inside.size
    for band in range(1, bands + 1):
        np.testing.assert_array_equal(valid(layer, band), inside)


@pytest.mark.slow
@pytest.mark.qgis
def test_the_scene_stays_as_it_was_with_nothing_new_beside_it(result: Path) -> None:
    assert (result / "my scene.tif").read_bytes() == (result / "before").read_bytes()
    assert sorted(path.name for path in result.iterdir()) == [
        "before",
        "my scene.tif",
        "out",
        "profile",
    ]


@pytest.mark.slow
@pytest.mark.qgis
def test_the_map_shows_a_picture_in_each_of_its_panels(result: Path) -> None:
    pixels = opened(result / "out" / "map.png").ReadAsArray()[:3]
    height, width = pixels.shape[1:]
    # The middle of a panel is inside the scene, whatever its shape.
    for row, least_of_row in enumerate(PANELS):
        middle = int(height * (0.29, 0.74)[row])
        for number, least in enumerate(least_of_row):
            centre = int(width * (number + 0.5) / len(least_of_row))
            patch = pixels[:, middle - 60 : middle + 60, centre - 100 : centre + 100]
            colours = np.unique(patch.reshape(3, -1), axis=1).shape[1]
            assert colours >= least, f"panel {number + 1} of row {row + 1}: {colours} colours"


@pytest.mark.slow
@pytest.mark.qgis
def test_few_labels_make_a_map_with_its_accuracy(
    qgis: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(demo, "PROFILE", tmp_path / "profile")
    monkeypatch.setattr(demo, "SCENE_PX", 96)
    assert demo.run_demo(qgis, Path(sys.executable), None, tmp_path / "out", labels=True) == 0
    told = capsys.readouterr().out
    assert "on held-out labels; the best classical model, " in told
    labels, classes = (opened(tmp_path / "out" / f"{n}.tif") for n in ("labels", "classes"))
    counts = np.bincount(labels.ReadAsArray().ravel())[1:]
    assert set(counts[counts > 0]) == {40}
    found = set(np.unique(classes.ReadAsArray()))
    # One more than the classes that have labels: no data.
    assert len(found) == np.count_nonzero(counts) + 1


@pytest.mark.slow
@pytest.mark.qgis
def test_a_raster_that_is_refused_ends_the_demo_with_its_code(
    qgis: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raster = tmp_path / "photo.tif"
    gdal.GetDriverByName("GTiff").Create(str(raster), 8, 8, 3).FlushCache()
    monkeypatch.setattr(demo, "PROFILE", tmp_path / "profile")
    with pytest.raises(SetupError, match=r"\[no_wavelengths\] .*photo.tif"):
        demo.run_demo(qgis, Path(sys.executable), raster, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_raster_that_does_not_exist_is_named(tmp_path: Path, qgis: Interpreter) -> None:
    with pytest.raises(SetupError, match=r"There is no raster .*none\.tif"):
        demo.run_demo(qgis, Path(sys.executable), tmp_path / "none.tif", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_demo_never_replaces_its_input(
    tmp_path: Path, qgis: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "PROFILE", tmp_path / "profile")
    raster = tmp_path / "error.tif"
    raster.write_bytes(b"the user's")
    with pytest.raises(SetupError, match=r"would replace its input .*error\.tif"):
        demo.run_demo(qgis, Path(sys.executable), raster, tmp_path)
    assert raster.read_bytes() == b"the user's"


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path, qgis: Interpreter) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(SetupError, match=r"out cannot be the folder of the layers: File exists"):
        demo.run_demo(qgis, Path(sys.executable), None, tmp_path / "out")
