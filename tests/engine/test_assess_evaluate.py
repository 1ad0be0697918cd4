"""The job ``evaluate``: figures by hand on small scenes, and what it refuses."""

from __future__ import annotations

import dataclasses
import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.baselines import classical_models
from hyperkd.evaluation.evaluate import evaluate
from hyperkd.evaluation.label_matching import fitting_labels
from hyperkd.evaluation.splits.fingerprint import fingerprint
from hyperkd.inference.predict import predict
from hyperkd.jobs.dispatch import perform
from hyperkd.jobs.events import JsonReporter
from hyperkd.jobs.validate import parse_job
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.raster.gdal.pixel_area import pixel_hectares
from hyperkd.raster.labels.read_labels import LabelClass, Labels, SceneLabels
from hyperkd.raster.open_raster import open_raster
from hyperkd.requests.evaluate_options import EvaluateJob
from hyperkd.requests.predict_options import PredictJob
from hyperkd.types import GridSpec
from tests.engine.inference_factories import CENTRES, make_card, make_model, make_student
from tests.factories import GEOTRANSFORM, make_raster, wkt
from tests.label_factories import make_classes, make_vector, point, square
from tests.reports import SilentReport

SIZE = 20
CLASS_NAMES = tuple(f"class {i}" for i in range(5))


def scene(path: Path, classes: NDArray[Any], **others: Any) -> str:
    """Write a scene in which the model with identity weights sees ``classes``."""
    data = np.full((5, *classes.shape), 1000, np.int16)
    for band in range(5):
        data[band][classes == band] = 5000
    return str(make_raster(path, data, wavelengths=CENTRES, fwhm=10.0, **others))


def quarters() -> NDArray[np.int64]:
    """Classes 0 and 1 above, 2 and 3 below."""
    row, col = np.mgrid[:SIZE, :SIZE] // (SIZE // 2)
    return 2 * row + col


def polygons(path: Path, squares: list[tuple[Any, ...]]) -> str:
    """Write squares ``(col, row, side, class)`` with the text field ``cover``."""
    features = [(square(c, r, side, side), {"cover": name}) for c, r, side, name in squares]
    return make_vector(path, features, {"cover": "text"})


@pytest.fixture
def model(tmp_path: Path) -> str:
    return make_model(tmp_path / "toy.onnx", temperature=1.0)


def run(folder: Path, **fields: Any) -> tuple[dict[str, Any], dict[str, Any], SilentReport]:
    """Evaluate, and return the summary, ``report.json`` and the reporter."""
    report = SilentReport()
    summary = evaluate(EvaluateJob(**fields, report=str(folder)), report)
    return summary, json.loads((folder / "report.json").read_text("utf-8")), report


def test_figures_by_hand(tmp_path: Path, model: str) -> None:
    labels = polygons(
        tmp_path / "l.gpkg",
        [
            (1, 1, 3, "class 0"),
            (5, 5, 2, "class 0"),
            (12, 2, 4, "class 1"),
            (2, 12, 3, "class 2"),
            (12, 12, 2, "class 1"),  # the map says class 3 here
        ],
    )
    summary, told, report = run(
        tmp_path / "r", model=model, input=[scene(tmp_path / "s.tif", quarters())], labels=[labels]
    )
    matrix = np.zeros((5, 5), int)
    matrix[0, 0], matrix[1, 1], matrix[2, 2], matrix[3, 1] = 9 + 4, 16, 9, 4
    assert told["assessment"]["confusion"]["pixels"] == matrix.tolist()
    assert summary["pixels"] == 42
    assert summary["groups"] == 5
    assert summary["overall_accuracy"] == pytest.approx(38 / 42)
    assert told["assessment"]["classes"][1]["producers_accuracy"]["value"] == pytest.approx(0.8)
    assert told["assessment"]["classes"][3]["users_accuracy"]["value"] == 0
    assert told["about"]["labels"] == "l.gpkg"
    assert str(tmp_path) not in (tmp_path / "r" / "report.html").read_text("utf-8")
    assert [role for role, _ in report.artifacts] == ["report", "figures"]
    kinds = {kind["name"]: kind for kind in told["spectra"]["kinds"]}
    assert kinds["class 2"]["mean"] == [0.1, 0.1, 0.5, 0.1, 0.1]
    assert kinds["class 1"]["pixels"] == 20


def test_problems_of_the_scenes_stand_in_the_report(tmp_path: Path, model: str) -> None:
    labels = polygons(tmp_path / "l.gpkg", [(1, 1, 4, "class 0"), (12, 2, 4, "class 1")])
    image = scene(tmp_path / "s.tif", quarters(), scale=None)
    _, told, report = run(tmp_path / "r", model=model, input=[image], labels=[labels])
    (note,) = (each for each in told["notes"] if "inferred" in each)
    assert note.startswith("The file declares no scale; its int16 values are taken as reflectance")
    assert note in (tmp_path / "r" / "report.html").read_text("utf-8")
    assert [level for level, message in report.logs if message in note] == ["warning"]


def test_predictions_are_those_of_the_map(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(5, 5, 3, 3))  # looks at its surroundings
    model = make_model(tmp_path / "m.onnx", mixing=mixing)
    source = scene(tmp_path / "s.tif", generator.integers(0, 5, (SIZE, SIZE)))
    predict(
        PredictJob(
            input=source,
            output=str(tmp_path / "map.tif"),
            model=model,
            probabilities=None,
            probability_type="uint8",
            uncertainty=None,
            overlap=None,
            batch=4,
            device="cpu",
        ),
        SilentReport(),
    )
    # the map as labels: all right, whatever it says
    _, told, _ = run(
        tmp_path / "r",
        model=model,
        input=[source],
        labels=[str(tmp_path / "map.tif")],
    )
    assert told["assessment"]["overall"]["overall_accuracy"]["value"] == 1
    assert told["assessment"]["pixels"] == SIZE * SIZE


def test_class_values_may_be_other_numbers_than_the_maps(tmp_path: Path, model: str) -> None:
    # values in the labels are those of the card: 10 x index
    features = [(square(1, 1, 3, 3), {"code": 0}), (square(12, 2, 2, 2), {"code": 10})]
    labels = make_vector(tmp_path / "l.gpkg", features, {"code": "integer"})
    summary, _, _ = run(
        tmp_path / "r", model=model, input=[scene(tmp_path / "s.tif", quarters())], labels=[labels]
    )
    assert (summary["pixels"], summary["overall_accuracy"]) == (13, 1)


def test_several_scenes_and_one_without_labels(tmp_path: Path, model: str) -> None:
    x0, dx, rx, y0, ry, dy = GEOTRANSFORM
    east = (x0 + SIZE * dx, dx, rx, y0, ry, dy)
    far = (x0 + 500 * SIZE * dx, dx, rx, y0, ry, dy)
    inputs = [
        scene(tmp_path / "far.tif", quarters(), geotransform=far),
        scene(tmp_path / "west.tif", quarters()),
        scene(tmp_path / "east.tif", np.full((SIZE, SIZE), 4), geotransform=east),
    ]
    labels = polygons(tmp_path / "l.gpkg", [(1, 1, 2, "class 0"), (SIZE + 1, 3, 3, "class 4")])
    summary, told, _ = run(tmp_path / "r", model=model, input=inputs, labels=[labels])
    assert (summary["pixels"], summary["overall_accuracy"]) == (13, 1)
    assert told["about"]["scenes"] == "far.tif, west.tif, east.tif"


def stratified(tmp_path: Path) -> tuple[str, str, NDArray[np.int64], NDArray[np.int64]]:
    """Return a scene, labels at 40 random pixels, the model's classes, and truth ``(n, 3)``.

    The truth has rows, columns and classes of the labels.
    """
    generator = np.random.default_rng(1)
    seen = quarters()
    truth = np.where(generator.random((SIZE, SIZE)) < 0.2, (seen + 1) % 4, seen)
    places = []
    for stratum in range(4):
        rows, cols = np.nonzero(seen == stratum)
        places += [(rows[i], cols[i]) for i in generator.permutation(len(rows))[:10]]
    table = np.array([(row, col, truth[row, col]) for row, col in places])
    features = [
        (point(col + 0.5, row + 0.5), {"cover": CLASS_NAMES[code]}) for row, col, code in table
    ]
    labels = make_vector(tmp_path / "points.gpkg", features, {"cover": "text"})
    return scene(tmp_path / "s.tif", seen), labels, seen, table


def test_areas_of_a_stratified_sample(tmp_path: Path, model: str) -> None:
    source, labels, seen, truth = stratified(tmp_path)
    strata = seen.copy()
    strata[:2] = 0  # strata need not have the same size, nor be the model's map
    path = make_classes(tmp_path / "strata.tif", (strata + 1).astype(np.uint8))
    summary, told, report = run(
        tmp_path / "r", model=model, input=[source], labels=[labels], strata=[path]
    )
    areas = told["areas"]
    assert areas["pixels"] == SIZE * SIZE
    assert areas["area_ha"] == pytest.approx(SIZE * SIZE * 0.09)
    assert areas["intervals"]["method"].startswith("stratified estimators")
    assert "random sample within each stratum" in told["protocol"]
    assert not [log for log in report.logs if "stratum" in log[1]]
    # by hand: shares in each stratum, weighted by its size
    rows, cols, codes = truth.T
    right, layer = seen[rows, cols] == codes, strata[rows, cols]
    sizes = np.bincount(strata.ravel()) / strata.size
    accuracy = sum(size * right[layer == k].mean() for k, size in enumerate(sizes))
    assert summary["area_adjusted_overall_accuracy"] == pytest.approx(accuracy)
    for code in range(4):
        share = sum(size * (codes == code)[layer == k].mean() for k, size in enumerate(sizes))
        assert areas["classes"][code]["area_share"]["value"] == pytest.approx(share)


def test_labels_outside_the_strata_do_not_count_for_areas(tmp_path: Path, model: str) -> None:
    source, labels, seen, _ = stratified(tmp_path)
    strata = seen + 1
    strata[seen == 3] = 0
    path = make_classes(tmp_path / "strata.tif", strata.astype(np.uint8))
    _, told, report = run(
        tmp_path / "r", model=model, input=[source], labels=[labels], strata=[path]
    )
    note = "10 labelled pixels lie outside the strata; areas leave them out."
    assert ("warning", note) in report.logs
    assert note in told["notes"]
    assert told["areas"]["pixels"] == 300
    assert told["assessment"]["pixels"] == 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("grid", "strata.tif lies on another grid"),
        ("place", "lie on none of the scenes"),
        ("fractions", "hold fractions"),
        ("empty", "No pixel of the strata .* has a class"),
        ("unlabelled", r"fewer than two labelled pixels in the strata 9 \(1 pixels, 0 labelled\)"),
    ],
)
def test_strata_that_say_nothing_about_the_sample_are_refused(
    tmp_path: Path, model: str, change: str, message: str
) -> None:
    source, labels, seen, _ = stratified(tmp_path)
    values: NDArray[Any] = (seen + 1).astype(np.uint8)
    place = list(GEOTRANSFORM)
    if change == "grid":
        place[1] *= 1.5
    elif change == "place":
        place[0] += 1e6
    elif change == "fractions":
        values = values.astype(np.float32) + 0.5
    elif change == "empty":
        values[:] = 0
    else:
        values[0, 0] = 9
    strata = make_classes(tmp_path / "strata.tif", values, geotransform=place)
    with pytest.raises(HyperKDError, match=message) as refused:
        run(tmp_path / "r", model=model, input=[source], labels=[labels], strata=[strata])
    assert refused.value.code == "bad_labels"
    assert not (tmp_path / "r").exists()


def test_training_labels_bring_classical_models_beside_it(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classical_models, "_TREES", 10)
    classes = [(0, 0, 0), (10, 0, 1), (0, 10, 2), (10, 10, 3)]
    learned = [(c + i * 3, r + 1, 2, CLASS_NAMES[k]) for c, r, k in classes for i in range(3)]
    tested = [(c + i * 3, r + 5, 2, CLASS_NAMES[k]) for c, r, k in classes for i in range(3)]
    both = [*tested, learned[0]]
    _, told, report = run(
        tmp_path / "r",
        model=model,
        input=[scene(tmp_path / "s.tif", quarters())],
        labels=[polygons(tmp_path / "tested.gpkg", both)],
        training_labels=[polygons(tmp_path / "learned.gpkg", learned)],
    )
    methods = told["comparisons"][0]["methods"]
    assert [row["name"] for row in methods] == [
        "toy",
        "logistic regression",
        "RBF SVM",
        "random forest",
    ]
    for row in methods:
        assert row["overall_accuracy"]["value"] == 1, row["name"]
    assert methods[1]["settings"]["training_pixels"] == 44
    assert any("4 of the training labels are test labels too" in note for _, note in report.logs)


@pytest.mark.parametrize(
    ("both", "message"),
    [
        (2, "Fewer than two training labels are left, so there are no classical models."),
        (1, "The training labels have one class only, so there are no classical models."),
    ],
)
def test_classical_models_need_labels_that_are_not_tested(
    tmp_path: Path, model: str, both: int, message: str
) -> None:
    learned = [(1, 1, 3, "class 0"), (12, 1, 3, "class 1")]
    tested = [*learned[:both], (1, 7, 2, "class 0"), (12, 7, 2, "class 1")]
    _, told, report = run(
        tmp_path / "r",
        model=model,
        input=[scene(tmp_path / "s.tif", quarters())],
        labels=[polygons(tmp_path / "tested.gpkg", tested)],
        training_labels=[polygons(tmp_path / "learned.gpkg", learned)],
    )
    assert message in told["notes"] and ("warning", message) in report.logs
    assert told["comparisons"] == []


def test_training_labels_may_lie_on_other_scenes(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classical_models, "_TREES", 10)
    x0, dx, rx, y0, ry, dy = GEOTRANSFORM
    east = (x0 + SIZE * dx, dx, rx, y0, ry, dy)
    squares = [(1, 1, 4, "class 0"), (12, 2, 4, "class 1")]
    _, told, report = run(
        tmp_path / "r",
        model=model,
        input=[scene(tmp_path / "west.tif", quarters())],
        labels=[polygons(tmp_path / "w.gpkg", squares)],
        training_labels=[
            polygons(tmp_path / "e.gpkg", [(c + SIZE, r, side, k) for c, r, side, k in squares])
        ],
        training_input=[scene(tmp_path / "east.tif", quarters(), geotransform=east)],
    )
    assert told["comparisons"][0]["methods"][1]["settings"]["training_pixels"] == 32
    assert told["comparisons"][0]["methods"][1]["overall_accuracy"]["value"] == 1
    assert not any("tested too" in note for _, note in report.logs)


def with_training(path: str, training: dict[str, Any]) -> str:
    """Add a training summary to a model's card."""
    graph = onnx.load(path)
    card = dataclasses.replace(open_bundle(path).card, training=training)
    del graph.metadata_props[:]
    graph.metadata_props.add(key=CARD_KEY, value=card.to_json())
    onnx.save_model(graph, path)
    return path


def test_testing_on_training_pixels_is_found_out(tmp_path: Path, model: str) -> None:
    source = scene(tmp_path / "s.tif", quarters())
    labels = polygons(tmp_path / "l.gpkg", [(1, 1, 4, "class 0"), (12, 2, 4, "class 1")])
    rows, cols = np.mgrid[1:5, 1:5].reshape(2, -1)
    with open_raster(source) as opened:
        seen = fingerprint([(opened.grid, rows, cols)])
    with_training(model, {"labels_seen": seen})
    _, told, report = run(tmp_path / "r", model=model, input=[source], labels=[labels])
    assert told["optimistic"] is True
    note = "About 50% of these pixels were used to train or to select the model."
    assert ("warning", note) in report.logs
    elsewhere = polygons(tmp_path / "e.gpkg", [(5, 5, 4, "class 0"), (12, 2, 4, "class 1")])
    _, told, _ = run(tmp_path / "r2", model=model, input=[source], labels=[elsewhere])
    assert told["optimistic"] is False
    assert not any("learned from" in note for note in told["notes"])


def test_a_model_that_does_not_tell_its_training_pixels_is_noted(
    tmp_path: Path, model: str
) -> None:
    labels = polygons(tmp_path / "l.gpkg", [(1, 1, 4, "class 0"), (12, 2, 4, "class 1")])
    _, told, _ = run(
        tmp_path / "r", model=model, input=[scene(tmp_path / "s.tif", quarters())], labels=[labels]
    )
    assert told["optimistic"] is False
    assert any(note.startswith("The model does not say which pixels") for note in told["notes"])


def values_layer(path: Path, fields: dict[str, list[float]]) -> str:
    count = len(next(iter(fields.values())))
    features = [
        (point(2.5 + i, 3.5), {name: column[i] for name, column in fields.items()})
        for i in range(count)
    ]
    return make_vector(path, features, dict.fromkeys(fields, "number"))


def test_a_regression_by_hand(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m.onnx", task="regression", weight=np.eye(5)[:2])
    source = scene(tmp_path / "s.tif", np.zeros((SIZE, SIZE), int))
    # the model says biomass 0.5 and water 0.1 everywhere; fields in another order
    labels = values_layer(
        tmp_path / "l.gpkg",
        {"water": [0.1, 0.2, 0.3], "biomass": [0.5, 0.6, 0.1], "other": [1, 2, 3]},
    )
    summary, told, _ = run(tmp_path / "r", model=model, input=[source], labels=[labels])
    biomass, water = told["assessment"]["targets"]
    assert (biomass["name"], biomass["unit"]) == ("biomass", "t/ha")
    assert biomass["bias"]["value"] == pytest.approx(0.1)
    assert biomass["rmse"]["value"] == pytest.approx(np.sqrt((0.1**2 + 0.4**2) / 3))
    assert water["mae"]["value"] == pytest.approx(0.1, rel=1e-5)
    assert summary["targets"]["water"]["bias"] == water["bias"]["value"]
    assert len(told["spectra"]["kinds"]) == 3


def test_a_single_target_may_have_another_name_when_the_field_is_given(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m.onnx", task="regression", weight=np.eye(5)[:1])
    source = scene(tmp_path / "s.tif", np.zeros((SIZE, SIZE), int))
    labels = values_layer(tmp_path / "l.gpkg", {"dry_mass": [0.5, 0.6], "other": [1, 2]})
    _, told, _ = run(
        tmp_path / "r", model=model, input=[source], labels=[labels], field=["dry_mass"]
    )
    assert told["assessment"]["targets"][0]["name"] == "biomass"
    assert told["about"]["fields"] == "dry_mass"


def refusal(tmp_path: Path, **fields: Any) -> HyperKDError:
    with pytest.raises(HyperKDError) as refused:
        run(tmp_path / "r", **fields)
    assert not (tmp_path / "r").exists()
    return refused.value


def test_targets_that_do_not_match_are_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m.onnx", task="regression", weight=np.eye(5)[:2])
    source = scene(tmp_path / "s.tif", np.zeros((SIZE, SIZE), int))
    labels = values_layer(tmp_path / "l.gpkg", {"biomass": [0.5, 0.6], "clay": [1, 2]})
    error = refusal(
        tmp_path, model=model, input=[source], labels=[labels], field=["biomass", "clay"]
    )
    assert error.code == "bad_job"
    assert "The labels give biomass, clay, the model toy predicts biomass, water." in error.message
    error = refusal(tmp_path, model=model, input=[source], labels=[labels])
    assert error.code == "bad_labels"
    assert "water" in error.message


def test_classes_that_the_model_does_not_know_are_named(tmp_path: Path, model: str) -> None:
    source = scene(tmp_path / "s.tif", quarters())
    labels = polygons(
        tmp_path / "l.gpkg", [(1, 1, 2, "class 0"), (5, 5, 2, "swamp"), (8, 8, 2, "lake")]
    )
    error = refusal(tmp_path, model=model, input=[source], labels=[labels])
    assert error.code == "bad_labels"
    assert error.message == (
        "The labels hold classes that the model toy does not know: lake, swamp."
    )
    assert "Its classes are class 0, class 1, class 2, class 3, class 4." in error.hint
    assert error.context["classes"] == ["lake", "swamp"]


@pytest.mark.parametrize(
    ("known", "labelled", "expected"),
    [
        # value and name of the model's classes, of the labels', and which class each is
        ([("A", "A"), ("a", "a"), ("b", "b")], [("a", "a"), ("A", "A"), ("b", "b")], [1, 0, 2]),
        ([(10, "A"), (20, "a")], [("a", "a"), ("A", "A")], [1, 0]),
        ([(10, "Wood"), (20, "Lake")], [("lake", "lake"), ("WOOD", "WOOD")], [1, 0]),
        (
            [(10, "Ödland"), (20, "Tile roof")],
            [("O\u0308dland",) * 2, ("tile\xa0roof",) * 2],
            [0, 1],
        ),
    ],
)
def test_value_and_name_as_they_are_come_before_other_letter_case(
    known: list[Any], labelled: list[Any], expected: list[int]
) -> None:
    fitted = fitting_labels(labels_of(labelled), card_of(known), False)
    assert fitted.values.tolist() == expected
    assert [(item.value, item.name) for item in fitted.classes] == known
    told = [problem for problem in fitted.problems if problem.code == "class_name_variants"]
    assert len(told) == ({name for _, name in labelled} != {name for _, name in known})


def test_a_name_that_several_classes_could_mean_is_refused() -> None:
    card = card_of([(10, "Wood"), (20, "wOOD")])
    with pytest.raises(HyperKDError, match=r"does not know: wood\.") as caught:
        fitting_labels(labels_of([("wood", "wood")]), card, False)
    assert caught.value.code == "bad_labels"


def card_of(classes: list[tuple[Any, str]]) -> ModelCard:
    told = tuple({"name": name, "value": value, "color": "#000000"} for value, name in classes)
    return make_card(CENTRES, task="classification", embedding_dim=5, classes=told)


def labels_of(classes: list[tuple[Any, str]]) -> Labels:
    """Labels of one pixel for each class, in their order."""
    count = np.arange(len(classes))
    found = tuple(LabelClass(name, value, "#000000") for value, name in classes)
    return Labels("classification", found, (), (SceneLabels(count, count, count, count),))


def test_a_value_with_the_name_of_another_class_is_refused(tmp_path: Path, model: str) -> None:
    source = scene(tmp_path / "s.tif", quarters())
    values = np.zeros((SIZE, SIZE), np.uint8)
    values[1:3, 1:3], values[5:7, 5:7] = 10, 20
    names = [""] * 21
    names[10], names[20] = "class 3", "class 2"
    labels = make_classes(tmp_path / "l.tif", values, names=names)
    error = refusal(tmp_path, model=model, input=[source], labels=[labels])
    assert error.code == "bad_labels"
    assert "call the value 10 class 3, but the model calls it class 1" in error.message


def test_a_student_is_refused(tmp_path: Path) -> None:
    student = make_student(tmp_path / "student.onnx")
    error = refusal(tmp_path, model=student, input=["s.tif"], labels=["l.gpkg"])
    assert error.code == "bad_model"
    assert "toy is a student that was not fine-tuned" in error.message


def test_strata_of_a_regression_are_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m.onnx", task="regression", weight=np.eye(5)[:1])
    source = scene(tmp_path / "s.tif", np.zeros((SIZE, SIZE), int))
    labels = values_layer(tmp_path / "l.gpkg", {"biomass": [0.5, 0.6]})
    error = refusal(tmp_path, model=model, input=[source], labels=[labels], strata=["x.tif"])
    assert error.code == "bad_job"
    assert "strata are for the areas of classes" in error.message


def test_labels_elsewhere_are_refused(tmp_path: Path, model: str) -> None:
    source = scene(tmp_path / "s.tif", quarters())
    labels = polygons(tmp_path / "l.gpkg", [(500, 500, 2, "class 0")])
    assert refusal(tmp_path, model=model, input=[source], labels=[labels]).code == "no_labels"


def test_scenes_with_different_bands_have_figures_but_no_spectra(
    tmp_path: Path, model: str
) -> None:
    x0, dx, rx, y0, ry, dy = GEOTRANSFORM
    data = np.full((6, SIZE, SIZE), 1000, np.int16)
    data[4] = 5000
    other = make_raster(
        tmp_path / "b.tif",
        data,
        wavelengths=(*CENTRES, 900.0),
        fwhm=10.0,
        geotransform=(x0 + SIZE * dx, dx, rx, y0, ry, dy),
    )
    labels = polygons(tmp_path / "l.gpkg", [(1, 1, 2, "class 0"), (SIZE + 1, 3, 3, "class 4")])
    summary, told, _ = run(
        tmp_path / "r",
        model=model,
        input=[scene(tmp_path / "a.tif", quarters()), str(other)],
        labels=[labels],
        training_labels=[labels],
    )
    assert summary["overall_accuracy"] == 1
    assert (told["spectra"], told["comparisons"]) == (None, [])
    assert (
        "The scenes have different bands, so there are no spectra and no classical models."
        in told["notes"]
    )


def test_the_job_runs_with_its_public_field_report(tmp_path: Path, model: str) -> None:
    labels = polygons(tmp_path / "l.gpkg", [(1, 1, 4, "class 0"), (12, 2, 4, "class 1")])
    document = {
        "protocol": 1,
        "job": "evaluate",
        "model": model,
        "input": [scene(tmp_path / "s.tif", quarters())],
        "labels": [labels],
        "report": "r",
        "device": "cpu",
    }
    stream = io.StringIO()
    status, summary = perform(
        lambda: parse_job(document, str(tmp_path)), JsonReporter(stream, threading.Event())
    )
    assert status == 0, stream.getvalue()
    assert summary["overall_accuracy"] == 1
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    paths = [event["path"] for event in events if event["event"] == "artifact"]
    assert paths == [str(tmp_path / "r" / name) for name in ("report.html", "report.json")]


def test_a_report_that_cannot_be_written_is_refused_first(tmp_path: Path, model: str) -> None:
    (tmp_path / "r" / "report.html").mkdir(parents=True)
    with pytest.raises(HyperKDError, match="it is a folder") as caught:
        evaluate(
            EvaluateJob(
                model=model, input=("s.tif",), labels=("l.tif",), report=str(tmp_path / "r")
            ),
            SilentReport(),
        )
    assert caught.value.code == "unwritable_output"


def test_a_cancel_leaves_no_report(tmp_path: Path, model: str) -> None:
    labels = polygons(tmp_path / "l.gpkg", [(1, 1, 4, "class 0"), (12, 2, 4, "class 1")])
    source = scene(tmp_path / "s.tif", quarters())
    with pytest.raises(HyperKDError, match="wants no more") as refused:
        evaluate(
            EvaluateJob(model=model, input=[source], labels=[labels], report=str(tmp_path / "r")),
            SilentReport(cancel_after=3),
        )
    assert refused.value.code == "cancelled"
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("epsg", "geotransform", "expected"),
    [
        (32633, GEOTRANSFORM, 0.09),
        (32633, (0, 3, 4, 0, 4, -3), 0.0025),  # turned: 5 m x 5 m
        (2263, (0, 100, 0, 0, 0, -100), (100 * 1200 / 3937) ** 2 / 1e4),  # US survey feet
        (4326, (13, 0.001, 0, 52, 0, -0.001), None),
        (None, GEOTRANSFORM, None),
        (32633, None, None),
    ],
)
def test_hectares_of_a_pixel(epsg: Any, geotransform: Any, expected: Any) -> None:
    grid = GridSpec(2, 2, geotransform, "" if epsg is None else wkt(epsg))
    assert pixel_hectares(grid) == (None if expected is None else pytest.approx(expected))
