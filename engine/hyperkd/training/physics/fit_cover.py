"""Training of the model ``cover``: fractions of land covers from single spectra."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from hyperkd.models.nets.spectral_net import WIDTHS, SpectralNet
from hyperkd.models.spectral_density import SpectralDensity
from hyperkd.models.spectral_onnx import LARGEST_ERROR
from hyperkd.synth.endmembers import COVER_NAMES
from hyperkd.training.physics.fit_density import fit_density
from hyperkd.training.physics.spectral_batches import SpectralBatches
from hyperkd.types import FloatArray, Reporter

_LEARNING_RATE, _DECAY = 2e-3, 0.01
# Of the weights; over so many steps that single batches no longer show.
_AVERAGE: Final = 0.998
_BATCH, _STATISTICS = 512, 16
_REPORT_EVERY: Final = 100
# A standard error is right where so many true values lie within it.
_WITHIN: Final = 0.6827
_SOME: Final = 0.05


@dataclass(frozen=True, eq=False)
class FittedCover:
    """A trained network.

    Attributes:
        network: with averaged weights.
        error_scale: ``(K,)`` what its errors are to be multiplied by.
        density: of the spectra that it learned from.
    """

    network: SpectralNet
    error_scale: FloatArray
    density: SpectralDensity

    def weights(self) -> dict[str, FloatArray]:
        """Return the weights by name, as ``spectral_graph`` takes them."""
        state = self.network.state_dict()
        return {name: value.numpy().astype(np.float64) for name, value in state.items()}


def fit_cover(
    batches: SpectralBatches, held_out: SpectralBatches, steps: int, seed: int, report: Reporter
) -> FittedCover:
    """Train a network and set its errors right on held-out spectra.

    Two teachers: the true fractions by cross-entropy, which weigh by what a spectrum shows,
    and the errors of the network's own fractions by the likelihood of a normal distribution.
    The latter do not reach the features.

    Args:
        batches: what it is trained on.
        held_out: of other scenes, endmembers and sensors.
    """
    torch.manual_seed(seed)
    some = torch.cat([batches.draw(_BATCH)[0] for _ in range(_STATISTICS)]).double()
    mean, std = some.mean(0), some.std(0)
    network = SpectralNet(mean.tolist(), std.tolist(), len(COVER_NAMES), WIDTHS)
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps)
    for step in range(1, steps + 1):
        report.check_cancelled()
        reflectance, present, truth = batches.draw(_BATCH)
        fractions, errors = losses(network, reflectance, present, truth)
        optimiser.zero_grad()
        (fractions + errors).backward()
        optimiser.step()
        schedule.step()
        _follow(average, network, min(_AVERAGE, step / (step + 10)))
        if step % _REPORT_EVERY == 0 or step == steps:
            report.metric(step, {"loss_fractions": fractions.item(), "loss_errors": errors.item()})
            report.progress(step, steps, "step")
    average.eval()
    scale = _error_scale(average, held_out)
    return FittedCover(average, scale, fit_density(batches, held_out, seed))


def losses(
    network: SpectralNet, reflectance: Tensor, present: Tensor, truth: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of the fractions, and the likelihood of their errors."""
    logits, error = network(reflectance, present)
    fractions = -(truth * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
    off = (truth - torch.softmax(logits, dim=1).detach()).square()
    errors = (0.5 * off / error.square() + torch.log(error)).mean()
    return fractions, errors


def predicted(
    fitted: FittedCover, reflectance: Tensor, present: Tensor
) -> tuple[FloatArray, FloatArray]:
    """Return fractions and their standard errors, ``(n, K)`` each."""
    fractions, error = _unscaled(fitted.network, reflectance, present)
    return fractions, np.minimum(error * fitted.error_scale, LARGEST_ERROR)


def _unscaled(
    network: SpectralNet, reflectance: Tensor, present: Tensor
) -> tuple[FloatArray, FloatArray]:
    with torch.no_grad():
        logits, error = network(reflectance, present)
    fractions = torch.softmax(logits.double(), dim=1).numpy()
    return fractions, error.double().numpy()


def _follow(average: nn.Module, network: nn.Module, share: float) -> None:
    with torch.no_grad():
        for mine, theirs in zip(average.parameters(), network.parameters()):
            mine.lerp_(theirs, 1 - share)


def _error_scale(network: SpectralNet, held_out: SpectralBatches) -> FloatArray:
    """Return the factor by which each error holds as many true values as it should."""
    reflectance, present, truth = held_out.draw(_BATCH * _STATISTICS)
    fractions, error = _unscaled(network, reflectance, present)
    true = truth.double().numpy()
    ratio = np.abs(true - fractions) / error
    # Where a cover is neither there nor taken to be, any error is right.
    matters = np.maximum(true, fractions) > _SOME
    return np.array([np.quantile(r[m], _WITHIN) for r, m in zip(ratio.T, matters.T)])
