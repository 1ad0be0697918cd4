"""Training of the model ``traits``: what canopies, soils and waters are like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hyperkd.models.nets.spectral_net import SpectralNet
from hyperkd.models.spectral_density import SpectralDensity
from hyperkd.models.trait_onnx import TraitScale
from hyperkd.synth.endmembers import CLOUD, DRY, HERB, SNOW, TRAIT_NAMES, TREES
from hyperkd.training.physics.fit_density import fit_density
from hyperkd.training.physics.fit_spectral import (
    BATCH,
    STATISTICS,
    WITHIN,
    new_network,
    trained,
    weights_of,
)
from hyperkd.training.physics.simulated_spectra import PART_NAMES, PART_OF_TRAIT
from hyperkd.training.physics.spectral_batches import USUAL, SpectralBatches
from hyperkd.types import BoolArray, FloatArray, Reporter

TRAITS: Final = len(TRAIT_NAMES)
# A trait is learned and told where the part that it belongs to is at least so much of a pixel.
LEAST_SHARE: Final = 0.3
# What cannot be negative and varies by factors; of these the network gives the logarithm.
_LINEAR: Final = ("soil_moisture",)
LOGARITHMIC: Final[BoolArray] = np.array([name not in _LINEAR for name in TRAIT_NAMES])
# More canopies whose traits are independent than scenes have, and no meadows, whose dead grass
# hides soil that the truth calls visible.
VARIED: Final = replace(USUAL, scenes=0.5, meadow=0.1)
# Canopies with independent traits are among the endmembers, and have to be seen.
SELDOM: Final = {HERB: 1.5, TREES: 1.0, DRY: 0.5, SNOW: 0.2, CLOUD: 0.2}


@dataclass(frozen=True, eq=False)
class FittedTraits:
    """A trained network.

    Attributes:
        network: with averaged weights; answers are the traits, standardised, and a logit for
            the share of each part.
        scale: what turns them into traits.
        density: of the spectra that it learned from.
    """

    network: SpectralNet
    scale: TraitScale
    density: SpectralDensity

    def weights(self) -> dict[str, FloatArray]:
        """Return the weights by name, as ``trait_graph`` takes them."""
        return weights_of(self.network)


@dataclass(frozen=True, eq=False)
class PredictedTraits:
    """Traits of n spectra.

    Attributes:
        values, errors: ``(n, T)`` in the traits' units.
        applies: ``(n, T)`` whether there is enough of the part that a trait belongs to.
    """

    values: FloatArray
    errors: FloatArray
    applies: BoolArray


def fit_traits(
    batches: SpectralBatches, held_out: SpectralBatches, steps: int, seed: int, report: Reporter
) -> FittedTraits:
    """Train a network and set its errors right on held-out spectra.

    Args:
        batches: what it is trained on.
        held_out: of other scenes, canopies and sensors.
    """
    torch.manual_seed(seed)
    drawn = [batches.draw_traits(BATCH) for _ in range(STATISTICS)]
    some, _, shares, traits = (torch.cat(parts) for parts in zip(*drawn))
    scale = _scale(shares, traits)

    def of_a_batch(network: SpectralNet) -> dict[str, Tensor]:
        return losses(network, scale, *batches.draw_traits(BATCH))

    network = trained(new_network(some, TRAITS + len(PART_NAMES)), of_a_batch, steps, report)
    fitted = FittedTraits(network, scale, fit_density(batches, held_out, seed))
    return replace(fitted, scale=replace(scale, error_scale=_error_scale(fitted, held_out)))


def losses(
    network: SpectralNet,
    scale: TraitScale,
    reflectance: Tensor,
    present: Tensor,
    shares: Tensor,
    traits: Tensor,
) -> dict[str, Tensor]:
    """Return the losses of the shares, of the traits where they apply, and of their errors.

    The error's likelihood does not reach the features. Each trait counts as much as any other,
    however few pixels have it.
    """
    answers, error = network(reflectance, present)
    known = applicable(shares) & torch.isfinite(traits)
    off = torch.where(known, answers[:, :TRAITS] - _standardised(scale, traits), 0.0).square()
    weight = known / known.sum(dim=0).clamp(min=1) / TRAITS
    error = error[:, :TRAITS]
    likelihood = 0.5 * off.detach() / error.square() + torch.log(error)
    return {
        "shares": functional.binary_cross_entropy_with_logits(
            answers[:, TRAITS:], shares.clamp(0, 1)
        ),
        "traits": 0.5 * (off * weight).sum(),
        "errors": (likelihood * weight).sum(),
    }


def applicable(shares: Tensor) -> Tensor:
    """Return ``(n, T)``, whether a pixel has enough of what each trait belongs to.

    Args:
        shares: ``(n, P)`` of the parts.
    """
    return shares[:, PART_OF_TRAIT] >= LEAST_SHARE


def predicted(fitted: FittedTraits, reflectance: Tensor, present: Tensor) -> PredictedTraits:
    """Return the traits of spectra, whose missing bands are bridged."""
    scale = fitted.scale
    with torch.no_grad():
        answers, error = (
            tensor.double().numpy() for tensor in fitted.network(reflectance, present)
        )
    plain = answers[:, :TRAITS] * scale.spread + scale.centre
    values = np.where(scale.logarithmic, np.exp(plain), plain)
    values = np.clip(values, scale.low, scale.high)
    slope = np.where(scale.logarithmic, values, 1.0)
    errors = error[:, :TRAITS] * scale.error_scale * scale.spread * slope
    shares = answers[:, TRAITS:][:, list(scale.part)]
    return PredictedTraits(
        values, np.minimum(errors, scale.largest_error), shares >= scale.least_logit
    )


def _scale(shares: Tensor, traits: Tensor) -> TraitScale:
    """Return the scale of spectra to train on, with errors as the network gives them."""
    known = (applicable(shares) & torch.isfinite(traits)).numpy()
    columns = [column[has] for column, has in zip(traits.double().numpy().T, known.T)]
    plain = [np.log(each) if log else each for each, log in zip(columns, LOGARITHMIC)]

    # As float32, which the graph computes with: no value may lie beyond the card's range.
    def limits(function: str) -> FloatArray:
        return np.array([getattr(each, function)() for each in columns], np.float32).astype(float)

    return TraitScale(
        centre=np.array([each.mean() for each in plain]),
        spread=np.array([each.std() for each in plain]),
        logarithmic=LOGARITHMIC,
        low=limits("min"),
        high=limits("max"),
        error_scale=np.ones(TRAITS),
        part=PART_OF_TRAIT,
        least_share=LEAST_SHARE,
    )


def _standardised(scale: TraitScale, traits: Tensor) -> Tensor:
    logarithmic = torch.from_numpy(scale.logarithmic)
    plain = torch.where(logarithmic, traits.log(), traits)
    return ((plain - torch.from_numpy(scale.centre)) / torch.from_numpy(scale.spread)).float()


def _error_scale(fitted: FittedTraits, held_out: SpectralBatches) -> FloatArray:
    """Return the factor by which each error holds as many true values as it should."""
    reflectance, present, shares, traits = held_out.draw_traits(BATCH * STATISTICS)
    found = predicted(fitted, reflectance, present)
    true, known = traits.double().numpy(), applicable(shares).numpy()
    ratio = np.abs(true - found.values) / found.errors
    told = known & found.applies & np.isfinite(true)
    # A network that never tells a trait has no error of it either.
    return np.array(
        [np.quantile(r[m], WITHIN) if m.any() else 1.0 for r, m in zip(ratio.T, told.T)]
    )
