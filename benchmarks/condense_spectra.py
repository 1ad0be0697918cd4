"""Condense the measured spectra of ``earthlib`` into the small file that the simulator uses.

    .venv/bin/python benchmarks/condense_spectra.py path/to/earthlib-1.1.0-py3-none-any.whl

``earthlib`` (MIT, Christopher Anderson) holds 7261 spectra, 180 bands from 400 to 2450 nm
without the two water vapour windows. Its 2000 canopies are simulated and left out: the
simulator makes its own. Of a kind with more than ``MOST`` spectra those are kept that lie
farthest from each other (greedy k-centre on brightness and shape, Gonzalez 1985), so that
the rare ones stay. The same wheel gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

OUTPUT: Final = Path(__file__).parents[1] / "engine/hyperkd/synth/measured_spectra.npz"
MOST: Final = 700
SCALE: Final = 1e-4

# Which kind of the simulator a spectrum belongs to, by the third level of the library; the
# second where the third is not named. What fits none (glass, manholes, "mixed") is left out.
KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("soil", "sand", "dirt"), "soil"),
    "gravel": "rock",
    **dict.fromkeys(("comp_shingle", "wood_shingle", "concrete_tile", "tile", "metal"), "roof"),
    **dict.fromkeys(
        ("road", "sidewalk", "parking_lot", "asphalt", "bridge", "driveway", "paint"), "pavement"
    ),
    **dict.fromkeys(("litter", "bark", "wood", "npv"), "dry vegetation"),
    "char": "burned",
}


def read_licence(path: Path) -> str:
    """Return the licence of the library, which goes with every copy of its spectra."""
    with zipfile.ZipFile(path) as wheel:
        (name,) = (each for each in wheel.namelist() if each.endswith("/licenses/LICENSE"))
        return wheel.read(name).decode()


def read_wheel(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], list[dict[str, str]]]:
    """Return wavelengths in nm, reflectance ``(spectra, bands)`` and the table of the library."""
    with zipfile.ZipFile(path) as wheel:
        header = wheel.read("earthlib/data/spectra.sli.hdr").decode()
        content = wheel.read("earthlib/data/spectra.sli")
        table = wheel.read("earthlib/data/spectra.csv").decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    _, _, rest = header.partition("wavelength = {")
    wavelength_nm = np.array([float(word) for word in rest.partition("}")[0].split(",")])
    if wavelength_nm.max() < 100:
        wavelength_nm = wavelength_nm * 1000
    values = np.frombuffer(content, "<f4").reshape(len(rows), wavelength_nm.size)
    return wavelength_nm, values.astype(np.float64), rows


def farthest(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return the positions of ``count`` rows that lie far from each other, sorted."""
    level = values.mean(1, keepdims=True)
    features = np.concatenate([values / np.maximum(level, 0.01), 3 * np.log(level + 0.02)], 1)
    chosen = [int(np.argmin(np.abs(features - np.median(features, 0)).sum(1)))]
    distance = np.full(len(values), np.inf)
    while len(chosen) < min(count, len(values)):
        distance = np.minimum(distance, ((features - features[chosen[-1]]) ** 2).mean(1))
        chosen.append(int(distance.argmax()))
    return np.sort(np.array(chosen, dtype=np.intp))


def condense(path: Path) -> dict[str, Any]:
    """Return the arrays of the file, by name."""
    wavelength_nm, values, rows = read_wheel(path)
    kinds = np.array(
        [KINDS.get(row["LEVEL_3"], "") if row["LEVEL_4"] == "measured" else "" for row in rows]
    )
    sound = np.isfinite(values).all(1) & (values.min(1) >= 0) & (values.max(1) <= 1.2)
    # Field spectra jump where a detector ends or noise was not removed.
    steps = np.abs(np.diff(values, axis=1)).max(1)
    sound &= steps < 0.15
    names = sorted({kind for kind in kinds if kind})
    chosen = []
    for kind in names:
        of_kind = np.flatnonzero((kinds == kind) & sound)
        chosen.append(of_kind[farthest(values[of_kind], MOST)])
    order = np.concatenate(chosen)
    return {
        "wavelength_nm": wavelength_nm.astype(np.float32),
        "reflectance": np.rint(values[order] / SCALE).astype(np.uint16),
        "kind": np.array([names.index(kind) for kind in kinds[order]], np.uint8),
        "kinds": np.array(names),
        "licence": np.array(read_licence(path)),
    }


def main() -> None:
    """Write the file and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    arrays = condense(parser.parse_args().wheel)
    np.savez_compressed(OUTPUT, **arrays)
    counts = np.bincount(arrays["kind"], minlength=len(arrays["kinds"]))
    for name, count in zip(arrays["kinds"], counts):
        print(f"{name}: {count}")
    print(f"{OUTPUT}: {OUTPUT.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
