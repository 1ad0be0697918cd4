"""Augmentation: what a scene could as well have looked like.

Tiles are turned and mirrored; spectra get another illumination, more noise, or lose some
of their bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperkd.training.common.noise_components import Components

VIEWS: Final = 8  # of a square: four turns, each also mirrored
_DROPPED: Final = 0.05  # share of the bands that lie in one gap
T = NDArray[Any]


def view_of(image: T, view: int) -> T:
    """Return ``(..., H, W)`` turned by ``view % 4`` quarters, and mirrored from view 4 on."""
    turned = np.rot90(image, view % 4, (-2, -1))
    return turned[..., ::-1] if view >= VIEWS // 2 else turned


def back_from_view(image: T, view: int) -> T:
    """Undo ``view_of``."""
    mirrored = image[..., ::-1] if view >= VIEWS // 2 else image
    return np.rot90(mirrored, -(view % 4), (-2, -1))


@dataclass(frozen=True)
class AugmentConfig:
    """How much spectra are changed.

    Attributes:
        illumination: standard deviation of the logarithm of the factor on reflectance.
        noise: standard deviation of added noise, as a fraction of the scene's own.
        dropout: chance that a spectrum loses a gap of neighbouring bands.
    """

    illumination: float
    noise: float
    dropout: float


class Augment:
    """Changes spectra at random.

    Args:
        components: the map from normalised reflectance to components.
        mean, std: ``(C,)`` of the normalisation.
    """

    def __init__(
        self, config: AugmentConfig, components: Components, mean: NDArray[Any], std: NDArray[Any]
    ) -> None:
        self.config, self._noise = config, components.noise
        # Components of a black pixel, around which the illumination scales.
        black = components.apply((-np.asarray(mean) / np.asarray(std))[None])
        self._black = torch.from_numpy(black[0])

    def components(
        self, parts: list[Tensor], scales: Tensor, draws: np.random.Generator
    ) -> list[Tensor]:
        """Change components ``(M, b, R)``, times ``scales`` (R,), and those of surroundings."""
        shape = (*parts[0].shape[:-1], 1)
        factor = _tensor(np.exp(self.config.illumination * draws.standard_normal(shape)), parts[0])
        black = self._black.to(parts[0]) * scales
        changed = [black + factor * (parts[0] - black), *(factor * part for part in parts[1:])]
        noise = self.config.noise * self._noise
        if noise:
            added = draws.standard_normal(parts[0].shape, np.float32)
            changed[0] = changed[0] + noise * scales * _tensor(added, parts[0])
        return changed

    def tiles(
        self, pixels: Tensor, mean: Tensor, std: Tensor, draws: np.random.Generator
    ) -> Tensor:
        """Change tiles ``(B, C, H, W)`` of normalised reflectance; one factor for each tile."""
        batch, bands = pixels.shape[:2]
        drawn = np.exp(self.config.illumination * draws.standard_normal((batch, 1, 1, 1)))
        factor = _tensor(drawn, pixels)
        black = (-mean / std)[:, None, None]
        changed = black + factor * (pixels - black)
        for index in np.flatnonzero(draws.random(batch) < self.config.dropout):
            gap = _gap(bands, draws)
            changed[index, gap] = _bridged(changed[index], gap)
        return changed


def _gap(bands: int, draws: np.random.Generator) -> slice:
    width = max(1, round(_DROPPED * bands))
    first = int(draws.integers(0, max(1, bands - width + 1)))
    return slice(first, min(first + width, bands))


def _bridged(image: Tensor, gap: slice) -> Tensor:
    """Return what a straight line between the bands next to a gap puts into it."""
    bands = image.shape[0]
    left, right = max(gap.start - 1, 0), min(gap.stop, bands - 1)
    share = torch.linspace(0, 1, gap.stop - gap.start + 2, device=image.device)[1:-1]
    share = share[:, None, None]
    return image[left] * (1 - share) + image[right] * share


def _tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(like)
