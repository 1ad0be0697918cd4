"""Losses of the student."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def masked_mse(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Return the mean squared error over valid pixels and all bands.

    Args:
        prediction: ``(..., C)`` normalised reflectance of hidden patches.
        target: the same of the truth.
        valid: ``(..., 1)``, 1 where the pixel carries a spectrum, else 0.
    """
    squares = functional.mse_loss(prediction * valid, target * valid, reduction="sum")
    return squares / (valid.sum() * prediction.shape[-1]).clamp(min=1)
