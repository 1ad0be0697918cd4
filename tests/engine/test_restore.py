"""The job ``restore``: what is there stays to the bit, what is missing is filled and marked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

import hyperkd
from hyperkd.errors import HyperKDError
from hyperkd.inference.restoration import row_tiles, survey
from hyperkd.inference.restore import restore
from hyperkd.inference.stats.conditional_spectra import ConditionalSpectra
from hyperkd.raster import source as raster_source
from hyperkd.requests.prepare_options import RestoreJob
from hyperkd.spectral.missing_bands import bridged
from tests.factories import make_raster
from tests.potsdam import Potsdam, band_rows, pixels
from tests.reports import SilentReport

# 12 nm apart from 420 to 1308 nm: none in water vapour.
CENTRES = np.arange(420.0, 1310.0, 12.0)
SHAPE = (CENTRES.size, 40, 48)
NODATA = -32768


def scene(seed: int = 1) -> np.ndarray:
    """Return smooth spectra of four covers with noise, ``(band, row, col)`` int16."""
    random = np.random.default_rng(seed)
    x = (CENTRES - 800) / 400
    covers = np.stack([0.25 + 0.1 * x, 0.3 + 0.2 * np.tanh(4 * x), 0.1 - 0.05 * x, 0.2 * x**2])
    shares = random.dirichlet(np.ones(4), SHAPE[1:])
    values = np.einsum("rck,kb->brc", shares, covers) + random.normal(0, 0.001, SHAPE)
    return np.rint(1e4 * values).astype(np.int16)


def write(path: Path, values: np.ndarray, **more: Any) -> Path:
    return make_raster(path, values, **{"wavelengths": CENTRES, "fwhm": 10.0, **more})


def read(path: Path) -> np.ndarray:
    dataset = gdal.Open(str(path))
    kinds = {
        gdal.GDT_Byte: np.uint8,
        gdal.GDT_UInt16: np.uint16,
        gdal.GDT_Int16: np.int16,
        gdal.GDT_UInt32: np.uint32,
        gdal.GDT_Int32: np.int32,
        gdal.GDT_Float32: np.float32,
        gdal.GDT_Float64: np.float64,
    }
    shape = (dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize)
    kind = kinds[dataset.GetRasterBand(1).DataType]
    return np.frombuffer(dataset.ReadRaster(), kind).reshape(shape)


def run(path: Path, **more: Any) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Return the output, the marks, and the summary."""
    output, filled = path.parent / "out.tif", path.parent / "filled.tif"
    request = RestoreJob(input=str(path), output=str(output), filled=str(filled), **more)
    summary = restore(request, SilentReport())
    return read(output), read(filled), summary


def damaged(values: np.ndarray, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return values with holes, and where they are: single ones, columns, and some bands."""
    random = np.random.default_rng(seed)
    holes = random.random(values.shape) < 0.01
    holes[np.ix_([3, 7, 8], range(values.shape[1]), [5, 20, 21])] = True
    holes[30:35, 10:20, 10:25] = True
    return np.where(holes, NODATA, values).astype(values.dtype), holes


def rmse(found: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    return float(np.sqrt(np.square(found.astype(float) - truth)[where].mean()))


def line(values: np.ndarray, holes: np.ndarray, centre_nm: np.ndarray) -> np.ndarray:
    """Return values with straight lines along the spectrum."""
    spectra = values.reshape(len(values), -1).T.astype(float)
    known = ~holes.reshape(len(values), -1).T
    return bridged(spectra, known, centre_nm).T.reshape(values.shape)


# --- the statistics ---------------------------------------------------------------------


def normal_spectra() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(9, 3))
    covariance = mixing @ mixing.T + 0.05 * np.eye(9)
    mean = random.normal(size=9)
    return mean, covariance, random.multivariate_normal(mean, covariance, 4000)


def test_missing_values_are_the_textbooks_conditional_mean() -> None:
    mean, covariance, spectra = normal_spectra()
    model = ConditionalSpectra(mean, np.linalg.inv(covariance))
    spectra = spectra[:60]
    present = np.random.default_rng(1).random(spectra.shape) > 0.3
    present[20:] = present[20]  # many that lack the same, and some that do not
    filled = model.filled(np.where(present, spectra, np.nan), present)
    for spectrum, known, found in zip(spectra, present, filled):
        among = covariance[np.ix_(known, known)]
        across = covariance[np.ix_(~known, known)]
        expected = mean[~known] + across @ np.linalg.solve(among, (spectrum - mean)[known])
        np.testing.assert_allclose(found[~known], expected, atol=1e-9)
        np.testing.assert_array_equal(found[known], spectrum[known])
    # Whoever knows the innovations knows the values.
    surprise = model.surprise(~present, model.innovations(spectra))
    np.testing.assert_allclose(filled + surprise, spectra, atol=1e-9)


def test_a_distribution_is_learned_from_spectra_with_holes() -> None:
    mean, covariance, spectra = normal_spectra()
    present = np.random.default_rng(1).random(spectra.shape) > 0.2
    model = ConditionalSpectra.fit(
        np.where(present, spectra, np.nan), present, np.arange(9) + 400.0, 1e-9
    )
    whole = ConditionalSpectra.fit(spectra, np.ones_like(present), np.arange(9) + 400.0, 1e-9)
    assert np.abs(model.mean - mean).max() < 0.15
    found, expected = (np.linalg.inv(each.precision) for each in (model, whole))
    assert np.abs(found - expected).max() < 0.05 * np.abs(covariance).max()


def test_a_line_between_bands_of_one_wavelength_is_their_value() -> None:
    centre_nm = np.array([500.0, 600.0, 600.0, 600.0, 700.0])
    present = np.array([[True, True, False, True, True]])
    filled = bridged(np.array([[1.0, 2.0, np.nan, 4.0, 5.0]]), present, centre_nm)
    np.testing.assert_array_equal(filled, [[1.0, 2.0, 2.0, 4.0, 5.0]])


# --- what stays -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int16", "uint16", "int32", "float32", "float64"])
def test_good_values_stay_to_the_bit_in_every_type(tmp_path: Path, kind: str) -> None:
    values, holes = damaged(scene())
    nodata = NODATA if kind != "uint16" else 65535
    stored = np.where(holes, nodata, values.clip(0) if kind == "uint16" else values).astype(kind)
    if kind.startswith("float"):
        stored = np.where(holes, np.nan, stored + np.float32(0.123)).astype(kind)
        nodata = None
    path = write(tmp_path / "in.tif", stored, nodata=nodata)
    found, marks, summary = run(path)
    assert found.dtype == stored.dtype
    np.testing.assert_array_equal(marks, holes.astype(np.uint8))
    assert found[~holes].tobytes() == stored[~holes].tobytes()
    assert summary["filled_values"] == summary["predicted_values"] == holes.sum()
    assert summary["left_pixels"] == 0
    assert rmse(found, scene(), holes) < 20  # two times the noise


def test_nothing_missing_is_said_and_nothing_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "in.tif", scene())
    found, marks, summary = run(path)
    np.testing.assert_array_equal(found, scene())
    assert not marks.any()
    assert summary["filled_values"] == 0
    assert summary["bands"] == []
    assert summary["notes"] == ["Nothing is missing: all values are as they were."]


def test_what_describes_the_bands_stays(tmp_path: Path) -> None:
    values, _ = damaged(scene())
    scales = np.linspace(1e-4, 2e-4, CENTRES.size)
    items = {"start_time": "2022-07-24", "HYPERKD_RESTORED_BANDS": "band 1", "bbl": "{1, 0}"}
    path = write(tmp_path / "in.tif", values, scale=scales, offset=0.01, metadata={"": items})
    run(path)
    before, after = gdal.Open(str(path)), gdal.Open(str(tmp_path / "out.tif"))
    assert after.GetGeoTransform() == before.GetGeoTransform()
    assert after.GetSpatialRef().IsSame(before.GetSpatialRef())
    for number in range(1, CENTRES.size + 1):
        old, new = before.GetRasterBand(number), after.GetRasterBand(number)
        assert (new.GetScale(), new.GetOffset()) == (old.GetScale(), old.GetOffset())
        assert new.GetNoDataValue() == old.GetNoDataValue() == NODATA
        assert float(new.GetMetadataItem("wavelength")) == CENTRES[number - 1]
        assert float(new.GetMetadataItem("fwhm")) == 10.0
        assert new.GetMetadataItem("bbl") == "1"
    marks = gdal.Open(str(tmp_path / "filled.tif"))
    assert marks.GetRasterBand(2).GetDescription() == "filled 432.00 nm"
    assert json.loads(after.GetMetadataItem("HYPERKD_SETTINGS")) == {
        "stripes": False,
        "vapour": False,
    }
    assert after.GetMetadataItem("start_time") == "2022-07-24"
    for old in ("HYPERKD_RESTORED_BANDS", "bbl"):  # which say something else of the output
        assert after.GetMetadataItem(old) is None


def test_pixels_without_a_spectrum_stay_and_those_that_lack_much_are_told(tmp_path: Path) -> None:
    values, holes = damaged(scene())
    values[:, 0:3, 0:9] = NODATA
    holes[:, 0:3, 0:9] = False
    values[5:40, 30, 30:33] = NODATA  # 35 of 75 bands, where 18 are the most
    holes[:, 30, 30:33] = False
    path = write(tmp_path / "in.tif", values)
    found, marks, summary = run(path)
    assert (found[:, 0:3, 0:9] == NODATA).all()
    np.testing.assert_array_equal(found[:, 30, 30:33], values[:, 30, 30:33])
    np.testing.assert_array_equal(marks, holes.astype(np.uint8))
    assert summary["left_pixels"] == 3
    assert summary["valid_pixels"] == 40 * 48 - 27 - 3
    assert any("a quarter of their bands: 3 pixels." in note for note in summary["notes"])


def test_fill_that_nobody_declares_is_no_spectrum(tmp_path: Path) -> None:
    values, holes = damaged(scene())
    values[:, 5:9, 30:] = -20000
    holes[:, 5:9, 30:] = False
    found, marks, summary = run(write(tmp_path / "in.tif", values))
    assert (found[:, 5:9, 30:] == -20000).all()
    np.testing.assert_array_equal(marks, holes.astype(np.uint8))
    assert summary["valid_pixels"] == 40 * 48 - 4 * 18


def test_what_a_mask_leaves_out_has_no_data(tmp_path: Path) -> None:
    values, holes = damaged(scene())
    mask = np.ones(SHAPE[1:], np.uint8)
    mask[:4] = 0
    found, marks, _ = run(write(tmp_path / "in.tif", values, mask=mask))
    assert (found[:, :4] == NODATA).all()
    assert not marks[:, :4].any()
    np.testing.assert_array_equal(marks[:, 4:], holes[:, 4:].astype(np.uint8))


# --- what is filled ---------------------------------------------------------------------


def test_tiles_are_restored_better_than_by_lines(tmp_path: Path, potsdam: Potsdam) -> None:
    path = potsdam.tile(128, 32)
    truth = pixels(path)
    good = (truth > NODATA).any(axis=(1, 2))
    centre_nm = np.array([float(row["centre_nm"]) for row in band_rows()])
    random = np.random.default_rng(4)
    holes = (random.random(truth.shape) < 0.003) & good[:, None, None]
    holes[np.ix_([20, 60, 100, 170], range(32), [4, 17])] = True
    copy = tmp_path / "tile.tif"
    damaged_copy = gdal.GetDriverByName("GTiff").CreateCopy(str(copy), gdal.Open(str(path)))
    values = np.where(holes, np.float32(NODATA), truth)
    damaged_copy.WriteRaster(0, 0, 32, 32, values.tobytes(), buf_type=gdal.GDT_Float32)
    damaged_copy = None
    found, marks, summary = run(copy)
    np.testing.assert_array_equal(marks, holes.astype(np.uint8))
    assert found[~holes].tobytes() == truth[~holes].tobytes()
    lined = line(truth, holes | ~good[:, None, None], centre_nm)
    # Noise of simulated tiles is the same in all bands, and a line averages two of them.
    assert rmse(found, truth, holes) < (0.5 if potsdam.real else 0.9) * rmse(lined, truth, holes)
    assert summary["error"] < summary["interpolation_error"]
    assert summary["left_bands"] == [130, 131, 132, 133, 134, 135]


def test_bad_bands_lie_on_the_line_and_are_good_then(tmp_path: Path) -> None:
    values = scene()
    centres = np.concatenate([CENTRES, [1360.0, 1400.0, 1500.0, 1520.0]])
    values = np.concatenate([values, values[-4:]])
    bbl = np.ones(centres.size, int)
    bad, vapour = [10, 11, 40], [75, 76]
    bbl[bad + vapour] = 0
    values[bad] = 7  # noise, whatever it is
    values[:, 0, 0] = NODATA
    path = write(tmp_path / "in.tif", values, wavelengths=centres, bbl=bbl)
    found, marks, summary = run(path)
    carries = values[0] != NODATA
    expected = np.rint((2 * values[9].astype(float) + values[12]) / 3)
    np.testing.assert_array_equal(found[10][carries], expected[carries])
    assert (marks[bad][:, carries] == 1).all()
    assert (found[:, 0, 0] == NODATA).all()
    np.testing.assert_array_equal(found[vapour], values[vapour])
    assert marks.sum() == 3 * carries.sum() == summary["interpolated_values"]
    assert summary["restored_bands"] == [11, 12, 41]
    assert summary["left_bands"] == [76, 77]
    assert {each["how"] for each in summary["bands"]} == {"interpolated"}
    written = gdal.Open(str(tmp_path / "out.tif"))
    flags = [written.GetRasterBand(n + 1).GetMetadataItem("bbl") for n in range(centres.size)]
    assert [n for n, flag in enumerate(flags) if flag == "0"] == vapour
    told = written.GetMetadataItem("HYPERKD_RESTORED_BANDS")
    assert told == "bands 11-12, 41 (interpolated)"
    found, marks, summary = run(path, vapour=True)
    assert summary["restored_bands"] == [11, 12, 41, 76, 77]
    assert (marks[vapour][:, carries] == 1).all()


def test_a_band_without_any_value_is_told_to_lie_on_the_line(tmp_path: Path) -> None:
    values, holes = damaged(scene())
    values[50] = NODATA
    holes[50] = True
    found, marks, summary = run(write(tmp_path / "in.tif", values))
    np.testing.assert_array_equal(marks, holes.astype(np.uint8))
    how = {each["band"]: each["how"] for each in summary["bands"]}
    assert [band for band, each in how.items() if each == "interpolated"] == [51]
    expected = (found[49].astype(float) + found[51]) / 2
    assert np.abs(found[50] - expected).max() <= 0.5
    written = gdal.Open(str(tmp_path / "out.tif"))
    assert written.GetRasterBand(51).GetMetadataItem("bbl") == "1"


def test_values_of_a_band_that_a_sample_finds_empty_stay(tmp_path: Path) -> None:
    shape = (12, 200, 200)  # sampled in windows
    random = np.random.default_rng(0)
    values = (1000 + 500 * random.random(shape[1:]) + random.normal(0, 5, shape)).astype(np.int16)
    values[6] = NODATA
    values[6, 150:153, 3:9] = 4321
    path = write(tmp_path / "in.tif", values, wavelengths=CENTRES[:12])
    found, marks, _ = run(path)
    assert (found[6, 150:153, 3:9] == 4321).all()
    assert marks[6].sum() == 200 * 200 - 18


def test_few_pixels_teach_nothing_and_lie_on_the_line(tmp_path: Path) -> None:
    values = scene()[:, :3, :4]
    values[20, 1, 1] = NODATA
    found, marks, summary = run(write(tmp_path / "in.tif", values))
    assert marks.sum() == summary["interpolated_values"] == 1
    assert found[20, 1, 1] == np.rint((float(values[19, 1, 1]) + values[21, 1, 1]) / 2)
    assert summary["error"] is None


def test_a_filled_value_never_means_nodata(tmp_path: Path) -> None:
    values = np.full((9, 6, 7), 100, np.int16)
    values[:, ::2] = 104
    values[4] = 55  # the nodata value, exactly between
    values[3], values[5] = 50, 60
    path = write(tmp_path / "in.tif", values, wavelengths=CENTRES[:9], nodata=55)
    found, marks, _ = run(path)
    assert (marks[4] == 1).all()
    assert (found[4] == 56).all()


@pytest.mark.parametrize("piece", [1, 3, 7])
def test_the_result_does_not_depend_on_how_rows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    values, _ = damaged(scene())
    path = write(tmp_path / "in.tif", values, options=["TILED=NO", "BLOCKYSIZE=1"])
    whole, _, _ = run(path)
    monkeypatch.setattr(raster_source, "_STRIPE_BYTES", 5 * 48 * CENTRES.size * 2)
    monkeypatch.setattr(row_tiles, "_TILE_BYTES", piece * 48 * CENTRES.size * 8)
    pieces, _, _ = run(path)
    assert np.abs(pieces.astype(int) - whole).max() <= 1  # sums of floats


def test_the_sample_is_bounded_and_does_not_depend_on_how_rows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hyperkd.inference.restoration.missing_values import BandRoles, MissingValues
    from hyperkd.raster.open_raster import open_raster

    monkeypatch.setattr(survey, "_MOST_PAIRS", 300)
    monkeypatch.setattr(survey, "_MOST_PATTERNS", 20)
    values, _ = damaged(scene())
    found = []
    for stripe in (2**27, 48 * CENTRES.size * 2):
        monkeypatch.setattr(raster_source, "_STRIPE_BYTES", stripe)
        path = write(tmp_path / "in.tif", values, options=["TILED=NO", "BLOCKYSIZE=1"])
        with open_raster(str(path), missing="all") as source:
            missing = MissingValues.of(source, BandRoles.of(source, False))
            found.append(survey.take_survey(source, missing, SilentReport(), columns=True))
    first, second = found
    assert 150 <= first.pairs.spectra.shape[1] <= 300
    np.testing.assert_array_equal(first.pairs.spectra, second.pairs.spectra)
    np.testing.assert_array_equal(first.patterns, second.patterns)
    assert len(first.patterns) == 20
    assert first.ranges is not None
    np.testing.assert_array_equal(first.ranges.low, second.ranges.low)


# --- stripes ----------------------------------------------------------------------------


def striped() -> tuple[np.ndarray, np.ndarray]:
    """Return values with a dead column and columns that are off, and where these are."""
    values = scene()
    wrong = np.zeros(SHAPE, bool)
    values[12, :, 7] = 0
    values[13, :, 7] = 0
    values[40, :, 30] += 300
    values[41, :, 30] -= 400
    values[60, :, 20] += 150
    for band, column in ((12, 7), (13, 7), (40, 30), (41, 30), (60, 20)):
        wrong[band, :, column] = True
    return values, wrong


def test_stripes_are_found_only_where_they_are_asked_for(tmp_path: Path) -> None:
    values, wrong = striped()
    path = write(tmp_path / "in.tif", values)
    found, marks, summary = run(path)
    np.testing.assert_array_equal(found, values)
    assert summary["stripes"] == []
    found, marks, summary = run(path, stripes=True)
    np.testing.assert_array_equal(marks, wrong.astype(np.uint8))
    np.testing.assert_array_equal(found[~wrong], values[~wrong])
    assert rmse(found, scene(), wrong) < 20
    assert summary["stripes"] == [
        {"band": 13, "columns": [8]},
        {"band": 14, "columns": [8]},
        {"band": 41, "columns": [31]},
        {"band": 42, "columns": [31]},
        {"band": 61, "columns": [21]},
    ]
    assert "Band 41 is wrong in the columns 31 (from 1)." in summary["notes"]


def test_a_scene_without_stripes_has_none(tmp_path: Path, potsdam: Potsdam) -> None:
    request = RestoreJob(
        input=str(potsdam.tile(128, 32)), output=str(tmp_path / "out.tif"), stripes=True
    )
    summary = restore(request, SilentReport())
    assert summary["stripes"] == []
    assert summary["filled_values"] == 0


def test_a_dark_column_in_many_bands_is_the_ground(tmp_path: Path) -> None:
    values = scene()
    values[30:, :, 12] = 0  # black water, cut at 0
    found, marks, summary = run(write(tmp_path / "in.tif", values), stripes=True)
    assert summary["stripes"] == []
    np.testing.assert_array_equal(found, values)
    assert not marks.any()


# --- refusals, endings, faces -------------------------------------------------------------


def refused(path: Path, code: str, match: str, **more: Any) -> None:
    with pytest.raises(HyperKDError, match=match) as caught:
        run(path, **more)
    assert caught.value.code == code
    assert not list(path.parent.glob("out.tif*")) + list(path.parent.glob("filled.tif*"))


def test_a_raster_without_spectra_is_refused(tmp_path: Path) -> None:
    values = np.full(SHAPE, NODATA, np.int16)
    refused(write(tmp_path / "in.tif", values), "no_valid_pixels", "no valid pixel")


def test_two_good_bands_are_too_few(tmp_path: Path) -> None:
    bbl = np.zeros(CENTRES.size, int)
    bbl[[5, 9]] = 1
    path = write(tmp_path / "in.tif", scene(), bbl=bbl)
    refused(path, "band_mismatch", "has 2 good bands; nothing can be restored")


def test_bands_need_wavelengths(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "in.tif", scene(), wavelengths=None)
    refused(path, "no_wavelengths", "says no wavelengths")


def test_a_value_that_would_mean_nodata_is_refused(tmp_path: Path) -> None:
    values, _ = damaged(scene())
    nodata = np.full(CENTRES.size, NODATA)
    nodata[3] = -1
    path = tmp_path / "in.vrt"
    plain = write(tmp_path / "plain.tif", values)
    dataset = gdal.GetDriverByName("VRT").CreateCopy(str(path), gdal.Open(str(plain)))
    dataset.GetRasterBand(4).SetNoDataValue(-1)
    dataset = None
    refused(path, "unsupported_raster", "Band 4 holds -32768 as a value")


def test_cancelled_anywhere_it_leaves_nothing(tmp_path: Path) -> None:
    values, _ = damaged(scene())
    path = write(tmp_path / "in.tif", values)
    request = RestoreJob(
        input=str(path),
        output=str(tmp_path / "out.tif"),
        filled=str(tmp_path / "filled.tif"),
        stripes=True,
    )
    checks = 0
    for checks in range(20):
        try:
            restore(request, SilentReport(cancel_after=checks))
            break
        except HyperKDError as error:
            assert error.code == "cancelled"
            assert sorted(each.name for each in tmp_path.iterdir()) == ["in.tif"]
    assert checks == 6  # two for each time the raster is read


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "in.tif", scene())
    before = path.read_bytes()
    for fields in ({"output": str(path)}, {"output": str(tmp_path / "o.tif"), "filled": str(path)}):
        with pytest.raises(HyperKDError, match="same file") as caught:
            hyperkd.restore(path, **fields)
        assert caught.value.code == "bad_job"
    assert path.read_bytes() == before


def test_the_command_and_python_do_the_same(tmp_path: Path) -> None:
    values, holes = damaged(scene())
    path = write(tmp_path / "in.tif", values)
    result = hyperkd.restore(path, tmp_path / "a.tif", filled=tmp_path / "marks.tif")
    assert result["filled_values"] == holes.sum()
    command = [sys.executable, "-m", "hyperkd", "restore", "--input", str(path)]
    subprocess.run([*command, "--output", str(tmp_path / "b.tif")], check=True, timeout=120)
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), read(tmp_path / "b.tif"))
    np.testing.assert_array_equal(read(tmp_path / "marks.tif"), holes.astype(np.uint8))
