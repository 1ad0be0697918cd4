"""Calibration: known temperatures, known errors, and figures by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from hyperkd.evaluation.scores.calibration import (
    BINS,
    TEMPERATURES,
    calibrate,
    fit_temperature,
    log_softmax,
)
from hyperkd.evaluation.scores.class_accuracy import assess_classification


def drawn(n: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, and classes drawn from ``softmax(logits / temperature)``."""
    generator = np.random.default_rng(seed)
    logits = 3 * generator.normal(size=(n, 5))
    cumulative = np.exp(log_softmax(logits, temperature)).cumsum(axis=1)
    return logits, (generator.random((n, 1)) > cumulative).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    logits, truth = drawn(40_000, temperature)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.03)


def test_the_fitted_temperature_has_the_smallest_likelihood() -> None:
    logits, truth = drawn(300, 2.0)
    best = fit_temperature(logits, truth)
    loss = calibrate(logits, truth, best).nll
    for factor in (0.5, 0.99, 1.01, 2.0):
        assert calibrate(logits, truth, best * factor).nll > loss


def test_temperatures_end_at_a_bound_where_all_is_right_or_wrong() -> None:
    logits = np.eye(3)[[0, 1, 2, 0]] * 4
    assert fit_temperature(logits, np.array([0, 1, 2, 0])) == pytest.approx(TEMPERATURES[0])
    assert fit_temperature(logits, np.array([1, 2, 0, 1])) == pytest.approx(TEMPERATURES[1])


def test_a_calibrated_sample_has_almost_no_calibration_error() -> None:
    logits, truth = drawn(40_000, 2.0)
    assert calibrate(logits, truth, 2.0).ece < 0.01
    assert calibrate(logits, truth).ece > 0.1


def test_figures_by_hand() -> None:
    # probabilities 0.8/0.2 (right), 0.8/0.2 (wrong) and 0.6/0.4 (right)
    logits = np.log([[0.8, 0.2], [0.8, 0.2], [0.4, 0.6]])
    found = calibrate(logits, np.array([0, 1, 1]))
    assert found.count.tolist() == [0, 0, 0, 0, 0, 1, 0, 2, 0, 0]  # 0.6 and 0.8 close their bins
    assert found.accuracy[7] == pytest.approx(0.5)
    assert found.confidence[7] == pytest.approx(0.8)
    assert np.isnan(found.accuracy[0])
    assert found.ece == pytest.approx((2 * 0.3 + 1 * 0.4) / 3)
    assert found.nll == pytest.approx(-np.log([0.8, 0.2, 0.6]).mean())
    assert found.brier == pytest.approx((2 * 0.04 + 2 * 0.64 + 2 * 0.16) / 3)


def test_likelihood_and_brier_equal_those_of_scikit_learn() -> None:
    logits, truth = drawn(500, 1.0)
    probabilities = np.exp(log_softmax(logits))
    found = calibrate(logits, truth)
    assert found.nll == pytest.approx(metrics.log_loss(truth, probabilities))
    two = calibrate(logits[:, :2], truth % 2)
    share = np.exp(log_softmax(logits[:, :2]))[:, 1]
    # scikit-learn's figure for two classes counts one of them only
    assert two.brier == pytest.approx(2 * metrics.brier_score_loss(truth % 2, share))


def test_certain_pixels_have_a_bin_and_huge_logits_do_not_overflow() -> None:
    found = calibrate(np.array([[1e5, 0.0], [0.0, 1e5]]), np.array([0, 1]))
    assert found.count[BINS - 1] == 2
    assert found.ece == 0
    assert found.nll == 0


def test_temperature_never_changes_the_class_and_shows_both_curves() -> None:
    logits, truth = drawn(200, 2.0)
    classes = [{"name": str(i), "value": i, "color": "#000000"} for i in range(5)]
    found = assess_classification(truth, logits, classes, np.arange(200), seed=0, temperature=2.0)
    plain = assess_classification(truth, logits, classes, np.arange(200), seed=0)
    assert np.array_equal(found.matrix, plain.matrix)
    assert plain.calibrated is None
    assert found.calibrated is not None
    assert found.calibrated.ece < found.uncalibrated.ece
    told = found.to_json()["calibration"]
    assert told["calibrated"]["temperature"] == 2
    assert [row["pixels"] for row in told["calibrated"]["bins"]] == found.calibrated.count.tolist()
    assert told["uncalibrated"]["bins"][0]["accuracy"] is None
