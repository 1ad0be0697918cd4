"""The program that everybody writes first: read a tile, run the network, write the result.

The yardstick of ``bench_inference``: the same tiles, the same model file, the defaults of
GDAL and onnxruntime. Half of the overlap is cut off on every side instead of blended.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import onnxruntime
from osgeo import gdal

from hyperkd.raster.grid import tile_starts


def card_of(session: Any) -> dict[str, Any]:
    """Return the card of an open model."""
    card: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map["hyperkd.card"])
    return card


def bands_of(source: Any, card: dict[str, Any]) -> list[int]:
    """Return the number of the raster's band that is nearest to each of the model's."""
    centres = np.array(
        [
            float(source.GetRasterBand(number + 1).GetMetadataItem("wavelength"))
            for number in range(source.RasterCount)
        ]
    )
    return [int(np.abs(centres - wanted).argmin()) + 1 for wanted in card["bands"]["centre_nm"]]


def main() -> None:
    """Map a scene: ``plain_loop.py SCENE MODEL OUTPUT OVERLAP``."""
    scene, model, output, overlap = *sys.argv[1:4], int(sys.argv[4])
    gdal.UseExceptions()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    card = card_of(session)
    tile = card["tile_px"]
    source = gdal.Open(scene)
    bands = bands_of(source, card)
    width, height = source.RasterXSize, source.RasterYSize
    made = gdal.GetDriverByName("GTiff").Create(
        output, width, height, 1, gdal.GDT_Byte, ["COMPRESS=DEFLATE", "TILED=YES"]
    )
    made.SetGeoTransform(source.GetGeoTransform())
    made.SetProjection(source.GetProjection())
    cut = overlap // 2
    for row in tile_starts(height, tile, overlap):
        for col in tile_starts(width, tile, overlap):
            stored = source.ReadAsArray(col, row, tile, tile, band_list=bands)
            valid = (stored != -32768).all(axis=0)
            pixels = np.where(valid, stored * np.float32(1e-4), np.float32(0))
            (logits,) = session.run(
                None, {"pixels": pixels[None], "valid": valid[None, None].astype(np.float32)}
            )
            classes = np.where(valid, logits[0].argmax(axis=0) + 1, 0).astype(np.uint8)
            top, left = cut * (row > 0), cut * (col > 0)
            made.GetRasterBand(1).WriteArray(classes[top:, left:], col + left, row + top)
    del made


if __name__ == "__main__":
    main()
