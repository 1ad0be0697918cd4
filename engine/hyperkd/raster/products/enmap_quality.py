"""EnMAP quality layers as masks of pixels to leave out.

Values: SNAP's EnMAP reader (QualityLayerInfo): CLASSES 1 land, 2 water, 3
background; CLOUD, CLOUDSHADOW, HAZE, SNOW 1 yes; CIRRUS 1 thin, 2 medium,
3 thick; PIXELMASK bit 0 defective per band, 255 background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.reader import PlainRaster
from hyperkd.types import BoolArray, GridSpec, Window


def _is(*values: int) -> Callable[[NDArray[Any]], BoolArray]:
    return lambda layer: np.isin(layer[0], values)


def _defective(layer: NDArray[Any]) -> BoolArray:
    defective: BoolArray = (((layer & 1) == 1) & (layer != 255)).any(axis=0)
    return defective


# name -> (layer of the product, test on its values (band, row, col))
MASKS: Mapping[str, tuple[str, Callable[[NDArray[Any]], BoolArray]]] = {
    "cloud": ("QL_QUALITY_CLOUD", _is(1)),
    "cloud_shadow": ("QL_QUALITY_CLOUDSHADOW", _is(1)),
    "haze": ("QL_QUALITY_HAZE", _is(1)),
    "cirrus": ("QL_QUALITY_CIRRUS", _is(1, 2, 3)),
    "snow": ("QL_QUALITY_SNOW", _is(1)),
    "water": ("QL_QUALITY_CLASSES", _is(2)),
    "land": ("QL_QUALITY_CLASSES", _is(1)),
    "defective": ("QL_PIXELMASK", _defective),
}


class QualityMask:
    """Pixels to leave out, read from the quality layers of a product.

    Args:
        layers: GDAL path of each quality layer by its name.
        names: which of ``MASKS`` to apply.
        grid: the grid of the spectral image, which the layers must share.

    Attributes:
        names: the masks that are applied.

    Raises:
        HyperKDError: ``bad_job`` for an unknown name, ``bad_product`` where the
            product lacks the layer, it is empty, or lies on another grid.
    """

    def __init__(self, layers: Mapping[str, str], names: Sequence[str], grid: GridSpec) -> None:
        self.names = tuple(names)
        self._rasters: dict[str, PlainRaster] = {}
        for name in self.names:
            if name not in MASKS:
                raise HyperKDError(
                    "bad_job",
                    f"Unknown mask {name!r}.",
                    f"Known masks: {', '.join(MASKS)}.",
                )
            layer = MASKS[name][0]
            if layer not in layers:
                raise HyperKDError(
                    "bad_product",
                    f"The product has no readable {layer} layer, which the mask {name!r} needs.",
                    "Download the quality layers, or leave this mask out.",
                )
            raster = PlainRaster(layers[layer])
            if (raster.grid.width, raster.grid.height) != (grid.width, grid.height):
                raise HyperKDError(
                    "bad_product",
                    f"{layer} has {raster.grid.width} x {raster.grid.height} pixels, the image "
                    f"{grid.width} x {grid.height}.",
                    "Download the product again.",
                )
            self._rasters[name] = raster

    def read(self, window: Window) -> BoolArray:
        """Return the pixels to leave out, ``(row, col)`` bool."""
        masked = np.zeros((window.height, window.width), bool)
        for name in self.names:
            masked |= MASKS[name][1](self._rasters[name].read(window))
        return masked
