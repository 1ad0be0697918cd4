"""Loading a model, matching it to a raster and opening it: each stage can be repeated."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.inference import prepared
from hyperkd.inference.anomaly import anomaly
from hyperkd.inference.cluster import cluster
from hyperkd.inference.pixel_values import values_at
from hyperkd.inference.predict import predict_at
from hyperkd.inference.prepared import load
from hyperkd.inference.scene_sample import sampled_tiles, sampled_vectors
from hyperkd.inference.similarity import similarity
from hyperkd.raster.memory import MemoryRaster
from hyperkd.requests.explore_options import AnomalyJob, ClusterJob, SimilarityJob
from hyperkd.requests.shared_options import InferenceOptions, TileOptions
from hyperkd.types import GridSpec
from tests.engine.inference_factories import TILE, band_table, make_model, make_student
from tests.factories import GEOTRANSFORM, UTM_33N, wkt
from tests.label_factories import make_vector, point
from tests.reports import SilentReport

CPU = InferenceOptions(device="cpu")
PIXELS = ([0, 3, 11], [0, 9, 13])


@pytest.fixture
def student(tmp_path: Path) -> str:
    """A student whose embedding is the reflectance."""
    return make_student(tmp_path / "toy.onnx", gain=0.9)


def raster(
    height: int, width: int, seed: int = 0, holes: float = 0.1, kind: Any = MemoryRaster
) -> Any:
    random = np.random.default_rng(seed)
    data = random.integers(500, 5000, (5, height, width)).astype(np.int16)
    data[:, random.random((height, width)) < holes] = -32768
    for row, col in zip(*PIXELS):
        data[:, row : row + 1, col : col + 1] = 1000 + seed
    grid = GridSpec(width, height, GEOTRANSFORM, wkt(UTM_33N))
    return kind(data, band_table(), grid, block_shape=(TILE, TILE))


def test_one_model_serves_two_rasters_and_one_match_two_runs(student: str) -> None:
    model, report = load(student), SilentReport()
    assert load(model) is model
    assert model.card.name == "toy"
    for seed in (1, 2):
        matched = model.match(raster(12, 20, seed), CPU, ["embedding"], report)
        for again in (True, False, False):  # what was released is read again
            found = values_at(matched, PIXELS, CPU, report, again=again)
            np.testing.assert_allclose(found, np.full((3, 5), (1000 + seed) * 1e-4), rtol=1e-6)


def test_the_graph_is_freed_while_the_network_computes_unless_it_is_needed_again(
    student: str,
) -> None:
    report = SilentReport()
    for again in (True, False):
        model = load(student)
        matched = model.match(raster(12, 20), CPU, ["embedding"], report)
        graph = weakref.ref(model.bundle())
        with matched.open(CPU, report, again=again) as run:
            assert run.network.provider == "CPUExecutionProvider"
            gc.collect()
            assert (graph() is not None) is again
            session = weakref.ref(run.network._opening.result())
            assert session() is not None
        gc.collect()
        assert session() is None


def test_a_file_that_was_replaced_while_its_model_was_in_use_is_refused(
    student: str, tmp_path: Path
) -> None:
    report = SilentReport()
    model = load(student)
    matched = model.match(raster(12, 20), CPU, ["embedding"], report)
    values_at(matched, PIXELS, CPU, report)
    shutil.copy(make_student(tmp_path / "other.onnx", gain=0.5), student)
    with pytest.raises(HyperKDError, match=r"toy\.onnx was replaced while it was in") as caught:
        values_at(matched, PIXELS, CPU, report)
    assert caught.value.code == "bad_model"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The model files that are opened while a job runs on a raster in memory."""
    found, real = [], prepared.open_bundle

    def open_bundle(path: Path) -> Any:
        found.append(path)
        return real(path)

    monkeypatch.setattr(prepared, "open_bundle", open_bundle)
    monkeypatch.setattr(prepared, "open_scene", lambda path, options, report: raster(24, 32))
    return found


def test_jobs_that_open_a_network_several_times_load_its_model_once(
    student: str, tmp_path: Path, opened: list[Path]
) -> None:
    places = make_vector(tmp_path / "p.gpkg", [(point(1.5, 0.5), {})], {})
    output, report = str(tmp_path / "o.tif"), SilentReport()
    common: dict[str, Any] = {"input": "s", "output": output, "model": student, "device": "cpu"}
    similarity(SimilarityJob(**common, places=str(places)), report)
    assert report.stages == [
        "Opening",
        "Sampling the scene",
        "Embedding the places",
        "Comparing",
    ]
    assert len(opened) == 1
    cluster(ClusterJob(**common, classes=3), report)
    anomaly(AnomalyJob(**common), report)
    assert [path.name for path in opened] == ["toy.onnx"] * 3
    assert report.stages[-2:] == ["Estimating background statistics", "Looking for anomalies"]


def test_a_loaded_model_stays_loaded_when_pixels_are_asked_for(
    tmp_path: Path, opened: list[Path]
) -> None:
    path = make_model(tmp_path / "model.onnx")
    model, options = load(path), TileOptions(device="cpu")
    found = [
        predict_at(raster(12, 20), each, PIXELS, options=options, report=SilentReport())
        for each in (model, model, path)
    ]
    assert len(opened) == 2
    for values in found:
        np.testing.assert_array_equal(values, found[0])


def test_the_sample_of_a_scene_smaller_than_a_tile_is_of_its_own_pixels(student: str) -> None:
    source = raster(5, 6, holes=0.3)
    matched = load(student).match(source, CPU, ["embedding"], SilentReport())
    (tile,) = sampled_tiles(matched, CPU, SilentReport())
    assert tile.output.shape == (5, 5, 6)
    valid = source._data[0] != -32768
    np.testing.assert_array_equal(tile.valid, valid)
    vectors = sampled_vectors(matched, CPU, SilentReport(), seed=0, most=1000)
    np.testing.assert_allclose(vectors, source._data[:, valid].T * 1e-4, rtol=1e-6)


class Damaged(MemoryRaster):
    """A raster whose second row of blocks cannot be read."""

    def read_tile(self, window: Any, bands: Any = None, out: Any = None) -> Any:
        if window.row_end > TILE and window.row < 2 * TILE:
            raise HyperKDError("unreadable_raster", f"scene.tif cannot be read at {window}.")
        return super().read_tile(window, bands, out)


def test_a_sample_and_single_pixels_leave_out_what_cannot_be_read_where_that_is_asked_for(
    student: str,
) -> None:
    source, report = raster(24, 32, holes=0, kind=Damaged), SilentReport()
    model = load(student)
    matched = model.match(source, CPU, ["embedding"], report)
    with pytest.raises(HyperKDError, match="cannot be read") as caught:
        list(sampled_tiles(matched, CPU, report))
    assert caught.value.code == "unreadable_raster"
    skipping = InferenceOptions(device="cpu", unreadable="nodata")
    matched = model.match(source, skipping, ["embedding"], report)
    assert {tile.window.row for tile in sampled_tiles(matched, skipping, report)} == {0, 16}
    found = values_at(matched, PIXELS, skipping, report)
    assert np.isfinite(found[:2]).all() and np.isnan(found[2]).all()
