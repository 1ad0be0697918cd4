"""Each loss against an independent implementation, by hand, and where it could break."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.spectral.sensors import canonical_bands  # noqa: E402
from hyperkd.training.common import losses  # noqa: E402

ONES = torch.ones(1)


def images(shape=(2, 3, 12, 14), seed=0):
    generator = np.random.default_rng(seed)
    truth = generator.uniform(0.0, 1.0, shape)
    guess = (truth + generator.normal(0, 0.1, shape)).clip(0, 1)
    return torch.from_numpy(guess).float(), torch.from_numpy(truth).float()


def spectra(shape=(5, 4, 20), seed=1):
    return images(shape, seed)


# --- squared error -----------------------------------------------------------------------


def test_mse_equals_torchmetrics():
    torchmetrics = pytest.importorskip("torchmetrics")
    guess, truth = spectra()
    expected = torchmetrics.functional.mean_squared_error(guess.contiguous(), truth.contiguous())
    found = losses.masked_mse(guess, truth, torch.ones(5, 4, 1))
    torch.testing.assert_close(found, expected)


def test_mse_by_hand():
    """2 x 2 pixels of two bands, of which one pixel is not valid."""
    truth = torch.tensor([[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [6.0, 7.0]]])
    guess = truth + torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [9.0, 9.0]]])
    valid = torch.tensor([[[1.0], [1.0]], [[1.0], [0.0]]])
    assert float(losses.masked_mse(guess, truth, valid)) == pytest.approx((1 + 4 + 9) / 6)
    bands = torch.tensor([1.0, 0.0])
    assert float(losses.masked_mse(guess, truth, valid * bands)) == pytest.approx((1 + 9) / 3)


def test_weights_of_any_shape_give_the_same_mean():
    guess, truth = spectra()
    whole = losses.masked_mse(guess, truth, torch.ones(5, 4, 20))
    torch.testing.assert_close(losses.masked_mse(guess, truth, torch.ones(5, 4, 1)), whole)
    torch.testing.assert_close(losses.weighted_mean((guess - truth) ** 2, ONES), whole)


def test_the_deviation_of_a_patch_by_hand():
    """One patch of 2 x 2 pixels and two bands, of which one pixel and one band do not count."""
    target = torch.tensor([[1.0, 9.0], [3.0, 9.0], [5.0, 9.0], [77.0, 9.0]]).view(1, 1, 2, 2, 2)
    valid = torch.tensor([1.0, 1.0, 1.0, 0.0]).view(1, 1, 2, 2, 1)
    found = losses.patch_std(target, valid * torch.tensor([1.0, 0.0]))
    assert found.shape == (1, 1, 1, 1, 1)
    assert float(found) == pytest.approx(math.sqrt(8 / 3), rel=1e-5)
    # A flat patch, and one in which nothing counts, do not divide by 0.
    flat = losses.patch_std(torch.full((1, 1, 2, 2, 2), 3.0), valid)
    none = losses.patch_std(target, torch.zeros(1, 1, 2, 2, 1))
    assert float(flat) == float(none) == pytest.approx(1e-3)


# --- divergence of spectra ---------------------------------------------------------------


def test_divergence_equals_torchmetrics():
    torchmetrics = pytest.importorskip("torchmetrics")
    guess, truth = spectra()
    expected = torchmetrics.functional.kl_divergence(
        (truth + 1e-4).flatten(0, 1), (guess + 1e-4).flatten(0, 1)
    )
    found = losses.spectral_divergence(guess, truth, torch.ones(5, 4, 1), ONES)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)


def test_divergence_by_hand():
    truth, guess = torch.tensor([[[0.25, 0.75]]]), torch.tensor([[[0.5, 0.5]]])
    expected = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    found = losses.spectral_divergence(guess, truth, torch.ones(1, 1, 1), ONES)
    assert float(found) == pytest.approx(expected, abs=2e-4)
    # Brightness makes no difference, and a negative reflectance counts as none.
    brighter = losses.spectral_divergence(guess * 0.1, truth * 4, torch.ones(1, 1, 1), ONES)
    assert float(brighter) == pytest.approx(expected, abs=2e-3)
    dark = torch.tensor([[[-0.5, 0.5]]])
    none = losses.spectral_divergence(dark, torch.tensor([[[0.0, 0.5]]]), torch.ones(1), ONES)
    assert float(none) == pytest.approx(0, abs=1e-9)


def test_divergence_is_zero_for_equal_spectra_and_never_negative():
    guess, truth = spectra((50, 1, 30), 3)
    assert float(losses.spectral_divergence(truth, truth, ONES, ONES)) == pytest.approx(0, abs=1e-7)
    each = [float(losses.spectral_divergence(g, t, ONES, ONES)) for g, t in zip(guess, truth)]
    assert min(each) > 0


def test_bands_that_do_not_count_change_nothing():
    guess, truth = spectra()
    bands = torch.ones(20)
    bands[[3, 11]] = 0
    kept = bands > 0
    for loss in (losses.spectral_divergence, losses.spectral_angle_loss):
        expected = loss(guess[..., kept], truth[..., kept], torch.ones(5, 4, 1), ONES)
        changed = guess.clone()
        changed[..., ~kept] = 0.77
        found = loss(changed, truth, torch.ones(5, 4, 1), bands)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


# --- spectral angle ----------------------------------------------------------------------


def test_angle_equals_torchmetrics():
    image = pytest.importorskip("torchmetrics.functional.image")
    guess, truth = images((2, 20, 6, 6))
    angles = image.spectral_angle_mapper(guess, truth, reduction="none")
    found = losses.spectral_angle_loss(
        guess.permute(0, 2, 3, 1), truth.permute(0, 2, 3, 1), ONES, ONES
    )
    torch.testing.assert_close(found, (1 - angles.cos()).mean(), rtol=1e-4, atol=1e-6)


def test_angle_by_hand():
    right = losses.spectral_angle_loss(
        torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]), ONES, ONES
    )
    assert float(right) == pytest.approx(1)
    half = losses.spectral_angle_loss(
        torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 2.0]]), ONES, ONES
    )
    assert float(half) == pytest.approx(1 - math.sqrt(0.5), rel=1e-6)


# --- first difference --------------------------------------------------------------------


def test_slopes_by_hand():
    truth = torch.tensor([[0.1, 0.2, 0.4, 0.4]])
    guess = torch.tensor([[0.1, 0.3, 0.4, 0.9]])
    step_nm, pairs = torch.tensor([10.0, 20.0, 10.0]), torch.tensor([1.0, 1.0, 0.0])
    found = losses.slope_loss(guess, truth, ONES, ONES, step_nm, pairs)
    # 0.1 in 10 nm and 0.1 in 20 nm are 1 and 0.5 in 100 nm; the third does not count.
    assert float(found) == pytest.approx((1 + 0.5) / 2)
    bands = torch.tensor([1.0, 1.0, 0.0, 1.0])
    found = losses.slope_loss(guess, truth, ONES, bands, step_nm, torch.ones(3))
    assert float(found) == pytest.approx(1)


def test_slopes_skip_water_vapour_and_the_overlap_of_the_detectors():
    centre = canonical_bands().centre_nm
    pairs = losses.slope_pairs(centre, (902.0, 993.0))
    ends = centre[:-1][pairs]
    assert not ((ends > 902) & (ends < 993)).any()
    assert not any(low < nm < high for nm in ends for low, high in ((1345, 1375), (1770, 1930)))
    assert np.diff(centre)[pairs].max() < 20
    assert pairs.sum() > 170


# --- structural similarity ---------------------------------------------------------------


def test_similarity_equals_scikit_image_inside():
    metrics = pytest.importorskip("skimage.metrics")
    guess, truth = images()
    found = losses.ssim_map(guess, truth, torch.ones(2, 1, 12, 14), 7)
    for sample in range(2):
        for band in range(3):
            _, expected = metrics.structural_similarity(
                truth[sample, band].double().numpy(),
                guess[sample, band].double().numpy(),
                win_size=7,
                data_range=1.0,
                use_sample_covariance=False,
                full=True,
            )
            inside = (slice(3, -3), slice(3, -3))
            np.testing.assert_allclose(found[sample, band][inside], expected[inside], atol=1e-5)


def test_similarity_by_hand():
    """A window that covers 2 x 2 pixels wholly: population moments over the four."""
    truth = torch.tensor([[[[0.1, 0.3], [0.5, 0.7]]]])
    guess = torch.tensor([[[[0.2, 0.2], [0.4, 0.8]]]])
    x, y = truth.flatten().double().numpy(), guess.flatten().double().numpy()
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    expected = (2 * x.mean() * y.mean() + 1e-4) * (2 * covariance + 9e-4)
    expected /= (x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (x.var() + y.var() + 9e-4)
    found = losses.ssim_map(guess, truth, torch.ones(1, 1, 2, 2), 3)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    loss = losses.ssim_loss(guess, truth, torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2), 3)
    assert float(loss) == pytest.approx(1 - expected, rel=1e-5)


def test_similarity_of_an_image_with_itself_is_one():
    truth = images()[1]
    found = losses.ssim_map(truth, truth, torch.ones(2, 1, 12, 14))
    np.testing.assert_allclose(found, 1, atol=1e-5)


def test_what_an_invalid_pixel_holds_never_matters():
    guess, truth = images()
    valid = torch.ones(2, 1, 12, 14)
    valid[:, :, 4:7, 5:8] = 0
    expected = losses.ssim_map(guess, truth, valid)
    for image in (guess, truth):
        image[:, :, 4:7, 5:8] = 123.0
    counted = valid.expand_as(expected) > 0
    torch.testing.assert_close(
        losses.ssim_map(guess, truth, valid)[counted], expected[counted], rtol=0, atol=0
    )


# --- gradients ---------------------------------------------------------------------------


CASES = {
    "zero": (torch.zeros, torch.zeros),
    "saturated": (lambda *shape: torch.full(shape, 3.2767), torch.ones),
    "negative": (lambda *shape: torch.full(shape, -0.2), torch.zeros),
    "equal": (lambda *shape: torch.full(shape, 0.3), lambda *shape: torch.full(shape, 0.3)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("loss", ["mse", "kl", "angle", "slope", "ssim"])
def test_gradients_are_finite(case, loss):
    make_guess, make_truth = CASES[case]
    shape = (1, 4, 8, 8) if loss == "ssim" else (3, 6)
    guess, truth = make_guess(*shape).clone().requires_grad_(), make_truth(*shape)
    value = {
        "mse": lambda: losses.masked_mse(guess, truth, ONES),
        "kl": lambda: losses.spectral_divergence(guess, truth, ONES, ONES),
        "angle": lambda: losses.spectral_angle_loss(guess, truth, ONES, ONES),
        "slope": lambda: losses.slope_loss(
            guess, truth, ONES, ONES, torch.full((5,), 10.0), torch.ones(5)
        ),
        "ssim": lambda: losses.ssim_loss(
            guess, truth, torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
        ),
    }[loss]()
    value.backward()
    assert bool(value.isfinite())
    assert bool(guess.grad.isfinite().all())


@pytest.mark.parametrize("loss", ["mse", "kl", "angle", "ssim"])
def test_where_nothing_counts_the_loss_and_its_gradient_are_zero(loss):
    guess, truth = images((1, 4, 8, 8))
    guess.requires_grad_()
    nothing = torch.zeros(1, 1, 8, 8)
    value = {
        "mse": lambda: losses.masked_mse(guess, truth, nothing),
        "kl": lambda: losses.spectral_divergence(guess, truth, nothing[..., :1], ONES),
        "angle": lambda: losses.spectral_angle_loss(guess, truth, nothing[..., :1], ONES),
        "ssim": lambda: losses.ssim_loss(guess, truth, nothing, nothing),
    }[loss]()
    value.backward()
    assert float(value.detach()) == 0
    assert float(guess.grad.abs().max()) == 0
