"""The encoder of a student: pixels with many bands become tokens.

Shapes: B tiles, C bands, S stem channels, D width, N = rows x cols tokens,
P the patch size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperkd.models.nets.patch_embedding import embed_patches
from hyperkd.models.sizes import StudentConfig

# Tokens. Softmax gives exactly 0 at this distance even where attention falls off least,
# and stays defined where all tokens of a tile are that far.
FAR: Final = 1e4


class Convolution(nn.Conv2d):
    """A convolution that always has a bias."""

    bias: nn.Parameter


class Block(nn.Module):
    """A pre-norm transformer block: attention, then a two-layer perceptron."""

    falloff: Tensor

    def __init__(self, dim: int, heads: int, ratio: int = 4) -> None:
        super().__init__()
        self.heads = heads
        # From heads that see the nearest tokens alone to heads that see the whole tile.
        falloff = torch.logspace(1, -4, heads, base=2)[:, None, None]
        self.register_buffer("falloff", falloff, persistent=False)
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.expand = nn.Linear(dim, ratio * dim)
        self.contract = nn.Linear(ratio * dim, dim)

    def forward(self, tokens: Tensor, distance: Tensor) -> Tensor:
        """Map ``(B, N, D)``, whose ``distance`` is ``(B or 1, 1, N, N)``, to ``(B, N, D)``."""
        batch, count, dim = tokens.shape
        qkv = self.qkv(self.norm1(tokens))
        qkv = qkv.reshape(batch, count, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, D / heads)
        bias = (-self.falloff * distance).to(query.dtype)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.projection(mixed.transpose(1, 2).reshape(batch, count, dim))
        hidden = functional.gelu(self.expand(self.norm2(tokens)))
        return tokens + self.contract(hidden)


class Encoder(nn.Module):
    """Spectral stem, patch embedding and transformer; pixels are reflectance (0 to 1).

    Args:
        config: the sizes; those of the decoder are not looked at.
        mean: ``(C,)`` reflectance that normalisation subtracts.
        std: ``(C,)`` reflectance that normalisation divides by.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: StudentConfig, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.as_tensor(std, dtype=torch.float32))
        if not self.mean.shape == self.std.shape == (config.bands,):
            raise ValueError(
                f"mean {tuple(self.mean.shape)} and std {tuple(self.std.shape)} "
                f"for {config.bands} bands"
            )
        self.stem = Convolution(config.bands, config.stem, 1)
        self.patches = nn.Conv2d(config.stem, config.dim, config.patch, config.patch)
        self.blocks = nn.ModuleList(Block(config.dim, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.apply(initialise)

    def encoder(self) -> Encoder:
        """Return an encoder made of the same parts, without what a subclass adds."""
        with torch.device("meta"):  # no weights of its own
            encoder = Encoder(self.config, [0.0] * self.config.bands, [1.0] * self.config.bands)
        for name in ("mean", "std", "stem", "patches", "blocks", "norm"):
            setattr(encoder, name, getattr(self, name))
        return encoder.train(self.training)

    def embed(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Turn pixels into tokens without positions.

        Normalisation is linear, so it is applied to the stem's weights rather
        than to the pixels: 64 x 218 numbers instead of every pixel.

        Args:
            pixels: ``(B, C, H, W)`` reflectance.
            valid: ``(B, 1, H, W)``, 1 where the pixel carries a spectrum, else 0.

        Returns:
            ``(B, D, H / P, W / P)``; an invalid pixel adds exactly nothing.

        Raises:
            ValueError: where H or W is not a multiple of P.
        """
        height, width = pixels.shape[2:]
        patch = self.config.patch
        # The convolution would drop the rest without a word.
        if height % patch or width % patch:
            raise ValueError(f"{height} x {width} pixels do not divide into patches of {patch}")
        stem = functional.conv2d(pixels, *self.folded_stem()) * valid
        return embed_patches(self.patches, functional.gelu(stem))

    def empty(self, valid: Tensor) -> Tensor:
        """Return ``(B, 1, rows, cols)``, 1 where no pixel of a token is valid, else 0."""
        return 1 - functional.max_pool2d(valid, self.config.patch)

    def folded_stem(self) -> tuple[Tensor, Tensor]:
        """Weight ``(S, C, 1, 1)`` and bias ``(S,)`` of the stem for plain reflectance."""
        return self.folded(self.stem)

    def folded(self, layer: Convolution) -> tuple[Tensor, Tensor]:
        """Weight and bias with which a 1 x 1 ``layer`` takes reflectance as it is."""
        weight = layer.weight / self.std[:, None, None]
        return weight, layer.bias - (weight * self.mean[:, None, None]).sum((1, 2, 3))

    def encode(self, tokens: Tensor, places: Tensor, empty: Tensor) -> Tensor:
        """Run the encoder over ``(B, V, D)`` tokens that lie at ``places`` (B or 1, V, 2).

        Nobody looks at a token whose ``empty`` (B, V) is 1: none of its pixels is valid.
        """
        distance = distances(places, empty)
        tokens = tokens + positions(places, self.config.dim).to(tokens.dtype)
        for block in self.blocks:
            tokens = block(tokens, distance)
        encoded: Tensor = self.norm(tokens)
        return encoded

    def tokens(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Encode whole tiles, nothing masked: ``(B, D, rows, cols)``."""
        embedded = self.embed(pixels, valid)
        rows, cols = embedded.shape[2:]
        places = token_places(rows, cols, embedded.device).flatten(0, 1)[None]
        empty = self.empty(valid).flatten(1)
        tokens = self.encode(embedded.flatten(2).transpose(1, 2), places, empty)
        return tokens.transpose(1, 2).unflatten(2, (rows, cols))

    def embedding(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Return the tokens brought back to pixels bilinearly: ``(B, D, H, W)``."""
        return functional.interpolate(
            self.tokens(pixels, valid),
            scale_factor=float(self.config.patch),
            mode="bilinear",
            align_corners=False,
        )

    def normalise(self, reflectance: Tensor) -> Tensor:
        """Bring reflectance ``(..., C)`` to zero mean and unit variance per band."""
        return (reflectance - self.mean) / self.std

    def normalise_image(self, reflectance: Tensor) -> Tensor:
        """Do the same with reflectance ``(B, C, H, W)``."""
        return (reflectance - self.mean[:, None, None]) / self.std[:, None, None]


def token_places(rows: int, cols: int, device: torch.device) -> Tensor:
    """Return row and column of each token of a grid, ``(rows, cols, 2)`` float32."""
    row = torch.arange(rows, dtype=torch.float32, device=device)
    col = torch.arange(cols, dtype=torch.float32, device=device)
    return torch.stack((row[:, None].expand(-1, cols), col[None].expand(rows, -1)), 2)


def positions(places: Tensor, dim: int) -> Tensor:
    """Return sine-cosine positions ``(..., dim)`` of ``places`` (..., 2).

    Half describes the row, half the column. They are computed for the places
    at hand, so a student runs on tiles of any size.
    """
    exponent = torch.arange(dim // 4, dtype=torch.float32, device=places.device) / (dim // 4)
    angle = places[..., None] * torch.pow(10000.0, -exponent)
    return torch.cat((angle.sin(), angle.cos()), -1).flatten(-2)


def distances(places: Tensor, empty: Tensor) -> Tensor:
    """Return how far tokens lie from each other, in tokens: ``(B, 1, N, N)`` of ``(B, N, 2)``.

    To a token whose ``empty`` (B, N) is 1 it is too far for any attention.
    """
    apart = places[:, :, None] - places[:, None]
    return (apart.square().sum(-1).sqrt() + FAR * empty[:, None])[:, None]


def initialise(module: nn.Module) -> None:
    """Xavier weights and zero biases, as in masked autoencoders; norms start as identity.

    Residual branches start at zero, so that a deep student begins as a shallow one.
    """
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.xavier_uniform_(module.weight.flatten(1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, Block):
        nn.init.zeros_(module.projection.weight)
        nn.init.zeros_(module.contract.weight)
