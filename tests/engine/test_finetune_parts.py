"""The parts of fine-tuning: tiles, components, hyperparameters, the ensemble, the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import f1_score, r2_score  # noqa: E402

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.evaluation.splits.split_units import inner_folds  # noqa: E402
from hyperkd.models.nets.heads import DenseModel  # noqa: E402
from hyperkd.training.common.augment import (  # noqa: E402
    VIEWS,
    Augment,
    AugmentConfig,
    back_from_view,
    view_of,
)
from hyperkd.training.common.noise_components import noise_components  # noqa: E402
from hyperkd.training.finetune.adapters import add_adapters, merge_adapters  # noqa: E402
from hyperkd.training.finetune.base_encoder import BaseEncoder  # noqa: E402
from hyperkd.training.finetune.head import mlp_ensemble  # noqa: E402
from hyperkd.training.finetune.head.fit_head import HeadFit, HeadSearch  # noqa: E402
from hyperkd.training.finetune.head.hyperparameter_search import (  # noqa: E402
    HeadInputs,
    Hyperparameters,
    scored_pixels,
    search_hyperparameters,
)
from hyperkd.training.finetune.head.tasks import (  # noqa: E402
    Classification,
    Regression,
    SoftTargets,
    distilled,
    task_of,
    weighted_labels,
)
from hyperkd.training.finetune.labelled_pixels import SplitPixels  # noqa: E402
from hyperkd.training.finetune.pixel_features import read_features, tokens_of  # noqa: E402
from hyperkd.training.finetune.training_pixels import subset, thinned  # noqa: E402
from tests import finetune_factories as make  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

torch.set_num_threads(1)


# --- tiles ---


def features_of(source, labels, part, encoder=None, seed=0):
    _, pixels = make.reader(source, labels, part)
    train, test = pixels.take(pixels.part != 2), pixels.take(pixels.part == 2)
    encoder = make.student().encoder().eval() if encoder is None else encoder
    base = BaseEncoder(encoder, make.student_card(), "nano", None)
    return read_features([source], train, test, base, seed, "cpu", SilentReport()), train


def test_labelled_pixels_show_their_normalised_reflectance():
    reflectance = make.noisy(40, 56)
    labels = make.every_pixel(np.zeros((40, 56)))
    source = make.scene(reflectance)
    features, pixels = features_of(source, labels, np.zeros((40, 56)))
    expected = (np.rint(reflectance * 1e4) * 1e-4 - 0.2) / 0.1
    np.testing.assert_allclose(features.spectra, expected[:, pixels.row, pixels.col].T, atol=1e-5)


def test_neighbours_count_where_they_are_valid():
    reflectance, valid = make.noisy(20, 20), np.ones((20, 20), bool)
    valid[9, 9:12] = False
    labels = subset(make.every_pixel(np.zeros((20, 20))), valid.ravel())
    features, pixels = features_of(make.scene(reflectance, valid), labels, np.zeros(valid.sum()))
    normal = (np.rint(reflectance * 1e4) * 1e-4 - 0.2) / 0.1
    here = int(np.flatnonzero((pixels.row == 10) & (pixels.col == 10))[0])
    around = normal[:, 9:12, 9:12][:, valid[9:12, 9:12]]
    assert around.shape[1] == 6
    np.testing.assert_allclose(
        features.difference[here], around.mean(1) - normal[:, 10, 10], rtol=1e-4, atol=1e-5
    )


def test_each_pixel_lies_in_the_tile_that_counts_most_in_the_map():
    """Tiles of 16 at 0, 12 and 24 share 4 pixels, whose halves belong to either side."""
    labels = make.every_pixel(np.zeros((16, 40)))
    reader, pixels = make.reader(make.scene(make.noisy(16, 40)), labels, np.zeros((16, 40)))
    first = {int(tile.window.col): tile for tile in reader.read(SilentReport())}
    assert list(first) == [0, 12, 24]
    columns = {col: np.unique(pixels.col[tile.index]).tolist() for col, tile in first.items()}
    assert columns[0] == list(range(14)) and columns[24] == list(range(26, 40))
    assert sorted(np.concatenate([t.index for t in first.values()])) == list(range(len(pixels)))


def test_a_scene_smaller_than_a_tile_is_reflected():
    labels = make.every_pixel(np.zeros((10, 12)))
    reader, _ = make.reader(make.scene(make.noisy(10, 12)), labels, np.zeros((10, 12)))
    (tile,) = reader.read(SilentReport())
    assert tile.pixels.shape == (make.BANDS, 16, 16)
    np.testing.assert_array_equal(tile.pixels[:, 10:], tile.pixels[:, 8:2:-1])
    np.testing.assert_array_equal(tile.pixels[:, :, 12:], tile.pixels[:, :, 10:6:-1])


def test_test_pixels_have_no_part_in_the_statistics_of_the_scene():
    reflectance = make.noisy(16, 16)
    part = np.zeros((16, 16))
    part[:, 8:] = 2
    marked = reflectance.copy()
    marked[:, :, 8:] = 0.9
    labels = make.every_pixel(np.zeros((16, 16)))
    features, _ = features_of(make.scene(marked), labels, part)
    assert features.scene.max() < (0.9 - 0.2) / 0.1 - 1
    assert len(features.scene) == 16 * 8 and len(features.steps) == 16 * 7 + 15 * 8


@pytest.mark.parametrize("view", range(VIEWS))
def test_a_view_can_be_undone(view):
    image = np.arange(2 * 6 * 6).reshape(2, 6, 6)
    turned = view_of(image, view)
    np.testing.assert_array_equal(back_from_view(turned, view), image)
    assert view == 0 or not np.array_equal(turned, image)
    others = [view_of(image, other).tolist() for other in range(VIEWS) if other != view]
    assert turned.tolist() not in others


def test_kept_tokens_are_those_of_the_whole_model():
    """Of each view; those of view 0 are what the map is made from."""
    source, labels = make.scene(make.noisy(16, 16)), make.every_pixel(np.zeros((16, 16)))
    encoder = make.student().encoder().eval()
    features, pixels = features_of(source, labels, np.zeros((16, 16)), encoder)
    assert features.tokens.shape == (256, VIEWS, make.CONFIG.dim)
    reader, _ = make.reader(source, labels, np.zeros((16, 16)))
    (tile,) = reader.read(SilentReport())
    reflectance = torch.from_numpy(tile.pixels)[None] * 0.1 + 0.2
    with torch.no_grad():
        whole = encoder.embedding(reflectance, torch.ones(1, 1, 16, 16))[0].numpy()
    np.testing.assert_allclose(
        features.tokens[:, 0], whole[:, pixels.row, pixels.col].T, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_array_equal(features.tokens[tile.index, 5], tokens_of(encoder, tile, 5))
    assert np.abs(features.tokens[:, 5] - features.tokens[:, 0]).max() > 0.01


# --- components ---


def noise_and_signal(seed=0, count=20000):
    generator = np.random.default_rng(seed)
    mixing = np.eye(6) + 0.2 * generator.normal(size=(6, 6))
    noise = 0.01 * generator.normal(size=(count, 6)) @ mixing
    signal = generator.normal(size=(count // 50, 2)).repeat(50, 0) @ generator.normal(size=(2, 6))
    return signal + noise, mixing


def test_noise_is_equal_and_independent_in_all_components():
    spectra, mixing = noise_and_signal()
    found = noise_components(spectra, np.diff(spectra, axis=0), np.full(6, 0.1), 6)
    noise = 1e-4 * found.matrix @ mixing.T @ mixing @ found.matrix.T
    size = np.sqrt(np.diag(noise))
    # The smallest tenth of the differences underestimates the noise, nearly alike in all.
    np.testing.assert_allclose(size / size.mean(), 1, atol=0.3)
    correlation = noise / np.outer(size, size)
    assert np.abs(correlation - np.eye(6)).max() < 0.35
    plain = np.corrcoef(spectra.T)
    assert np.abs(plain - np.eye(6)).max() > 0.5
    assert found.noise == pytest.approx(size.mean(), rel=0.6)


def test_components_are_sorted_by_signal_and_of_size_one_on_the_whole():
    spectra, _ = noise_and_signal()
    found = noise_components(spectra, np.diff(spectra, axis=0), np.full(6, 0.1), 6)
    power = found.apply(spectra).var(0)
    assert (np.diff(power) <= 1e-6).all() and power[1] > 30 * power[2]
    assert power.mean() == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(found.apply(spectra).mean(0), 0, atol=1e-3)


def test_scaling_a_band_does_not_change_the_components():
    """Standardising would: it makes a band of noise as large as any other."""
    spectra, _ = noise_and_signal()
    steps, factor = np.diff(spectra, axis=0), np.array([1, 10, 0.1, 3, 1, 1])
    first = noise_components(spectra, steps, np.full(6, 0.1), 4)
    second = noise_components(spectra * factor, steps * factor, np.full(6, 0.1) / factor, 4)
    np.testing.assert_allclose(
        np.abs(first.apply(spectra[:50])),
        np.abs(second.apply(spectra[:50] * factor)),
        rtol=0.02,
        atol=0.02,
    )


@pytest.mark.parametrize("steps", [np.zeros((0, 6)), np.zeros((100, 6))])
def test_without_noise_there_are_components_all_the_same(steps):
    spectra = np.random.default_rng(0).normal(size=(30, 6))
    found = noise_components(spectra, steps, np.full(6, 0.1), 40)
    assert found.matrix.shape == (6, 6) and np.isfinite(found.matrix).all()
    assert found.apply(spectra).var(0).mean() == pytest.approx(1, rel=0.05)


# --- tasks ---


def test_class_weights_balance_as_far_as_asked():
    values = np.array([0] * 80 + [1] * 20)
    task = Classification(3, 0.0)
    np.testing.assert_allclose(task.weights(values, 0.0), 1)
    full = task.weights(values, 1.0)
    assert full[:80].sum() == pytest.approx(full[80:].sum())
    half = task.weights(values, 0.5)
    assert half[99] / half[0] == pytest.approx(2) and half.mean() == pytest.approx(1)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_linear_start_is_scikit_learns_logistic_regression(classes):
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 4)).astype(np.float32)
    values = (features[:, 0] * 2 + generator.normal(size=200)).round().clip(0, classes - 1)
    values = values.astype(np.int64)
    linear = Classification(classes, 0.0).fit(features, values, np.ones(200), 0.5)
    model = LogisticRegression(C=0.5, tol=1e-3, max_iter=300).fit(features, values)
    answers = linear.apply(features)
    expected = model.decision_function(features)
    if classes == 2:
        answers, expected = answers[:, 1] - answers[:, 0], expected
    np.testing.assert_allclose(answers, expected, rtol=1e-3, atol=1e-3)


def test_a_class_without_a_training_pixel_is_never_predicted():
    features = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    linear = Classification(4, 0.0).fit(features, np.array([1, 3] * 25), np.ones(50), 1.0)
    assert set(linear.apply(100 * features).argmax(1)) <= {1, 3}
    alone = Classification(4, 0.0).fit(features, np.full(50, 2), np.ones(50), 1.0)
    assert (alone.apply(features).argmax(1) == 2).all()


def test_scores_of_classes_are_those_of_scikit_learn():
    generator = np.random.default_rng(1)
    values, answers = generator.integers(0, 4, 300), generator.normal(size=(300, 5))
    answers[np.arange(300), values] += 1
    scores, temperature = Classification(5, 0.0).scores(answers, values)
    chosen = answers.argmax(1)
    assert scores["accuracy"] == np.mean(chosen == values)
    labels = np.unique(values)
    expected = f1_score(values, chosen, labels=labels, average="macro")
    assert scores["macro_f1"] == pytest.approx(expected)
    # Calibrated: twice as sure is not worse.
    twice, half = Classification(5, 0.0).scores(2 * answers, values)
    assert twice["loss"] == pytest.approx(scores["loss"], rel=1e-4)
    assert half == pytest.approx(2 * temperature, rel=1e-2)


def test_unknown_targets_have_no_part():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 3)).astype(np.float32)
    values = np.stack([features[:, 0] * 2, features[:, 1] - 1], 1).astype(float)
    values[:20, 1] = np.nan
    task = Regression(values)
    linear = task.fit(features, values, np.ones(60), 1e6)
    np.testing.assert_allclose(linear.weight, [[2, 0, 0], [0, 1, 0]], atol=1e-3)
    answers = linear.apply(features)
    known = np.isfinite(values)
    expected = np.mean([r2_score(values[k, t], answers[k, t]) for t, k in enumerate(known.T)])
    assert task.scores(answers, values)[0]["r2"] == pytest.approx(expected)
    wrong = torch.from_numpy(answers)
    wrong[:20, 1] += 1e6
    loss = task.loss(wrong, torch.from_numpy(values).float())
    assert float(loss.max()) < 1e-3


def test_hubers_loss_is_linear_far_away():
    loss = Regression(np.zeros((1, 1))).loss(torch.tensor([[0.5], [3.0]]), torch.zeros(2, 1))
    torch.testing.assert_close(loss, torch.tensor([0.125, 2.5]))


def test_soft_targets_get_their_part_of_the_loss():
    answers = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    soft = torch.tensor([[0.0, 0.0], [torch.nan, torch.nan]])
    loss = distilled(torch.tensor([1.0, 1.0]), answers, soft, 0.25)
    even = -torch.log_softmax(answers[0], -1).mean()
    torch.testing.assert_close(loss, torch.stack([0.75 + 0.25 * even, torch.tensor(1.0)]))


def test_soft_targets_are_weighted_labels_of_a_linear_model():
    """The same loss as a perceptron's, whatever the outputs are."""
    generator = np.random.default_rng(2)
    values, weights = np.array([0, 2, 1, 1]), np.array([1.0, 2.0, 0.5, 3.0])
    soft = generator.normal(size=(4, 3)).astype(np.float32)
    soft[3] = np.nan
    answers = torch.from_numpy(generator.normal(size=(4, 3)))
    rows, classes, each = weighted_labels(values, weights, SoftTargets(soft, 0.3))
    given = torch.log_softmax(answers, -1).numpy()[rows, classes]
    hard = torch.nn.functional.cross_entropy(answers, torch.from_numpy(values), reduction="none")
    loss = distilled(hard, answers, torch.from_numpy(soft).double(), 0.3)
    assert -(given * each).sum() == pytest.approx(float((loss.numpy() * weights).sum()))
    np.testing.assert_allclose(np.bincount(rows, each), weights)
    assert classes[rows == 3].tolist() == [1]


# --- folds and hyperparameters ---


def test_folds_keep_blocks_whole_and_spread_the_classes():
    values = np.zeros((32, 32))
    values[:, 16:] = 1
    labels = make.every_pixel(values)
    fold = inner_folds(labels, "blocks", 8, 0).reshape(32, 32)
    for row in range(0, 32, 8):
        for col in range(0, 32, 8):
            assert len(np.unique(fold[row : row + 8, col : col + 8])) == 1
    assert fold.max() == 4
    assert {tuple(np.unique(values[fold == held])) for held in range(5)} == {(0.0, 1.0)}


def test_few_scenes_are_cut_into_blocks():
    labels = make.every_pixel(np.arange(24 * 24).reshape(24, 24) % 2)
    assert len(np.unique(inner_folds(labels, "scenes", None, 0))) == 5


def test_a_class_in_one_fold_is_not_scored():
    values, fold = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 1])
    np.testing.assert_array_equal(scored_pixels(values, fold), [True, True, True, True, False])
    assert scored_pixels(np.array([0, 1]), np.array([0, 1])).all()


def test_thinning_keeps_rare_classes():
    values = np.zeros(90_000, np.int64)
    values[:50] = 1
    nothing = np.zeros(90_000, np.int64)
    pixels = SplitPixels(nothing, nothing, nothing, nothing, values, nothing.astype(np.int8))
    kept = thinned(pixels, np.ones(90_000, bool), 0)
    assert kept[:50].all() and 39_900 < kept.sum() < 40_100


def head_inputs(count=400, seed=0, informative="tokens"):
    generator = np.random.default_rng(seed)
    components, difference = (
        generator.normal(size=(count, 4)).astype(np.float32) for _ in range(2)
    )
    tokens = generator.normal(size=(count, 2, 6)).astype(np.float32)
    source = {"tokens": tokens[:, 0], "difference": difference, "components": components}
    values = source[informative][:, 0] + 0.3 * generator.normal(size=count) > 0
    sizes = np.ones(4, np.float32)
    return HeadInputs(
        components, difference, tokens, sizes, values.astype(np.int64), Classification(2, 0.0)
    )


def searched(inputs, tokens=None, generator=None):
    fold = np.arange(len(inputs.values)) % 5
    generator = generator or np.random.default_rng(0)
    return search_hyperparameters(
        inputs, fold, SilentReport(), balance=None, tokens=tokens, generator=generator
    ).hyperparameters


@pytest.mark.parametrize(
    ("informative", "expected"),
    [("tokens", (False, True)), ("difference", (True, False)), ("components", (False, False))],
)
def test_a_path_is_taken_where_it_helps_and_only_there(informative, expected):
    found = searched(head_inputs(informative=informative))
    assert (found.neighbours > 0, found.tokens > 0) == expected


def test_tokens_can_be_asked_for_or_forbidden():
    inputs = head_inputs(informative="components")
    for asked in (True, False):
        assert (searched(inputs, asked).tokens > 0) is asked


def test_a_quantity_may_follow_a_small_component():
    generator = np.random.default_rng(0)
    sizes = np.array([5, 3, 1, 1], np.float32)
    components = generator.normal(size=(300, 4)).astype(np.float32) * sizes

    def emphasis(targets):
        task = Regression(targets)
        inputs = HeadInputs(components, components * 0, None, sizes, targets, task)
        return searched(inputs, generator=generator).emphasis

    assert emphasis(components[:, 3:] + 0.05 * generator.normal(size=(300, 1))) < 1
    assert emphasis(components[:, :1] / 5 + 0.5 * generator.normal(size=(300, 1))) >= 1


# --- the head ---


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("emphasis", [0.0, 1.0])
def test_the_head_is_what_was_trained(task, emphasis, monkeypatch):
    """Kept features and the assembled network agree: on all paths, on a tile as in a map."""
    generator = np.random.default_rng(4)
    source = make.scene(make.noisy(16, 16))
    values = generator.integers(0, 3, (16, 16))
    if task == "classification":
        labels = make.every_pixel(values)
    else:
        labels = make.every_pixel(generator.normal(size=(2, 16, 16)))
    encoder = make.student().encoder().eval()
    features, pixels = features_of(source, labels, np.zeros((16, 16)), encoder)
    kept = []

    class Kept(mlp_ensemble.EnsembleTraining):
        def __init__(self, *given):
            super().__init__(*given)
            kept.append(self)

    monkeypatch.setattr(mlp_ensemble, "EnsembleTraining", Kept)
    found = Hyperparameters(0.3, emphasis, 0.5, 0.3, 0.1)
    fit = head_fit(features, labels, np.arange(256) % 5)
    head = fit.train(HeadSearch(found, 3, 1.0, {}, [], False))
    expected = kept[-1].outputs().mean(0)
    assert np.abs(kept[-1].ensemble.leave.detach()).max() > 1e-4  # it learnt something
    model = DenseModel(encoder, head)
    reader, _ = make.reader(source, labels, np.zeros((16, 16)))
    (tile,) = reader.read(SilentReport())
    with torch.no_grad():
        reflectance = torch.from_numpy(tile.pixels)[None] * 0.1 + 0.2
        whole = model(reflectance, torch.ones(1, 1, 16, 16))[0].numpy()
    got = whole[:, pixels.row, pixels.col].T
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=2e-3)


def head_fit(features, labels, fold, report=None, **options):
    """A fit with all options of the job as they are but for those given."""
    task, values = task_of(labels, 0.0, labels.values)
    return HeadFit(
        features, values, fold, task, make.request(class_weights="auto", **options),
        make.CONFIG, make.student_card(), report or SilentReport(),
    )  # fmt: skip


def test_the_search_stops_where_nothing_more_is_learnt_and_knows_its_best():
    labels = make.every_pixel(np.random.default_rng(0).integers(0, 2, (16, 32)))
    features, _ = features_of(make.scene(make.noisy(16, 32)), labels, np.zeros((16, 32)))
    fold = inner_folds(labels, "blocks", 4, 0)
    found = head_fit(replace(features, tokens=None), labels, fold, epochs=200).search()
    assert len(found.history) < 200
    losses = [row["validation_loss"] for row in found.history]
    if found.epochs:
        assert min(losses) == losses[found.epochs - 1] == found.scores["loss"]
    # Random labels: no better than guessing.
    assert found.scores["loss"] > np.log(2) - 0.02
    assert abs(found.scores["accuracy"] - 0.5) < 0.1


class StopAtOnce(SilentReport):
    def stop_requested(self) -> bool:
        return True


def test_a_training_that_shall_stop_keeps_its_best():
    labels = make.every_pixel(np.random.default_rng(0).integers(0, 2, (16, 16)))
    features, _ = features_of(make.scene(make.noisy(16, 16)), labels, np.zeros((16, 16)))
    fold = np.arange(256) % 4
    found = head_fit(replace(features, tokens=None), labels, fold, StopAtOnce()).search()
    assert found.stopped and found.epochs == 0 and found.history == []


# --- augmentation and adapters ---


def test_no_augmentation_changes_nothing_and_illumination_scales_reflectance():
    spectra, _ = noise_and_signal()
    components = noise_components(spectra, np.diff(spectra, axis=0), np.full(6, 0.1), 6)
    mean, std = np.full(6, 0.2), np.full(6, 0.1)
    own = torch.from_numpy(components.apply(spectra[:5]))[None]
    scales = torch.tensor([1.0, 2, 3, 1, 1, 1])
    draws = np.random.default_rng(0)
    none = Augment(AugmentConfig(0, 0, 0), components, mean, std)
    torch.testing.assert_close(none.components([own * scales], scales, draws)[0], own * scales)
    bright = Augment(AugmentConfig(0.3, 0, 0), components, mean, std)
    (changed,) = bright.components([own * scales], scales, np.random.default_rng(3))
    factor = np.exp(0.3 * np.random.default_rng(3).standard_normal((1, 5, 1)))[0]
    brighter = ((spectra[:5] * std + mean) * factor - mean) / std
    expected = components.apply(brighter) * scales.numpy()
    np.testing.assert_allclose(changed[0].numpy(), expected, rtol=1e-3, atol=1e-3)


def test_lost_bands_are_bridged_by_a_straight_line():
    pixels = torch.arange(40.0)[None, :, None, None] * torch.ones(1, 1, 2, 2)
    mean, std = torch.zeros(40), torch.ones(40)
    components = noise_components(np.random.default_rng(0).normal(size=(99, 40)), np.zeros((0, 40)),
                                  np.ones(40), 4)  # fmt: skip
    augment = Augment(AugmentConfig(0, 0, 1.0), components, mean.numpy(), std.numpy())
    line = augment.tiles(pixels, mean, std, np.random.default_rng(1))
    torch.testing.assert_close(line, pixels)  # a line already
    changed = augment.tiles(pixels**2, mean, std, np.random.default_rng(1))
    assert int((changed != pixels**2)[0, :, 0, 0].sum()) == 2  # 5 % of 40


def test_adapters_begin_with_nothing_and_merge_exactly():
    encoder = make.student().encoder().eval()
    pixels, valid = torch.rand(2, make.BANDS, 8, 8), torch.ones(2, 1, 8, 8)
    names = list(encoder.state_dict())
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with torch.no_grad():
        plain = encoder.tokens(pixels, valid)
        parameters = add_adapters(encoder, 3, 0)
        assert torch.equal(encoder.tokens(pixels, valid), plain)
        assert sum(p.numel() for p in parameters) == 2 * 3 * (16 + 48 + 32 + 80 + 80)
        for parameter in parameters:
            parameter.add_(0.1)
        adapted = encoder.tokens(pixels, valid)
        merge_adapters(encoder)
        torch.testing.assert_close(encoder.tokens(pixels, valid), adapted)
    assert (adapted - plain).abs().max() > 0.01
    assert sorted(encoder.state_dict()) == sorted(names)
    changed = {n for n, v in encoder.state_dict().items() if not torch.equal(v, before[n])}
    matrices = {"qkv", "projection", "expand", "contract"}
    assert {name.split(".")[2] for name in changed} == matrices
    assert all(name.endswith("weight") for name in changed)


def test_the_rank_is_that_of_the_change():
    encoder = make.student().encoder()
    before = encoder.blocks[0].expand.weight.detach().clone()
    with torch.no_grad():
        for parameter in add_adapters(encoder, 2, 0):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    merge_adapters(encoder)
    change = encoder.blocks[0].expand.weight.detach() - before
    assert int(torch.linalg.matrix_rank(change, rtol=1e-4)) == 2


@pytest.mark.parametrize(("name", "reason"), [("a\udcff", "half a"), ("a\x01", "a control")])
def test_names_that_no_card_can_hold_are_refused_before_the_work(name: str, reason: str) -> None:
    from hyperkd.raster.labels.read_labels import LabelClass
    from hyperkd.training.finetune.finetune_job import _require_sound

    good = make.every_pixel(np.array([[0, 1], [1, 0]]))
    _require_sound(good)
    labels = replace(good, classes=(LabelClass(name, name, "#000000"),))
    with pytest.raises(HyperKDError, match=f"in the labels holds {reason}") as caught:
        _require_sound(labels)
    assert caught.value.code == "bad_labels"
