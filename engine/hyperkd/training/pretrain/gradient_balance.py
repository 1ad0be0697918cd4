"""How much each part of the loss weighs: by the length of its gradient, found once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Optional

import torch
from torch import Tensor, nn

from hyperkd.training.pretrain.objective import FEATURES, MAIN, Recipe


class Balance:
    """The weights of the parts, and how they come about.

    Args:
        recipe: whose shares they follow.

    Attributes:
        weights: of every part besides the squared error.
        calibrated: whether they follow the shares already.
    """

    def __init__(self, recipe: Recipe, steps: int) -> None:
        self._recipe = recipe
        self._shares = recipe.shares()
        at = recipe.losses.calibrate_at
        self._at = max(1, min(at, steps // 10)) if at else 0
        self.weights = dict.fromkeys(self._shares, recipe.losses.uncalibrated)
        self.calibrated = False

    def due(self, step: int) -> bool:
        """Return whether a 0-based step measures gradients."""
        return bool(self._shares) and not self.calibrated and self._at > 0 and step >= self._at

    def calibrate(self, sizes: Mapping[str, tuple[float, float]]) -> None:
        """Set the weights.

        Args:
            sizes: of each part the length of its gradient, and that of the squared
                error over the same parameters. One without a gradient keeps its weight.
        """
        for name, share in self._shares.items():
            own, main = sizes[name]
            if own > 0 and math.isfinite(main / own):
                self.weights[name] = share * main / own
        self.calibrated = True

    def at(self, progress: float) -> dict[str, float]:
        """Return the weights where ``progress`` (0 to 1) of the training is done."""
        weights = dict(self.weights)
        if FEATURES in weights and self._recipe.distillation is not None:
            weights[FEATURES] *= self._recipe.distillation.fade(progress)
        return weights


def weighted_sum(parts: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the loss: the squared error plus every weighted part."""
    total = parts[MAIN]
    for name, weight in weights.items():
        total = total + weight * parts[name]
    return total


def part_gradients(
    parts: Mapping[str, Tensor], parameters: Sequence[nn.Parameter]
) -> dict[str, list[Optional[Tensor]]]:
    """Return the gradient of each part with respect to ``parameters``; None: it is not reached."""
    return {
        name: list(torch.autograd.grad(part, parameters, retain_graph=True, allow_unused=True))
        for name, part in parts.items()
    }
