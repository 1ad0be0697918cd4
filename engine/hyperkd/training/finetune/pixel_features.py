"""Features of labelled pixels: spectra, what surrounds them, and what fixed networks make of both.

Each tile is encoded once in each view; its tokens are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Optional

import numpy as np
import torch

from hyperkd.models.nets.encoder import Encoder
from hyperkd.models.nets.heads import tokens_at_pixels
from hyperkd.raster.source import RasterSource
from hyperkd.training.common.augment import VIEWS, back_from_view, view_of
from hyperkd.training.finetune.base_encoder import BaseEncoder
from hyperkd.training.finetune.labelled_pixels import LabelledTile, SplitPixels, TileReader
from hyperkd.training.finetune.physics_network import PhysicsNetwork
from hyperkd.types import BoolArray, Float32Array, Ints, Reporter

_NEIGHBOURS: Final = 3  # side of the square around a pixel
# Spectra and differences of neighbours that are kept for the statistics of the scenes.
_SPECTRA: Final = 20_000
# Encoded tiles at most, all views together: a minute of one core.
_MOST_ENCODED: Final = 2000
# Values of the kept tokens: 256 MiB, and as much again while they are standardised.
_MOST_KEPT: Final = 64 * 2**20


@dataclass(frozen=True, eq=False)
class PixelFeatures:
    """Features of n labelled pixels; all spectra are normalised reflectance.

    Attributes:
        spectra: ``(n, C)`` float32.
        difference: ``(n, C)`` float32, the neighbourhood difference: the mean over the valid
            neighbours and the pixel, less the pixel.
        tokens: ``(n, V, D)`` of V views of the tile, the first as it is; None without.
        scene: ``(m, C)`` spectra of the scenes, labelled or not, without test pixels.
        steps: ``(m, C)`` differences of such neighbours.
        physics: ``(n, F)`` fractions of covers by a fixed network; None without.
    """

    spectra: Float32Array
    difference: Float32Array
    tokens: Optional[Float32Array]
    scene: Float32Array
    steps: Float32Array
    physics: Optional[Float32Array] = None

    def take(self, chosen: BoolArray) -> PixelFeatures:
        """Return those of some of the labelled pixels."""
        return replace(
            self,
            spectra=self.spectra[chosen],
            difference=self.difference[chosen],
            tokens=None if self.tokens is None else self.tokens[chosen],
            physics=None if self.physics is None else self.physics[chosen],
        )


def read_features(
    sources: Sequence[RasterSource],
    pixels: SplitPixels,
    test: SplitPixels,
    base: BaseEncoder,
    seed: int,
    device: str,
    report: Reporter,
    physics: Optional[PhysicsNetwork] = None,
) -> PixelFeatures:
    """Read the features of labelled pixels.

    Args:
        pixels: n labelled pixels.
        test: pixels that must not enter the statistics of the scenes.
        base: gives the tokens.
        seed: of the pixels of the statistics.
        physics: gives fractions of single spectra.

    Raises:
        HyperKDError: ``band_mismatch`` where a scene does not cover the student's bands;
            ``cancelled``, and what reading raises.
    """
    reader, encoder = TileReader(sources, pixels, base.card), base.encoder
    count, dim = len(pixels), encoder.config.dim
    generator = np.random.default_rng((seed, 0x6A))
    collector = _Collector(count, encoder.config.bands, len(reader), test, generator)
    views = max(1, min(VIEWS, _MOST_ENCODED // max(1, len(reader))))
    views = max(1, min(views, _MOST_KEPT // max(1, count * dim)))
    tokens: Float32Array = np.zeros((count, views, dim), np.float32)
    encoder = encoder.to(device)
    for tile in reader.read(report):
        collector.add(tile)
        for view in range(views):
            report.check_cancelled()
            tokens[tile.index, view] = tokens_of(encoder, tile, view)
    encoder.to("cpu")
    found = collector.result(tokens)
    if physics is None:
        return found
    std, mean = (np.asarray(each, np.float32) for each in (base.card.std, base.card.mean))
    return replace(found, physics=physics.of(found.spectra * std + mean))


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


class _Collector:
    """Collects spectra tile by tile.

    Args:
        count: n, labelled pixels.
        bands: C.
        tiles: number of tiles.
        test: pixels that must not enter the statistics of the scenes.
        generator: draws the pixels of these statistics.
    """

    def __init__(
        self,
        count: int,
        bands: int,
        tiles: int,
        test: SplitPixels,
        generator: np.random.Generator,
    ) -> None:
        self.spectra: Float32Array = np.zeros((count, bands), np.float32)
        self.difference = np.zeros_like(self.spectra)
        self._test = test
        self._generator = generator
        self._each = -(-_SPECTRA // max(1, tiles))
        self._scene: list[Float32Array] = []
        self._steps: list[Float32Array] = []

    def add(self, tile: LabelledTile) -> None:
        """Take the labelled pixels of a tile, and some of its other pixels."""
        self.spectra[tile.index] = tile.pixels[:, tile.row, tile.col].T
        self.difference[tile.index] = _difference(tile)
        window, test = tile.window, self._test
        pixels = tile.pixels[:, : window.height, : window.width]
        usable = tile.valid[: window.height, : window.width].copy()
        row, col = test.row - window.row, test.col - window.col
        here = (test.scene == tile.scene) & (row >= 0) & (row < window.height)
        here &= (col >= 0) & (col < window.width)
        usable[row[here], col[here]] = False
        rows, cols = self._some(np.nonzero(usable))
        self._scene.append(pixels[:, rows, cols].T)
        for down, right in ((0, 1), (1, 0)):
            both = usable[down:, right:]
            both = both & usable[: window.height - down, : window.width - right]
            rows, cols = self._some(np.nonzero(both))
            self._steps.append((pixels[:, rows + down, cols + right] - pixels[:, rows, cols]).T)

    def _some(self, places: tuple[Ints, ...]) -> tuple[Ints, ...]:
        count = places[0].size
        if count <= self._each:
            return places
        chosen = np.sort(self._generator.choice(count, self._each, replace=False))
        return tuple(axis[chosen] for axis in places)

    def result(self, tokens: Optional[Float32Array]) -> PixelFeatures:
        """Return what was collected."""
        return PixelFeatures(
            self.spectra,
            self.difference,
            tokens,
            np.concatenate(self._scene),
            np.concatenate(self._steps),
        )


def _difference(tile: LabelledTile) -> Float32Array:
    """Return ``(k, C)``: the mean over each pixel's valid neighbours and itself, less itself."""
    margin = _NEIGHBOURS // 2
    pixels = np.pad(tile.pixels, [(0, 0), (margin, margin), (margin, margin)])
    valid = np.pad(tile.valid, margin).astype(np.float32)
    total = np.zeros((len(tile.index), len(pixels)), np.float32)
    count = np.zeros((len(tile.index), 1), np.float32)
    for down in range(_NEIGHBOURS):
        for right in range(_NEIGHBOURS):
            total += pixels[:, tile.row + down, tile.col + right].T
            count += valid[tile.row + down, tile.col + right][:, None]
    difference: Float32Array = total / count - tile.pixels[:, tile.row, tile.col].T
    return difference
