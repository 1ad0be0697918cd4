"""How the model ``traits`` does on real spectra, none of which it was trained on.

    python3 build.py bench traits

Takes the shipped model, or --model. On canopies of the
Arctic dry matter is compared with measured leaf mass per area, campaign by campaign, and with
ridge regression on the same spectra that never saw the campaign. The tiles of Potsdam have no
measured trait: whether the maps are plausible is all that they can show.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from bench_cover import read
from numpy.typing import NDArray
from osgeo import gdal
from real_tiles import ARCTIC, GAPS_NM, POTSDAM, ROOT, require
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(ROOT / "engine"))

import hyperkd  # noqa: E402
from hyperkd.inference.backends.onnxruntime_backend import open_session  # noqa: E402
from hyperkd.models.bundle import Bundle, open_bundle  # noqa: E402
from hyperkd.spectral.missing_bands import bridged  # noqa: E402
from hyperkd.spectral.responses import gaussian_responses  # noqa: E402

LABELS = {1: "roof", 2: "pavement", 3: "low vegetation", 4: "tree", 5: "soil", 6: "water"}
PENALTIES = np.logspace(-1, 5, 13)


def columns(bundle: Bundle) -> dict[str, int]:
    """Return the position of each trait."""
    return {str(target["name"]): place for place, target in enumerate(bundle.card.targets)}


def traits_of(
    bundle: Bundle, spectra: NDArray[Any], present: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return traits and their errors ``(n, T)`` of ``(n, C)`` spectra, NaN where none applies."""
    centre_nm = bundle.card.bands.centre_nm
    whole = bridged(spectra.astype(np.float32), np.tile(present, (len(spectra), 1)), centre_nm)
    session = open_session(bundle.network("values", None, present), "cpu", 1)
    valid = np.ones((1, 1, len(spectra), 1), np.float32)
    found = session.run(np.ascontiguousarray(whole.T[None, :, :, None]), valid)[0, :, :, 0].T
    count = len(bundle.card.targets)
    values, errors = found[:, :count], found[:, count : 2 * count]
    return np.where(errors < 0, np.nan, values), errors


def r2(truth: NDArray[Any], found: NDArray[Any]) -> float:
    """Return the fraction of the variance that is explained."""
    return float(1 - np.square(found - truth).sum() / np.square(truth - truth.mean()).sum())


def ridge(
    spectra: NDArray[Any], truth: NDArray[Any], campaign: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Return what ridge regression that was fitted on the other campaigns gives."""
    found = np.empty(len(truth))
    for name in np.unique(campaign):
        here = campaign == name
        model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
        found[here] = model.fit(spectra[~here], truth[~here]).predict(spectra[here])
    return found


def arctic(bundle: Bundle) -> list[dict[str, Any]]:
    """Return one row for each campaign, and one for all together, of dry matter."""
    bands = bundle.card.bands
    with np.load(ARCTIC / "canopy.npz", allow_pickle=False) as stored:
        known = np.isfinite(stored["LMA_gDW_m2"]) & (stored["X"] > -32768).all(axis=1)
        responses = gaussian_responses(bands, stored["wl"].astype(float))
        spectra = (stored["X"][known] * 1e-4) @ responses.T
        campaign, mass = stored["campaign"][known], stored["LMA_gDW_m2"][known] * 1e-4
    present = np.ones(len(bands), bool)
    for low, high in GAPS_NM:
        present &= (bands.centre_nm <= low) | (bands.centre_nm >= high)
    values, errors = (
        each[:, columns(bundle)["dry matter"]] for each in traits_of(bundle, spectra, present)
    )
    truth, found = np.log(mass), np.log(values)
    fitted = ridge(spectra[:, present], truth, campaign)
    rows = []
    for name in (*np.unique(campaign), "all campaigns"):
        wanted = np.ones(len(mass), bool) if name == "all campaigns" else campaign == name
        here = wanted & np.isfinite(values)
        rows.append(
            {
                "of": str(name),
                "spectra": int(wanted.sum()),
                "trait": "dry matter",
                "told": f"{here.sum() / wanted.sum():.0%}",
                "median": f"{np.median(values[here]):.3g}",
                "true median": f"{np.median(mass[here]):.3g}",
                "r": f"{np.corrcoef(found[here], truth[here])[0, 1]:.2f}",
                "r2": f"{r2(truth[here], found[here]):.2f}",
                "ridge r": f"{np.corrcoef(fitted[here], truth[here])[0, 1]:.2f}",
                "ridge r2": f"{r2(truth[here], fitted[here]):.2f}",
                "within one error": f"{(np.abs(mass - values) <= errors)[here].mean():.2f}",
            }
        )
    return rows


def potsdam(model: Any) -> list[dict[str, Any]]:
    """Return one row for each label of the tiles and each trait."""
    names = [str(target["name"]) for target in model.card.targets]
    maps, labels = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for source in sorted((POTSDAM / "images").glob("*.tif")):
            # GDAL writes beside what it opens.
            tile, output = Path(temporary) / source.name, Path(temporary) / f"{source.stem}-map.tif"
            tile.write_bytes(source.read_bytes())
            hyperkd.predict(model, tile, output)
            maps.append(read(output).reshape(len(names), -1))
            labels.append(read(POTSDAM / "labels" / source.name)[0].ravel())
    found, label = np.concatenate(maps, axis=1), np.concatenate(labels)
    rows = []
    for code, name in LABELS.items():
        for trait, values in zip(names, found[:, label == code]):
            told = np.isfinite(values)
            rows.append(
                {
                    "of": name,
                    "spectra": len(values),
                    "trait": trait,
                    "told": f"{told.mean():.0%}",
                    "median": f"{np.median(values[told]):.3g}" if told.any() else "",
                }
            )
    return rows


def main() -> None:
    """Compare with measured traits, then look at the tiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shipped = ROOT / "resources" / "students" / "traits.onnx"
    parser.add_argument("--model", type=Path, default=shipped)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="changes nothing: it takes seconds")
    args = parser.parse_args()
    require(POTSDAM / "images")
    if not args.model.is_file():
        raise SystemExit(f"There is no model {args.model}; benchmarks/train_traits.py makes it.")
    gdal.UseExceptions()
    rows = [*arctic(open_bundle(args.model)), *potsdam(hyperkd.load_model(args.model))]
    protocol = (
        "dry matter against measured leaf mass per area of Arctic canopies, r and r2 of the "
        "logarithms, beside ridge regression that never saw the campaign; then the tiles of "
        "Potsdam by label; told: in how many pixels"
    )
    args.output.write_text(json.dumps({"protocol": protocol, "rows": rows}))


if __name__ == "__main__":
    main()
