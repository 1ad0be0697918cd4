from __future__ import annotations

import numpy as np
import pytest

from hyperkd.spectral.affine import Affine


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def test_apply_is_matrix_times_spectrum_plus_offset():
    affine = Affine([[1.0, 2.0, 0.0], [0.0, 0.5, -1.0]], [10.0, 20.0])
    spectra = np.array([[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]])
    np.testing.assert_array_equal(affine.apply(spectra), [[[17.0, 20.0]], [[16.5, 16.0]]])


def test_diagonal_scales_each_band_by_its_own_numbers():
    affine = Affine.diagonal([1e-4, 2.0], [0.0, -1.0])
    np.testing.assert_array_equal(affine.apply(np.array([10000.0, 3.0])), [1.0, 5.0])


def test_then_equals_applying_one_after_the_other(random):
    first = Affine(random.normal(size=(5, 9)), random.normal(size=5))
    second = Affine(random.normal(size=(3, 5)), random.normal(size=3))
    third = Affine(random.normal(size=(7, 3)), random.normal(size=7))
    spectra = random.normal(size=(9, 4, 6))
    folded = first.then(second).then(third).apply(spectra)
    stepwise = third.apply(second.apply(first.apply(spectra)))
    np.testing.assert_allclose(folded, stepwise, rtol=0, atol=1e-12)


def test_bad_input_with_a_zero_column_leaves_no_trace():
    affine = Affine([[1.0, 0.0], [2.0, 0.0]], [0.5, 0.0])
    spectra = np.array([[3.0, 4.0], [np.nan, np.inf]])
    np.testing.assert_array_equal(affine.apply(spectra), [[3.5, 4.5], [6.0, 8.0]])


def test_nan_of_a_used_input_spoils_its_pixel_and_no_other():
    mapped = Affine([[1.0, 0.5]], [0.0]).apply(np.array([[1.0, 2.0], [np.nan, 4.0]]))
    np.testing.assert_array_equal(mapped, [[np.nan, 4.0]])


def test_a_matrix_of_zeros_gives_the_offset():
    mapped = Affine(np.zeros((2, 3)), [1.0, 2.0]).apply(np.full((3, 4), np.nan))
    np.testing.assert_array_equal(mapped, [[1.0] * 4, [2.0] * 4])


def test_the_order_of_the_inputs_changes_no_bit(random):
    matrix = np.full((4, 50), 1 / 50)  # equal columns: nothing but `order` tells them apart
    spectra = random.normal(size=(50, 1000))
    plain = Affine(matrix, np.zeros(4)).apply(spectra)
    shuffled = random.permutation(50)
    moved = Affine(matrix[:, shuffled], np.zeros(4), np.argsort(shuffled))
    assert np.array_equal(moved.apply(spectra[shuffled]), plain)
    # The same sum in the order of the columns differs, or this test could not fail.
    assert not np.array_equal(Affine(matrix, np.zeros(4)).apply(spectra[shuffled]), plain)


@pytest.mark.parametrize(
    ("stored", "mapped"),
    [
        (np.int16, np.float32),
        (np.uint16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int32, np.float64),
    ],
)
def test_result_is_as_precise_as_the_stored_values_need(stored, mapped):
    spectra = np.array([32767, 12345], dtype=stored)
    result = Affine.diagonal([1.0, 1.0], [0.0, 0.0]).apply(spectra)
    assert result.dtype == mapped
    np.testing.assert_array_equal(result, [32767, 12345])


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"matrix \(2, 3\) and offset \(3,\) do not fit"):
        Affine(np.zeros((2, 3)), np.zeros(3))
    with pytest.raises(ValueError, match="must name each of the 3 inputs once"):
        Affine(np.zeros((2, 3)), np.zeros(2), np.array([0, 1, 1]))
    with pytest.raises(ValueError, match=r"spectra \(4, 5\) do not fit the matrix \(2, 3\)"):
        Affine(np.zeros((2, 3)), np.zeros(2)).apply(np.zeros((4, 5)))
