"""Training that all networks for single spectra share."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Callable, Final

import numpy as np
import torch
from torch import Tensor, nn

from hyperkd.models.nets.spectral_net import WIDTHS, SpectralNet
from hyperkd.types import FloatArray, Reporter

_LEARNING_RATE, _DECAY = 2e-3, 0.01
# Of the weights; over so many steps that single batches no longer show.
_AVERAGE: Final = 0.998
# Spectra of a step, and batches that statistics are taken from.
BATCH, STATISTICS = 512, 16
_REPORT_EVERY: Final = 100
# A standard error is right where so many true values lie within it.
WITHIN: Final = 0.6827


def new_network(reflectance: Tensor, answers: int) -> SpectralNet:
    """Return an untrained network that standardises bands as some spectra ``(n, C)`` have them."""
    some = reflectance.double()
    return SpectralNet(some.mean(0).tolist(), some.std(0).tolist(), answers, WIDTHS)


def trained(
    network: SpectralNet,
    losses: Callable[[SpectralNet], Mapping[str, Tensor]],
    steps: int,
    report: Reporter,
) -> SpectralNet:
    """Train a network in place and return one with averaged weights.

    Args:
        losses: draws a batch and gives its losses by name; their sum falls.
    """
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps)
    for step in range(1, steps + 1):
        report.check_cancelled()
        found = losses(network)
        optimiser.zero_grad()
        torch.stack(list(found.values())).sum().backward()
        optimiser.step()
        schedule.step()
        _follow(average, network, min(_AVERAGE, step / (step + 10)))
        if step % _REPORT_EVERY == 0 or step == steps:
            report.metric(step, {f"loss_{name}": value.item() for name, value in found.items()})
            report.progress(step, steps, "step")
    average.eval()
    return average


def weights_of(network: SpectralNet) -> dict[str, FloatArray]:
    """Return the weights by name, as graphs take them."""
    return {name: value.numpy().astype(np.float64) for name, value in network.state_dict().items()}


def _follow(average: nn.Module, network: nn.Module, share: float) -> None:
    with torch.no_grad():
        for mine, theirs in zip(average.parameters(), network.parameters()):
            mine.lerp_(theirs, 1 - share)
