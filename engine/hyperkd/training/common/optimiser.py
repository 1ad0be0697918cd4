"""Optimiser, learning rate and averaged weights: what every training here shares."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def make_optimiser(
    parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float
) -> torch.optim.AdamW:
    """Return AdamW; biases, norms and the mask token are not decayed."""
    every = list(parameters)
    groups = [
        {"params": [p for p in every if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in every if p.ndim <= 1], "weight_decay": 0.0},
    ]
    # 0.95 for the second moment, as masked autoencoders use throughout.
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95))


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Return the learning rate of a 0-based step: linear warm-up, then a cosine to zero.

    Args:
        step: number of the step.
        peak: the learning rate after the warm-up.
        warmup: share of the steps in which it rises.
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return peak * (step + 1) / rising
    progress = (step - rising) / max(1, steps - rising)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))


def set_learning_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """Give every parameter this learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = value


class Average:
    """An exponential moving average of a network's parameters; buffers are those of the network.

    Args:
        network: whose.
        decay: share of the average that a step keeps, in [0, 1).

    Attributes:
        tensors: the average, by the names of the network's state.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self.tensors = {name: value.clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one step towards the network as it is."""
        trained = dict(network.named_parameters())
        for name, value in network.state_dict().items():
            if name in trained:
                self.tensors[name].lerp_(value, 1 - self._decay)
            else:  # may be infinite, and the difference of two infinities is NaN
                self.tensors[name].copy_(value)

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Go on from an average that was stored."""
        for name, value in self.tensors.items():
            value.copy_(tensors[name])
