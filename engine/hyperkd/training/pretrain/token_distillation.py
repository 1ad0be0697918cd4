"""Feature distillation: the student's tokens learn to predict the teacher's features.

The teacher is shown six broad bands that are made, inside the training step,
from the tile's own bands by the alignment matrix (spectral range-based channel
alignment). Its features at three quarters of its depth are the target of the
student's tokens at three quarters of theirs, through a linear map that is
dropped afterwards. Form: DMAE (Bai et al., arXiv 2208.12256); relations of
values: TinyMIM (Ren et al., arXiv 2301.01296).

Shapes: B tiles, N student tokens, V visible ones, D and T widths of student and teacher.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Final, Optional, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperkd.errors import HyperKDError
from hyperkd.models.nets.student import Student
from hyperkd.spectral.hls_alignment import align_to_hls
from hyperkd.training.common.crops import UNIT
from hyperkd.training.common.masked_batch import Masked, Tiles
from hyperkd.training.common.pooling import chosen_shares, pool, pooling_matrix
from hyperkd.training.teacher.prithvi_features import block_count
from hyperkd.types import BandTable, Wavelengths

_FAR: Final = -1e4  # of a logit: exp gives exactly 0 in float32


@dataclass(frozen=True)
class Distillation:
    """What is learned from the teacher.

    Attributes:
        layers: depths that are compared, as fractions of the blocks of both networks.
        distance: ``cosine``, one minus the cosine of normed features; ``smooth_l1``
            of normed features; ``l1`` of features brought to length 1, as in DMAE;
            ``divergence``, Kullback-Leibler divergence of the softmax over a token's
            features; ``relation``, the same of the relations of values, which are free
            of width and scale.
        view: ``visible``, the teacher sees the tokens that the student sees;
            ``full``, it sees the whole tile; ``cached``, likewise, and its features are
            kept on disk, for which tiles come from a grid instead of from anywhere.
        alignment: how the six bands are made, see ``align_to_hls``.
        share: norm of its gradient relative to that of the squared error, once calibrated.
        projector: ``linear`` from the student's width to the teacher's, or ``none``,
            for networks of the same width.
        late: fraction of its weight that is left at the end of training.
        late_from: fraction of the training after which the weight falls.
        shuffled: the control: each token is given another one's features.
    """

    layers: tuple[float, ...]
    distance: str
    view: str
    alignment: str
    share: float
    projector: str
    late: float = 0.1
    late_from: float = 0.5
    shuffled: bool = False

    def fade(self, progress: float) -> float:
        """Return what is left of the weight where ``progress`` (0 to 1) is done: 1 to ``late``."""
        if progress <= self.late_from:
            return 1.0
        done = (progress - self.late_from) / (1 - self.late_from)
        return self.late + (1 - self.late) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class FrozenTeacher(Protocol):
    """What distillation needs of a teacher; ``prithvi_features.Teacher`` is one."""

    @property
    def patch_px(self) -> int:
        """Side of a token's square."""

    @property
    def dim(self) -> int:
        """T, the width of its features."""

    @property
    def heads(self) -> int:
        """Attention heads of a block."""

    @property
    def depth(self) -> int:
        """How many blocks it has."""

    def look(
        self,
        reflectance: Tensor,
        valid: Tensor,
        blocks: Sequence[int],
        keep: Optional[Tensor] = None,
        *,
        values: bool = False,
    ) -> list[Tensor]:
        """Return ``(B, K, T)`` for each of ``blocks``; see ``Teacher.look``."""


class Cache(Protocol):
    """Keeps the teacher's features of whole tiles."""

    def __call__(
        self, tiles: Tiles, six: Tensor, look: Callable[[Tiles, Tensor], list[Tensor]]
    ) -> list[Tensor]:
        """Return what ``look`` gives, which is asked for what is not kept yet."""


class Aligner(nn.Module):
    """Makes the six bands of HLS from the student's bands.

    Args:
        bands: the student's, by wavelength.
        mode: see ``align_to_hls``.
    """

    used: Tensor
    matrix: Tensor

    def __init__(self, bands: Wavelengths, mode: str) -> None:
        super().__init__()
        count = len(bands)
        table = BandTable(
            bands, np.ones(count, bool), np.ones(count), np.zeros(count), np.full(count, np.nan)
        )
        matrix = align_to_hls(table, mode).matrix
        used = np.flatnonzero(matrix.any(0))
        self.register_buffer("used", torch.from_numpy(used), persistent=False)
        weights = torch.from_numpy(matrix[:, used].T * UNIT).float()
        self.register_buffer("matrix", weights, persistent=False)

    def forward(self, tiles: Tiles) -> Tensor:
        """Return reflectance ``(B, 6, H, W)`` float32."""
        stored = tiles.pixels.index_select(3, self.used).float()
        return (stored @ self.matrix).permute(0, 3, 1, 2)


class Distiller(nn.Module):
    """The part of the loss that comes from a teacher; its parameters are never exported.

    Args:
        tile_px: side of the training tiles.

    Attributes:
        layers: the student's parts whose output is compared.
        projectors: linear maps from the student's width to the teacher's.
        sees_visible: whether the teacher sees exactly what the student sees.
        cache: keeps the teacher's features where they are to be kept.
        blocks: numbers of the teacher's blocks that are compared.

    Raises:
        HyperKDError: ``bad_job`` where the tile is not a multiple of the teacher's patch, or
            no projector is wanted between different widths.
    """

    def __init__(
        self, student: Student, teacher: FrozenTeacher, settings: Distillation, tile_px: int
    ) -> None:
        super().__init__()
        if tile_px % teacher.patch_px:
            raise HyperKDError(
                "bad_job",
                f"Tiles of {tile_px} px do not divide into the teacher's patches of "
                f"{teacher.patch_px} px.",
                f"Choose a tile that is a multiple of {teacher.patch_px} px (tile).",
            )
        config = student.config
        self.settings = settings
        self.cache: Optional[Cache] = None
        self._teacher = teacher
        self._dim = config.dim
        self._heads = math.gcd(config.heads, teacher.heads)
        self._relations = settings.distance == "relation"
        self.blocks = tuple(block_count(depth, teacher.depth) for depth in settings.layers)
        own = [block_count(depth, config.depth) for depth in settings.layers]
        blocks = [student.blocks[number - 1] for number in own]
        # In a tuple, because a module in an attribute would become a part of this one.
        self.layers: tuple[nn.Module, ...] = tuple(
            block.get_submodule("qkv") if self._relations else block for block in blocks
        )
        self.projectors = nn.ModuleList(
            () if self._relations else (_projector(settings, config.dim, teacher.dim) for _ in own)
        )
        coarse = max(config.patch, teacher.patch_px)
        self._own_is_coarse = coarse == config.patch
        # It cannot where its patches are larger: they hold visible and hidden pixels alike.
        finer = config.patch // teacher.patch_px
        self.sees_visible = settings.view == "visible" and config.patch == finer * teacher.patch_px
        own_shares = pooling_matrix(tile_px, config.patch, coarse)
        other_shares = pooling_matrix(tile_px, teacher.patch_px, coarse)
        parts = other_shares.topk(max(1, finer) ** 2).indices.sort(1).values
        for name, buffer in (
            ("own_shares", own_shares),
            ("other_shares", other_shares),
            ("parts", parts),  # (N, parts): the teacher's tokens in each of the student's
        ):
            self.register_buffer(name, buffer, persistent=False)

    own_shares: Tensor
    other_shares: Tensor
    parts: Tensor

    def forward(
        self,
        seen: Sequence[Tensor],
        tiles: Tiles,
        masked: Masked,
        six: Tensor,
        shuffle: Tensor,
    ) -> Tensor:
        """Return how far the student's tokens are from the teacher's features.

        Args:
            seen: what ``layers`` gave in the student's forward pass, ``(B, V, ...)``.
            tiles: the whole tiles.
            masked: what of them the student saw.
            six: ``(B, 6, H, W)`` reflectance for the teacher.
            shuffle: ``(B, N)`` random numbers; the control takes its order from them.
        """
        order = masked.order[:, : masked.visible]
        filled = masked.valid[:, : masked.visible].flatten(2).amax(2)  # (B, V)
        total = six.new_zeros(())
        targets = self._targets(tiles, order, six)
        for index, (tokens, target) in enumerate(zip(seen, targets)):
            own, weight = tokens[..., -self._dim :].float(), filled
            if not self._own_is_coarse:
                own, weight = pool(own, filled, chosen_shares(self.own_shares, order))
            if self.settings.shuffled:
                target = _shuffled(target, shuffle)
            if self._relations:
                total = total + relation_distance(own, target, weight, self._heads)
                continue
            own = functional.layer_norm(own, own.shape[-1:])
            target = functional.layer_norm(target, target.shape[-1:])
            total = total + feature_distance(
                self.projectors[index](own).float(), target, weight, self.settings.distance
            )
        return total / len(seen)

    def _targets(self, tiles: Tiles, order: Tensor, six: Tensor) -> list[Tensor]:
        """Return the teacher's features where the student's are, ``(B, V or cells, T)``."""
        if self.sees_visible:
            parts = self.parts[order]  # (B, V, parts)
            targets = self.look(tiles, six, parts.flatten(1))
            return [target.unflatten(1, parts.shape[1:]).mean(2) for target in targets]
        targets = self.look(tiles, six) if self.cache is None else self.cache(tiles, six, self.look)
        if not self._own_is_coarse:
            return targets
        filled = (~tiles.empty(self._teacher.patch_px)).float()
        pooled = [pool(target, filled, self.other_shares[None])[0] for target in targets]
        return [
            target.gather(1, order[..., None].expand(-1, -1, target.shape[2])) for target in pooled
        ]

    def look(self, tiles: Tiles, six: Tensor, keep: Optional[Tensor] = None) -> list[Tensor]:
        """Return the teacher's features of the tokens ``keep`` (B, K), which are all it sees."""
        with torch.no_grad():
            return self._teacher.look(six, tiles.valid, self.blocks, keep, values=self._relations)


def _projector(settings: Distillation, own: int, other: int) -> nn.Module:
    if settings.projector == "linear":
        return nn.Linear(own, other)
    if own != other:
        raise HyperKDError(
            "bad_job",
            f"The student is {own} wide and the teacher {other}: without a projector their "
            "features cannot be compared.",
            "Take the linear projector, or compare relations, which do not depend on width.",
        )
    return nn.Identity()


def feature_distance(own: Tensor, other: Tensor, weight: Tensor, distance: str) -> Tensor:
    """Return the mean distance of features ``(B, K, T)`` over tokens ``weight`` (B, K)."""
    if distance == "cosine":
        distances = 1 - functional.cosine_similarity(own, other, dim=2, eps=1e-6)
    elif distance == "l1":
        unit, target = (functional.normalize(each, dim=2, eps=1e-6) for each in (own, other))
        distances = (unit - target).abs().mean(2)
    elif distance == "divergence":
        mine, theirs = own.log_softmax(2), other.log_softmax(2)
        distances = (theirs.exp() * (theirs - mine)).sum(2)
    else:
        distances = functional.smooth_l1_loss(own, other, reduction="none").mean(2)
    return (distances * weight).sum() / weight.sum().clamp(min=1)


def relation_distance(own: Tensor, other: Tensor, weight: Tensor, heads: int) -> Tensor:
    """Return the mean divergence of how tokens relate: softmax of values' inner products.

    Args:
        own: ``(B, K, D)`` values of the student.
        other: ``(B, K, T)`` values of the teacher.
        weight: ``(B, K)``; tokens with the weight 0 relate to nobody.
        heads: relations per token; divides D and T.
    """
    absent = ((weight <= 0) * _FAR)[:, None, None]

    def relations(values: Tensor) -> Tensor:
        split = values.unflatten(2, (heads, -1)).transpose(1, 2)  # (B, heads, K, width)
        logits = split @ split.transpose(2, 3) / math.sqrt(split.shape[3])
        return functional.log_softmax(logits + absent, -1)

    theirs = relations(other)
    divergence = (theirs.exp() * (theirs - relations(own))).sum(-1).mean(1)  # (B, K)
    return (divergence * weight).sum() / weight.sum().clamp(min=1)


def _shuffled(target: Tensor, noise: Tensor) -> Tensor:
    """Give each token of the batch another one's features, in the order of ``noise`` (B, N)."""
    order = noise[:, : target.shape[1]].flatten().argsort(stable=True)
    return target.flatten(0, 1)[order].view_as(target)
