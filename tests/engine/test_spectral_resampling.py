from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperkd.errors import HyperKDError
from hyperkd.spectral.band_support import AVERAGED, EXTRAPOLATED, INTERPOLATED, MATCHED
from hyperkd.spectral.resampling import resample
from hyperkd.spectral.responses import gaussian_responses
from hyperkd.spectral.sensors import canonical_bands, sensor_bands
from hyperkd.types import BandTable, Wavelengths


def table(centre, fwhm=None, good=None):
    count = len(centre)
    return BandTable(
        Wavelengths(np.asarray(centre, float), None if fwhm is None else np.asarray(fwhm, float)),
        good=np.ones(count, bool) if good is None else good,
        scale=np.ones(count),
        offset=np.zeros(count),
        nodata=np.full(count, np.nan),
    )


def even_sensor(first, last, step, fwhm=None):
    centre = np.arange(first, last, step, dtype=float)
    return table(centre, None if fwhm is None else np.full(centre.size, fwhm))


def detector_order(bands):
    """The order of EnMAP tiles that keep VNIR and SWIR apart."""
    is_swir = np.array([name.startswith("SWIR") for name in bands.names])
    return np.argsort(is_swir, kind="stable")


def counts(report):
    return {how: report.count(how) for how in (MATCHED, INTERPOLATED, AVERAGED, EXTRAPOLATED)}


def contributors(resampling, target_band):
    return np.flatnonzero(resampling.matrix[target_band]).tolist()


# --- calibrations of one sensor --------------------------------------------------------------


@pytest.mark.parametrize("with_fwhm", [True, False])
@pytest.mark.parametrize("by_detector", [True, False])
@pytest.mark.parametrize("without_data_flagged", [True, False])
def test_an_enmap_raster_gives_each_band_to_itself(with_fwhm, by_detector, without_data_flagged):
    whole = sensor_bands("enmap")
    order = detector_order(whole) if by_detector else np.arange(224)
    file = whole.take(order)
    source = table(
        file.wavelengths.centre_nm,
        file.wavelengths.fwhm_nm if with_fwhm else None,
        file.good if without_data_flagged else None,
    )
    resampling = resample(source, canonical_bands())
    expected = (order[:, None] == np.flatnonzero(whole.good)).T.astype(float)
    np.testing.assert_array_equal(resampling.matrix, expected)
    assert counts(resampling.report) == {
        MATCHED: 218, INTERPOLATED: 0, AVERAGED: 0, EXTRAPOLATED: 0
    }  # fmt: skip
    assert resampling.report.summary() == "The 218 bands of the model: 218 matched."


@pytest.mark.parametrize("with_fwhm", [True, False])
def test_a_later_calibration_does_not_swap_the_detectors(with_fwhm):
    # Later calibrations moved VNIR up and SWIR down, so that 911.715 VNIR and
    # 911.872 SWIR, and 993.083 and 993.475, changed places in the sorted product.
    whole = sensor_bands("enmap")
    shift = np.where([name.startswith("VNIR") for name in whole.names], 0.25, -0.30)
    moved = whole.wavelengths.centre_nm + shift
    order = np.argsort(moved)
    assert not np.array_equal(order, np.arange(224))
    fwhm = whole.wavelengths.fwhm_nm[order] if with_fwhm else None
    resampling = resample(table(moved[order], fwhm, whole.good[order]), canonical_bands())
    np.testing.assert_array_equal(
        order[resampling.matrix.argmax(axis=1)], np.flatnonzero(whole.good)
    )
    assert resampling.report.count(MATCHED) == 218
    np.testing.assert_allclose(resampling.report.distance_nm.max(), 0.30)


def test_the_potsdam_tiles_give_each_band_to_itself(potsdam):
    gdal = pytest.importorskip("osgeo.gdal")
    assert len(potsdam.images) == 13
    for tile in potsdam.images:
        dataset = gdal.Open(str(tile))
        items = [dataset.GetRasterBand(band + 1).GetMetadata() for band in range(224)]
        centre = np.array([float(item["wavelength"]) for item in items])
        source = table(
            centre,
            [float(item["fwhm"]) for item in items],
            np.array([item["bbl"] == "1" for item in items]),
        )
        pixels = dataset.ReadRaster(buf_type=gdal.GDT_Float32)
        data = np.frombuffer(pixels, np.float32).reshape(224, 32, 32)
        by_wavelength = np.argsort(centre, kind="stable")
        kept = by_wavelength[source.good[by_wavelength]]
        resampled = resample(source, canonical_bands()).affine.apply(data)
        np.testing.assert_array_equal(resampled, data[kept])


def test_202_bands_match_and_their_gaps_take_the_nearest_band():
    source = sensor_bands("enmap-202")
    resampling = resample(source, canonical_bands())
    report = resampling.report
    assert counts(report) == {MATCHED: 202, INTERPOLATED: 0, AVERAGED: 0, EXTRAPOLATED: 16}
    assert report.uncovered() == [(1295.28, 1519.22, 9), (1738.93, 1967.95, 7)]
    target = canonical_bands().centre_nm
    missing = np.flatnonzero(~report.supported)
    used = [source.wavelengths.centre_nm[contributors(resampling, band)] for band in missing]
    for wavelengths, wanted in zip(used, target[missing]):
        distance = np.abs(source.wavelengths.centre_nm - wanted)
        assert wavelengths == [source.wavelengths.centre_nm[distance.argmin()]]
    assert report.largest_gap_nm == pytest.approx(1530.64 - 1461.46)
    assert report.summary().endswith(
        "16 extrapolated, up to 69.2 nm from the nearest band: "
        "1295.28 to 1519.22 nm (9 bands), 1738.93 to 1967.95 nm (7 bands)."
    )


def test_bands_of_a_dropped_detector_are_interpolated_on_the_other():
    # EnMAP-Box imports the overlap from the SWIR detector alone.
    whole = sensor_bands("enmap")
    number = [int(name.split()[1]) for name in whole.names]
    is_swir = np.array([name.startswith("SWIR") for name in whole.names])
    source = whole.take(np.flatnonzero(is_swir | (np.array(number) < 80)))
    resampling = resample(source, canonical_bands())
    assert counts(resampling.report) == {
        MATCHED: 206, INTERPOLATED: 12, AVERAGED: 0, EXTRAPOLATED: 0
    }  # fmt: skip
    target = canonical_bands().centre_nm
    assert target[80] == 903.617
    low, high = 902.257, 911.872
    row = resampling.matrix[80]
    assert source.wavelengths.centre_nm[row > 0].tolist() == [low, high]
    upper = (903.617 - low) / (high - low)
    np.testing.assert_allclose(row[row > 0], [1 - upper, upper], rtol=1e-12)


# --- other sensors ---------------------------------------------------------------------------


def _bridged(centre_nm, wanted_nm, widest_nm):
    """Tell whether two bands of a detector, near enough to each other, lie around a wavelength."""
    below, above = centre_nm[centre_nm <= wanted_nm], centre_nm[centre_nm >= wanted_nm]
    return below.size > 0 and above.size > 0 and above.min() - below.max() <= widest_nm


def test_the_format_example_product_resamples_within_its_detectors(delivery):
    product = ElementTree.fromstring(delivery.metadata()[1])
    bands = product.find(".//bandCharacterisation")
    centre = np.array([float(band.findtext("wavelengthCenterOfBand")) for band in bands])
    fwhm = np.array([float(band.findtext("FWHMOfBand")) for band in bands])
    is_vnir = np.zeros(centre.size, bool)
    channels = product.find(".//vnirProductQuality/expectedChannelsList").text.split(",")
    is_vnir[[int(channel) - 1 for channel in channels]] = True
    resampling = resample(table(centre, fwhm), canonical_bands())
    without = [
        nm
        for nm, width in zip(canonical_bands().centre_nm, canonical_bands().fwhm_nm)
        if not any(_bridged(centre[part], nm, 3 * width) for part in (is_vnir, ~is_vnir))
    ]
    assert resampling.report.count(EXTRAPOLATED) == len(without)
    assert len(without) == (6 if delivery.real else 7)
    assert resampling.report.count(MATCHED) == 0
    # Where both detectors overlap in both sensors, each target keeps to its own.
    names = [name for name, good in zip(sensor_bands("enmap").names, sensor_bands("enmap").good)
             if good]  # fmt: skip
    target = canonical_bands().centre_nm
    for band in np.flatnonzero((target > 904.8) & (target < 985.2)):
        detector = is_vnir[contributors(resampling, band)]
        assert (detector == names[band].startswith("VNIR")).all(), target[band]


def test_a_sensor_of_another_step_is_interpolated_between_two_neighbours():
    resampling = resample(even_sensor(400, 2501, 10, 10.5), canonical_bands())
    assert counts(resampling.report) == {
        MATCHED: 0, INTERPOLATED: 218, AVERAGED: 0, EXTRAPOLATED: 0
    }  # fmt: skip
    # 418.24 nm lies between 410 and 420 nm.
    np.testing.assert_allclose(resampling.matrix[0, 1:3], [0.176, 0.824], atol=1e-12)
    assert contributors(resampling, 0) == [1, 2]


def test_a_finer_sensor_is_averaged_with_the_response_that_the_target_lacks():
    source = even_sensor(380, 2501, 1.0, 3.0)
    target = Wavelengths(np.array([700.0]), np.array([10.0]))
    resampling = resample(source, target)
    assert resampling.report.count(AVERAGED) == 1
    lacking = np.sqrt(10.0**2 - 3.0**2)
    distance = source.wavelengths.centre_nm - 700
    response = np.exp(-4 * np.log(2) * (distance / lacking) ** 2)
    response[np.abs(distance) > 1.5 * lacking] = 0
    np.testing.assert_allclose(resampling.matrix[0], response / response.sum(), atol=1e-12)


def test_averaging_sees_a_narrow_absorption_as_the_target_would():
    grid = np.arange(350.0, 2551.0)
    spectrum = 0.4 - 0.3 * np.exp(-0.5 * ((grid - 760) / 2.0) ** 2) + 1e-4 * (grid - 760)
    fine = even_sensor(380, 2501, 2.5, 3.5)
    target = canonical_bands()
    seen = gaussian_responses(fine.wavelengths, grid) @ spectrum
    truth = gaussian_responses(target, grid) @ spectrum
    resampling = resample(fine, target)
    error = np.abs(resampling.affine.apply(seen) - truth).max()
    interpolated = np.interp(target.centre_nm, fine.wavelengths.centre_nm, seen)
    assert (resampling.report.how[np.abs(target.centre_nm - 760) < 30] == AVERAGED).all()
    assert error < 0.002
    assert np.abs(interpolated - truth).max() > 10 * error


def test_a_fine_sensor_that_ends_within_the_response_is_interpolated_there():
    target = Wavelengths(np.array([501.5, 540.0]), np.array([10.0, 10.0]))
    report = resample(even_sensor(500, 600, 1.0, 1.0), target).report
    assert report.how.tolist() == [INTERPOLATED, AVERAGED]


def test_nothing_is_interpolated_across_a_gap():
    good = sensor_bands("enmap").good
    centre = sensor_bands("enmap").wavelengths.centre_nm[good]
    inside_gap = Wavelengths(np.array([1310.0, 1400.0, 1850.0]), np.full(3, 11.0))
    resampling = resample(table(centre), inside_gap, max_extrapolated=1.0)
    assert resampling.report.how.tolist() == [INTERPOLATED, EXTRAPOLATED, EXTRAPOLATED]
    nearest = [centre[contributors(resampling, band)].tolist() for band in (1, 2)]
    assert nearest == [[1461.46], [1939.44]]


def test_a_band_at_the_edge_of_a_gap_is_not_in_it():
    centre = np.r_[np.arange(1000.0, 1301.0, 10), np.arange(1500.0, 1801.0, 10)]
    edges = Wavelengths(np.array([1000.0, 1300.0, 1500.0, 1800.0]), np.full(4, 10.0))
    resampling = resample(table(centre), edges)
    assert resampling.report.supported.all()
    np.testing.assert_allclose(resampling.matrix @ centre, edges.centre_nm, rtol=0)


def test_the_seam_between_two_detectors_that_do_not_overlap_is_bridged():
    centre = np.r_[np.arange(400.0, 1000.0, 8), np.arange(1000.0, 2500.0, 10)]
    fwhm = np.r_[np.full(75, 8.0), np.full(150, 12.0)]
    resampling = resample(table(centre, fwhm), Wavelengths(np.array([996.0]), np.array([10.0])))
    assert resampling.report.how.tolist() == [INTERPOLATED]
    assert centre[contributors(resampling, 0)].tolist() == [992, 1000]


def test_a_target_without_fwhm_takes_the_distance_of_its_bands_for_it():
    target = Wavelengths(np.arange(500.0, 600.0, 10.0))
    assert resample(even_sensor(400, 700, 1.0), target).report.count(AVERAGED) == 10
    # 35 nm steps are more than three times 10 nm: only 500 and 570 nm, which it has, are known.
    with pytest.raises(HyperKDError, match="cover 2 of the 10 bands"):
        resample(even_sensor(395, 700, 35.0), target)


def test_few_bands_at_one_wavelength_are_averaged_and_reported():
    centre = np.r_[np.arange(400.0, 2501.0, 10.0), 700.0]
    target = Wavelengths(np.array([700.0, 705.0]), np.array([10.0, 10.0]))
    resampling = resample(table(centre), target)
    at_700_and_710 = resampling.matrix[:, [30, -1, 31]]
    np.testing.assert_array_equal(at_700_and_710, [[0.5, 0.5, 0], [0.25, 0.25, 0.5]])
    assert resampling.report.notes == ("Bands that share a wavelength are averaged (2 of them).",)


def test_overlapping_detectors_without_fwhm_are_noted():
    centre = np.r_[np.arange(400.0, 1000.0, 8.3), np.arange(900.5, 2500.0, 10.7)]
    report = resample(table(centre), canonical_bands()).report
    assert report.notes == (
        "Detectors seem to overlap, but without FWHM their bands cannot be distinguished; "
        "they are used as one.",
    )
    assert resample(even_sensor(400, 2501, 10), canonical_bands()).report.notes == ()


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        (
            table([460, 560, 660]),
            "The raster's 3 good bands (460 to 660 nm) cover 0 of the 218 bands of the model "
            "(418.24 to 2445.53 nm). Not covered: 418.24 to 2445.53 nm (218 bands). "
            "At most 10% may be missing.",
            "no short-wave infrared",
        ),
        (
            even_sensor(401, 999, 2.55, 3.5),
            "Not covered: 1004.21 to 2445.53 nm (117 bands). At most 10% may be missing.",
            "The raster has no short-wave infrared. Use an image of a sensor that measures up "
            "to 2500 nm (EnMAP, PRISMA, EMIT), or a model made for this sensor.",
        ),
        (
            table([482, 561, 655, 865, 1609, 2201]),
            "The raster's 6 good bands (482 to 2201 nm) cover 0 of the 218 bands",
            "narrow bands",
        ),
        (
            table([0.45, 0.56, 0.66, 2.2]),
            "The raster's 4 good bands (0.45 to 2.2 nm) cover 0 of the 218 bands",
            "The wavelengths look like micrometres: state their unit in the metadata.",
        ),
        (
            even_sensor(400, 2501, 20),
            "cover 187 of the 218 bands of the model (418.24 to 2445.53 nm). "
            "Not covered: 429.294 to 576.995 nm (31 bands).",
            "narrow bands",
        ),
    ],
    ids=["three bands", "DESIS", "HLS", "micrometres taken for nm", "20 nm steps"],
)
def test_a_raster_that_covers_too_little_is_refused(source, message, hint):
    with pytest.raises(HyperKDError, match=re.escape(message)) as caught:
        resample(source, canonical_bands())
    assert caught.value.code == "band_mismatch"
    assert hint in caught.value.hint


@pytest.mark.parametrize(("allowed", "refused"), [(0.1, False), (0.09, True)])
def test_the_limit_is_the_share_of_extrapolated_bands(allowed, refused):
    target = Wavelengths(np.arange(500.0, 600.0, 10.0), np.full(10, 10.0))
    source = even_sensor(510, 700, 10.0)
    if refused:
        with pytest.raises(HyperKDError, match="Not covered: 500 nm. At most 9% may be missing"):
            resample(source, target, max_extrapolated=allowed)
    else:
        report = resample(source, target, max_extrapolated=allowed).report
        assert (report.count(EXTRAPOLATED), report.largest_gap_nm) == (1, 10.0)


def test_the_report_is_json_with_the_uncovered_ranges():
    values = resample(sensor_bands("enmap-202"), canonical_bands()).report.to_json()
    assert values["extrapolated"] == 16
    assert values["uncovered"][1] == {"from_nm": 1738.93, "to_nm": 1967.95, "bands": 7}


# --- properties over random sensors ----------------------------------------------------------


@st.composite
def sensors(draw):
    """A full-range sensor: one or two detectors, uneven steps, bad bands, any file order."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    overlap = draw(st.booleans())
    limits = [(390, 1000), (930, 2490)] if overlap else [(390, 2490)]
    centre, fwhm = [], []
    for first, last in limits:
        step = draw(st.floats(2.0, 12.0))
        part = np.arange(first, last, step)
        centre.append(part + random.uniform(-0.15, 0.15, part.size) * step)
        fwhm.append(np.full(part.size, step * random.uniform(1.0, 1.6)))
    centres = np.round(np.concatenate(centre), 3)
    centres, first_of_each = np.unique(centres, return_index=True)
    widths = np.concatenate(fwhm)[first_of_each]
    good = random.random(centres.size) > 0.03
    file = random.permutation(centres.size)
    return table(centres[file], widths[file] if draw(st.booleans()) else None, good[file])


@given(sensors())
def test_constants_stay_and_lines_are_exact_inside_the_support(source):
    target = canonical_bands()
    resampling = resample(source, target, max_extrapolated=1.0)
    inside = resampling.report.supported
    assert inside.mean() > 0.9
    np.testing.assert_allclose(resampling.matrix.sum(axis=1), 1, rtol=1e-14)
    assert (resampling.matrix >= 0).all()
    lines = resampling.affine.apply(source.wavelengths.centre_nm)
    np.testing.assert_allclose(lines[inside], target.centre_nm[inside], rtol=0, atol=1e-6)
    constant = resampling.affine.apply(np.full(len(source), 0.37))
    np.testing.assert_allclose(constant, 0.37, rtol=1e-14)


@given(sensors(), st.sampled_from([np.int16, np.float32, np.float64]))
def test_order_and_unit_of_the_file_change_no_bit(source, dtype):
    target = canonical_bands()
    order = np.argsort(source.wavelengths.centre_nm)
    by_wavelength = source.take(order)
    micrometres = source.wavelengths.centre_nm / 1000
    fwhm = source.wavelengths.fwhm_nm
    from_micrometres = table(
        micrometres * 1000, None if fwhm is None else fwhm / 1000 * 1000, source.good
    )
    spectra = np.random.default_rng(1).integers(-50, 9000, (len(source), 3, 5)).astype(dtype)
    expected = resample(source, target, max_extrapolated=1.0).affine.apply(spectra)
    for other, values in ((by_wavelength, spectra[order]), (from_micrometres, spectra)):
        resampled = resample(other, target, max_extrapolated=1.0).affine.apply(values)
        assert np.array_equal(resampled, expected)


@given(sensors())
def test_bad_bands_have_no_weight_and_their_values_no_influence(source):
    resampling = resample(source, canonical_bands(), max_extrapolated=1.0)
    assert not resampling.matrix[:, ~source.good].any()
    spectra = np.random.default_rng(2).random((len(source), 4))
    clean = resampling.affine.apply(spectra)
    spectra[~source.good] = np.nan
    np.testing.assert_array_equal(resampling.affine.apply(spectra), clean)


@given(sensors(), st.randoms(use_true_random=False))
def test_the_order_of_the_target_only_permutes_the_rows(source, random):
    target = canonical_bands()
    order = np.array(random.sample(range(len(target)), len(target)))
    plain = resample(source, target, max_extrapolated=1.0)
    permuted = resample(source, target.take(order), max_extrapolated=1.0)
    assert np.array_equal(permuted.matrix, plain.matrix[order])
    assert permuted.report.uncovered() == plain.report.uncovered()
