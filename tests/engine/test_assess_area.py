"""Areas and accuracies of a whole map: the published examples, digit by digit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.scores.map_area import AreaEstimate, estimate_area


def classes_named(*names: str) -> tuple[dict[str, object], ...]:
    return tuple({"name": name, "value": name, "color": "#336699"} for name in names)


# Olofsson et al. (2014), tables 8 and 9 and section 5.2: rows are the map.
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED = (200_000, 150_000, 3_200_000, 6_450_000)
FOREST = classes_named("deforestation", "forest gain", "stable forest", "stable non-forest")


def sample_of(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and map of one pixel for each count of a matrix."""
    rows, cols = np.indices(matrix.shape)
    return np.repeat(cols.ravel(), matrix.ravel()), np.repeat(rows.ravel(), matrix.ravel())


def olofsson() -> AreaEstimate:
    truth, predicted = sample_of(OLOFSSON)
    return estimate_area(
        truth, predicted, predicted, MAPPED, FOREST, np.arange(640), pixel_ha=0.09, seed=0
    )


def half_width(found: AreaEstimate, name: str) -> np.ndarray:
    ends = found.intervals[name]
    return (ends[..., 1] - ends[..., 0]) / 2


def test_olofsson_overall_and_users_accuracies() -> None:
    found = olofsson()
    assert round(float(found.estimates["overall_accuracy"]), 2) == 0.95
    assert round(float(half_width(found, "overall_accuracy")), 2) == 0.02
    assert found.estimates["users_accuracy"].round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert half_width(found, "users_accuracy").round(2).tolist() == [0.07, 0.10, 0.04, 0.02]


def test_olofsson_producers_accuracies() -> None:
    found = olofsson()
    assert found.estimates["producers_accuracy"].round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    half = half_width(found, "producers_accuracy")
    # The paper prints 0.21, 0.23, 0.03 and 0.01. Its own equation 7 gives 0.254 for the second
    # and 0.018 for the fourth, so these two are held to the equation, evaluated below.
    assert half[[0, 2]].round(2).tolist() == [0.21, 0.03]
    assert half == pytest.approx(equation_7(), rel=1e-12)
    assert half[[1, 3]] == pytest.approx([0.254, 0.018], abs=0.0005)


def equation_7() -> np.ndarray:
    """Return 1.96 standard errors of producer's accuracy as equation 7 is printed."""
    sampled = OLOFSSON.sum(axis=1)
    size = np.array(MAPPED, float)
    rate = OLOFSSON / sampled[:, None]
    users = rate.diagonal()
    total = (size[:, None] * rate).sum(axis=0)
    producers = size * users / total
    half = []
    for j in range(4):
        own = size[j] ** 2 * (1 - producers[j]) ** 2 * users[j] * (1 - users[j]) / (sampled[j] - 1)
        others = sum(
            size[i] ** 2 * rate[i, j] * (1 - rate[i, j]) / (sampled[i] - 1)
            for i in range(4)
            if i != j
        )
        half.append(1.96 * np.sqrt(own + producers[j] ** 2 * others) / total[j])
    return np.array(half)


def test_olofsson_areas() -> None:
    found = olofsson()
    assert found.area_ha == pytest.approx(900_000)
    told = found.to_json()
    areas = [row["area_ha"] for row in told["classes"]]
    assert [round(area["value"]) for area in areas] == [21158, 11686, 285770, 581386]
    halves = [(area["high"] - area["low"]) / 2 for area in areas]
    assert [round(half) for half in halves] == [6158, 3756, 15510, 16282]


def test_olofsson_matrix_of_area_shares() -> None:
    found = olofsson()
    assert found.shares.sum() == pytest.approx(1)
    # table 9
    assert found.shares.round(4).tolist() == [
        [0.0176, 0.0, 0.0013, 0.0011],
        [0.0, 0.0110, 0.0016, 0.0024],
        [0.0019, 0.0, 0.2967, 0.0213],
        [0.0040, 0.0020, 0.0179, 0.6212],
    ]
    assert found.shares.sum(axis=1) == pytest.approx(np.array(MAPPED) / sum(MAPPED))


def test_stehman_with_strata_that_are_not_the_classes() -> None:
    # Stehman (2014), table 2: ten pixels in each of four strata
    strata = np.repeat(np.arange(4), 10)
    mapped = "AAAAAAABBBABBBBBBBBBBBCCCCCCBBDDDDDDDDDD"
    reference = "AAAAACBABCABBBBBAABBCCCCCDDBBADDDDDDDCCB"
    truth, predicted = (
        np.array(["ABCD".index(name) for name in names]) for names in (reference, mapped)
    )
    found = estimate_area(
        truth,
        predicted,
        strata,
        (40_000, 30_000, 20_000, 10_000),
        classes_named(*"ABCD"),
        np.arange(40),
        seed=0,
    )
    error = {name: half_width(found, name) / 1.96 for name in found.intervals}
    assert found.estimates["area_share"][[0, 2]].round(2).tolist() == [0.35, 0.20]
    assert error["area_share"][[0, 2]].round(3).tolist() == [0.082, 0.064]
    assert round(float(found.estimates["overall_accuracy"]), 2) == 0.63
    assert round(float(error["overall_accuracy"]), 3) == 0.085
    assert round(float(found.estimates["users_accuracy"][1]), 3) == 0.574
    assert round(float(error["users_accuracy"][1]), 3) == 0.125
    assert round(float(found.estimates["producers_accuracy"][1]), 3) == 0.794
    assert round(float(error["producers_accuracy"][1]), 3) == 0.117
    assert round(float(found.shares[1, 2]), 3) == 0.08


def test_polygons_are_resampled_whole_and_the_estimate_stays() -> None:
    truth, predicted = sample_of(OLOFSSON)
    order = np.random.default_rng(0).permutation(640)
    truth, predicted = truth[order], predicted[order]
    pixels = olofsson()
    # each pixel twice, as polygons of two pixels: no more evidence than before
    doubled = estimate_area(
        np.repeat(truth, 2),
        np.repeat(predicted, 2),
        np.repeat(predicted, 2),
        MAPPED,
        FOREST,
        np.repeat(np.arange(640), 2),
        seed=0,
    )
    assert doubled.method.startswith("percentiles of resampled groups")
    assert doubled.area_ha is None
    assert doubled.to_json()["classes"][0]["area_ha"] == {"value": None, "low": None, "high": None}
    for name, value in pixels.estimates.items():
        assert doubled.estimates[name] == pytest.approx(value), name
    assert half_width(doubled, "area_share") == pytest.approx(
        half_width(pixels, "area_share"), rel=0.12
    )


def test_too_few_polygons_give_no_interval() -> None:
    truth, predicted = sample_of(OLOFSSON)
    found = estimate_area(truth, predicted, predicted, MAPPED, FOREST, np.arange(640) % 4, seed=0)
    assert np.isnan(found.intervals["area_share"]).all()
    assert np.isfinite(found.estimates["area_share"]).all()


def test_a_class_absent_from_map_and_sample_is_undefined() -> None:
    truth, predicted = sample_of(OLOFSSON[:2, :2] + 1)
    found = estimate_area(
        truth,
        predicted,
        predicted,
        (100, 200, 0),
        classes_named("a", "b", "c"),
        np.arange(125),
        seed=0,
    )
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["classes"][2]["users_accuracy"] == {"value": None, "low": None, "high": None}
    assert told["classes"][2]["producers_accuracy"]["value"] is None
    assert told["classes"][2]["area_share"]["value"] == 0


def test_a_stratum_with_one_labelled_pixel_is_refused_by_name() -> None:
    truth = np.array([0, 0, 1])
    with pytest.raises(
        HyperKDError, match=r"fewer than two .* water \(30 pixels, 1 labelled\)"
    ) as refused:
        estimate_area(
            truth,
            truth,
            truth,
            (70, 30),
            classes_named("land", "water"),
            np.arange(3),
            strata_names=("land", "water"),
            seed=0,
        )
    assert refused.value.code == "bad_labels"
    assert refused.value.context == {"strata": ["water"]}
