"""Distillation in fine-tuning: a teacher's features, and soft targets of an earlier model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperkd.errors import HyperKDError
from hyperkd.inference.predict import predict_at
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import ModelCard
from hyperkd.models.store.registry import resolve
from hyperkd.raster.labels.read_labels import LabelClass, Labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.distill_options import DistillJob
from hyperkd.requests.shared_options import TileOptions
from hyperkd.spectral.hls_alignment import align_to_hls
from hyperkd.training.common.augment import view_of
from hyperkd.training.common.pooling import pool, pooling_matrix
from hyperkd.training.finetune.head.tasks import SoftTargets
from hyperkd.training.finetune.labelled_pixels import LabelledTile, SplitPixels
from hyperkd.training.teacher.prithvi_features import Teacher, block_count
from hyperkd.types import BandTable, Reporter

# How deep in the teacher its features are taken, as a fraction of its blocks: as in pretraining.
_DEPTH: float = DistillJob.teacher_depth[0]
# Logit of a class that the earlier model does not know.
_UNKNOWN = -20.0


class TeacherLoss:
    """The cosine distance of the student's tokens, mapped linearly, to a teacher's features.

    The teacher computes each tile once in each view; its features are kept.

    Args:
        card: the student's: bands, normalisation, patch, tile.
        dim: width of its tokens.

    Raises:
        HyperKDError: ``band_mismatch`` where the student lacks the teacher's bands,
            ``bad_job`` where the tile does not divide into the teacher's patches.
    """

    def __init__(
        self,
        teacher: Teacher,
        tiles: Sequence[LabelledTile],
        card: ModelCard,
        dim: int,
        seed: int,
    ) -> None:
        if card.tile_px % teacher.patch_px:
            raise HyperKDError(
                "bad_job",
                f"Tiles of {card.tile_px} px do not divide into the teacher's patches of "
                f"{teacher.patch_px} px.",
                "Take another teacher, or fine-tune without one.",
                key="teacher",
            )
        count = len(card.bands)
        table = BandTable(
            card.bands,
            np.ones(count, bool),
            np.ones(count),
            np.zeros(count),
            np.full(count, np.nan),
        )
        self._aligned = align_to_hls(table, DistillJob.alignment).matrix.astype(np.float32)
        mean, std = (np.asarray(values, np.float32) for values in (card.mean, card.std))
        self._mean, self._std = mean[:, None, None], std[:, None, None]
        self._teacher, self._tiles = teacher, tiles
        self._pooling = pooling_matrix(card.tile_px, card.patch_px, teacher.patch_px)
        self._patch = card.patch_px
        generator = torch.Generator().manual_seed(seed)
        self._projector = nn.Linear(dim, teacher.dim)
        with torch.no_grad():
            drawn = torch.randn(teacher.dim, dim, generator=generator)
            self._projector.weight.copy_(drawn / dim**0.5)
            self._projector.bias.zero_()
        self._kept: dict[tuple[int, int], Tensor] = {}

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the parameters of the linear map, which is dropped after the training."""
        return self._projector.parameters()

    def loss(self, index: Sequence[int], views: Sequence[int], tokens: Tensor) -> Tensor:
        """Return one minus the mean cosine of tokens ``(B, D, h, w)`` of tiles in their views."""
        self._projector.to(tokens.device)
        target = torch.stack([self._features(i, view) for i, view in zip(index, views)])
        valid = [view_of(self._tiles[i].valid, view) for i, view in zip(index, views)]
        mask = torch.from_numpy(np.stack(valid).astype(np.float32))[:, None]
        weight = functional.max_pool2d(mask, self._patch).flatten(1).to(tokens.device)
        pooling = self._pooling.to(tokens.device)[None]
        means, counted = pool(tokens.flatten(2).transpose(1, 2), weight, pooling)
        own = self._projector(functional.layer_norm(means, means.shape[-1:]))
        target = functional.layer_norm(target, target.shape[-1:]).to(tokens.device)
        distance = 1 - functional.cosine_similarity(own, target, dim=-1)
        return (distance * counted).sum() / counted.sum().clamp(min=1e-6)

    def _features(self, index: int, view: int) -> Tensor:
        """Return the teacher's tokens of a tile in a view, ``(cells, T)``."""
        if (index, view) not in self._kept:
            tile = self._tiles[index]
            reflectance = tile.pixels * self._std + self._mean
            six = np.tensordot(self._aligned, reflectance, 1)
            blocks = block_count(_DEPTH, self._teacher.depth)
            (features,) = self._teacher.look(
                np.ascontiguousarray(view_of(six, view))[None],
                np.ascontiguousarray(view_of(tile.valid, view))[None],
                [blocks],
            )
            self._kept[index, view] = features[0].float().cpu()
        return self._kept[index, view]


def read_soft_targets(
    name: str,
    weight: float,
    sources: Sequence[RasterSource],
    labels: Labels,
    pixels: SplitPixels,
    report: Reporter,
) -> SoftTargets:
    """Return what the earlier model predicts at labelled pixels.

    Args:
        name: of the earlier model, or its path.
        labels: their classes; found in the model by value, else by name.
        report: progress, and a warning about classes that the model does not know.

    Returns:
        Logits in the classes of the labels; pixels of a class that the model does not know
        are NaN, because it can only mislead there.

    Raises:
        HyperKDError: ``bad_model`` where the model is none for classes, or knows fewer than
            two of these; as ``predict_at``.
    """
    report.stage("Reading soft targets")
    bundle = open_bundle(resolve(name))
    card = bundle.card
    column = _columns(card, labels.classes, Path(name).name)
    unknown = [item.name for item, found in zip(labels.classes, column) if found is None]
    if unknown:
        report.log(
            "warning",
            f"The model {card.name} does not know {', '.join(unknown)}: it counts for the other "
            "classes only.",
        )
    logits = np.full((len(pixels), len(column)), _UNKNOWN, np.float32)
    for scene, source in enumerate(sources):
        here = np.flatnonzero(pixels.scene == scene)
        if not here.size:
            continue
        found = predict_at(
            source,
            bundle,
            (pixels.row[here], pixels.col[here]),
            options=TileOptions(device="cpu"),
            report=report,
        )
        for k, number in enumerate(column):
            if number is not None:
                logits[here, k] = found[:, number] / np.float32(card.temperature)
    unknown_class = np.array([found is None for found in column])
    logits[unknown_class[pixels.values]] = np.nan
    return SoftTargets(logits, weight)


def _columns(card: ModelCard, classes: Sequence[LabelClass], file: str) -> list[Optional[int]]:
    """Return the column of each class in a model's logits, None where it has none."""
    by_value = {str(item["value"]): number for number, item in enumerate(card.classes)}
    by_name = {str(item["name"]): number for number, item in enumerate(card.classes)}
    column = [by_value.get(str(item.value), by_name.get(item.name)) for item in classes]
    if sum(found is not None for found in column) < 2:
        raise HyperKDError(
            "bad_model",
            f"{file} cannot give soft targets: of the classes "
            f"{', '.join(item.name for item in classes)} it knows fewer than two.",
            "Give a model for classification with the classes of these labels.",
        )
    return column
