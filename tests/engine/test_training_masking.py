"""Masks: their ratios are exact, the guide leads as far as it may, and chance is chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.training.pretrain.mask_guide import SCORES, token_scores  # noqa: E402
from hyperkd.training.pretrain.token_masking import (  # noqa: E402
    random_order,
    token_order,
    visible_count,
)
from tests.engine.training_factories import make_masking  # noqa: E402

PATCH, SIDE = 4, 32
TOKENS = (SIDE // PATCH) ** 2


def numbers(batch=16, seed=0):
    generator = np.random.default_rng(seed)
    uniform = generator.random((2, batch, TOKENS), dtype=np.float32)
    scores = generator.random((batch, TOKENS)).astype(np.float32)
    noise, preference = torch.from_numpy(uniform)
    return noise, preference, torch.from_numpy(scores), torch.zeros(batch, TOKENS, dtype=bool)


def hidden_of(order, ratio=0.75):
    hidden = torch.zeros(order.shape, dtype=torch.bool)
    return hidden.scatter(1, order[:, visible_count(order.shape[1], ratio) :], True)


# --- masks -------------------------------------------------------------------------------


def test_share_zero_is_random_masking_to_the_last_bit():
    drawn = random_order(np.random.default_rng(5), 16, TOKENS)
    noise = torch.from_numpy(np.random.default_rng(5).random((16, TOKENS), dtype=np.float32))
    _, preference, scores, empty = numbers()
    order = token_order(noise, preference, scores, empty, make_masking(), 0.0)
    assert torch.equal(order, torch.from_numpy(drawn))


def test_equal_random_numbers_are_ordered_the_same_everywhere():
    noise = torch.zeros(1, TOKENS)
    _, preference, scores, empty = numbers(1)
    order = token_order(noise, preference, scores, empty, make_masking(), 0.0)
    assert order[0].tolist() == list(range(TOKENS))


@pytest.mark.parametrize("ratio", [0.5, 0.75, 0.9])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_ratio_is_exact_and_every_token_stands_once(ratio, share):
    masking = make_masking(ratio=ratio, guided_share=1.0)
    order = token_order(*numbers(), masking, share)
    assert torch.equal(order.sort(1).values, torch.arange(TOKENS).expand(16, -1))
    assert set(hidden_of(order, ratio).sum(1).tolist()) == {round(ratio * TOKENS)}


def test_three_quarters_of_every_grid_are_hidden():
    for tokens in (16, 64, 256, 196, 784):
        assert tokens - visible_count(tokens, 0.75) == 0.75 * tokens


def test_the_share_grows_from_nothing_to_its_end():
    masking = make_masking(guided_share=0.5)
    assert [masking.share(progress) for progress in (0, 0.5, 1)] == [0, 0.25, 0.5]
    assert make_masking(score="random").share(1.0) == 0


def test_the_best_tokens_are_hidden_more_often_and_some_stay_as_hints():
    masking = make_masking(hints=0.1)
    noise, preference, scores, empty = numbers(400)
    hidden = hidden_of(token_order(noise, preference, scores, empty, masking, 0.5))
    best = math.floor(0.5 * 0.75 * TOKENS)
    top = torch.zeros_like(hidden).scatter(1, scores.argsort(dim=1)[:, -best:], True)
    shown = (top & ~hidden).sum(1)
    assert int(shown.min()) >= math.ceil(0.1 * best)
    rates = [float(hidden[chosen].float().mean()) for chosen in (top, ~top)]
    assert rates[0] > 0.8 > rates[1] + 0.05
    # Chance alone would hide three quarters of either.
    random = hidden_of(token_order(noise, preference, scores, empty, masking, 0.0))
    assert abs(float(random[top].float().mean()) - 0.75) < 0.02


def test_without_hints_all_of_the_best_may_be_hidden():
    noise, preference, scores, empty = numbers(50)
    masking = make_masking(hints=0.0, temperature=1e-4, guided_share=1.0)
    hidden = hidden_of(token_order(noise, preference, scores, empty, masking, 1.0))
    top = torch.zeros_like(hidden).scatter(1, scores.argsort(dim=1)[:, -48:], True)
    assert torch.equal(hidden, top)


def test_the_guide_never_chooses_a_token_without_data():
    """Where the guide may hide all, hidden tokens without data are those that chance chose."""
    noise, preference, scores, empty = numbers(200)
    empty[:, : TOKENS // 2] = True
    scores[:, : TOKENS // 2] = 99.0
    masking = make_masking(hints=0.0, guided_share=0.5)
    hidden = hidden_of(token_order(noise, preference, scores, empty, masking, 0.5))
    guided = math.floor(0.5 * 48)
    # 24 of the 32 full tokens are guided; chance hides 24 of the remaining 40, 32 of them empty.
    expected = (48 - guided) * 32 / 40
    assert abs(float(hidden[empty].float().sum()) / 200 - expected) < 0.5
    all_empty = torch.ones_like(empty)
    assert torch.equal(
        token_order(noise, preference, scores, all_empty, masking, 0.5),
        noise.argsort(dim=1, stable=True),
    )


def test_ranks_count_so_the_scale_of_scores_does_not():
    noise, preference, scores, empty = numbers()
    orders = [
        token_order(noise, preference, each, empty, make_masking(), 0.4)
        for each in (scores, 1000 * scores, scores.exp())
    ]
    assert torch.equal(orders[0], orders[1]) and torch.equal(orders[0], orders[2])


def test_a_flat_tile_prefers_no_place():
    noise, preference, _, empty = numbers(2000)
    flat = torch.zeros(2000, TOKENS)
    hidden = hidden_of(token_order(noise, preference, flat, empty, make_masking(), 0.5))
    rates = hidden.float().mean(0)
    assert float((rates - 0.75).abs().max()) < 5 * math.sqrt(0.75 * 0.25 / 2000)


def test_the_same_numbers_give_the_same_mask():
    first = token_order(*numbers(seed=3), make_masking(), 0.4)
    again = token_order(*numbers(seed=3), make_masking(), 0.4)
    other = token_order(*numbers(seed=4), make_masking(), 0.4)
    assert torch.equal(first, again) and not torch.equal(first, other)


# --- scores ------------------------------------------------------------------------------


def textured(seed=0):
    """A flat tile with noise in its lower right quarter."""
    image = np.full((1, SIDE, SIDE), 0.3)
    image[:, 16:, 16:] += np.random.default_rng(seed).normal(0, 0.05, (16, 16))
    return torch.from_numpy(image).float(), torch.ones(1, SIDE, SIDE)


@pytest.mark.parametrize("score", list(SCORES))
def test_structure_scores_above_flat_ground(score):
    scores = token_scores(*textured(), PATCH, score).view(8, 8)
    assert scores.shape == (8, 8)
    inside = scores[5:, 5:]  # beyond the reach of Gabor filters from the edge
    assert float(inside.min()) > 10 * float(scores[:2, :2].max())
    assert float(scores[0, 0]) < 1e-6


@pytest.mark.parametrize("score", list(SCORES))
@pytest.mark.parametrize("content", [0.0, 77.0, float("nan")])
def test_what_an_invalid_pixel_holds_never_changes_a_score(score, content):
    image, valid = textured()
    valid[:, 8:20, 8:20] = 0
    expected = token_scores(image, valid, PATCH, score)
    image[:, 8:20, 8:20] = content
    torch.testing.assert_close(token_scores(image, valid, PATCH, score), expected, rtol=0, atol=0)


@pytest.mark.parametrize("score", ["haar", "gradient", "variance"])
def test_the_edge_of_the_data_is_no_feature(score):
    image = torch.full((1, SIDE, SIDE), 0.5)
    valid = torch.ones(1, SIDE, SIDE)
    valid[:, :, 17:] = 0
    assert float(token_scores(image, valid, PATCH, score).abs().max()) == pytest.approx(0, abs=1e-9)


def test_haar_details_by_hand():
    """One patch of 2 x 2: the three details of its one level."""
    a, b, c, d = 0.1, 0.4, 0.2, 0.8
    image = torch.tensor([[[a, b], [c, d]]])
    found = token_scores(image, torch.ones(1, 2, 2), 2, "haar")
    details = (a + b - c - d, a - b + c - d, a - b - c + d)
    assert float(found) == pytest.approx(sum(each**2 for each in details) / 4)


def test_haar_levels_count_alike():
    """The mean energy of each level's details, over all levels that lie inside the patch."""
    values = np.random.default_rng(2).random((3, 8, 8))
    expected = np.zeros(3)
    coarse, energies = values, []
    while coarse.shape[1] > 1:
        a, b, c, d = (coarse[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
        details = [(a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2]
        energy = sum(each**2 for each in details)
        energies.append(energy.sum((1, 2)))
        expected += energy.mean((1, 2))
        coarse = (a + b + c + d) / 2
    # The transform is orthonormal: all details together are the variance (Parseval).
    np.testing.assert_allclose(sum(energies), 64 * values.var((1, 2)))
    found = token_scores(torch.from_numpy(values), torch.ones(3, 8, 8), 8, "haar")
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)


def test_gradient_and_variance_by_hand():
    image = torch.tensor([[[0.0, 3.0], [4.0, 3.0]]])
    valid = torch.ones(1, 2, 2)
    gradient = (5.0 + 0.0 + 1.0 + 0.0) / 4  # down and right of each pixel, 0 beyond the tile
    assert float(token_scores(image, valid, 2, "gradient")) == pytest.approx(gradient)
    variance = float(image.var(unbiased=False))
    assert float(token_scores(image, valid, 2, "variance")) == pytest.approx(variance)


def test_gabor_answers_to_its_own_wavelength_in_any_direction():
    axis = torch.arange(SIDE).float()
    row, col = torch.meshgrid(axis, axis, indexing="ij")
    answers = {}
    for wavelength in (3.0, 6.0, 24.0):
        for angle in (0.0, math.pi / 4, math.pi / 2):
            phase = 2 * math.pi / wavelength * (col * math.cos(angle) + row * math.sin(angle))
            scores = token_scores(phase.sin()[None], torch.ones(1, SIDE, SIDE), PATCH, "gabor")
            answers[wavelength, angle] = float(scores.view(8, 8)[3:5, 3:5].mean())
    own = [answers[wavelength, angle] for wavelength in (3.0, 6.0) for angle in (0.0, math.pi / 2)]
    far = [value for (wavelength, _), value in answers.items() if wavelength == 24.0]
    assert min(own) > 5 * max(far)


def test_an_odd_patch_has_no_haar_details():
    with pytest.raises(ValueError, match="need an even patch, got 5"):
        token_scores(torch.zeros(1, 10, 10), torch.ones(1, 10, 10), 5, "haar")
