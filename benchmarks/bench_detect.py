"""Which fraction of a pixel each detector finds, at one false alarm in a thousand pixels.

    python3 build.py bench detect

Spectra of minerals (USGS 1995) and of urban materials (London, Kotthaus et al. 2014) are
implanted into the real tiles of Potsdam, as one scene, and into a simulated one: x becomes
(1 - f) x + f s in 40 random pixels. The library's spectrum is the implanted one ("same"), or
another sample of the same material ("other"). The threshold is the score that one in a thousand
of the pixels without an implant exceeds, so it cannot profit from what was implanted; mean and
covariance are those of all pixels, implants included, as they are in a run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from real_tiles import POTSDAM, ROOT, absence

sys.path.insert(0, str(ROOT / "engine"))

import hyperkd  # noqa: E402
from hyperkd.inference.stats.background import BackgroundSums  # noqa: E402
from hyperkd.inference.stats.target_detectors import NAMES, make_detector  # noqa: E402
from hyperkd.raster.open_raster import open_raster  # noqa: E402
from hyperkd.spectral.libraries.library import Spectrum  # noqa: E402
from hyperkd.spectral.libraries.resampled_library import at_bands  # noqa: E402
from hyperkd.types import Wavelengths  # noqa: E402

FloatArray = NDArray[np.float64]

RATE = 1e-3
FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.5)
IMPLANTS = 40
# Two samples of each material: the library's, and the one that is implanted as "other".
MINERALS = (
    ("Kaolinite CM9", "Kaolinite KGa-1 (wxyl)"),
    ("Alunite GDS84 Na03", "Alunite HS295.3B"),
    ("Calcite WS272", "Calcite CO2004"),
    ("Hematite GDS27", "Hematite HS45.3"),
)
URBAN = (("A001", "A004"), ("B001", "B006"), ("R001", "R006"), ("C001", "C004"))


def spectra(folder: Path) -> Iterator[tuple[str, str, Spectrum, Spectrum]]:
    """Yield the kind, the name and two samples of each material."""
    for kind, file, key, pairs in (
        ("mineral", "usgs1995_minerals/minerals.npz", "name", MINERALS),
        ("urban", "slum_urban/slum.npz", "id", URBAN),
    ):
        data = np.load(folder / file)
        names = [str(name) for name in data[key]]
        values = np.where(data["X"] == -32768, np.nan, data["X"] * 1e-4)
        # AVIRIS's spectrometers overlap: each wavelength once.
        nm, first = np.unique(np.round(data["wl"], 3), return_index=True)
        for pair in pairs:
            made = [Spectrum(n, Wavelengths(nm), values[names.index(n)][first]) for n in pair]
            yield kind, pair[0], made[0], made[1]


def pixels_of(path: Path) -> tuple[FloatArray, Wavelengths]:
    """Return the valid pixels of a scene ``(n, bands)`` in reflectance, and the good bands."""
    with open_raster(str(path)) as source:
        good = np.flatnonzero(source.bands.good)
        tile = source.read_tile(source.grid.window, good.tolist())
        bands = tile.bands
        stored = tile.data[:, tile.valid].T.astype(np.float64)
        return stored * bands.scale + bands.offset, bands.wavelengths


def found(
    pixels: FloatArray, target: FloatArray, implant: FloatArray, fraction: float, seed: int
) -> dict[str, float]:
    """Return the fraction of implants that each detector finds."""
    random = np.random.default_rng(seed)
    places = random.choice(len(pixels), IMPLANTS, replace=False)
    mixed = pixels.copy()
    mixed[places] = (1 - fraction) * mixed[places] + fraction * implant
    sums = BackgroundSums(mixed.shape[1])
    sums.add(mixed)
    background = sums.background()
    rest = np.ones(len(pixels), bool)
    rest[places] = False
    rates = {}
    for method in NAMES:
        scores = make_detector(method, target, background)(mixed)
        if method == "sam":
            scores = -scores
        ranked = np.sort(scores[rest])
        threshold = ranked[len(ranked) - 1 - int(RATE * len(ranked))]
        rates[method] = float((scores[places] > threshold).mean())
    return rates


def measure(
    scenes: dict[str, list[Path]], library: list[tuple[str, str, Spectrum, Spectrum]]
) -> list[dict[str, Any]]:
    """Return the detection rates by kind of scene, material and fraction."""
    rates: dict[tuple[str, str, str, float], list[dict[str, float]]] = defaultdict(list)
    for where, paths in scenes.items():
        read = [pixels_of(path) for path in paths]
        pixels, bands = np.concatenate([each for each, _ in read]), read[0][1]
        for number, (kind, name, spectrum, other) in enumerate(library):
            first, second = (at_bands(name, each, bands) for each in (spectrum, other))
            kept = first.support.supported & second.support.supported
            kept &= pixels.std(axis=0) > 0
            part, target = pixels[:, kept], first.values[kept]
            for sample, implant in (("same", target), ("other", second.values[kept])):
                for fraction in FRACTIONS:
                    rates[where, kind, sample, fraction].append(
                        found(part, target, implant, fraction, number)
                    )
            print(f"{where}: {name}, {len(part)} pixels", file=sys.stderr, flush=True)
    return [
        {
            "scenes": where,
            "material": kind,
            "sample": sample,
            "fraction": fraction,
            **{method: float(np.mean([row[method] for row in rows])) for method in NAMES},
        }
        for (where, kind, sample, fraction), rows in sorted(rates.items())
    ]


def main() -> None:
    """Implant, detect, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller scenes")
    args = parser.parse_args()
    materials = POTSDAM.parent / "spectra"
    if not materials.is_dir():
        raise SystemExit(f"There are no measured spectra in {materials}.")
    tiles = sorted((POTSDAM / "images").glob("*.tif"))
    if not tiles:
        print(absence(POTSDAM / "images", "only simulated scenes are measured"), file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        scenes: dict[str, list[Path]] = {"simulated": [folder / "simulated.tif"]}
        side = 64 if args.quick else 128
        hyperkd.simulate(
            scenes["simulated"][0], width=side, height=side, seed=1, border=0.0, truth=False
        )
        for tile in tiles:  # GDAL writes beside what it opens
            copy = folder / tile.name
            copy.write_bytes(tile.read_bytes())
            scenes.setdefault("Potsdam", []).append(copy)
        rows = measure(scenes, list(spectra(materials)))
    protocol = (
        f"detection rate at {RATE:g} false alarms of the pixels without an implant; "
        f"{len(MINERALS)} minerals and {len(URBAN)} urban materials, mean over materials"
    )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps({"protocol": protocol, "rows": rows}))


if __name__ == "__main__":
    main()
