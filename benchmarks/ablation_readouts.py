"""What a frozen encoder is worth on held-out scenes: the read-outs of the ablation.

The unit is the token: truth is averaged over its pixels, a student gives one vector
for it, and the baselines that need no student get its mean spectrum. Probes are fitted
on labels of the student's training scenes; their one regularisation is chosen on the
validation scenes from the same grid for everyone; the held-out scenes only score.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import torch
from ablation_data import TRAIT_NAMES, Group
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from hyperkd.metrics import psnr_db, spectral_angle_deg
from hyperkd.models.nets.student import Student, take_patches
from hyperkd.training.common.crops import UNIT

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHARES = (0.01, 0.1, 1.0)
# Inverse strength of the penalty of the logistic regression (scikit-learn's C), and the
# strength of the ridge for mean squares. Features are standardised before.
LOGISTIC_GRID = (1e-2, 1e-1, 1.0, 10.0)
RIDGE_GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
LEAST_TOKENS = 50  # of a class in the labels and in the scored scenes, to be scored at all
SSIM_WINDOW = 7
SSIM_BANDS = slice(4, None, 9)  # 24 of 218 bands
SSIM_RANGE_STD = 4.0  # data range of a band, in standard deviations over the training scenes


@dataclass(frozen=True, eq=False)
class Part:
    """Tokens of a group of scenes: features and truth.

    Attributes:
        features: ``(n, D)``.
        classes: ``(n,)`` from 0.
        targets: ``(n, T)``: abundances of all covers, traits, hidden share; NaN where undefined.
        scene: ``(n,)`` number of the scene.
    """

    features: Float32Array
    classes: IntArray
    targets: Float32Array
    scene: IntArray

    @classmethod
    def make(cls, features: Float32Array, group: Group) -> Part:
        """Put features ``(S, h, w, D)`` beside the truth of ``group``."""
        scenes = np.arange(len(features))[:, None, None]
        targets = np.concatenate((group.abundances, group.traits, group.hidden[..., None]), -1)
        return cls(
            np.ascontiguousarray(features.reshape(-1, features.shape[-1]), np.float32),
            group.classes.reshape(-1),
            targets.reshape(-1, targets.shape[-1]),
            np.broadcast_to(scenes, features.shape[:3]).reshape(-1),
        )


@dataclass(frozen=True, eq=False)
class Parts:
    """Labels to fit on, scenes to choose on, scenes to score."""

    labels: Part
    validation: Part
    held_out: Part


def label_subset(classes: IntArray, share: float, seed: int) -> IntArray:
    """Return the tokens whose labels may be used: ``share`` of each class, at least two.

    For one seed a smaller share is a part of a larger one.
    """
    generator = np.random.default_rng((seed, 0x1ABE1))
    order = generator.permutation(len(classes))
    chosen = []
    for label in np.unique(classes):
        places = order[classes[order] == label]
        chosen.append(places[: max(2, round(share * len(places)))])
    return np.sort(np.concatenate(chosen))


def scored_classes(fitted: IntArray, scored: IntArray) -> IntArray:
    """Return the classes with enough tokens on both sides; it depends on the truth alone."""
    count = int(max(fitted.max(), scored.max())) + 1
    counts = [np.bincount(values, minlength=count) for values in (fitted, scored)]
    return np.flatnonzero(np.minimum(*counts) >= LEAST_TOKENS)


def confusion_by_scene(truth: Part, predicted: IntArray, classes: int) -> IntArray:
    """Return ``(S, classes, classes)`` counts, truth in rows."""
    scenes = int(truth.scene.max()) + 1
    flat = (truth.scene * classes + truth.classes) * classes + predicted
    counts: IntArray = np.bincount(flat, minlength=scenes * classes * classes)
    return counts.reshape(scenes, classes, classes)


def macro_f1(confusion: NDArray[Any], scored: IntArray) -> float:
    """Return the mean F1 over ``scored`` classes of one ``(K, K)`` confusion matrix."""
    hits = np.diagonal(confusion).astype(np.float64)
    total = confusion.sum(0) + confusion.sum(1)
    return float(np.mean(2 * hits[scored] / np.maximum(total[scored], 1)))


def probe_classes(parts: Parts, share: float, seed: int) -> dict[str, Any]:
    """Fit a multinomial logistic regression on ``share`` of the labels and score it.

    Returns:
        ``macro_f1``, ``overall_accuracy``, the ``penalty`` chosen and the ``confusion`` by scene.
    """
    chosen = label_subset(parts.labels.classes, share, seed)
    mean, std = _scale(parts.labels.features)
    fit, truth = (parts.labels.features[chosen] - mean) / std, parts.labels.classes[chosen]
    count = parts.held_out.targets.shape[1] - len(TRAIT_NAMES) - 1
    best: Optional[tuple[float, float, LogisticRegression]] = None
    for penalty in LOGISTIC_GRID:
        with warnings.catch_warnings():
            # A candidate that is not quite there is judged like the others.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(C=penalty, tol=1e-3, max_iter=300).fit(fit, truth)
        score = _score(model, parts.labels, parts.validation, mean, std, count)[0]
        if best is None or score > best[0]:
            best = (score, penalty, model)
    assert best is not None  # noqa: S101
    _, penalty, model = best
    score, accuracy, confusion = _score(model, parts.labels, parts.held_out, mean, std, count)
    return {
        "macro_f1": score,
        "overall_accuracy": accuracy,
        "penalty": penalty,
        "confusion": confusion.tolist(),
    }


def _score(
    model: Any, labels: Part, part: Part, mean: FloatArray, std: FloatArray, count: int
) -> tuple[float, float, IntArray]:
    predicted = model.predict((part.features - mean) / std)
    return score_classes(labels, part, predicted, count)


def score_classes(
    labels: Part, part: Part, predicted: IntArray, count: int
) -> tuple[float, float, IntArray]:
    """Return macro F1, overall accuracy and the confusion matrices by scene."""
    confusion = confusion_by_scene(part, predicted, count)
    scored = scored_classes(labels.classes, part.classes)
    whole = confusion.sum(0)
    return macro_f1(whole, scored), float(np.trace(whole) / whole.sum()), confusion


def _scale(features: Float32Array) -> tuple[FloatArray, FloatArray]:
    return features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64) + 1e-6


def r_squared(truth: FloatArray, predicted: FloatArray) -> float:
    """Return 1 - SSE / SST with the mean of the scored truth; NaN truth is left out."""
    known = np.isfinite(truth)
    truth, predicted = truth[known], predicted[known]
    return float(1 - np.sum((truth - predicted) ** 2) / np.sum((truth - truth.mean()) ** 2))


def probe_targets(parts: Parts) -> dict[str, float]:
    """Fit a ridge regression for each target on all labels and score it.

    Returns:
        Mean R² of ``abundance`` (of the classes that are scored) and ``trait``, the R² of
        the hidden signal ``metamer``, and of each trait by its name.
    """
    mean, std = _scale(parts.labels.features)
    scores = {}
    known = np.isfinite(parts.labels.targets)
    columns = np.flatnonzero(known.any(0))
    for column in columns:
        rows = known[:, column]
        x = (parts.labels.features[rows] - mean) / std
        y = parts.labels.targets[rows, column].astype(np.float64)
        centre, shift = x.mean(0), y.mean()
        left, right = (x - centre).T @ (x - centre) / len(x), (x - centre).T @ (y - shift) / len(x)
        best = (-np.inf, np.zeros(len(left)))
        for strength in RIDGE_GRID:
            weights = np.linalg.solve(left + strength * np.eye(len(left)), right)
            score = _regress(parts.validation, weights, centre, shift, mean, std, column)
            best = max(best, (score, weights), key=lambda pair: pair[0])
        scores[column] = _regress(parts.held_out, best[1], centre, shift, mean, std, column)
    return summarise_targets(scores, scored_classes(parts.labels.classes, parts.held_out.classes))


def _regress(
    part: Part, weights: FloatArray, centre: Any, shift: Any, mean: Any, std: Any, column: int
) -> float:
    predicted = ((part.features - mean) / std - centre) @ weights + shift
    return r_squared(part.targets[:, column].astype(np.float64), predicted)


def summarise_targets(scores: Mapping[int, float], scored: IntArray) -> dict[str, float]:
    """Return the figures of ``probe_targets`` from R² by column of ``Part.targets``."""
    last = max(scores)
    traits = {name: scores[last - len(TRAIT_NAMES) + i] for i, name in enumerate(TRAIT_NAMES)}
    return {
        "abundance": float(np.mean([scores[column] for column in scored])),
        "trait": float(np.mean(list(traits.values()))),
        "metamer": scores[last],
        **traits,
    }


def effective_rank(features: Float32Array) -> float:
    """Return exp of the entropy of the normalised singular values of centred features."""
    centred = features - features.mean(0, dtype=np.float64)
    squares = np.linalg.eigvalsh(centred.T @ centred).clip(min=0)
    shares = np.sqrt(squares) / np.sqrt(squares).sum()
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))


def student_features(student: Student, pixels: NDArray[np.int16], tile: int) -> Float32Array:
    """Return the tokens ``(S, h, w, D)`` of whole tiles without masks, tile by tile."""
    cut = cut_tiles(pixels, tile)
    parts = []
    with torch.no_grad():
        for first in range(0, len(cut), 16):
            images = torch.from_numpy(cut[first : first + 16]).permute(0, 3, 1, 2) * UNIT
            valid = torch.ones(len(images), 1, tile, tile)
            parts.append(student.tokens(images, valid).permute(0, 2, 3, 1).numpy())
    return join_tiles(np.concatenate(parts), len(pixels))


def cut_tiles(images: NDArray[Any], tile: int) -> NDArray[Any]:
    """Cut ``(S, H, W, C)`` into ``(S x rows x cols, tile, tile, C)``."""
    scenes, height, width, bands = images.shape
    grid = images.reshape(scenes, height // tile, tile, width // tile, tile, bands)
    return np.ascontiguousarray(grid.swapaxes(2, 3)).reshape(-1, tile, tile, bands)


def join_tiles(tiles: NDArray[Any], scenes: int) -> NDArray[Any]:
    """Undo ``cut_tiles`` for square scenes."""
    _, rows, cols, width = tiles.shape
    side = round((len(tiles) // scenes) ** 0.5)
    grid = tiles.reshape(scenes, side, side, rows, cols, width).swapaxes(2, 3)
    return grid.reshape(scenes, side * rows, side * cols, width)


def mean_spectra(pixels: NDArray[np.int16], patch: int) -> Float32Array:
    """Return the mean reflectance ``(S, h, w, C)`` of each token's pixels."""
    scenes, height, width, bands = pixels.shape
    grid = pixels.reshape(scenes, height // patch, patch, width // patch, patch, bands)
    means: Float32Array = (grid.mean((2, 4), dtype=np.float32) * np.float32(UNIT)).astype(
        np.float32
    )
    return means


@dataclass(frozen=True, eq=False)
class MaskedTiles:
    """Fixed tiles with fixed masks.

    Attributes:
        pixels: ``(B, H, W, C)`` int16.
        order: ``(B, N)``, the visible tokens first.
        visible: how many are visible.
    """

    pixels: NDArray[np.int16]
    order: IntArray
    visible: int


def reconstruction(student: Student, tiles: MaskedTiles) -> dict[str, float]:
    """Return PSNR (dB, peak 1), SSIM and spectral angle (degrees) of the hidden pixels.

    For SSIM the visible patches hold the truth; it is averaged over hidden pixels.
    """
    patch = student.config.patch
    truth = tiles.pixels.astype(np.float32) * np.float32(UNIT)
    filled = truth.copy()
    side = truth.shape[1] // patch
    with torch.no_grad():
        for first in range(0, len(truth), 16):
            place = slice(first, first + 16)
            order = torch.from_numpy(tiles.order[place])
            images = torch.from_numpy(truth[place])
            visible = take_patches(images, order[:, : tiles.visible], patch)
            whole = torch.ones(*visible.shape[:-1], 1)
            hidden = student.predict_hidden(student.normalise(visible), whole, order, (side, side))
            predicted = (hidden * student.std + student.mean).numpy()
            for target, numbers, patches in zip(filled[place], tiles.order[place], predicted):
                grid = target.reshape(side, patch, side, patch, -1).swapaxes(1, 2)
                rows, cols = np.divmod(numbers[tiles.visible :], side)
                grid[rows, cols] = patches
    is_hidden = np.ones((len(truth), side * side), np.bool_)
    np.put_along_axis(is_hidden, tiles.order[:, : tiles.visible], False, 1)
    where = is_hidden.reshape(-1, side, side).repeat(patch, 1).repeat(patch, 2)
    ranges = SSIM_RANGE_STD * student.std.numpy()[SSIM_BANDS]
    similar = ssim_map(filled[..., SSIM_BANDS], truth[..., SSIM_BANDS], ranges)
    error = float(np.mean(np.square(filled[where] - truth[where], dtype=np.float64)))
    angle = spectral_angle_deg(filled[where], truth[where], axis=-1)
    return {
        "psnr_db": psnr_db(error),
        "ssim": float(similar[where].mean()),
        "sam_deg": float(np.nanmean(angle)),
    }


def ssim_map(first: Float32Array, second: Float32Array, ranges: NDArray[Any]) -> FloatArray:
    """Return the structural similarity of each pixel and band of ``(B, H, W, C)`` images.

    Wang et al. 2004 with a uniform window of 7 pixels, K1 = 0.01, K2 = 0.03 and the
    sample covariance; at the border the window is mirrored, as scikit-image does.
    """
    size = (1, SSIM_WINDOW, SSIM_WINDOW, 1)
    x, y = first.astype(np.float64), second.astype(np.float64)
    mean_x, mean_y = uniform_filter(x, size), uniform_filter(y, size)
    correction = SSIM_WINDOW**2 / (SSIM_WINDOW**2 - 1)
    var_x = correction * (uniform_filter(x * x, size) - mean_x**2)
    var_y = correction * (uniform_filter(y * y, size) - mean_y**2)
    both = correction * (uniform_filter(x * y, size) - mean_x * mean_y)
    c1, c2 = (0.01 * ranges) ** 2, (0.03 * ranges) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    similar: FloatArray = above / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return similar
