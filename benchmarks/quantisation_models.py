"""The float32 models that ``bench_quantisation`` makes smaller, and the real tiles it uses.

``tiny`` is the shipped student. There is no trained ``small`` yet: its encoder has
random weights in every layer, residual branches included, which costs the same time and
passes the same numbers through every product. The heads of both are trained on real
labels, with a frozen encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from real_tiles import require
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from hyperkd.inference.tiling.reflectance_tiles import reflectance_tiles
from hyperkd.models.card import ModelCard
from hyperkd.models.nets.heads import DenseHead, DenseModel, HeadConfig
from hyperkd.models.nets.student import Student
from hyperkd.models.sizes import preset
from hyperkd.models.store.registry import SHIPPED
from hyperkd.raster.labels.read_labels import Labels, read_labels
from hyperkd.raster.open_raster import open_raster
from hyperkd.training.common.checkpoint import architecture, load_student
from hyperkd.training.export import export_model

ROOT: Final = Path(__file__).resolve().parents[1]

# Tiles to learn from and to calibrate with; the others are the test. Water is in two tiles.
TEST_TILES: Final = (1, 4, 6, 9, 12)
NAMES: Final = ("roof", "pavement", "low vegetation", "tree", "soil", "water")
_STEPS: Final = 150
_SEED: Final = 0


def tiles(folder: Path) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return images and labels to learn from, and images and labels to test with."""
    require(folder / "images")
    images = sorted((folder / "images").glob("*.tif"))
    groups: tuple[list[str], ...] = ([], [], [], [])
    for number, image in enumerate(images):
        offset = 2 if number in TEST_TILES else 0
        groups[offset].append(str(image))
        groups[offset + 1].append(str(folder / "labels" / image.name))
    return groups[0], groups[1], groups[2], groups[3]


def student(name: str) -> tuple[Student, ModelCard]:
    """Return the shipped student, or one of another size with random weights."""
    shipped, card = load_student(SHIPPED / "tiny.safetensors")
    if name == "tiny":
        return shipped.eval(), card
    config = preset(name, None)
    torch.manual_seed(_SEED)
    random = Student(config, card.mean, card.std)
    for layer in random.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight.flatten(1))
    return random.eval(), _card_like(card, random, name)


def write_student(name: str, path: Path) -> None:
    """Export a student."""
    made, card = student(name)
    export_model(made, card, path)


def write_model(name: str, images: Sequence[str], labels: Sequence[str], path: Path) -> None:
    """Train a head on labelled tiles, with the encoder as it is, and export both."""
    made, card = student(name)
    pixels, valid, truth, found = _training_tiles(card, images, labels)
    config = HeadConfig.fitting(made.config, "classification", len(found.classes))
    torch.manual_seed(_SEED)
    model = DenseModel(made, DenseHead(config))
    side = int(torch.nonzero(truth >= 0)[:, 1:].max()) + 1  # the rest is reflected
    with torch.no_grad():
        features = torch.cat(
            [
                model.head.at_pixels(model.encode(p[None], v[None]), v[None])[..., :side, :side]
                for p, v in zip(pixels, valid)
            ]
        )
        pixels = model.student.normalise_image(pixels)[..., :side, :side]
    _train(model.head, features, pixels, valid[..., :side, :side], truth[..., :side, :side])
    export_model(
        model.eval(),
        _card_like(
            card,
            made,
            name,
            task="classification",
            classes=tuple(
                {"name": label, "value": each.value, "color": "#808080"}
                for label, each in zip(NAMES, found.classes)
            ),
            architecture=architecture(name, made.config, config),
        ),
        path,
    )


def _card_like(card: ModelCard, made: Student, name: str, **fields: Any) -> ModelCard:
    config = made.config
    return ModelCard(
        name=name,
        bands=card.bands,
        mean=card.mean,
        std=card.std,
        patch_px=config.patch,
        tile_px=config.tile,
        receptive_field_px=config.tile,
        embedding_dim=config.dim,
        licence=card.licence,
        created=card.created,
        **{"task": "pretrain", "architecture": architecture(name, config, None), **fields},
    )


def _training_tiles(
    card: ModelCard, images: Sequence[str], labels: Sequence[str]
) -> tuple[Tensor, Tensor, Tensor, Labels]:
    """Return reflectance (B, C, T, T), mask (B, 1, T, T), class or -1 (B, T, T), and labels."""
    from hyperkd.reporting import RecordingReporter

    quiet = RecordingReporter()
    sources = [open_raster(path) for path in images]
    found = read_labels(sources, labels, task="classification", report=quiet)
    parts = [next(reflectance_tiles(source, card, 1, quiet)) for source in sources]
    truth = np.full((len(parts), card.tile_px, card.tile_px), -1, np.int64)
    for place, scene in zip(truth, found.scenes):
        place[scene.rows, scene.cols] = scene.values
    pixels, valid = (torch.from_numpy(np.concatenate(each)) for each in zip(*parts))
    return pixels, valid, torch.from_numpy(truth), found


def _train(head: DenseHead, features: Tensor, pixels: Tensor, valid: Tensor, truth: Tensor) -> None:
    """Start as a logistic regression, then train all of the head."""
    known = truth >= 0
    spectra = pixels.permute(0, 2, 3, 1)[known].numpy()
    linear = LogisticRegression(C=0.1, max_iter=300).fit(spectra[::4], truth[known][::4].numpy())
    weight, bias = (torch.from_numpy(each).float() for each in (linear.coef_, linear.intercept_))
    head.start_from_linear(weight, bias)
    optimiser = torch.optim.AdamW(head.parameters(), lr=3e-3, weight_decay=1e-2)
    head.train()
    for _ in range(_STEPS):
        optimiser.zero_grad()
        logits = head.merge(head.context(features), pixels, valid)
        functional.cross_entropy(logits, truth, ignore_index=-1).backward()
        optimiser.step()
    head.eval()
