"""A frozen encoder's tokens at labelled pixels: each tile is encoded once, and kept."""

from __future__ import annotations

from typing import Final, Optional

import numpy as np
import torch

from hyperkd.models.nets.encoder import Encoder
from hyperkd.models.nets.heads import tokens_at_pixels
from hyperkd.training.common.augment import VIEWS, back_from_view, view_of
from hyperkd.training.finetune.labelled_pixels import (
    Float32Array,
    Gatherer,
    LabelledTile,
    Places,
    Spectra,
    TileReader,
)
from hyperkd.types import Reporter

# Tiles that are encoded at most, all views together: a minute of one core.
_MOST_ENCODED: Final = 2000
# Values of the kept tokens: 256 MiB, and as much again while they are standardised.
_MOST_KEPT: Final = 64 * 2**20


def gather(
    reader: TileReader,
    places: Places,
    encoder: Optional[Encoder],
    bands: int,
    hidden: Places,
    seed: int,
    report: Reporter,
    device: str = "cpu",
) -> Spectra:
    """Read what labelled pixels show, and encode their tiles.

    Args:
        reader: of the tiles.
        places: the labelled pixels.
        encoder: gives the tokens, or None where nobody looks at them.
        bands: C, of the student.
        hidden: pixels that must not enter the statistics of the scenes.
        seed: of the pixels of these statistics.
        report: progress, and whether to go on.
        device: where to encode.

    Raises:
        HyperKDError: ``cancelled``, and what reading raises.
    """
    gatherer = Gatherer(places, bands, len(reader), hidden, np.random.default_rng((seed, 0x6A)))
    tokens: Optional[Float32Array] = None
    if encoder is not None:
        dim = encoder.config.dim
        views = max(1, min(VIEWS, _MOST_ENCODED // max(1, len(reader))))
        views = max(1, min(views, _MOST_KEPT // max(1, len(places) * dim)))
        tokens = np.zeros((len(places), views, dim), np.float32)
        encoder = encoder.to(device)
    for tile in reader.read(report):
        gatherer.add(tile)
        if encoder is not None and tokens is not None:
            for view in range(tokens.shape[1]):
                report.check_cancelled()
                tokens[tile.index, view] = tokens_of(encoder, tile, view)
    if encoder is not None:
        encoder.to("cpu")
    return gatherer.result(tokens)


@torch.no_grad()
def tokens_of(encoder: Encoder, tile: LabelledTile, view: int) -> Float32Array:
    """Return the tokens at the labelled pixels of a tile, seen in a view: ``(k, D)``."""
    device = encoder.mean.device
    std, mean = (value[:, None, None] for value in (encoder.std, encoder.mean))
    turned = torch.from_numpy(np.ascontiguousarray(view_of(tile.pixels, view))).to(device)
    valid = torch.from_numpy(np.float32(view_of(tile.valid, view))).to(device)[None, None]
    tokens = encoder.tokens((turned * std + mean)[None], valid)
    pixels = tokens_at_pixels(tokens, valid, encoder.config.patch)[0].cpu().numpy()
    found: Float32Array = back_from_view(pixels, view)[:, tile.row, tile.col].T
    return found
