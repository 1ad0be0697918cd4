"""Wavelengths that stand in the STAC item beside a GeoTIFF, as Wyvern and others deliver it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.raster.open_raster import open_raster
from tests.factories import make_raster

MICROMETRES = [0.503, 0.51, 0.669, 0.764, 0.799]
ID = "wyvern_dragonette-001_20250724T071146_fbaa00bd"


def item(level: str = "L2A", old: bool = True, href: str = f"./{ID}.tiff") -> dict[str, Any]:
    """Return a STAC item with five bands as its version before or after 1.1 writes them."""
    prefix = "" if old else "eo:"
    bands = [
        {"name": f"b{n}", f"{prefix}center_wavelength": w, f"{prefix}full_width_half_max": 0.02}
        for n, w in enumerate(MICROMETRES)
    ]
    other = [{f"{prefix}center_wavelength": 0.5} for _ in MICROMETRES]
    return {
        "type": "Feature",
        "stac_version": "1.0.0" if old else "1.1.0",
        "properties": {"processing:level": level},
        "assets": {
            "preview": {"href": "p.png"},
            "other": {"href": "./other.tiff", "eo:bands" if old else "bands": other},
            "image": {"href": href, "eo:bands" if old else "bands": bands},
        },
    }


def scene(tmp_path: Path, beside: Any, name: str = f"{ID}.json") -> Path:
    values = np.random.default_rng(2).integers(300, 4000, (5, 6, 7)).astype(np.uint16)
    path = make_raster(tmp_path / f"{ID}.tiff", values, wavelengths=None, nodata=0)
    text = beside if isinstance(beside, str) else json.dumps(beside)
    (tmp_path / name).write_text(text)
    return Path(path)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("name", [f"{ID}.json", f"{ID}.tiff.json", f"{ID}.tiff.stac.json"])
def test_wavelengths_of_the_item_beside(tmp_path: Path, old: bool, name: str) -> None:
    with open_raster(str(scene(tmp_path, item(old=old), name))) as source:
        np.testing.assert_allclose(
            source.bands.wavelengths.centre_nm, np.array(MICROMETRES) * 1000, rtol=1e-12
        )
        np.testing.assert_allclose(source.bands.wavelengths.fwhm_nm, [20.0] * 5, rtol=1e-12)
        assert source.bands.origins["wavelength"] == f"sidecar {name} bands"
        assert str(tmp_path / name) in [stamp[0] for stamp in source.stamp()]


def test_radiance_by_its_item_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HyperKDError, match="is of level L1B: no surface reflectance") as caught:
        open_raster(str(scene(tmp_path, item("L1B"))))
    assert caught.value.code == "bad_product"


@pytest.mark.parametrize(
    "beside",
    [
        "not json",
        "[1, 2]",
        "[" * 100_000,
        "{}",
        '{"stac_version": "1.0.0", "assets": [], "properties": {}}',
        '{"stac_version": "1.0.0", "assets": {"a": 1}, "properties": {}}',
        '{"stac_version": "1.0.0", "assets": {"a": {"bands": [1, 2, 3, 4, 5]}}, "properties": {}}',
        '{"stac_version": "1.0.0", "assets": {"a": {"bands": 5}}, "properties": {}}',
    ],
)
def test_other_json_says_nothing(tmp_path: Path, beside: str) -> None:
    with pytest.raises(HyperKDError, match="says no wavelengths") as caught:
        open_raster(str(scene(tmp_path, beside)))
    assert caught.value.code == "no_wavelengths"
