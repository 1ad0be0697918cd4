"""Splits of labels: what they promise holds for every pixel, whatever the labels."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.splits.split_labels import (
    LEFT_OUT,
    PARTS,
    TEST,
    TRAIN,
    VALIDATION,
    Split,
    k_folds,
    split_labels,
)
from hyperkd.evaluation.splits.split_units import GroupedPixels, by_block, by_scene, deal
from hyperkd.raster.labels.read_labels import LabelClass, Labels, SceneLabels
from hyperkd.raster.open_raster import open_raster
from hyperkd.requests.finetune_options import FinetuneJob
from tests.label_factories import read
from tests.potsdam import Potsdam, pixels

METHODS = FinetuneJob.__dataclass_fields__["split"].metadata["choices"]


def make_labels(
    scenes: list[tuple[Any, Any, Any, Any]], classes: int = 0, targets: int = 1
) -> Labels:
    """Labels from ``(rows, cols, values, groups)`` per scene."""
    made = []
    for rows, cols, values, groups in scenes:
        values = np.asarray(values, np.int64 if classes else np.float64)
        values = values if classes else values.reshape(-1, targets)
        made.append(
            SceneLabels(
                *(np.asarray(a, np.int64) for a in (rows, cols)), values, np.asarray(groups)
            )
        )
    legend = tuple(LabelClass(f"c{i}", i, "#000000") for i in range(classes))
    names = () if classes else tuple(f"t{i}" for i in range(targets))
    task = "classification" if classes else "regression"
    return Labels(task, legend, names, tuple(made))


def scattered(
    seed: int, *, classes: int = 3, polygons: int = 30, scenes: int = 1, size: int = 80
) -> Labels:
    """Small rectangles of random classes; some overlap, a group may lie in two scenes."""
    generator = np.random.default_rng(seed)
    owner = [np.full((size, size), -1) for _ in range(scenes)]
    value = generator.integers(0, classes, polygons) if classes else generator.random(polygons)
    for number in range(polygons):
        height, width = generator.integers(1, 7, 2)
        for scene in {int(generator.integers(scenes)) for _ in range(1 + number % 7 // 6)}:
            row, col = generator.integers(0, size - 7, 2)
            owner[scene][row : row + height, col : col + width] = number
    parts = []
    for picture in owner:
        rows, cols = np.nonzero(picture >= 0)
        groups = picture[rows, cols]
        parts.append((rows, cols, value[groups], groups * 7 + 3))
    return make_labels(parts, classes)


def pairs_within(labels: Labels, split: Split, distance: int) -> int:
    """How many pixels of different parts of one scene are that near to each other."""
    count = 0
    for scene, part in zip(labels.scenes, split.parts):
        place = np.stack([scene.rows, scene.cols], axis=1)
        for first, second in itertools.combinations((TRAIN, VALIDATION, TEST), 2):
            a, b = place[part == first], place[part == second]
            apart = np.abs(a[:, None] - b[None]).max(axis=2)
            count += int((apart <= distance).sum())
    return count


def parts_of_groups(labels: Labels, split: Split) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for scene, part in zip(labels.scenes, split.parts):
        for group, each in zip(scene.group.tolist(), part.tolist()):
            found[group].add(each)
    return {group: parts - {LEFT_OUT} for group, parts in found.items()}


def flat(split: Split) -> NDArray[np.int8]:
    return np.concatenate(split.parts)


# --- what every split promises ---


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    method=st.sampled_from(METHODS),
    buffer=st.one_of(st.none(), st.integers(0, 6)),
    receptive=st.integers(0, 40),
    classes=st.sampled_from([0, 2, 4]),
    scenes=st.sampled_from([1, 4]),
    shares=st.sampled_from([(0.6, 0.2, 0.2), (0.7, 0.0, 0.3), (0.8, 0.2, 0.0)]),
)
def test_parts_are_apart_complete_and_the_same_for_the_same_seed(
    seed: int, method: str, buffer: Any, receptive: int, classes: int, scenes: int, shares: Any
) -> None:
    labels = scattered(seed, classes=classes, scenes=scenes, polygons=40)
    arguments: Any = {
        **{"method": method, "buffer_px": buffer, "receptive_field_px": receptive},
        **{"shares": shares, "seed": seed % 1000},
    }
    try:
        split = split_labels(labels, **arguments)
    except HyperKDError as error:
        assert error.code == "class_missing_in_split"
        # With many polygons and no buffer there is always a way, unless scenes are few.
        assert buffer or method == "scenes" or (method != "random" and min_polygons(labels) < 3)
        return
    assert [part.dtype for part in split.parts] == [np.int8] * scenes
    assert [part.size for part in split.parts] == [len(scene) for scene in labels.scenes]
    used = [part for part in range(3) if shares[part]]
    assert set(np.unique(flat(split))) - {LEFT_OUT} == set(used)
    for part in used:
        if classes:
            assert set(labels.values[flat(split) == part]) == set(range(classes))
    if method == "random":
        assert split.optimistic and split.buffer_px == 0
    else:
        assert not split.optimistic
        if buffer is not None:
            assert split.buffer_px == buffer
        assert split.buffer_px <= (receptive // 2 if buffer is None else buffer)
        if split.buffer_px:
            assert pairs_within(labels, split, split.buffer_px) == 0
    if split.method in ("polygons", "scenes"):
        assert all(len(parts) <= 1 for parts in parts_of_groups(labels, split).values())
    if split.method == "scenes" and len(labels.scenes) > 1:
        assert all(len(set(part.tolist())) <= 1 for part in split.parts)
    again = split_labels(labels, **arguments)
    np.testing.assert_array_equal(flat(again), flat(split))
    assert again.summary() == split.summary() == json.loads(json.dumps(split.summary()))
    assert sum(split.counts[name]["pixels"] for name in (*PARTS, "left_out")) == len(labels)


def min_polygons(labels: Labels) -> int:
    if labels.task == "regression":
        return int(np.unique(labels.group).size)
    return min(
        np.unique(labels.group[labels.values == index]).size for index in range(len(labels.classes))
    )


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    method=st.sampled_from(METHODS),
    folds=st.integers(3, 6),
    classes=st.sampled_from([0, 3]),
    validation=st.booleans(),
    buffer=st.sampled_from([None, 0, 2]),
)
def test_folds_test_every_pixel_once(
    seed: int, method: str, folds: int, classes: int, validation: bool, buffer: Any
) -> None:
    labels = scattered(seed, classes=classes, scenes=6 if method == "scenes" else 2, polygons=60)
    arguments: Any = {
        **{"folds": folds, "method": method, "seed": 5, "validation": validation},
        **{"buffer_px": buffer, "receptive_field_px": 8},
    }
    try:
        splits = k_folds(labels, **arguments)
    except HyperKDError as error:
        assert error.code == "class_missing_in_split"
        assert buffer or method == "scenes"
        return
    assert len(splits) == folds
    assert (sum(flat(split) == TEST for split in splits) == 1).all()
    if validation:
        tested = [flat(split) == TEST for split in splits]
        for number, split in enumerate(splits):
            # The validation part is what another fold tests, but for the buffer.
            shown = flat(split) == VALIDATION
            assert any((mask | ~shown).all() for i, mask in enumerate(tested) if i != number)
    for split in splits:
        assert split.buffer_px == splits[0].buffer_px
        assert (VALIDATION in flat(split)) == validation
        if classes:
            assert set(labels.values[flat(split) == TRAIN]) == set(range(classes))
        if split.buffer_px:
            assert pairs_within(labels, split, split.buffer_px) == 0
        if split.method in ("polygons", "scenes"):
            assert all(len(parts) <= 1 for parts in parts_of_groups(labels, split).values())
    for one, other in zip(splits, k_folds(labels, **arguments)):
        np.testing.assert_array_equal(flat(one), flat(other))


# --- which way is chosen ---


def test_many_polygons_are_split_by_polygons_near_the_shares() -> None:
    labels = scattered(1, polygons=300, size=400)
    split = split_labels(labels, seed=3, method="auto")
    assert (split.method, split.buffer_px, split.optimistic, split.notes) == (
        *("polygons", 0, False, ()),
    )
    pixels = np.array([split.counts[name]["pixels"] for name in PARTS]) / len(labels)
    np.testing.assert_allclose(pixels, (0.6, 0.2, 0.2), atol=0.03)
    for index in range(3):
        mine = flat(split)[labels.values == index]
        np.testing.assert_allclose(
            [(mine == p).mean() for p in range(3)], (0.6, 0.2, 0.2), atol=0.05
        )


def test_several_scenes_with_all_classes_are_split_by_scenes() -> None:
    labels = scattered(2, scenes=8, polygons=200)
    groups = [scene.group + 1000 * number for number, scene in enumerate(labels.scenes)]
    labels = make_labels(
        [(s.rows, s.cols, s.values, g) for s, g in zip(labels.scenes, groups)], classes=3
    )
    split = split_labels(labels, receptive_field_px=64, method="auto", seed=0)
    assert (split.method, split.buffer_px, split.notes) == ("scenes", 32, ())
    assert all(len(set(part.tolist())) == 1 for part in split.parts)


def test_scenes_that_share_a_polygon_stay_together() -> None:
    labels = make_labels(
        [([0, 9], [0, 9], [0, 1], [n, shared]) for n, shared in enumerate([90, 91, 90, 92])],
        classes=2,
    )
    pixels = GroupedPixels.of(labels)
    assert by_scene(pixels).tolist() == [0, 0, 1, 1, 0, 0, 2, 2]
    split = split_labels(labels, method="scenes", seed=0)
    assert set(split.parts[0]) == set(split.parts[2])


def test_dense_labels_are_split_by_blocks() -> None:
    """Every pixel of a scene, in patches: their neighbours are no independent test."""
    rows, cols = (axis.ravel() for axis in np.mgrid[:40, :60])
    values = (rows // 3 + cols // 5) % 2
    labels = make_labels([(rows, cols, values, rows // 3 * 100 + cols // 5)], classes=2)
    split = split_labels(labels, method="auto", seed=0)
    assert (split.method, split.block_px) == ("blocks", 15)


def test_the_automatic_buffer_is_halved_until_enough_remains_and_says_so() -> None:
    labels = scattered(4, polygons=120, size=120)
    split = split_labels(labels, receptive_field_px=64, method="auto", seed=0)
    assert 0 < split.buffer_px < 32
    assert split.buffer_px in (16, 8, 4, 2, 1)
    small = (
        f"Training and test labels are only {split.buffer_px} pixels apart (32 would be safer, "
        "but too few labels would remain). Scores may be too high."
    )
    assert (split.notes[0], split.wanted_px) == (small, 32)
    # A model that looks no farther than the buffer reaches is tested well.
    near = 2 * split.buffer_px + 1
    assert split.as_seen_by(near).notes == split.notes[1:]
    assert split.as_seen_by(near + 1) is split
    assert split.as_seen_by(1).summary()["notes"] == list(split.notes[1:])
    left = int((flat(split) == LEFT_OUT).sum())
    assert split.notes[1] == (
        f"{left} of {len(labels)} labelled pixels lie within {split.buffer_px} px of another "
        "part and are left out."
    )
    assert pairs_within(labels, split, split.buffer_px) == 0
    assert pairs_within(labels, split, split.buffer_px + 1) > 0


def test_far_polygons_keep_the_whole_buffer() -> None:
    """Forty polygons in a scene of 1000 x 1000 pixels and a receptive field of 64."""
    generator = np.random.default_rng(0)
    corner = np.stack(np.divmod(generator.permutation(64)[:40], 8), axis=1) * 120
    rows = (corner[:, :1] + np.arange(5)).repeat(5, axis=1)
    cols = np.tile(corner[:, 1:] + np.arange(5), 5)
    values = np.repeat(np.arange(40) % 5, 25)
    labels = make_labels([(rows.ravel(), cols.ravel(), values, np.repeat(np.arange(40), 25))], 5)
    split = split_labels(labels, receptive_field_px=64, method="auto", seed=0)
    assert (split.method, split.buffer_px, split.notes) == ("polygons", 32, ())
    assert [split.counts[name]["groups"] for name in PARTS] == [24, 8, 8]
    assert split.counts["left_out"] == {"pixels": 0}


def test_blocks_cut_no_polygon_that_fits_into_one() -> None:
    rows = np.array([0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15])
    group = np.array([0] * 4 + [1] * 2 + [2] * 6)
    labels = make_labels([(rows, rows, group > 0, group)], classes=2)
    # Blocks of 4: group 0 fits, group 1 would be cut at row 4 but fits, group 2 is too long.
    assert by_block(GroupedPixels.of(labels), 4).tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 3]
    assert by_block(GroupedPixels.of(labels), 6).tolist() == [0] * 6 + [1] * 6


def test_a_block_holds_a_group_of_several_scenes_once() -> None:
    labels = make_labels(
        [([0, 1, 30], [0, 0, 30], [0, 0, 1], [5, 5, 6]), ([50, 51], [50, 50], [0, 1], [5, 8])],
        classes=2,
    )
    assert by_block(GroupedPixels.of(labels), 4).tolist() == [0, 0, 1, 0, 2]


def test_given_blocks_are_kept() -> None:
    labels = scattered(5, polygons=100, size=120)
    split = split_labels(labels, method="blocks", block_px=13, seed=0)
    assert (split.method, split.block_px) == ("blocks", 13)
    unit = by_block(GroupedPixels.of(labels), 13)
    assert all(len(set(flat(split)[unit == u].tolist())) == 1 for u in np.unique(unit))


def test_a_random_split_is_stratified_and_marked() -> None:
    labels = scattered(6, polygons=100, size=120)
    split = split_labels(labels, method="random", receptive_field_px=64, seed=0)
    assert split.summary()["optimistic"] is True
    assert split.notes[0].endswith("so the scores are optimistic.")
    for index in range(3):
        mine = flat(split)[labels.values == index]
        expected = np.array([0.6, 0.2, 0.2]) * mine.size
        assert np.abs(np.bincount(mine, minlength=3) - expected).max() <= 1
    assert pairs_within(labels, split, 1) > 0


def test_three_pixels_of_a_class_are_enough_for_a_random_split() -> None:
    labels = make_labels([(range(9), range(9), [0] * 6 + [1] * 3, range(9))], classes=2)
    for seed in range(20):
        split = split_labels(labels, method="random", seed=seed)
        assert sorted(flat(split)[6:].tolist()) == [TRAIN, VALIDATION, TEST]


def test_targets_are_balanced() -> None:
    labels = scattered(7, classes=0, polygons=200, size=300)
    whole = labels.values[:, 0]
    apart = []
    for seed in range(6):
        split = split_labels(labels, seed=seed, method="auto")
        assert (split.method, "classes" in split.counts["train"]) == ("polygons", False)
        apart.append(np.ptp([whole[flat(split) == part].mean() for part in range(3)]))
    # Polygons that are dealt without a look at their target lie 0.28 apart.
    assert np.mean(apart) < 0.12 * whole.std()


def test_distance_is_that_of_squares() -> None:
    """A diagonal neighbour is as near as one beside it."""
    rows, cols = [0, 3, 20, 40], [0, 3, 20, 40]
    labels = make_labels([(rows, cols, [0.0, 1.0, 2.0, 3.0], range(4))])
    for seed in range(10):
        for buffer in (2, 3):
            split = split_labels(
                labels, method="polygons", buffer_px=buffer, seed=seed, shares=(0.5, 0, 0.5)
            )
            first, second, *_ = flat(split).tolist()
            if LEFT_OUT in (first, second):
                assert buffer == 3
            elif buffer == 3:
                assert first == second


# --- refusals ---


def test_a_class_with_too_few_polygons_is_refused_by_name() -> None:
    rows = np.arange(11) * 10
    values = [0] * 9 + [1] * 2
    labels = make_labels([(rows, rows, values, range(11))], classes=2)
    with pytest.raises(HyperKDError) as error:
        split_labels(labels, method="auto", seed=0)
    assert error.value.code == "class_missing_in_split"
    assert error.value.message == ("A split by polygons has no pixel of c1 (2 polygons) in test.")
    assert "Label these classes in more places" in error.value.hint
    assert error.value.context["classes"] == ["c1"]
    # Two parts are possible with two polygons.
    split = split_labels(labels, shares=(0.7, 0, 0.3), method="auto", seed=0)
    assert sorted(flat(split)[9:].tolist()) == [TRAIN, TEST]


def test_a_buffer_that_was_asked_for_is_kept_or_refused_with_one_that_works() -> None:
    labels = scattered(8, polygons=60, size=60)
    with pytest.raises(HyperKDError, match="A split by polygons with a buffer of 30 px") as error:
        split_labels(labels, method="polygons", buffer_px=30, seed=0)
    assert error.value.code == "class_missing_in_split"
    works = int(error.value.hint.split(" px would do")[0].split()[-1])
    assert split_labels(labels, method="polygons", buffer_px=works, seed=0).buffer_px == works


def test_too_few_labels_are_refused() -> None:
    labels = make_labels([([0, 9], [0, 9], [1.0, 2.0], [0, 1])])
    with pytest.raises(HyperKDError, match=r"no pixel of the labels \(2 polygons\) in test"):
        split_labels(labels, method="polygons", seed=0)
    with pytest.raises(HyperKDError, match=r"no pixel of the labels \(1 scene\) in .* and .*"):
        split_labels(labels, method="scenes", seed=0)
    with pytest.raises(HyperKDError, match="class_missing|no pixel of") as error:
        k_folds(labels, folds=3, method="auto", seed=0, validation=True)
    assert error.value.code == "class_missing_in_split"


def test_the_fold_that_validates_leaves_every_class_to_the_training() -> None:
    """A class in two folds: the one that tests it must not validate with the other."""
    rows = np.arange(22) * 10
    labels = make_labels([(rows, rows, [0] * 20 + [1] * 2, range(22))], classes=2)
    for seed in range(10):
        splits = k_folds(labels, folds=4, method="polygons", seed=seed, validation=True)
        tested = [split for split in splits if 1 in labels.values[flat(split) == TEST]]
        assert len(tested) == 2
        for split in tested:
            assert 1 not in labels.values[flat(split) == VALIDATION]
            assert "No pixel of the validation part is c1." in split.notes


def test_a_class_in_fewer_polygons_than_folds_is_told() -> None:
    rows = np.arange(23) * 10
    labels = make_labels([(rows, rows, [0] * 20 + [1] * 3, range(23))], classes=2)
    splits = k_folds(labels, folds=5, method="polygons", seed=0, validation=True)
    without = [split for split in splits if 1 not in labels.values[flat(split) == TEST]]
    assert len(without) == 2
    for split in without:
        assert "No pixel of the test part is c1." in split.notes
    rare = make_labels([(rows, rows, [0] * 22 + [1], range(23))], classes=2)
    with pytest.raises(HyperKDError, match=r"no pixel of c1 \(1 polygon\) in train"):
        k_folds(rare, folds=5, method="polygons", seed=0, validation=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shares": (0.5, 0.5)}, "The fractions of train, validation, test are 0.5, 0.5"),
        ({"shares": (0.5, 0.2, 0.2)}, "The fractions .* are 0.5, 0.2, 0.2"),
        ({"shares": (0, 0.5, 0.5)}, "The fractions .* are 0, 0.5, 0.5"),
        ({"shares": (1.5, -0.5, 0)}, "The fractions .* are 1.5, -0.5, 0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(HyperKDError, match=message) as error:
        split_labels(scattered(0), **{"method": "auto", "seed": 0, **arguments})
    assert error.value.code == "bad_job"


def test_no_labels_cannot_be_split() -> None:
    with pytest.raises(HyperKDError, match="no labels to split") as error:
        split_labels(make_labels([([], [], [], [])], classes=2), method="auto", seed=0)
    assert error.value.code == "no_labels"


# --- dealing ---


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), units=st.integers(3, 60))
def test_every_class_that_can_be_everywhere_is_everywhere(seed: int, units: int) -> None:
    generator = np.random.default_rng(seed)
    stratum = generator.integers(0, 3, units)
    counts = np.zeros((units, 3))
    counts[np.arange(units), stratum] = generator.integers(1, 100, units)
    part = deal(counts, (0.6, 0.2, 0.2), np.random.default_rng(seed))
    for index in range(3):
        mine = part[stratum == index]
        assert len(set(mine)) == min(3, mine.size)


def test_units_of_several_classes_are_dealt_so_that_none_is_missing() -> None:
    """Nine scenes, of which three hold a rare class and three others another one."""
    counts = np.zeros((9, 3))
    counts[:, 0] = 100
    counts[:3, 1] = 5
    counts[2:5, 2] = 5
    part = deal(counts, (1 / 3, 1 / 3, 1 / 3), np.random.default_rng(0))
    assert [len(set(part[counts[:, index] > 0])) for index in range(3)] == [3, 3, 3]
    assert np.bincount(part).tolist() == [3, 3, 3]


def test_a_hundred_thousand_pixels_are_split_in_seconds() -> None:
    generator = np.random.default_rng(0)
    place = generator.choice(2000 * 2000, 100_000, replace=False)
    rows, cols = np.divmod(place, 2000)
    labels = make_labels(
        [(rows, cols, generator.integers(0, 6, rows.size), rows // 40 * 50 + cols // 40)], 6
    )
    split = split_labels(labels, receptive_field_px=16, method="polygons", seed=0)
    # The units are squares of 40 pixels here, so a buffer of 8 px costs each its border.
    assert split.buffer_px == 8
    assert sum(split.counts[name]["pixels"] for name in PARTS) > 50_000


# --- real labels ---


def test_the_tiles_of_potsdam_in_folds(potsdam: Potsdam) -> None:
    """Thirteen tiles, dealt to four folds so that every training part knows every class."""
    sources = [open_raster(str(path)) for path in potsdam.images]
    labels, _ = read(sources, [str(path) for path in potsdam.labels])
    splits = k_folds(labels, folds=4, method="scenes", validation=False, seed=1)
    tiles = np.array([[set(part.tolist()) == {TEST} for part in split.parts] for split in splits])
    assert (tiles.sum(axis=0) == 1).all()
    assert sorted(tiles.sum(axis=1).tolist()) == [3, 3, 3, 4]
    for split in splits:
        assert set(labels.values[flat(split) == TRAIN]) == set(range(6))
        assert len(set(labels.values[flat(split) == TEST])) >= 5


def test_the_mosaic_of_potsdam_as_the_documents_say(one_potsdam: Potsdam, tmp_path: Path) -> None:
    for name, tiles in (("images", one_potsdam.images), ("labels", one_potsdam.labels)):
        gdal.BuildVRT(str(tmp_path / f"{name}.vrt"), [str(path) for path in tiles])
    labels, _ = read([open_raster(str(tmp_path / "images.vrt"))], str(tmp_path / "labels.vrt"))
    split = split_labels(labels, receptive_field_px=64, method="auto", seed=0)
    assert len(labels) == sum(np.count_nonzero(pixels(path)) for path in one_potsdam.labels)
    assert split.method == "blocks"
    (places,), (parts,) = labels.scenes, split.parts
    reach = {part: np.zeros((192, 160), bool) for part in (TEST, VALIDATION)}
    for part, near in reach.items():
        near[places.rows[parts == part], places.cols[parts == part]] = True
        reach[part] = _grown(near, split.buffer_px)[places.rows, places.cols]
    assert not reach[TEST][np.isin(parts, (TRAIN, VALIDATION))].any()
    assert not reach[VALIDATION][parts == TRAIN].any()
    found = (len(labels), split.block_px, split.buffer_px, split.counts["left_out"]["pixels"])
    assert found[3] == np.count_nonzero(parts == LEFT_OUT)
    assert found == ((3628, 16, 4, 940) if one_potsdam.real else (3981, 48, 8, 224))


def _grown(mask: NDArray[np.bool_], reach_px: int) -> NDArray[np.bool_]:
    """Return the pixels at most so many rows and columns from one of the mask."""
    for axis in (0, 1):
        steps = range(-reach_px, reach_px + 1)
        wide = np.pad(mask, reach_px)
        mask = np.any([np.roll(wide, step, axis) for step in steps], axis=0)
        mask = mask[reach_px:-reach_px, reach_px:-reach_px]
    return mask
