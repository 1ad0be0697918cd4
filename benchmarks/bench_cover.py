"""How well the shipped model ``cover`` maps the real tiles of Potsdam without a label of them.

    python3 build.py bench cover

Takes --model instead, for instance build/cover/cover.onnx, which ``train_cover.py`` writes.
The 13 tiles are those on which the simulation was judged while it was built: the figures are
no test. Roof and pavement are one class, herbaceous and dry vegetation together are low
vegetation.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal
from real_tiles import POTSDAM, ROOT, require
from sklearn.metrics import accuracy_score, f1_score, r2_score

sys.path.insert(0, str(ROOT / "engine"))

import hyperkd  # noqa: E402

# Label of the tiles by class: built (roof, pavement), low vegetation, tree, soil, water; and
# which bands of the map are added for each.
CLASSES = {1: 0, 2: 0, 3: 1, 4: 2, 5: 3, 6: 4}
OF_MAP = (("built",), ("herbaceous", "dry vegetation"), ("trees",), ("bare soil",), ("water",))
# What files of many products lack: both ranges of water vapour and both ends.
GAPS_NM = ((0, 460), (1300, 1500), (1760, 2030), (2400, 9999))


def read(path: Path) -> NDArray[Any]:
    """Return ``(band, row, col)`` of a raster of float32."""
    dataset = gdal.Open(str(path))
    shape = dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize
    return np.frombuffer(dataset.ReadRaster(), np.float32).reshape(shape)


def without_gaps(tile: Path, folder: Path) -> Path:
    """Write a tile without the bands that many products lack."""
    dataset = gdal.Open(str(tile))
    centre = [
        float(dataset.GetRasterBand(n + 1).GetMetadataItem("wavelength"))
        for n in range(dataset.RasterCount)
    ]
    kept = [
        n + 1
        for n, nm in enumerate(centre)
        if not any(first < nm < last for first, last in GAPS_NM)
    ]
    made = folder / tile.name
    gdal.Translate(str(made), dataset, bandList=kept)
    return made


def fractions(model: Any, tiles: list[Path], folder: Path) -> Iterator[NDArray[Any]]:
    """Yield the fractions of each tile, ``(cover, pixel)``."""
    for tile in tiles:
        output = folder / f"{tile.stem}-map.tif"
        hyperkd.predict(model, tile, output)
        yield read(output).reshape(len(model.card.targets), -1)


def score(model: Any, tiles: list[Path], truth: NDArray[Any], folder: Path) -> dict[str, Any]:
    """Return overall accuracy and F1 of the largest fraction."""
    found = np.concatenate(list(fractions(model, tiles, folder)), axis=1)
    names = [str(target["name"]) for target in model.card.targets]
    of_class = np.stack([sum(found[names.index(each)] for each in group) for group in OF_MAP])
    known = (truth >= 0) & np.isfinite(found[0])
    guessed = of_class[:, known].argmax(axis=0)
    each = f1_score(truth[known], guessed, average=None)
    return {
        "pixels": int(known.sum()),
        "overall_accuracy": round(float(accuracy_score(truth[known], guessed)), 3),
        "macro_f1": round(float(each.mean()), 3),
        "f1": " ".join(f"{value:.2f}" for value in each),
    }


def vegetation(model: Any, tiles: list[Path], folder: Path) -> dict[str, Any]:
    """Compare green fractions with the vegetation fraction of points, and with an index.

    Returns:
        R2 of the fractions as they are; that of NDVI on the line fitted to these very points.
    """
    names = [str(target["name"]) for target in model.card.targets]
    green = [names.index(name) for name in ("herbaceous", "trees")]
    points = ogr_points(POTSDAM / "vegcover_point.gpkg", "vegetation_fraction", folder)
    true, found, index = [], [], []
    for tile in tiles:
        dataset = gdal.Open(str(tile))
        inverse = gdal.InvGeoTransform(dataset.GetGeoTransform())
        place = [gdal.ApplyGeoTransform(inverse, x, y) for x, y, _ in points]
        here = [
            (int(row), int(col), value)
            for (col, row), (_, _, value) in zip(place, points)
            if 0 <= col < dataset.RasterXSize and 0 <= row < dataset.RasterYSize
        ]
        if not here:
            continue
        rows, cols, values = zip(*here)
        with hyperkd.open(tile) as scene:
            found += model.at(scene, rows, cols)[:, green].sum(axis=1).tolist()
            centre = scene.wavelengths
        pixels = np.frombuffer(dataset.ReadRaster(), np.float32)
        pixels = pixels.reshape(dataset.RasterCount, dataset.RasterYSize, -1)[:, rows, cols]
        red, near = (pixels[np.abs(centre - nm).argmin()] for nm in (665, 842))
        with np.errstate(invalid="ignore"):
            index += ((near - red) / (near + red)).tolist()
        true += values
    # Some points lie on pixels without data.
    known = np.isfinite(found) & np.isfinite(index)
    truth, green_there, index_there = (np.array(each)[known] for each in (true, found, index))
    slope = np.polyfit(index_there, truth, 1)

    def r2(guess: NDArray[Any]) -> float:
        return round(float(r2_score(truth, guess)), 3)

    fitted = np.polyval(slope, index_there)
    return {"points": len(truth), "r2": r2(green_there), "r2_of_fitted_ndvi": r2(fitted)}


def ogr_points(path: Path, field: str, folder: Path) -> list[tuple[float, float, float]]:
    """Return x, y and a field of points."""
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    dataset = gdal.OpenEx(str(copy), gdal.OF_VECTOR)  # must outlive its layer
    found = []
    for each in dataset.GetLayer(0):
        geometry = each.GetGeometryRef()
        found.append((geometry.GetX(), geometry.GetY(), each.GetField(field)))
    return found


def main() -> None:
    """Map all tiles, whole and without the gaps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", type=Path, default=ROOT / "resources" / "students" / "cover.onnx"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="changes nothing: it takes seconds")
    args = parser.parse_args()
    require(POTSDAM / "images")
    if not args.model.is_file():
        raise SystemExit(f"There is no model {args.model}; benchmarks/train_cover.py makes it.")
    gdal.UseExceptions()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # GDAL writes beside what it opens.
        tiles = [folder / path.name for path in sorted((POTSDAM / "images").glob("*.tif"))]
        for tile in tiles:
            tile.write_bytes((POTSDAM / "images" / tile.name).read_bytes())
        labels = [read(POTSDAM / "labels" / tile.name)[0].ravel() for tile in tiles]
        truth = np.array([CLASSES.get(int(value), -1) for value in np.concatenate(labels)])
        model = hyperkd.load_model(args.model)
        (folder / "gaps").mkdir()
        gaps = [without_gaps(tile, folder / "gaps") for tile in tiles]
        for name, given in (("all bands", tiles), ("without gaps and ends", gaps)):
            green = vegetation(model, given, folder)
            rows.append({"bands": name, **score(model, given, truth, folder), **green})
    protocol = "Potsdam, 13 tiles, 5 classes; no label was used; order of F1: as in OF_MAP"
    args.output.write_text(json.dumps({"protocol": protocol, "rows": rows}))


if __name__ == "__main__":
    main()
