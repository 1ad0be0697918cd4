"""The job ``detect``: detectors against a dense reference, the threshold, and refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from osgeo import gdal

import hyperkd
from hyperkd.errors import HyperKDError
from hyperkd.inference import detect as detect_module
from hyperkd.inference import detection_scores
from hyperkd.inference.detect import detect
from hyperkd.inference.stats.background import Background, BackgroundSums, shrinkage_of
from hyperkd.inference.stats.target_detectors import contrast, make_detector
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.sink import RasterSpec
from hyperkd.requests.detect_options import DetectJob
from hyperkd.types import BandTable, GridSpec, Wavelengths
from tests.factories import GEOTRANSFORM, UTM_33N, wkt
from tests.label_factories import make_vector, point
from tests.reports import SilentReport

METHODS = ("ace", "mf", "cem", "sam")
BANDS = 12
NM = np.linspace(450.0, 2300.0, BANDS)
NODATA = -9999
SCALE = 1e-4


def table(
    scale: float = SCALE, offset: float = 0.0, bad: tuple[int, ...] = (), nm: Any = NM
) -> BandTable:
    good = np.ones(len(nm), bool)
    good[list(bad)] = False
    count = len(nm)
    return BandTable(
        Wavelengths(nm),
        good,
        np.full(count, scale),
        np.full(count, offset),
        np.full(count, float(NODATA)),
    )


def write_scene(
    path: Path, values: np.ndarray, bands: Optional[BandTable] = None, block_rows: int = 16
) -> Path:
    """Write stored values ``(band, row, col)``."""
    grid = GridSpec(values.shape[2], values.shape[1], GEOTRANSFORM, wkt(UTM_33N))
    spec = RasterSpec(
        grid,
        len(values),
        values.dtype,
        nodata=NODATA,
        bands=bands or table(),
        block_rows=block_rows,
    )
    with create_raster(str(path), spec) as sink:
        sink.write(grid.window, values)
    return path


def stored(rows: int = 40, cols: int = 60, seed: int = 0, holes: float = 0.1) -> np.ndarray:
    """Return correlated noise around a bright spectrum; some pixels have no data."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(BANDS, BANDS)) / 4 + np.eye(BANDS)
    noise = random.normal(size=(rows, cols, BANDS)) @ mixing.T
    spectrum = 2500 + 900 * np.sin(NM / 400)
    values = np.rint(spectrum + 150 * noise).astype(np.int16)
    values[random.random((rows, cols)) < holes] = NODATA
    return np.ascontiguousarray(values.transpose(2, 0, 1))


TARGET = 0.25 + 0.1 * np.cos(NM / 250)


def write_library(path: Path, values: np.ndarray = TARGET, nm: np.ndarray = NM) -> Path:
    path.write_text("nm,ash\n" + "".join(f"{x},{y:.9f}\n" for x, y in zip(nm, values)))
    return path


def read(path: Path) -> np.ndarray:
    return gdal.Open(str(path)).ReadAsArray()


def run(folder: Path, scene: Path, **changes: Any) -> tuple[dict[str, Any], np.ndarray]:
    """Run a job with a library, and return its summary and scores."""
    fields: dict[str, Any] = {"output": str(folder / "scores.tif"), **changes}
    if "target_pixels" not in fields and "target_spectrum" not in fields:
        fields["target_spectrum"] = str(write_library(folder / "lib.csv"))
    summary = detect(DetectJob(input=str(scene), **fields), SilentReport())
    return summary, read(Path(fields["output"]))


def reference(method: str, values: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the scores of all pixels at once, by the formulas, in float64."""
    valid = (values != NODATA).all(axis=0)
    x = values[:, valid].astype(np.float64).T * SCALE
    mean = x.mean(axis=0)
    c = np.cov(x, rowvar=False)
    s = 1e-5 + 1e-2 * x.shape[1] / len(x)
    c = (1 - s) * c + s * np.diag(np.diag(c))
    d, y = target - mean, x - mean
    if method == "ace":
        inverse = np.linalg.inv(c)
        top = y @ inverse @ d
        found = (
            np.sign(top) * top**2 / ((d @ inverse @ d) * np.einsum("ni,ij,nj->n", y, inverse, y))
        )
    elif method == "mf":
        inverse = np.linalg.inv(c)
        found = (y @ inverse @ d) / (d @ inverse @ d)
    elif method == "cem":
        inverse = np.linalg.inv(c + np.outer(mean, mean))
        found = (x @ inverse @ target) / (target @ inverse @ target)
    else:
        cosine = x @ target / np.linalg.norm(x, axis=1) / np.linalg.norm(target)
        found = np.degrees(np.arccos(cosine))
    scores = np.full(valid.shape, np.nan)
    scores[valid] = found
    return scores


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_the_formulas(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect_module, "_PIECE_BYTES", 7 * 60 * BANDS * 8)  # pieces of 7 rows
    values = stored()
    scene = write_scene(tmp_path / "scene.tif", values)
    summary, scores = run(tmp_path, scene, method=method)
    expected = reference(method, values, TARGET)
    np.testing.assert_allclose(scores, expected, rtol=2e-5, atol=2e-6, equal_nan=True)
    assert np.array_equal(np.isnan(scores), (values == NODATA).any(axis=0))
    assert summary["valid_pixels"] == np.isfinite(expected).sum()
    assert summary["bands_used"] == BANDS


@pytest.mark.parametrize("method", METHODS)
def test_the_file_says_how_it_was_made(tmp_path: Path, method: str) -> None:
    scene = write_scene(tmp_path / "scene.tif", stored())
    mask = tmp_path / "mask.tif"
    summary, scores = run(tmp_path, scene, method=method, mask=str(mask), false_alarms=0.01)
    dataset = gdal.Open(str(tmp_path / "scores.tif"))
    about = json.loads(dataset.GetMetadataItem("HYPERKD_SETTINGS"))
    assert about["threshold"] == summary["threshold"]
    assert about["method"] == method
    assert dataset.GetMetadataItem("HYPERKD_TARGET") == "ash" == summary["target"]
    assert dataset.GetMetadataItem("HYPERKD_INPUT") == "scene.tif"
    assert dataset.GetGeoTransform() == GEOTRANSFORM
    count = summary["background_pixels"]
    beyond = int(0.01 * count)
    assert summary["threshold_reason"].startswith(f"{beyond} of {count} background pixels (0.01)")
    with np.errstate(invalid="ignore"):
        found = scores < summary["threshold"] if method == "sam" else scores > summary["threshold"]
    assert np.array_equal(read(mask), np.where(np.isnan(scores), 0, np.where(found, 2, 1)))
    assert summary["detections"] == found.sum() == beyond
    assert summary["share"] == pytest.approx(beyond / count, abs=1e-8)


# --- the formulas' identities ------------------------------------------------------------


def background(seed: int = 3, count: int = 4000) -> tuple[Background, np.ndarray]:
    random = np.random.default_rng(seed)
    pixels = 0.3 + 0.02 * random.normal(size=(count, BANDS)) @ random.normal(size=(BANDS, BANDS))
    sums = BackgroundSums(BANDS)
    for first in range(0, count, 333):
        sums.add(pixels[first : first + 333])
    return sums.background(), pixels


def test_pieces_add_up_to_mean_and_covariance_even_far_from_zero() -> None:
    made, pixels = background()
    np.testing.assert_allclose(made.mean, pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(made.covariance, np.cov(pixels, rowvar=False), rtol=1e-9, atol=1e-15)
    sums = BackgroundSums(BANDS)
    sums.add(pixels[:1000] + 1e5)
    sums.add(pixels[1000:] + 1e5)
    np.testing.assert_allclose(
        sums.background().covariance, np.cov(pixels, rowvar=False), rtol=1e-5, atol=1e-8
    )
    with pytest.raises(ValueError, match="0 pixels have no covariance"):
        BackgroundSums(2).background()


@pytest.mark.parametrize(
    ("pixels", "bands", "expected"),
    [(10**9, 200, 1.0002e-05), (100, 200, 0.02001), (1, 200, 0.5)],
)
def test_fewer_pixels_shrink_the_covariance_more(pixels: int, bands: int, expected: float) -> None:
    assert shrinkage_of(pixels, bands) == pytest.approx(expected, rel=1e-5)


def test_matched_filter_and_cem_are_linear_in_the_fraction_of_the_target() -> None:
    made, _ = background()
    fractions = np.array([0.0, 0.1, 0.5, 1.0])
    mixed = made.mean + fractions[:, np.newaxis] * (TARGET - made.mean)
    found = make_detector("mf", TARGET, made)(mixed)
    np.testing.assert_allclose(found, fractions, atol=1e-12)
    scaled = fractions[:, np.newaxis] * TARGET
    np.testing.assert_allclose(make_detector("cem", TARGET, made)(scaled), fractions, atol=1e-12)


def test_ace_knows_no_brightness_of_the_difference_and_tells_its_side() -> None:
    made, pixels = background()
    detector = make_detector("ace", TARGET, made)
    differences = pixels[:200] - made.mean
    found = detector(made.mean + differences)
    np.testing.assert_allclose(detector(made.mean + 7.5 * differences), found, rtol=1e-9)
    np.testing.assert_allclose(detector(made.mean - differences), -found, rtol=1e-9)
    ends = made.mean + np.array([[0.2], [1.0], [0.0], [-1.0]]) * (TARGET - made.mean)
    np.testing.assert_allclose(detector(ends), [1, 1, 0, -1], atol=1e-12)
    assert np.abs(found).max() < 1


def test_ace_and_the_filter_do_not_depend_on_the_unit_of_each_band() -> None:
    """Another gain in each band changes nothing, not even through the shrinkage."""
    made, pixels = background()
    gain = np.linspace(0.5, 3.0, BANDS)
    other = Background(
        made.count, made.mean * gain, made.covariance * np.outer(gain, gain), made.shrinkage
    )
    for method in ("ace", "mf"):
        np.testing.assert_allclose(
            make_detector(method, TARGET * gain, other)(pixels * gain),
            make_detector(method, TARGET, made)(pixels),
            rtol=1e-8,
            atol=1e-10,
        )
    assert contrast(TARGET * gain, other) == pytest.approx(contrast(TARGET, made), rel=1e-9)


def test_the_spectral_angle_knows_no_brightness() -> None:
    made, pixels = background()
    detector = make_detector("sam", TARGET, made)
    np.testing.assert_allclose(detector(3 * pixels), detector(pixels), atol=1e-9)
    across = np.zeros((2, BANDS))
    across[0, :2] = TARGET[1], -TARGET[0]
    np.testing.assert_allclose(detector(across), [90, 90], atol=1e-9)


# --- the threshold -----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_rate_of_false_alarms_is_the_stated_one_on_another_scene_without_targets(
    tmp_path: Path, method: str
) -> None:
    """The threshold of one scene, on another of the same background: the rate to its error."""
    rate, rows, cols = 0.01, 200, 250
    first = write_scene(tmp_path / "a.tif", stored(2 * rows, cols, seed=0)[:, :rows])
    values = stored(2 * rows, cols, seed=0)[:, rows:]
    second = write_scene(tmp_path / "b.tif", np.ascontiguousarray(values))
    summary, _ = run(tmp_path, first, method=method, false_alarms=rate)
    other, scores = run(tmp_path, second, method=method, false_alarms=rate)
    sign = -1 if method == "sam" else 1
    with np.errstate(invalid="ignore"):
        found = int((sign * scores > sign * summary["threshold"]).sum())
    count = other["valid_pixels"]
    # Both the threshold and the count have the error of a binomial number.
    error = np.sqrt(2 * rate * (1 - rate) * count)
    assert abs(found - rate * count) < 4 * error


def test_the_threshold_of_a_large_scene_is_that_of_evenly_spaced_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = stored(holes=0.2)
    scene = write_scene(tmp_path / "scene.tif", values)
    monkeypatch.setattr(detection_scores, "MOST_SCORES", 500)
    monkeypatch.setattr(detection_scores, "_PIECE_PIXELS", 3 * 60)
    summary, scores = run(tmp_path, scene, false_alarms=0.05)
    background = scores[np.isfinite(scores)]
    step = -(-len(background) // 500)
    taken = np.sort(background[::step])
    beyond = int(0.05 * len(taken))
    assert step == 4
    assert summary["threshold"] == taken[len(taken) - 1 - beyond]
    assert summary["threshold_reason"].startswith(f"{beyond} of {len(taken)} background pixels")


def test_a_rate_that_the_scene_is_too_small_for_is_told(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", stored())
    report = SilentReport()
    job = DetectJob(
        input=str(scene),
        output=str(tmp_path / "o.tif"),
        target_spectrum=str(write_library(tmp_path / "lib.csv")),
        false_alarms=1e-6,
    )
    summary = detect(job, report)
    assert summary["detections"] == 0
    warnings = [text for level, text in report.logs if level == "warning"]
    assert len(warnings) == 1
    assert "only 0 of" in warnings[0]


def test_implanted_targets_are_found(tmp_path: Path) -> None:
    values = stored(100, 100, holes=0)
    places = np.arange(10) * 10 + 3
    values[:, places, places] = np.rint(
        0.7 * values[:, places, places] + 0.3 * TARGET[:, np.newaxis] / SCALE
    )
    scene = write_scene(tmp_path / "scene.tif", values)
    mask = tmp_path / "m.tif"
    run(tmp_path, scene, mask=str(mask), false_alarms=2e-3)
    assert (read(mask)[places, places] == 2).all()


# --- targets -----------------------------------------------------------------------------


def test_marked_pixels_are_the_target_and_no_background(tmp_path: Path) -> None:
    values = stored(holes=0)
    values[:, 5, 7] = np.rint(TARGET / SCALE)
    values[:, 6, 8] = np.rint(TARGET / SCALE) + 20
    values[:, 9, 9] = NODATA
    scene = write_scene(tmp_path / "scene.tif", values)
    marks = [point(7.5, 5.5), point(8.5, 6.5), point(8.4, 6.4), point(9.5, 9.5)]
    places = make_vector(tmp_path / "p.gpkg", [(mark, {}) for mark in marks], {})
    summary, scores = run(tmp_path, scene, method="mf", target_pixels=str(places))
    x = values.reshape(BANDS, -1).T * SCALE
    target = x[[5 * 60 + 7, 6 * 60 + 8]].mean(axis=0)
    rest = np.delete(x, [5 * 60 + 7, 6 * 60 + 8, 9 * 60 + 9], axis=0)
    c = np.cov(rest, rowvar=False)
    s = 1e-5 + 1e-2 * BANDS / len(rest)
    c = (1 - s) * c + s * np.diag(np.diag(c))
    d = target - rest.mean(axis=0)
    weights = np.linalg.solve(c, d)
    expected = ((x - rest.mean(axis=0)) @ weights / (d @ weights)).reshape(40, 60)
    expected[9, 9] = np.nan
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6, equal_nan=True)
    assert summary["target"] == "2 pixels of p.gpkg"
    assert (summary["target_count"], summary["background_pixels"]) == (2, 40 * 60 - 3)


def test_a_fine_library_is_resampled_and_bands_beyond_it_count_for_nothing(tmp_path: Path) -> None:
    """A library of 1 nm up to 2000 nm, at a scene's bands up to 2300 nm, two of which are bad."""
    fine = np.arange(400.0, 2001.0)
    library = write_library(tmp_path / "fine.csv", 0.1 + 1e-4 * fine, fine)
    values = stored(holes=0)
    scene = write_scene(tmp_path / "scene.tif", values, table(bad=(3, 4)))
    summary, scores = run(tmp_path, scene, method="sam", target_spectrum=str(library))
    used = np.array([band for band in range(BANDS) if NM[band] <= 2000 and band not in (3, 4)])
    x = values[used].reshape(len(used), -1).T * SCALE
    line = 0.1 + 1e-4 * NM[used]
    cosine = x @ line / np.linalg.norm(x, axis=1) / np.linalg.norm(line)
    np.testing.assert_allclose(scores.ravel(), np.degrees(np.arccos(cosine)), rtol=1e-5)
    assert summary["bands_used"] == len(used)
    assert summary["support"]["extrapolated"] == 10 - len(used) > 0


def test_scale_and_offset_of_the_scene_count(tmp_path: Path) -> None:
    values = stored(holes=0)
    plain = write_scene(tmp_path / "a.tif", values)
    moved = write_scene(tmp_path / "b.tif", (values - 500) * 2, table(SCALE / 2, 500 * SCALE))
    first = run(tmp_path, plain, method="cem", output=str(tmp_path / "1.tif"))[1]
    second = run(tmp_path, moved, method="cem", output=str(tmp_path / "2.tif"))[1]
    np.testing.assert_allclose(second, first, rtol=1e-6, atol=1e-7)


def test_a_second_run_and_another_order_of_bands_give_the_same_bytes(tmp_path: Path) -> None:
    values = stored()
    order = np.random.default_rng(1).permutation(BANDS)
    scene = write_scene(tmp_path / "scene.tif", values)
    for name in ("a", "b"):
        run(
            tmp_path,
            scene,
            output=str(tmp_path / f"{name}.tif"),
            mask=str(tmp_path / f"{name}m.tif"),
        )
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert (tmp_path / "am.tif").read_bytes() == (tmp_path / "bm.tif").read_bytes()
    (tmp_path / "shuffled").mkdir()
    other = write_scene(tmp_path / "shuffled" / "scene.tif", values[order], table().take(order))
    run(tmp_path, other, output=str(tmp_path / "c.tif"))
    assert np.array_equal(read(tmp_path / "a.tif"), read(tmp_path / "c.tif"), equal_nan=True)


def test_a_band_without_variance_counts_for_nothing(tmp_path: Path) -> None:
    values = stored(holes=0)
    values[5] = 1234
    scene = write_scene(tmp_path / "scene.tif", values)
    summary, scores = run(tmp_path, scene)
    assert summary["bands_used"] == BANDS - 1
    assert np.isfinite(scores).all()


def test_the_command_and_python_do_the_same(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", stored())
    write_library(tmp_path / "lib.csv")
    command = [
        *(sys.executable, "-m", "hyperkd", "detect", "--input", str(scene)),
        *("--output", str(tmp_path / "a.tif"), "--mask", str(tmp_path / "m.tif")),
        *("--target-spectrum", f"{tmp_path / 'lib.csv'}:ash", "--method", "mf"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert "target: ash" in done.stdout
    result = hyperkd.detect(
        scene,
        tmp_path / "b.tif",
        target_spectrum=tmp_path / "lib.csv",
        target_name="ash",
        method="mf",
    )
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert result["detections"] == int((read(tmp_path / "m.tif") == 2).sum())


# --- refusals ----------------------------------------------------------------------------


def refusal(folder: Path, values: np.ndarray, **changes: Any) -> HyperKDError:
    """Return the error of a job, which leaves no file."""
    scene = write_scene(folder / "scene.tif", values)
    with pytest.raises(HyperKDError) as caught:
        run(folder, scene, mask=str(folder / "mask.tif"), **changes)
    left = {path.name for path in folder.iterdir()}
    assert not {name for name in left if name.startswith(("scores", "mask"))}
    return caught.value


def test_one_target_is_needed_and_not_two(tmp_path: Path) -> None:
    error = refusal(tmp_path, stored(), target_spectrum=None)
    assert (error.code, "has neither of" in error.message) == ("bad_job", True)
    error = refusal(tmp_path, stored(), target_spectrum="a.sli", target_pixels="b.gpkg")
    assert (error.code, "has both of" in error.message) == ("bad_job", True)
    library = write_library(tmp_path / "lib.csv")
    error = refusal(tmp_path, stored(), target_spectrum=f"{library}:ash", target_name="soot")
    assert (error.code, "named twice: 'ash' and 'soot'" in error.message) == ("bad_job", True)
    error = refusal(tmp_path, stored(), target_pixels="b.gpkg", target_name="soot")
    assert (error.code, "belong to a spectral library" in error.message) == ("bad_job", True)


def test_a_target_that_cannot_be_used(tmp_path: Path) -> None:
    library = tmp_path / "lib.csv"
    error = refusal(tmp_path, stored(), target_spectrum=str(write_library(library, 0 * NM)))
    assert (error.code, "has only zeros for 'ash'" in error.message) == ("bad_library", True)
    narrow = np.linspace(450.0, 900.0, 100)
    write_library(library, 0.2 + 0 * narrow, narrow)
    error = refusal(tmp_path, stored(), target_spectrum=str(library))
    assert error.code == "bad_library"
    assert "covers 3 of the scene's 12 good bands" in error.message
    places = make_vector(tmp_path / "p.gpkg", [(point(0.5, 0.5), {})], {})
    values = stored()
    values[:, 0, 0] = NODATA
    error = refusal(tmp_path, values, target_pixels=str(places))
    assert (error.code, "has no data at any pixel" in error.message) == ("no_labels", True)


def test_a_scene_that_cannot_be_used(tmp_path: Path) -> None:
    error = refusal(tmp_path, stored(4, 5))
    assert error.code == "unsupported_raster"
    assert "of background, but 24 are needed for 12 bands" in error.message
    empty = stored()
    empty[:] = NODATA
    assert refusal(tmp_path, empty).code in ("no_valid_pixels", "band_mismatch")
    same = np.full((BANDS, 20, 20), 2000, np.int16)
    error = refusal(tmp_path, same)
    assert (error.code, "all pixels are the same" in error.message) == ("unsupported_raster", True)


@pytest.mark.parametrize("checks", [0, 1, 4, 7, 10])
def test_a_cancelled_job_leaves_nothing(
    tmp_path: Path, checks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five pieces are read twice; the eleventh check is before the only rows are written."""
    monkeypatch.setattr(detect_module, "_PIECE_BYTES", 20 * 60 * BANDS * 8)
    scene = write_scene(tmp_path / "scene.tif", stored(100, 60))
    library = write_library(tmp_path / "lib.csv")
    before = sorted(tmp_path.iterdir())
    job = DetectJob(
        input=str(scene),
        output=str(tmp_path / "o.tif"),
        mask=str(tmp_path / "m.tif"),
        target_spectrum=str(library),
    )
    with pytest.raises(HyperKDError, match="cancelled"):
        detect(job, SilentReport(cancel_after=checks))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("delay", [0.2, 0.5, 0.9])
def test_a_killed_job_leaves_no_half_file(tmp_path: Path, delay: float) -> None:
    scene = write_scene(tmp_path / "scene.tif", np.tile(stored(100, 100), (1, 10, 5)))
    library = write_library(tmp_path / "lib.csv")
    command = [
        *(sys.executable, "-m", "hyperkd", "detect", "--input", str(scene)),
        *("--output", str(tmp_path / "o.tif"), "--target-spectrum", str(library)),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = {path.name for path in tmp_path.iterdir()} - {"scene.tif", "lib.csv"}
    assert left <= {"o.tif", "o.tif.part", "o.tif.aux.xml", "scene.tif.aux.xml"}
    if "o.tif" in left:
        assert np.isfinite(read(tmp_path / "o.tif")).any()
    run(tmp_path, scene, output=str(tmp_path / "o.tif"))  # the next one is not disturbed
    assert not (tmp_path / "o.tif.part").exists()
