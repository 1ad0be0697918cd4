from __future__ import annotations

import numpy as np
import pytest

from hyperkd.inference.stats.spectral_error import spectral_error
from hyperkd.spectral.affine import Affine


def error_of(target, estimate, bands=None, dtype=np.float32):
    target, estimate = (np.array(x, dtype)[:, None, None] for x in (target, estimate))
    bands = np.arange(len(target)) if bands is None else np.array(bands)
    same = Affine.diagonal(np.ones(len(target)), np.zeros(len(target)))
    return spectral_error(target, same, estimate, bands)[:, 0, 0]


@pytest.mark.parametrize(
    ("target", "estimate", "angle", "rmse"),
    [
        ([1, 0], [0, 1], 90.0, 1.0),
        ([1, 1], [1, 0], 45.0, np.sqrt(0.5)),
        ([1, 2, 2], [-1, -2, -2], 180.0, np.sqrt(12)),
        ([0.1, 0.2, 0.3], [0.2, 0.4, 0.6], 0.0, np.sqrt(0.14 / 3)),
        ([3, 4], [3, 4], 0.0, 0.0),
        ([1, 1], [1, np.sqrt(3)], 15.0, (np.sqrt(3) - 1) / np.sqrt(2)),
    ],
)
def test_angle_and_rmse_of_known_spectra(target, estimate, angle, rmse):
    np.testing.assert_allclose(error_of(target, estimate), [angle, rmse], rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize("degrees", [1e-5, 1e-3, 0.1, 89.999, 179.99])
def test_small_and_extreme_angles_keep_their_digits(degrees):
    angle = np.radians(degrees)
    found, _ = error_of([1.0, 0.0], [np.cos(angle), np.sin(angle)], dtype=np.float64)
    assert found == pytest.approx(degrees, rel=1e-5)


def test_an_angle_does_not_depend_on_brightness():
    generator = np.random.default_rng(0)
    a, b = generator.random((2, 218))
    expected = np.degrees(np.arccos(a @ b / np.sqrt(a @ a * (b @ b))))
    for factor in (1e-3, 1.0, 7.0):
        assert error_of(a, factor * b, dtype=np.float64)[0] == pytest.approx(expected, rel=1e-6)


def test_a_spectrum_of_zeros_is_at_right_angles_to_any_other():
    for other in np.random.default_rng(0).random((20, 7)):
        for pair in ((np.zeros(7), other), (other, np.zeros(7))):
            angle, rmse = error_of(*pair, dtype=np.float64)
            assert angle == 90.0
            assert rmse == pytest.approx(np.sqrt((other**2).mean()))
    assert error_of(np.zeros(7), np.zeros(7)).tolist() == [0.0, 0.0]


def test_nan_stays_nan_and_only_the_named_bands_count():
    assert np.isnan(error_of([1, np.nan], [1, 1])).all()
    np.testing.assert_allclose(error_of([1, 9, 0], [0, 5, 1], bands=[0, 2]), [90, 1], rtol=1e-6)


def test_stored_values_are_compared_through_the_map_to_reflectance():
    generator = np.random.default_rng(0)
    stored = generator.integers(0, 9000, (3, 4, 5)).astype(np.int16)
    to_reflectance = Affine(generator.normal(size=(2, 3)) * 1e-4, np.array([0.1, -0.2]))
    estimate = generator.random((2, 4, 5)).astype(np.float32)
    target = to_reflectance.apply(stored.astype(np.float64))
    angle, rmse = spectral_error(stored, to_reflectance, estimate, np.arange(2))
    cosine = (target * estimate).sum(axis=0)
    cosine /= np.linalg.norm(target, axis=0) * np.linalg.norm(estimate, axis=0)
    np.testing.assert_allclose(angle, np.degrees(np.arccos(cosine)), rtol=1e-5)
    np.testing.assert_allclose(rmse, np.sqrt(((target - estimate) ** 2).mean(axis=0)), rtol=1e-6)
