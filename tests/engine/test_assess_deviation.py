"""How far two models are apart: every figure by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hyperkd.models.card import ModelCard
from hyperkd.quantisation.model_difference import OutputDifference, truth_difference
from tests.engine.inference_factories import CENTRES, make_card

ALL = np.ones((1, 4), bool)


def card(task: str, **about: Any) -> ModelCard:
    made: ModelCard = make_card(CENTRES, task=task, embedding_dim=4, **about)
    return made


CLASSES = card(
    "classification",
    classes=tuple({"name": n, "value": i, "color": "#000000"} for i, n in enumerate("abc")),
)
TARGETS = card(
    "regression",
    targets=tuple({"name": n, "unit": "", "minimum": 0.0, "maximum": 1.0} for n in "uv"),
)


def logits(classes: list[int]) -> Any:
    return np.eye(3)[:, classes].reshape(3, 1, -1)


def test_of_logits_the_changed_classes_count() -> None:
    found = OutputDifference("logits")
    found.add(logits([0, 1, 2, 2]), logits([0, 2, 2, 1]), np.array([[True, True, True, False]]))
    found.add(logits([0, 0, 0, 0]), logits([0, 0, 0, 0]), ALL)
    assert found.loss == pytest.approx(100 / 7)
    told = found.to_json()
    assert told["measure"] == "pixels with another class, percent"
    assert (told["pixels"], told["largest_difference"]) == (7, 1.0)
    # Two logits of the 3 x 7 differ, by 1 each.
    assert told["rmse"] == [pytest.approx(np.sqrt(2 / 21), rel=1e-5)]


def test_a_logit_that_changes_no_class_costs_nothing() -> None:
    found = OutputDifference("logits")
    found.add(logits([0, 1, 2, 0]), 0.4 * logits([0, 1, 2, 0]), ALL)
    assert found.loss == 0
    assert found.to_json()["largest_difference"] == 0.6


def test_of_an_embedding_the_variance_counts_over_all_channels() -> None:
    before = np.array([[[0.0, 2, 0, 2]], [[0.0, 0, 0, 4]]])  # variances times 4: 4 and 12
    after = before + np.array([[[0.5, 0, 0, 0]], [[0, 0, 0, 0.0]]])
    found = OutputDifference("embedding")
    found.add(before[..., :2], after[..., :2], ALL[:, :2])
    found.add(before[..., 2:], after[..., 2:], ALL[:, 2:])
    assert found.loss == pytest.approx(100 * 0.25 / 16)
    assert found.to_json()["rmse"] == [pytest.approx(np.sqrt(0.25 / 8), rel=1e-5)]


def test_of_values_the_worst_target_counts() -> None:
    before = np.array([[[0.0, 2, 0, 2]], [[0.0, 0, 0, 4]]])
    after = before + np.array([[[0.5, 0, 0, 0]], [[0, 0, 0, 0.1]]])
    found = OutputDifference("values")
    found.add(before, after, ALL)
    assert found.loss == pytest.approx(100 * 0.25 / 4)
    assert found.to_json()["rmse"] == [pytest.approx(0.25), pytest.approx(0.05)]


@pytest.mark.parametrize(("shift", "loss"), [(0.0, 0.0), (0.1, float("inf"))])
def test_where_nothing_varies_any_difference_is_too_large(shift: float, loss: float) -> None:
    found = OutputDifference("embedding")
    found.add(np.ones((2, 1, 4)), np.ones((2, 1, 4)) + shift, ALL)
    assert found.loss == loss
    assert found.to_json()["loss"] == (0.0 if loss == 0 else None)


@pytest.mark.parametrize("output", ["logits", "values", "embedding"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_an_infinite_loss(output: str, value: float) -> None:
    found = OutputDifference(output)
    after = logits([0, 1, 2, 0])
    after[0, 0, 1] = value
    found.add(logits([0, 1, 2, 0]), after, ALL)
    assert found.loss == float("inf")
    assert found.to_json()["loss"] is None
    json.dumps(found.to_json(), allow_nan=False)


def test_overall_accuracy_against_the_truth() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2, 2, 2])
    before, after = (
        np.eye(3)[order] for order in ([0, 0, 1, 1, 2, 2, 2, 0], [0, 1, 1, 1, 2, 2, 1, 2])
    )
    told = truth_difference(CLASSES, truth, before, after)
    assert told["before"]["overall_accuracy"] == 7 / 8
    assert told["after"]["overall_accuracy"] == 6 / 8
    assert told["loss"] == 12.5
    assert (told["right_to_wrong"], told["wrong_to_right"]) == (2, 1)
    # F1 of the classes before: 4/5, 1 and 6/7.
    assert told["before"]["macro_f1"] == pytest.approx((4 / 5 + 1 + 6 / 7) / 3)


def test_a_better_model_has_a_negative_loss() -> None:
    truth = np.array([0, 1])
    told = truth_difference(CLASSES, truth, np.eye(3)[[0, 0]], np.eye(3)[[0, 1]])
    assert told["loss"] == -50


def test_r2_of_the_worst_target_against_the_truth() -> None:
    truth = np.array([[0.0, 0], [2, 2], [np.nan, 4], [4, 6]])  # squares about the means: 8, 20
    before = truth.copy()
    before[2, 0] = 100  # no truth is known there
    after = before + np.array([[1.0, 0], [0, 1], [1, 0], [0, 0]])
    told = truth_difference(TARGETS, truth, before, after)
    assert told["measure"] == "R2 of the worst target, percentage points"
    assert told["before"] == {"u": {"r2": 1.0, "rmse": 0.0}, "v": {"r2": 1.0, "rmse": 0.0}}
    assert told["after"]["u"]["r2"] == pytest.approx(1 - 1 / 8)
    assert told["after"]["v"]["r2"] == pytest.approx(1 - 1 / 20)
    assert told["loss"] == pytest.approx(12.5)
