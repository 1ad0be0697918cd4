"""The job ``firstlook``: its four maps and what it says, with numbers known by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

gdal = pytest.importorskip("osgeo.gdal")
pytest.importorskip("onnxruntime")

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.inference.first_look import channel_of, first_look, natural_bands  # noqa: E402
from hyperkd.requests.predict_options import FirstLookJob  # noqa: E402
from tests.engine.inference_factories import CENTRES, band_table, make_model  # noqa: E402
from tests.factories import make_raster  # noqa: E402
from tests.reports import SilentReport  # noqa: E402

NAMES = ("built", "bare soil", "herbaceous", "water", "cloud")
COLOURS = ("#c8283c", "#b08050", "#a6d854", "#3070d0", "#a0a0a0")
FILES = ("dominant", "composite", "uncertainty", "fractions")
HOLE = (2, 3)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(
        make_model(tmp_path / "covers.onnx", task="regression", names=NAMES, colours=COLOURS)
    )


@pytest.fixture
def fractions() -> NDArray[np.float64]:
    """Return fractions in steps of 0.004, ``(5, 12, 10)``, with a hole."""
    random = np.random.default_rng(0)
    made = random.multinomial(250, [0.5, 0.1, 0.2, 0.1, 0.1], (12, 10)).transpose(2, 0, 1) / 250
    made[:, HOLE[0], HOLE[1]] = np.nan
    return made


@pytest.fixture
def scene(tmp_path: Path, fractions: NDArray[np.float64]) -> str:
    stored = np.where(np.isnan(fractions), -32768, np.rint(fractions * 1e4)).astype(np.int16)
    return str(make_raster(tmp_path / "scene.tif", stored, wavelengths=list(CENTRES), fwhm=10.0))


def look(scene: str, model: str, folder: Path, *roles: str, **options: Any) -> dict[str, Any]:
    files = {role: str(folder / f"{role}.tif") for role in roles}
    return first_look(FirstLookJob(input=scene, model=model, **files, **options), SilentReport())


def read(path: Path) -> NDArray[Any]:
    return np.atleast_3d(gdal.Open(str(path)).ReadAsArray().T).T


def test_the_maps_are_those_of_the_fractions(
    scene: str, model: str, fractions: NDArray[np.float64], tmp_path: Path
) -> None:
    summary = look(scene, model, tmp_path, *FILES)
    dominant, composite, uncertainty, mapped = (read(tmp_path / f"{each}.tif") for each in FILES)
    valid = np.isfinite(fractions[0])
    np.testing.assert_allclose(mapped, fractions, atol=1e-6)
    assert np.isnan(mapped[:, HOLE[0], HOLE[1]]).all() and np.isnan(uncertainty[0][HOLE])
    assert (dominant[0][HOLE], *composite[:, HOLE[0], HOLE[1]]) == (0, 255, 255, 255)
    largest = mapped.argmax(axis=0)
    assert np.array_equal(dominant[0][valid], largest[valid] + 1)
    np.testing.assert_allclose(uncertainty[0][valid], fractions.max(axis=0)[valid] / 2, atol=1e-6)
    sums = [fractions[0] + fractions[1], fractions[2], fractions[3] + fractions[4]]
    assert np.array_equal(composite[:, valid], np.rint(np.stack(sums)[:, valid] * 250))
    assert (composite[:, valid].sum(axis=0) == 250).all()

    means = dict(zip(NAMES, fractions[:, valid].mean(axis=1)))
    assert summary["mean_fractions"] == pytest.approx(means, abs=2e-6)
    counts = np.bincount(largest[valid], minlength=5).tolist()
    assert summary["dominant_pixels"] == dict(zip(NAMES, counts))
    middle = np.sort(uncertainty[0][valid])[(valid.sum() - 1) // 2]
    assert summary["median_standard_error"] == pytest.approx(middle, abs=6e-4)
    json.dumps(summary)


def test_what_the_model_does_not_know_is_told(
    scene: str, fractions: NDArray[np.float64], tmp_path: Path
) -> None:
    about: dict[str, Any] = {"names": NAMES, "colours": COLOURS, "knows": True}
    model = str(make_model(tmp_path / "knows.onnx", task="regression", **about))
    files = {role: str(tmp_path / f"{role}.tif") for role in FILES}
    report = SilentReport()
    summary = first_look(FirstLookJob(input=scene, model=model, **files), report)
    valid = np.isfinite(fractions[0])
    below, at = (fractions[0][valid] < 0.499).mean(), (fractions[0][valid] < 0.501).mean()
    assert 0.2 < below <= summary["unlike_training"] + 1e-6 <= at + 2e-6 < 0.9
    assert any("of the pixels are unlike everything" in text for text in map(str, report.logs))
    error = read(tmp_path / "uncertainty.tif")[0][valid]
    np.testing.assert_allclose(error, fractions.max(axis=0)[valid] / 2, atol=1e-6)


def test_bands_tell_what_they_hold(scene: str, model: str, tmp_path: Path) -> None:
    look(scene, model, tmp_path, *FILES)
    said = {}
    for role in FILES:
        dataset = gdal.Open(str(tmp_path / f"{role}.tif"))
        bands = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
        said[role] = [band.GetDescription() for band in bands]
    assert said == {
        "dominant": ["cover"],
        "composite": ["built, bare soil", "herbaceous", "water, cloud"],
        "uncertainty": ["standard error of the largest fraction"],
        "fractions": list(NAMES),
    }
    classes = gdal.Open(str(tmp_path / "dominant.tif"))
    dominant = classes.GetRasterBand(1)
    assert dominant.GetColorTable().GetColorEntry(1)[:3] == (0xC8, 0x28, 0x3C)
    composite = gdal.Open(str(tmp_path / "composite.tif"))
    assert composite.GetRasterBand(1).GetScale() == 1 / 250


@pytest.mark.parametrize("role", FILES)
def test_a_map_alone_is_the_same_and_the_summary_says_what_it_knows(
    scene: str, model: str, tmp_path: Path, role: str
) -> None:
    (tmp_path / "all").mkdir()
    whole = look(scene, model, tmp_path / "all", *FILES)
    alone = look(scene, model, tmp_path, role)
    np.testing.assert_array_equal(
        read(tmp_path / f"{role}.tif"), read(tmp_path / "all" / f"{role}.tif")
    )
    of_role = {
        "dominant": "dominant_pixels",
        "uncertainty": "median_standard_error",
        "fractions": "mean_fractions",
    }
    for each, key in of_role.items():
        assert alone.get(key) == (whole[key] if each == role else None)


def test_without_any_map_there_is_nothing_to_do(scene: str) -> None:
    with pytest.raises(HyperKDError, match="'firstlook' has nothing to write") as caught:
        FirstLookJob(input=scene)
    assert caught.value.code == "bad_job"
    assert FirstLookJob(input=scene, dominant="d.tif").model == "cover"


@pytest.mark.parametrize(
    ("kind", "message", "key"),
    [
        ("values", "toy is a regression model, which has no fractions of covers", "model"),
        (
            "no errors",
            "toy does not know its own errors, so there is no uncertainty",
            "uncertainty",
        ),
    ],
)
def test_a_model_that_cannot_is_refused(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, message: str, key: str
) -> None:
    about = {} if kind == "values" else {"names": NAMES, "colours": COLOURS, "spread": False}
    model = str(make_model(tmp_path / "other.onnx", task="regression", **about))
    with pytest.raises(HyperKDError, match=message) as caught:
        look(scene, model, tmp_path, "dominant", "uncertainty")
    assert (caught.value.code, caught.value.context) == ("bad_job", {"key": key})
    assert not (tmp_path / "dominant.tif").exists()


def test_a_class_model_is_refused(scene: str, tmp_path: Path) -> None:
    model = str(make_model(tmp_path / "classes.onnx"))
    with pytest.raises(HyperKDError) as caught:
        look(scene, model, tmp_path, "dominant")
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("colour", "channel"),
    [
        ("#c8283c", 0), ("#b08050", 0), ("#e8c860", 0), ("#a6d854", 1), ("#1f7a3d", 1),
        ("#3070d0", 2), ("#d8f4ff", 2), ("#a0a0a8", 2), ("#808080", 2), ("#ffff00", 0),
    ],
)  # fmt: skip
def test_a_cover_counts_where_its_own_colour_is_strongest(colour: str, channel: int) -> None:
    assert channel_of(colour) == channel


@pytest.mark.parametrize(
    ("centres", "bad", "bands"),
    [
        ((480.0, 560.0, 660.0, 860.0), (), [3, 2, 1]),
        ((470.0, 550.0, 600.0, 650.0, 670.0), (4,), [4, 2, 1]),
        ((480.0, 560.0, 660.0, 860.0), (2,), []),
        ((900.0, 1600.0, 2200.0), (), []),
    ],
)
def test_natural_colour_takes_the_nearest_good_bands(
    centres: tuple[float, ...], bad: tuple[int, ...], bands: list[int]
) -> None:
    assert natural_bands(band_table(centres, bad=bad)) == bands
