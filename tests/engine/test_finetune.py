"""Fine-tuning as a whole: what it learns, what it writes, what it refuses."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
from osgeo import gdal  # noqa: E402

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.evaluation.splits.fingerprint import seen_fraction  # noqa: E402
from hyperkd.evaluation.splits.requested_split import is_frozen  # noqa: E402
from hyperkd.inference.predict import predict_at  # noqa: E402
from hyperkd.models.bundle import open_bundle  # noqa: E402
from hyperkd.models.nets.prithvi import Prithvi  # noqa: E402
from hyperkd.models.store.registry import SHIPPED  # noqa: E402
from hyperkd.raster.open_raster import open_raster  # noqa: E402
from hyperkd.requests.finetune_options import FinetuneJob  # noqa: E402
from hyperkd.requests.shared_options import TileOptions  # noqa: E402
from hyperkd.training import export  # noqa: E402
from hyperkd.training.common.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from hyperkd.training.finetune.base_encoder import checkpoint_of, load_base, new_base  # noqa: E402
from hyperkd.training.finetune.finetune_job import finetune  # noqa: E402
from hyperkd.training.finetune.fit import Fit, fit  # noqa: E402
from hyperkd.training.finetune.head.tasks import SoftTargets  # noqa: E402
from hyperkd.training.finetune.labelled_pixels import SplitPixels  # noqa: E402
from hyperkd.training.finetune.map_preview import grid_of, window_of  # noqa: E402
from hyperkd.training.finetune.soft_targets import _columns  # noqa: E402
from hyperkd.training.teacher.standin import StandIn, save_stand_in  # noqa: E402
from hyperkd.types import GridSpec, Window  # noqa: E402
from tests import factories  # noqa: E402
from tests import finetune_factories as make  # noqa: E402
from tests.engine import known_graph  # noqa: E402
from tests.engine.training_factories import nano_version  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

torch.set_num_threads(1)
ROWS, COLS = 40, 48


class Report(SilentReport):
    """Keeps the metrics too."""

    def __init__(self, cancel_after: int | None = None, stop: bool = False) -> None:
        super().__init__(cancel_after)
        self.metrics: list[dict[str, float]] = []
        self._stop = stop

    def metric(self, step: int, values: Any) -> None:
        self.metrics.append(dict(values))

    def stop_requested(self) -> bool:
        return self._stop


def patches(rows=ROWS, cols=COLS, classes=2, seed=0) -> np.ndarray:
    """Squares of 4 pixels of a class each."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, classes, (-(-rows // 4), -(-cols // 4)))
    return coarse.repeat(4, 0).repeat(4, 1)[:rows, :cols]


def two_spectra(classes: np.ndarray) -> np.ndarray:
    """Constant spectra of two classes, with a little noise: stored reflectance x 10000."""
    spectra = np.array([[0.1, 0.1, 0.1, 0.4, 0.3, 0.2], [0.1, 0.12, 0.15, 0.2, 0.3, 0.35]])
    noise = np.random.default_rng(1).normal(0, 0.004, (6, *classes.shape))
    return np.rint(1e4 * (spectra[classes].transpose(2, 0, 1) + noise)).astype(np.int16)


def write_labels(path: Path, values: np.ndarray) -> str:
    driver = gdal.GetDriverByName("GTiff")
    kind = gdal.GDT_Byte if values.dtype == np.uint8 else gdal.GDT_Float32
    dataset = driver.Create(str(path), values.shape[1], values.shape[0], 1, kind)
    dataset.SetProjection(factories.wkt(factories.UTM_33N))
    dataset.SetGeoTransform(factories.GEOTRANSFORM)
    dataset.GetRasterBand(1).WriteArray(values)
    dataset.GetRasterBand(1).SetNoDataValue(0 if values.dtype == np.uint8 else -9999)
    dataset.FlushCache()
    del dataset
    return str(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a student, a scene of two classes, and their labels."""
    folder = tmp_path_factory.mktemp("finetune")
    make.save_student(folder)
    classes = patches()
    factories.make_raster(folder / "scene.tif", two_spectra(classes))
    write_labels(folder / "labels.tif", (10 * (classes + 1)).astype(np.uint8))
    return folder


def fields(place: Path, output: Path, **changes: Any) -> dict[str, Any]:
    return {
        "input": (str(place / "scene.tif"),),
        "labels": (str(place / "labels.tif"),),
        "output": str(output),
        "task": "classification",
        "student": str(place / "nano.safetensors"),
        "device": "cpu",
        "buffer": 0,
        **changes,
    }


@pytest.fixture(scope="module")
def trained(place, tmp_path_factory):
    """A whole run of the job: its folder, summary and report."""
    folder = tmp_path_factory.mktemp("trained")
    report = Report()
    told = finetune(
        FinetuneJob(
            **fields(
                place,
                folder / "two.onnx",
                report=str(folder / "report"),
                preview=str(folder / "preview.tif"),
                colours=("10=#112233", "20=#AABBCC"),
                epochs=3,
            )
        ),
        report,
    )
    return folder, told, report


@pytest.fixture(autouse=True)
def quick_export(request, monkeypatch, known_graphs):
    """Export for good in ``trained`` and where files are compared to the byte."""
    if "by_byte" not in request.fixturenames:
        known_graph.keep_in(known_graphs)
        monkeypatch.setattr(export, "_to_onnx", known_graph.to_onnx)


@pytest.fixture
def by_byte():
    """Ask for the exporter itself."""


# --- one whole run ---


def test_two_constant_classes_are_told_apart_perfectly(trained, place):
    folder, told, _ = trained
    figures = told["metrics"]["test"]
    assert figures["overall_accuracy"]["value"] == figures["macro_f1"]["value"] == 1
    classes = patches()
    rows, cols = (axis.ravel() for axis in np.indices(classes.shape))
    with open_raster(str(place / "scene.tif")) as source:
        logits = predict_at(
            source, folder / "two.onnx", (rows, cols), options=TileOptions(), report=Report()
        )
    np.testing.assert_array_equal(logits.argmax(1), classes.ravel())


def test_the_onnx_model_answers_as_the_checkpoint_does(trained, place):
    folder, _, _ = trained
    model, card = load_checkpoint(folder / "two.safetensors")
    bundle = open_bundle(folder / "two.onnx")
    assert (
        dataclasses.replace(bundle.card, self_test=None).to_json()
        == dataclasses.replace(card, self_test=None).to_json()
    )
    with open_raster(str(place / "scene.tif")) as source:
        tile = source.read_tile(Window(0, 0, 16, 16))
        inside = (np.arange(4, 8).repeat(4), np.tile(np.arange(4, 8), 4))
        logits = predict_at(source, bundle, inside, options=TileOptions(overlap=0), report=Report())
    pixels = torch.from_numpy(tile.data.astype(np.float32) * np.float32(1e-4))[None]
    with torch.no_grad():
        expected = model(pixels, torch.ones(1, 1, 16, 16))[0].numpy()[:, inside[0], inside[1]].T
    assert np.abs(logits - expected).max() < 1e-3 * np.abs(expected).max()


def test_the_card_says_what_the_model_is_and_no_path(trained, place):
    folder, told, _ = trained
    card = open_bundle(folder / "two.onnx").card
    assert card.name == "two" and card.task == "classification"
    assert [dict(item) for item in card.classes] == [
        {"name": "10", "value": 10, "color": "#112233"},
        {"name": "20", "value": 20, "color": "#aabbcc"},
    ]
    assert card.parents == (load_base(str(place / "nano.safetensors")).checksum,)
    assert card.temperature == told["temperature"] > 0
    assert card.receptive_field_px in (1, 3, 16)
    assert card.metrics["test"]["protocol"].startswith("Held out were whole blocks of")
    assert set(card.training) >= {"linear", "split", "seed", "held_out", "labels_seen", "tune"}
    text = card.to_json()
    assert str(place) not in text and str(folder) not in text and "scene.tif" not in text


def test_the_same_job_gives_the_same_files(by_byte, place, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        output = tmp_path / name / "m.onnx"
        finetune(FinetuneJob(**fields(place, output, epochs=1, baselines=False)), Report())
    for name in ("m.onnx", "m.safetensors"):
        first, second = (tmp_path / folder / name for folder in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    # Rounded times of trainings as short as these could agree.
    assert "seconds" not in open_bundle(tmp_path / "first" / "m.onnx").card.training


def test_the_card_knows_which_pixels_taught(trained, place):
    folder, told, _ = trained
    card = open_bundle(folder / "two.onnx").card
    with open_raster(str(place / "scene.tif")) as source:
        rows, cols = (axis.ravel() for axis in np.indices((ROWS, COLS)))
        share = seen_fraction(card.training["labels_seen"], [(source.grid, rows, cols)])
    taught = card.training["split"]["train"]["pixels"]
    assert card.training["pixels"] == taught
    assert share == pytest.approx(taught / (ROWS * COLS), abs=0.1)


def test_what_goes_on_from_a_model_has_the_reach_of_the_encoder(trained, place, tmp_path):
    earlier = str(trained[0] / "two.onnx")
    assert open_bundle(earlier).card.receptive_field_px == 1  # its head looked at one pixel
    output = tmp_path / "next.onnx"
    finetune(
        FinetuneJob(
            **fields(
                place,
                output,
                student=earlier,
                tune="full",
                epochs=1,
                buffer=None,
                baselines=False,
            )
        ),
        Report(),
    )
    card = open_bundle(output).card
    assert card.receptive_field_px == make.CONFIG.tile
    assert card.training["split"]["buffer_px"] > 0


def test_the_report_compares_with_classical_models_on_the_same_pixels(trained):
    folder, told, report = trained
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert "Accuracy of two" in page and str(folder) not in page
    found = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    names = [method["name"] for method in found["comparisons"][0]["methods"]]
    assert names == ["two", "logistic regression", "RBF SVM", "random forest"]
    assert found["assessment"]["pixels"] == told["metrics"]["test"]["pixels"]
    assert len(found["history"]) == len(report.metrics) <= 3
    roles = [role for role, _ in report.artifacts]
    assert list(dict.fromkeys(roles)) == ["preview", "report", "figures", "output", "checkpoint"]


def test_a_small_test_part_is_told(place, tmp_path):
    """Six squares of a few labels: what is held out of them says little."""
    sparse = np.zeros((ROWS, COLS), np.uint8)
    values = (10 * (patches() + 1)).astype(np.uint8)
    for row in range(0, ROWS, 16):
        for col in range(0, COLS, 12):
            sparse[row : row + 3, col : col + 3] = values[row : row + 3, col : col + 3]
    labels = write_labels(tmp_path / "few.tif", sparse)
    report = Report()
    told = finetune(
        FinetuneJob(
            **fields(place, tmp_path / "m.onnx", labels=(labels,), baselines=False, epochs=0)
        ),
        report,
    )
    pixels = told["metrics"]["test"]["pixels"]
    (note,) = [note for note in told["notes"] if "For more reliable scores" in note]
    assert note.startswith(f"Only {pixels} pixels from ") and ("warning", note) in report.logs
    assert note.endswith(" places test the model. For more reliable scores use cross-validation.")


def test_a_small_buffer_is_told_only_of_a_model_that_looks_around(place, tmp_path, monkeypatch):
    """Tiles of 16 pixels ask for 8; these labels leave no room for that."""
    report = Report()
    asked = fields(place, tmp_path / "m.onnx", buffer=None, epochs=0, baselines=False)
    told = finetune(FinetuneJob(**asked), report)
    card = open_bundle(tmp_path / "m.onnx").card
    assert card.receptive_field_px <= 3 and card.training["split"]["buffer_px"] < 8
    assert not any("would be safer" in note for note in told["notes"])
    assert not any("would be safer" in note for note in card.training["split"]["notes"])
    monkeypatch.setattr(Fit, "receptive_field_px", 16)
    (note,) = [n for n in finetune(FinetuneJob(**asked), report)["notes"] if "would be safer" in n]
    assert note.endswith("(8 would be safer, but too few labels would remain). Scores may be "
                         "too high.")  # fmt: skip


def test_the_metrics_are_curves_for_a_dialog(trained):
    _, _, report = trained
    expected = {"loss", "validation_loss", "validation_accuracy", "validation_macro_f1"}
    assert report.metrics and all(set(values) == expected for values in report.metrics)


def test_the_preview_is_a_map_of_the_model_that_is_written(trained, place):
    folder, _, _ = trained
    dataset = gdal.Open(str(folder / "preview.tif"))
    shown = dataset.ReadAsArray()
    assert shown.shape == (ROWS, COLS) and dataset.GetGeoTransform() == factories.GEOTRANSFORM
    assert np.mean(shown == patches() + 1) > 0.95
    # The last one is of the model in the file, not of what one of its folds has tried.
    with open_raster(str(place / "scene.tif")) as source:
        pixels = tuple(axis.ravel() for axis in np.indices((ROWS, COLS)))
        answers = predict_at(
            source, folder / "two.onnx", pixels, options=TileOptions(), report=SilentReport()
        )
    assert np.array_equal(shown.ravel(), answers.argmax(1) + 1)
    assert dataset.GetRasterBand(1).GetCategoryNames()[1:] == ["10", "20"]


def test_nothing_but_the_outputs_is_left(trained, place):
    folder, _, _ = trained
    names = sorted(path.name for path in folder.iterdir())
    # GDAL keeps a class map's attribute table beside it.
    assert names == ["preview.tif", "preview.tif.aux.xml", "report", "two.onnx", "two.safetensors"]
    assert sorted(p.name for p in place.iterdir()) == [
        "labels.tif",
        "nano.safetensors",
        "scene.tif",
    ]


def test_regression_recovers_a_linear_target_in_its_unit(tmp_path):
    reflectance = make.noisy(ROWS, COLS)
    stored = np.rint(1e4 * reflectance).astype(np.int16)
    target = 50 + 0.04 * (stored[3] - stored[1])
    factories.make_raster(tmp_path / "scene.tif", stored)
    write_labels(tmp_path / "labels.tif", target.astype(np.float32))
    make.save_student(tmp_path)
    told = finetune(
        FinetuneJob(
            **fields(
                tmp_path,
                tmp_path / "carbon.onnx",
                task="regression",
                unit=("g/kg",),
                baselines=False,
                folds=3,
                epochs=5,
            )
        ),
        Report(),
    )
    (figures,) = told["metrics"]["test"]["targets"].values()
    assert figures["r2"]["value"] > 0.99 and told["folds"] == 3
    assert figures["pixels"] == ROWS * COLS
    card = open_bundle(tmp_path / "carbon.onnx").card
    assert card.targets[0]["unit"] == "g/kg" and card.temperature == 1
    assert card.targets[0]["maximum"] == pytest.approx(target.max(), rel=1e-5)
    # The final model learned from all pixels, and says so.
    assert card.training["pixels"] == ROWS * COLS
    assert "The model in the file was trained on all labels" in card.metrics["test"]["protocol"]
    inside = (np.arange(20), np.arange(20))
    with open_raster(str(tmp_path / "scene.tif")) as source:
        values = predict_at(
            source, tmp_path / "carbon.onnx", inside, options=TileOptions(), report=Report()
        )[:, 0]
    np.testing.assert_allclose(values, target[inside], atol=0.05 * target.std())


def test_a_job_that_shall_stop_gives_the_best_so_far(place, tmp_path):
    told = finetune(
        FinetuneJob(**fields(place, tmp_path / "m.onnx", baselines=False)), Report(stop=True)
    )
    assert told["stopped_early"] and told["metrics"]["test"]["overall_accuracy"]["value"] > 0.9
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.safetensors"]


# --- fit: learning, leaks, seeds ---


def problem(kind: str = "classes"):
    classes = patches(32, 64, classes=3, seed=3)
    # Hard: the scene varies by itself more than between the classes.
    reflectance = 0.2 + (1.0 if kind == "hard" else 0.1) * (make.noisy(32, 64) - 0.25)
    reflectance[2] += 0.1 * (classes == 1)
    reflectance[4] += 0.1 * (classes == 2)
    if kind == "shuffled":
        generator = np.random.default_rng(5)
        order = generator.permutation(16 * 8)
        coarse = classes[::4, ::4].ravel()[order].reshape(8, 16)
        classes = coarse.repeat(4, 0).repeat(4, 1)
    labels = make.every_pixel(classes)
    split = make.split_at(labels, make.thirds(32, 64))
    return make.scene(reflectance), labels, split, classes


@pytest.fixture(scope="module")
def nano(tmp_path_factory) -> str:
    return make.save_student(tmp_path_factory.mktemp("student"))


def accuracy(fitted, source, classes, part) -> float:
    pixels = torch.from_numpy(source.read(Window(0, 0, 64, 32)).astype(np.float32) * 1e-4)
    tiles = [pixels[:, r : r + 16, c : c + 16] for r in (0, 16) for c in (0, 16, 32, 48)]
    with torch.no_grad():
        answers = fitted.model(torch.stack(tiles), torch.ones(8, 1, 16, 16)).argmax(1).numpy()
    rows = [np.concatenate(list(answers[4 * r : 4 * r + 4]), 1) for r in range(2)]
    mapped = np.concatenate(rows, 0)
    return float((mapped == classes)[part].mean())


QUICK = {"epochs": 4}


def test_held_out_pixels_are_told_apart(nano):
    source, labels, split, classes = problem()
    fitted = fit([source], labels, split, make.request(nano, **QUICK), Report())
    assert accuracy(fitted, source, classes, make.thirds(32, 64) == 2) > 0.95
    assert fitted.scores["accuracy"] > 0.95 and fitted.tune == "frozen"


def test_random_labels_score_at_chance(nano):
    """Whatever the test part knew of the training part would show here."""
    source, labels, split, classes = problem("shuffled")
    fitted = fit([source], labels, split, make.request(nano, **QUICK), Report())
    counts = np.bincount(classes[make.thirds(32, 64) == 2], minlength=3)
    # 32 squares of 4 x 4 pixels are 32 independent answers: three standard deviations.
    assert accuracy(fitted, source, classes, make.thirds(32, 64) == 2) < (
        counts.max() / counts.sum() + 3 * np.sqrt(0.25 / 32)
    )
    assert fitted.scores["accuracy"] < 0.6


def state_of(nano, seed, kind="classes", **settings):
    source, labels, split, _ = problem(kind)
    request = make.request(nano, **{**QUICK, "seed": seed, **settings})
    fitted = fit([source], labels, split, request, Report())
    return fitted.model.state_dict(), fitted


@pytest.mark.parametrize("tune", ["frozen", "adapters"])
def test_a_seed_gives_the_same_model_to_the_last_bit(nano, tune):
    torch.manual_seed(1)
    first, _ = state_of(nano, 3, tune=tune, epochs=2)
    torch.manual_seed(2)
    second, _ = state_of(nano, 3, tune=tune, epochs=2)
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)
    other, _ = state_of(nano, 4, tune=tune, epochs=2)
    assert any(
        first[name].shape != other[name].shape or not torch.equal(first[name], other[name])
        for name in first
        if name in other
    )


@pytest.mark.parametrize(
    ("tune", "changed"),
    [
        ("frozen", set()),
        ("adapters", {"blocks"}),
        ("last", {"blocks", "norm"}),
        ("full", {"stem", "patches", "blocks", "norm"}),
    ],
)
def test_each_way_to_tune_changes_its_part_of_the_encoder(nano, tune, changed):
    before = load_base(nano).encoder.state_dict()
    source, labels, split, _ = problem("hard")
    request = make.request(nano, tune=tune, epochs=3, last=1, learning_rate=3e-3)
    fitted = fit([source], labels, split, request, Report())
    after = fitted.model.student.state_dict()
    assert sorted(after) == sorted(before)
    differing = {name for name in before if not torch.equal(before[name], after[name])}
    if tune != "frozen":
        assert fitted.model.head.config.tokens and fitted.tuned is not None
        if fitted.tuned.epochs == 0:
            pytest.fail("three epochs made nothing better, so nothing can be seen")
    assert {name.split(".")[0] for name in differing} == changed
    if tune == "last":
        assert not any(name.startswith("blocks.0.") for name in differing)
    if tune == "adapters":
        assert all(name.endswith("weight") and "norm" not in name for name in differing)


def test_a_new_encoder_is_trained_from_its_seed(nano):
    source, labels, split, _ = problem()
    pixels = SplitPixels.of(labels, split.parts)
    with pytest.raises(HyperKDError) as caught:
        new_base("tiny", [source], pixels, 0, Report())
    assert caught.value.code == "band_mismatch"  # six bands are not EnMAP's
    assert is_frozen(make.request("tiny")) and not is_frozen(make.request("scratch:small"))
    with pytest.raises(HyperKDError, match="There is no preset 'huge'"):
        is_frozen(make.request("scratch:huge"))


def test_targets_that_are_unknown_here_and_there_teach_where_they_are_known(nano):
    reflectance = make.noisy(32, 64)
    targets = np.stack([reflectance[0] * 100, reflectance[3] - reflectance[2]])
    targets[1, :, ::2] = np.nan
    labels = make.every_pixel(targets)
    split = make.split_at(labels, make.thirds(32, 64))
    source = make.scene(reflectance)
    fitted = fit([source], labels, split, make.request(nano, **QUICK), Report())
    pixels = torch.from_numpy(source.read(Window(0, 0, 16, 16)).astype(np.float32) * 1e-4)
    with torch.no_grad():
        values = fitted.model(pixels[None], torch.ones(1, 1, 16, 16))[0].numpy()
    assert np.abs(values[0] - reflectance[0, :16, :16] * 100).max() < 2
    truth = (reflectance[3] - reflectance[2])[:16, :16]
    assert np.corrcoef(values[1].ravel(), truth.ravel())[0, 1] > 0.99
    assert fitted.scores["r2"] > 0.95


def test_an_encoder_is_trained_for_targets_too(nano):
    """The limits of the targets are infinite at first: their average was NaN, so were scores."""
    reflectance = make.noisy(32, 64)
    # A target that no single pixel shows: how a square of 4 pixels differs from the one beside it.
    mean = reflectance.mean(0).reshape(8, 4, 16, 4).mean((1, 3))
    target = np.abs(mean - np.roll(mean, 1, 1)).repeat(4, 0).repeat(4, 1)
    labels = make.every_pixel(100 * target[None])
    split = make.split_at(labels, make.thirds(32, 64))
    request = make.request(nano, tune="full", epochs=4, learning_rate=3e-3)
    fitted = fit([make.scene(reflectance)], labels, split, request, Report())
    assert len(fitted.history) == 4
    assert all(np.isfinite(list(row.values())).all() for row in fitted.history)
    assert fitted.tuned is not None and fitted.tuned.epochs > 0
    best = fitted.history[fitted.tuned.epochs - 1]
    assert best["validation_loss"] == fitted.scores["loss"]


@pytest.mark.parametrize("asked", [{"folds": 3}, {"refit": True}])
def test_a_trained_encoder_keeps_a_validation_part_in_the_final_model(place, tmp_path, asked):
    """That part tells when to stop; all other labels are trained on, those of the test too."""
    output = tmp_path / "m.onnx"
    told = finetune(
        FinetuneJob(**fields(place, output, tune="last", epochs=1, baselines=False, **asked)),
        Report(),
    )
    counts = open_bundle(output).card.training
    assert counts["pixels"] == ROWS * COLS and told["tune"] == "last"
    assert told["metrics"]["test"]["pixels"] > 0


def test_an_earlier_models_answers_teach_its_classes(nano, monkeypatch):
    from hyperkd.training.finetune import fit as finetune_fit

    source, labels, split, classes = problem()
    wrong = np.full((32 * 64, 3), -9.0, np.float32)
    wrong[np.arange(32 * 64), (classes.ravel() + 1) % 3] = 9.0

    def wrong_targets(name, weight, sources, asked, pixels, report):
        return SoftTargets(wrong[pixels.row * 64 + pixels.col], weight)

    monkeypatch.setattr(finetune_fit, "read_soft_targets", wrong_targets)
    plain = fit([source], labels, split, make.request(nano, **QUICK), Report())
    request = make.request(nano, epochs=40, previous="m", previous_weight=1.0)
    search = dataclasses.replace(plain.search, epochs=40)
    misled = fit([source], labels, split, request, Report(), search=search)
    part = make.thirds(32, 64) == 2
    assert accuracy(misled, source, classes, part) < accuracy(plain, source, classes, part) - 0.3


@pytest.mark.parametrize("epochs", [0, 3])
def test_an_earlier_model_file_teaches_as_much_as_its_weight_says(place, trained, tmp_path, epochs):
    """Labels with the classes exchanged: the earlier model knows better, if it is heard."""
    exchanged = write_labels(tmp_path / "x.tif", (20 - 10 * patches()).astype(np.uint8))
    rows, cols = (axis.ravel() for axis in np.indices((ROWS, COLS)))
    right = {}
    for weight in (0.0, 0.5, 1.0):
        output = tmp_path / f"{weight}.onnx"
        given = fields(
            place,
            output,
            labels=(exchanged,),
            previous=str(trained[0] / "two.onnx"),
            previous_weight=weight,
            baselines=False,
            epochs=epochs,
        )
        finetune(FinetuneJob(**given), Report())
        with open_raster(str(place / "scene.tif")) as source:
            logits = predict_at(
                source, output, (rows, cols), options=TileOptions(), report=Report()
            )
        apart = logits[:, 1] - logits[:, 0]
        right[weight] = float(np.mean(np.where(patches().ravel() == 1, apart, -apart)))
    assert right[0.0] < -1 and right[1.0] > 1
    assert abs(right[0.5]) < 0.5 * min(-right[0.0], right[1.0])
    settings = open_bundle(output).card.training["settings"]
    assert (settings["previous"], settings["previous_weight"]) == ("two.onnx", 1.0)


def test_classes_of_an_earlier_model_are_found_by_value_then_by_name():
    card = make.student_card(
        task="classification",
        classes=tuple(
            {"name": name, "value": value, "color": "#000000"}
            for name, value in (("x", "b"), ("a", 7))
        ),
    )
    assert _columns(card, make.CLASSES, "m.onnx") == [1, 0, None]
    with pytest.raises(HyperKDError, match="it knows fewer than two") as caught:
        _columns(card, make.CLASSES[1:], "m.onnx")
    assert caught.value.code == "bad_model"


class Stand:
    """A teacher whose features are those of the six bands themselves."""

    patch_px, dim, depth = 4, 6, 4

    def __init__(self) -> None:
        self.looks = 0

    def look(self, reflectance, valid, blocks):
        self.looks += 1
        tiles = torch.from_numpy(np.ascontiguousarray(reflectance))
        cells = torch.nn.functional.avg_pool2d(tiles, 4).flatten(2).transpose(1, 2)
        return [cells]


def test_a_teacher_draws_the_tokens_towards_its_features(nano, monkeypatch):
    from hyperkd.training.finetune import soft_targets

    stand = Stand()
    identity = type("Aligned", (), {"matrix": np.eye(6)})
    monkeypatch.setattr(soft_targets, "align_to_hls", lambda table, mode: identity)
    source, labels, split, _ = problem()
    from hyperkd.training.finetune.labelled_pixels import TileReader

    tiles = list(
        TileReader([source], SplitPixels.of(labels, split.parts), make.student_card()).read(
            Report()
        )
    )
    guide = soft_targets.TeacherLoss(stand, tiles, make.student_card(), make.CONFIG.dim, 0)
    encoder = make.student().encoder()
    pixels = torch.from_numpy(np.stack([tile.pixels for tile in tiles[:2]])) * 0.1 + 0.2
    optimiser = torch.optim.Adam([*encoder.parameters(), *guide.parameters()], 1e-2)
    losses = []
    for _ in range(30):
        loss = guide.loss([0, 1], [0, 0], encoder.tokens(pixels, torch.ones(2, 1, 16, 16)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0] and stand.looks == 2  # once a tile, then kept
    monkeypatch.setattr(Stand, "patch_px", 5)
    with pytest.raises(HyperKDError, match="do not divide into the teacher's patches of 5 px"):
        soft_targets.TeacherLoss(stand, tiles, make.student_card(), make.CONFIG.dim, 0)


def test_a_teachers_file_changes_the_encoder_as_far_as_its_weight_says(nano, tmp_path):
    version = nano_version()
    torch.manual_seed(0)
    what = StandIn("stand-in", version.config, version.mean, version.std, "CC0-1.0")
    file = tmp_path / "teacher.safetensors"
    save_stand_in(file, Prithvi(version.config), what)
    changes = dict(kind="hard", tune="full", epochs=3, learning_rate=3e-3)
    plain, without = state_of(nano, 3, **changes)
    same, _ = state_of(nano, 3, **changes, teacher=str(file), teacher_weight=0.0)
    guided, heard = state_of(nano, 3, **changes, teacher=str(file), teacher_weight=2.0)
    assert without.tuned.epochs and heard.tuned.epochs
    assert all(torch.equal(plain[name], same[name]) for name in plain)
    blocks = [name for name in plain if name.startswith("student.blocks")]
    assert blocks and not all(torch.equal(plain[name], guided[name]) for name in blocks)
    assert guided.keys() == plain.keys()  # the map to the teacher's features is dropped


# --- refusals ---


def refused(place, tmp_path, code, message, **changes):
    with pytest.raises(HyperKDError, match=message) as caught:
        output = changes.pop("output", tmp_path / "m.onnx")
        finetune(FinetuneJob(**fields(place, output, **changes)), Report())
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 2}, "Too few folds: 2"),
        ({"test": 0.0, "report": "r"}, "Without a test part there is nothing to report"),
        ({"test": 0.6, "validation": 0.5}, "leave too little to train on"),
        ({"colours": ("10=red",)}, "'10=red' is not a class colour"),
        ({"teacher": "t.pt"}, "the encoder is frozen"),
        ({"preview_extent": (1.0, 2.0)}, "has 2 numbers"),
        ({"previous": "m.onnx", "task": "regression"}, "probabilities of classes"),
        ({"unit": ("%",)}, r"1 units \(%\) for 0 targets\."),
    ],
)
def test_what_contradicts_itself_is_refused(place, tmp_path, changes, message):
    refused(place, tmp_path, "bad_job", message, **changes)


def test_a_model_without_its_ending_is_refused(place, tmp_path):
    refused(
        place, tmp_path, "bad_job", "called m.safetensors", output=str(tmp_path / "m.safetensors")
    )


def test_the_students_own_checkpoint_is_never_replaced(place, tmp_path):
    before = (place / "nano.safetensors").read_bytes()
    refused(place, tmp_path, "bad_job", "would replace a file", output=str(place / "nano.onnx"))
    assert (place / "nano.safetensors").read_bytes() == before


def test_a_student_for_other_bands_is_refused(place, tmp_path):
    refused(place, tmp_path, "band_mismatch", "bands", student="tiny")


def test_an_unknown_student_is_refused(place, tmp_path):
    refused(place, tmp_path, "bad_model", "no model 'nobody'", student="nobody")


def test_an_onnx_file_alone_cannot_be_trained(tmp_path):
    (tmp_path / "m.onnx").touch()
    with pytest.raises(HyperKDError, match="a network for inference only") as caught:
        checkpoint_of(tmp_path / "m.onnx")
    assert caught.value.code == "bad_model"


def test_the_checkpoint_beside_a_model_must_be_its_own(tmp_path):
    """Such a pair is left where one of the two files is replaced, or comes from elsewhere."""
    model = Path(shutil.copy(SHIPPED / "tiny.onnx", tmp_path))
    checkpoint = Path(shutil.copy(SHIPPED / "tiny.safetensors", tmp_path))
    assert checkpoint_of(model) == checkpoint
    network, card = load_checkpoint(checkpoint)
    save_checkpoint(checkpoint, network, dataclasses.replace(card, self_test=None))
    assert checkpoint_of(model) == checkpoint  # not exported yet when it was saved
    training = {**card.training, "finished_steps": 3}
    save_checkpoint(checkpoint, network, dataclasses.replace(card, training=training, metrics={}))
    with pytest.raises(
        HyperKDError,
        match="tiny.safetensors is not the checkpoint of tiny.onnx: their cards differ in "
        "training, metrics.",
    ) as caught:
        load_base(str(model))
    assert caught.value.code == "bad_model" and "own checkpoint" in caught.value.hint
    assert checkpoint_of(checkpoint) == checkpoint


def test_labels_of_one_class_are_refused(place, tmp_path):
    one = write_labels(place.parent / "one.tif", np.full((ROWS, COLS), 7, np.uint8))
    refused(place, tmp_path, "bad_labels", "class", labels=(one,))


def test_a_class_that_no_part_can_teach_is_refused(nano):
    source, labels, split, classes = problem()
    part = np.where(classes == 2, 2, 0)
    with pytest.raises(HyperKDError, match="no pixel of c is left to train on") as caught:
        fit([source], labels, make.split_at(labels, part), make.request(nano), Report())
    assert caught.value.code == "bad_training"


def test_a_target_that_never_varies_is_refused(nano):
    labels = make.every_pixel(np.full((1, 32, 64), 3.0))
    split = make.split_at(labels, make.thirds(32, 64))
    with pytest.raises(HyperKDError, match="target t0 has fewer than 2 different") as caught:
        fit([problem()[0]], labels, split, make.request(nano), Report())
    assert caught.value.code == "bad_training"


def test_an_encoder_cannot_be_trained_without_a_validation_part(nano):
    source, labels, _, _ = problem()
    split = make.split_at(labels, np.zeros((32, 64)))
    with pytest.raises(HyperKDError, match="no validation part") as caught:
        fit([source], labels, split, make.request(nano, tune="full"), Report())
    assert caught.value.code == "bad_training"


@pytest.mark.parametrize("name", ["report.html", "report.json"])
def test_a_report_that_cannot_be_written_is_refused_before_the_training(place, tmp_path, name):
    (tmp_path / "report" / name).mkdir(parents=True)
    report = Report()
    with pytest.raises(HyperKDError, match=f"Cannot write .*{name}: it is a folder") as caught:
        finetune(
            FinetuneJob(**fields(place, tmp_path / "m.onnx", report=str(tmp_path / "report"))),
            report,
        )
    assert caught.value.code == "unwritable_output"
    assert report.stages == []


class Spoiler(Report):
    """Puts a folder in the place of the report's page when it is about to be written."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self._page = page

    def stage(self, name: str) -> None:
        super().stage(name)
        if name == "Writing the report":
            self._page.mkdir(parents=True)


def test_without_its_report_no_model_is_left(place, tmp_path):
    page = tmp_path / "report" / "report.html"
    (tmp_path / "m.onnx").write_text("older")
    with pytest.raises(HyperKDError, match="it is a folder"):
        finetune(
            FinetuneJob(
                **fields(
                    place,
                    tmp_path / "m.onnx",
                    report=str(page.parent),
                    epochs=0,
                    baselines=False,
                )
            ),
            Spoiler(page),
        )
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["m.onnx", "report", "report.html"]
    assert (tmp_path / "m.onnx").read_text() == "older"


@pytest.mark.parametrize("checks", [0, 3, 12, 40])
def test_a_cancelled_training_leaves_nothing(place, tmp_path, checks):
    with pytest.raises(HyperKDError) as caught:
        finetune(FinetuneJob(**fields(place, tmp_path / "m.onnx", preview=None)), Report(checks))
    assert caught.value.code == "cancelled"
    assert list(tmp_path.iterdir()) == []


# --- the job, and previews ---


def test_a_previews_extent_is_found_and_cut_to_its_middle():
    grid = GridSpec(1000, 800, (500.0, 10.0, 0.0, 9000.0, 0.0, -10.0))
    assert window_of(grid, ()) == Window(372, 272, 256, 256)
    # Columns 10 to 20, rows 30 to 50; a touched pixel belongs to it.
    assert window_of(grid, (600.0, 8500.0, 700.0, 8700.0)) == Window(10, 30, 10, 20)
    assert window_of(grid, (601.0, 8501.0, 701.0, 8701.0)) == Window(10, 29, 11, 21)
    moved = grid_of(grid, Window(10, 30, 10, 20))
    assert moved.geotransform == (600.0, 10.0, 0.0, 8700.0, 0.0, -10.0)
    for extent in ((0.0, 0.0, 1.0, 1.0), (10500.0, 8500.0, 10600.0, 8600.0)):
        with pytest.raises(HyperKDError, match="it lies outside the first raster") as caught:
            window_of(grid, extent)
        assert caught.value.code == "bad_job"
    with pytest.raises(HyperKDError, match="has no geotransform"):
        window_of(GridSpec(10, 10), (0.0, 0.0, 1.0, 1.0))
