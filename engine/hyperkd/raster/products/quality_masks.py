"""Masks of pixels to leave out, by the quality layers that a product brings.

Values: SNAP's EnMAP reader (QualityLayerInfo): CLASSES 1 land, 2 water, 3
background; CLOUD, CLOUDSHADOW, HAZE, SNOW 1 yes; CIRRUS 1 thin, 2 medium,
3 thick; PIXELMASK bit 0 defective per band, 255 background. DESIS QL_QUALITY-2:
ten bands in the order that its own descriptions give, the last two no flags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.reader import PlainRaster
from hyperkd.requests.shared_options import QUALITY_MASKS
from hyperkd.types import BoolArray, GridSpec, Window

# Returns the pixels of a window to leave out, ``(row, col)`` bool.
PixelTest = Callable[[Window], BoolArray]
# The layer of a product, and a test on its values (band, row, col).
LayerTest = tuple[str, Callable[[NDArray[Any]], BoolArray]]


def _is(*values: int) -> Callable[[NDArray[Any]], BoolArray]:
    return lambda layer: np.isin(layer[0], values)


def _defective(layer: NDArray[Any]) -> BoolArray:
    defective: BoolArray = (((layer & 1) == 1) & (layer != 255)).any(axis=0)
    return defective


def _flag(*bands: int) -> Callable[[NDArray[Any]], BoolArray]:
    return lambda layer: np.asarray((layer[list(bands)] > 0).any(axis=0))


ENMAP_MASKS: Mapping[str, LayerTest] = {
    "cloud": ("QL_QUALITY_CLOUD", _is(1)),
    "cloud_shadow": ("QL_QUALITY_CLOUDSHADOW", _is(1)),
    "haze": ("QL_QUALITY_HAZE", _is(1)),
    "cirrus": ("QL_QUALITY_CIRRUS", _is(1, 2, 3)),
    "snow": ("QL_QUALITY_SNOW", _is(1)),
    "water": ("QL_QUALITY_CLASSES", _is(2)),
    "land": ("QL_QUALITY_CLASSES", _is(1)),
    "defective": ("QL_PIXELMASK", _defective),
}
_DESIS_BANDS = 10
DESIS_MASKS: Mapping[str, LayerTest] = {
    "cloud": ("QL_QUALITY-2", _flag(5, 6)),
    "cloud_shadow": ("QL_QUALITY-2", _flag(0)),
    "haze": ("QL_QUALITY-2", _flag(3, 4)),
    "snow": ("QL_QUALITY-2", _flag(2)),
    "water": ("QL_QUALITY-2", _flag(7)),
    "land": ("QL_QUALITY-2", _flag(1)),
}


class QualityMask:
    """Pixels to leave out.

    Args:
        tests: what tells them, by the names of the masks that are applied.

    Attributes:
        names: those names.
    """

    def __init__(self, tests: Mapping[str, PixelTest]) -> None:
        self.names = tuple(tests)
        self._tests = tests

    def read(self, window: Window) -> BoolArray:
        """Return the pixels to leave out, ``(row, col)`` bool."""
        masked = np.zeros((window.height, window.width), bool)
        for test in self._tests.values():
            masked |= test(window)
        return masked


def choose_masks(asked: Sequence[str], offered: Mapping[str, PixelTest], kind: str) -> QualityMask:
    """Return the masks that somebody asks of a product.

    Args:
        asked: their names.
        offered: what the product gives.
        kind: how to call the product.

    Raises:
        HyperKDError: ``bad_job`` for an unknown name or one that the product lacks.
    """
    require_known(asked)
    lacking = [name for name in asked if name not in offered]
    if lacking:
        raise HyperKDError(
            "bad_job",
            f"{kind} brings no layer for the masks {', '.join(lacking)}.",
            f"It offers: {', '.join(offered)}." if offered else "Leave the masks out.",
        )
    return QualityMask({name: offered[name] for name in asked})


def require_known(asked: Sequence[str]) -> None:
    """Raise ``bad_job`` for a name that is no mask of any product."""
    for name in asked:
        if name not in QUALITY_MASKS:
            raise HyperKDError(
                "bad_job",
                f"Unknown mask {name!r}.",
                f"Known masks: {', '.join(QUALITY_MASKS)}.",
            )


def layer_masks(
    asked: Sequence[str],
    masks: Mapping[str, LayerTest],
    layers: Mapping[str, str],
    grid: GridSpec,
    kind: str,
) -> QualityMask:
    """Return masks that are raster files beside the spectral image.

    Args:
        asked: the names of the masks.
        masks: those that products of this kind have.
        layers: GDAL path of each quality layer that is there, by its name.
        grid: the grid of the spectral image, which the layers must share.
        kind: how to call the product.

    Raises:
        HyperKDError: as ``choose_masks``; ``bad_product`` where the product lacks the
            layer, it is empty, or lies on another grid.
    """
    require_known(asked)
    rasters: dict[str, PlainRaster] = {}
    tests: dict[str, PixelTest] = {}
    for name in masks:
        layer, test = masks[name]
        if name not in asked:
            tests[name] = _never
            continue
        if layer not in layers:
            raise HyperKDError(
                "bad_product",
                f"The product has no readable {layer} layer, which the mask {name!r} needs.",
                "Download the quality layers, or leave this mask out.",
            )
        raster = rasters.setdefault(layer, _layer(layers[layer], layer, grid))
        tests[name] = _test_of(raster, test)
    return choose_masks(asked, tests, kind)


def _layer(path: str, layer: str, grid: GridSpec) -> PlainRaster:
    raster = PlainRaster(path)
    if (raster.grid.width, raster.grid.height) != (grid.width, grid.height):
        raise HyperKDError(
            "bad_product",
            f"{layer} has {raster.grid.width} x {raster.grid.height} pixels, the image "
            f"{grid.width} x {grid.height}.",
            "Download the product again.",
        )
    if layer == "QL_QUALITY-2" and raster.count != _DESIS_BANDS:
        raise HyperKDError(
            "bad_product",
            f"{layer} has {raster.count} bands, not the {_DESIS_BANDS} of DESIS L2A.",
            "Download the product again, or leave the masks out.",
        )
    return raster


def _test_of(raster: PlainRaster, test: Callable[[NDArray[Any]], BoolArray]) -> PixelTest:
    return lambda window: test(raster.read(window))


def _never(window: Window) -> BoolArray:
    return np.zeros((window.height, window.width), bool)
