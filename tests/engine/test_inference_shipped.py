"""The shipped student on EnMAP's bands: what the jobs write equals the network itself."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hyperkd
from hyperkd.inference.backends.onnxruntime_backend import open_session
from hyperkd.inference.embed import upsample
from hyperkd.inference.prepared import load
from hyperkd.inference.tiling.pipeline import blended_rows
from hyperkd.models.bundle import open_bundle
from hyperkd.models.store.registry import resolve
from hyperkd.raster.memory import MemoryRaster
from hyperkd.raster.open_raster import open_raster
from hyperkd.requests.predict_options import EmbedJob
from hyperkd.requests.shared_options import InferenceOptions
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.types import GridSpec, Window
from tests.engine.inference_factories import Recorder


def enmap_scene(size, seed=0):
    """Smooth spectra as digital numbers in EnMAP's 224 bands, a hole, bad bands all nodata."""
    generator = np.random.default_rng(seed)
    table = sensor_bands("enmap")
    centre = table.wavelengths.centre_nm[:, None, None]
    phase, height = generator.random((2, 1, size, size))
    data = 2500 + 1500 * height * np.sin(centre / 300 + 6 * phase)
    data = data.astype(np.int16)
    data[~table.good] = -32768
    hole = np.zeros((size, size), bool)
    hole[3:9, size - 11 : size - 4] = True
    data[:, hole] = -32768
    return data, hole, table


def run_over(source, output, batch=8, overlap=None, **changes):
    report = Recorder()
    options = InferenceOptions(overlap, batch, "cpu")
    student = load("tiny").match(source, options, [output], report)
    with student.open(options, report, row_bytes=1, block_rows=256) as run:
        run.resources = dataclasses.replace(run.resources, **changes)
        (panel,) = run.resources.panels
        rows = [part.values.copy() for part in blended_rows(run, panel, student.count)]
    return np.concatenate(rows, axis=1), student


@pytest.mark.parametrize("output", ["embedding", "reconstruction"])
def test_a_folded_first_layer_computes_what_the_whole_network_computes(output):
    bundle = open_bundle(resolve("tiny"))
    data, hole, table = enmap_scene(bundle.card.tile_px)
    values, student = run_over(MemoryRaster(data, table), output)
    reflectance = student.reflectance.apply(data[list(student.bands)].astype(np.float64))
    reflectance[:, hole] = 0
    (expected,) = open_session(bundle.network(output), "cpu").run(
        reflectance[None].astype(np.float32), (~hole)[None, None].astype(np.float32)
    )
    difference = np.abs(values - expected)[:, ~hole].max()
    assert difference < 1e-5 * np.abs(expected).max()
    assert np.isnan(values[:, hole]).all()


def test_the_order_of_the_bands_in_the_file_changes_nothing():
    data, hole, table = enmap_scene(70)
    values, _ = run_over(MemoryRaster(data, table), "embedding")
    order = np.random.default_rng(4).permutation(224)
    shuffled = MemoryRaster(data[order], table.take(order))
    again, student = run_over(shuffled, "embedding")
    assert len(student.bands) == 218
    np.testing.assert_array_equal(again, values)


def slope_scene(size):
    """Spectra that change slowly over the scene: any edge in the result is a tile's own."""
    table = sensor_bands("enmap")
    centre = table.wavelengths.centre_nm[:, None, None]
    place = np.linspace(0, 1, size)
    data = 2500 + 1500 * np.sin(centre / 300 + 2 * place[:, None] + place)
    data[~table.good] = -32768
    return MemoryRaster(data.astype(np.int16), table)


def roughest_step(values):
    """The largest mean step from one row to the next, in units of the median."""
    step = np.abs(np.diff(values, axis=1)).mean(axis=(0, 2))
    return step.max() / np.median(step)


def test_blending_leaves_no_seams():
    source = slope_scene(150)
    hard, _ = run_over(source, "embedding", overlap=0)
    blended, _ = run_over(source, "embedding")
    assert roughest_step(hard) > 4
    assert roughest_step(blended) < 2


def test_the_batch_size_changes_nothing():
    source = slope_scene(150)
    single, _ = run_over(source, "embedding", batch=1)
    batched, _ = run_over(source, "embedding", batch=3)
    np.testing.assert_allclose(batched, single, rtol=0, atol=1e-5 * np.abs(single).max())


@pytest.mark.parametrize(
    ("blocks", "changes"),
    [
        ((3, 150), {}),
        ((7, 40), {"threads": 3, "readers": 4}),
        ((150, 150), {"threads": 1, "readers": 1}),
        ((1, 150), {"operator_threads": 2}),
    ],
)
def test_threads_and_the_height_of_stripes_change_nothing(blocks, changes):
    usual = slope_scene(150)
    expected, _ = run_over(usual, "embedding")
    scene = MemoryRaster(usual.read(usual.grid.window), usual.bands, block_shape=blocks)
    values, _ = run_over(scene, "embedding", **changes)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_tokens_brought_to_pixels_are_the_embedding():
    bundle = open_bundle(resolve("tiny"))
    assert bundle.has_tokens
    pixels, valid = bundle.card.self_test.inputs(len(bundle.card.bands), bundle.card.tile_px)
    tokens, embedding = (
        open_session(bundle.network(output), "cpu").run(pixels, valid)[0]
        for output in ("tokens", "embedding")
    )
    assert tokens.shape == (128, 16, 16)
    difference = np.abs(upsample(tokens, 64) - embedding).max()
    assert difference < 1e-5 * np.abs(embedding).max()


def test_components_are_a_projection_of_the_embedding(tmp_path):
    """They are found from tokens, which are as many as there are squares of 4 x 4 pixels."""
    from hyperkd.inference.embed import embed
    from hyperkd.raster.create_raster import create_raster
    from hyperkd.raster.sink import RasterSpec

    data, hole, table = enmap_scene(90)
    with create_raster(
        str(tmp_path / "scene.tif"),
        RasterSpec(GridSpec(90, 90), 224, np.int16, nodata=-32768, bands=table),
    ) as sink:
        sink.write(Window(0, 0, 90, 90), data)
    summaries = {
        count: embed(
            EmbedJob(
                input=str(tmp_path / "scene.tif"),
                output=str(tmp_path / f"{count}.tif"),
                model="tiny",
                components=count,
                device="cpu",
            ),
            Recorder(),
        )
        for count in (0, 5)
    }
    whole, components = (read_float(tmp_path / f"{count}.tif")[:, ~hole] for count in (0, 5))
    centred = whole - whole.mean(axis=1)[:, None]
    matrix = components @ np.linalg.pinv(centred)
    rest = components - components.mean(axis=1)[:, None] - matrix @ centred
    assert np.abs(rest).max() < 1e-3 * np.abs(components).max()
    # Between tokens the embedding is interpolated, so that pixels vary a little less.
    share = np.array(summaries[5]["explained_variance"])
    exact = np.linalg.eigvalsh(np.cov(centred))[::-1]
    np.testing.assert_allclose(share, (exact / exact.sum())[:5], atol=0.05)
    assert summaries[5]["tiles"] == summaries[0]["tiles"]


def read_float(path):
    gdal = pytest.importorskip("osgeo.gdal")
    dataset = gdal.Open(str(path))
    shape = (dataset.RasterCount, dataset.RasterYSize, dataset.RasterXSize)
    return np.frombuffer(dataset.ReadRaster(), np.float32).reshape(shape).astype(np.float64)


def test_every_valid_pixel_of_an_enmap_tile_smaller_than_the_students_is_filled(potsdam, tmp_path):
    from hyperkd.inference.embed import embed

    tile = potsdam.images[0]
    summary = embed(
        EmbedJob(
            input=str(tile),
            output=str(tmp_path / "e.tif"),
            model="tiny",
            components=8,
            overlap=None,
            batch=8,
            device="cpu",
        ),
        Recorder(),
    )
    with open_raster(str(tile)) as source:
        valid = source.read_tile(source.grid.window).valid
        grid = source.grid
    gdal = pytest.importorskip("osgeo.gdal")
    dataset = gdal.Open(str(tmp_path / "e.tif"))
    assert (dataset.RasterXSize, dataset.RasterYSize) == (grid.width, grid.height)
    assert dataset.GetGeoTransform() == grid.geotransform
    values = np.frombuffer(dataset.ReadRaster(), np.float32).reshape(8, *valid.shape)
    np.testing.assert_array_equal(np.isfinite(values).all(axis=0), valid)
    assert valid.any()
    assert summary["support"]["matched"] == 218
    assert (np.diff(summary["explained_variance"]) <= 0).all()


def test_inference_needs_neither_torch_nor_qgis():
    engine = Path(hyperkd.__file__).parents[1]
    program = (
        "import sys\n"
        "for name in ('torch', 'qgis', 'PyQt5', 'PyQt6'): sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(engine)!r})\n"
        "import hyperkd.inference.embed, hyperkd.inference.reconstruct\n"
        "from hyperkd.models.bundle import open_bundle\n"
        "from hyperkd.models.store.registry import resolve\n"
        "from hyperkd.inference.backends.onnxruntime_backend import self_test\n"
        "print(self_test(open_bundle(resolve('tiny')), 'embedding', 'cpu') < 1e-3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("True", 0), done.stderr
