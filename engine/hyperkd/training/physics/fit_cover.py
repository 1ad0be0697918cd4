"""Training of the model ``cover``: fractions of land covers from single spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from hyperkd.models.nets.spectral_net import SpectralNet
from hyperkd.models.spectral_density import SpectralDensity
from hyperkd.models.spectral_onnx import LARGEST_ERROR
from hyperkd.synth.endmembers import COVER_NAMES
from hyperkd.training.physics.fit_density import fit_density
from hyperkd.training.physics.fit_spectral import (
    BATCH,
    STATISTICS,
    WITHIN,
    new_network,
    trained,
    weights_of,
)
from hyperkd.training.physics.spectral_batches import SpectralBatches
from hyperkd.types import FloatArray, Reporter

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
        return weights_of(self.network)


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
    some = torch.cat([batches.draw(BATCH)[0] for _ in range(STATISTICS)])

    def of_a_batch(network: SpectralNet) -> dict[str, Tensor]:
        fractions, errors = losses(network, *batches.draw(BATCH))
        return {"fractions": fractions, "errors": errors}

    network = trained(new_network(some, len(COVER_NAMES)), of_a_batch, steps, report)
    scale = _error_scale(network, held_out)
    return FittedCover(network, scale, fit_density(batches, held_out, seed))


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


def _error_scale(network: SpectralNet, held_out: SpectralBatches) -> FloatArray:
    """Return the factor by which each error holds as many true values as it should."""
    reflectance, present, truth = held_out.draw(BATCH * STATISTICS)
    fractions, error = _unscaled(network, reflectance, present)
    true = truth.double().numpy()
    ratio = np.abs(true - fractions) / error
    # Where a cover is neither there nor taken to be, any error is right.
    matters = np.maximum(true, fractions) > _SOME
    return np.array([np.quantile(r[m], WITHIN) for r, m in zip(ratio.T, matters.T)])
