from __future__ import annotations

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.spectral.responses import gaussian_responses
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.types import Wavelengths

GRID_NM = np.arange(400.0, 2501.0)


def test_constant_and_linear_spectra_keep_their_value_at_the_centre():
    bands = sensor_bands("enmap").wavelengths
    responses = gaussian_responses(bands, GRID_NM)
    np.testing.assert_allclose(responses @ np.full(GRID_NM.size, 0.37), 0.37, rtol=1e-14)
    np.testing.assert_allclose(responses @ GRID_NM, bands.centre_nm, atol=1e-6)


def test_response_to_a_narrow_absorption_is_the_convolution_of_two_gaussians():
    # A Gaussian of sigma s seen through one of sigma r has depth s / hypot(s, r).
    sigma = 8.0
    dip = np.exp(-0.5 * ((GRID_NM - 1000) / sigma) ** 2)
    fwhm = 20.0
    seen = gaussian_responses(Wavelengths(np.array([1000.0]), np.array([fwhm])), GRID_NM) @ dip
    own = fwhm / 2.354820045
    np.testing.assert_allclose(seen, sigma / np.hypot(sigma, own), rtol=1e-9)


def test_half_maximum_lies_half_the_fwhm_from_the_centre():
    response = gaussian_responses(Wavelengths(np.array([700.0]), np.array([10.0])), GRID_NM)[0]
    np.testing.assert_allclose(response[[295, 305]] / response[300], 0.5, rtol=1e-12)


def test_uneven_grids_weigh_each_sample_by_its_cell():
    grid = np.r_[np.arange(600.0, 700.0, 1.0), np.arange(700.0, 801.0, 2.0)]
    response = gaussian_responses(Wavelengths(np.array([700.0]), np.array([30.0])), grid)
    np.testing.assert_allclose(response @ grid, 700.0, atol=0.02)


@pytest.mark.parametrize(
    ("bands", "code", "message"),
    [
        (Wavelengths(np.array([700.0])), "bad_wavelengths", "no FWHM"),
        (
            Wavelengths(np.array([700.0, 2600.0]), np.array([10.0, 10.0])),
            "band_mismatch",
            r"Band 2 at 2600 nm lies outside the spectra \(400 to 2500 nm\)",
        ),
        (
            Wavelengths(np.array([700.0]), np.array([1.5])),
            "band_mismatch",
            "every 1 nm are too coarse for band 1 with its FWHM of 1.5 nm",
        ),
    ],
)
def test_impossible_bands_are_refused(bands, code, message):
    with pytest.raises(HyperKDError, match=message) as caught:
        gaussian_responses(bands, GRID_NM)
    assert caught.value.code == code
    assert caught.value.hint
