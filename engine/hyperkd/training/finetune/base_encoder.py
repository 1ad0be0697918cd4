"""The encoder that a fine-tuning starts from: a trained student's, or a new one."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Optional

import numpy as np
import torch

from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import read_card
from hyperkd.models.card import ModelCard
from hyperkd.models.nets.encoder import Encoder
from hyperkd.models.sizes import SCRATCH, preset
from hyperkd.models.store.registry import resolve
from hyperkd.raster.source import RasterSource
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.training.common.checkpoint import architecture, load_checkpoint
from hyperkd.training.finetune.labelled_pixels import SplitPixels, TileReader
from hyperkd.training.teacher.prithvi_features import file_checksum
from hyperkd.types import Reporter

_CHECKPOINT: Final = ".safetensors"
_LEAST_STD: Final = 1e-3  # reflectance; a constant band must not be blown up to noise


@dataclass(frozen=True, eq=False)
class BaseEncoder:
    """An encoder and where it comes from.

    Attributes:
        encoder: in evaluation mode.
        card: of the student that it comes from, or of a new one: bands, normalisation, tile.
        preset: name of its sizes.
        checksum: of the student's file, None for a new one.
    """

    encoder: Encoder
    card: ModelCard
    preset: str
    checksum: Optional[str]

    @property
    def receptive_field_px(self) -> int:
        """Side of the square of input that can change one token.

        All tokens of a tile meet in the blocks. The card of a fine-tuned model holds the
        receptive field of its head instead, which may be a single pixel.
        """
        return self.card.tile_px


def load_base(name: str) -> BaseEncoder:
    """Load the encoder of a student, or of a model that was fine-tuned before.

    Args:
        name: of a shipped or stored student, or the path of its checkpoint or of the
            ``.onnx`` file beside it.

    Raises:
        HyperKDError: ``bad_model`` where there is no such student, or only its ONNX file,
            which cannot be trained; and as ``load_checkpoint``.
    """
    path = checkpoint_of(resolve(name))
    model, card = load_checkpoint(path)
    encoder = model if isinstance(model, Encoder) else model.student
    sizes = str(card.architecture.get("preset"))
    return BaseEncoder(encoder.encoder().eval(), card, sizes, file_checksum(path))


def checkpoint_of(path: Path) -> Path:
    """Return the checkpoint of a model's file.

    Raises:
        HyperKDError: ``bad_model`` where there is none, or the one beside it is that of
            another network; and as ``read_card``.
    """
    if path.suffix.lower() == _CHECKPOINT:
        return path
    beside = path.with_suffix(_CHECKPOINT)
    if not beside.is_file():
        raise HyperKDError(
            "bad_model",
            f"{path.name} cannot be trained: an .onnx file holds a network for inference only.",
            f"Put its checkpoint {beside.name} beside it, or give the checkpoint itself.",
        )
    differing = _differences(read_card(path), read_card(beside))
    if differing:
        raise HyperKDError(
            "bad_model",
            f"{beside.name} is not the checkpoint of {path.name}: their cards differ in "
            f"{', '.join(differing)}.",
            "Put the model's own checkpoint beside it, or give the checkpoint that you mean.",
        )
    return beside


def _differences(first: ModelCard, second: ModelCard) -> list[str]:
    """Return the keys in which two cards differ; each export has its own self-test."""
    one, other = (json.loads(card.to_json()) for card in (first, second))
    return [name for name in one if name != "self_test" and one[name] != other.get(name)]


def new_base(
    sizes: str, sources: Sequence[RasterSource], pixels: SplitPixels, seed: int, report: Reporter
) -> BaseEncoder:
    """Make an encoder with random weights, for spectra like those around the labels.

    Raises:
        HyperKDError: ``band_mismatch`` where a scene does not cover EnMAP's bands.
    """
    config = preset(sizes, None)
    bands = canonical_bands()
    plain = ModelCard(
        name=SCRATCH,
        task="pretrain",
        bands=bands,
        mean=(0.0,) * len(bands),
        std=(1.0,) * len(bands),
        patch_px=config.patch,
        tile_px=config.tile,
        receptive_field_px=config.tile,
        embedding_dim=config.dim,
        licence="",
        created=datetime.date.today().isoformat(),
        architecture=architecture(sizes, config),
    )
    report.stage("Computing scene statistics")
    count, total, squares = 0, np.zeros(len(bands)), np.zeros(len(bands))
    for tile in TileReader(sources, pixels, plain).read(report):
        height, width = tile.window.height, tile.window.width
        usable = tile.valid[:height, :width]
        spectra = tile.pixels[:, :height, :width][:, usable].astype(np.float64)
        count += spectra.shape[1]
        total += spectra.sum(1)
        squares += np.square(spectra).sum(1)
    mean = total / count
    std = np.maximum(np.sqrt(np.maximum(squares / count - mean**2, 0)), _LEAST_STD)
    card = dataclasses.replace(plain, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    encoder = Encoder(config, card.mean, card.std).eval()
    torch.random.set_rng_state(state)
    return BaseEncoder(encoder, card, sizes, None)
