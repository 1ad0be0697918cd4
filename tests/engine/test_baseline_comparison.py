"""The comparison with classical models: `finetune` and `evaluate` tell the same of one model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnxruntime")

from hyperkd.evaluation.baselines import baseline_comparison, classical_models  # noqa: E402
from hyperkd.evaluation.evaluate import evaluate  # noqa: E402
from hyperkd.evaluation.splits.requested_split import requested_split  # noqa: E402
from hyperkd.evaluation.splits.split_parts import TEST  # noqa: E402
from hyperkd.raster.labels.read_labels import read_labels  # noqa: E402
from hyperkd.raster.open_raster import open_raster  # noqa: E402
from hyperkd.requests.evaluate_options import EvaluateJob  # noqa: E402
from hyperkd.requests.finetune_options import FinetuneJob  # noqa: E402
from hyperkd.training.finetune.finetune_job import finetune  # noqa: E402
from tests import factories  # noqa: E402
from tests import finetune_factories as make  # noqa: E402
from tests.engine.test_finetune_classical import squares, stored_spectra  # noqa: E402
from tests.label_factories import make_vector, square  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

torch.set_num_threads(1)
FIELDS = {"classification": ("cover", "text"), "regression": ("share", "number")}


def polygons(classes: np.ndarray, stored: np.ndarray) -> list[tuple[Any, dict[str, Any]]]:
    """A square of 3 pixels in each block of 4, with its class and a quantity."""
    features = []
    for row in range(0, classes.shape[0], 4):
        for col in range(0, classes.shape[1], 4):
            share = float(stored[3, row, col] - stored[1, row, col]) / 100
            about = {"cover": f"class {classes[row, col]}", "share": share}
            features.append((square(col, row, 3, 3), about))
    return features


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("agree")
    make.save_student(folder)
    stored = stored_spectra(squares(3))
    factories.make_raster(folder / "scene.tif", stored)
    for task, (field, kind) in FIELDS.items():
        features = [(shape, {field: at[field]}) for shape, at in polygons(squares(3), stored)]
        make_vector(folder / f"{task}.gpkg", features, {field: kind})
    return folder


def halves(place: Path, request: FinetuneJob, folder: Path) -> tuple[str, str]:
    """Write the polygons of a job's training and test parts to files of their own."""
    with open_raster(request.input[0]) as source:
        labels = read_labels(
            [source], request.labels, task=request.task, fields=request.field, report=SilentReport()
        )
        (part,) = requested_split(labels, request, make.CONFIG.tile).parts
    (scene,) = labels.scenes
    tested = {(r // 4, c // 4) for r, c, p in zip(scene.rows, scene.cols, part) if p == TEST}
    field, kind = FIELDS[request.task]
    across = squares(3).shape[1] // 4
    paths = []
    for name, wanted in (("train", False), ("test", True)):
        features = [
            (shape, {field: at[field]})
            for k, (shape, at) in enumerate(polygons(squares(3), stored_spectra(squares(3))))
            if (divmod(k, across) in tested) is wanted
        ]
        paths.append(make_vector(folder / f"{name}.gpkg", features, {field: kind}))
    return paths[0], paths[1]


def told(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


@pytest.mark.parametrize("most", [baseline_comparison.MAX_PIXELS, 150])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_two_reports_of_one_model_agree(place, tmp_path, monkeypatch, task, most):
    """On all pixels, and where a random sample of them stands for all."""
    monkeypatch.setattr(classical_models, "_TREES", 10)
    monkeypatch.setattr(baseline_comparison, "MAX_PIXELS", most)
    request = FinetuneJob(
        input=(str(place / "scene.tif"),), labels=(str(place / f"{task}.gpkg"),),
        output=str(tmp_path / "m.onnx"), task=task, student=str(place / "nano.safetensors"),
        field=(FIELDS[task][0],), report=str(tmp_path / "own"), split="polygons", buffer=0,
        test=0.4, epochs=1, seed=3, device="cpu",
    )  # fmt: skip
    finetune(request, SilentReport())
    train, test = halves(place, request, tmp_path)
    evaluate(
        EvaluateJob(
            model=request.output, input=request.input, labels=(test,), training_labels=(train,),
            report=str(tmp_path / "again"), seed=3, device="cpu",
        ),
        SilentReport(),
    )  # fmt: skip
    own, again = told(tmp_path / "own"), told(tmp_path / "again")
    methods = own["comparisons"][0]["methods"]
    assert [row["name"] for row in methods] == ["m", *classical_models.METHODS[task]]
    assert own["comparisons"] == again["comparisons"]
    for report in (own, again):
        sampled = [note for note in report["notes"] if "random pixels" in note]
        assert len(sampled) == (most == 150)


def test_a_model_that_is_called_like_a_baseline_keeps_its_own_row(place, tmp_path, monkeypatch):
    monkeypatch.setattr(classical_models, "_TREES", 10)
    report = SilentReport()
    done = finetune(
        FinetuneJob(
            input=(str(place / "scene.tif"),), labels=(str(place / "classification.gpkg"),),
            output=str(tmp_path / "random forest.onnx"), task="classification",
            student=str(place / "nano.safetensors"), field=("cover",), buffer=0, epochs=0,
            device="cpu",
        ),
        report,
    )  # fmt: skip
    (comparison,) = done["metrics"]["test"]["beside"]
    assert [row["name"] for row in comparison["methods"]] == [
        "random forest (this model)", "logistic regression", "RBF SVM", "random forest",
    ]  # fmt: skip


def test_a_sample_keeps_the_order_and_needs_no_seed_below_the_limit(monkeypatch):
    pixels = np.arange(10, 30)
    assert baseline_comparison.sampled(pixels, 0) is pixels
    monkeypatch.setattr(baseline_comparison, "MAX_PIXELS", 5)
    first, second = (baseline_comparison.sampled(pixels, seed) for seed in (0, 1))
    assert len(first) == 5 and (np.diff(first) > 0).all() and set(first) <= set(pixels)
    assert np.array_equal(first, baseline_comparison.sampled(pixels, 0))
    assert not np.array_equal(first, second)
