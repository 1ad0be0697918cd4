"""One pass of GDAL that decodes every block once: ``decode_once.py SCENE MODEL``.

A yardstick of ``bench_inference``: in the cheapest order, only the bands that the model
needs, as they are stored. Prints the seconds of processor time.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import onnxruntime
from osgeo import gdal
from plain_loop import bands_of, card_of

ROWS = 32  # of strips that are read at once
CACHE_BYTES = 32 * 2**20


def main() -> None:
    """Read the scene once and print what it took."""
    scene, model = sys.argv[1:]
    gdal.UseExceptions()
    gdal.SetCacheMax(CACHE_BYTES)
    source = gdal.Open(scene)
    card = card_of(onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]))
    bands = sorted(set(bands_of(source, card)))
    width, height = source.RasterXSize, source.RasterYSize
    cols, rows = source.GetRasterBand(1).GetBlockSize()
    rows *= max(1, -(-ROWS // rows))
    buffer = np.empty(len(bands) * rows * cols, np.int16)
    started = time.process_time()
    for row in range(0, height, rows):
        for col in range(0, width, cols):
            wide, high = min(cols, width - col), min(rows, height - row)
            source.ReadRaster(
                col,
                row,
                wide,
                high,
                buf_xsize=wide,
                buf_ysize=high,
                buf_type=gdal.GDT_Int16,
                band_list=bands,
                buf_obj=buffer[: len(bands) * wide * high],
            )
    print(time.process_time() - started)


if __name__ == "__main__":
    main()
