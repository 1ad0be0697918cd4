"""Accuracy figures: by hand, against scikit-learn, and where they are not defined."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from hyperkd.evaluation.scores.bootstrap import MIN_GROUPS, REPLICATES, GroupBootstrap, interval
from hyperkd.evaluation.scores.class_accuracy import (
    OVERALL,
    assess_classification,
    confusion_matrix,
    score,
)

CLASSES = tuple(
    {"name": name, "value": i + 1, "color": color}
    for i, (name, color) in enumerate(
        (("roof", "#cc3311"), ("tree", "#117733"), ("soil", "#999933"), ("water", "#0077bb"))
    )
)


def labels(n: int = 400, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, n)
    wrong = generator.random(n) < 0.3
    return truth, np.where(wrong, generator.integers(0, classes, n), truth)


def logits_of(predicted: np.ndarray, classes: int = 4, margin: float = 2.0) -> np.ndarray:
    return margin * np.eye(classes)[predicted]


def test_figures_of_a_matrix_of_two_classes_by_hand() -> None:
    # rows are the map: 50 pixels mapped as the first class, 40 of them rightly
    found = score(np.array([[40, 10], [20, 30]]))
    assert found.overall_accuracy == pytest.approx(0.7)
    assert found.users_accuracy == pytest.approx([40 / 50, 30 / 50])
    assert found.producers_accuracy == pytest.approx([40 / 60, 30 / 40])
    assert found.average_accuracy == pytest.approx((40 / 60 + 30 / 40) / 2)
    assert found.f1 == pytest.approx([80 / 110, 60 / 90])
    assert found.iou == pytest.approx([40 / 70, 30 / 60])
    assert found.macro_f1 == pytest.approx((80 / 110 + 60 / 90) / 2)
    assert found.weighted_f1 == pytest.approx(0.6 * 80 / 110 + 0.4 * 60 / 90)
    assert found.macro_iou == pytest.approx((4 / 7 + 1 / 2) / 2)
    assert found.micro_iou == pytest.approx(70 / 130)
    # chance agreement 0.5 * 0.6 + 0.5 * 0.4
    assert found.kappa == pytest.approx((0.7 - 0.5) / 0.5)


def test_rows_are_the_map_and_columns_the_reference() -> None:
    matrix = confusion_matrix(np.array([0, 0, 2]), np.array([1, 0, 1]), 3)
    assert matrix.tolist() == [[1, 0, 0], [1, 0, 1], [0, 0, 0]]


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 60))
def test_figures_equal_those_of_scikit_learn(seed: int, classes: int, n: int) -> None:
    truth, predicted = labels(n, classes, seed)
    found = score(confusion_matrix(truth, predicted, classes))
    matrix = metrics.confusion_matrix(truth, predicted, labels=range(classes))
    assert np.array_equal(confusion_matrix(truth, predicted, classes).T, matrix)
    expected = {
        "overall_accuracy": metrics.accuracy_score(truth, predicted),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro", labels=np.unique(truth)),
        "weighted_f1": metrics.f1_score(truth, predicted, average="weighted"),
        "macro_iou": metrics.jaccard_score(
            truth, predicted, average="macro", labels=np.unique(truth)
        ),
        "weighted_iou": metrics.jaccard_score(truth, predicted, average="weighted"),
        "micro_iou": metrics.jaccard_score(truth, predicted, average="micro"),
    }
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-12), name
    present = np.unique(truth)
    recall = metrics.recall_score(
        truth, predicted, labels=range(classes), average=None, zero_division=0
    )
    assert found.average_accuracy == pytest.approx(recall[present].mean())
    both = np.union1d(truth, predicted)
    precision = metrics.precision_score(
        truth, predicted, labels=range(classes), average=None, zero_division=0
    )
    mapped = np.unique(predicted)
    assert found.producers_accuracy[present] == pytest.approx(recall[present])
    assert found.users_accuracy[mapped] == pytest.approx(precision[mapped])
    assert np.isnan(found.producers_accuracy).sum() == classes - len(present)
    assert np.isnan(found.users_accuracy).sum() == classes - len(mapped)
    if len(both) > 1:
        kappa = metrics.cohen_kappa_score(truth, predicted)
        assert found.kappa == pytest.approx(kappa, abs=1e-12)
    else:
        assert np.isnan(found.kappa)


def test_a_class_that_is_nowhere_is_undefined_and_counts_in_no_average() -> None:
    found = score(np.array([[4, 1, 0], [2, 3, 0], [0, 0, 0]]))
    assert np.isnan([found.f1[2], found.iou[2], found.users_accuracy[2]]).all()
    assert np.isnan(found.producers_accuracy[2])
    without = score(np.array([[4, 1], [2, 3]]))
    for name in OVERALL:
        assert getattr(found, name) == pytest.approx(getattr(without, name)), name


def test_a_class_that_is_mapped_without_reference_counts_through_the_others() -> None:
    found = score(np.array([[4, 0], [1, 0]]))
    assert np.isnan(found.producers_accuracy[1])
    assert found.f1.tolist() == [8 / 9, 0]
    assert found.macro_f1 == pytest.approx(8 / 9)
    assert found.macro_iou == pytest.approx(0.8)
    assert found.average_accuracy == pytest.approx(0.8)


def test_many_matrices_at_once_are_each_of_them() -> None:
    stack = np.random.default_rng(1).integers(0, 9, (7, 3, 3))
    many = score(stack)
    for i, matrix in enumerate(stack):
        one = score(matrix)
        for name in (*OVERALL, "f1", "iou", "users_accuracy", "producers_accuracy"):
            assert np.array_equal(getattr(many, name)[i], getattr(one, name), equal_nan=True)


def test_resampled_matrix_is_the_matrix_of_the_resampled_pixels() -> None:
    truth, predicted = labels()
    groups = np.random.default_rng(3).integers(0, 20, len(truth)) * 7
    bootstrap = GroupBootstrap(groups, seed=5, replicates=4)
    values = np.stack([truth == predicted, np.ones(len(truth))], axis=1).astype(float)
    drawn = bootstrap.resampled(bootstrap.totals(values))
    names = np.unique(groups)
    for row, weights in zip(drawn, np.concatenate(list(bootstrap.weights()))):
        assert weights.sum() == 20
        pixels = np.concatenate(
            [np.flatnonzero(groups == names[g]) for g in np.repeat(np.arange(20), weights)]
        )
        assert row.tolist() == [(truth == predicted)[pixels].sum(), len(pixels)]


def test_blocks_of_weights_do_not_change_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap = GroupBootstrap(np.arange(30), seed=1)
    whole = np.concatenate(list(bootstrap.weights()))
    monkeypatch.setattr("hyperkd.evaluation.scores.bootstrap._BLOCK", 100)
    blocks = list(bootstrap.weights())
    assert len(blocks) > 300
    assert np.array_equal(np.concatenate(blocks), whole)


def test_interval_of_independent_pixels_is_that_of_the_binomial() -> None:
    truth = np.zeros(400, np.int64)
    predicted = (np.arange(400) % 5 == 0).astype(np.int64)  # 80 % right
    found = assess_classification(
        truth, logits_of(predicted), CLASSES, np.arange(400), seed=0
    ).intervals["overall_accuracy"]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert found == pytest.approx([0.8 - half, 0.8 + half], abs=0.005)


def test_pixels_of_one_polygon_are_no_independent_evidence() -> None:
    # 40 polygons of 10 pixels, each wholly right or wholly wrong: the evidence is 40, not 400
    right = np.arange(40) % 5 > 0
    truth, groups = np.zeros(400, np.int64), np.repeat(np.arange(40), 10)
    predicted = np.repeat(~right, 10).astype(np.int64)
    found = assess_classification(truth, logits_of(predicted), CLASSES, groups, seed=0)
    half = 1.96 * np.sqrt(0.8 * 0.2 / 40)
    assert found.intervals["overall_accuracy"] == pytest.approx([0.8 - half, 0.8 + half], abs=0.03)


def test_few_groups_get_no_interval_and_say_so() -> None:
    truth, predicted = labels(100)
    found = assess_classification(
        truth, logits_of(predicted), CLASSES, np.arange(100) % (MIN_GROUPS - 1), seed=0
    )
    assert np.isnan(found.intervals["overall_accuracy"]).all()
    assert found.notes == ("Too few groups of labels for an interval (4; it takes 5).",)


def test_a_class_of_few_groups_gets_no_interval_of_its_own() -> None:
    truth = np.repeat([0, 1], [60, 4])
    groups = np.concatenate([np.arange(60), [90, 91, 92, 93]])
    predicted = truth.copy()
    predicted[:6] = 2
    found = assess_classification(truth, logits_of(predicted), CLASSES, groups, seed=0)
    assert np.isfinite(found.intervals["producers_accuracy"][0]).all()
    assert np.isnan(found.intervals["producers_accuracy"][1]).all()
    assert np.isfinite(found.intervals["users_accuracy"][2]).all()
    assert found.class_groups.tolist() == [60, 4, 0, 0]
    assert any(note.startswith("Fewer than 5 groups of labels are tree") for note in found.notes)
    assert any(note.startswith("No reference pixel is soil or water") for note in found.notes)


def test_a_class_that_the_map_never_holds_is_named() -> None:
    truth = np.array([0, 1, 3, 0, 1, 3])
    found = assess_classification(
        truth, logits_of(np.array([0, 1, 1, 0, 1, 0])), CLASSES, np.arange(6), seed=0
    )
    assert any(note.startswith("No test pixel was mapped as water: its F1") for note in found.notes)


def test_json_holds_the_same_figures_and_null_for_what_is_undefined() -> None:
    truth, predicted = labels(60, 3)
    found = assess_classification(truth, logits_of(predicted), CLASSES, np.arange(60), seed=0)
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["overall"]["kappa"]["value"] == float(found.scores.kappa)
    assert told["overall"]["kappa"]["low"] == found.intervals["kappa"][0]
    assert told["classes"][3]["f1"] == {"value": None, "low": None, "high": None}
    assert told["classes"][1]["users_accuracy"]["value"] == found.scores.users_accuracy[1]
    assert told["confusion"]["pixels"] == found.matrix.tolist()
    assert told["pixels"] == 60
    assert told["intervals"]["replicates"] == REPLICATES


def test_the_same_seed_gives_the_same_intervals() -> None:
    truth, predicted = labels()
    first, second, other = (
        assess_classification(truth, logits_of(predicted), CLASSES, np.arange(400), seed=seed)
        for seed in (1, 1, 2)
    )
    assert first.to_json() == second.to_json()
    assert first.intervals["kappa"].tolist() != other.intervals["kappa"].tolist()


@pytest.mark.parametrize(
    ("truth", "logits", "groups", "message"),
    [
        ([0, 1], np.zeros((2, 3)), [0, 1], "do not fit 4 classes"),
        ([0, 1], np.zeros((2, 4)), [0], "do not fit"),
        ([], np.zeros((0, 4)), [], "do not fit"),
        ([0, 4], np.zeros((2, 4)), [0, 1], r"class indices 0\.\.4 for 4"),
        ([0, 1], np.full((2, 4), np.nan), [0, 1], "logits must be finite"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    truth: list[int], logits: np.ndarray, groups: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        assess_classification(
            np.array(truth, np.int64), logits, CLASSES, np.array(groups, np.int64), seed=0
        )


def test_interval_ignores_undefined_replicates() -> None:
    values = np.column_stack([np.linspace(0, 1, 101), np.full(101, np.nan)])
    values[::2, 0] = np.nan
    ends = interval(values)
    assert ends[0] == pytest.approx(np.percentile(np.arange(0.01, 1, 0.02), [2.5, 97.5]))
    assert np.isnan(ends[1]).all()
