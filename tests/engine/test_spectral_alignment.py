from __future__ import annotations

import re

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.requests.prepare_options import AlignJob
from hyperkd.spectral.hls_alignment import HLS_BANDS, align_to_hls
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.types import BandTable, Wavelengths

MODES = AlignJob.__dataclass_fields__["mode"].metadata["choices"]
# Bands of EnMAP inside the six ranges, 1-based, the same in delivered and detector order.
ENMAP_BANDS = (
    range(8, 20),
    range(24, 36),
    range(44, 49),
    range(74, 78),
    range(146, 153),
    range(183, 204),
)


def table(centre, good=None):
    count = len(centre)
    return BandTable(
        Wavelengths(np.asarray(centre, float)),
        good=np.ones(count, bool) if good is None else np.asarray(good),
        scale=np.ones(count),
        offset=np.zeros(count),
        nodata=np.full(count, np.nan),
    )


def by_detector(bands):
    return bands.take(np.argsort([name.startswith("SWIR") for name in bands.names], kind="stable"))


def one_based(alignment):
    return tuple(tuple(band + 1 for band in bands) for bands in alignment.bands)


@pytest.mark.parametrize("arrange", [lambda bands: bands, by_detector])
def test_the_rows_of_enmap_hold_exactly_the_bands_of_each_range(arrange):
    alignment = align_to_hls(arrange(sensor_bands("enmap")), "range_mean")
    assert one_based(alignment) == tuple(tuple(bands) for bands in ENMAP_BANDS)
    for row, bands in zip(alignment.matrix, ENMAP_BANDS):
        np.testing.assert_allclose(row[[band - 1 for band in bands]], 1 / len(bands), rtol=1e-15)
        assert np.count_nonzero(row) == len(bands)
    assert alignment.notes == ()


def test_the_rows_of_the_potsdam_tiles_hold_the_same_bands(potsdam):
    gdal = pytest.importorskip("osgeo.gdal")
    assert len(potsdam.images) == 13
    for tile in potsdam.images:
        dataset = gdal.Open(str(tile))
        items = [dataset.GetRasterBand(band + 1).GetMetadata() for band in range(224)]
        source = table(
            [float(item["wavelength"]) for item in items], [item["bbl"] == "1" for item in items]
        )
        alignment = align_to_hls(source, "range_mean")
        assert one_based(alignment) == tuple(tuple(bands) for bands in ENMAP_BANDS)
        data = np.frombuffer(dataset.ReadRaster(buf_type=gdal.GDT_Float64)).reshape(224, 32, 32)
        means = [data[[band - 1 for band in bands]].mean(axis=0) for bands in ENMAP_BANDS]
        np.testing.assert_allclose(alignment.affine.apply(data), means, rtol=1e-12)


def test_202_bands_keep_all_six_ranges():
    numbers = [len(bands) for bands in align_to_hls(sensor_bands("enmap-202"), "range_mean").bands]
    assert numbers == [12, 12, 5, 4, 7, 21]


@pytest.mark.parametrize("mode", MODES)
def test_a_constant_spectrum_keeps_its_value(mode):
    matrix = align_to_hls(sensor_bands("enmap"), mode).matrix
    np.testing.assert_allclose(matrix @ np.full(224, 0.37), 0.37, rtol=1e-14)
    assert (matrix >= 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_a_line_is_read_at_the_centre_that_the_alignment_tells(mode):
    source = sensor_bands("enmap")
    alignment = align_to_hls(source, mode)
    np.testing.assert_allclose(
        alignment.affine.apply(source.wavelengths.centre_nm), alignment.centre_nm, rtol=1e-13
    )
    middles = np.array([band.centre_nm for band in HLS_BANDS])
    np.testing.assert_allclose(alignment.centre_nm, middles, atol=6)


def test_the_ends_of_a_range_belong_to_it():
    centre = [450, 510, 530, 590, 640, 670, 850, 880, 1570, 1650, 2110, 2290]
    expected = tuple((2 * row, 2 * row + 1) for row in range(6))
    assert align_to_hls(table(centre), "range_mean").bands == expected
    just_outside = np.array(centre) + np.tile([-0.001, 0.001], 6)
    with pytest.raises(HyperKDError, match="No good band lies in BLUE"):
        align_to_hls(table(just_outside), "range_mean")


def test_nearest_takes_the_one_band_next_to_the_middle():
    source = sensor_bands("enmap")
    alignment = align_to_hls(source, "nearest")
    picked = [source.wavelengths.centre_nm[bands].tolist() for bands in map(list, alignment.bands)]
    assert picked == [[482.265], [560.947], [653.643], [863.455], [1609.36], [2199.71]]
    assert alignment.notes == ()


def test_gaussian_weights_halve_at_the_ends_of_the_range():
    centre = np.arange(400.0, 2401.0)
    alignment = align_to_hls(table(centre), "srf_gaussian")
    for row, band in zip(alignment.matrix, HLS_BANDS):
        weight = dict(zip(centre, row / row.max()))
        assert weight[band.first_nm] == pytest.approx(0.5, rel=1e-9)
        assert weight[band.last_nm] == pytest.approx(0.5, rel=1e-9)
    # Three standard deviations of the narrowest range, 30 nm wide: 38.2 nm.
    assert [band + 400 for band in alignment.bands[2]] == list(range(617, 694))


@pytest.mark.parametrize("mode", MODES)
def test_bad_bands_are_left_out(mode):
    source = sensor_bands("enmap")
    good = source.good.copy()
    good[[9, 30, 45, 75, 148, 195]] = False
    matrix = align_to_hls(table(source.wavelengths.centre_nm, good), mode).matrix
    assert not matrix[:, ~good].any()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("mode", MODES)
def test_order_and_unit_of_the_file_change_no_bit(mode):
    source = sensor_bands("enmap")
    random = np.random.default_rng(3)
    data = random.integers(-50, 9000, (224, 40)).astype(np.float32)
    expected = align_to_hls(source, mode).affine.apply(data)
    order = random.permutation(224)
    shuffled = align_to_hls(source.take(order), mode)
    assert np.array_equal(shuffled.affine.apply(data[order]), expected)
    micrometres = table(source.wavelengths.centre_nm / 1000 * 1000, source.good)
    assert np.array_equal(align_to_hls(micrometres, mode).affine.apply(data), expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            (1565, 1653),
            "No good band lies in SWIR_1 (1570 to 1650 nm). "
            "Nearest good bands: band 145 at 1564.65 nm, band 146 at 1653.33 nm.",
        ),
        (
            (2100, 2500),
            "No good band lies in SWIR_2 (2110 to 2290 nm). "
            "Nearest good bands: band 181 at 2096.01 nm.",
        ),
        (
            (400, 511),
            "No good band lies in BLUE (450 to 510 nm). Nearest good bands: band 1 at 515.519 nm.",
        ),
    ],
)
def test_an_empty_row_is_refused_with_the_range_and_the_nearest_bands(mode, missing, message):
    source = sensor_bands("enmap")
    centre = source.wavelengths.centre_nm
    kept = np.flatnonzero((centre < missing[0]) | (centre > missing[1]))
    with pytest.raises(HyperKDError, match=re.escape(message)) as caught:
        align_to_hls(source.take(kept), mode)
    assert caught.value.code == "band_mismatch"
    assert "450 to 2290 nm" in caught.value.hint


def test_few_bands_and_bands_off_the_middle_are_noted():
    centre = [455, 480, 505, 531, 533, 535, 655, 852, 860, 1600, 1610, 1620, 2150, 2200, 2250]
    assert align_to_hls(table(centre), "range_mean").notes == (
        "GREEN (530 to 590 nm) is made from bands around 533.0 nm, 27.0 nm off its middle.",
        "RED (640 to 670 nm) is made from 1 band only.",
        "NIR_NARROW (850 to 880 nm) is made from 2 bands only.",
    )
