"""The student network: identities that hold for any weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.models.nets.encoder import (  # noqa: E402
    StudentConfig,
    distances,
    positions,
    token_places,
)
from hyperkd.models.nets.student import Student, Surroundings, take_patches  # noqa: E402
from hyperkd.training.common.losses import masked_mse  # noqa: E402
from hyperkd.training.pretrain.token_masking import random_order, visible_count  # noqa: E402

NANO = StudentConfig(
    bands=5, patch=2, stem=6, dim=16, depth=2, heads=2,
    decoder_dim=8, decoder_depth=1, decoder_heads=2, rank=3, tile=8,
)  # fmt: skip
MEAN, STD = [0.1, 0.2, 0.3, 0.2, 0.1], [0.02, 0.05, 0.1, 0.2, 0.01]


@pytest.fixture
def student():
    torch.manual_seed(0)
    student = Student(NANO, MEAN, STD).eval()
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return student


def tiles(batch=2, rows=8, cols=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(batch, 5, rows, cols, generator=generator)
    valid = (torch.rand(batch, 1, rows, cols, generator=generator) < 0.8).float()
    return pixels, valid


def patches_of(image, order):
    """(B, C, H, W) -> (B, K, P, P, C)"""
    return take_patches(image.permute(0, 2, 3, 1).contiguous(), order, NANO.patch)


def test_patches_are_cut_in_the_order_given():
    image = torch.arange(2 * 4 * 6 * 1).view(2, 4, 6, 1)
    order = torch.tensor([[5, 0], [1, 3]])
    patches = take_patches(image, order, 2)[..., 0]
    assert patches[0, 0].tolist() == [[16, 17], [22, 23]]
    assert patches[0, 1].tolist() == [[0, 1], [6, 7]]
    assert patches[1, 0].tolist() == [[26, 27], [32, 33]]
    assert patches[1, 1].tolist() == [[36, 37], [42, 43]]


def test_positions_are_sines_and_cosines_of_row_and_column():
    place = torch.tensor([3.0, 5.0])
    slow = 10000.0**-0.5
    expected = [
        math.sin(3), math.sin(3 * slow), math.cos(3), math.cos(3 * slow),
        math.sin(5), math.sin(5 * slow), math.cos(5), math.cos(5 * slow),
    ]  # fmt: skip
    np.testing.assert_allclose(positions(place, 8), expected, rtol=1e-6)


def test_distances_are_euclidean_in_tokens():
    places = token_places(4, 5, torch.device("cpu"))
    assert places[2, 3].tolist() == [2, 3]
    flat = places.flatten(0, 1)[None]
    apart = distances(flat, torch.zeros(1, 20))
    assert apart.shape == (1, 1, 20, 20)
    assert apart[0, 0, 0, 3 * 5 + 4] == 5
    assert apart[0, 0].diagonal().abs().max() == 0


def test_new_surroundings_are_the_weighted_mean_around_a_token():
    surroundings = Surroundings(3, falloff=2.0)
    torch.nn.init.eye_(surroundings.maps.weight)
    tokens = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(0))
    places = torch.tensor([[[0.0, 0.0], [0.0, 2.0], [3.0, 0.0], [5.0, 5.0]]])
    hidden = torch.tensor([[[0.0, 1.0]]])
    weight = torch.exp(-2 * torch.tensor([1.0, 1.0, math.sqrt(10), math.sqrt(41)]))
    expected = (weight[:, None] / weight.sum() * tokens[0]).sum(0)
    torch.testing.assert_close(
        surroundings(tokens, places, hidden, torch.zeros(1, 4))[0, 0], expected
    )


def test_surroundings_know_on_which_side_a_token_lies():
    """Maps that count only what lies around the place above: one row down is one token up."""
    surroundings = Surroundings(1, falloff=20.0)
    with torch.no_grad():
        surroundings.maps.weight.zero_()
        surroundings.maps.weight[2] = 1  # the step (-1, 0)
    tokens = torch.tensor([[[1.0], [2.0], [3.0], [4.0]]])
    places = torch.tensor([[[0.0, 1.0], [2.0, 1.0], [1.0, 0.0], [1.0, 2.0]]])
    got = surroundings(tokens, places, torch.tensor([[[1.0, 1.0], [3.0, 1.0]]]), torch.zeros(1, 4))
    torch.testing.assert_close(got[0, :, 0], torch.tensor([1.0, 2.0]))


def test_nobody_looks_at_a_token_without_a_valid_pixel(student):
    """The visible tokens of a pass give the same with and without an empty one among them."""
    pixels, valid = tiles(batch=1)
    order = torch.arange(24)[None]
    shown = student.normalise(patches_of(pixels, order[:, :7])), patches_of(valid, order[:, :7])
    shown[1][:, 6] = 0
    with_empty = student.predict_hidden(*shown, order, (4, 6))
    seen = []
    student.decode = lambda tokens, places, empty: seen.append((tokens, places, empty)) or tokens
    student.predict_hidden(*shown, order, (4, 6))
    tokens, places, empty = seen[0]
    assert empty[0].nonzero().flatten().tolist() == [6]
    del student.decode
    kept = [n for n in range(24) if n != 6]
    without = student.decode(tokens[:, kept], places[:, kept], empty[:, kept])[:, 6:]
    values = student.unpatch(without).unflatten(2, (2, 2, 3))
    spectra = student.spectra
    values = torch.nn.functional.linear(values, spectra.weight.flatten(1), spectra.bias)
    torch.testing.assert_close(values, with_empty, rtol=1e-4, atol=1e-5)


def test_a_tile_without_any_valid_pixel_gives_numbers(student):
    pixels, valid = tiles()
    for function in (student.embedding, student.reconstruct):
        assert function(pixels, torch.zeros_like(valid)).isfinite().all()


def test_a_new_student_begins_without_its_residual_branches():
    student = Student(NANO, MEAN, STD)
    tokens, places = torch.randn(1, 6, 16), torch.randn(1, 6, 2)
    expected = student.norm(tokens + positions(places, 16))
    assert torch.equal(student.encode(tokens, places, torch.zeros(1, 6)), expected)


def test_normalisation_on_the_weights_equals_normalisation_of_the_pixels(student):
    pixels, valid = tiles()
    normal = student.normalise(pixels.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    stem = torch.nn.functional.gelu(student.stem(normal) * valid)
    torch.testing.assert_close(student.embed(pixels, valid), student.patches(stem))


def test_what_an_invalid_pixel_holds_never_matters(student):
    pixels, valid = tiles()
    garbage = torch.where(valid > 0, pixels, torch.full_like(pixels, -32768.0))
    for name in ("embedding", "reconstruct"):
        function = getattr(student, name)
        assert torch.equal(function(pixels, valid), function(garbage, valid))


def test_the_embedding_has_the_size_of_the_tile_and_the_tokens_in_their_places(student):
    pixels, valid = tiles()
    tokens, embedding = student.tokens(pixels, valid), student.embedding(pixels, valid)
    assert embedding.shape == (2, 16, 8, 12)
    # Bilinear at patch 2: a pixel is 9/16, 3/16, 3/16, 1/16 of the four tokens around it.
    expected = (
        9 * tokens[..., 1, 2] + 3 * tokens[..., 1, 3] + 3 * tokens[..., 2, 2] + tokens[..., 2, 3]
    ) / 16
    torch.testing.assert_close(embedding[..., 3, 5], expected)


def test_training_and_whole_tiles_make_the_same_tokens(student):
    """All tokens visible, in any order: the encoder's output is that of the whole tile."""
    pixels, valid = tiles(batch=1)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(3))[None]
    seen = []
    student.bridge.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    student.predict_hidden(
        student.normalise(patches_of(pixels, order)), patches_of(valid, order), order, (4, 6)
    )
    whole = student.tokens(pixels, valid).flatten(2)[0].T[order[0]]
    torch.testing.assert_close(seen[0][0], whole)


def test_the_reconstruction_is_the_mean_of_the_three_passes_that_hid_a_token(student):
    pixels, valid = tiles(batch=1)
    rows, cols = 4, 6
    number = torch.arange(rows * cols).view(rows, cols)
    total = torch.zeros(rows * cols, 2, 2, 5)
    times = torch.zeros(rows * cols)
    for row, col in ((0, 0), (0, 1), (1, 0), (1, 1)):
        shown = number[row::2, col::2].flatten()
        hidden = torch.tensor([n for n in range(rows * cols) if n not in shown])
        order = torch.cat((shown, hidden))[None]
        predicted = student.predict_hidden(
            student.normalise(patches_of(pixels, order[:, :6])),
            patches_of(valid, order[:, :6]),
            order,
            (rows, cols),
        )
        total[hidden] += predicted[0] * student.std + student.mean
        times[hidden] += 1
    assert torch.equal(times, torch.full((24,), 3.0))
    expected = (total / 3).view(rows, cols, 2, 2, 5).permute(4, 0, 2, 1, 3).reshape(1, 5, 8, 12)
    torch.testing.assert_close(student.reconstruct(pixels, valid), expected, rtol=1e-4, atol=1e-6)


def test_a_pass_that_sees_nothing_does_not_count(student):
    """One valid token: it is seen by its own pass alone, so the others have one pass each."""
    pixels, valid = tiles(batch=1, rows=4, cols=4)
    valid[:] = 0
    valid[..., :2, 2:] = 1  # token (0, 1), number 1
    order = torch.tensor([[1, 0, 2, 3]])
    hidden = student.predict_hidden(
        student.normalise(patches_of(pixels, order[:, :1])),
        patches_of(valid, order[:, :1]),
        order,
        (2, 2),
    )[0]
    expected = (hidden * student.std + student.mean).permute(0, 3, 1, 2)
    got = student.reconstruct(pixels, valid)[0]
    torch.testing.assert_close(got[:, :2, :2], expected[0])
    torch.testing.assert_close(got[:, 2:, :2], expected[1])
    torch.testing.assert_close(got[:, 2:, 2:], expected[2])


def test_a_token_is_reconstructed_without_looking_at_it(student):
    student.double()
    pixels, valid = (tensor.double() for tensor in tiles(batch=1))
    changed = pixels.clone()
    changed[:, :, 2:4, 6:8] += 1  # token (1, 3): lower right in its block of 2 x 2
    difference = student.reconstruct(changed, valid) - student.reconstruct(pixels, valid)
    tokens = difference.abs().unflatten(3, (6, 2)).unflatten(2, (4, 2)).amax((0, 1, 3, 5))
    # It is hidden wherever a token at the same place of its block is predicted; all others see it.
    same_place = torch.zeros(4, 6, dtype=torch.bool)
    same_place[1::2, 1::2] = True
    assert torch.equal(tokens == 0, same_place)


def test_hidden_patches_do_not_leak_into_their_prediction(student):
    """Only visible patches are passed in, so the check is on their count and order."""
    pixels, valid = tiles(batch=1)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(4))[None]
    predicted = student.predict_hidden(
        student.normalise(patches_of(pixels, order[:, :6])),
        patches_of(valid, order[:, :6]),
        order,
        (4, 6),
    )
    assert predicted.shape == (1, 18, 2, 2, 5)
    # The order of the hidden ones is that of the predictions.
    swapped = order.clone()
    swapped[0, [6, 23]] = order[0, [23, 6]]
    again = student.predict_hidden(
        student.normalise(patches_of(pixels, order[:, :6])),
        patches_of(valid, order[:, :6]),
        swapped,
        (4, 6),
    )
    torch.testing.assert_close(again[0, [0, 17]], predicted[0, [17, 0]], rtol=1e-4, atol=1e-5)


def test_mean_and_std_must_fit_the_bands():
    with pytest.raises(ValueError, match=r"mean \(4,\) and std \(5,\) for 5 bands"):
        Student(NANO, MEAN[:4], STD)


def test_the_loss_counts_valid_pixels_only():
    prediction = torch.tensor([[1.0, 2.0], [5.0, 5.0]])
    target = torch.tensor([[0.0, 0.0], [99.0, -7.0]])
    valid = torch.tensor([[1.0], [0.0]])
    assert masked_mse(prediction, target, valid) == (1 + 4) / 2
    assert masked_mse(prediction, target, torch.zeros(2, 1)) == 0


@pytest.mark.parametrize(
    ("tokens", "ratio", "visible"), [(256, 0.75, 64), (4, 0.75, 1), (4, 0.99, 1), (4, 0.0, 3)]
)
def test_how_many_tokens_stay_visible(tokens, ratio, visible):
    assert visible_count(tokens, ratio) == visible


def test_random_orders_hide_every_token_as_often():
    order = random_order(np.random.default_rng(0), 4000, 16)
    assert np.array_equal(np.sort(order, 1), np.tile(np.arange(16), (4000, 1)))
    shares = np.bincount(order[:, :4].ravel(), minlength=16) / 4000
    # Five standard deviations of a share of 0.25 in 4000 draws.
    assert np.abs(shares - 0.25).max() < 5 * math.sqrt(0.25 * 0.75 / 4000)
