"""Prithvi, the teacher: IBM-NASA's masked autoencoder for six-band images.

Jakubik et al., arXiv 2310.18660 (version 1.0) and Szwarcman et al., arXiv
2412.02732 (version 2.0). The names of the tensors are those of the published
files of version 2.0. All published versions are built from ``PrithviConfig``.

Shapes: B samples, C bands, T frames, H x W pixels, P the patch size, N = T x
H/P x W/P tokens in the order frame, row, column, K visible tokens, D width.
The first token of a sequence is CLS.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperkd.models.nets.patch_embedding import embed_patches
from hyperkd.models.prithvi_versions import POSITIONS, PrithviConfig

_EPS = 1e-5  # of every LayerNorm; with 1e-6 the features differ by up to 1e-2


def sine_cosine(values: Tensor, dim: int) -> Tensor:
    """Encode ``values`` (...) as ``(..., dim)``: one half sines, the other cosines."""
    exponent = torch.arange(dim // 2, dtype=values.dtype, device=values.device) / (dim / 2)
    angle = values[..., None] * (1.0 / 10000**exponent)
    return torch.cat((angle.sin(), angle.cos()), -1)


def position_table(dim: int, frames: int, rows: int, cols: int) -> Tensor:
    """Return the positions of a grid, ``(T, rows, cols, D)`` float32.

    Six sixteenths of the channels encode the column, six the row, four the frame.
    """
    part = dim // 16
    # In float64 and then rounded, as the published tables were made.
    frame, row, col = (torch.arange(count, dtype=torch.float64) for count in (frames, rows, cols))
    size = (frames, rows, cols, -1)
    parts = (
        sine_cosine(col, 6 * part)[None, None].expand(size),
        sine_cosine(row, 6 * part)[None, :, None].expand(size),
        sine_cosine(frame, 4 * part)[:, None, None].expand(size),
    )
    return torch.cat(parts, -1).float()


def stretched_table(dim: int, frames: int, built: int, rows: int, cols: int) -> Tensor:
    """Return the table of ``built`` x ``built`` cells resized: ``(T, rows, cols, D)`` float32."""
    table = position_table(dim, frames, built, built)
    if (rows, cols) == (built, built):
        return table
    images = table.permute(0, 3, 1, 2)  # (T, D, built, built)
    images = functional.interpolate(images, (rows, cols), mode="bicubic", align_corners=True)
    return images.permute(0, 2, 3, 1)


class CoordinateEncoding(nn.Module):
    """A pair of numbers as a vector: half of it encodes the first, half the second.

    Pairs are (year, day of the year from 0) or (latitude, longitude) in degrees.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.scale = nn.Parameter(torch.full((1,), 0.1))

    def forward(self, pairs: Tensor) -> Tensor:
        """Map ``(..., 2)`` to ``(..., D)``."""
        # Half precision has no room for a year, and the published files were trained with
        # float32, which differs from float64 by 1e-4.
        first, second = pairs.float().unbind(-1)
        half = self.dim // 2
        encoded = torch.cat((sine_cosine(first, half), sine_cosine(second, self.dim - half)), -1)
        return self.scale * encoded


class Attention(nn.Module):
    """Self-attention of several heads."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(B, N, D)`` to ``(B, N, D)``."""
        qkv = self.qkv(tokens).unflatten(2, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, D / heads)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    """Two layers with GELU between."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(B, N, D)`` to ``(B, N, D)``."""
        return self.fc2(functional.gelu(self.fc1(tokens)))


class PrithviBlock(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=_EPS)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=_EPS)
        self.mlp = Perceptron(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(B, N, D)`` to ``(B, N, D)``."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class PatchEmbedding(nn.Module):
    """A 3-D convolution whose kernel is one patch of one frame."""

    def __init__(self, config: PrithviConfig) -> None:
        super().__init__()
        kernel = (1, config.patch, config.patch)
        self.proj = nn.Conv3d(config.bands, config.dim, kernel, kernel)

    def forward(self, images: Tensor) -> Tensor:
        """Map ``(B, C, T, H, W)`` to ``(B, T, H/P, W/P, D)``."""
        return embed_patches(self.proj, images).permute(0, 2, 3, 4, 1)


class _Placing(nn.Module):
    """What encoder and decoder share: where and when a token is."""

    def __init__(self, config: PrithviConfig, dim: int, positions: str) -> None:
        super().__init__()
        if positions not in POSITIONS:
            raise ValueError(f"positions is {positions!r}, not one of {', '.join(POSITIONS)}")
        self._dim = dim
        self._built = config.tile // config.patch if positions == "stretch" else None

    def _place(
        self,
        grid: Tensor,
        when: Optional[Tensor],
        where: Optional[Tensor],
        encodings: tuple[Optional[nn.Module], Optional[nn.Module]],
    ) -> Tensor:
        """Add position, date and place to ``(B, T, rows, cols, D)``; give ``(B, N, D)``."""
        _, frames, rows, cols, _ = grid.shape
        if self._built is None:
            table = position_table(self._dim, frames, rows, cols)
        else:
            table = stretched_table(self._dim, frames, self._built, rows, cols)
        grid = grid + table.to(grid)
        temporal, location = encodings
        if when is not None:
            grid = grid + _required(temporal)(when)[:, :, None, None].to(grid)  # (B, T, 1, 1, D)
        if where is not None:
            grid = grid + _required(location)(where)[:, None, None, None].to(grid)
        return grid.flatten(1, 3)


def _required(encoding: Optional[nn.Module]) -> nn.Module:
    if encoding is None:
        raise ValueError("this version of Prithvi takes no date and no place")
    return encoding


class Visible(NamedTuple):
    """What the encoder makes of the visible tokens.

    Attributes:
        latent: ``(B, 1 + K, D)``, CLS first, the rest in the order of the noise.
        mask: ``(B, N)`` float32, 1 where a token is hidden.
        ids_restore: ``(B, N)`` int64, each token's place in the order of the noise.
        grid: frames, rows and columns of tokens.
    """

    latent: Tensor
    mask: Tensor
    ids_restore: Tensor
    grid: tuple[int, int, int]


class PrithviEncoder(_Placing):
    """The part that gives features."""

    def __init__(self, config: PrithviConfig, positions: str) -> None:
        super().__init__(config, config.dim, positions)
        dim = config.dim
        self.patch = config.patch
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.patch_embed = PatchEmbedding(config)
        self.temporal_embed_enc = CoordinateEncoding(dim) if config.coordinates else None
        self.location_embed_enc = CoordinateEncoding(dim) if config.coordinates else None
        self.blocks = nn.ModuleList(PrithviBlock(dim, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(dim, eps=_EPS)

    def embed(
        self, images: Tensor, when: Optional[Tensor] = None, where: Optional[Tensor] = None
    ) -> Tensor:
        """Turn images into placed tokens ``(B, N, D)`` without CLS.

        Args:
            images: ``(B, C, T, H, W)``, normalised; H and W are multiples of P.
            when: ``(B, T, 2)`` year and day of the year from 0, or None.
            where: ``(B, 2)`` latitude and longitude in degrees, or None.
        """
        height, width = images.shape[-2:]
        # The convolution would drop the rest without a word.
        if height % self.patch or width % self.patch:
            raise ValueError(f"{height} x {width} pixels do not divide into patches {self.patch}")
        encodings = (self.temporal_embed_enc, self.location_embed_enc)
        return self._place(self.patch_embed(images), when, where, encodings)

    def forward_features(
        self,
        images: Tensor,
        when: Optional[Tensor] = None,
        where: Optional[Tensor] = None,
        keep: Optional[Tensor] = None,
        blocks: Optional[int] = None,
    ) -> list[Tensor]:
        """Return the output of each block, ``(B, 1 + N, D)`` with CLS first.

        The last block's output has passed the final norm, the others have not.

        Args:
            images, when, where: as in ``embed``.
            keep: ``(B, K)`` numbers of the tokens to look at, in the order of
                the result; default: all of them.
            blocks: how many blocks to compute; default: all.
        """
        tokens = self.embed(images, when, where)
        if keep is not None:
            tokens = _choose(tokens, keep)
        tokens = torch.cat((self.cls_token.expand(tokens.shape[0], -1, -1), tokens), 1)
        features = []
        for block in self.blocks[:blocks]:
            tokens = block(tokens)
            features.append(tokens)
        if len(features) == len(self.blocks):
            features[-1] = self.norm(tokens)
        return features

    def forward(
        self,
        images: Tensor,
        noise: Tensor,
        mask_ratio: float,
        when: Optional[Tensor] = None,
        where: Optional[Tensor] = None,
    ) -> Visible:
        """Encode the tokens with the least ``noise`` (B, N) and hide the others."""
        order = noise.argsort(1)
        ids_restore = order.argsort(1)
        count = int(order.shape[1] * (1 - mask_ratio))
        latent = self.forward_features(images, when, where, order[:, :count])[-1]
        rows, cols = (size // self.patch for size in images.shape[-2:])
        grid = (images.shape[2], rows, cols)
        return Visible(latent, (ids_restore >= count).float(), ids_restore, grid)


class PrithviDecoder(_Placing):
    """The part that predicts the hidden patches; features do not need it."""

    def __init__(self, config: PrithviConfig, positions: str) -> None:
        super().__init__(config, config.decoder_dim, positions)
        dim = config.decoder_dim
        self.decoder_embed = nn.Linear(config.dim, dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.temporal_embed_dec = CoordinateEncoding(dim) if config.coordinates else None
        self.location_embed_dec = CoordinateEncoding(dim) if config.coordinates else None
        self.decoder_blocks = nn.ModuleList(
            PrithviBlock(dim, config.decoder_heads) for _ in range(config.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(dim, eps=_EPS)
        self.decoder_pred = nn.Linear(dim, config.bands * config.patch**2)

    def forward(
        self,
        visible: Visible,
        when: Optional[Tensor] = None,
        where: Optional[Tensor] = None,
    ) -> Tensor:
        """Predict every patch, ``(B, N, P x P x C)`` with the band last."""
        embedded = self.decoder_embed(visible.latent)
        batch, count = visible.ids_restore.shape
        hidden = self.mask_token.expand(batch, count + 1 - embedded.shape[1], -1)
        tokens = _choose(torch.cat((embedded[:, 1:], hidden), 1), visible.ids_restore)
        encodings = (self.temporal_embed_dec, self.location_embed_dec)
        tokens = self._place(tokens.unflatten(1, visible.grid), when, where, encodings)
        tokens = torch.cat((embedded[:, :1], tokens), 1)
        for block in self.decoder_blocks:
            tokens = block(tokens)
        return self.decoder_pred(self.decoder_norm(tokens))[:, 1:]


class Reconstruction(NamedTuple):
    """What the masked forward pass gives.

    Attributes:
        loss: mean squared error over the hidden patches.
        prediction: ``(B, N, P x P x C)`` with the band last.
        visible: what the decoder started from.
    """

    loss: Tensor
    prediction: Tensor
    visible: Visible


class Prithvi(nn.Module):
    """Encoder and decoder; images are normalised, see ``PrithviVersion``.

    Args:
        positions: one of ``hyperkd.models.prithvi_versions.POSITIONS``.
        with_decoder: False leaves the decoder out.
    """

    def __init__(
        self, config: PrithviConfig, positions: str = "recompute", *, with_decoder: bool = True
    ) -> None:
        super().__init__()
        self.config = config
        self.positions = positions
        self.encoder = PrithviEncoder(config, positions)
        self.decoder = PrithviDecoder(config, positions) if with_decoder else None

    def forward(
        self,
        images: Tensor,
        noise: Tensor,
        mask_ratio: float,
        when: Optional[Tensor] = None,
        where: Optional[Tensor] = None,
    ) -> Reconstruction:
        """Hide the tokens with the most ``noise`` (B, N) and predict their patches.

        Args:
            images, when, where: as in ``PrithviEncoder.embed``.
            noise: random numbers; the same numbers give the same mask.
            mask_ratio: share of hidden tokens; 0 hides none and has no loss (NaN).
        """
        if self.decoder is None:
            raise ValueError("this Prithvi was built without its decoder")
        visible = self.encoder(images, noise, mask_ratio, when, where)
        prediction = self.decoder(visible, when, where)
        target = self.patchify(images)
        if self.config.normalised_target:
            deviation = (target.var(-1, keepdim=True) + 1e-6).sqrt()
            target = (target - target.mean(-1, keepdim=True)) / deviation
        error = (prediction - target).square().mean(-1)
        loss = (error * visible.mask).sum() / visible.mask.sum()
        return Reconstruction(loss, prediction, visible)

    def patchify(self, images: Tensor) -> Tensor:
        """Cut ``(B, C, T, H, W)`` into patches ``(B, N, P x P x C)`` with the band last."""
        patch = self.config.patch
        cut = images.unflatten(4, (-1, patch)).unflatten(3, (-1, patch))
        # (B, C, T, rows, P, cols, P) -> (B, T, rows, cols, P, P, C)
        return cut.permute(0, 2, 3, 5, 4, 6, 1).flatten(4).flatten(1, 3)

    def unpatchify(self, patches: Tensor, grid: tuple[int, int, int]) -> Tensor:
        """Undo ``patchify`` for a grid of frames, rows and columns."""
        patch = self.config.patch
        cut = patches.unflatten(2, (patch, patch, -1)).unflatten(1, grid)
        # (B, T, rows, cols, P, P, C) -> (B, C, T, rows, P, cols, P)
        return cut.permute(0, 6, 1, 2, 4, 3, 5).flatten(5).flatten(3, 4)


def _choose(tokens: Tensor, numbers: Tensor) -> Tensor:
    """Take the tokens with these ``numbers`` (B, K) from ``(B, N, D)``: ``(B, K, D)``."""
    return tokens.gather(1, numbers[:, :, None].expand(-1, -1, tokens.shape[2]))
