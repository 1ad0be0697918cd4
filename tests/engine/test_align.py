"""The job ``align``: six bands from many, exact values and order-independent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.inference.align import align
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.sink import RasterSpec
from hyperkd.requests.prepare_options import AlignJob
from hyperkd.spectral.hls_alignment import align_to_hls
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.types import BandTable, GridSpec
from tests.reports import SilentReport

MODES = AlignJob.__dataclass_fields__["mode"].metadata["choices"]
TRANSFORM = (365055.0, 30.0, 1.5, 5807085.0, -1.5, -30.0)


def write_scene(path: Path, bands: BandTable, values: np.ndarray) -> None:
    grid = GridSpec(values.shape[2], values.shape[1], TRANSFORM)
    with create_raster(
        str(path), RasterSpec(grid, len(bands), np.int16, nodata=-32768, bands=bands)
    ) as sink:
        sink.write(grid.window, values)


def read(path: Path) -> np.ndarray:
    dataset = gdal.Open(str(path))
    shape = (dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize)
    return np.frombuffer(dataset.ReadRaster(), np.int16).reshape(shape)


def scene(seed: int = 3) -> tuple[BandTable, np.ndarray]:
    bands = sensor_bands("enmap")
    values = np.random.default_rng(seed).integers(-50, 8000, (224, 5, 7)).astype(np.int16)
    values[~bands.good] = -32768
    values[:, 2, 3] = -32768
    return bands, values


def run(path: Path, output: Path, mode: str = "range_mean") -> dict:
    return align(AlignJob(input=str(path), output=str(output), mode=mode), SilentReport())


@pytest.mark.parametrize("mode", MODES)
def test_values_are_the_weighted_means(tmp_path: Path, mode: str) -> None:
    bands, values = scene()
    write_scene(tmp_path / "in.tif", bands, values)
    summary = run(tmp_path / "in.tif", tmp_path / "out.tif", mode)
    weights = align_to_hls(bands, mode).matrix
    clean = np.where(values == -32768, 0, values).astype(np.float64)
    expected = np.einsum("hb,brc->hrc", weights, clean)
    found = read(tmp_path / "out.tif")
    assert (found[:, 2, 3] == -9999).all()
    expected[:, 2, 3] = -9999
    assert np.abs(found - expected).max() <= 0.5 + 1e-3  # rounded to whole numbers
    assert summary["valid_pixels"] == 34


def test_grid_and_band_metadata(tmp_path: Path) -> None:
    bands, values = scene()
    write_scene(tmp_path / "in.tif", bands, values)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    dataset = gdal.Open(str(tmp_path / "out.tif"))
    assert dataset.GetGeoTransform() == TRANSFORM
    names = [dataset.GetRasterBand(band).GetDescription() for band in range(1, 7)]
    assert names == ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
    assert dataset.GetRasterBand(5).GetScale() == 1e-4
    assert 1576 < float(dataset.GetRasterBand(5).GetMetadataItem("wavelength")) < 1643


def test_shuffled_bands_give_the_same_bytes(tmp_path: Path) -> None:
    bands, values = scene()
    order = np.random.default_rng(1).permutation(224)
    write_scene(tmp_path / "a.tif", bands, values)
    write_scene(tmp_path / "b.tif", bands.take(order), values[order])
    run(tmp_path / "a.tif", tmp_path / "out_a.tif")
    run(tmp_path / "b.tif", tmp_path / "out_b.tif")
    np.testing.assert_array_equal(read(tmp_path / "out_a.tif"), read(tmp_path / "out_b.tif"))


def test_missing_range_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    bands, values = scene()
    write_scene(tmp_path / "in.tif", bands.take(range(70)), values[:70])
    with pytest.raises(HyperKDError, match=r"No good band lies in NIR_NARROW") as caught:
        run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert caught.value.code == "band_mismatch"
    assert list(tmp_path.glob("out.tif*")) == []


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_file_behind_a_vrt_is_never_overwritten(tmp_path: Path, levels: int) -> None:
    bands, values = scene()
    source = tmp_path / "a.tif"
    write_scene(source, bands, values)
    before = source.read_bytes()
    outer = source
    for level in range(levels):
        gdal.Translate(str(tmp_path / f"{level}.vrt"), str(outer), format="VRT")
        outer = tmp_path / f"{level}.vrt"
    with pytest.raises(HyperKDError, match="a.tif is read by this job") as caught:
        run(outer, source)
    assert caught.value.code == "bad_job"
    assert source.read_bytes() == before
    run(outer, tmp_path / "b.tif")  # and another output is no problem


def test_the_users_word_wins_over_the_file(tmp_path: Path) -> None:
    """A bare TIFF, as EnMAP delivers it, with a sensor's table, a scale and a nodata value."""
    bands, values = scene()
    grid = GridSpec(values.shape[2], values.shape[1], TRANSFORM)
    with create_raster(str(tmp_path / "bare.tif"), RasterSpec(grid, 224, np.int16)) as sink:
        sink.write(grid.window, values)
    with pytest.raises(HyperKDError, match="says no wavelengths") as caught:
        run(tmp_path / "bare.tif", tmp_path / "out.tif")
    assert caught.value.code == "no_wavelengths"
    arguments = {"input": str(tmp_path / "bare.tif"), "mode": "range_mean"}
    said = {"bands": "enmap", "scale": 2e-4, "nodata": -32768.0}
    align(AlignJob(**arguments, output=str(tmp_path / "said.tif"), **said), SilentReport())
    write_scene(tmp_path / "full.tif", bands, values)
    run(tmp_path / "full.tif", tmp_path / "told.tif")
    said_values, told_values = read(tmp_path / "said.tif"), read(tmp_path / "told.tif")
    assert (said_values[:, 2, 3] == -9999).all()
    valid = np.ones((5, 7), bool)
    valid[2, 3] = False
    twice = np.abs(said_values[:, valid] - 2.0 * told_values[:, valid])
    assert twice.max() <= 1.5  # both are rounded to whole numbers


def test_a_misspelt_sensor_is_named_with_the_known_ones(tmp_path: Path) -> None:
    bands, values = scene()
    write_scene(tmp_path / "in.tif", bands, values)
    arguments = {"input": str(tmp_path / "in.tif"), "output": str(tmp_path / "out.tif")}
    with pytest.raises(
        HyperKDError, match=r"no sensor preset 'enmapp'.*enmap, enmap-202"
    ) as caught:
        align(AlignJob(**arguments, mode="nearest", bands="enmapp"), SilentReport())
    assert caught.value.code == "bad_job"
