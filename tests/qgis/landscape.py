"""A small scene with the bands of EnMAP, and polygons of what is on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hyperkd.models.bundle import open_bundle
from tests.factories import GEOTRANSFORM, make_raster
from tests.label_factories import make_vector, square
from tools.machine import ROOT

CLASSES = ("water", "wood", "field")
COLOURS = {"water": "#2166ac", "wood": "#1b7837", "field": "#dfc27d"}
SIDE = 64
TINY = ROOT / "resources" / "students" / "tiny.onnx"


def truth(shift: int = 0) -> np.ndarray:
    """Return the class of each pixel, ``(SIDE, SIDE)``, from 0: a mosaic of 16 pixels."""
    rows, cols = np.indices((SIDE, SIDE)) // 16
    return (rows * 2 + cols + shift) % len(CLASSES)


def write_scene(path: Path, shift: int = 0, noise: float = 0.004) -> Path:
    """Write an EnMAP-like scene whose surfaces are those of ``truth``; reflectance x 10000."""
    bands = open_bundle(str(TINY)).card.bands
    nm = np.asarray(bands.centre_nm)
    water = 0.04 * np.exp(-(((nm - 560) / 150) ** 2)) + 0.01
    wood = 0.03 + 0.3 / (1 + np.exp(-(nm - 715) / 12)) * np.exp(-(((nm - 900) / 1100) ** 2))
    soil = 0.08 + 0.25 * (1 - np.exp(-(nm - 350) / 700))
    spectra = np.stack([water, wood, soil])
    random = np.random.default_rng(shift)
    light = random.normal(1.0, 0.05, (SIDE, SIDE))
    reflectance = spectra[truth(shift)].transpose(2, 0, 1) * light
    reflectance = reflectance + random.normal(0, noise, reflectance.shape)
    left, step, *rest = GEOTRANSFORM
    return make_raster(
        path,
        np.rint(reflectance * 1e4).astype(np.int16),
        wavelengths=[float(value) for value in nm],
        fwhm=10.0,
        geotransform=(left + SIDE * step * shift, step, *rest),
    )


def write_polygons(path: Path) -> Path:
    """Write polygons of the classes, two in each square of the scene, with a share of wood."""
    found = truth()
    features = []
    for row in range(0, SIDE, 16):
        for col in range(0, SIDE, 16):
            name = CLASSES[found[row, col]]
            for left, top in ((2, 2), (9, 9)):
                fields = {"cover": name, "share": float(name == "wood") + 0.01 * (row + col) / SIDE}
                features.append((square(col + left, row + top, 5, 5), fields))
    return make_vector(path, features, {"cover": "text", "share": "number"})
