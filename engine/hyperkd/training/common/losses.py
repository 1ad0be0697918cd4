"""Losses of the student: how far a prediction is from the truth, over what counts.

Every loss takes a ``weight`` that is broadcast over the prediction: 1 where a
value counts, 0 where the pixel carries no spectrum, is not hidden, or its sensor
has no such band. Each is a mean over what counts, and 0 where nothing does.
Spectra have their bands last; all but the squared error take reflectance (0 to 1).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from hyperkd.types import BoolArray, FloatArray

# Reflectance; far below what a spectrometer resolves, far above what float32 rounds.
_EPSILON: Final = 1e-4
_BRIGHTNESS: Final = 0.01**2  # constants of Wang et al. 2004, for a data range of 1
_CONTRAST: Final = 0.03**2
_FLAT: Final = 1e-6  # added to the variance of a patch, in units of the bands' own
_WIDEST_STEP_NM: Final = 20.0  # of an imaging spectrometer between two neighbouring bands
_PER_NM: Final = 100.0  # slopes are in reflectance per 100 nm


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of ``values`` where ``weight``, broadcast over them, is 1; else 0."""
    repeats = values.numel() / max(weight.numel(), 1)
    return (values * weight).sum() / (weight.sum() * repeats).clamp(min=1)


def masked_mse(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean squared error.

    Args:
        prediction: ``(..., C)`` normalised reflectance of hidden patches.
        target: the same of the truth.
        weight: broadcast over them, for instance ``(..., 1)``.
    """
    difference = prediction - target
    if weight.shape[-1] == 1:  # then bands are summed first, at a quarter of the time
        squares = torch.linalg.vecdot(difference, difference)[..., None] / difference.shape[-1]
    else:
        squares = difference.square()
    return weighted_mean(squares, weight)


def patch_std(target: Tensor, weight: Tensor) -> Tensor:
    """Return the standard deviation within each patch, ``(B, M, 1, 1, 1)``, never 0.

    As masked autoencoders normalise patches (He et al., arXiv 2111.06377), over what counts.

    Args:
        target: ``(B, M, P, P, C)`` normalised reflectance.
        weight: broadcast over it.
    """
    counted, inside = weight.expand_as(target), (2, 3, 4)
    count = counted.sum(inside, keepdim=True).clamp(min=1)
    mean = (target * counted).sum(inside, keepdim=True) / count
    variance = ((target - mean).square() * counted).sum(inside, keepdim=True) / count
    return (variance + _FLAT).sqrt()


def spectral_divergence(
    prediction: Tensor, target: Tensor, weight: Tensor, bands: Tensor
) -> Tensor:
    """Return the mean Kullback-Leibler divergence of spectra that are made to sum to 1.

    KL(truth || prediction), in nats; one direction of the spectral information
    divergence (Chang 2000). Negative reflectance counts as 0. It does not see brightness.

    Args:
        prediction: ``(..., C)`` reflectance.
        target: the same of the truth.
        weight: ``(..., 1)`` pixels that count.
        bands: bands that count, broadcast over the spectra.
    """
    truth, guess = target.clamp(min=0) + _EPSILON, prediction.clamp(min=0) + _EPSILON
    # log(p / q) where p = truth / its sum and q = guess / its sum.
    sums = [((each * bands).sum(-1, keepdim=True)).clamp(min=_EPSILON) for each in (truth, guess)]
    divergence = (truth * bands * (truth / guess).log()).sum(-1, keepdim=True) / sums[0]
    divergence = divergence + (sums[1] / sums[0]).log()
    return weighted_mean(divergence, weight)


def spectral_angle_loss(
    prediction: Tensor, target: Tensor, weight: Tensor, bands: Tensor
) -> Tensor:
    """Return the mean of one minus the cosine of the spectral angle.

    The cosine, because the angle itself has an infinite slope at 0.

    Args:
        prediction, target, weight, bands: as in ``spectral_divergence``.
    """
    first, second = prediction * bands, target * bands
    # Added inside the root, so that the slope at a spectrum of zeros is finite.
    lengths = [
        (each.square().sum(-1, keepdim=True) + _EPSILON**2).sqrt() for each in (first, second)
    ]
    cosine = (first * second).sum(-1, keepdim=True) / (lengths[0] * lengths[1])
    return weighted_mean(1 - cosine, weight)


def slope_pairs(centre_nm: FloatArray, overlap_nm: tuple[float, float]) -> BoolArray:
    """Return which neighbouring bands make a slope, ``(C - 1,)`` bool.

    Not those across a gap (water vapour), and none inside the overlap of two
    detectors, where neighbours in wavelength come from different ones.

    Args:
        centre_nm: ``(C,)`` ascending.
        overlap_nm: first and last wavelength of the overlap.
    """
    step = np.diff(centre_nm)
    inside = (centre_nm[1:] >= overlap_nm[0]) & (centre_nm[:-1] <= overlap_nm[1])
    pairs: BoolArray = (step > 0) & (step <= _WIDEST_STEP_NM) & ~inside
    return pairs


def slope_loss(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor,
    bands: Tensor,
    step_nm: Tensor,
    pairs: Tensor,
) -> Tensor:
    """Return the mean absolute error of the first difference, in reflectance per 100 nm.

    Args:
        prediction, target, weight, bands: as in ``spectral_divergence``.
        step_nm: ``(C - 1,)`` distance of neighbouring bands, 1 where it does not count.
        pairs: ``(C - 1,)`` 1 where it counts, see ``slope_pairs``.
    """
    error = (prediction - target).diff(dim=-1).abs() * (_PER_NM / step_nm)
    bands = bands.expand(*bands.shape[:-1], prediction.shape[-1])
    return weighted_mean(error, weight * pairs * bands[..., 1:] * bands[..., :-1])


def ssim_map(prediction: Tensor, target: Tensor, valid: Tensor, window: int = 7) -> Tensor:
    """Return the structural similarity around each pixel, ``(B, K, H, W)``.

    Wang et al. 2004 with a uniform window. Local means are taken over the valid
    pixels of the window, so an invalid pixel's content never matters.

    Args:
        prediction: ``(B, K, H, W)`` in units of the data range of each band.
        target: the same of the truth.
        valid: ``(B, 1, H, W)``, 1 where the pixel carries a spectrum, else 0.
        window: side of the window in pixels, odd.
    """
    rows, cols = (_box(size, window).to(valid) for size in valid.shape[2:])

    def local(values: Tensor) -> Tensor:
        # A band matrix on either side: twenty times as fast as pooling on a CPU.
        return rows @ values @ cols

    count = local(valid).clamp(min=0.5 / window**2)
    first, second = prediction * valid, target * valid
    mean_a, mean_b = local(first) / count, local(second) / count
    # Variances of rounding only may come out below 0.
    variance_a = (local(first * first) / count - mean_a.square()).clamp(min=0)
    variance_b = (local(second * second) / count - mean_b.square()).clamp(min=0)
    covariance = local(first * second) / count - mean_a * mean_b
    brightness = (2 * mean_a * mean_b + _BRIGHTNESS) / (
        mean_a.square() + mean_b.square() + _BRIGHTNESS
    )
    return brightness * (2 * covariance + _CONTRAST) / (variance_a + variance_b + _CONTRAST)


def _box(size: int, window: int) -> Tensor:
    """Return the matrix that takes a line of pixels to its running means, zeros beyond it."""
    place = torch.arange(size)
    near = (place[:, None] - place).abs() <= window // 2
    return near.float() / window


def ssim_loss(
    prediction: Tensor, target: Tensor, valid: Tensor, weight: Tensor, window: int = 7
) -> Tensor:
    """Return one minus the mean structural similarity.

    Args:
        prediction, target, valid, window: as in ``ssim_map``.
        weight: the centres that count, broadcast over ``(B, K, H, W)``.
    """
    return weighted_mean(1 - ssim_map(prediction, target, valid, window), weight)
