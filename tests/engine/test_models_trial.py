"""The self-test of a model on this machine, and its speed."""

from __future__ import annotations

import pytest

pytest.importorskip("onnxruntime")

from hyperkd.errors import HyperKDError
from hyperkd.inference import model_test
from hyperkd.requests.models_options import ModelsTestJob
from tests.engine.inference_factories import Recorder, make_student


def test_the_shipped_student_passes_on_the_cpu() -> None:
    report = Recorder()
    summary = model_test.try_model(ModelsTestJob(name="tiny", device="cpu"), report)
    assert summary["fine"] is True
    assert [(each["device"], each["output"]) for each in summary["results"]] == [
        ("cpu", "embedding"),
        ("cpu", "reconstruction"),
    ]
    for result in summary["results"]:
        assert 0 <= result["deviation"] <= result["tolerance"]
        assert 0 < result["seconds_per_megapixel"] < 600
        assert result["refused"] == ""
    assert summary["text"].startswith("tiny on this machine (")
    assert summary["text"].count("self-test passed") == 2
    assert report.progresses[-1][:2] == (2, 2)


def test_a_model_that_computes_something_else_is_refused(tmp_path) -> None:
    path = make_student(tmp_path / "wrong.onnx", tamper=0.1)
    with pytest.raises(HyperKDError, match="self-test failed") as caught:
        model_test.try_model(ModelsTestJob(name=str(path), device="cpu"), Recorder())
    assert caught.value.code == "bad_model"


def test_a_device_that_cannot_be_used_is_told_and_the_others_are_tested(
    tmp_path, monkeypatch
) -> None:
    path = make_student(tmp_path / "student.onnx")
    monkeypatch.setattr(model_test, "offered_devices", lambda: ("cuda", "cpu"))
    summary = model_test.try_model(ModelsTestJob(name=str(path), device="auto"), Recorder())
    refused = [each for each in summary["results"] if each["device"] == "cuda"]
    tested = [each for each in summary["results"] if each["device"] == "cpu"]
    assert refused
    assert all("cuda" in each["refused"] for each in refused)
    assert all(each["seconds_per_megapixel"] is None for each in refused)
    assert all(each["refused"] == "" for each in tested)
    assert summary["fine"] is True
    assert "cannot be used" in summary["text"]


def test_a_device_that_was_asked_for_is_not_replaced(tmp_path) -> None:
    path = make_student(tmp_path / "student.onnx")
    with pytest.raises(HyperKDError, match="cuda") as caught:
        model_test.try_model(ModelsTestJob(name=str(path), device="cuda"), Recorder())
    assert caught.value.code == "missing_dependency"


def test_the_speed_is_that_of_a_megapixel_with_its_overlap(monkeypatch, tmp_path) -> None:
    path = make_student(tmp_path / "student.onnx")
    monkeypatch.setattr(model_test, "_seconds_per_tile", lambda *arguments: 0.001)
    monkeypatch.setattr(model_test, "cores", lambda: 2)
    summary = model_test.try_model(ModelsTestJob(name=str(path), device="cpu"), Recorder())
    # tiles of 8 x 8 pixels, two cores, and each pixel computed 16/9 times
    expected = 0.001 / 2 / 64e-6 * 16 / 9
    assert summary["results"][0]["seconds_per_megapixel"] == pytest.approx(expected, abs=1e-3)


def test_it_can_be_cancelled() -> None:
    with pytest.raises(HyperKDError) as caught:
        model_test.try_model(ModelsTestJob(name="tiny", device="cpu"), Recorder(cancel_after=1))
    assert caught.value.code == "cancelled"
