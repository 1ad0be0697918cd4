"""The HyperKD student: a masked autoencoder for hyperspectral images.

Paper: HyperKD, arXiv 2508.09453. Masked autoencoders: He et al., arXiv 2111.06377.

The paper's: a ViT masked autoencoder over 218 EnMAP bands, mask ratio 0.75.
Ours, because the paper leaves it open or because students must be trainable on
a laptop:

- the spectral stem, a 1 x 1 convolution from bands to a few channels before the
  patch embedding, and its mirror in the head: 218 bands do not own half of the weights;
- attention that falls off with distance (Press et al., arXiv 2108.12409, here in
  two dimensions), so that a student need not find out what is near;
- hidden tokens that start from the visible ones around them, not from one mask
  token alone: the decoder refines an interpolation instead of inventing it;
- sine-cosine positions, the small patches, the presets' sizes, and the zeroing of
  invalid pixels right after the stem.

Shapes: B tiles, C bands, S stem channels, D width, N = rows x cols tokens,
V visible tokens, P the patch size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class StudentConfig:
    """Sizes of a student.

    Attributes:
        bands: C, spectral bands of its input and reconstruction.
        patch: P, side of one token's square in pixels.
        stem: S, channels of the spectral stem.
        dim, depth, heads: width, blocks and attention heads of the encoder.
        decoder_dim, decoder_depth, decoder_heads: the same of the decoder.
        rank: channels from which the head makes spectra.
        tile: side of the training tile in pixels.
    """

    bands: int
    patch: int
    stem: int
    dim: int
    depth: int
    heads: int
    decoder_dim: int
    decoder_depth: int
    decoder_heads: int
    rank: int
    tile: int

    def to_dict(self) -> dict[str, Any]:
        """Return the sizes as JSON-serialisable values, for the card."""
        return asdict(self)


CANONICAL_BANDS: Final = 218

# Tokens. Softmax gives exactly 0 at this distance even where attention falls off least,
# and stays defined where all tokens of a tile are that far.
_FAR: Final = 1e4

PRESETS: Final[Mapping[str, StudentConfig]] = {
    # bands, patch, stem, dim, depth, heads, decoder dim, depth, heads, rank, tile
    "tiny": StudentConfig(CANONICAL_BANDS, 4, 64, 128, 4, 4, 96, 2, 4, 32, 64),
    "small": StudentConfig(CANONICAL_BANDS, 8, 96, 384, 12, 6, 192, 4, 6, 48, 128),
    "base": StudentConfig(CANONICAL_BANDS, 8, 128, 768, 12, 12, 384, 4, 12, 64, 128),
}


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


class Surroundings(nn.Module):
    """Interpolates hidden tokens from visible ones, wherever those lie.

    Weights fall off with the distance from five points: the hidden token's own
    place and the places one token above, below, left and right of it. Each
    point has its own linear map, so the result knows on which side a visible
    token lies: a convolution for tokens that lie anywhere.
    """

    steps: Tensor

    def __init__(self, dim: int, falloff: float = 2.0) -> None:
        super().__init__()
        self.falloff = falloff
        steps = torch.tensor([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        self.register_buffer("steps", steps, persistent=False)
        self.maps = nn.Linear(dim, len(steps) * dim, bias=False)

    def forward(self, tokens: Tensor, places: Tensor, hidden: Tensor, empty: Tensor) -> Tensor:
        """Interpolate ``tokens`` (..., V, D), which lie at ``places`` (..., V, 2), at ``hidden``.

        Returns:
            ``(..., M, D)`` for ``hidden`` (..., M, 2); leading axes are broadcast. Tokens
            whose ``empty`` (..., V) is 1 do not count.
        """
        points = hidden[..., None, :, :] + self.steps[:, None]  # (..., 5, M, 2)
        apart = points[..., None, :] - places[..., None, None, :, :]  # (..., 5, M, V, 2)
        apart = apart.square().sum(-1).sqrt() + _FAR * empty[..., None, None, :]
        weight = torch.softmax(-self.falloff * apart, -1)
        weight = weight.transpose(-3, -2).flatten(-2)  # (..., M, 5 V)
        mapped = self.maps(tokens).unflatten(-1, (len(self.steps), -1))  # (..., V, 5, D)
        mixed: Tensor = weight.to(mapped.dtype) @ mapped.transpose(-3, -2).flatten(-3, -2)
        return mixed


class Student(nn.Module):
    """Encoder and decoder; pixels are reflectance (0 to 1) on the student's band grid.

    Args:
        config: the sizes.
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
        area = config.patch**2
        self.stem = Convolution(config.bands, config.stem, 1)
        self.patches = nn.Conv2d(config.stem, config.dim, config.patch, config.patch)
        self.blocks = nn.ModuleList(Block(config.dim, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)

        self.bridge = nn.Linear(config.dim, config.decoder_dim)
        self.mask_token = nn.Parameter(torch.zeros(config.decoder_dim))
        self.surroundings = Surroundings(config.decoder_dim)
        self.decoder_blocks = nn.ModuleList(
            Block(config.decoder_dim, config.decoder_heads) for _ in range(config.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(config.decoder_dim, eps=1e-6)
        self.unpatch = nn.Linear(config.decoder_dim, area * config.rank)
        self.spectra = Convolution(config.rank, config.bands, 1)
        self.apply(_initialise)

    def embed(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Turn pixels into tokens without positions.

        Normalisation is linear, so it is applied to the stem's weights rather
        than to the pixels: 64 x 218 numbers instead of every pixel.

        Args:
            pixels: ``(B, C, H, W)`` reflectance.
            valid: ``(B, 1, H, W)``, 1 where the pixel carries a spectrum, else 0.

        Returns:
            ``(B, D, H / P, W / P)``; an invalid pixel adds exactly nothing.
        """
        stem = functional.conv2d(pixels, *self.folded_stem()) * valid
        tokens: Tensor = self.patches(functional.gelu(stem))
        return tokens

    def empty(self, valid: Tensor) -> Tensor:
        """Return ``(B, 1, rows, cols)``, 1 where no pixel of a token is valid, else 0."""
        return 1 - functional.max_pool2d(valid, self.config.patch)

    def folded_stem(self) -> tuple[Tensor, Tensor]:
        """Weight ``(S, C, 1, 1)`` and bias ``(S,)`` of the stem for plain reflectance."""
        weight = self.stem.weight / self.std[:, None, None]
        bias = self.stem.bias - (weight * self.mean[:, None, None]).sum((1, 2, 3))
        return weight, bias

    def folded_spectra(self) -> tuple[Tensor, Tensor]:
        """Weight ``(C, rank, 1, 1)`` and bias ``(C,)`` of the head for plain reflectance."""
        weight = self.spectra.weight * self.std[:, None, None, None]
        return weight, self.spectra.bias * self.std + self.mean

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

    def decode(self, tokens: Tensor, places: Tensor, empty: Tensor) -> Tensor:
        """Run the decoder over ``(B, N, decoder dim)`` tokens; see ``encode``."""
        distance = distances(places, empty)
        tokens = tokens + positions(places, self.config.decoder_dim).to(tokens.dtype)
        for block in self.decoder_blocks:
            tokens = block(tokens, distance)
        decoded: Tensor = self.decoder_norm(tokens)
        return decoded

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

    def reconstruct(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Predict every pixel from its surroundings only: ``(B, C, H, W)`` reflectance.

        Four passes lie side by side on the batch axis. Pass k sees one token
        of each block of 2 x 2, the one at position k, so three quarters are
        hidden as in training; a token's prediction is the mean over the three
        passes in which it was hidden. H and W are multiples of 2 P.
        """
        embedded = self.embed(pixels, valid)
        rows, cols = embedded.shape[2:]
        places = token_places(rows, cols, embedded.device).permute(2, 0, 1)[None]
        places = _split_blocks(places)  # (1, 4, N / 4, 2)
        visible = _split_blocks(embedded)  # (B, 4, N / 4, D)
        empty = _split_blocks(self.empty(valid))[..., 0]  # (B, 4, N / 4)
        each = places.expand(visible.shape[0], -1, -1, -1).flatten(0, 1)
        encoded = self.encode(visible.flatten(0, 1), each, empty.flatten(0, 1))
        encoded = self.bridge(encoded).unflatten(0, (-1, 4))

        # Tokens sorted by block, then by position in the block: (B, pass, N / 4, 4, decoder dim)
        every = places.transpose(1, 2).flatten(1, 2)  # (1, N, 2)
        hidden = self.surroundings(encoded, places, every[:, None], empty) + self.mask_token
        is_visible = torch.eye(4, dtype=torch.bool, device=pixels.device)[:, None, :, None]
        tokens = torch.where(is_visible, encoded[:, :, :, None], hidden.unflatten(2, (-1, 4)))
        empty = (empty[..., None] * is_visible[..., 0]).flatten(0, 1).flatten(1)
        decoded = self.decode(tokens.flatten(0, 1).flatten(1, 2), every, empty)
        decoded = decoded.unflatten(0, (-1, 4)).unflatten(2, (-1, 4))

        # The head is linear, so the mean over passes is taken before it.
        share = (~is_visible) / 3.0
        mean = (decoded * share).sum(1)  # (B, N / 4, 4, decoder dim)
        mean = mean.unflatten(1, (rows // 2, cols // 2)).unflatten(3, (2, 2))
        tokens = mean.permute(0, 1, 3, 2, 4, 5).flatten(1, 2).flatten(2, 3)
        return functional.conv2d(self._pixels(tokens), *self.folded_spectra())

    def _pixels(self, tokens: Tensor) -> Tensor:
        """Turn ``(B, rows, cols, decoder dim)`` into ``(B, rank, H, W)``."""
        patch = self.config.patch
        values = self.unpatch(tokens).unflatten(3, (patch, patch, self.config.rank))
        values = values.permute(0, 5, 1, 3, 2, 4)  # (B, rank, rows, P, cols, P)
        return values.flatten(4, 5).flatten(2, 3)

    def predict_hidden(
        self, patches: Tensor, valid: Tensor, order: Tensor, grid: tuple[int, int]
    ) -> Tensor:
        """Predict the hidden patches from the visible ones; only those pass the encoder.

        Args:
            patches: ``(B, V, P, P, C)`` *normalised* reflectance (see ``normalise``) of
                the visible patches. Here the pixels are normalised and not the weights,
                because bfloat16 would lose the small difference of two large numbers.
            valid: ``(B, V, P, P, 1)``, 1 where the pixel carries a spectrum, else 0.
            order: ``(B, N)`` token numbers, the V visible ones first.
            grid: rows and columns of tokens, ``rows * cols = N``.

        Returns:
            ``(B, N - V, P, P, C)`` normalised reflectance of the hidden patches, in
            the order of ``order``.
        """
        config, count = self.config, patches.shape[1]
        stem = functional.linear(patches, self.stem.weight.flatten(1), self.stem.bias) * valid
        # The same convolution as in embed(), on patches already cut out.
        kernel = self.patches.weight.permute(0, 2, 3, 1).flatten(1)
        tokens = functional.linear(functional.gelu(stem).flatten(2), kernel, self.patches.bias)
        places = token_places(*grid, tokens.device).flatten(0, 1)[order]
        empty = 1 - valid.flatten(2).amax(2)  # (B, V)
        encoded = self.bridge(self.encode(tokens, places[:, :count], empty))

        hidden = self.surroundings(encoded, places[:, :count], places[:, count:], empty)
        hidden = hidden + self.mask_token
        empty = functional.pad(empty, (0, hidden.shape[1]))
        decoded = self.decode(torch.cat((encoded, hidden), 1), places, empty)[:, count:]
        values = self.unpatch(decoded).unflatten(2, (config.patch, config.patch, config.rank))
        return functional.linear(values, self.spectra.weight.flatten(1), self.spectra.bias)

    def normalise(self, reflectance: Tensor) -> Tensor:
        """Bring reflectance ``(..., C)`` to zero mean and unit variance per band."""
        return (reflectance - self.mean) / self.std


def take_patches(images: Tensor, order: Tensor, patch: int) -> Tensor:
    """Cut ``(B, H, W, C)`` into the patches named by ``order`` (B, K): ``(B, K, P, P, C)``.

    A token's number counts row by row.
    """
    grid = images.unflatten(2, (-1, patch)).unflatten(1, (-1, patch)).transpose(2, 3)
    tile, rows, cols = grid.shape[:3]  # (B, rows, cols, P, P, C)
    first = torch.arange(tile, device=images.device)[:, None] * (rows * cols)
    # One contiguous run per patch: then choosing patches is a plain memory copy.
    chosen = grid.flatten(3).flatten(0, 2).index_select(0, (order + first).flatten())
    return chosen.view(*order.shape, *grid.shape[3:])


def _split_blocks(grid: Tensor) -> Tensor:
    """Sort ``(B, D, rows, cols)`` into ``(B, 4, N / 4, D)`` by position in blocks of 2 x 2."""
    blocks = grid.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # (B, D, rows/2, 2, cols/2, 2)
    return blocks.permute(0, 3, 5, 2, 4, 1).flatten(3, 4).flatten(1, 2)


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
    return (apart.square().sum(-1).sqrt() + _FAR * empty[:, None])[:, None]


def _initialise(module: nn.Module) -> None:
    """Xavier weights and zero biases, as in masked autoencoders; norms start as identity.

    Residual branches start at zero, so that a deep student begins as a shallow
    one, and the surroundings as the plain mean around a token.
    """
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.xavier_uniform_(module.weight.flatten(1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, Block):
        nn.init.zeros_(module.projection.weight)
        nn.init.zeros_(module.contract.weight)
    if isinstance(module, Surroundings):
        nn.init.eye_(module.maps.weight)
