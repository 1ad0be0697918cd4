"""Small students, scenes and labels for tests of fine-tuning."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from numpy.typing import NDArray

from hyperkd.evaluation.splits.split_parts import Split
from hyperkd.models.card import ModelCard
from hyperkd.models.nets.student import Student
from hyperkd.models.sizes import StudentConfig
from hyperkd.raster.labels.read_labels import LabelClass, Labels, SceneLabels
from hyperkd.raster.memory import MemoryRaster
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.training.common.checkpoint import architecture, save_checkpoint
from hyperkd.training.finetune.labelled_pixels import SplitPixels, TileReader
from hyperkd.types import BandTable, Wavelengths
from tests.factories import WAVELENGTHS_NM

BANDS = len(WAVELENGTHS_NM)
CONFIG = StudentConfig(
    bands=BANDS, patch=2, stem=8, dim=16, depth=2, heads=2,
    decoder_dim=8, decoder_depth=1, decoder_heads=2, rank=3, tile=16,
)  # fmt: skip
MEAN, STD = (0.2,) * BANDS, (0.1,) * BANDS
CLASSES = tuple(LabelClass(name, name, f"#0000{i:02x}") for i, name in enumerate("abc"))


def student_card(**changes: Any) -> ModelCard:
    """The card of ``student``."""
    card = ModelCard(
        name="nano",
        task="pretrain",
        bands=Wavelengths(WAVELENGTHS_NM),
        mean=MEAN,
        std=STD,
        patch_px=CONFIG.patch,
        tile_px=CONFIG.tile,
        receptive_field_px=CONFIG.tile,
        embedding_dim=CONFIG.dim,
        licence="CC0-1.0",
        created="2025-01-31",
        architecture=architecture("nano", CONFIG),
    )
    return dataclasses.replace(card, **changes)


def student(seed: int = 0) -> Student:
    """A student with random weights, whose blocks do something."""
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    made = Student(CONFIG, MEAN, STD).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    torch.random.set_rng_state(state)
    return made


def save_student(folder: Path) -> str:
    """Write the student's checkpoint and return its path."""
    path = folder / "nano.safetensors"
    save_checkpoint(path, student(), student_card())
    return str(path)


def table(bands: int = BANDS) -> BandTable:
    """The bands of ``scene``: reflectance x 10000."""
    return BandTable(
        Wavelengths(WAVELENGTHS_NM[:bands]),
        np.ones(bands, bool),
        np.full(bands, 1e-4),
        np.zeros(bands),
        np.full(bands, -32768.0),
    )


def scene(reflectance: NDArray[Any], valid: Optional[NDArray[np.bool_]] = None) -> MemoryRaster:
    """A raster of ``(bands, rows, cols)`` reflectance."""
    stored = np.rint(reflectance * 1e4).astype(np.int16)
    if valid is not None:
        stored[:, ~valid] = -32768
    return MemoryRaster(stored, table(len(reflectance)))


def noisy(rows: int, cols: int, seed: int = 0) -> NDArray[Any]:
    """Smooth spectra with a little noise, ``(bands, rows, cols)`` reflectance."""
    generator = np.random.default_rng(seed)
    low = generator.uniform(0.1, 0.4, (BANDS, -(-rows // 4), -(-cols // 4)))
    smooth = low.repeat(4, 1).repeat(4, 2)[:, :rows, :cols]
    return smooth + generator.normal(0, 0.003, (BANDS, rows, cols))


def every_pixel(values: NDArray[Any], classes: tuple[LabelClass, ...] = CLASSES) -> Labels:
    """Labels of a whole scene: ``(rows, cols)`` class indices, or targets ``(T, rows, cols)``."""
    rows, cols = (axis.ravel() for axis in np.indices(values.shape[-2:]))
    group = (rows // 4) * (values.shape[-1] // 4 + 1) + cols // 4
    if values.ndim == 2:
        flat: NDArray[Any] = values.astype(np.int64).ravel()
        one = SceneLabels(rows, cols, flat, group)
        return Labels("classification", classes[: int(flat.max()) + 1], (), (one,))
    flat = values.reshape(len(values), -1).T.astype(np.float64)
    targets = tuple(f"t{number}" for number in range(len(values)))
    return Labels("regression", (), targets, (SceneLabels(rows, cols, flat, group),))


def split_at(labels: Labels, part: NDArray[Any]) -> Split:
    """A split of one scene by blocks of 4 pixels, with the parts given for each pixel."""
    return Split((part.astype(np.int8).ravel(),), "blocks", 0, 0, block_px=4)


def thirds(rows: int, cols: int) -> NDArray[np.int8]:
    """Parts in stripes of 8 columns: two of four are for training, one validates and one tests."""
    part = np.array([0, 1, 0, 2], np.int8)[(np.arange(cols) // 8) % 4]
    return np.broadcast_to(part, (rows, cols)).copy()


def request(student: str = "tiny", **options: Any) -> FinetuneJob:
    """The options of a fine-tuning on the CPU whose files nobody reads or writes."""
    files: dict[str, Any] = {"input": (), "labels": (), "output": "m.onnx", "device": "cpu"}
    return FinetuneJob(**{**files, "task": "classification", "student": student, **options})


def reader(
    source: MemoryRaster, labels: Labels, part: NDArray[Any]
) -> tuple[TileReader, SplitPixels]:
    """The reader of a scene's labels."""
    pixels = SplitPixels.of(labels, [part.astype(np.int8).ravel()])
    return TileReader([source], pixels, student_card()), pixels
