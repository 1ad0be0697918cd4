"""Scenes and models for ``bench_inference``, made once and kept in ``build/bench/inference``.

The scene is simulated (``hyperkd synth``): 224 bands of int16 like EnMAP's, with fields,
forests, noise and clouds of mixed pixels. What matters here is that DEFLATE finds in
it what it finds in a real one: the delivered scenes shrink to 0.77 of their valid
pixels' size, this one does to 0.77 too.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

gdal.UseExceptions()

WIDTH, HEIGHT, BANDS = 1100, 1000, 224
NODATA = -32768
CLASSES: Final = 13

# As delivered (three rows of 1100 int16 fill GDAL's strip of 8 KB), as the cloud
# optimised product, and as EnMAP-Box and others write it.
LAYOUTS: Final[dict[str, tuple[str, ...]]] = {
    "strips": ("INTERLEAVE=BAND", "BLOCKYSIZE=3"),
    "pixel-tiles": ("INTERLEAVE=PIXEL", "TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512"),
    "band-tiles": ("INTERLEAVE=BAND", "TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512"),
}


def scene(folder: Path, layout: str, *, border: bool, times: int = 1, rows: int = HEIGHT) -> Path:
    """Return a scene in one of ``LAYOUTS``, made where it is not there yet.

    Args:
        folder: where scenes are kept.
        layout: one of ``LAYOUTS``.
        border: whether a quarter of the raster is nodata, as around a rotated footprint.
        times: how often the scene stands below itself, mirrored.
        rows: rows of the scene; fewer are the upper ones.
    """
    name = f"{layout}{'-border' if border else ''}-{rows}x{times}.tif"
    path = folder / name
    if not path.exists():
        plain = _simulated(folder)
        _write(path, plain, LAYOUTS[layout], border, times, rows)
    return path


def _simulated(folder: Path) -> Path:
    path = folder / "simulated.tif"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "hyperkd", "synth", "--output", str(path), "--no-truth"]
        size = ["--width", str(WIDTH), "--height", str(HEIGHT), "--seed", "7", "--border", "0"]
        subprocess.run([*command, *size], check=True, capture_output=True)
    return path


def _footprint(width: int, height: int) -> NDArray[np.bool_]:
    """Return where a rotated square scene has data: 75 % of the raster."""
    y, x = np.mgrid[0:height, 0:width]
    x, y = (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5
    angle = np.radians(11.0)
    across, down = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    furthest = np.maximum(np.abs(across), np.abs(down))
    return np.asarray(furthest <= np.quantile(furthest, 0.75))


def _write(
    path: Path, plain: Path, layout: tuple[str, ...], border: bool, times: int, rows: int
) -> None:
    source = gdal.Open(str(plain))
    options = [*layout, "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER", "NUM_THREADS=ALL_CPUS"]
    part = path.with_suffix(".part")
    made = gdal.GetDriverByName("GTiff").Create(
        str(part), WIDTH, rows * times, BANDS, gdal.GDT_Int16, options
    )
    made.SetGeoTransform(source.GetGeoTransform())
    made.SetProjection(source.GetProjection())
    for number in range(1, BANDS + 1):
        band, other = made.GetRasterBand(number), source.GetRasterBand(number)
        band.SetMetadata(other.GetMetadata())
        band.SetNoDataValue(NODATA)
        band.SetScale(other.GetScale())
    valid = _footprint(WIDTH, rows) if border else np.ones((rows, WIDTH), np.bool_)
    gdal.SetCacheMax(512 * 2**20)
    step = 512 if "TILED=YES" in layout else 60
    for row in range(0, rows * times, step):
        count = min(step, rows * times - row)
        block = np.empty((BANDS, count, WIDTH), np.int16)
        for index in range(count):
            turn, place = divmod(row + index, rows)
            place = rows - 1 - place if turn % 2 else place
            line = np.frombuffer(
                source.ReadRaster(0, place, WIDTH, 1, buf_type=gdal.GDT_Int16), np.int16
            ).reshape(BANDS, WIDTH)
            block[:, index] = np.where(valid[place], line, NODATA)
        made.WriteRaster(
            0, row, WIDTH, count, block.tobytes(), WIDTH, count, gdal.GDT_Int16,
            list(range(1, BANDS + 1)),
        )  # fmt: skip
    made.FlushCache()
    del made
    os.replace(part, path)


def model(folder: Path, preset: str) -> Path:
    """Return a model with ``CLASSES`` classes: a student of that size with a dense head.

    The weights are random, which costs the same as trained ones.
    """
    path = folder / f"{preset}-classes.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _make_model(path, preset)
    return path


def smaller_model(folder: Path, preset: str) -> Path:
    """Return the same model with int8 weights, as `hyperkd quantize` makes it.

    What it loses says nothing here, because the weights are random; see
    ``bench_quantisation``.
    """
    path = folder / f"{preset}-int8.onnx"
    if not path.exists():
        tiles = scene(folder, "band-tiles", border=False, rows=200)
        files = ["--model", model(folder, preset), "--input", tiles, "--output", path]
        flags = [*map(str, files), "--tiles", "2", "--loss", "100"]
        command = [sys.executable, "-m", "hyperkd", "quantize", *flags]
        subprocess.run(command, check=True, capture_output=True)
    return path


def _make_model(path: Path, preset: str) -> None:
    import torch

    from hyperkd.models.bundle import open_bundle
    from hyperkd.models.nets.heads import DenseHead, DenseModel, HeadConfig
    from hyperkd.models.nets.student import Student
    from hyperkd.models.sizes import PRESETS
    from hyperkd.models.store.registry import resolve
    from hyperkd.training.common.checkpoint import architecture
    from hyperkd.training.export import export_model

    torch.manual_seed(0)
    known, config = open_bundle(resolve("tiny")).card, PRESETS[preset]
    student = Student(config, known.mean, known.std)
    sizes = HeadConfig.fitting(config, "classification", CLASSES)
    network = DenseModel(student, DenseHead(sizes))
    with torch.no_grad():
        for parameter in network.parameters():  # what begins at 0 would not disagree by class
            if not parameter.any():
                parameter.normal_(std=0.05)
    classes = tuple(
        {"name": f"class {index}", "value": index, "color": f"#{20 * index:02x}a0{index:02x}"}
        for index in range(CLASSES)
    )
    card = dataclasses.replace(
        known,
        name=f"{preset} with classes",
        task="classification",
        patch_px=config.patch,
        tile_px=config.tile,
        receptive_field_px=config.tile,
        embedding_dim=config.dim,
        classes=classes,
        architecture=architecture(preset, config, sizes),
        self_test=None,
    )
    export_model(network.eval(), card, path)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))
