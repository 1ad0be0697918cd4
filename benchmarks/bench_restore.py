"""How well ``restore`` fills what was taken from the real tiles of Potsdam.

    python3 build.py bench restore

Each tile of 32 x 32 pixels is a scene of its own, so that little is there to learn from; once
all tiles are put into one raster, side by side. Three kinds of damage at a time: 1 % of all
values; 3 columns in 10 bands; 5 neighbouring bands in 10 % of the area. Beside it a line along the
spectrum between the bands that are left, and the mean of the band's values in the 5 x 5 pixels
around. The root mean square error is given in reflectance, and as the median of the errors of
single bands, which does not hang on the noise of a few. Stripes are counted by themselves.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal
from real_tiles import POTSDAM, ROOT, require

sys.path.insert(0, str(ROOT / "engine"))

import hyperkd  # noqa: E402
from hyperkd.spectral.missing_bands import bridged  # noqa: E402

SCALE, NODATA = 1e-4, np.float32(-32768)
KINDS = {1: "1 % of all values", 2: "3 columns in 10 bands", 3: "5 bands in 10 % of the area"}
METHODS = ("restore", "line along the spectrum", "mean of 5 x 5 pixels")


def read(path: Path) -> NDArray[Any]:
    """Return ``(band, row, col)`` of a raster of float32."""
    dataset = gdal.Open(str(path))
    shape = dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize
    return np.frombuffer(dataset.ReadRaster(), np.float32).reshape(shape)


def write(path: Path, like: Path, values: NDArray[Any]) -> None:
    """Write values with the metadata of a tile's bands."""
    count, height, width = values.shape
    tile = gdal.Open(str(like))
    made = gdal.GetDriverByName("GTiff").Create(str(path), width, height, count, gdal.GDT_Float32)
    for number in range(1, count + 1):
        old, new = tile.GetRasterBand(number), made.GetRasterBand(number)
        new.SetMetadata(old.GetMetadata())
        new.SetScale(SCALE)
        new.SetNoDataValue(float(NODATA))
    made.WriteRaster(0, 0, width, height, np.ascontiguousarray(values).tobytes())
    made.FlushCache()
    del made


def damage(shape: tuple[int, ...], good: NDArray[Any], random: Any) -> NDArray[Any]:
    """Return 0 where a value stays, else the kind of damage, ``(band, row, col)``."""
    _, height, width = shape
    kind = np.zeros(shape, np.uint8)
    kind[random.random(shape) < 0.01] = 1
    columns = random.choice(width, 3, replace=False)
    kind[np.ix_(random.choice(good, 10, replace=False), range(height), columns)] = 2
    first = random.integers(0, len(good) - 4)
    rows, cols = round(height * 0.1**0.5), round(width * 0.1**0.5)
    row, col = random.integers(0, height - rows), random.integers(0, width - cols)
    kind[good[first : first + 5], row : row + rows, col : col + cols] = 3
    kind[np.setdiff1d(np.arange(len(kind)), good)] = 0
    return kind


def by_line(values: NDArray[Any], known: NDArray[Any], centre_nm: NDArray[Any]) -> NDArray[Any]:
    """Return values with straight lines along the spectrum."""
    flat = (each.reshape(len(values), -1).T for each in (values.astype(float), known))
    return bridged(*flat, centre_nm).T.reshape(values.shape)


def by_space(values: NDArray[Any], known: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of a band's known values in the 5 x 5 pixels around."""

    def total(each: NDArray[Any]) -> NDArray[Any]:
        padded = np.pad(each, ((0, 0), (2, 2), (2, 2)))
        _, height, width = each.shape
        return sum(padded[:, i : i + height, j : j + width] for i in range(5) for j in range(5))

    return total(np.where(known, values, 0.0)) / np.maximum(total(known.astype(float)), 1)


def trial(
    truth: NDArray[Any], like: Path, folder: Path, seed: int
) -> tuple[NDArray[Any], list[NDArray[Any]], float]:
    """Return the damage, the error of each method, and the seconds that restoring took."""
    tile = gdal.Open(str(like))
    centre_nm = np.array(
        [float(tile.GetRasterBand(n + 1).GetMetadataItem("wavelength")) for n in range(len(truth))]
    )
    good = np.flatnonzero((truth != NODATA).any(axis=(1, 2)))
    kind = damage(truth.shape, good, np.random.default_rng(seed))
    damaged, output, marks = (folder / name for name in ("damaged.tif", "out.tif", "marks.tif"))
    write(damaged, like, np.where(kind > 0, NODATA, truth))
    start = time.perf_counter()
    hyperkd.restore(damaged, output, filled=marks)
    seconds = time.perf_counter() - start
    restored = read(output)
    filled = np.frombuffer(gdal.Open(str(marks)).ReadRaster(), np.uint8).reshape(truth.shape)
    if not np.array_equal(filled > 0, kind > 0) or (restored != truth)[kind == 0].any():
        raise SystemExit("restore touched what it must not, or marked what it did not fill")
    known = (kind == 0) & (truth != NODATA)
    found = (restored, by_line(truth, known, centre_nm), by_space(truth, known))
    return kind, [(each - truth) * SCALE for each in found], seconds


def rows_of(scene: str, results: list[Any]) -> list[dict[str, Any]]:
    """Return the figures of one scene, or of several that count as one."""
    rows = []
    for kind, name in KINDS.items():
        row: dict[str, Any] = {"scene": scene, "damage": name}
        row["values"] = sum(int((kinds == kind).sum()) for kinds, *_ in results)
        for place, method in enumerate(METHODS):
            squares = [np.where(k == kind, np.square(e[place]), 0.0) for k, e, _ in results]
            total = sum(each.sum(axis=(1, 2)) for each in squares)
            count = sum((k == kind).sum(axis=(1, 2)) for k, *_ in results)
            row[method] = round(float(np.sqrt(total.sum() / count.sum())), 5)
            each_band = np.sqrt(total[count > 0] / count[count > 0])
            row[f"{method}, median band"] = round(float(np.median(each_band)), 5)
        row["seconds"] = round(sum(seconds for *_, seconds in results), 1)
        rows.append(row)
    return rows


def stripes(tiles: list[NDArray[Any]], like: Path, folder: Path) -> dict[str, Any]:
    """Return how many columns of single bands are found, and how many that are right."""
    damaged, output = folder / "damaged.tif", folder / "out.tif"
    made = found = others = 0
    for seed, tile in enumerate(tiles):
        random = np.random.default_rng(seed)
        values, wrong = tile.copy(), set()
        for number in range(6):
            band, column = int(random.integers(0, 120)), int(random.integers(0, tile.shape[2]))
            if number < 2:
                values[band, :, column] = 0
            else:
                values[band, :, column] += random.choice([-1, 1]) * 0.02 / SCALE
            wrong.add((band + 1, column + 1))
        for scene, expected in ((tile, set()), (values, wrong)):
            write(damaged, like, scene)
            told = hyperkd.restore(damaged, output, stripes=True)["stripes"]
            got = {(each["band"], column) for each in told for column in each["columns"]}
            found, others = found + len(got & expected), others + len(got - expected)
        made += len(wrong)
    return {
        "scene": f"{len(tiles)} tiles, each alone, with --stripes",
        "damage": "2 dead columns and 4 that are off by 0.02, in single bands",
        "values": made,
        METHODS[0]: f"{found} found, {others} others",
    }


def main() -> None:
    """Damage, restore and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="three tiles alone")
    args = parser.parse_args()
    require(POTSDAM / "images")
    gdal.UseExceptions()
    paths = sorted((POTSDAM / "images").glob("*.tif"))[: 3 if args.quick else None]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # GDAL writes beside what it opens.
        like = folder / "like.tif"
        like.write_bytes(paths[0].read_bytes())
        tiles = []
        for path in paths:
            (folder / path.name).write_bytes(path.read_bytes())
            tiles.append(read(folder / path.name))
        results = [trial(tile, like, folder, seed) for seed, tile in enumerate(tiles)]
        rows = rows_of(f"{len(tiles)} tiles, each alone", results)
        if not args.quick:
            # Three rows of four tiles; places where they meet are no neighbours.
            joined = np.block([tiles[4 * row : 4 * row + 4] for row in range(3)])
            rows += rows_of("12 tiles in one raster", [trial(joined, like, folder, 100)])
        rows.append(stripes(tiles, like, folder))
    protocol = (
        "EnMAP tiles of Potsdam, damage by a seed of each tile; root mean square errors in "
        "reflectance; every other value was compared bit by bit"
    )
    args.output.write_text(json.dumps({"protocol": protocol, "rows": rows}))


if __name__ == "__main__":
    main()
