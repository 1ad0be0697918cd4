"""What the job ``labels`` tells before a training, held against labels made to order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.evaluation import label_overview
from hyperkd.evaluation.label_overview import overview
from hyperkd.jobs.dispatch import carry_out
from hyperkd.models.bundle import open_bundle
from hyperkd.reporting import RecordingReporter
from hyperkd.requests.evaluate_options import LabelsJob
from tests.engine.inference_factories import make_model, make_student
from tests.label_factories import make_scene, make_vector, point, square
from tests.reports import SilentReport


@pytest.fixture
def student(tmp_path) -> str:
    """A student of tiles of 8 pixels."""
    return make_student(tmp_path / "toy.onnx")


@pytest.fixture
def scene(monkeypatch):
    """Put a scene in memory in the place of the input file."""
    source = make_scene(60, 60)
    monkeypatch.setattr(
        label_overview, "opened_scenes", lambda paths, options, report, stack: [source]
    )
    return source


@pytest.fixture
def polygons(tmp_path) -> str:
    """Six polygons of 4 x 4 pixels each of two classes, far apart, and one point of a third."""
    features = [
        (square(10 * (number % 6), 20 * (number // 6) + 3, 4, 4), {"cover": name})
        for number, name in enumerate(["water"] * 6 + ["wood"] * 6)
    ]
    features.append((point(2.5, 55.5), {"cover": "rock"}))
    return make_vector(tmp_path / "labels.gpkg", features, {"cover": "text"})


def look(labels, student, **fields):
    given = {"task": "classification", "field": ("cover",), "tune": "frozen", **fields}
    return overview(
        LabelsJob(input=("/far/away/scene.tif",), labels=(labels,), student=student, **given),
        SilentReport(),
    )


def test_classes_are_counted_and_too_small_ones_named(scene, polygons, student) -> None:
    found = look(polygons, student)
    counted = [(each["name"], each["pixels"], each["features"]) for each in found["classes"]]
    assert counted == [("water", 96, 6), ("wood", 96, 6)]
    assert all(each["colour"].startswith("#") for each in found["classes"])
    assert (found["pixels"], found["features"]) == (192, 12)
    assert any("rock" in note for note in found["notes"])
    assert found["scenes"] == [{"path": "/far/away/scene.tif", "pixels": 192, "map": None}]
    assert "water: 96 pixels, 6 features" in found["text"]


def test_the_split_is_the_one_of_a_fine_tuning(scene, polygons, student, tmp_path) -> None:
    from hyperkd.evaluation.splits.split_labels import split_labels
    from tests.label_factories import read

    folder = tmp_path / "split"
    found = look(polygons, student, output=str(folder), split="polygons", seed=3)
    labels, _ = read(scene, polygons, fields="cover", minimum_samples=3)
    expected = split_labels(
        labels, method="polygons", shares=(0.8, 0.0, 0.2), receptive_field_px=8, seed=3
    )
    assert found["split"] == expected.summary()
    codes = expected.parts[0].astype(int)
    assert found["parts"] == {
        "train": (codes == 0).sum(),
        "validation": 0,
        "test": (codes == 2).sum(),
        "left_out": (codes == -1).sum(),
    }
    (drawn,) = folder.glob("*.tif")
    assert found["scenes"][0]["map"] == str(drawn)
    dataset = gdal.Open(str(drawn))
    image = dataset.ReadAsArray()
    wanted = np.zeros((60, 60), int)
    wanted[labels.scenes[0].rows, labels.scenes[0].cols] = np.where(codes == -1, 4, codes + 1)
    np.testing.assert_array_equal(image, wanted)
    colours = dataset.GetRasterBand(1).GetColorTable()
    assert [colours.GetColorEntry(value)[:3] for value in (1, 3)] == [(31, 143, 224), (228, 87, 46)]


def test_a_fine_tuned_model_counts_with_the_receptive_field_of_its_encoder(
    scene, polygons, tmp_path
) -> None:
    model = make_model(tmp_path / "model.onnx")
    assert open_bundle(model).card.receptive_field_px == 3  # its head's
    assert look(polygons, model, split="polygons")["split"]["buffer_px"] == 4


@pytest.mark.parametrize(("student", "tile"), [("scratch", 64), ("scratch:small", 128)])
def test_a_new_encoder_counts_with_the_receptive_field_of_its_preset(
    scene, polygons, monkeypatch, student, tile
) -> None:
    fields_px = []

    def split(labels, receptive_field_px, **others):
        fields_px.append(receptive_field_px)
        raise HyperKDError("class_missing_in_split", "This is all that we want to know.")

    monkeypatch.setattr("hyperkd.evaluation.splits.requested_split.split_labels", split)
    look(polygons, student)
    assert fields_px == [tile]


def test_a_preset_that_does_not_exist_is_refused(scene, polygons) -> None:
    with pytest.raises(HyperKDError, match="There is no preset 'huge'") as caught:
        look(polygons, "scratch:huge")
    assert caught.value.code == "bad_job"


def test_an_encoder_that_is_trained_needs_a_validation_part(scene, polygons, student) -> None:
    assert look(polygons, student, tune="full")["parts"]["validation"] > 0
    assert look(polygons, "scratch", tune="auto", buffer=1)["parts"]["validation"] > 0
    assert look(polygons, student, tune="auto")["parts"]["validation"] == 0


def test_labels_that_cannot_be_split_are_told_all_the_same(scene, student, tmp_path) -> None:
    features = [(square(3, 3, 4, 4), {"cover": "water"}), (square(30, 30, 4, 4), {"cover": "wood"})]
    labels = make_vector(tmp_path / "two.gpkg", features, {"cover": "text"})
    found = look(labels, student, split="polygons", output=str(tmp_path / "split"))
    assert found["split"] is None
    assert found["parts"] == {}
    assert "water" in found["refusal"] or "polygons" in found["refusal"]
    assert "They cannot be split" in found["text"]
    assert not (tmp_path / "split").exists()
    assert [each["pixels"] for each in found["classes"]] == [16, 16]


def test_targets_tell_their_range(scene, student, tmp_path) -> None:
    features = [
        (point(5 * number + 2.5, 7.5), {"share": value, "age": 10.0 * number})
        for number, value in enumerate((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8))
    ]
    labels = make_vector(tmp_path / "n.gpkg", features, {"share": "number", "age": "number"})
    found = look(labels, student, task="regression", field=("share", "age"), split="random")
    assert found["classes"] == []
    share, age = found["targets"]
    assert share == {
        "name": "share",
        "minimum": 0.1,
        "mean": pytest.approx(0.45),
        "maximum": 0.8,
    }
    assert age["maximum"] == 70.0
    assert found["split"]["optimistic"] is True


def test_labels_beside_the_scene_are_refused(scene, student, tmp_path) -> None:
    labels = make_vector(
        tmp_path / "far.gpkg", [(point(900, 900), {"cover": "water"})], {"cover": "text"}
    )
    with pytest.raises(HyperKDError) as caught:
        look(labels, student)
    assert caught.value.code == "no_labels"


def test_what_is_odd_about_labels_goes_to_everybody_who_asks(scene, student, tmp_path) -> None:
    features = [
        (square(10 * (i % 6), 20 * (i // 6) + 3, 4, 4), {"cover": name})
        for i, name in enumerate(["water", "Water ", "n/a"] * 2 + ["wood"] * 5 + ["-9999"])
    ]
    path = make_vector(tmp_path / "labels.gpkg", features, {"cover": "text"})
    job = LabelsJob(
        input=("/far/away/scene.tif",), labels=(path,), student=student,
        task="classification", field=("cover",), tune="frozen",
    )  # fmt: skip
    heard = RecordingReporter()
    summary = carry_out(job, heard)
    left_out, variants = summary["problems"]
    assert left_out["code"] == "undeclared_label_nodata"
    assert left_out["message"] == (
        "3 features hold a text in the field cover of labels.gpkg that stands for no value, and "
        "are left out: '-9999' (1), 'n/a' (2)."
    )
    assert variants["code"] == "class_name_variants"
    assert variants["message"].startswith("4 features with the names 'Water ', 'water' are one")
    for each in (left_out, variants):
        assert each["scene"] == "labels.gpkg"
        assert f"Note: {each['message']}" in summary["text"]
    assert heard.warnings[0] == left_out["message"]
    assert [item["name"] for item in summary["classes"]] == ["Water", "wood"]
    declared = carry_out(replace(job, label_nodata=("n/a",)), RecordingReporter())
    assert [item["name"] for item in declared["classes"]] == ["-9999", "Water", "wood"]
    assert [each["code"] for each in declared["problems"]] == ["class_name_variants"]
