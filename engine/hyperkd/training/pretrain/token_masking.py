"""Which tokens the student may see: at random, or guided by structure.

Masked autoencoders hide tokens at random. Guided masking hides those with much
structure more often: with structure to predict instead of flat ground, the task is
harder to solve by interpolation. Hiding nothing but structure would leave an
ill-posed task, so most of what is hidden stays random, the guided share grows
during training, and some of the best tokens stay visible as hints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

RANDOM: Final = "random"


@dataclass(frozen=True)
class Masking:
    """How tokens are hidden.

    Attributes:
        ratio: share of hidden tokens.
        score: what chooses the guided share; ``random`` is the control: no token is
            preferred.
        guided_share: share of the hidden tokens that the score chooses at the end
            of training; it grows from 0 linearly.
        hints: share of the best tokens that stay visible; the best are as many as
            the score may hide at the end of training.
        temperature: how strictly the best are chosen, in ranks from 0 to 1.
    """

    ratio: float
    score: str
    guided_share: float
    hints: float
    temperature: float = 0.1

    def share(self, progress: float) -> float:
        """Return the guided share where ``progress`` (0 to 1) of the training is done."""
        return 0.0 if self.score == RANDOM else self.guided_share * progress


def visible_count(tokens: int, mask_ratio: float) -> int:
    """Return how many of ``tokens`` stay visible, at least one, at most all but one."""
    return min(max(round(tokens * (1 - mask_ratio)), 1), tokens - 1)


def random_order(generator: np.random.Generator, batch: int, tokens: int) -> NDArray[np.int64]:
    """Return a random order of the tokens of each tile, ``(B, N)``.

    The first ones are taken as visible, so every token is hidden with the same chance.
    """
    noise = generator.random((batch, tokens), dtype=np.float32)
    # Stable, because float32 has room for equal numbers.
    order: NDArray[np.int64] = noise.argsort(1, kind="stable")
    return order


def token_order(
    noise: Tensor, preference: Tensor, scores: Tensor, empty: Tensor, masking: Masking, share: float
) -> Tensor:
    """Return an order of the tokens of each tile, ``(B, N)``; the first ones are visible.

    With a share of 0 it is the order of ``noise``, the same that ``random_order`` gives.

    Args:
        noise: ``(B, N)`` float32, uniform; decides what is not guided.
        preference: ``(B, N)`` float32, uniform in (0, 1); decides between guided tokens.
        scores: ``(B, N)``, see ``token_scores``.
        empty: ``(B, N)`` bool, True where no pixel is valid: the guide never chooses it.
        share: guided share of the hidden tokens at this point of the training.
    """
    tokens = noise.shape[1]
    visible = visible_count(tokens, masking.ratio)
    guided = math.floor(share * (tokens - visible) + 1e-9)
    if guided == 0:
        return noise.argsort(dim=1, stable=True)
    ranks = _ranks(scores, empty)
    best = math.floor(masking.guided_share * (tokens - visible) + 1e-9)
    hints = min(math.ceil(masking.hints * best), visible)
    is_best = _largest(ranks, preference, best) & ~empty
    # Among the best, those that chance alone would show first.
    shown = torch.where(is_best, noise, torch.full_like(noise, 2.0))
    is_hint = _smallest(shown, hints) & is_best

    # Gumbel top-k: draws without replacement, each with a chance that grows with its rank.
    gumbel = -(-preference.clamp(1e-7, 1 - 1e-7).log()).log()
    wanted = (ranks / masking.temperature + gumbel).masked_fill(empty | is_hint, -torch.inf)
    is_guided = _smallest(-wanted, guided) & wanted.isfinite()
    key = noise + 2.0 * is_guided - 2.0 * is_hint
    return key.argsort(dim=1, stable=True)


def _ranks(scores: Tensor, empty: Tensor) -> Tensor:
    """Return the rank of each token among those that are not empty, in (0, 1]; ties share one."""
    known = scores.masked_fill(empty, -torch.inf).contiguous()
    ordered = known.sort(1).values
    below = torch.searchsorted(ordered, known, side="left")
    upto = torch.searchsorted(ordered, known, side="right")
    first = empty.sum(1, keepdim=True)
    count = (~empty).sum(1, keepdim=True).clamp(min=1)
    rank = ((below + upto + 1) / 2 - first) / count
    return rank.masked_fill(empty, 0.0)


def _smallest(values: Tensor, count: int) -> Tensor:
    """Return ``(B, N)`` bool, True at the ``count`` smallest values of each row."""
    chosen = torch.zeros_like(values, dtype=torch.bool)
    return chosen.scatter(1, values.argsort(dim=1, stable=True)[:, :count], True)


def _largest(values: Tensor, tie: Tensor, count: int) -> Tensor:
    """Return ``(B, N)`` bool, True at the ``count`` largest; ``tie`` decides between equal ones."""
    order = tie.argsort(dim=1, stable=True)
    order = order.gather(1, (-values.gather(1, order)).argsort(dim=1, stable=True))
    chosen = torch.zeros_like(values, dtype=torch.bool)
    return chosen.scatter(1, order[:, :count], True)
