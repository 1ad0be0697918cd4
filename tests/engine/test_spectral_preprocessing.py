from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.spectral.affine import Affine
from hyperkd.spectral.preprocessing import input_map
from hyperkd.spectral.resampling import resample
from hyperkd.spectral.sensors import canonical_bands, sensor_bands
from hyperkd.types import BandTable, Wavelengths


@pytest.fixture
def random():
    return np.random.default_rng(11)


def other_sensor(random):
    """A sensor of 10 nm steps with its own scale and offset in every band."""
    centre = np.arange(400.0, 2501.0, 10.0)
    return BandTable(
        Wavelengths(centre, np.full(centre.size, 11.0)),
        good=np.arange(centre.size) % 17 != 3,
        scale=random.uniform(0.5e-4, 2e-4, centre.size),
        offset=random.uniform(-0.05, 0.05, centre.size),
        nodata=np.full(centre.size, np.nan),
    )


def test_one_matrix_equals_scaling_resampling_and_normalising_in_turn(random):
    source, target = other_sensor(random), canonical_bands()
    mean, std = random.uniform(0.1, 0.4, 218), random.uniform(0.05, 0.3, 218)
    stored = random.integers(-200, 9000, (len(source), 6, 5))
    affine, _ = input_map(source, target, mean, std)
    reflectance = stored * source.scale[:, None, None] + source.offset[:, None, None]
    resampled = np.einsum("ts,shw->thw", resample(source, target).matrix, reflectance)
    expected = (resampled - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(affine.apply(stored), expected, rtol=0, atol=1e-12)
    single = affine.apply(stored.astype(np.int16))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-5)


def test_folded_into_a_first_layer_it_eats_stored_values(random):
    source, target = other_sensor(random), canonical_bands()
    mean, std = random.uniform(0.1, 0.4, 218), random.uniform(0.05, 0.3, 218)
    weight, bias = random.normal(size=(64, 218)) / 15, random.normal(size=64)
    stored = random.integers(-200, 9000, (len(source), 300)).astype(np.int16)
    affine, _ = input_map(source, target, mean, std)
    unfolded = weight @ affine.apply(stored.astype(np.float64)) + bias[:, None]
    folded = affine.then(Affine(weight, bias))
    np.testing.assert_allclose(folded.apply(stored.astype(np.float64)), unfolded, atol=1e-12)
    np.testing.assert_allclose(folded.apply(stored), unfolded, rtol=1e-5, atol=1e-5)


def test_enmap_input_is_its_own_good_bands_normalised():
    source = sensor_bands("enmap")
    stored = np.arange(224.0) * 10
    affine, report = input_map(source, canonical_bands(), np.full(218, 0.2), np.full(218, 0.1))
    np.testing.assert_allclose(affine.apply(stored), (stored[source.good] * 1e-4 - 0.2) / 0.1)
    assert report.supported.all()


def test_offset_and_scale_of_a_bad_band_have_no_influence(random):
    source = other_sensor(random)
    offset = np.where(source.good, source.offset, np.nan)
    scale = np.where(source.good, source.scale, 1e30)
    strange = dataclasses.replace(source, offset=offset, scale=scale)
    plain, _ = input_map(source, canonical_bands(), np.zeros(218), np.ones(218))
    affine, _ = input_map(strange, canonical_bands(), np.zeros(218), np.ones(218))
    np.testing.assert_array_equal(affine.matrix, plain.matrix)
    np.testing.assert_array_equal(affine.offset, plain.offset)


def test_shuffled_bands_give_the_same_bits(random):
    source = other_sensor(random)
    order = random.permutation(len(source))
    stored = random.integers(-200, 9000, (len(source), 40)).astype(np.int16)
    mean, std = random.uniform(0.1, 0.4, 218), random.uniform(0.05, 0.3, 218)
    plain, _ = input_map(source, canonical_bands(), mean, std)
    shuffled, _ = input_map(source.take(order), canonical_bands(), mean, std)
    assert np.array_equal(shuffled.apply(stored[order]), plain.apply(stored))


def test_the_share_of_extrapolated_bands_can_be_set():
    source = sensor_bands("enmap-202")
    arguments = (source, canonical_bands(), np.zeros(218), np.ones(218))
    assert input_map(*arguments)[1].extrapolated_share == 16 / 218
    with pytest.raises(HyperKDError, match="cover 202 of the 218 bands") as caught:
        input_map(*arguments, max_extrapolated=0.05)
    assert caught.value.code == "band_mismatch"


def test_a_standard_deviation_of_zero_is_a_mistake():
    with pytest.raises(ValueError, match="must be positive, got 0"):
        input_map(sensor_bands("enmap"), canonical_bands(), np.zeros(218), np.zeros(218))
