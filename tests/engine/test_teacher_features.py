"""The cache of the teacher's features: never stale, never half, never writable."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.training.teacher.feature_cache import FeatureCache, FeatureKey, checksum
from hyperkd.types import Wavelengths, Window

KEY = FeatureKey("t" * 64, 9, "single", "recompute", "a" * 64, "s" * 64, Window(0, 0, 64, 64))
SHAPE = (4, 3)


def numbers(seed: int, shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def keys(count: int) -> list[FeatureKey]:
    return [
        dataclasses.replace(KEY, window=Window(64 * index, 0, 64, 64)) for index in range(count)
    ]


def test_what_is_put_is_what_another_cache_gets(tmp_path):
    FeatureCache(tmp_path, SHAPE).put(KEY, numbers(1))
    found = FeatureCache(tmp_path, SHAPE).get(KEY)
    np.testing.assert_array_equal(found, numbers(1))
    assert found.dtype == np.float32


def test_an_absent_key_gives_none(tmp_path):
    assert FeatureCache(tmp_path, SHAPE).get(KEY) is None


CHANGES = {
    "teacher": "u" * 64,
    "blocks": 8,
    "frames": "repeat3_mean",
    "positions": "stretch",
    "alignment": "b" * 64,
    "scene": "r" * 64,
    "window": Window(0, 0, 64, 32),
    "turns": 1,
    "mirrored": True,
    "coordinates": (2021.0, 100.0, 52.4, 13.1),
    "values": True,
}


def test_every_part_of_the_key_is_tried():
    assert set(CHANGES) == {field.name for field in dataclasses.fields(FeatureKey)}


@pytest.mark.parametrize("part", CHANGES)
def test_a_change_of_any_part_is_a_miss(tmp_path, part):
    cache = FeatureCache(tmp_path, SHAPE)
    cache.put(KEY, numbers(1))
    changed = dataclasses.replace(KEY, **{part: CHANGES[part]})
    assert cache.get(changed) is None
    cache.put(changed, numbers(2))
    np.testing.assert_array_equal(cache.get(KEY), numbers(1))


@pytest.mark.parametrize("window", [Window(1, 0, 64, 64), Window(0, 1, 64, 64)])
def test_windows_of_one_size_are_told_apart(window):
    assert dataclasses.replace(KEY, window=window).digest() != KEY.digest()


def test_the_digest_changes_on_purpose_only():
    """Another digest throws away everybody's cache; then the format's name has to change too."""
    expected = "0b300a85ecbecd61b9b8dfda0e1658ea"
    assert KEY.digest()[:32] == expected


def test_the_features_are_mapped_and_read_only(tmp_path):
    cache = FeatureCache(tmp_path, SHAPE)
    cache.put(KEY, numbers(1))
    found = cache.get(KEY)
    assert isinstance(found, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 5


def test_only_absent_features_are_computed(tmp_path):
    cache = FeatureCache(tmp_path, SHAPE)
    wanted = keys(5)
    cache.put(wanted[1], numbers(1))
    cache.put(wanted[4], numbers(4))
    calls = []

    def compute(absent):
        calls.append(list(absent))
        return np.stack([numbers(index) for index in absent])

    expected = np.stack([numbers(index) for index in range(5)])
    np.testing.assert_array_equal(cache.collect(wanted, compute), expected)
    np.testing.assert_array_equal(cache.collect(wanted, compute), expected)
    assert calls == [[0, 2, 3]]


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_file_that_is_cut_short_is_computed_again(tmp_path, kept):
    cache = FeatureCache(tmp_path, SHAPE)
    cache.put(KEY, numbers(1))
    path = cache.path(KEY)
    path.write_bytes(path.read_bytes()[:kept])
    assert cache.get(KEY) is None
    found = cache.collect([KEY], lambda absent: numbers(2)[None])
    np.testing.assert_array_equal(found[0], numbers(2))
    np.testing.assert_array_equal(cache.get(KEY), numbers(2))


@pytest.mark.parametrize(
    "content",
    [
        numbers(1, (3, 4)),
        numbers(1).astype(np.float64),
        np.array([["a"] * 3] * 4, dtype=object),
        np.zeros(SHAPE, np.int32),
    ],
    ids=["shape", "float64", "objects", "int32"],
)
def test_a_file_with_other_content_is_a_miss(tmp_path, content):
    cache = FeatureCache(tmp_path, SHAPE)
    cache.path(KEY).parent.mkdir()
    np.save(cache.path(KEY), content, allow_pickle=True)
    assert cache.get(KEY) is None


def test_an_archive_in_the_place_of_an_array_is_a_miss(tmp_path):
    cache = FeatureCache(tmp_path, SHAPE)
    cache.path(KEY).parent.mkdir()
    with open(cache.path(KEY), "wb") as file:
        np.savez(file, features=numbers(1))
    assert cache.get(KEY) is None


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (numbers(1, (4, 4)), r"features \(4, 4\) in a cache of \(4, 3\)"),
        (np.full(SHAPE, np.nan, np.float32), "not all numbers"),
    ],
)
def test_features_that_do_not_belong_here_are_not_stored(tmp_path, features, message):
    cache = FeatureCache(tmp_path, SHAPE)
    with pytest.raises(ValueError, match=message):
        cache.put(KEY, features)
    assert cache.get(KEY) is None


CHILD = """
import os, signal, sys
import numpy as np
from tests.engine.test_teacher_features import SHAPE, keys, numbers
from hyperkd.training.teacher.feature_cache import FeatureCache
from tests.engine.training_factories import make_distillation  # noqa: E402

cache = FeatureCache(sys.argv[1], SHAPE)
save = np.save

def save_half(file, array, **options):
    if cache_is_at == 3:
        file.write(b"\\x93NUMPY half of it")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    save(file, array, **options)

np.save = save_half
for cache_is_at, key in enumerate(keys(6)):
    cache.put(key, numbers(cache_is_at))
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_a_killed_process_leaves_whole_features_or_none(tmp_path, request):
    pytest.importorskip("torch")
    root = request.config.rootpath
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'engine'}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list(tmp_path.rglob("*.part"))) == 1
    cache = FeatureCache(tmp_path, SHAPE)
    for index, key in enumerate(keys(6)):
        found = cache.get(key)
        if index < 3:
            np.testing.assert_array_equal(found, numbers(index))
        else:
            assert found is None
    made = cache.collect(keys(6), lambda absent: np.stack([numbers(each) for each in absent]))
    np.testing.assert_array_equal(made, np.stack([numbers(index) for index in range(6)]))
    assert list(tmp_path.rglob("*.part")) == []


def test_an_error_while_writing_leaves_nothing(tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path, SHAPE)

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        cache.put(KEY, numbers(1))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HyperKDError, match="Cannot make the folder .*file") as caught:
        FeatureCache(tmp_path / "file", SHAPE)
    assert caught.value.code == "unwritable_output"


def test_the_checksum_sees_values_shape_type_and_mask():
    array, mask = numbers(1), np.ones(SHAPE, bool)
    other_value, other_mask = array.copy(), mask.copy()
    other_value[3, 2] += 1e-6
    other_mask[0, 0] = False
    sums = {
        checksum(array, mask),
        checksum(other_value, mask),
        checksum(array, other_mask),
        checksum(array.reshape(3, 4), mask),
        checksum(array.view(np.int32), mask),
        checksum(array),
    }
    assert len(sums) == 6
    assert checksum(array.copy(order="F"), mask) == checksum(array, mask)


def test_another_alignment_of_the_same_crop_has_other_features(tmp_path):
    """By its matrix, not by its name: other wavelengths give another one."""
    pytest.importorskip("torch")
    from hyperkd.training.common.crops import Crop
    from hyperkd.training.pretrain.token_distillation import Aligner
    from hyperkd.training.teacher.crop_feature_cache import KeptFeatures
    from tests.engine.training_factories import make_distillation

    class Scene:
        valid = np.ones((64, 64), bool)

        def read(self, rows, cols):
            return np.zeros((64, 64, 10), np.int16)[rows, cols]

    def kept(alignment, shift=0.0):
        bands = Wavelengths(np.linspace(450.0, 2290.0, 200) + shift)
        distiller = SimpleNamespace(blocks=(9,), settings=make_distillation(alignment=alignment))
        identity = {"teacher": "t" * 64, "frames": "single", "positions": "recompute"}
        aligner = Aligner(bands, alignment)
        return KeptFeatures(tmp_path, distiller, aligner, identity, [Scene()], 64, 16, 3)

    crop = Crop(0, Window(0, 0, 64, 64), 0, 0, 0, False)
    settings = [("range_mean", 0.0), ("range_mean", 3.0), ("nearest", 0.0)]
    digests = [kept(*each)._key(crop).digest() for each in settings]
    assert len(set(digests)) == 3
    assert kept("range_mean")._key(crop).digest() == digests[0]
