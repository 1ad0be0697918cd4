"""A network for single spectra that is told which bands there are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hyperkd.models.nets.encoder import Convolution
from hyperkd.models.spectral_onnx import LEAST_ERROR

# Of the hidden layers; the last is the embedding.
WIDTHS = (256, 256, 128)


class SpectralNet(nn.Module):
    """From a spectrum to fractions that sum to 1, and the standard error of each.

    A band that is missing lies on the line between its neighbours, and the network is told so.

    Args:
        mean, std: ``(C,)`` reflectance that the bands are standardised with.
        fractions: number of covers K.
        widths: of the hidden layers.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        fractions: int,
        widths: Sequence[int] = WIDTHS,
    ) -> None:
        super().__init__()
        bands = len(mean)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))
        self.spectrum = nn.Linear(bands, widths[0])
        self.present = nn.Linear(bands, widths[0], bias=False)
        self.hidden = nn.ModuleList(
            nn.Linear(before, after) for before, after in zip(widths, widths[1:])
        )
        self.answer = nn.Linear(widths[-1], fractions)
        # From the same embedding, which it does not change: see ``losses``.
        self.error = nn.Linear(widths[-1], fractions)

    def embed(self, reflectance: Tensor, present: Tensor) -> Tensor:
        """Return ``(n, D)`` features of ``(n, C)`` reflectance.

        Args:
            present: ``(n, C)`` or ``(1, C)``, 1 where there is a band, else 0.
        """
        standardised = (reflectance - self.mean) / self.std
        features = nn.functional.relu(self.spectrum(standardised) + self.present(present))
        for layer in self.hidden:
            features = nn.functional.relu(layer(features))
        return features

    def forward(self, reflectance: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the fractions, and their standard errors, ``(n, K)`` each."""
        features = self.embed(reflectance, present)
        errors = LEAST_ERROR + torch.exp(self.error(features.detach()))
        return self.answer(features), errors


class SpectralFractions(nn.Module):
    """The fractions that a trained ``SpectralNet`` gives, for images; no training changes it.

    Args:
        bands: C, whose reflectance it takes.
        widths: of the layers; the last is F, the number of fractions.
    """

    def __init__(self, bands: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        sizes = (bands, *widths)
        self.layers = nn.ModuleList(
            Convolution(before, after, 1) for before, after in zip(sizes, sizes[1:])
        )
        self.requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return ``(B, F, H, W)``, which sum to 1, of reflectance ``(B, C, H, W)``."""
        *hidden, last = self.layers
        for layer in hidden:
            pixels = nn.functional.relu(layer(pixels))
        return torch.softmax(last(pixels), 1)
