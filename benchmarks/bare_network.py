"""The calls of session.run alone: ``bare_network.py SCENE MODEL OVERLAP CORES WAY``.

A yardstick of ``bench_inference``: all tiles of the scene that hold a valid pixel wait in
memory, as reflectance; what is timed are the calls, by all cores. WAY is ``operators``
(every operator on all cores, the default of onnxruntime) or ``tiles`` (a tile on each
core). Prints JSON: calls, wall, cpu (seconds of wall clock and of processor).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import numpy as np
import onnxruntime
from osgeo import gdal
from plain_loop import bands_of, card_of

from hyperkd.raster.grid import tile_starts


def main() -> None:
    """Load the tiles, run the network on them, print how long the calls took."""
    scene, model, overlap, cores, way = *sys.argv[1:3], *map(int, sys.argv[3:5]), sys.argv[5]
    gdal.UseExceptions()
    options = onnxruntime.SessionOptions()
    workers = cores if way == "tiles" else 1
    if way == "tiles":
        options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    card = card_of(session)
    source = gdal.Open(scene)
    stored = source.ReadAsArray(band_list=bands_of(source, card))
    valid = (stored != -32768).all(axis=0)
    tile, inputs = card["tile_px"], []
    for row in tile_starts(source.RasterYSize, tile, overlap):
        for col in tile_starts(source.RasterXSize, tile, overlap):
            part = np.s_[row : row + tile, col : col + tile]
            if valid[part].any():
                pixels = np.where(valid[part], stored[(..., *part)] * np.float32(1e-4), 0)
                mask = valid[part][None, None].astype(np.float32)
                inputs.append({"pixels": pixels[None].astype(np.float32), "valid": mask})
    for _ in range(2):  # memory is allocated in the first run
        session.run(None, inputs[0])
    print(json.dumps({"calls": len(inputs), **_measure(session, inputs, workers)}))


def _measure(session: Any, inputs: list[dict[str, Any]], workers: int) -> dict[str, float]:
    def work(own: list[dict[str, Any]]) -> None:
        for each in own:
            session.run(None, each)

    threads = [
        threading.Thread(target=work, args=(inputs[number::workers],)) for number in range(workers)
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


if __name__ == "__main__":
    main()
