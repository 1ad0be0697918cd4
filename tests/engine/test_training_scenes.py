"""Scenes of a training: where pixels lie, what is left out, what is held out."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.raster.memory import MemoryRaster
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.products.open_product import Product
from hyperkd.spectral.sensors import canonical_bands, sensor_bands
from hyperkd.training.common import scene_pixels as module
from hyperkd.training.common.crops import CropSampler, MemoryScene, band_statistics, read_scene
from hyperkd.training.common.scene_pixels import FileScene, cached_scene, open_scenes, opener
from hyperkd.training.pretrain.validation_scenes import BLOCK, NONE, SCENES, hold_out
from hyperkd.types import Wavelengths
from tests.factories import make_raster
from tests.reports import SilentReport

CENTRE = canonical_bands().centre_nm
TILE = 16


def make_scene(path: Path, side=(40, 36), seed=0, wavelengths=CENTRE, missing=None) -> str:
    """Write a scene of smooth spectra that every sensor sees alike."""
    rows, cols = side
    generator = np.random.default_rng(seed)
    level = generator.uniform(0.1, 0.5, (rows, cols))
    slope = generator.uniform(-0.5, 0.5, (rows, cols))
    x = (np.asarray(wavelengths) - 1400) / 1000
    data = np.int16(np.rint(1e4 * level * (1 + 0.3 * slope * x[:, None, None])))
    if missing is not None:
        data[:, missing] = -32768
    return str(make_raster(path, data, wavelengths=wavelengths))


@pytest.fixture(scope="module")
def scene_path(tmp_path_factory) -> str:
    missing = np.zeros((40, 36), bool)
    missing[:9, 20:] = True
    return make_scene(tmp_path_factory.mktemp("scene") / "a.tif", missing=missing)


# What the job `distill` asks for where the test says nothing.
WANTED = {"reading": "auto", "cache": None, "alignment": None, "accept": ()}


def opened(paths, **named):
    return open_scenes(
        paths,
        opener((), None, None, None),
        canonical_bands(),
        TILE,
        SilentReport(),
        **{**WANTED, **named},
    )


# --- memory, cache and files give the same -----------------------------------------------


def test_all_ways_to_read_give_the_same_crops(scene_path, tmp_path):
    crops = {}
    for reading in ("memory", "cache", "files"):
        with opened([scene_path], reading=reading, cache=tmp_path) as scenes:
            sampler = CropSampler(scenes.usable, TILE)
            crops[reading] = sampler.batch(np.random.default_rng(0), 20)
            assert band_statistics(scenes.usable)[0].shape == (218,)
    for reading in ("cache", "files"):
        np.testing.assert_array_equal(crops[reading][0], crops["memory"][0])
        np.testing.assert_array_equal(crops[reading][1], crops["memory"][1])
    assert not crops["memory"][1].all()


def test_what_does_not_fit_into_memory_goes_to_the_cache(scene_path, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MEMORY_BYTES", 2 * 218 * 40 * 36 + 1)
    copy = shutil.copy(scene_path, tmp_path / "copy.tif")
    with opened([scene_path, copy], cache=tmp_path / "cache") as scenes:
        first, second = (scene.pixels for scene in scenes.usable)
        assert not isinstance(first, np.memmap) and isinstance(second, np.memmap)
        assert scenes.reading == "cache"
        np.testing.assert_array_equal(first, second)


def test_a_scene_in_its_file_is_read_by_windows():
    data = np.random.default_rng(0).integers(0, 5000, (218, 60, 50), dtype=np.int16)
    table = sensor_bands("enmap")
    source = MemoryRaster(data, table.take(np.flatnonzero(table.good)))
    scene = FileScene(
        "x", lambda path: Product("raster", source), canonical_bands(), "x", SilentReport()
    )
    source.windows.clear()
    scene.read(slice(10, 42), slice(5, 37))
    assert [(w.col, w.row, w.width, w.height) for w in source.windows] == [(5, 10, 32, 32)]


def test_a_cache_is_used_again_and_follows_the_file(scene_path, tmp_path):
    product = Product("raster", open_raster(scene_path))
    first = cached_scene(product, scene_path, canonical_bands(), "a", tmp_path, SilentReport())
    assert isinstance(first.pixels, np.memmap)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    stamp = (tmp_path / names[0]).stat().st_mtime_ns
    again = cached_scene(product, scene_path, canonical_bands(), "a", tmp_path, SilentReport())
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert (tmp_path / names[0]).stat().st_mtime_ns == stamp
    os.utime(scene_path, ns=(1, 1))  # a changed file is another one
    cached_scene(product, scene_path, canonical_bands(), "a", tmp_path, SilentReport())
    assert len(list(tmp_path.iterdir())) == 4


def test_a_cache_that_was_cut_off_is_made_anew(scene_path, tmp_path):
    product = Product("raster", open_raster(scene_path))
    with pytest.raises(HyperKDError, match="wants no more"):
        cached_scene(product, scene_path, canonical_bands(), "a", tmp_path, SilentReport(0))
    assert list(tmp_path.iterdir()) == []
    scene = cached_scene(product, scene_path, canonical_bands(), "a", tmp_path, SilentReport())
    expected = read_scene(product.source, canonical_bands(), "a")
    np.testing.assert_array_equal(scene.pixels, expected.pixels)
    np.testing.assert_array_equal(scene.valid, expected.valid)


def test_a_cache_follows_the_sources_of_a_vrt(tmp_path):
    from osgeo import gdal

    make_scene(tmp_path / "a.tif")
    path = str(tmp_path / "a.vrt")
    gdal.BuildVRT(path, [str(tmp_path / "a.tif")]).FlushCache()
    table = sensor_bands("enmap")

    def cached():
        open_one = opener((), table.take(np.flatnonzero(table.good)), 1e-4, -32768)
        with open_one(path) as product:
            return cached_scene(
                product, path, canonical_bands(), "a", tmp_path / "c", SilentReport()
            ).pixels.copy()

    first = cached()
    vrt = Path(path).stat()
    make_scene(tmp_path / "a.tif", seed=1)
    again = cached()
    assert Path(path).stat().st_mtime_ns == vrt.st_mtime_ns
    assert (first != again).any() and len(list((tmp_path / "c").iterdir())) == 4


def test_a_cache_knows_how_wide_the_bands_are(scene_path, tmp_path):
    """Bands are resampled by their widths too."""
    data = np.full((218, 40, 36), 1000, np.int16)
    good = sensor_bands("enmap").take(np.flatnonzero(sensor_bands("enmap").good))
    for fwhm_nm in (None, good.wavelengths.fwhm_nm, 2 * good.wavelengths.fwhm_nm):
        wavelengths = Wavelengths(good.wavelengths.centre_nm, fwhm_nm)
        table = dataclasses.replace(good, wavelengths=wavelengths)
        product = Product("raster", MemoryRaster(data, table))
        cached_scene(product, scene_path, canonical_bands(), "a", tmp_path, SilentReport())
    assert len(list(tmp_path.iterdir())) == 6


def _shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("kind", ["pixels", "valid"])
@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        _shorten,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no array at all"),
        lambda path: np.save(path, np.zeros((3, 3))),
    ],
)
def test_a_damaged_cache_is_made_anew(scene_path, tmp_path, kind, damage):
    with opened([scene_path], reading="cache", cache=tmp_path) as scenes:
        pixels, valid = scenes.usable[0].pixels.copy(), scenes.usable[0].valid
    damage(next(tmp_path.glob(f"*.{kind}.npy")))
    with opened([scene_path], reading="cache", cache=tmp_path) as scenes:
        np.testing.assert_array_equal(scenes.usable[0].pixels, pixels)
        np.testing.assert_array_equal(scenes.usable[0].valid, valid)


# --- sensors -----------------------------------------------------------------------------


def test_another_sensor_comes_through_the_canonical_grid(tmp_path):
    """The same ground seen by a sensor with other bands gives nearly the same spectra."""
    other = np.arange(410.0, 2500.0, 6.0)
    first = make_scene(tmp_path / "a.tif")
    second = make_scene(tmp_path / "b.tif", wavelengths=other)
    with opened([first, second], alignment="range_mean") as scenes:
        a, b = (scene.read(slice(0, 40), slice(0, 36)).astype(float) for scene in scenes.usable)
        assert a.shape == b.shape == (40, 36, 218)
        np.testing.assert_allclose(a, b, atol=8)


def test_bands_that_a_sensor_lacks_are_told(tmp_path):
    short = make_scene(tmp_path / "a.tif", wavelengths=CENTRE[CENTRE < 2380])
    whole = make_scene(tmp_path / "b.tif")
    with opened([short, whole]) as scenes:
        known = scenes.usable[0].known
        assert known is not None and 0 < (~known).sum() < 22
        assert (CENTRE[~known] > 2380).all()
        assert scenes.usable[1].known is None
        sampler = CropSampler(scenes.usable, TILE)
        crops = sampler.plan(np.random.default_rng(0), 30)
        of_batch = sampler.known(crops)
        for crop, row in zip(crops, of_batch):
            np.testing.assert_array_equal(row, known if crop.scene == 0 else True)


def test_a_scene_that_lacks_a_band_of_the_teacher_is_refused(tmp_path):
    """Without bands in 1570 to 1650 nm the teacher would be shown nothing in SWIR_1."""
    gap = CENTRE[(CENTRE < 1560) | (CENTRE > 1660)]
    path = make_scene(tmp_path / "a.tif", wavelengths=gap)
    with pytest.raises(HyperKDError, match="No good band lies in SWIR_1") as caught:
        opened([path], alignment="range_mean")
    assert caught.value.code == "band_mismatch"


# --- what is left out --------------------------------------------------------------------


def test_cloudy_and_small_scenes_are_left_out_with_a_warning(tmp_path):
    paths = [
        make_scene(tmp_path / "good.tif"),
        make_scene(tmp_path / "cloud.tif", missing=np.ones((40, 36), bool)),
        make_scene(tmp_path / "small.tif", side=(15, 60)),
    ]
    report = SilentReport()
    open_one = opener((), None, None, None)
    with open_scenes(paths, open_one, canonical_bands(), TILE, report, **WANTED) as scenes:
        assert [scene.name for scene in scenes.usable] == ["good.tif"]
        assert dict(scenes.left_out) == {
            "cloud.tif": "no pixel is valid",
            "small.tif": "60 x 15 pixels have no room for a crop of 16",
        }
    assert ("warning", "cloud.tif is left out: no pixel is valid.") in report.logs
    assert scenes.pixel_m == [30.0]


@pytest.mark.parametrize("reading", ["memory", "cache", "files"])
def test_a_scene_without_a_good_place_is_left_out(tmp_path, reading):
    """Nine pixels, each alone: no crop holds half of them."""
    missing = np.ones((120, 120), bool)
    missing[10::40, 10::40] = False
    sparse = make_scene(tmp_path / "sparse.tif", side=(120, 120), missing=missing)
    good = make_scene(tmp_path / "good.tif")
    report, bands = SilentReport(), canonical_bands()
    open_one = opener((), None, None, None)
    with open_scenes(
        [sparse, good], open_one, bands, TILE, report, reading=reading, cache=tmp_path / "c",
        alignment="nearest", accept=(),
    ) as scenes:  # fmt: skip
        assert [scene.name for scene in scenes.usable] == ["good.tif"]
        assert not any("sparse.tif" in note for note in scenes.notes)
    why = "no 16 x 16 pixels of which enough are valid"
    assert scenes.left_out == [("sparse.tif", why)]
    assert ("warning", f"sparse.tif is left out: {why}.") in report.logs
    with pytest.raises(HyperKDError, match=f"No scene is left to train on. sparse.tif: {why}"):
        opened([sparse])


def test_a_scene_that_is_given_again_counts_once(scene_path, tmp_path):
    """Else one copy of it could be trained on and the other be what it is validated on."""
    link = tmp_path / "link.tif"
    link.symlink_to(scene_path)
    report, open_one = SilentReport(), opener((), None, None, None)
    paths = [scene_path, str(link), os.path.relpath(scene_path)]
    with open_scenes(paths, open_one, canonical_bands(), TILE, report, **WANTED) as scenes:
        assert [scene.name for scene in scenes.usable] == ["a.tif"] and scenes.left_out == []
    assert report.logs == [
        ("warning", f"{name} is given more than once; it counts once.")
        for name in ("link.tif", "a.tif")
    ]
    assert report.progresses == [(1, 1, "scenes")]


def test_no_scene_but_clouds_is_refused(tmp_path):
    path = make_scene(tmp_path / "cloud.tif", missing=np.ones((40, 36), bool))
    with pytest.raises(HyperKDError, match="No scene is left to train on. cloud.tif: no") as caught:
        opened([path])
    assert caught.value.code == "no_valid_pixels" and caught.value.hint


def test_no_scene_with_room_for_a_crop_is_refused(tmp_path):
    path = make_scene(tmp_path / "small.tif", side=(12, 36))
    with pytest.raises(
        HyperKDError, match="No scene has room for a crop. small.tif: 36 x"
    ) as caught:
        opened([path])
    assert caught.value.code == "bad_job"
    assert caught.value.hint == "Take smaller crops (tile, now 16), or larger scenes."


class Clouds:
    """A quality mask over the upper ten rows."""

    names = ("cloud",)

    def read(self, window):
        rows = np.arange(window.row, window.row_end) < 10
        return np.broadcast_to(rows[:, None], (window.height, window.width))


@pytest.mark.parametrize("reading", ["memory", "cache", "files"])
def test_pixels_under_a_quality_mask_are_left_out(scene_path, tmp_path, reading):
    def open_one(path):
        return Product("EnMAP L2A", open_raster(path), Clouds())

    report, bands = SilentReport(), canonical_bands()
    with open_scenes(
        [scene_path],
        open_one,
        bands,
        TILE,
        report,
        **{**WANTED, "reading": reading, "cache": tmp_path},
    ) as scenes:
        scene = scenes.usable[0]
        assert not scene.valid[:10].any() and scene.valid[10:].all()
        pixels = scene.read(slice(0, 20), slice(0, 36))
        assert (pixels[:10] == 0).all() and (pixels[10:] != 0).all()


# --- what is held out --------------------------------------------------------------------


def plain(rows=64, cols=40, name="s") -> MemoryScene:
    row, col = np.mgrid[:rows, :cols].astype(np.int16)
    return MemoryScene(name, np.stack((row, col), 2), np.ones((rows, cols), bool))


def test_whole_scenes_are_held_out():
    scenes = [plain(name=str(number)) for number in range(10)]
    found = hold_out(scenes, 0.2, TILE, 3)
    names = [[scene.name for scene in part] for part in (found.training, found.validation)]
    assert found.how == SCENES and len(names[1]) == 2
    assert sorted(names[0] + names[1]) == sorted(scene.name for scene in scenes)
    again = hold_out(scenes, 0.2, TILE, 3)
    assert [s.name for s in again.validation] == names[1]
    assert any(
        [s.name for s in hold_out(scenes, 0.2, TILE, n).validation] != names[1] for n in range(9)
    )
    assert len(hold_out(scenes[:2], 0.9, TILE, 0).training) == 1


def test_the_only_scene_is_cut_with_a_strip_between():
    found = hold_out([plain(64, 40)], 0.2, TILE, 0)
    assert found.how == BLOCK
    (training,), (validation,) = found.training, found.validation
    assert training.valid.shape == (32, 40) and validation.valid.shape == (16, 40)
    assert validation.read(slice(0, 1), slice(3, 4)).tolist() == [[[48, 3]]]
    assert training.read(slice(31, 32), slice(0, 1)).tolist() == [[[31, 0]]]
    wide = hold_out([plain(40, 64)], 0.2, TILE, 0)
    assert wide.validation[0].read(slice(2, 3), slice(0, 1)).tolist() == [[[2, 48]]]


def test_crops_of_a_part_come_from_that_part():
    found = hold_out([plain(64, 40)], 0.2, TILE, 0)
    pixels, _ = CropSampler(found.validation, TILE).batch(np.random.default_rng(0), 20)
    assert pixels[..., 0].min() == 48 and pixels[..., 0].max() == 63


def test_the_only_scene_that_is_too_small_is_used_for_both():
    scene = plain(20, 20)
    found = hold_out([scene], 0.2, TILE, 0)
    assert found.how == NONE and found.training == found.validation == (scene,)


def test_a_part_without_a_good_place_is_not_held_out():
    scene = plain(64, 40)
    scene.valid[48:] = False
    scene.valid[48::15, ::19] = True
    found = hold_out([scene], 0.2, TILE, 0)
    assert found.how == NONE and found.validation == (scene,)


def test_statistics_of_wide_scenes_count_every_pixel_once():
    scene = plain(300, 270)
    mean, std = band_statistics([scene])
    np.testing.assert_allclose(mean, scene.pixels.reshape(-1, 2).mean(0) * 1e-4, rtol=1e-12)
    np.testing.assert_allclose(std, scene.pixels.reshape(-1, 2).std(0) * 1e-4, rtol=1e-9)


def test_crops_from_a_grid_come_again():
    sampler = CropSampler([plain(64, 40)], TILE, step_px=8)
    crops = sampler.plan(np.random.default_rng(0), 300)
    assert {(crop.window.row % 8, crop.window.col % 8) for crop in crops} == {(0, 0)}
    places = {(crop.window.row, crop.window.col) for crop in crops}
    assert len(places) == 7 * 4  # rows 0 to 48, columns 0 to 24


def test_metres_are_read_from_projected_systems_alone(tmp_path):
    make_raster(
        tmp_path / "deg.tif", np.full((218, 20, 20), 900, np.int16), wavelengths=CENTRE, epsg=4326
    )
    with opened([str(tmp_path / "deg.tif")]) as scenes:
        assert scenes.pixel_m == []
