"""The ablation's read-outs and statistics: exact values, not that they run."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import ablation_data as data  # noqa: E402
import ablation_readouts as readouts  # noqa: E402
import ablation_table as table  # noqa: E402
from ablation_arms import ARMS, STUDENT  # noqa: E402
from bench_ablation import BEGIN, END  # noqa: E402

from hyperkd.spectral.hls_alignment import align_to_hls  # noqa: E402
from hyperkd.spectral.sensors import sensor_bands  # noqa: E402
from tests.engine.training_factories import PLAIN, UNTAUGHT  # noqa: E402


def test_the_teacher_cannot_see_the_hidden_signal() -> None:
    shape = data.hidden_shape()
    delivered = sensor_bands("enmap")
    assert np.abs(align_to_hls(delivered, "range_mean").matrix @ shape).max() < 1e-15
    assert np.abs(data.alignment_matrix() @ shape[delivered.good]).max() < 1e-15
    assert np.abs(shape).max() > 0.01  # reflectance; a student of all bands can


def test_six_bands_are_the_range_means_of_the_students_grid() -> None:
    pixels = np.random.default_rng(0).integers(0, 5000, (3, 218)).astype(np.int16)
    expected = pixels @ data.alignment_matrix().T * 1e-4
    np.testing.assert_allclose(data.six_bands(pixels), expected, rtol=1e-5)


def test_truth_of_a_token_is_the_mean_of_its_pixels() -> None:
    layers = np.arange(32.0, dtype=np.float32).reshape(2, 4, 4)
    means = data.token_means(layers, 2)
    np.testing.assert_array_equal(means[..., 0], [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_array_equal(means[..., 1], means[..., 0] + 16)


def test_similarity_is_that_of_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    generator = np.random.default_rng(1)
    first = generator.random((2, 16, 16, 3)).astype(np.float32)
    second = (first + 0.2 * generator.standard_normal(first.shape)).astype(np.float32)
    ranges = np.array([0.5, 1.0, 2.0])
    ours = readouts.ssim_map(first, second, ranges)
    for tile in range(2):
        for band in range(3):
            _, theirs = metrics.structural_similarity(
                first[tile, ..., band].astype(float),
                second[tile, ..., band].astype(float),
                win_size=7,
                data_range=ranges[band],
                full=True,
            )
            np.testing.assert_allclose(ours[tile, ..., band], theirs, atol=1e-10)


def test_macro_f1_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(2)
    truth, predicted = generator.integers(0, 4, (2, 300))
    part = readouts.Part(
        np.zeros((300, 1), np.float32), truth, np.zeros((300, 9), np.float32), truth * 0
    )
    confusion = readouts.confusion_by_scene(part, predicted, 4)
    assert confusion.shape == (1, 4, 4)
    expected = metrics.f1_score(truth, predicted, average=None)
    ours = readouts.macro_f1(confusion.sum(0), np.array([0, 2]))
    assert ours == pytest.approx(expected[[0, 2]].mean(), abs=1e-12)


def test_fewer_labels_are_a_part_of_more_and_keep_the_shares() -> None:
    classes = np.repeat([0, 1, 2], [1000, 100, 5])
    few, some, every = (readouts.label_subset(classes, share, 3) for share in (0.01, 0.1, 1.0))
    assert set(few) < set(some) < set(every)
    assert np.bincount(classes[few]).tolist() == [10, 2, 2]
    assert np.bincount(classes[some]).tolist() == [100, 10, 2]
    assert len(every) == len(classes)


def test_r_squared_uses_the_mean_of_the_scored_truth() -> None:
    truth = np.array([1.0, 2.0, 3.0, np.nan])
    assert readouts.r_squared(truth, np.array([1.0, 2.0, 3.0, 9.0])) == 1.0
    assert readouts.r_squared(truth, np.full(4, 2.0)) == 0.0
    assert readouts.r_squared(truth, np.array([2.0, 2.0, 2.5, 0.0])) == pytest.approx(1 - 1.25 / 2)


def test_effective_rank_counts_directions() -> None:
    axes = np.concatenate((np.eye(4), -np.eye(4))).astype(np.float32)
    assert readouts.effective_rank(axes) == pytest.approx(4)
    assert readouts.effective_rank(axes[:, :1] * np.ones((1, 4), np.float32)) == pytest.approx(
        1, abs=1e-3
    )


def test_tiles_of_scenes_come_back_to_their_places() -> None:
    scenes = np.random.default_rng(4).integers(0, 99, (2, 8, 8, 3))
    tiles = readouts.cut_tiles(scenes, 4)
    np.testing.assert_array_equal(tiles[1], scenes[0, :4, 4:])
    np.testing.assert_array_equal(readouts.join_tiles(tiles, 2), scenes)


def test_interval_is_students() -> None:
    found = table.interval([1.0, 2.0, 3.0])
    half = 4.302653 / math.sqrt(3)  # t of 2 degrees of freedom at 97.5 %
    assert (found.mean, found.seeds) == (2.0, 3)
    assert found.low == pytest.approx(2 - half, abs=1e-6)
    assert found.verdict == table.NO_DIFFERENCE
    assert table.interval([-1.0, -1.1, -0.9]).verdict == "lower"
    assert table.interval([1.0]).verdict == table.NO_DIFFERENCE


def test_differences_are_paired_by_seed() -> None:
    rows = [
        {"arm": arm, "seed": seed, "f1_0.1": base + seed}
        for arm, base, seeds in (("A", 0.0, (0, 1, 2)), ("E", 0.5, (1, 2, 3)))
        for seed in seeds
    ]
    found = table.paired(rows, "E", "A", "f1_0.1")
    assert found is not None
    assert (found.mean, found.low, found.high, found.seeds) == (0.5, 0.5, 0.5, 2)
    assert table.paired(rows, "B", "A", "f1_0.1") is None


def test_bootstrap_over_scenes_sees_no_difference_between_equals() -> None:
    confusion = np.random.default_rng(5).integers(1, 9, (4, 3, 3)).tolist()
    rows = [
        {"arm": arm, "seed": seed, "confusion_0.1": confusion} for arm in "AE" for seed in range(3)
    ]
    found = table.over_scenes(rows, "E", "A", [0, 1, 2])
    assert found is not None
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_registered_questions_get_a_plain_answer() -> None:
    def rows(gains: list[float]) -> list[dict[str, object]]:
        made: list[dict[str, object]] = []
        for seed, gain in enumerate(gains):
            for arm, more in (("A", 0.0), ("E", gain)):
                figures = {"f1_0.1": 0.5 + more, "metamer": 0.6 + more - 0.01}
                made.append({"arm": arm, "seed": seed, **figures})
        return made

    better = table.registered(rows([0.02, 0.03, 0.025]))
    assert (better["primary"]["met"], better["second"]["met"]) == (True, True)
    assert better["primary"]["mean"] == pytest.approx(0.025)
    nothing = table.registered(rows([0.05, -0.05, 0.01]))
    assert (nothing["primary"]["met"], nothing["second"]["met"]) == (False, False)
    text = table.markdown({"registered": nothing, "means": {}, "comparisons": []})
    assert "no detectable difference; lower bound above 0: no." in text.splitlines()[0]


def test_arms_switch_exactly_what_their_names_say() -> None:
    assert ARMS["A"].recipe() == PLAIN
    whole, default = ARMS["E"].recipe(), UNTAUGHT
    assert (whole.masking, whole.losses) == (default.masking, default.losses)
    assert whole.distillation is not None
    for name, part, plain in (
        ("distillation", "distillation", None),
        ("guided", "masking", PLAIN.masking),
        ("loss", "losses", PLAIN.losses),
    ):
        without = ARMS[f"E-{name}"].recipe()
        assert getattr(without, part) == plain
        others = {"distillation", "masking", "losses"} - {part}
        assert all(getattr(without, other) == getattr(whole, other) for other in others)
    assert STUDENT.bands == 218


def test_the_page_shows_what_the_json_holds() -> None:
    page = (ROOT / "docs" / "ablation.md").read_text(encoding="utf-8")
    shown = page.split(BEGIN)[1].split(END)[0].strip()
    stored = ROOT / "docs" / "ablation.json"
    expected = ""
    if stored.is_file():
        expected = table.markdown(json.loads(stored.read_text(encoding="utf-8"))).strip()
    assert shown == expected
