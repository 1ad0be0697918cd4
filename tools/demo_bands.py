"""Print which bands of a raster show true colour, and their stretch; run by ``.venv``."""

from __future__ import annotations

import json
import sys

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.raster.grid import iterate_tiles
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.source import RasterSource

TRUE_COLOUR_NM = (660.0, 560.0, 480.0)
# The darkest and brightest 2 % are left out.
PERCENTILES = (2.0, 98.0)
# Enough for percentiles, few enough for a raster of any size.
SAMPLE_PX, SAMPLES = 128, 64


def main(path: str) -> None:
    """Print ``{"bands": [...], "centre_nm": [...], "stretch": [[low, high], ...]}``.

    Bands count from 1; the stretch is in stored values.
    """
    with open_raster(path) as source:
        # A bad band is never shown, however near it lies.
        centre_nm = np.where(source.bands.good, source.bands.wavelengths.centre_nm, np.inf)
        nearest = [int(np.abs(centre_nm - wanted_nm).argmin()) for wanted_nm in TRUE_COLOUR_NM]
        found = {
            "bands": [band + 1 for band in nearest],
            "centre_nm": [float(centre_nm[band]) for band in nearest],
            "stretch": stretch(source, nearest),
        }
    print(json.dumps(found))


def stretch(source: RasterSource, bands: list[int]) -> list[list[float]]:
    """Return the lower and upper stored value of each band, of windows spread over the raster.

    QGIS could find them too, but writes what it finds beside the raster or, if
    that is a VRT, into it.
    """
    windows = list(iterate_tiles(source.grid, SAMPLE_PX))
    tiles = [
        source.read_tile(window, bands) for window in windows[:: max(1, len(windows) // SAMPLES)]
    ]
    values = np.concatenate([tile.data[:, tile.valid] for tile in tiles], axis=1)
    if values.shape[1] == 0:
        return [[0.0, 1.0]] * len(bands)
    return [[float(value) for value in np.percentile(band, PERCENTILES)] for band in values]


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except HyperKDError as refused:
        sys.exit(f"[{refused.code}] {refused}")
