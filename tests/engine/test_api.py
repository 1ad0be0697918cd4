"""The Python interface: ``import hyperkd``."""

from __future__ import annotations

import gc
import inspect
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

import hyperkd
from hyperkd import api
from hyperkd.errors import HyperKDError
from hyperkd.inference.predict import predict
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.sink import RasterSpec
from hyperkd.reporting import RecordingReporter
from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import job_fields
from hyperkd.requests.predict_options import PredictJob
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.types import GridSpec, Window
from tests.engine.inference_factories import make_model
from tests.reports import SilentReport
from tools import stub

HOLE = (3, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An EnMAP-like scene of 20 x 12 pixels, one of them without data."""
    bands = sensor_bands("enmap")
    values = np.random.default_rng(0).integers(100, 5000, (len(bands), 12, 20)).astype(np.int16)
    values[:, HOLE[0], HOLE[1]] = -32768
    values[~bands.good] = -32768
    grid = GridSpec(20, 12, (366000.0, 30.0, 0.0, 5810000.0, 0.0, -30.0))
    file = tmp_path / "scene.tif"
    with create_raster(
        str(file), RasterSpec(grid, len(bands), np.dtype(np.int16), nodata=-32768, bands=bands)
    ) as sink:
        sink.write(grid.window, values)
    return file


def child(code: str) -> str:
    """Run Python in a fresh process and return what it prints."""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stderr == ""
    return answer.stdout.strip()


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import hyperkd; dir(hyperkd); "
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}"
        " & {'numpy', 'osgeo', 'torch', 'onnx', 'onnxruntime', 'xarray'}))"
    )
    assert child(code) == "[]"


def test_importing_sets_one_variable() -> None:
    code = (
        "import os; os.environ.pop('ORT_DISABLE_TELEMETRY', None); before = dict(os.environ); "
        "import hyperkd, hyperkd.raster.open_raster, hyperkd.raster.gdal.reader; "
        "print(sorted(set(os.environ.items()) ^ set(before.items())))"
    )
    assert child(code) == "[('ORT_DISABLE_TELEMETRY', '1')]"


def test_every_public_name_is_there_and_typed() -> None:
    declared = stub.PATH.read_text(encoding="utf-8")
    for name in hyperkd.__all__:
        assert getattr(hyperkd, name) is not None
        assert name in declared, name
        # A submodule of this name would take its place as soon as it is imported.
        assert not (stub.PATH.parent / name).is_dir()
        assert not (stub.PATH.parent / f"{name}.py").exists()
    assert declared == stub.content()
    assert (stub.PATH.parent / "py.typed").is_file()
    with pytest.raises(AttributeError, match="has no attribute 'predikt'"):
        hyperkd.predikt  # noqa: B018


@pytest.mark.parametrize("function", api.CALLS)
def test_a_function_has_the_options_of_its_job(function: str) -> None:
    call = getattr(hyperkd, function)
    job = JOBS[api.CALLS[function][0]]
    parameters = dict(inspect.signature(call).parameters)
    assert parameters.pop("report").default is None
    assert set(parameters) == {api.name_of(field) for field in job_fields(job)}
    for field in job_fields(job):
        found = parameters[api.name_of(field)]
        if found.kind is found.KEYWORD_ONLY and field.name != "task":
            assert found.default == (found.empty if field.required else field.default)
        assert f"    {api.name_of(field)}: {field.help}" in call.__doc__


def test_every_job_that_is_no_matter_of_the_store_is_a_function() -> None:
    offered = {kind for kind, _ in api.CALLS.values()}
    assert offered == {kind for kind in JOBS if not kind.startswith("models_")}


def test_a_scene_shows_what_the_file_holds(path: Path) -> None:
    with hyperkd.open(path) as scene:
        assert scene.shape == (224, 12, 20)
        assert scene.wavelengths.shape == (224,) and 415 < scene.wavelengths[0] < 422
        window = Window(2, 1, 5, 4)
        stored = scene.to_numpy(window, [10, 11])
        assert stored.shape == (2, 4, 5) and stored.dtype == np.int16
        np.testing.assert_array_equal(stored, scene.to_numpy()[10:12, 1:5, 2:7])
        np.testing.assert_array_equal(stored, scene.to_numpy((2, 1, 5, 4), [10, 11]))
        valid = scene.valid()
        assert not valid[HOLE] and valid.sum() == 12 * 20 - 1
        reflectance = scene.reflectance()
        assert reflectance.dtype == np.float32
        assert np.isnan(reflectance[:, HOLE[0], HOLE[1]]).all()
        assert np.isnan(reflectance[~scene.bands.good]).all()
        good = np.flatnonzero(scene.bands.good)[0]
        np.testing.assert_allclose(
            reflectance[good][valid], scene.to_numpy()[good][valid] * 1e-4, rtol=1e-6
        )
        assert "224 bands" in repr(scene)


def test_what_was_said_when_a_scene_was_opened_holds_in_jobs(path: Path, tmp_path: Path) -> None:
    scene = hyperkd.open(path, scale=2e-4)
    assert hyperkd.info(scene)["scale"] == [2e-4]
    assert hyperkd.info(path)["scale"] == [1e-4]
    assert hyperkd.info(scene, scale=1e-4)["scale"] == [1e-4]  # said last
    for other in (hyperkd.open(path), path, hyperkd.open(path, scale=3e-4)):
        for scenes in ([scene, other], (other, scene)):
            with pytest.raises(HyperKDError, match="uses the same options for all") as caught:
                hyperkd.evaluate("m.onnx", scenes, "l.tif", report_folder=tmp_path)
            assert caught.value.code == "bad_job"
    with pytest.raises(HyperKDError, match="this job takes the file as it is"):
        hyperkd.import_product(scene, tmp_path / "i.tif")


def test_an_option_of_a_scene_is_checked_like_that_of_a_job(path: Path, tmp_path: Path) -> None:
    table = tmp_path / "bands.csv"
    table.write_text("wavelength_nm\n" + "".join(f"{400 + 9 * n}\n" for n in range(224)))
    assert hyperkd.open(path, bands=table).wavelengths[1] == 409.0
    with pytest.raises(HyperKDError, match="'scale' must be a finite number"):
        hyperkd.open(path, scale=float("nan"))
    model = hyperkd.load_model(make_model(tmp_path / "m.onnx"))
    scene = hyperkd.open(path)
    for options, message in (
        ({"device": "gpu"}, "'device' must be one of auto, cpu"),
        ({"batch": 0}, "'batch' must be at least 1, but is 0"),
        ({"btach": 1}, "There is no option 'btach' here"),
    ):
        with pytest.raises(HyperKDError, match=message) as caught:
            model.at(scene, [0], [0], **options)
        assert caught.value.code == "bad_job"
    with pytest.raises(ValueError, match="1 pixel outside the raster"):
        model.at(scene, [12], [0])


def test_numbers_of_numpy_and_iterators_are_values(path: Path, tmp_path: Path) -> None:
    made = hyperkd.simulate(
        tmp_path / "s.tif", width=np.int64(16), height=16, border=np.float64(0), truth=np.bool_(0)
    )
    assert made.files == {"output": tmp_path / "s.tif"}
    with pytest.raises(HyperKDError, match="There is no file|cannot be read|no labels") as caught:
        hyperkd.label_overview(tmp_path.glob("sc*.tif"), tmp_path / "none.gpkg")
    assert caught.value.code in ("bad_labels", "no_labels")
    with pytest.raises(HyperKDError, match="'width' must be a whole number"):
        hyperkd.simulate(tmp_path / "t.tif", width=object())


def test_a_scene_that_nobody_closed_can_be_written_again(path: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.tif"
    gdal.GetDriverByName("GTiff").Create(str(plain), 4, 4, 3).FlushCache()
    for _ in range(2):
        with pytest.raises(HyperKDError, match="says no wavelengths"):
            hyperkd.open(plain)
    hyperkd.simulate(plain, width=16, height=16, truth=False)
    copy = tmp_path / "copy.tif"
    shutil.copy(path, copy)
    assert hyperkd.open(copy).shape[0] == 224  # dropped without a close
    gc.collect()
    hyperkd.align(path, copy)


def test_a_description_in_a_vrt_names_no_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mosaic = tmp_path / "scene.vrt"
    gdal.Translate(str(mosaic), str(path), format="VRT").FlushCache()
    text = mosaic.read_text()
    assert "<Description>" in text or "<VRTRasterBand" in text
    described = text.replace("<ColorInterp>", "<Description>notes</Description>\n<ColorInterp>", 1)
    assert described != text
    mosaic.write_text(described)
    (tmp_path / "notes").write_text("not a raster")
    monkeypatch.chdir(tmp_path)
    with hyperkd.open(mosaic) as scene:
        assert scene.shape == (224, 12, 20)


def test_several_files_of_a_kind_are_kept() -> None:
    listener = RecordingReporter()
    for name in ("a.tif", "b.tif", "b.tif", "c.tif"):
        listener.artifact("map", name)
    assert listener.files == {"map": Path("a.tif"), "map#2": Path("b.tif"), "map#3": Path("c.tif")}


def test_a_map_from_python_is_that_of_the_job(path: Path, tmp_path: Path) -> None:
    model = hyperkd.load_model(make_model(tmp_path / "m.onnx"))
    result = hyperkd.predict(model, hyperkd.open(path), tmp_path / "a.tif", device="cpu")
    job = PredictJob(
        input=str(path), model=model.path, output=str(tmp_path / "b.tif"), device="cpu"
    )
    summary = predict(job, SilentReport())
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert result.classes == summary["classes"] == result["classes"]
    assert result.files == {"output": tmp_path / "a.tif"}
    assert "classes" in dir(result) and "output:" in repr(result)
    with pytest.raises(AttributeError, match="the result has no 'klasses'; it has task"):
        result.klasses  # noqa: B018


def test_pixels_are_those_of_the_map(path: Path, tmp_path: Path) -> None:
    model = hyperkd.load_model(make_model(tmp_path / "m.onnx"))
    shares = tmp_path / "p.tif"
    hyperkd.predict(
        model, path, tmp_path / "a.tif", probabilities=shares, probability_type="float32"
    )
    rows, cols = np.array([0, HOLE[0], 11]), np.array([0, HOLE[1], 19])
    found = model.at(hyperkd.open(path), rows, cols, device="cpu")
    assert found.shape == (3, len(model.card.classes)) and found.dtype == np.float32
    dataset = gdal.Open(str(shares))
    mapped = np.stack(
        [
            np.frombuffer(band.ReadRaster(), np.float32).reshape(12, 20)
            for band in map(dataset.GetRasterBand, range(1, dataset.RasterCount + 1))
        ]
    )[:, rows, cols].T
    np.testing.assert_array_equal(found, mapped)
    assert np.isnan(found[1]).all()
    assert "classification" in repr(model)


def test_each_look_at_pixels_has_a_bar_of_its_own(path: Path, tmp_path: Path) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    model = hyperkd.load_model(make_model(tmp_path / "m.onnx"))
    with hyperkd.open(path) as scene:
        report = hyperkd.progress(stream)
        for _ in range(2):
            model.at(scene, [0], [0], device="cpu", report=report)
    calls = stream.getvalue().split("Predicting at pixels\n")
    assert calls[0].count("warning: ") == 1  # the scene has no reference system
    assert [call.count("100%") for call in calls[1:]] == [1, 1]
    assert [call.partition("warning: ")[0][-7:] for call in calls[1:]] == [" tiles\n"] * 2


def test_a_student_gives_its_embedding_at_pixels(path: Path) -> None:
    model = hyperkd.load_model("tiny")
    found = model.at(hyperkd.open(path), [0, 5], [0, 5], device="cpu")
    assert found.ndim == 2 and found.shape[0] == 2 and np.isfinite(found).all()


def test_a_call_is_silent_and_its_warnings_are_in_the_result(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    heard = SilentReport()
    result = hyperkd.align(path, tmp_path / "hls.tif", mode="range_mean")
    loud = hyperkd.align(path, tmp_path / "loud.tif", mode="range_mean", report=heard)
    assert capfd.readouterr() == ("", "")
    assert result.warnings == loud.warnings
    assert [text for level, text in heard.logs if level == "warning"] == list(loud.warnings)
    assert heard.artifacts == [("output", str(tmp_path / "loud.tif"))]


def test_progress_is_shown_where_it_is_wanted(path: Path, tmp_path: Path) -> None:
    stream = io.StringIO()
    hyperkd.align(path, tmp_path / "hls.tif", report=hyperkd.progress(stream))
    assert "Aligning\n" in stream.getvalue()
    assert "100%  12/12 rows\n" in stream.getvalue()


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (lambda f: hyperkd.open(f / "none.tif"), "unreadable_raster", "none.tif"),
        (lambda f: hyperkd.load_model("none"), "bad_model", "none"),
        (lambda f: hyperkd.embed("tiny", f / "s.tif", f / "o.tif", components=-1), "bad_job",
         "'components' must be at least 0, but is -1"),
        (lambda f: hyperkd.embed("tiny", f / "scene.tif", f / "no" / "o.tif"),
         "unwritable_output", "no folder"),
        (lambda f: hyperkd.embed("tiny", f / "scene.tif", f / "scene.tif"), "bad_job",
         "are the same file"),
    ],
)  # fmt: skip
def test_mistakes_end_in_codes(path: Path, tmp_path: Path, call, code, message) -> None:
    with pytest.raises(hyperkd.HyperKDError, match=message) as caught:
        call(tmp_path)
    assert caught.value.code == code
    assert [file.name for file in tmp_path.iterdir()] == ["scene.tif"]


def test_a_missing_or_unknown_option_is_pythons_mistake() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'output'"):
        hyperkd.align("scene.tif")
    with pytest.raises(TypeError, match="unexpected keyword argument 'overlapp'"):
        hyperkd.embed("tiny", "scene.tif", "o.tif", overlapp=3)


def test_reflectance_as_a_data_array(path: Path) -> None:
    xarray = pytest.importorskip("xarray", reason="the extra xarray is not installed")
    with hyperkd.open(path) as scene:
        found = scene.to_xarray((2, 1, 5, 4))
        assert isinstance(found, xarray.DataArray) and found.dims == ("band", "y", "x")
        np.testing.assert_array_equal(found.values, scene.reflectance((2, 1, 5, 4)))
        np.testing.assert_array_equal(found.wavelength, scene.wavelengths)
        assert float(found.x[0]) == 366000.0 + 2.5 * 30 and float(found.y[0]) == 5810000.0 - 45
        assert found.sel(band=1).ndim == 2
