"""Figures of a student on held-out scenes, each beside baselines that need no training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from hyperkd.metrics import psnr_db, spectral_angle_deg
from hyperkd.models.nets.student import Student
from hyperkd.training.common.crops import UNIT, CropSampler, MemoryScene
from hyperkd.training.common.masked_batch import Masked
from hyperkd.training.pretrain.token_masking import random_order, visible_count

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True, eq=False)
class Crops:
    """Fixed tiles with fixed masks, the same for every student and baseline.

    Attributes:
        pixels: ``(B, H, W, C)`` int16, reflectance x 10000.
        valid: ``(B, H, W)`` bool.
        order: ``(B, N)`` token numbers.
        visible: how many of them are visible.
        patch: side of a token's square in pixels.
    """

    pixels: NDArray[np.int16]
    valid: NDArray[np.bool_]
    order: NDArray[np.int64]
    visible: int
    patch: int

    @classmethod
    def draw(
        cls, scenes: Sequence[MemoryScene], tile: int, patch: int, count: int, seed: int
    ) -> Crops:
        """Draw ``count`` tiles, and masks that hide three quarters of each."""
        generator = np.random.default_rng(seed)
        pixels, valid = CropSampler(scenes, tile).batch(generator, count)
        tokens = (tile // patch) ** 2
        order = random_order(generator, count, tokens)
        return cls(pixels, valid, order, visible_count(tokens, 0.75), patch)

    def shown(self, index: int) -> NDArray[np.bool_]:
        """Return ``(H, W)``, True where a tile's pixel is neither hidden nor invalid."""
        side = self.pixels.shape[1] // self.patch
        tokens = np.zeros(side * side, np.bool_)
        tokens[self.order[index, : self.visible]] = True
        grid = tokens.reshape(side, side)
        return grid.repeat(self.patch, 0).repeat(self.patch, 1) & self.valid[index]


def reconstruction_figures(student: Student, crops: Crops) -> Figures:
    """Compare what is predicted for hidden valid pixels with the truth.

    ``student`` predicts under the random masks of ``crops``; ``student, four
    masks`` is the reconstruction as exported, scored on every valid pixel;
    ``band mean`` is the mean spectrum of the visible pixels of the tile;
    ``inpainting`` makes each hidden pixel the mean of its four neighbours, and
    ``inpainting, four masks`` does so under the masks of the reconstruction.
    """
    errors: dict[str, _Tally] = {}
    for index in range(len(crops.pixels)):
        truth = crops.pixels[index] * np.float32(UNIT)
        shown, valid = crops.shown(index), crops.valid[index]
        scored = valid & ~shown
        if not shown.any():
            continue
        predictions = {
            "student": (_predict(student, crops, index), scored),
            "student, four masks": (_reconstruct(student, truth, valid), valid),
            "band mean": (np.broadcast_to(truth[shown].mean(0), truth.shape), scored),
            "inpainting": (inpaint(truth, shown), scored),
            "inpainting, four masks": (_inpaint_four(truth, valid, crops.patch), valid),
        }
        for name, (prediction, where) in predictions.items():
            errors.setdefault(name, _Tally()).add(prediction[where], truth[where])
    return {name: tally.figures() for name, tally in errors.items()}


class _Tally:
    """Sums over tiles, so that every pixel counts the same."""

    def __init__(self) -> None:
        self.squares = self.angles = 0.0
        self.values = self.pixels = 0

    def add(self, prediction: NDArray[np.float32], truth: NDArray[np.float32]) -> None:
        self.squares += float(np.square(prediction - truth, dtype=np.float64).sum())
        self.angles += float(np.nansum(spectral_angle_deg(prediction, truth, axis=-1)))
        self.values += truth.size
        self.pixels += len(truth)

    def figures(self) -> dict[str, float]:
        return {
            "psnr_db": round(psnr_db(self.squares / self.values), 2),
            "sam_deg": round(self.angles / self.pixels, 3),
        }


def _predict(student: Student, crops: Crops, index: int) -> NDArray[np.float32]:
    """Return ``(H, W, C)`` reflectance; only the hidden patches are filled."""
    pick = slice(index, index + 1)
    masked = Masked.make(
        crops.pixels[pick],
        crops.valid[pick],
        crops.order[pick],
        crops.visible,
        crops.patch,
        student.mean.device,
    )
    with torch.no_grad():
        patches = masked.predict(student) * student.std + student.mean
    rows, cols = masked.grid
    grid = np.zeros((rows * cols, *patches.shape[2:]), np.float32)
    grid[crops.order[index, crops.visible :]] = patches[0].cpu().numpy()
    grid = grid.reshape(rows, cols, *patches.shape[2:]).swapaxes(1, 2)
    return grid.reshape(crops.pixels.shape[1:])


def _reconstruct(
    student: Student, truth: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    with torch.no_grad():
        output = student.reconstruct(*_tensors(student, truth, valid))
    return output[0].permute(1, 2, 0).cpu().numpy()


def _tensors(
    student: Student, pixels: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[torch.Tensor, torch.Tensor]:
    device = student.mean.device
    image = torch.from_numpy(pixels).to(device).permute(2, 0, 1)[None]
    return image, torch.from_numpy(valid).to(device)[None, None].float()


def inpaint(image: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill unknown pixels of ``(H, W, C)`` so that each is the mean of its four neighbours."""
    rows, cols = known.shape
    lines = [sparse.diags([1, 1], [-1, 1], shape=(n, n)) for n in (rows, cols)]
    links = sparse.kronsum(lines[1], lines[0], format="csr")
    laplace = sparse.diags(np.asarray(links.sum(1)).ravel()) - links
    unknown = ~known.ravel()
    laplace = laplace.tocsr()[unknown]
    flat = image.reshape(rows * cols, -1)
    filled = flat.copy()
    right = -laplace[:, ~unknown] @ flat[~unknown].astype(np.float64)
    filled[unknown] = splu(laplace[:, unknown].tocsc()).solve(right)
    return filled.reshape(image.shape)


def _inpaint_four(
    image: NDArray[np.float32], valid: NDArray[np.bool_], patch: int
) -> NDArray[np.float32]:
    """Return each pixel's mean over the three of four masks that hide it."""
    total = np.zeros_like(image)
    for row, col in ((0, 0), (0, 1), (1, 0), (1, 1)):
        block = np.zeros((2, 2), np.bool_)
        block[row, col] = True
        visible = block.repeat(patch, 0).repeat(patch, 1)
        visible = np.tile(visible, np.array(valid.shape) // (2 * patch))
        total += inpaint(image, visible & valid) * ~visible[..., None]
    return total / 3


def probe_figures(
    students: Mapping[str, Student],
    scenes: Sequence[MemoryScene],
    classes: Sequence[NDArray[np.uint8]],
    per_class: int,
    seed: int,
) -> Figures:
    """Fit a linear classifier on half of the scenes, score it on the other half, and swap.

    The features are the embedding of each student in ``students``, the raw
    spectrum of the pixel, and both together. At most ``per_class`` pixels of
    a class are drawn from each scene, for fitting and for scoring.
    """
    samples = [_sample(c, per_class, seed + i) for i, c in enumerate(classes)]
    labels = [c.ravel()[s] for c, s in zip(classes, samples)]
    raw = [s.pixels.reshape(-1, s.pixels.shape[2])[i] * UNIT for s, i in zip(scenes, samples)]
    features = {"raw spectrum": raw}
    for name, student in students.items():
        embedded = [_embed(student, scene)[i] for scene, i in zip(scenes, samples)]
        features[name] = embedded
        features[f"raw spectrum + {name}"] = [np.hstack(p) for p in zip(raw, embedded)]
    half = len(scenes) // 2
    folds = (slice(half), slice(half, None)), (slice(half, None), slice(half))
    figures: Figures = {}
    for name, values in features.items():
        scores = [
            _probe(*(np.concatenate(part[f]) for f in fold for part in (values, labels)))
            for fold in folds
        ]
        accuracy, f1 = np.mean(scores, 0)
        figures[name] = {
            "overall_accuracy": round(float(accuracy), 4),
            "macro_f1": round(float(f1), 4),
        }
    return figures


def _sample(classes: NDArray[np.uint8], per_class: int, seed: int) -> NDArray[np.int64]:
    generator = np.random.default_rng(seed)
    flat = classes.ravel()
    chosen = []
    for label in np.unique(flat[flat > 0]):
        places = np.flatnonzero(flat == label)
        chosen.append(generator.permutation(places)[:per_class])
    return np.concatenate(chosen)


def _embed(student: Student, scene: MemoryScene) -> NDArray[np.float32]:
    """Return ``(H * W, D)``; the scene is cut into tiles without overlap."""
    tile = student.config.tile
    rows, cols = scene.valid.shape
    whole = np.empty((rows, cols, student.config.dim), np.float32)
    for row in range(0, rows, tile):
        for col in range(0, cols, tile):
            place = slice(row, row + tile), slice(col, col + tile)
            pixels = scene.pixels[place] * np.float32(UNIT)
            with torch.no_grad():
                output = student.embedding(*_tensors(student, pixels, scene.valid[place]))
            whole[place] = output[0].permute(1, 2, 0).cpu().numpy()
    return whole.reshape(rows * cols, -1)


def _probe(
    fit: NDArray[np.float32],
    fit_labels: NDArray[np.uint8],
    score: NDArray[np.float32],
    score_labels: NDArray[np.uint8],
) -> tuple[float, float]:
    """Return overall accuracy and macro F1 of a multinomial logistic regression."""
    mean, std = fit.mean(0), fit.std(0) + 1e-6
    inputs = [torch.from_numpy(np.float32((x - mean) / std)) for x in (fit, score)]
    known, targets = np.unique(fit_labels, return_inverse=True)
    layer = torch.nn.Linear(inputs[0].shape[1], len(known))
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")
    truth = torch.from_numpy(targets.astype(np.int64))

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(layer(inputs[0]), truth)
        loss = loss + 1e-4 * layer.weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        predicted = known[layer(inputs[1]).argmax(1).numpy()]
    f1 = []
    for label in np.unique(score_labels):
        hits = np.sum((predicted == label) & (score_labels == label))
        f1.append(2 * hits / (np.sum(predicted == label) + np.sum(score_labels == label)))
    return float(np.mean(predicted == score_labels)), float(np.mean(f1))


def markdown(metrics: Mapping[str, Any]) -> str:
    """Return the figures of a card as the tables of docs/student.md."""
    parts = []
    for name, figures in metrics["reconstruction"].items():
        rows = [f"| {key} | {f['psnr_db']} | {f['sam_deg']} |" for key, f in figures.items()]
        parts += [f"{name}:", "", "| | PSNR (dB) | SAM (degrees) |", "|---|---|---|", *rows, ""]
    probe = metrics["linear_probe"]
    rows = [f"| {key} | {f['overall_accuracy']} | {f['macro_f1']} |" for key, f in probe.items()]
    parts += ["| features | overall accuracy | macro F1 |", "|---|---|---|", *rows, ""]
    return "\n".join(parts)
