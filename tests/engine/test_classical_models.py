"""Classical models as ONNX: they answer what scikit-learn answers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("onnxruntime")

from hyperkd.evaluation.baselines import classical_models as module  # noqa: E402
from hyperkd.evaluation.baselines.classical_models import FittedBaseline, fit_baselines  # noqa: E402
from hyperkd.evaluation.baselines.fitted_to_onnx import answers_of, classical_of, temperature_of  # noqa: E402
from hyperkd.inference.backends.onnxruntime_backend import open_session  # noqa: E402
from hyperkd.models.classical_onnx import classical_graph, not_above  # noqa: E402

BANDS = 12


@pytest.fixture(autouse=True)
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TREES", 30)


def spectra_of(classes: int, n: int, seed: int, noise: float = 0.15):
    """Overlapping classes, so that no model is sure of itself."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, n)
    means = np.random.default_rng(99).random((classes, BANDS))
    spectra = 0.3 * means[truth] + noise * generator.random((n, BANDS))
    return spectra.astype(np.float32), truth, np.arange(n) // 4


def answered(fitted: FittedBaseline, spectra: np.ndarray) -> np.ndarray:
    """Return ``(n, K)`` of the exported graph, the pixels laid out as two tiles."""
    name = "logits" if fitted.task == "classification" else "values"
    scaling = fitted.scaling
    graph = classical_graph(classical_of(fitted), scaling.mean, scaling.std, name)
    onnx.checker.check_model(graph, full_check=True)
    session = open_session(graph.SerializeToString())
    side = len(spectra) // 8
    pixels = spectra.reshape(2, 4, side, BANDS).transpose(0, 3, 1, 2)
    valid = np.ones((2, 1, 4, side), np.float32)
    answer = session.run(np.ascontiguousarray(pixels), valid)
    assert answer.shape[2:] == (4, side)
    return answer.transpose(0, 2, 3, 1).reshape(len(spectra), -1)


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    scaled = np.exp((logits - logits.max(1, keepdims=True)) / temperature)
    return scaled / scaled.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_classes_and_probabilities_are_those_of_scikit_learn(classes: int) -> None:
    spectra, truth, groups = spectra_of(classes, 240, 0)
    test, _, _ = spectra_of(classes, 800, 1)
    models = fit_baselines("classification", spectra, truth, groups, 0, decisions=True)
    assert set(models) == {"logistic regression", "RBF SVM", "random forest"}
    for name, fitted in models.items():
        logits, expected = answered(fitted, test).astype(np.float64), answers_of(fitted, test)
        assert np.array_equal(logits.argmax(1), fitted.predict(test)), name
        temperature = temperature_of(fitted)
        if name == "RBF SVM":
            assert logits == pytest.approx(expected, abs=1e-4)
            expected = softmax(expected, temperature)
        else:
            assert temperature == 1.0
        found = softmax(logits, temperature)
        assert np.abs(found - expected).max() < 1e-5, name
        # No constant answer would pass for a model.
        assert len(np.unique(logits.argmax(1))) == classes, name


def test_values_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    spectra = generator.random((200, BANDS)).astype(np.float32)
    truth = np.stack([spectra[:, 3] - spectra[:, 7], 50 + 100 * spectra[:, 11]], axis=1)
    truth[::7, 1] = np.nan
    test = generator.random((400, BANDS)).astype(np.float32)
    for name, fitted in fit_baselines("regression", spectra, truth, np.arange(200) // 4, 0).items():
        found, expected = answered(fitted, test), fitted.predict(test)
        assert expected.std(axis=0).min() > 0.1, name
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-5), name


def test_votes_are_counted_where_three_classes_beat_each_other_in_a_ring() -> None:
    spectra, truth, groups = spectra_of(3, 120, 0, noise=0.6)
    test, _, _ = spectra_of(3, 4000, 1, noise=0.9)
    fitted = fit_baselines("classification", spectra, truth, groups, 0)["RBF SVM"]
    decisions = answers_of(fitted, test)
    tied = (np.round(decisions) == 1).all(1)
    assert tied.any()
    logits = answered(fitted, test)
    assert np.array_equal(logits.argmax(1)[tied], fitted.predict(test)[tied])


def test_decisions_of_folds_make_probabilities_that_fit() -> None:
    spectra, truth, groups = spectra_of(3, 400, 0, noise=0.9)
    models = fit_baselines("classification", spectra, truth, groups, 0, decisions=True)
    (fitted,) = [found for found in models.values() if found.held_out]
    decisions, known = (np.concatenate(parts) for parts in zip(*fitted.held_out))
    assert len(known) == 400
    assert (decisions.argmax(1) == known).mean() > 0.5

    def loss(temperature: float) -> float:
        return -np.log(softmax(decisions, temperature)[np.arange(400), known]).mean()

    best = temperature_of(fitted)
    assert loss(best) <= min(loss(best * 0.9), loss(best * 1.1), loss(1.0))
    plain = fit_baselines("classification", spectra, truth, groups, 0)
    assert not any(found.held_out for found in plain.values())


def test_thresholds_part_float32_values_as_float64_does() -> None:
    generator = np.random.default_rng(0)
    first = generator.random(1000).astype(np.float32)
    second = np.nextafter(first, np.float32(2))
    # Between two neighbours of float32 there is none; the middle rounds to either.
    middle = (first.astype(np.float64) + second) / 2
    rounded = not_above(middle)
    assert (first <= rounded).all()
    assert (second > rounded).all()
    assert np.array_equal(not_above(first.astype(np.float64)), first)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_values_in_the_middle_of_two_stored_ones_fall_to_one_side(task: str) -> None:
    generator = np.random.default_rng(0)
    # Even numbers teach and odd ones ask: each asks in the middle of two.
    stored = 2 * generator.integers(0, 10, (200, BANDS))
    truth = (stored[:, 0] > stored[:, 1]).astype(int)
    truth = truth if task == "classification" else stored[:, :1] + 0.5 * stored[:, 1:2]
    spectra = (stored * 1e-4).astype(np.float32)
    test = ((2 * generator.integers(0, 10, (400, BANDS)) + 1) * 1e-4).astype(np.float32)
    fitted = fit_baselines(task, spectra, truth, np.arange(200) // 4, 0)["random forest"]
    expected = answers_of(fitted, test)
    rounded = test * generator.choice([1 - 1e-7, 1, 1 + 1e-7], test.shape).astype(np.float32)
    assert (rounded != test).any()
    found = answered(fitted, rounded.astype(np.float32))
    found = softmax(found.astype(np.float64)) if task == "classification" else found
    assert found == pytest.approx(expected, abs=1e-5)
    assert fitted.predict(rounded).tolist() == fitted.predict(test).tolist()
