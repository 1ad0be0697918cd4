from __future__ import annotations

import numpy as np
import pytest

from hyperkd.inference.stats.principal_components import Moments, principal_components


def vectors(count=500, dimension=5, seed=0):
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(dimension, dimension))
    # A mean far from zero, as embeddings after a last bias have it.
    values = mixing @ generator.normal(size=(dimension, count)) + 1000.0
    return values.astype(np.float32)


@pytest.mark.parametrize("cuts", [[500], [1, 7, 100, 250], [0, 499], list(range(0, 500, 33))])
def test_moments_in_portions_equal_those_of_the_whole(cuts):
    values = vectors()
    moments = Moments(5)
    for portion in np.split(values, cuts, axis=1):
        moments.add(portion)
    exact = values.astype(np.float64)
    assert moments.count == 500
    np.testing.assert_allclose(moments.mean, exact.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(moments.scatter / 499, np.cov(exact), rtol=1e-9)


def components_of(values, count=None):
    moments = Moments(values.shape[0])
    moments.add(values)
    return principal_components(moments, count)


def test_components_are_orthonormal_decorrelated_and_ordered_by_their_variance():
    values = vectors(2000)
    found = components_of(values)
    np.testing.assert_allclose(found.matrix @ found.matrix.T, np.eye(5), atol=1e-6)
    scores = found.project(values.reshape(5, 40, 50)).reshape(5, -1)
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-3)
    covariance = np.cov(scores.astype(np.float64))
    variance = np.diag(covariance)
    np.testing.assert_allclose(covariance - np.diag(variance), 0, atol=1e-3 * variance[0])
    assert (np.diff(variance) < 0).all()
    np.testing.assert_allclose(found.fraction, variance / variance.sum(), rtol=1e-4)
    assert found.fraction.sum() == pytest.approx(1.0)


def test_known_axes_come_out_with_positive_largest_element():
    generator = np.random.default_rng(1)
    values = generator.normal(size=(3, 4000)) * [[1.0], [10.0], [3.0]]
    found = components_of(values.astype(np.float32), 2)
    np.testing.assert_allclose(found.matrix, [[0, 1, 0], [0, 0, 1]], atol=0.02)
    assert (found.matrix[[0, 1], [1, 2]] > 0.99).all()
    np.testing.assert_allclose(found.fraction, [100 / 110, 9 / 110], rtol=0.05)


def test_the_sign_does_not_depend_on_the_sign_of_the_data():
    values = vectors()
    np.testing.assert_allclose(components_of(-values).matrix, components_of(values).matrix)


def test_a_single_vector_explains_nothing_and_projects_onto_zero():
    values = vectors(1)
    found = components_of(values, 3)
    np.testing.assert_array_equal(found.fraction, 0)
    np.testing.assert_allclose(found.project(values.reshape(5, 1, 1)), 0, atol=1e-3)
