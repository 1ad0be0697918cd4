from __future__ import annotations

import json

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.inference import prepared
from hyperkd.inference.predict import predict, predict_at
from hyperkd.raster.memory import MemoryRaster
from hyperkd.requests.predict_options import PredictJob
from hyperkd.requests.shared_options import TileOptions
from hyperkd.types import GridSpec
from tests.engine.inference_factories import Recorder, band_table, make_model, make_student

gdal = pytest.importorskip("osgeo.gdal")

GEOTRANSFORM = (368000.0, 30.0, 0.0, 5800000.0, 0.0, -30.0)


def raster(height, width, seed=0, holes=0.1):
    generator = np.random.default_rng(seed)
    data = generator.integers(-200, 9000, (5, height, width)).astype(np.int16)
    hole = generator.random((height, width)) < holes
    hole[0, 0] = False
    data[:, hole] = -32768
    grid = GridSpec(width, height, GEOTRANSFORM)
    source = MemoryRaster(data, band_table(), grid, path="/far/away/scene.tif", block_shape=(8, 16))
    return source, data, hole


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the job on a raster in memory; outputs are named after their fields."""

    def call(source, model, *, report=None, **fields):
        monkeypatch.setattr(prepared, "open_scene", lambda path, options, report: source)
        defaults = {
            "probabilities": None,
            "probability_type": "uint8",
            "uncertainty": None,
            "overlap": None,
            "batch": 3,
            "device": "cpu",
        }
        return predict(
            PredictJob(
                input="scene",
                output=str(tmp_path / "map.tif"),
                model=model,
                **{**defaults, **fields},
            ),
            report or Recorder(),
        )

    return call


def read(path):
    """Return the data set (to look at its metadata) and its stored values."""
    dataset = gdal.Open(str(path))
    kind = dataset.GetRasterBand(1).DataType
    dtype = {gdal.GDT_Float32: np.float32, gdal.GDT_Byte: np.uint8}[kind]
    values = np.frombuffer(dataset.ReadRaster(), dtype)
    return dataset, values.reshape(dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize)


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=0))
    return shares / shares.sum(axis=0)


class Dying:
    """A card that computes as the CPU does, until it falls off the bus."""

    device, provider = "cuda", "CUDAExecutionProvider"

    def __init__(self, session, left):
        self.session, self.left, self.tiles = session, left, 0

    def run(self, pixels, valid):
        if self.left == 0:
            raise HyperKDError("bad_model", "onnxruntime cannot run it: CUDA error 700.")
        self.left -= 1
        self.tiles += len(pixels)
        return self.session.run(pixels, valid)


def test_a_device_that_fails_in_the_middle_loses_nothing_that_was_finished(
    run, tmp_path, monkeypatch
):
    from hyperkd.inference.backends import onnxruntime_backend as backend

    mixing = np.random.default_rng(5).normal(size=(7, 5, 3, 3))
    weight = np.random.default_rng(6).normal(size=(4, 7))
    model = make_model(tmp_path / "model.onnx", mixing=mixing, weight=weight)
    source, _, _ = raster(40, 60)
    run(source, model)
    expected = read(tmp_path / "map.tif")[1].copy()
    opened, computed, real = [], [], backend.open_session

    def open_session(network, device="cpu", threads=None):
        session = real(network, "cpu", threads)
        if device == "cuda":  # the first one repeats the self-test
            opened.append(Dying(session, left=1 if not opened else 4))
            return opened[-1]

        class Counted:
            device, provider = session.device, session.provider

            def run(self, pixels, valid):
                computed.append(len(pixels))
                return session.run(pixels, valid)

        return Counted()

    monkeypatch.setattr(backend, "open_session", open_session)
    monkeypatch.setattr(backend, "offered_devices", lambda: ("cuda", "cpu"))
    report = Recorder()
    summary = run(source, model, report=report, device="cuda")
    np.testing.assert_array_equal(read(tmp_path / "map.tif")[1], expected)
    assert opened[-1].tiles > 0
    assert opened[-1].tiles + sum(computed) == summary["tiles"]
    assert summary["provider"] == "CPUExecutionProvider"
    warnings = [message for level, message in report.logs if level == "warning"]
    assert any("CUDA error 700); the job continues on the CPU" in text for text in warnings)


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (21, 34)])
def test_the_class_is_that_of_the_largest_logit_plus_one(run, tmp_path, shape):
    source, data, hole = raster(*shape)
    summary = run(source, make_model(tmp_path / "m.onnx"))
    dataset, (classes,) = read(tmp_path / "map.tif")
    expected = data.argmax(axis=0) + 1
    expected[hole] = 0
    np.testing.assert_array_equal(classes, expected)
    assert dataset.GetGeoTransform() == GEOTRANSFORM
    band = dataset.GetRasterBand(1)
    assert band.GetNoDataValue() == 0
    assert band.GetColorTable().GetColorEntry(3) == (255, 128, 0, 255)
    names = ["no data", *(f"class {i}" for i in range(5))]
    assert band.GetRasterCategoryNames() == names
    labels = [band.GetDefaultRAT().GetValueAsString(row, 6) for row in range(6)]
    assert labels == ["", "0", "10", "20", "30", "40"]
    assert summary["task"] == "classification"
    counts = np.bincount(expected.ravel(), minlength=6)[1:]
    assert summary["classes"] == dict(zip(names[1:], counts.tolist()))


def test_logits_are_blended_before_the_decision(run, tmp_path):
    """Two tiles disagree in their overlap; the mean of their classes would be a third one."""
    weight = np.array([[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0], [0, 0, 1.0, 0, 0]])
    mixing = np.random.default_rng(5).normal(size=(5, 5, 3, 3))
    model = make_model(tmp_path / "m.onnx", mixing=mixing, weight=weight)
    source, _, hole = raster(8, 13)
    run(source, model, overlap=3)
    (classes,) = read(tmp_path / "map.tif")[1]
    rows, cols = np.nonzero(np.ones((8, 13)))
    logits = predict_at(
        source, model, (rows, cols), options=TileOptions(overlap=3, device="cpu"), report=Recorder()
    )
    expected = logits.argmax(axis=1).reshape(8, 13) + 1
    expected[hole] = 0
    np.testing.assert_array_equal(classes, expected)


@pytest.mark.parametrize("temperature", [1.0, 0.05])
def test_probabilities_are_the_softmax_of_logits_over_temperature(run, tmp_path, temperature):
    source, data, hole = raster(19, 9)
    model = make_model(tmp_path / "m.onnx", temperature=temperature)
    path = tmp_path / "p.tif"
    report = Recorder()
    run(source, model, probabilities=str(path), probability_type="float32", report=report)
    expected = softmax(data * 1e-4 / temperature)
    dataset, values = read(path)
    np.testing.assert_allclose(values[:, ~hole], expected[:, ~hole], rtol=2e-5)
    assert np.isnan(values[:, hole]).all()
    assert dataset.GetRasterBand(2).GetDescription() == "probability of class 1"
    settings = json.loads(dataset.GetMetadataItem("HYPERKD_SETTINGS"))
    assert settings == {"overlap": 2, "temperature": temperature}
    assert report.artifacts == [("output", str(tmp_path / "map.tif")), ("probabilities", str(path))]

    run(source, model, probabilities=str(path))
    dataset, stored = read(path)
    band = dataset.GetRasterBand(5)
    assert (band.GetScale(), band.GetOffset(), band.GetNoDataValue()) == (0.004, 0.0, 255)
    np.testing.assert_allclose(stored[:, ~hole] * 0.004, expected[:, ~hole], atol=0.0021)
    assert (stored[:, hole] == 255).all()


def test_uncertainty_is_margin_and_entropy(run, tmp_path):
    source, data, hole = raster(19, 9)
    data[:, 3, 3] = 4000  # all classes alike
    data[:, 4, 4], data[2, 4, 4] = -32000, 32000
    hole[3, 3] = hole[4, 4] = False
    run(source, make_model(tmp_path / "m.onnx", temperature=0.01), uncertainty=str(tmp_path / "u"))
    dataset, values = read(tmp_path / "u")
    shares = softmax(data * 1e-2)
    ordered = np.sort(shares, axis=0)
    np.testing.assert_allclose(values[0][~hole], (ordered[-1] - ordered[-2])[~hole], atol=1e-4)
    terms = np.where(shares > 0, shares * np.log(np.maximum(shares, 1e-300)), 0)
    entropy = -terms.sum(axis=0) / np.log(5)
    np.testing.assert_allclose(values[1][~hole], entropy[~hole], atol=1e-4)
    assert values[:, 3, 3] == pytest.approx([0.0, 1.0], abs=1e-5)
    assert values[:, 4, 4] == pytest.approx([1.0, 0.0], abs=1e-5)
    assert np.isnan(values[:, hole]).all()
    assert dataset.GetRasterBand(1).GetDescription() == "margin (0 undecided, 1 certain)"
    assert dataset.GetRasterBand(2).GetDescription() == "entropy (0 certain, 1 undecided)"


def test_regression_writes_values_with_names_units_and_what_lies_beyond_training(run, tmp_path):
    weight = np.array([[2.0, 0, 0, 0, 0], [0, 0, -1.0, 0, 0.5]])
    model = make_model(
        tmp_path / "m.onnx", task="regression", weight=weight, bias=np.array([-3.0, 0.25])
    )
    source, data, hole = raster(14, 25)
    summary = run(source, model)
    dataset, values = read(tmp_path / "map.tif")
    expected = np.stack([2e-4 * data[0] - 3, 1e-4 * (0.5 * data[4] - data[2]) + 0.25])
    np.testing.assert_allclose(values[:, ~hole], expected[:, ~hole], atol=1e-5)
    assert np.nanmin(values) < -1
    assert np.isnan(values[:, hole]).all()
    bands = [dataset.GetRasterBand(number) for number in (1, 2)]
    assert [band.GetDescription() for band in bands] == ["biomass", "water"]
    assert [band.GetUnitType() for band in bands] == ["t/ha", "g/cm2"]
    beyond = ((expected < 0) | (expected > 0.5))[:, ~hole].mean(axis=1)
    assert summary["beyond_training_range"] == {
        "biomass": pytest.approx(beyond[0], abs=1e-6),
        "water": pytest.approx(beyond[1], abs=1e-6),
    }
    assert 0 < beyond[1] < 1


@pytest.mark.parametrize("asked", ["probabilities", "uncertainty"])
def test_a_regression_has_neither_probabilities_nor_uncertainty(run, tmp_path, asked):
    model = make_model(tmp_path / "m.onnx", task="regression")
    message = f"toy is a regression model, which has no {asked}"
    with pytest.raises(HyperKDError, match=message) as caught:
        run(raster(9, 9)[0], model, **{asked: str(tmp_path / "x.tif")})
    assert caught.value.code == "bad_job"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_a_student_predicts_nothing(run, tmp_path):
    model = make_student(tmp_path / "s.onnx")
    message = "toy is a student: it gives embedding and reconstruction, not logits or"
    with pytest.raises(HyperKDError, match=message) as caught:
        run(raster(9, 9)[0], model)
    assert caught.value.code == "bad_model"


def test_a_failure_leaves_none_of_three_outputs(run, tmp_path):
    paths = {name: str(tmp_path / f"{name}.tif") for name in ("probabilities", "uncertainty")}
    model = make_model(tmp_path / "m.onnx")
    with pytest.raises(HyperKDError, match="cancelled") as caught:
        run(raster(40, 40)[0], model, report=Recorder(cancel_after=8), **paths)
    assert caught.value.code == "cancelled"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


# --- some pixels only -------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_values_at_pixels_are_those_of_the_map(run, tmp_path, task):
    mixing = np.random.default_rng(5).normal(size=(4, 5, 3, 3))
    model = make_model(tmp_path / "m.onnx", task=task, mixing=mixing)
    source, _, hole = raster(30, 41)
    outputs = {}
    if task == "classification":
        outputs = {"probabilities": str(tmp_path / "p.tif"), "probability_type": "float32"}
    run(source, model, **outputs)
    generator = np.random.default_rng(1)
    rows, cols = generator.integers(0, 30, 60), generator.integers(0, 41, 60)
    values = predict_at(
        source, model, (rows, cols), options=TileOptions(batch=2, device="cpu"), report=Recorder()
    )
    assert values.shape == (60, 4)
    assert values.dtype == np.float32
    if task == "classification":
        expected = read(tmp_path / "p.tif")[1][:, rows, cols]
        values = softmax(values.T).T
    else:
        expected = read(tmp_path / "map.tif")[1][:, rows, cols]
    np.testing.assert_allclose(values.T, expected, rtol=0, atol=1e-6 * np.nanmax(np.abs(expected)))
    np.testing.assert_array_equal(np.isnan(values[:, 0]), hole[rows, cols])


def test_only_tiles_with_wanted_pixels_are_read_and_computed(tmp_path):
    source, _, _ = raster(100, 80, holes=0.0)
    report = Recorder()
    rows, cols = np.array([50, 99, 51]), np.array([3, 79, 3])
    predict_at(
        source,
        make_model(tmp_path / "m.onnx"),
        (rows, cols),
        options=TileOptions(overlap=2, device="cpu"),
        report=report,
    )
    assert report.progresses[-1] == (2, 2, "tiles")
    read = {row for window in source.windows for row in range(window.row, window.row_end)}
    assert read == set(range(32, 100)), "the pieces of 32 rows that the two tiles touch"


def test_a_pixel_outside_the_raster_is_a_mistake_of_the_caller(tmp_path):
    model = make_model(tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="1 pixel outside the raster"):
        predict_at(
            raster(9, 9)[0],
            model,
            ([0, 9], [0, 0]),
            options=TileOptions(device="cpu"),
            report=Recorder(),
        )
