"""Low-rank adapters: the encoder's matrices get a small correction and stay as they are.

Hu et al. (arXiv 2106.09685): of a matrix W only the factors of B A with a rank far below
its size are trained. Afterwards W + B A is one matrix again, so that the exported model is
no larger and no slower.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hyperkd.models.nets.encoder import Encoder

# The matrices of a block that get an adapter.
_MATRICES = ("qkv", "projection", "expand", "contract")


class Adapter(nn.Module):
    """Adds ``scale * up @ down`` to a matrix; it adds nothing at first.

    Args:
        matrix: ``(out, in)``, what it is for.
        rank: of the product.
        generator: draws ``down``.
    """

    def __init__(self, matrix: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = matrix.shape
        rank = min(rank, rows, columns)
        drawn = torch.randn(rank, columns, generator=generator) / math.sqrt(columns)
        self.down = nn.Parameter(drawn.to(matrix))
        self.up = nn.Parameter(matrix.new_zeros(rows, rank))

    def forward(self, matrix: Tensor) -> Tensor:
        """Return the corrected matrix."""
        return matrix + self.up @ self.down


def add_adapters(encoder: Encoder, rank: int, seed: int) -> list[nn.Parameter]:
    """Give each matrix of each block an adapter, in place; return their parameters."""
    generator = torch.Generator().manual_seed(seed)
    parameters: list[nn.Parameter] = []
    for layer in _layers(encoder):
        adapter = Adapter(layer.weight, rank, generator)
        parametrize.register_parametrization(layer, "weight", adapter)
        parameters += adapter.parameters()
    return parameters


def merge_adapters(encoder: Encoder) -> None:
    """Make each matrix and its adapter one matrix again, in place."""
    for layer in _layers(encoder):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def _layers(encoder: Encoder) -> Iterator[nn.Linear]:
    for block in encoder.blocks:
        for name in _MATRICES:
            yield getattr(block, name)
