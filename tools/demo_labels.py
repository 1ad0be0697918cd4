"""Draw a few labels from the truth of the demo's scene; run by ``.venv``.

The arguments are the raster of true classes and the label raster to write.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from osgeo import gdal

# Of each class; one with fewer than twice as many pixels is left out.
LABELS = 40
SEED = 7


def main(truth: str, output: str) -> None:
    """Write the labels, 0 where there is none; names and colours stay."""
    gdal.UseExceptions()
    source = gdal.Open(truth)
    classes = np.frombuffer(source.ReadRaster(), np.uint8)
    labels = np.zeros_like(classes)
    draws = np.random.default_rng(SEED)
    for value in np.unique(classes[classes > 0]):
        places = np.flatnonzero(classes == value)
        if places.size >= 2 * LABELS:
            labels[draws.choice(places, LABELS, replace=False)] = value
    copy = gdal.GetDriverByName("GTiff").CreateCopy(output, source)
    copy.GetRasterBand(1).WriteRaster(
        0, 0, source.RasterXSize, source.RasterYSize, labels.tobytes()
    )
    copy.FlushCache()


if __name__ == "__main__":
    main(str(Path(sys.argv[1])), str(Path(sys.argv[2])))
