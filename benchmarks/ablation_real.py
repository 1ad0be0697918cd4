"""A second look at real pixels: the Potsdam tiles, which no student of the ablation has seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
from ablation_readouts import Float32Array, IntArray, macro_f1
from numpy.typing import NDArray
from osgeo import gdal
from sklearn.linear_model import LogisticRegression

from hyperkd.raster.open_raster import open_raster
from hyperkd.spectral.sensors import canonical_bands
from hyperkd.training.common.crops import read_scene

LEAST_PIXELS = 4  # labelled, of the 16 of a token
LEAST_TOKENS = 10  # of a class
PENALTY = 0.1  # of the logistic regression; there is nothing to choose it on


@dataclass(frozen=True, eq=False)
class RealTiles:
    """Tiles of 32 pixels with the land cover of their tokens.

    Attributes:
        pixels: ``(T, 32, 32, 218)`` int16, reflectance x 10000.
        classes: ``(T, h, w)`` the commonest label of a token, 0 where too few are labelled.
    """

    pixels: NDArray[np.int16]
    classes: IntArray

    def score(self, features: Float32Array) -> float:
        """Return macro F1 of features ``(T, h, w, D)``, each tile predicted from the others."""
        flat = features.reshape(-1, features.shape[-1])
        truth = self.classes.reshape(-1)
        tile = np.repeat(np.arange(len(features)), self.classes[0].size)
        counts = np.bincount(truth)
        counts[0] = 0
        kept = np.flatnonzero(counts >= LEAST_TOKENS)
        use = np.isin(truth, kept)
        confusion = np.zeros((len(counts), len(counts)), np.int64)
        for number in np.unique(tile[use]):
            fit, scored = use & (tile != number), use & (tile == number)
            mean, std = flat[fit].mean(0), flat[fit].std(0) + 1e-6
            model = LogisticRegression(C=PENALTY, tol=1e-3, max_iter=300)
            model.fit((flat[fit] - mean) / std, truth[fit])
            predicted = model.predict((flat[scored] - mean) / std)
            np.add.at(confusion, (truth[scored], predicted), 1)
        return macro_f1(confusion, kept)


def read_potsdam(folder: Path, patch: int) -> Optional[RealTiles]:
    """Return the tiles in ``folder``/images with ``folder``/labels, or None without them."""
    paths = sorted((folder / "images").glob("*.tif"))
    if not paths:
        return None
    pixels, classes = [], []
    for path in paths:
        with open_raster(str(path)) as source:
            pixels.append(read_scene(source, canonical_bands(), path.stem).pixels)
        label = gdal.Open(str(folder / "labels" / path.name))
        stored = np.frombuffer(label.ReadRaster(buf_type=gdal.GDT_Byte), np.uint8)
        classes.append(_token_classes(stored.reshape(label.RasterYSize, -1), patch))
    return RealTiles(np.stack(pixels), np.stack(classes))


def _token_classes(labels: NDArray[np.uint8], patch: int) -> IntArray:
    rows, cols = (size // patch for size in labels.shape)
    tokens = labels.reshape(rows, patch, cols, patch).swapaxes(1, 2).reshape(rows, cols, -1)
    counts = np.stack([(tokens == value).sum(-1) for value in range(1, 7)], -1)
    classes: IntArray = np.where(counts.sum(-1) >= LEAST_PIXELS, counts.argmax(-1) + 1, 0)
    return classes
