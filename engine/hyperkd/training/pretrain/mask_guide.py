"""How much structure each token holds: a score from a guide image.

The guide is one image with little noise. Raw bands of an imaging spectrometer
would lead to stripes, detector edges and noisy bands instead of to features.
Scores compare the tokens of one tile; their absolute size means nothing.

Shapes: B tiles, H x W pixels, P the patch size, N tokens, row by row.
"""

from __future__ import annotations

import math
from typing import Callable, Final

import torch
from torch import Tensor
from torch.nn import functional

_GABOR_WAVELENGTHS_PX: Final = (3.0, 6.0)
_GABOR_ORIENTATIONS: Final = 4
_GABOR_RADIUS_PX: Final = 6  # two standard deviations of the wider one


def token_scores(guide: Tensor, valid: Tensor, patch: int, score: str) -> Tensor:
    """Return how much structure each token holds, ``(B, N)`` float32, at least 0.

    Args:
        guide: ``(B, H, W)``, for instance the mean of the six bands of HLS.
        valid: ``(B, H, W)``, 1 where the pixel carries a spectrum, else 0. What an
            invalid pixel holds never matters, and its border does not count as an edge.
        patch: side of a token's square; H and W are multiples of it.
        score: one of ``SCORES``.
    """
    image, mask = guide.float()[:, None], valid.float()[:, None]
    image = torch.where(mask > 0, image, torch.zeros_like(image))
    return SCORES[score](image, mask, patch).flatten(1)


def _haar(image: Tensor, mask: Tensor, patch: int) -> Tensor:
    """Mean energy of the Haar details of all levels that lie inside a token."""
    if patch % 2:
        raise ValueError(f"Haar details need an even patch, got {patch}")
    total = torch.zeros(())
    while patch % 2 == 0:
        a, b, c, d = (image[..., row::2, col::2] for row in (0, 1) for col in (0, 1))
        whole = functional.max_pool2d(-mask, 2).neg()  # 1 where all four pixels are valid
        energy = (a + b - c - d).square() + (a - b + c - d).square() + (a - b - c + d).square()
        patch //= 2
        total = total + _mean_of_tokens(energy / 4, whole, patch)
        image, mask = (a + b + c + d) / 2, whole  # orthonormal: energies of levels compare
    return total


def _gradient(image: Tensor, mask: Tensor, patch: int) -> Tensor:
    """Mean length of the gradient, from differences of neighbours that are both valid."""
    down = functional.pad(image.diff(dim=2) * (mask[:, :, 1:] * mask[:, :, :-1]), (0, 0, 0, 1))
    right = functional.pad(image.diff(dim=3) * (mask[..., 1:] * mask[..., :-1]), (0, 1))
    return _mean_of_tokens((down.square() + right.square()).sqrt(), mask, patch)


def _variance(image: Tensor, mask: Tensor, patch: int) -> Tensor:
    """Variance of the valid pixels of a token."""
    mean = _mean_of_tokens(image, mask, patch)
    spread = image - mean.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
    return _mean_of_tokens(spread.square(), mask, patch)


def _gabor(image: Tensor, mask: Tensor, patch: int) -> Tensor:
    """Mean energy of Gabor filters: an even and an odd one for each direction and size."""
    radius = _GABOR_RADIUS_PX
    # The mean of the valid pixels where there is none: an edge would answer far around.
    mean = (image * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp(min=1)
    filled = torch.where(mask > 0, image, mean)
    filled = functional.pad(filled, (radius,) * 4, "replicate")
    energy = functional.conv2d(filled, _gabor_bank().to(image)).square().sum(1, keepdim=True)
    # Only where the filter's core saw nothing but valid pixels.
    core = 2 * (radius // 2) + 1
    sound = functional.max_pool2d(-mask, core, 1, radius // 2).neg()
    return _mean_of_tokens(energy, sound, patch)


def _gabor_bank() -> Tensor:
    """Return the filters, ``(K, 1, size, size)``, each of zero mean and unit energy."""
    axis = torch.arange(-_GABOR_RADIUS_PX, _GABOR_RADIUS_PX + 1, dtype=torch.float32)
    row, col = torch.meshgrid(axis, axis, indexing="ij")
    filters = []
    for wavelength in _GABOR_WAVELENGTHS_PX:
        for number in range(_GABOR_ORIENTATIONS):
            angle = math.pi * number / _GABOR_ORIENTATIONS
            phase = 2 * math.pi / wavelength * (col * math.cos(angle) + row * math.sin(angle))
            window = torch.exp(-(row.square() + col.square()) / (2 * (wavelength / 2) ** 2))
            for wave in (phase.cos(), phase.sin()):
                kernel = window * wave
                kernel = kernel - window * (kernel.sum() / window.sum())
                filters.append(kernel / kernel.square().sum().sqrt())
    return torch.stack(filters)[:, None]


def _mean_of_tokens(values: Tensor, mask: Tensor, patch: int) -> Tensor:
    """Return the mean of ``values`` where ``mask`` is 1 in each token, 0 where it is nowhere."""
    total = functional.avg_pool2d(values * mask, patch)
    return total / functional.avg_pool2d(mask, patch).clamp(min=0.5 / patch**2)


# How to score. Haar details need no parameter but the patch, and one pass over the pixels.
SCORES: Final[dict[str, Callable[[Tensor, Tensor, int], Tensor]]] = {
    "haar": _haar,
    "gradient": _gradient,
    "gabor": _gabor,
    "variance": _variance,
}
