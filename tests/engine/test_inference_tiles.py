"""Tiles of reflectance, and the self-test that a model made from another one gets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.inference.backends.onnxruntime_backend import open_session, self_test
from hyperkd.inference.backends.onnxruntime_quantiser import to_int8
from hyperkd.inference.self_test import new_self_test
from hyperkd.inference.tiling.reflectance_tiles import reflectance_tile, reflectance_tiles
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import SelfTest
from hyperkd.raster.memory import MemoryRaster
from hyperkd.spectral.preprocessing import input_map
from hyperkd.types import Window
from tests.engine.inference_factories import CENTRES, TILE, band_table, make_card
from tests.engine.quantisation_factories import make_blocks, with_graph
from tests.reports import SilentReport

CARD = make_card(CENTRES, task="pretrain", embedding_dim=4)


def raster(height: int, width: int, empty: Any = ()) -> tuple[MemoryRaster, NDArray[np.int16]]:
    random = np.random.default_rng(1)
    data = random.integers(100, 6000, (5, height, width)).astype(np.int16)
    for rows, cols in empty:
        data[:, rows, cols] = -32768
    return MemoryRaster(data, band_table(), block_shape=(4, 4)), data


def collected(source: MemoryRaster, count: int) -> list[Any]:
    return list(reflectance_tiles(source, CARD, count, SilentReport()))


def test_every_pixel_of_a_small_scene_comes_once_as_reflectance() -> None:
    source, data = raster(2 * TILE, 2 * TILE, [(slice(1, 3), slice(2, 5))])
    found = collected(source, 100)
    assert len(found) == 4
    total = sum(float(pixels.sum()) for pixels, _ in found)
    seen = data[:, data[0] != -32768] * 1e-4
    assert total == pytest.approx(seen.sum(), rel=1e-5)
    assert sum(int(valid.sum()) for _, valid in found) == 4 * TILE**2 - 6
    for pixels, valid in found:
        assert pixels.dtype == valid.dtype == np.float32
        assert (pixels.shape, valid.shape) == ((1, 5, TILE, TILE), (1, 1, TILE, TILE))
        assert not pixels[:, :, valid[0, 0] == 0].any()


def test_tiles_without_a_pixel_are_replaced_by_others() -> None:
    half = [(slice(None), slice(0, 5 * TILE))]
    source, _ = raster(TILE, 10 * TILE, half)
    assert len(collected(source, 4)) == 4
    assert len(collected(source, 9)) == 5


def test_a_scene_smaller_than_a_tile_is_reflected() -> None:
    source, data = raster(5, TILE)
    ((pixels, valid),) = collected(source, 3)
    rows = [0, 1, 2, 3, 4, 3, 2, 1]
    np.testing.assert_allclose(pixels[0], data[:, rows] * 1e-4, rtol=1e-6)
    assert valid.all()


def test_a_scene_without_a_pixel_is_refused() -> None:
    source, _ = raster(TILE, TILE, [(slice(None), slice(None))])
    with pytest.raises(HyperKDError, match="has no valid pixel") as caught:
        collected(source, 1)
    assert caught.value.code == "no_valid_pixels"


def test_the_new_self_test_holds_what_the_model_gives(tmp_path: Path) -> None:
    bundle = open_bundle(make_blocks(tmp_path / "m.onnx", "pretrain"))
    card = dataclasses.replace(bundle.card, self_test=SelfTest(7, 2, 1e-6, {}))
    made = dataclasses.replace(with_graph(bundle, to_int8(bundle.graph)), card=card)
    test = new_self_test(made)
    assert (test.seed, test.batch) == (7, 2)
    pixels, valid = test.inputs(5, TILE)
    for output in bundle.outputs:
        values = open_session(made.network(output)).run(pixels, valid)
        probe = test.outputs[output]
        assert len(set(probe.indices)) == 16
        np.testing.assert_array_equal(values.reshape(-1)[list(probe.indices)], probe.values)
        assert probe.largest == np.abs(values).max()
        # Rounding makes some values fall to another step; the tolerance covers that.
        nudged = (pixels * np.float32(1 + 3e-7)).astype(np.float32)
        off = open_session(made.network(output)).run(nudged, valid)
        assert test.deviation(output, off) <= test.tolerance
    assert 1e-6 < test.tolerance < 0.1
    assert (
        self_test(
            dataclasses.replace(made, card=dataclasses.replace(card, self_test=test)), "embedding"
        )
        == 0.0
    )


def test_another_model_fails_the_self_test(tmp_path: Path) -> None:
    bundle = open_bundle(make_blocks(tmp_path / "m.onnx"))
    other = open_bundle(make_blocks(tmp_path / "o.onnx", seed=1))
    test = new_self_test(with_graph(bundle, to_int8(bundle.graph)))
    swapped = dataclasses.replace(other, card=dataclasses.replace(other.card, self_test=test))
    with pytest.raises(HyperKDError, match="self-test failed") as caught:
        self_test(swapped, "logits")
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_one_window_becomes_what_a_model_takes_as_input(dtype: Any) -> None:
    source, stored = raster(7, 9)
    data = stored.astype(dtype)
    missing = -32768.0 if dtype is np.int16 else np.nan
    data[:, 2, 3] = missing
    data[1] *= -1  # so that a hole would be minus zero
    table = band_table(nodata=missing, offset=0.01, bad=[4])
    source = MemoryRaster(data, table, block_shape=(4, 4))
    mean, std = np.full(3, 0.2), np.full(3, 0.5)
    affine, _ = input_map(table, table.wavelengths.take([2, 1, 0]), mean, std)
    pixels, valid = reflectance_tile(source, Window(1, 1, 4, 6), affine, 8)
    assert (pixels.shape, pixels.dtype, valid.shape) == ((3, 8, 8), np.float32, (8, 8))
    rows, cols = [1, 2, 3, 4, 5, 6, 5, 4], [1, 2, 3, 4, 3, 2, 1, 2]
    expected = (data[[2, 1, 0]][:, rows][:, :, cols] * 1e-4 + 0.01 - 0.2) / 0.5
    hole = np.equal(rows, 2)[:, None] & np.equal(cols, 3)
    np.testing.assert_array_equal(valid, ~hole)
    np.testing.assert_allclose(pixels[:, ~hole], expected[:, ~hole], atol=1e-6)
    assert not pixels[:, hole].any() and not np.signbit(pixels[:, hole]).any()
    assert {window for window in source.windows} == {Window(1, 1, 4, 6)}
    bare, mask = reflectance_tile(source, Window(1, 1, 4, 6), affine)
    np.testing.assert_array_equal(bare, pixels[:, :6, :4])
    np.testing.assert_array_equal(mask, valid[:6, :4])
