"""The benchmark of fine-tuning: its figures and its folds, not that it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("prosail")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import finetune_table as table  # noqa: E402
import finetune_targets as goals  # noqa: E402
import finetune_tasks as tasks  # noqa: E402
from finetune_methods import SCRATCH, STUDENT  # noqa: E402
from sklearn.metrics import accuracy_score, f1_score, mean_squared_error, r2_score  # noqa: E402

from tests.potsdam import Potsdam, pixels  # noqa: E402


def answers(seed: int, classes: int) -> tuple[Any, Any, Any]:
    generator = np.random.default_rng(seed)
    scene = np.repeat([4, 7, 9], [30, 50, 20])
    if classes:
        truth = generator.integers(0, classes, 100)
        wrong = generator.random(100) < 0.4
        return truth, np.where(wrong, generator.integers(0, classes, 100), truth), scene
    truth = generator.random((100, 2))
    return truth, truth + generator.normal(0, 0.2, (100, 2)), scene


def test_figures_of_pooled_rows_equal_scikit_learn() -> None:
    truth, predicted, scene = answers(1, 4)
    first = scene == 4
    rows = [table.row_of(truth[part], predicted[part], scene[part], 4) for part in (first, ~first)]
    found = table.figures("classification", list(table.pooled(rows).values()))
    assert found["oa"] == pytest.approx(accuracy_score(truth, predicted))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))

    truth, predicted, scene = answers(2, 0)
    scenes = table.pooled([table.row_of(truth, predicted, scene, 0)])
    found = table.figures("regression", list(scenes.values()))
    for target in range(2):
        expected = r2_score(truth[:, target], predicted[:, target])
        assert found[f"r2_{target}"] == pytest.approx(expected, abs=1e-5)
    assert found["r2"] == found["r2_0"]
    root = mean_squared_error(truth[:, 0], predicted[:, 0]) ** 0.5
    assert found["rmse"] == pytest.approx(root, abs=1e-5)


def rows_of(method: str, seed: int, shift: float) -> dict[str, Any]:
    truth, predicted, scene = answers(seed, 0)
    row = table.row_of(truth, truth + shift + 0 * predicted, scene, 0)
    return {"task": "t", "seed": seed, "fold": 0, "method": method, "seconds": 2.0, **row}


def test_leads_are_paired_by_seed_and_unfinished_seeds_left_out() -> None:
    rows = [rows_of(STUDENT, seed, 0.1 + 0.01 * seed) for seed in range(3)]
    rows += [rows_of("PLSR", seed, 0.3 + 0.01 * seed) for seed in range(4)]
    mine, other = table.summary(rows, {"t": "regression"}, {"t": 1})
    assert (mine["seeds"], other["seeds"]) == (3, 3)
    assert mine["rmse"] == pytest.approx(0.11, abs=1e-5)
    lead = other["lead_rmse"]
    assert lead["mean"] == pytest.approx(-0.2, abs=1e-5)
    np.testing.assert_allclose(lead["over_seeds"], [-0.2, -0.2], atol=1e-5)
    np.testing.assert_allclose(lead["over_scenes"], [-0.2, -0.2], atol=1e-5)
    text = table.markdown([mine, other], {"t": "Title"}, {"t": "regression"})
    assert "**Title** (3 seeds)" in text
    assert "-0.200 [-0.200, -0.200] [-0.200, -0.200] | 2 |" in text
    assert table.summary(rows, {"t": "regression"}, {"t": 2}) == []


def test_fewer_seeds_from_scratch_leave_the_other_methods_theirs() -> None:
    rows = [rows_of(STUDENT, seed, 0.1 + 0.1 * seed) for seed in range(3)]
    rows += [rows_of("PLSR", seed, 0.3) for seed in range(3)]
    rows += [rows_of(SCRATCH, seed, 0.5) for seed in range(2)]
    lines = {line["method"]: line for line in table.summary(rows, {"t": "regression"}, {"t": 1})}
    assert {name: line["seeds"] for name, line in lines.items()} == {
        STUDENT: 3,
        "PLSR": 3,
        SCRATCH: 2,
    }
    # Paired: 0.1 and 0.2 against 0.5; 0.1, 0.2 and 0.3 against 0.3.
    assert lines[SCRATCH]["lead_rmse"]["mean"] == pytest.approx(-0.35, abs=1e-5)
    assert lines["PLSR"]["lead_rmse"]["mean"] == pytest.approx(-0.1, abs=1e-5)
    text = table.markdown(list(lines.values()), {"t": "Title"}, {"t": "regression"})
    assert "**Title** (3 seeds)" in text and f"| {SCRATCH} (2 seeds) |" in text


def line_of(task: str, method: str, **figures: tuple[float, float]) -> dict[str, Any]:
    """Return a line with figures, each with the student's lead."""
    line: dict[str, Any] = {"task": task, "method": method}
    for key, (value, lead) in figures.items():
        line[key] = value
        line[f"lead_{key}"] = {"mean": lead, "over_seeds": [lead - 0.01, lead + 0.01]}
    return line


def cells(text: str, start: str) -> list[str]:
    (row,) = (line for line in text.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_target_is_met_against_the_best_model_of_each_figure() -> None:
    lines = [
        line_of("potsdam_6", "random forest", oa=(0.70, 0.04), macro_f1=(0.60, -0.02)),
        line_of("potsdam_6", "RBF SVM", oa=(0.73, 0.01), macro_f1=(0.55, 0.03)),
        line_of("vegetation", "PLSR", r2=(0.6, 0.1), rmse=(0.17, -0.02)),
        line_of("vegetation", "random forest", r2=(0.5, 0.2), rmse=(0.18, -0.03)),
    ]
    text = goals.targets(lines, {"seconds": 180, "cpu_seconds": 99, "cores": 2, "load_before": 0})
    six = cells(text, "Potsdam, 6 classes")
    assert six[1:] == [
        "OA +0.010 [+0.000, +0.020] against RBF SVM; macro F1 -0.020 [-0.030, -0.010] against "
        "random forest",
        "in part",
    ]
    assert cells(text, "Potsdam, 5 classes")[1:] == ["not measured", "–"]
    # A smaller RMSE is better.
    assert cells(text, "Potsdam, vegetation")[1:] == [
        "R² +0.100 [+0.090, +0.110] against PLSR; RMSE -0.020 [-0.030, -0.010] against PLSR",
        "met",
    ]
    assert cells(text, "`hyperkd finetune`")[2] == "met"
    slow = {"seconds": 181, "cpu_seconds": 99, "cores": 2, "load_before": 0}
    assert cells(goals.targets(lines, slow), "`hyperkd finetune`")[2] == "not met"
    assert cells(goals.targets(lines, None), "`hyperkd finetune`")[1] == "not measured"


@pytest.mark.parametrize(
    ("leads", "verdict"),
    [
        ((0.05, 0.03, 0.01), "met"),
        ((0.03, 0.05, 0.01), "not met"),
        ((-0.01, -0.03, -0.05), "not met"),
    ],
)
def test_the_lead_shall_be_largest_where_labels_are_few(
    leads: tuple[float, ...], verdict: str
) -> None:
    lines = [
        line_of(task, SCRATCH, oa=(0.5, lead), macro_f1=(0.5, lead))
        for task, lead in zip(("cover_5", "cover_20", "cover_100"), leads)
    ]
    text = goals.targets(lines, None)
    row = cells(text, "Simulated cover: lead over training from scratch")
    shown = ", ".join(f"{lead:+.3f}" for lead in leads)
    assert row[1:] == [f"OA {shown}; macro F1 {shown}", verdict]
    assert cells(text, "Simulated cover: lead over the best classical")[2] == "–"


def test_an_interval_over_seeds_is_students() -> None:
    low, high = table._over_seeds([0.01, 0.03, 0.02])
    # mean 0.02, standard error 0.01 / sqrt(3), t(0.975, 2) = 4.3027
    assert (low, high) == (pytest.approx(-0.004841, abs=1e-6), pytest.approx(0.044841, abs=1e-6))


def test_the_folds_of_potsdam_test_every_pixel_once_in_whole_tiles(one_potsdam: Potsdam) -> None:
    six, five, vegetation = tasks.potsdam_tasks(one_potsdam.folder)
    labelled = sum(np.count_nonzero(pixels(path)) for path in one_potsdam.labels)
    if one_potsdam.real:
        assert labelled == 3628
    sizes: dict[str, list[int]] = {}
    for task, count in ((six, labelled), (five, labelled), (vegetation, 109)):
        tiles: list[int] = []
        sizes[task.name] = []
        for fold in task.folds(0, Path("unused")):
            tiles += fold.places
            sizes[task.name].append(len(fold.test))
            assert len(fold.groups) == len(fold.labels) == count
            learned = set(fold.groups[np.concatenate(fold.split.parts) != 2].tolist())
            assert learned.isdisjoint(fold.places)
            if task.kind == "classification":
                assert tuple(item.name for item in fold.test.classes) == task.outputs
        assert len(tiles) == len(set(tiles))
        assert sum(sizes[task.name]) == count
    counts = [next(task.folds(0, Path())).labels.class_counts() for task in (six, five)]
    assert counts[1]["roof or pavement"] == counts[0]["roof"] + counts[0]["pavement"]
    assert list(counts[1].values())[1:] == list(counts[0].values())[2:]


def test_simulated_scenes_are_learned_from_and_tested_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SIDE_PX", 48)
    monkeypatch.setattr(tasks, "CLASS_PIXELS", 20)
    cover, traits = (
        next(task for task in tasks.simulated_tasks() if task.name == name)
        for name in ("cover_5", "traits_25")
    )
    (fold,) = cover.folds(3, tmp_path)
    assert set(np.bincount(fold.labels.values)) == {5}
    assert len(fold.labels.classes) == fold.labels.values.max() + 1 > 2
    assert fold.test.values.max() < len(fold.labels.classes)
    assert [source.path for source in fold.sources] == [str(tmp_path / "scene_3_0.tif")]
    assert [source.path for source in fold.test_sources] == [
        str(tmp_path / f"scene_3_{number}.tif") for number in (1, 2)
    ]
    assert fold.places == [6, 7]
    (fold,) = traits.folds(3, tmp_path)
    assert fold.labels.values.shape == (25, 2)
    assert np.isfinite(fold.test.values).all()
    assert [int((np.concatenate(fold.split.parts) == part).sum()) for part in (0, 1)] == [20, 5]
