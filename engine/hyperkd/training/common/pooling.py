"""Bringing token grids of different patches together by averaging.

Student and teacher may cut one tile into patches of different sizes. Both are
compared on the coarser of their grids: there each cell takes the mean of the
finer tokens over it, weighted by the area that they share.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pooling_matrix(tile_px: int, patch: int, coarse: int) -> Tensor:
    """Return the shares of fine tokens in each coarse one, ``(cells, tokens)`` float32.

    Rows sum to 1, and both are counted row by row. The patches need not divide
    one another: 14 px and 8 px meet on the grid of 14.

    Args:
        tile_px: side of the tile, a multiple of both patches.
        patch: side of a fine token.
        coarse: side of a coarse one.
    """
    fine = torch.arange(tile_px // patch, dtype=torch.float64) * patch
    cells = torch.arange(tile_px // coarse, dtype=torch.float64)[:, None] * coarse
    overlap = torch.minimum(fine + patch, cells + coarse) - torch.maximum(fine, cells)
    line = overlap.clamp(min=0) / coarse
    return torch.kron(line, line).float()


def pool(tokens: Tensor, weight: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Average tokens into cells.

    Args:
        tokens: ``(B, K, D)``, some or all tokens of a grid.
        weight: ``(B, K)`` 1 where a token counts, else 0.
        shares: ``(B or 1, cells, K)`` share of each of these tokens in each cell.

    Returns:
        ``(B, cells, D)`` means, and ``(B, cells)`` what share of a cell counted.
    """
    shares = shares * weight[:, None]
    total = shares.sum(2)
    means = shares.to(tokens.dtype) @ tokens
    return means / total.clamp(min=1e-6)[..., None].to(tokens.dtype), total


def chosen_shares(matrix: Tensor, order: Tensor) -> Tensor:
    """Return the columns of ``matrix`` named by ``order`` (B, K), ``(B, cells, K)``."""
    return matrix.T[order].transpose(1, 2)
