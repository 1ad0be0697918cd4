"""Classical models: they learn what is there, and nothing where nothing is."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.baselines import classical_models as module
from hyperkd.evaluation.baselines import plsr
from hyperkd.evaluation.baselines.classical_models import fit_baselines
from hyperkd.evaluation.scores.paired_comparison import compare_classifications, compare_regressions
from tests.reports import SilentReport

BANDS = 12


@dataclass
class Baseline:
    """What a trained model predicts, and what was chosen for it."""

    predicted: np.ndarray
    settings: Mapping[str, Any]


def baselines(task, spectra, values, groups, test, seed, report=None) -> dict[str, Baseline]:
    """Train the classical models and apply them."""
    found = fit_baselines(task, spectra, values, groups, seed, report)
    return {name: Baseline(model.predict(test), model.settings) for name, model in found.items()}


@pytest.fixture(autouse=True)
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TREES", 20)


def class_spectra(n: int, seed: int, noise: float = 0.02) -> tuple[np.ndarray, ...]:
    """Return spectra of three classes in polygons of four pixels, truth and groups."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(generator.integers(0, 3, n // 4), 4)
    means = np.random.default_rng(99).random((3, BANDS))
    spectra = means[truth] + noise * generator.normal(size=(len(truth), BANDS))
    return spectra, truth, np.arange(len(truth)) // 4


def test_separable_classes_are_found_by_all() -> None:
    spectra, truth, groups = class_spectra(120, 0)
    test, expected, _ = class_spectra(80, 1)
    found = baselines("classification", spectra, truth, groups, test, 0)
    assert list(found) == ["logistic regression", "RBF SVM", "random forest"]
    for name, model in found.items():
        assert (model.predicted == expected).mean() == 1, name
        assert model.settings["training_pixels"] == 120
    assert found["RBF SVM"].settings["chosen_over_folds"] == 3
    assert {"C", "gamma"} <= set(found["RBF SVM"].settings)


def test_labels_shuffled_at_random_score_at_chance() -> None:
    spectra, truth, groups = class_spectra(240, 0)
    test, expected, _ = class_spectra(400, 1)
    right = []
    for seed in range(8):
        # whole polygons are shuffled; which class gets which label is chance then
        shuffled = np.repeat(np.random.default_rng(seed).permutation(truth[::4]), 4)
        models = baselines("classification", spectra, shuffled, groups, test, seed)
        right.append([(model.predicted == expected).mean() for model in models.values()])
    assert np.mean(right) == pytest.approx(1 / 3, abs=0.12)


def test_neither_the_scale_nor_the_offset_of_the_bands_matters() -> None:
    spectra, truth, groups = class_spectra(120, 0, noise=0.2)
    test, _, _ = class_spectra(60, 1, noise=0.2)
    plain = baselines("classification", spectra, truth, groups, test, 0)
    scaled = baselines("classification", spectra * 8 + 2, truth, groups, test * 8 + 2, 0)
    for name, model in plain.items():
        assert np.array_equal(model.predicted, scaled[name].predicted), name


def test_a_class_in_one_polygon_and_a_constant_band_are_no_obstacle() -> None:
    spectra, truth, groups = class_spectra(40, 0)
    spectra[:, 3] = 0.1
    groups = truth.copy()  # each class is one polygon: nothing to choose settings with
    found = baselines("classification", spectra, truth, groups, spectra, 0)
    assert all((model.predicted == truth).all() for model in found.values())
    assert "chosen_over_folds" not in found["RBF SVM"].settings
    assert found["RBF SVM"].settings["C"] == 1


def test_a_class_of_one_pixel_is_no_obstacle_and_no_noise() -> None:
    spectra, truth, groups = class_spectra(40, 0)
    truth[0], spectra[0] = 3, spectra[0] + 1
    groups[0] = groups.max() + 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = baselines("classification", spectra, truth, groups, spectra, 0)
    assert set(found) == {"logistic regression", "RBF SVM", "random forest"}
    assert all((model.predicted[1:] == truth[1:]).all() for model in found.values())


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_training_can_be_cancelled(task: str) -> None:
    spectra, truth, groups = class_spectra(40, 0)
    truth = truth if task == "classification" else truth[:, None].astype(float)
    with pytest.raises(HyperKDError, match="wants no more") as refused:
        baselines(task, spectra, truth, groups, spectra, 0, SilentReport(cancel_after=1))
    assert refused.value.code == "cancelled"


def test_large_samples_are_capped_and_rare_classes_kept() -> None:
    truth = np.repeat([0, 1, 2], [20_000, 3000, 30])
    kept = module.capped(truth, 1500, 0)
    assert np.bincount(truth[kept]).tolist() == [round(1500 * 20_000 / 23_030), 195, 30]
    assert np.array_equal(kept, module.capped(truth, 1500, 0))
    assert np.array_equal(module.capped(truth[:1500], 1500, 0), np.arange(1500))


def target_spectra(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    spectra = generator.random((n, BANDS)).cumsum(axis=1)
    truth = np.stack([spectra[:, 3] - spectra[:, 7] + 5, 100 * spectra[:, 11]], axis=1)
    return spectra, truth + generator.normal(size=truth.shape) * 0.01, np.arange(n) // 3


def test_linear_targets_are_found_and_pixels_without_truth_ignored() -> None:
    spectra, truth, groups = target_spectra(150, 0)
    test, expected, _ = target_spectra(60, 1)
    holes = truth.copy()
    holes[::5, 1] = np.nan
    found = baselines("regression", spectra, holes, groups, test, 0)
    assert list(found) == ["PLSR", "random forest"]
    spread = ((expected - expected.mean(axis=0)) ** 2).sum(axis=0)
    for name, smallest in (("PLSR", 0.99), ("random forest", 0.5)):
        r2 = 1 - ((found[name].predicted - expected) ** 2).sum(axis=0) / spread
        assert (r2 > smallest).all(), (name, r2)
    pixels = [row["training_pixels"] for row in found["PLSR"].settings["targets"]]
    assert pixels == [150, 120]


def test_one_fit_holds_the_predictions_of_all_numbers_of_components() -> None:
    spectra, truth, _ = target_spectra(80, 0)
    test, _, _ = target_spectra(20, 1)
    scaling = module.Scaling.of(spectra)
    train, test = scaling.apply(spectra), scaling.apply(test)
    steps = plsr.predictions(train, truth[:, 0], test, 6)
    for components, predicted in enumerate(steps, 1):
        single = PLSRegression(components, scale=False).fit(train, truth[:, 0]).predict(test)
        assert predicted == pytest.approx(single.ravel(), rel=1e-9), components


def test_shuffled_targets_are_not_predicted() -> None:
    spectra, truth, groups = target_spectra(150, 0)
    test, expected, _ = target_spectra(100, 1)
    spread = ((expected - expected.mean(axis=0)) ** 2).sum(axis=0)
    r2 = []
    for seed in range(6):
        shuffled = np.random.default_rng(seed).permutation(truth)
        models = baselines("regression", spectra, shuffled, groups, test, seed)
        errors = [((model.predicted - expected) ** 2).sum(axis=0) for model in models.values()]
        r2.append(1 - np.array(errors) / spread)
    assert np.mean(r2) < 0.05


def test_equal_targets_are_predicted_as_they_are() -> None:
    spectra, truth, groups = target_spectra(30, 0)
    flat = np.full_like(truth, 2.5)
    for model in baselines("regression", spectra, flat, groups, spectra, 0).values():
        assert model.predicted == pytest.approx(2.5)


def test_paired_differences_are_narrower_than_their_intervals_suggest() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 600)
    groups = np.arange(600) // 6
    hard = np.repeat(generator.random(100) < 0.3, 6)  # polygons that both get wrong
    model = np.where(hard, (truth + 1) % 3, truth)
    other = np.where(generator.random(600) < 0.05, (truth + 2) % 3, model)
    found = compare_classifications(
        truth, {"model": model, "other": other}, 3, groups, seed=0, settings={"other": {"C": 1}}
    ).to_json()["methods"]
    difference = found[1]["model_minus_method"]["overall_accuracy"]
    exact = (model == truth).mean() - (other == truth).mean()
    assert difference["value"] == pytest.approx(exact)
    assert 0 < difference["low"] < exact < difference["high"]
    one = found[0]["overall_accuracy"]
    assert difference["high"] - difference["low"] < (one["high"] - one["low"]) / 3
    assert "model_minus_method" not in found[0]
    assert found[1]["settings"] == {"C": 1}


def test_a_method_compared_with_itself_does_not_differ() -> None:
    spectra, truth, groups = target_spectra(60, 0)
    found = compare_regressions(
        truth[:, 0], {"model": spectra[:, 0], "same": spectra[:, 0]}, groups, seed=0
    )
    for name in ("r2", "rmse", "mae"):
        assert found.differences[name][1].tolist() == [0, 0]
        low, high = found.intervals[name][1]
        assert low < found.values[name][1] < high
