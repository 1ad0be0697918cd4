"""Regression figures: identities, scikit-learn, and what is not defined."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics

from hyperkd.evaluation.scores.bootstrap import GroupBootstrap
from hyperkd.evaluation.scores.regression_error import _resampled_range, assess_regression

TARGETS = (
    {"name": "soc", "unit": "%", "minimum": 0.0, "maximum": 6.0},
    {"name": "clay", "unit": "g/kg", "minimum": 0.0, "maximum": 600.0},
)


def pairs(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.gamma(2, 1, (n, 2)) * (1, 100) + (0, 1e4)
    return truth, truth + generator.normal(size=(n, 2)) * (0.5, 60) + (0.1, -5)


def test_figures_equal_those_of_scikit_learn() -> None:
    truth, predicted = pairs()
    found = assess_regression(truth, predicted, TARGETS, np.arange(200), seed=0)
    for column, target in enumerate(found.targets):
        a, b = truth[:, column], predicted[:, column]
        assert target.values["r2"] == pytest.approx(metrics.r2_score(a, b))
        assert target.values["rmse"] == pytest.approx(np.sqrt(metrics.mean_squared_error(a, b)))
        assert target.values["mae"] == pytest.approx(metrics.mean_absolute_error(a, b))
        assert target.values["bias"] == pytest.approx((b - a).mean())
        quartiles = np.percentile(a, [25, 75])
        ratio = (quartiles[1] - quartiles[0]) / target.values["rmse"]
        assert target.values["rpiq"] == pytest.approx(ratio)


def test_rpd_is_r2_in_another_form() -> None:
    truth, predicted = pairs()
    for target in assess_regression(truth, predicted, TARGETS, np.arange(200), seed=0).targets:
        assert target.values["rpd"] ** 2 == pytest.approx(1 / (1 - target.values["r2"]))


def test_the_mean_as_prediction_has_r2_zero_and_a_constant_offset_less() -> None:
    truth, _ = pairs()
    mean = np.broadcast_to(truth.mean(axis=0), truth.shape)
    flat, shifted = (
        assess_regression(truth, predicted, TARGETS, np.arange(200), seed=0).targets[0].values
        for predicted in (mean, mean + 1)
    )
    assert flat["r2"] == pytest.approx(0, abs=1e-12)
    assert flat["rpd"] == pytest.approx(1)
    assert shifted["r2"] < -0.3
    assert shifted["bias"] == pytest.approx(1)


def test_r2_is_not_the_squared_correlation() -> None:
    truth = np.arange(10.0)[:, None]
    found = assess_regression(truth, 2 * truth, TARGETS[:1], np.arange(10), seed=0)
    assert np.corrcoef(truth[:, 0], 2 * truth[:, 0])[0, 1] == pytest.approx(1)
    assert found.targets[0].values["r2"] == pytest.approx(1 - 285 / 82.5)


def test_pixels_without_a_truth_are_left_out_target_by_target() -> None:
    truth, predicted = pairs()
    holes = truth.copy()
    holes[::3, 1] = np.nan
    found = assess_regression(holes, predicted, TARGETS, np.arange(200), seed=0)
    known = np.isfinite(holes[:, 1])
    alone = assess_regression(
        truth[known][:, 1:], predicted[known][:, 1:], TARGETS[1:], np.arange(200)[known], seed=0
    )
    assert found.targets[1].to_json() == alone.targets[0].to_json()
    assert len(found.targets[0].truth) == 200


def test_interval_of_the_bias_is_that_of_a_mean() -> None:
    truth, predicted = pairs(2000)
    found = assess_regression(truth, predicted, TARGETS, np.arange(2000), seed=0).targets[0]
    half = 1.96 * (predicted - truth)[:, 0].std() / np.sqrt(2000)
    bias = found.values["bias"]
    assert found.intervals["bias"] == pytest.approx([bias - half, bias + half], abs=0.15 * half)
    for name, (low, high) in found.intervals.items():
        assert low < found.values[name] < high, name


def test_resampled_interquartile_range_is_numpys() -> None:
    truth, _ = pairs(60)
    groups = np.arange(60) // 4
    bootstrap = GroupBootstrap(groups, seed=2, replicates=20)
    found = _resampled_range(truth[:, 0], bootstrap)
    for value, weights in zip(found, np.concatenate(list(bootstrap.weights()))):
        pixels = np.repeat(truth[:, 0], weights[groups])
        low, high = np.percentile(pixels, [25, 75])
        assert value == pytest.approx(high - low)


def test_few_groups_get_no_interval() -> None:
    truth, predicted = pairs(20)
    found = assess_regression(truth, predicted, TARGETS, np.arange(20) % 4, seed=0)
    assert np.isnan(found.targets[0].intervals["rmse"]).all()
    assert found.notes[0] == "Too few groups of labels of soc for an interval (4; it takes 5)."


def test_equal_labels_leave_r2_undefined_and_a_perfect_prediction_rpd() -> None:
    truth = np.full((10, 1), 3.0)
    found = assess_regression(truth, truth + 1, TARGETS[:1], np.arange(10), seed=0)
    assert np.isnan(found.targets[0].values["r2"])
    assert found.notes == ("All labels of soc are equal, so R² is not defined.",)
    exact = np.arange(10.0)[:, None]
    perfect = assess_regression(exact, exact, TARGETS[:1], np.arange(10), seed=0).targets[0]
    assert perfect.values["r2"] == 1
    assert np.isnan([perfect.values["rpd"], perfect.values["rpiq"]]).all()
    told = json.loads(json.dumps(perfect.to_json(), allow_nan=False))
    assert told["rpd"] == {"value": None, "low": None, "high": None}


def test_json_holds_the_figures_and_thinned_points() -> None:
    truth, predicted = pairs(4500)
    told = assess_regression(truth, predicted, TARGETS, np.arange(4500), seed=0).to_json()
    points = told["targets"][0]["points"]
    assert points["every"] == 3
    assert points["truth"] == truth[::3, 0].tolist()
    assert points["predicted"] == predicted[::3, 0].tolist()
    assert told["targets"][1]["unit"] == "g/kg"


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (np.zeros((3, 1)), np.zeros((3, 2)), r"are not \(3, 2\)"),
        (np.zeros((3, 2)), np.full((3, 2), np.inf), "predicted values must be finite"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), "no pixel has a truth of soc"),
    ],
)
def test_arrays_that_cannot_be_compared_are_refused(
    truth: np.ndarray, predicted: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        assess_regression(truth, predicted, TARGETS, np.arange(3), seed=0)
