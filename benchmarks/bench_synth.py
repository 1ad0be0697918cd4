"""How fast scenes are simulated, and how near a real scene comes to them.

The real scene is the EnMAP scene of Potsdam in July 2022 (tiles and labels of the
EnMAP-Box's test data). Protocol: for each seed a scene of 128 x 128 pixels without
border; for each labelled real pixel the smallest spectral angle to any simulated
pixel, over the 216 good bands without 1939 to 1958 nm; the median by label.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal
from real_tiles import POTSDAM, require

from hyperkd.raster.open_raster import open_raster
from hyperkd.synth.scene import SimulatedScene

LABELS = {1: "roof", 2: "pavement", 3: "low vegetation", 4: "tree", 5: "soil"}


def read_real(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return real reflectance x 10000 ``(224, pixels)`` by wavelength, and the labels."""
    pixels, labels = [], []
    for path in sorted((folder / "images").glob("*.tif")):
        with open_raster(str(path)) as image:
            order = np.argsort(image.bands.wavelengths.centre_nm)
            pixels.append(image.read(image.grid.window).reshape(len(image.bands), -1)[order])
        label = gdal.Open(str(folder / "labels" / path.name))
        labels.append(np.frombuffer(label.ReadRaster(buf_type=gdal.GDT_Float32), np.float32))
    return np.concatenate(pixels, axis=1), np.concatenate(labels)


def nearest_angles_deg(real: NDArray[Any], simulated: NDArray[Any]) -> NDArray[np.float32]:
    """Return the angle of each column of ``real`` to the nearest column of ``simulated``."""
    real, simulated = (values / np.linalg.norm(values, axis=0) for values in (real, simulated))
    nearest = np.full(real.shape[1], -1.0, dtype=np.float32)
    for start in range(0, simulated.shape[1], 2048):
        cosine = real.T @ simulated[:, start : start + 2048]
        nearest = np.maximum(nearest, cosine.max(axis=1))
    return np.degrees(np.arccos(np.clip(nearest, -1, 1)))


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="two seeds instead of eight")
    parser.add_argument(
        "--real",
        type=Path,
        default=POTSDAM,
        help="folder with images/ and labels/",
    )
    arguments = parser.parse_args()
    require(arguments.real / "images")
    real, label = read_real(arguments.real)
    rows = []
    for seed in range(2 if arguments.quick else 8):
        started = time.perf_counter()
        scene = SimulatedScene(128, 128, seed, border=0.0)
        prepared = time.perf_counter()
        simulated = scene.render(scene.grid.window).scene.reshape(len(scene.bands), -1)
        rendered = time.perf_counter()
        centre = scene.bands.wavelengths.centre_nm
        use = scene.bands.good & ~((centre > 1900) & (centre < 1965))
        chosen = np.isin(label, list(LABELS))
        angles = nearest_angles_deg(
            real[use][:, chosen].astype(np.float32), simulated[use].astype(np.float32)
        )
        row = {"seed": seed, "spectra_s": round(prepared - started, 2)}
        row["pixels_per_s"] = round(simulated.shape[1] / (rendered - prepared))
        for value, name in LABELS.items():
            row[f"{name}_deg"] = round(float(np.median(angles[label[chosen] == value])), 2)
        rows.append(row)
    protocol = " ".join((__doc__ or "").split("Protocol: ")[1].split())
    arguments.output.write_text(json.dumps({"protocol": protocol, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
