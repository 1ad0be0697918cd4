"""The parts of fine-tuning: tiles, components, choices, the committee, the head they become."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import f1_score, r2_score  # noqa: E402

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.models.nets.heads import DenseModel  # noqa: E402
from hyperkd.training.common.augment import VIEWS, Augment, Strength, back_from_view, view_of  # noqa: E402
from hyperkd.training.common.noise_components import noise_components  # noqa: E402
from hyperkd.training.finetune.adapters import add_adapters, merge_adapters  # noqa: E402
from hyperkd.training.finetune.head.fit_head import Found, HeadFit, HeadSettings  # noqa: E402
from hyperkd.training.finetune.head.hyperparameter_search import Plan, Sights, choose, judged  # noqa: E402
from hyperkd.training.finetune.head.tasks import Classes, Quantities, softened, spread  # noqa: E402
from hyperkd.training.finetune.inner_folds import inner_folds, thinned  # noqa: E402
from hyperkd.training.finetune.labelled_pixels import Places, TileReader, subset  # noqa: E402
from hyperkd.training.finetune.token_cache import gather, tokens_of  # noqa: E402
from tests import finetune_factories as make  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

torch.set_num_threads(1)


# --- tiles ---


def gathered(source, labels, part, encoder=None, seed=0):
    _, places = make.reader(source, labels, part)
    taught = places.take(places.part != 2)
    tests = places.take(places.part == 2)
    reader = TileReader([source], taught, make.student_card())
    return gather(reader, taught, encoder, make.BANDS, tests, seed, SilentReport()), taught


def test_labelled_pixels_show_their_normalised_reflectance():
    reflectance = make.noisy(40, 56)
    labels = make.every_pixel(np.zeros((40, 56)))
    source = make.scene(reflectance)
    spectra, places = gathered(source, labels, np.zeros((40, 56)))
    expected = (np.rint(reflectance * 1e4) * 1e-4 - 0.2) / 0.1
    np.testing.assert_allclose(spectra.own, expected[:, places.row, places.col].T, atol=1e-5)


def test_neighbours_count_where_they_are_valid():
    reflectance, valid = make.noisy(20, 20), np.ones((20, 20), bool)
    valid[9, 9:12] = False
    labels = subset(make.every_pixel(np.zeros((20, 20))), valid.ravel())
    spectra, places = gathered(make.scene(reflectance, valid), labels, np.zeros(valid.sum()))
    normal = (np.rint(reflectance * 1e4) * 1e-4 - 0.2) / 0.1
    here = int(np.flatnonzero((places.row == 10) & (places.col == 10))[0])
    around = normal[:, 9:12, 9:12][:, valid[9:12, 9:12]]
    assert around.shape[1] == 6
    np.testing.assert_allclose(
        spectra.apart[here], around.mean(1) - normal[:, 10, 10], rtol=1e-4, atol=1e-5
    )


def test_each_pixel_lies_in_the_tile_that_counts_most_in_the_map():
    """Tiles of 16 at 0, 12 and 24 share 4 pixels, whose halves belong to either side."""
    labels = make.every_pixel(np.zeros((16, 40)))
    reader, places = make.reader(make.scene(make.noisy(16, 40)), labels, np.zeros((16, 40)))
    first = {int(tile.window.col): tile for tile in reader.read(SilentReport())}
    assert list(first) == [0, 12, 24]
    columns = {col: np.unique(places.col[tile.index]).tolist() for col, tile in first.items()}
    assert columns[0] == list(range(14)) and columns[24] == list(range(26, 40))
    assert sorted(np.concatenate([t.index for t in first.values()])) == list(range(len(places)))


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
    spectra, _ = gathered(make.scene(marked), labels, part)
    assert spectra.scene.max() < (0.9 - 0.2) / 0.1 - 1
    assert len(spectra.scene) == 16 * 8 and len(spectra.steps) == 16 * 7 + 15 * 8


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
    spectra, places = gathered(source, labels, np.zeros((16, 16)), encoder)
    assert spectra.tokens.shape == (256, VIEWS, make.CONFIG.dim)
    reader, _ = make.reader(source, labels, np.zeros((16, 16)))
    (tile,) = reader.read(SilentReport())
    pixels = torch.from_numpy(tile.pixels)[None] * 0.1 + 0.2
    with torch.no_grad():
        whole = encoder.embedding(pixels, torch.ones(1, 1, 16, 16))[0].numpy()
    np.testing.assert_allclose(
        spectra.tokens[:, 0], whole[:, places.row, places.col].T, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_array_equal(spectra.tokens[tile.index, 5], tokens_of(encoder, tile, 5))
    assert np.abs(spectra.tokens[:, 5] - spectra.tokens[:, 0]).max() > 0.01


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


# --- goals ---


def test_class_weights_balance_as_far_as_asked():
    values = np.array([0] * 80 + [1] * 20)
    goal = Classes(3)
    np.testing.assert_allclose(goal.weights(values, 0.0), 1)
    full = goal.weights(values, 1.0)
    assert full[:80].sum() == pytest.approx(full[80:].sum())
    half = goal.weights(values, 0.5)
    assert half[99] / half[0] == pytest.approx(2) and half.mean() == pytest.approx(1)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_linear_start_is_scikit_learns_logistic_regression(classes):
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 4)).astype(np.float32)
    values = (features[:, 0] * 2 + generator.normal(size=200)).round().clip(0, classes - 1)
    values = values.astype(np.int64)
    linear = Classes(classes).fit(features, values, np.ones(200), 0.5)
    model = LogisticRegression(C=0.5, tol=1e-3, max_iter=300).fit(features, values)
    answers = linear.apply(features)
    expected = model.decision_function(features)
    if classes == 2:
        answers, expected = answers[:, 1] - answers[:, 0], expected
    np.testing.assert_allclose(answers, expected, rtol=1e-3, atol=1e-3)


def test_a_class_that_was_not_shown_is_never_the_answer():
    features = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    linear = Classes(4).fit(features, np.array([1, 3] * 25), np.ones(50), 1.0)
    assert set(linear.apply(100 * features).argmax(1)) <= {1, 3}
    alone = Classes(4).fit(features, np.full(50, 2), np.ones(50), 1.0)
    assert (alone.apply(features).argmax(1) == 2).all()


def test_classes_are_judged_as_scikit_learn_does():
    generator = np.random.default_rng(1)
    values, answers = generator.integers(0, 4, 300), generator.normal(size=(300, 5))
    answers[np.arange(300), values] += 1
    judged_ = Classes(5).judge(answers, values)
    chosen = answers.argmax(1)
    assert judged_["accuracy"] == np.mean(chosen == values)
    labels = np.unique(values)
    expected = f1_score(values, chosen, labels=labels, average="macro")
    assert judged_["macro_f1"] == pytest.approx(expected)
    # Calibrated: twice as sure is not worse.
    assert Classes(5).judge(2 * answers, values)["loss"] == pytest.approx(judged_["loss"], rel=1e-4)


def test_unknown_targets_have_no_part():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 3)).astype(np.float32)
    values = np.stack([features[:, 0] * 2, features[:, 1] - 1], 1).astype(float)
    values[:20, 1] = np.nan
    goal = Quantities(2)
    linear = goal.fit(features, values, np.ones(60), 1e6)
    np.testing.assert_allclose(linear.weight, [[2, 0, 0], [0, 1, 0]], atol=1e-3)
    answers = linear.apply(features)
    known = np.isfinite(values)
    expected = np.mean([r2_score(values[k, t], answers[k, t]) for t, k in enumerate(known.T)])
    assert goal.judge(answers, values)["r2"] == pytest.approx(expected)
    wrong = torch.from_numpy(answers)
    wrong[:20, 1] += 1e6
    loss = goal.loss(wrong, torch.from_numpy(values).float())
    assert float(loss.max()) < 1e-3


def test_hubers_loss_is_linear_far_away():
    loss = Quantities(1).loss(torch.tensor([[0.5], [3.0]]), torch.zeros(2, 1))
    torch.testing.assert_close(loss, torch.tensor([0.125, 2.5]))


def test_another_models_answers_share_the_loss():
    answers = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    soft = torch.tensor([[0.0, 0.0], [torch.nan, torch.nan]])
    loss = softened(torch.tensor([1.0, 1.0]), answers, soft, 0.25)
    even = -torch.log_softmax(answers[0], -1).mean()
    torch.testing.assert_close(loss, torch.stack([0.75 + 0.25 * even, torch.tensor(1.0)]))


def test_another_models_answers_are_labels_of_a_linear_model():
    """The same loss as a perceptron's, whatever the answers are."""
    generator = np.random.default_rng(2)
    values, weights = np.array([0, 2, 1, 1]), np.array([1.0, 2.0, 0.5, 3.0])
    soft = generator.normal(size=(4, 3)).astype(np.float32)
    soft[3] = np.nan
    answers = torch.from_numpy(generator.normal(size=(4, 3)))
    rows, classes, each = spread(values, weights, soft, 0.3)
    given = torch.log_softmax(answers, -1).numpy()[rows, classes]
    hard = torch.nn.functional.cross_entropy(answers, torch.from_numpy(values), reduction="none")
    loss = softened(hard, answers, torch.from_numpy(soft).double(), 0.3)
    assert -(given * each).sum() == pytest.approx(float((loss.numpy() * weights).sum()))
    np.testing.assert_allclose(np.bincount(rows, each), weights)
    assert classes[rows == 3].tolist() == [1]


# --- folds and choices ---


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


def test_a_class_in_one_fold_judges_nobody():
    values, fold = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 1])
    np.testing.assert_array_equal(judged(values, fold), [True, True, True, True, False])
    assert judged(np.array([0, 1]), np.array([0, 1])).all()


def test_thinning_keeps_rare_classes():
    values = np.zeros(90_000, np.int64)
    values[:50] = 1
    nothing = np.zeros(90_000, np.int64)
    places = Places(nothing, nothing, nothing, nothing, values, nothing.astype(np.int8))
    kept = thinned(places, np.ones(90_000, bool), 0)
    assert kept[:50].all() and 39_900 < kept.sum() < 40_100


def sights(count=400, seed=0, informative="tokens"):
    generator = np.random.default_rng(seed)
    components, apart = (generator.normal(size=(count, 4)).astype(np.float32) for _ in range(2))
    tokens = generator.normal(size=(count, 2, 6)).astype(np.float32)
    source = {"tokens": tokens[:, 0], "apart": apart, "components": components}[informative]
    values = (source[:, 0] + 0.3 * generator.normal(size=count) > 0).astype(np.int64)
    return Sights(components, apart, tokens, np.ones(4, np.float32)), values


@pytest.mark.parametrize(
    ("informative", "expected"),
    [("tokens", (False, True)), ("apart", (True, False)), ("components", (False, False))],
)
def test_a_path_is_taken_where_it_helps_and_only_there(informative, expected):
    seen, values = sights(informative=informative)
    fold = np.arange(len(values)) % 5
    generator = np.random.default_rng(0)
    plan = choose(seen, values, fold, Classes(2), SilentReport(), generator=generator)
    assert (plan.neighbours > 0, plan.tokens > 0) == expected


def test_tokens_can_be_asked_for_or_forbidden():
    seen, values = sights(informative="components")
    for asked in (True, False):
        plan = choose(
            seen, values, np.arange(400) % 5, Classes(2), SilentReport(),
            tokens=asked, generator=np.random.default_rng(0),
        )  # fmt: skip
        assert (plan.tokens > 0) is asked


def test_a_quantity_may_follow_a_small_component():
    generator = np.random.default_rng(0)
    sizes = np.array([5, 3, 1, 1], np.float32)
    components = generator.normal(size=(300, 4)).astype(np.float32) * sizes
    seen = Sights(components, components * 0, None, sizes)
    values = components[:, 3:] + 0.05 * generator.normal(size=(300, 1))
    plan = choose(
        seen, values, np.arange(300) % 5, Quantities(1), SilentReport(), generator=generator
    )
    assert plan.emphasis < 1
    large = components[:, :1] / 5 + 0.5 * generator.normal(size=(300, 1))
    plan = choose(
        seen, large, np.arange(300) % 5, Quantities(1), SilentReport(), generator=generator
    )
    assert plan.emphasis >= 1


# --- the head ---


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("emphasis", [0.0, 1.0])
def test_the_head_is_what_was_trained(task, emphasis):
    """Kept features and the assembled network agree: on all paths, on a tile as in a map."""
    generator = np.random.default_rng(4)
    source = make.scene(make.noisy(16, 16))
    values = generator.integers(0, 3, (16, 16))
    if task == "classification":
        labels, goal = make.every_pixel(values), Classes(3)
    else:
        labels, goal = make.every_pixel(generator.normal(size=(2, 16, 16))), Quantities(2)
    encoder = make.student().encoder().eval()
    spectra, places = gathered(source, labels, np.zeros((16, 16)), encoder)
    fit = HeadFit(
        spectra, np.array(make.MEAN), np.array(make.STD), places.values,
        np.arange(256) % 5, goal, HeadSettings(), SilentReport(), make.CONFIG,
    )  # fmt: skip
    plan = Plan(0.3, emphasis, 0.5, 0.3, 0.1)
    kept = []
    original = fit._training

    def training(*args):
        kept.append(original(*args))
        return kept[-1]

    fit._training = training
    head = fit.train(Found(plan, 3, 1.0, {}, []))
    expected = kept[-1].answers(np.arange(256)).mean(0)
    linear = kept[-1]
    assert np.abs(linear.committee.leave.detach()).max() > 1e-4  # it learnt something
    model = DenseModel(encoder, head)
    reader, _ = make.reader(source, labels, np.zeros((16, 16)))
    (tile,) = reader.read(SilentReport())
    with torch.no_grad():
        pixels = torch.from_numpy(tile.pixels)[None] * 0.1 + 0.2
        got = model(pixels, torch.ones(1, 1, 16, 16))[0].numpy()[:, places.row, places.col].T
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=2e-3)


def test_the_search_stops_where_nothing_more_is_learnt_and_knows_its_best():
    source, labels = (
        make.scene(make.noisy(16, 32)),
        make.every_pixel(np.random.default_rng(0).integers(0, 2, (16, 32))),
    )
    spectra, places = gathered(source, labels, np.zeros((16, 32)))
    fold = inner_folds(labels, "blocks", 4, 0)
    fit = HeadFit(
        spectra, np.array(make.MEAN), np.array(make.STD), places.values, fold,
        Classes(2), HeadSettings(epochs=200), SilentReport(), make.CONFIG,
    )  # fmt: skip
    found = fit.search()
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
    source, labels = (
        make.scene(make.noisy(16, 16)),
        make.every_pixel(np.random.default_rng(0).integers(0, 2, (16, 16))),
    )
    spectra, places = gathered(source, labels, np.zeros((16, 16)))
    fit = HeadFit(
        spectra, np.array(make.MEAN), np.array(make.STD), places.values,
        np.arange(256) % 4, Classes(2), HeadSettings(), StopAtOnce(), make.CONFIG,
    )  # fmt: skip
    found = fit.search()
    assert found.stopped and found.epochs == 0 and found.history == []


# --- augmentation and adapters ---


def test_no_augmentation_changes_nothing_and_illumination_scales_reflectance():
    spectra, _ = noise_and_signal()
    components = noise_components(spectra, np.diff(spectra, axis=0), np.full(6, 0.1), 6)
    mean, std = np.full(6, 0.2), np.full(6, 0.1)
    own = torch.from_numpy(components.apply(spectra[:5]))[None]
    scales = torch.tensor([1.0, 2, 3, 1, 1, 1])
    draws = np.random.default_rng(0)
    none = Augment(Strength(0, 0, 0), components, mean, std)
    torch.testing.assert_close(none.components([own * scales], scales, draws)[0], own * scales)
    bright = Augment(Strength(0.3, 0, 0), components, mean, std)
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
    augment = Augment(Strength(0, 0, 1.0), components, mean.numpy(), std.numpy())
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
