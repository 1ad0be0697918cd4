"""The HyperKD student: a masked autoencoder for hyperspectral images.

Paper: HyperKD, arXiv 2508.09453. Masked autoencoders: He et al., arXiv 2111.06377.

The paper's: a ViT masked autoencoder over tiles of 224 x 224 px with 218 EnMAP bands.
Ours, because we do not know what the paper took or because students must be trainable
on a laptop:

- three quarters of the tokens are hidden, as in masked autoencoders and in Prithvi;
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

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperkd.models.nets.encoder import (
    FAR,
    Block,
    Convolution,
    Encoder,
    distances,
    initialise,
    positions,
    token_places,
)
from hyperkd.models.sizes import StudentConfig


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
        nn.init.eye_(self.maps.weight)  # the plain mean around a token

    def forward(self, tokens: Tensor, places: Tensor, hidden: Tensor, empty: Tensor) -> Tensor:
        """Interpolate ``tokens`` (..., V, D), which lie at ``places`` (..., V, 2), at ``hidden``.

        Returns:
            ``(..., M, D)`` for ``hidden`` (..., M, 2); leading axes are broadcast. Tokens
            whose ``empty`` (..., V) is 1 do not count.
        """
        points = hidden[..., None, :, :] + self.steps[:, None]  # (..., 5, M, 2)
        apart = points[..., None, :] - places[..., None, None, :, :]  # (..., 5, M, V, 2)
        apart = apart.square().sum(-1).sqrt() + FAR * empty[..., None, None, :]
        weight = torch.softmax(-self.falloff * apart, -1)
        weight = weight.transpose(-3, -2).flatten(-2)  # (..., M, 5 V)
        mapped = self.maps(tokens).unflatten(-1, (len(self.steps), -1))  # (..., V, 5, D)
        mixed: Tensor = weight.to(mapped.dtype) @ mapped.transpose(-3, -2).flatten(-3, -2)
        return mixed


class Student(Encoder):
    """Encoder and decoder; pixels are reflectance (0 to 1) on the student's band grid.

    Args:
        mean: ``(C,)`` reflectance that normalisation subtracts.
        std: ``(C,)`` reflectance that normalisation divides by.
    """

    def __init__(self, config: StudentConfig, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(config, mean, std)
        self.bridge = nn.Linear(config.dim, config.decoder_dim)
        self.mask_token = nn.Parameter(torch.zeros(config.decoder_dim))
        self.decoder_blocks = nn.ModuleList(
            Block(config.decoder_dim, config.decoder_heads) for _ in range(config.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(config.decoder_dim, eps=1e-6)
        self.unpatch = nn.Linear(config.decoder_dim, config.patch**2 * config.rank)
        self.spectra = Convolution(config.rank, config.bands, 1)
        for part in (self.bridge, self.decoder_blocks, self.unpatch, self.spectra):
            part.apply(initialise)
        self.surroundings = Surroundings(config.decoder_dim)

    def folded_spectra(self) -> tuple[Tensor, Tensor]:
        """Weight ``(C, rank, 1, 1)`` and bias ``(C,)`` of the head for plain reflectance."""
        weight = self.spectra.weight * self.std[:, None, None, None]
        return weight, self.spectra.bias * self.std + self.mean

    def decode(self, tokens: Tensor, places: Tensor, empty: Tensor) -> Tensor:
        """Run the decoder over ``(B, N, decoder dim)`` tokens; see ``encode``."""
        distance = distances(places, empty)
        tokens = tokens + positions(places, self.config.decoder_dim).to(tokens.dtype)
        for block in self.decoder_blocks:
            tokens = block(tokens, distance)
        decoded: Tensor = self.decoder_norm(tokens)
        return decoded

    def reconstruct(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Predict every pixel from its surroundings only: ``(B, C, H, W)`` reflectance.

        Four passes lie side by side on the batch axis. Pass k sees one token of each
        block of 2 x 2, the one at position k, so three quarters are hidden as in
        training; a token's prediction is the mean over the three passes in which it
        was hidden, or those of them that saw a valid pixel. A grid with an odd number
        of tokens gets a row or column without a valid pixel next to it.
        """
        embedded = self.embed(pixels, valid)
        height, width = embedded.shape[2:]
        extra = (0, width % 2, 0, height % 2)
        embedded = functional.pad(embedded, extra)
        rows, cols = embedded.shape[2:]
        places = token_places(rows, cols, embedded.device).permute(2, 0, 1)[None]
        places = _split_blocks(places)  # (1, 4, N / 4, 2)
        visible = _split_blocks(embedded)  # (B, 4, N / 4, D)
        empty = functional.pad(self.empty(valid), extra, value=1.0)
        empty = _split_blocks(empty)[..., 0]  # (B, 4, N / 4)
        nothing = empty.amin(2)  # (B, 4)
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

        # The head is linear, so the mean over passes is taken before it. A pass that saw
        # no valid pixel has nothing to say.
        share = ~is_visible * (1 - nothing[..., None, None, None])
        mean = (decoded * (share / share.sum(1, keepdim=True).clamp(min=1))).sum(1)
        mean = mean.unflatten(1, (rows // 2, cols // 2)).unflatten(3, (2, 2))
        tokens = mean.permute(0, 1, 3, 2, 4, 5).flatten(1, 2).flatten(2, 3)[:, :height, :width]
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
