"""Scenes for training, and the crops drawn from them."""

from __future__ import annotations

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.raster.memory import MemoryRaster
from hyperkd.training.common.crops import (
    UNIT,
    CropSampler,
    MemoryScene,
    band_statistics,
    good_places,
    has_place,
    read_scene,
)
from hyperkd.types import BandTable, Wavelengths

BANDS = Wavelengths([500.0, 600.0, 700.0], [10.0, 10.0, 10.0])


def table(centre_nm, good=None, scale=1e-4, offset=0.0, nodata=-32768.0) -> BandTable:
    count = len(centre_nm)
    return BandTable(
        Wavelengths(centre_nm, np.full(count, 10.0)),
        np.ones(count, bool) if good is None else good,
        np.full(count, scale),
        np.full(count, offset),
        np.full(count, nodata),
    )


def numbered(rows, cols, name="numbered") -> MemoryScene:
    """A scene of two bands that hold each pixel's row and column."""
    row, col = np.mgrid[:rows, :cols].astype(np.int16)
    return MemoryScene(name, np.stack((row, col), 2), np.ones((rows, cols), bool))


# --- reading -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_stored_values_become_reflectance_times_10000(dtype):
    data = np.arange(3 * 4 * 5).reshape(3, 4, 5).astype(dtype)
    source = MemoryRaster(data, table(BANDS.centre_nm, scale=2e-4, offset=0.01))
    scene = read_scene(source, BANDS, "s")
    np.testing.assert_array_equal(scene.pixels, np.moveaxis(2 * data + 100, 0, 2))
    assert scene.pixels.dtype == np.int16 and scene.valid.all()


def test_bands_are_matched_by_wavelength_and_bad_ones_left_out():
    data = np.stack([np.full((2, 2), value, np.int16) for value in (700, -32768, 500, 600)])
    good = np.array([True, False, True, True])
    source = MemoryRaster(data, table([700.0, 650.0, 500.0, 600.0], good))
    scene = read_scene(source, BANDS, "s")
    assert scene.pixels[1, 1].tolist() == [500, 600, 700]
    assert scene.valid.all()


def test_missing_pixels_are_invalid_and_zero():
    data = np.full((3, 4, 5), 1000, np.int16)
    data[:, 1, 2] = -32768
    scene = read_scene(MemoryRaster(data, table(BANDS.centre_nm)), BANDS, "s")
    assert np.argwhere(~scene.valid).tolist() == [[1, 2]]
    assert scene.pixels[1, 2].tolist() == [0, 0, 0]
    assert (scene.pixels[scene.valid] == 1000).all()


def test_a_scene_larger_than_one_window_is_read_without_seams():
    data = np.random.default_rng(0).integers(0, 9000, (3, 300, 270), dtype=np.int16)
    source = MemoryRaster(data, table(BANDS.centre_nm))
    scene = read_scene(source, BANDS, "s")
    np.testing.assert_array_equal(scene.pixels, np.moveaxis(data, 0, 2))
    assert max(window.height * window.width for window in source.windows) <= 256 * 256


def test_values_beyond_the_int16_range_are_clipped():
    data = np.array([[[-5.0]], [[0.5]], [[9.0]]], np.float32)
    scene = read_scene(MemoryRaster(data, table(BANDS.centre_nm, scale=1.0)), BANDS, "s")
    assert scene.pixels[0, 0].tolist() == [-32768, 5000, 32767]


def test_a_scene_without_a_valid_pixel_is_refused():
    source = MemoryRaster(np.full((3, 2, 2), -32768, np.int16), table(BANDS.centre_nm))
    with pytest.raises(HyperKDError, match="north.tif holds no valid pixel to train on") as caught:
        read_scene(source, BANDS, "north.tif")
    assert caught.value.code == "no_valid_pixels"


def test_a_scene_that_misses_the_bands_is_refused():
    source = MemoryRaster(np.ones((2, 2, 2), np.int16), table([1500.0, 1600.0]))
    with pytest.raises(HyperKDError) as caught:
        read_scene(source, BANDS, "s")
    assert caught.value.code == "band_mismatch"


def test_statistics_count_every_valid_pixel_once():
    generator = np.random.default_rng(1)
    scenes = [
        MemoryScene(
            str(i),
            generator.integers(-50, 6000, (7, 5 + i, 3), dtype=np.int16),
            generator.random((7, 5 + i)) < 0.7,
        )
        for i in range(3)
    ]
    pixels = np.concatenate([scene.pixels[scene.valid] for scene in scenes]) * UNIT
    mean, std = band_statistics(scenes)
    np.testing.assert_allclose(mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, pixels.std(0), rtol=1e-9)


def test_a_constant_band_gets_a_floor_instead_of_a_zero():
    scene = MemoryScene("s", np.full((4, 4, 2), 1234, np.int16), np.ones((4, 4), bool))
    mean, std = band_statistics([scene])
    np.testing.assert_allclose(mean, 0.1234)
    np.testing.assert_allclose(std, 1e-3)


# --- crops -------------------------------------------------------------------------------


def test_crops_are_whole_pieces_of_the_scene_in_all_eight_orientations():
    pixels, valid = CropSampler([numbered(40, 30)], 8).batch(np.random.default_rng(0), 200)
    assert valid.all()
    steps = set()
    for crop in pixels.astype(int):
        down, right = crop[1, 0] - crop[0, 0], crop[0, 1] - crop[0, 0]
        row, col = np.mgrid[:8, :8]
        expected = crop[0, 0] + row[..., None] * down + col[..., None] * right
        np.testing.assert_array_equal(crop, expected)
        assert abs(down).sum() == abs(right).sum() == 1 and down @ right == 0
        steps.add((*down, *right))
    assert len(steps) == 8


def test_a_scene_smaller_than_the_tile_is_invalid_around():
    scene = numbered(6, 20)
    pixels, valid = CropSampler([scene], 8).batch(np.random.default_rng(1), 50)
    assert set(valid.sum((1, 2))) == {48}
    assert (pixels[~valid] == 0).all()
    for crop, mask in zip(pixels, valid):
        assert len(np.unique(crop[mask], axis=0)) == 48


def test_crops_with_too_little_data_are_not_taken():
    scene = numbered(64, 64)
    scene.valid[:, :40] = False
    _, valid = CropSampler([scene], 16, min_valid=0.75).batch(np.random.default_rng(2), 100)
    assert valid.mean((1, 2)).min() >= 0.75


def test_a_scene_that_cannot_give_a_crop_is_refused():
    scene = numbered(400, 400, "sparse.tif")
    scene.valid[:] = False
    scene.valid[::20, ::20] = True
    sampler = CropSampler([scene], 8)
    with pytest.raises(
        HyperKDError, match="sparse.tif holds no 8 x 8 pixels of which enough are valid"
    ) as caught:
        sampler.batch(np.random.default_rng(0), 1)
    assert caught.value.code == "no_valid_pixels" and not has_place(scene.valid, 8)


def in_a_corner(rows=400, cols=300) -> MemoryScene:
    """Nearly all cloud: chance hardly ever hits what is left."""
    scene = numbered(rows, cols)
    scene.valid[:] = False
    scene.valid[-8:, -8:] = True
    return scene


def test_places_are_found_where_chance_hits_none():
    sampler = CropSampler([in_a_corner()], 16)
    crops = sampler.plan(np.random.default_rng(0), 100)
    counts = [sampler.scenes[0].valid[crop.window.slices()].sum() for crop in crops]
    assert min(counts) >= 32  # half of what there is
    assert crops == sampler.plan(np.random.default_rng(0), 100)
    assert len({(crop.window, crop.turns, crop.mirrored) for crop in crops}) > 20


@pytest.mark.parametrize(("rows", "step_px"), [(400, 4), (396, 16), (12, 1)])
def test_places_on_a_grid_and_in_scenes_smaller_than_a_crop(rows, step_px):
    """Where the grid has no good place, any other is one: 396 - 8 lies in no crop of the grid."""
    sampler = CropSampler([in_a_corner(rows)], 16, step_px=step_px)
    crops = sampler.plan(np.random.default_rng(0), 60)
    _, valid = sampler.read(crops)
    assert valid.sum((1, 2)).min() >= 32
    if step_px == 4:
        assert {(crop.window.row % 4, crop.window.col % 4) for crop in crops} == {(0, 0)}
    assert (len({crop.row for crop in crops}) > 1) is (rows < 16)


def test_good_places_are_those_that_counting_finds():
    generator = np.random.default_rng(5)
    for shape, tile_px, step_px in (((30, 23), 8, 1), ((30, 23), 8, 3), ((7, 23), 8, 1)):
        valid = generator.random(shape) < 0.3
        height, width = min(tile_px, shape[0]), min(tile_px, shape[1])
        expected = [
            [row, col]
            for row in range(0, shape[0] - height + 1, step_px)
            for col in range(0, shape[1] - width + 1, step_px)
            if valid[row : row + height, col : col + width].sum() >= 16
        ]
        found = np.concatenate(list(good_places(valid, tile_px, 16, step_px)))
        assert found.tolist() == expected and 0 < len(expected)


def test_the_draws_of_a_good_scene_are_these():
    """A training must stay the same to the last bit in the next version too."""
    scene = numbered(64, 64)
    scene.valid[:, :40] = False
    crops = CropSampler([scene, numbered(40, 30)], 16).plan(np.random.default_rng(7), 5)
    assert [
        (crop.scene, crop.window.row, crop.window.col, crop.turns, crop.mirrored) for crop in crops
    ] == [
        (1, 7, 13, 3, 0),
        (1, 12, 12, 0, 1),
        (1, 2, 7, 3, 0),
        (0, 24, 48, 3, 1),
        (0, 16, 48, 1, 0),
    ]


def test_scenes_are_drawn_by_their_weights():
    scenes = [numbered(16, 16), numbered(16, 16)]
    scenes[1].pixels[:] = -1
    pixels, _ = CropSampler(scenes, 8, weights=[3, 1]).batch(np.random.default_rng(3), 1000)
    share = (pixels[:, 0, 0, 0] == -1).mean()
    assert abs(share - 0.25) < 5 * (0.25 * 0.75 / 1000) ** 0.5


def test_the_same_generator_gives_the_same_crops():
    sampler = CropSampler([numbered(40, 30)], 8)
    first = sampler.batch(np.random.default_rng(9), 20)
    again = sampler.batch(np.random.default_rng(9), 20)
    other = sampler.batch(np.random.default_rng(10), 20)
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()
