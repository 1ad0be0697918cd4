"""Classical models beside a fine-tuned one: written on request, mapped as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnxruntime")
from osgeo import gdal  # noqa: E402

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.evaluation.baselines import classical_models as module  # noqa: E402
from hyperkd.evaluation.baselines.classical_models import fit_baselines  # noqa: E402
from hyperkd.evaluation.baselines.fitted_to_onnx import answers_of, temperature_of  # noqa: E402
from hyperkd.inference.predict import predict  # noqa: E402
from hyperkd.models.bundle import open_bundle  # noqa: E402
from hyperkd.models.card import ModelCard  # noqa: E402
from hyperkd.requests.finetune_options import FinetuneJob  # noqa: E402
from hyperkd.requests.predict_options import PredictJob  # noqa: E402
from hyperkd.training import export  # noqa: E402
from hyperkd.training.finetune import classical_files  # noqa: E402
from hyperkd.training.finetune.finetune_job import finetune  # noqa: E402
from tests import factories  # noqa: E402
from tests import finetune_factories as make  # noqa: E402
from tests.engine import known_graph  # noqa: E402
from tests.engine.test_finetune import write_labels  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

torch.set_num_threads(1)
ROWS, COLS = 32, 36
NAMES = ("logistic regression", "RBF SVM", "random forest")


@pytest.fixture(autouse=True, scope="module")
def small_forests_and_quick_exports(known_graphs):
    known_graph.keep_in(known_graphs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TREES", 30)
        patch.setattr(export, "_to_onnx", known_graph.to_onnx)
        yield


def stored_spectra(classes: np.ndarray) -> np.ndarray:
    """Spectra of three classes that overlap: stored reflectance x 10000."""
    spectra = np.array(
        [
            [0.10, 0.10, 0.10, 0.40, 0.30, 0.20],
            [0.10, 0.12, 0.15, 0.30, 0.30, 0.30],
            [0.12, 0.13, 0.18, 0.25, 0.30, 0.25],
        ]
    )
    noise = np.random.default_rng(1).normal(0, 0.03, (6, *classes.shape))
    return np.rint(1e4 * (spectra[classes].transpose(2, 0, 1) + noise)).astype(np.int16)


def squares(classes: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, classes, (ROWS // 4, COLS // 4))
    return coarse.repeat(4, 0).repeat(4, 1)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("classical")
    make.save_student(folder)
    classes = squares(3)
    factories.make_raster(folder / "scene.tif", stored_spectra(classes))
    write_labels(folder / "labels.tif", (10 * (classes + 1)).astype(np.uint8))
    return folder


def train(place: Path, output: Path, **changes: Any) -> dict[str, Any]:
    fields = {
        "input": (str(place / "scene.tif"),),
        "labels": (str(place / "labels.tif"),),
        "output": str(output),
        "task": "classification",
        "student": str(place / "nano.safetensors"),
        "device": "cpu",
        "buffer": 0,
        "epochs": 3,
        "save_baselines": True,
        **changes,
    }
    return finetune(FinetuneJob(**fields), SilentReport())


@pytest.fixture(scope="module")
def trained(place, tmp_path_factory) -> dict[str, Any]:
    return train(place, tmp_path_factory.mktemp("trained") / "model.onnx", refit=True)


def pixels(path: Path) -> np.ndarray:
    dataset = gdal.Open(str(path))
    array: np.ndarray = dataset.ReadAsArray()
    return array


def read_back(place: Path) -> tuple[np.ndarray, np.ndarray]:
    stored = pixels(place / "scene.tif")
    return (stored * 1e-4).reshape(6, -1).T.astype(np.float32), squares(3).ravel()


def test_the_files_lie_beside_the_model_and_are_told(trained):
    folder = Path(trained["output"]).parent
    assert trained["baselines"] == {
        "logistic regression": str(folder / "model-logistic-regression.onnx"),
        "RBF SVM": str(folder / "model-rbf-svm.onnx"),
        "random forest": str(folder / "model-random-forest.onnx"),
    }
    assert sorted(path.name for path in folder.iterdir()) == [
        "model-logistic-regression.onnx",
        "model-random-forest.onnx",
        "model-rbf-svm.onnx",
        "model.onnx",
        "model.safetensors",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_map_has_the_classes_and_probabilities_of_scikit_learn(name, trained, place, tmp_path):
    told = predict(
        PredictJob(
            input=str(place / "scene.tif"),
            output=str(tmp_path / "map.tif"),
            model=trained["baselines"][name],
            probabilities=str(tmp_path / "shares.tif"),
            probability_type="float32",
            uncertainty=str(tmp_path / "unsure.tif"),
            device="cpu",
        ),
        SilentReport(),
    )
    spectra, truth = read_back(place)
    card = open_bundle(trained["baselines"][name]).card
    groups = labels_groups(place)
    fitted = fit_baselines("classification", spectra, truth, groups, 0, decisions=True)[name]
    expected = answers_of(fitted, spectra)
    if name == "RBF SVM":
        scaled = np.exp(expected / card.temperature)
        expected = scaled / scaled.sum(1, keepdims=True)
    found = pixels(tmp_path / "shares.tif").reshape(3, -1).T
    mapped = pixels(tmp_path / "map.tif").ravel()
    assert card.temperature == pytest.approx(temperature_of(fitted))
    # Scale and offset are part of the first layer: its rounding counts by the weights, to 1000.
    assert np.abs(found - expected).max() < (5e-5 if name == "RBF SVM" else 1e-5)
    assert np.array_equal(mapped, fitted.predict(spectra) + 1)
    assert np.bincount(mapped, minlength=4)[1:].tolist() == list(told["classes"].values())
    assert min(told["classes"].values()) > 100
    margin = np.sort(expected, 1)
    assert pixels(tmp_path / "unsure.tif")[0].ravel() == pytest.approx(
        margin[:, -1] - margin[:, -2], abs=1e-4
    )


def labels_groups(place: Path) -> np.ndarray:
    from hyperkd.raster.labels.read_labels import read_labels
    from hyperkd.raster.open_raster import open_raster

    with open_raster(str(place / "scene.tif")) as source:
        labels = read_labels(
            [source], [str(place / "labels.tif")], task="classification", report=SilentReport()
        )
    assert len(labels) == ROWS * COLS
    return labels.group


def test_the_card_says_what_the_model_is(trained):
    network = open_bundle(trained["output"]).card
    for name in NAMES:
        path = Path(trained["baselines"][name])
        card = open_bundle(path).card
        assert (card.name, card.task, card.classes) == (path.stem, network.task, network.classes)
        tile = 16 if name == "RBF SVM" else 32
        assert (card.patch_px, card.tile_px, card.receptive_field_px) == (1, tile, 1)
        assert card.architecture["method"] == name
        assert card.training["labels_seen"] == network.training["labels_seen"]
        assert card.training["pixels"] == ROWS * COLS
        assert card.bands.centre_nm.tolist() == list(factories.WAVELENGTHS_NM)
        assert card.parents == () and card.teacher is None and card.quantisation is None
        row = card.metrics["test"]
        beside = network.metrics["test"]["beside"][0]["methods"]
        (compared,) = [each for each in beside if each["name"] == name]
        for key in ("overall_accuracy", "macro_f1"):
            assert row[key]["value"] == pytest.approx(compared[key]["value"], abs=1e-5)
        assert card.self_test is not None and card.self_test.tolerance == 5e-3
        assert str(path.parent) not in card.to_json()


def test_a_changed_weight_fails_the_self_test(trained, tmp_path):
    import onnx
    from onnx import numpy_helper

    from hyperkd.inference.backends.onnxruntime_backend import self_test
    from hyperkd.models.seal import sealed

    for name in NAMES:
        path = trained["baselines"][name]
        assert self_test(open_bundle(path), "logits") < 1e-5
        graph = onnx.load(path)
        first = graph.graph.initializer[0]
        first.CopyFrom(numpy_helper.from_array(3 * numpy_helper.to_array(first), first.name))
        changed = tmp_path / "changed.onnx"
        changed.write_bytes(sealed(graph))
        with pytest.raises(HyperKDError, match="self-test failed: logits deviates") as refused:
            self_test(open_bundle(changed), "logits")
        assert refused.value.code == "bad_model"


def test_targets_are_mapped_too(tmp_path):
    make.save_student(tmp_path)
    stored = stored_spectra(squares(3))
    factories.make_raster(tmp_path / "scene.tif", stored)
    cover = (stored[3] - stored[1]).astype(np.float32) / 100
    write_labels(tmp_path / "labels.tif", cover)
    told = train(tmp_path, tmp_path / "model.onnx", task="regression", unit=("%",), folds=3)
    assert list(told["baselines"]) == ["PLSR", "random forest"]
    for path in told["baselines"].values():
        found = predict(
            PredictJob(
                input=str(tmp_path / "scene.tif"),
                output=str(tmp_path / "map.tif"),
                model=path,
                device="cpu",
            ),
            SilentReport(),
        )
        assert found["beyond_training_range"]["band 1"] < 0.01
        error = pixels(tmp_path / "map.tif") - cover
        assert 1 - error.var() / cover.var() > 0.9, path
        card = open_bundle(path).card
        assert card.targets[0]["unit"] == "%"
        assert card.metrics["test"]["targets"]["band 1"]["rmse"]["value"] > 0


def test_what_was_compared_is_what_is_written(place, tmp_path, monkeypatch):
    """Without a refit the file's model learned from the same pixels: nothing is fitted twice."""
    made = []
    real = classical_files.answers_of
    monkeypatch.setattr(
        classical_files, "answers_of", lambda *given: made.append(given[0]) or real(*given)
    )
    monkeypatch.setattr(classical_files, "fit_baselines", None)  # calling it would fail
    told = train(place, tmp_path / "model.onnx")
    assert list(told["baselines"]) == list(NAMES)
    pixels = told["labelled_pixels"] - told["metrics"]["test"]["pixels"]
    assert [each.settings["training_pixels"] for each in made] == [pixels] * 3
    assert open_bundle(told["baselines"]["RBF SVM"]).card.training["pixels"] == pixels


def test_without_a_comparison_they_are_written_too(place, tmp_path):
    told = train(place, tmp_path / "plain.onnx", baselines=False, test=0.0)
    assert list(told["baselines"]) == list(NAMES)
    assert open_bundle(told["baselines"]["random forest"]).card.metrics == {}


def test_a_file_that_is_read_is_not_replaced(place, tmp_path):
    path = tmp_path / "model-random-forest.onnx"
    path.write_bytes(b"mine")
    with pytest.raises(HyperKDError, match="classical model .* would replace a file") as refused:
        train(place, tmp_path / "model.onnx", student=str(path))
    assert refused.value.code == "bad_job"
    assert path.read_bytes() == b"mine"


def test_what_answers_otherwise_or_is_too_large_is_not_written(place, tmp_path, monkeypatch):
    real = classical_files.answers_of

    def turned(fitted, spectra):
        found = real(fitted, spectra)
        return found[:, ::-1] if fitted.settings.get("trees") else found

    monkeypatch.setattr(classical_files, "answers_of", turned)
    monkeypatch.setattr(classical_files, "MAX_BYTES", 100)
    told = train(place, tmp_path / "model.onnx")
    assert list(told["baselines"]) == ["logistic regression"]
    machine, forest = [note for note in told["notes"] if "is not written" in note]
    assert machine.startswith("RBF SVM is not written: the decisions between 3 classes by ")
    assert forest.startswith("random forest is not written: the file predicts differently at ")
    assert not (tmp_path / "model-random-forest.onnx").exists()


def test_the_command_maps_with_a_classical_model(trained, place, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "hyperkd", "predict", "--input", str(place / "scene.tif"),
         "--output", str(tmp_path / "map.tif"), "--model", trained["baselines"]["random forest"],
         "--events", "json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "done" and sum(last["summary"]["classes"].values()) == ROWS * COLS


def test_a_card_keeps_its_schema(trained):
    card = open_bundle(trained["baselines"]["random forest"]).card
    assert ModelCard.from_json(card.to_json()).to_json() == card.to_json()
