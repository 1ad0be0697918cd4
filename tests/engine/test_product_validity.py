"""What a product's own layers say has no value, has none; nothing is left out without a word."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.raster.products.emit import FLAGS
from hyperkd.raster.products.import_product import import_product
from hyperkd.raster.products.open_product import open_product
from hyperkd.raster.products.quality_masks import DESIS_MASKS, ENMAP_MASKS
from hyperkd.requests.prepare_options import ImportJob
from hyperkd.requests.shared_options import QUALITY_MASKS
from hyperkd.types import Tile, Window
from tests.products import (
    DESIS_STEM,
    EMIT_MASKS,
    write_desis,
    write_emit,
    write_emit_mask,
    write_prisma,
    write_tif,
)
from tests.reports import SilentReport

h5py = pytest.importorskip("h5py", reason="builds the PRISMA and EMIT files")
GRANULE = "20230316T045133_2307503_005"


def test_every_mask_is_some_products_and_every_products_mask_can_be_asked_for() -> None:
    assert {*ENMAP_MASKS, *DESIS_MASKS, *FLAGS, "saturated"} == set(QUALITY_MASKS)


# --- PRISMA ---


def cubes() -> dict[str, np.ndarray]:
    """Return cubes (row, slot, col) of 4 x 5 pixels without a border."""
    random = np.random.default_rng(5)
    return {
        "VNIR": random.integers(1, 65535, (4, 3, 5)).astype(np.uint16),
        "SWIR": random.integers(1, 65535, (4, 4, 5)).astype(np.uint16),
    }


def errors() -> dict[str, np.ndarray]:
    return {name: np.zeros(cube.shape, np.uint8) for name, cube in cubes().items()}


def read_prisma(tmp_path: Path, **changes: Any) -> tuple[Tile, dict[str, str]]:
    """Return the tile and what is told; bands 500 V, 943 S, 972 V, 1600 S, 2400 S nm."""
    write_prisma(tmp_path / "x.he5", **changes)
    with open_product(tmp_path / "x.he5", ()) as product:
        source = product.source
        told = {problem.code: problem.message for problem in source.problems}
        return source.read_tile(source.grid.window), told


@pytest.mark.parametrize(("detector", "lost"), [("SWIR", [1, 3, 4]), ("VNIR", [0, 2])])
def test_a_detector_of_zeros_has_no_value(tmp_path: Path, detector: str, lost: list[int]) -> None:
    changed = cubes()
    changed[detector][:, :, :2] = 0
    tile, problems = read_prisma(tmp_path, cubes=changed)
    assert (tile.data[lost, :, :2] == -32768).all()
    kept = [band for band in range(5) if band not in lost]
    assert (tile.data[kept] != -32768).all()
    np.testing.assert_array_equal(tile.valid, np.arange(5) * np.ones((4, 1)) >= 2)
    assert problems == {
        "detector_without_data": f"The {detector} detector holds nothing but 0 in 40.0% of the "
        "pixels with data: they are left out.",
    }


def test_a_border_without_either_detector_is_no_problem(tmp_path: Path) -> None:
    changed = cubes()
    for cube in changed.values():
        cube[0] = 0
    tile, problems = read_prisma(tmp_path, cubes=changed, errors=errors())
    np.testing.assert_array_equal(tile.valid, [[False] * 5, *[[True] * 5] * 3])
    assert problems == {}


def test_zeros_that_the_error_matrix_calls_negative_are_dark_pixels(tmp_path: Path) -> None:
    changed, wrong = cubes(), errors()
    changed["SWIR"][:, :, 1] = 0
    wrong["SWIR"][:, :3, 1] = 2
    tile, problems = read_prisma(tmp_path, cubes=changed, errors=wrong)
    assert tile.valid.all()
    np.testing.assert_array_equal(tile.data[[1, 3, 4], :, 1], 0)
    assert problems == {}


def test_values_that_the_error_matrix_calls_invalid_are_left_out(tmp_path: Path) -> None:
    wrong = errors()
    wrong["VNIR"][2, 1, 3] = 1  # 500 nm
    wrong["SWIR"][3, 0, 0] = 1  # 2400 nm
    wrong["SWIR"][1, 3, 1] = 1  # an unused slot
    wrong["SWIR"][0, 0, 0] = 3  # saturated: still a value
    tile, problems = read_prisma(tmp_path, cubes=cubes(), errors=wrong)
    missing = np.zeros((5, 4, 5), bool)
    missing[0, 2, 3] = missing[4, 3, 0] = True
    np.testing.assert_array_equal(tile.data == -32768, missing)
    np.testing.assert_array_equal(tile.valid, ~missing.any(axis=0))
    assert problems == {
        "invalid_values": "The error matrix calls values of 10.0% of the pixels with data "
        "invalid: they are left out.",
    }


def test_a_band_that_is_mostly_invalid_is_bad_and_takes_no_pixels_along(tmp_path: Path) -> None:
    wrong = errors()
    wrong["SWIR"][:3, 1] = 1  # 1600 nm in 15 of 20 pixels
    wrong["SWIR"][:2, 0] = 1  # 2400 nm in 10 of 20: not more than half
    tile, problems = read_prisma(tmp_path, cubes=cubes(), errors=wrong)
    np.testing.assert_array_equal(tile.bands.good, [True, True, True, False, True])
    np.testing.assert_array_equal(tile.valid, np.arange(4)[:, None] * np.ones(5) >= 2)
    assert problems == {
        "mostly_invalid_bands": "Marked bad, because the error matrix calls them invalid in more "
        "than half of the pixels with data: band 4.",
        "invalid_values": "The error matrix calls values of 50.0% of the pixels with data "
        "invalid: they are left out.",
    }


def test_bands_that_are_flagged_are_bad(tmp_path: Path) -> None:
    tile, problems = read_prisma(
        tmp_path,
        cubes=cubes(),
        List_Cw_Vnir_Flags=np.array([1, 0, 0], np.uint8),
        List_Cw_Swir_Flags=np.array([1, 1, 0, 0], np.uint8),
    )
    np.testing.assert_array_equal(tile.bands.good, [False, False, True, True, True])
    assert problems == {
        "unused_bands": "Not used by its producer (List_Cw_*_Flags): bands 1-2.",
    }


def test_saturated_pixels_can_be_left_out(tmp_path: Path) -> None:
    wrong = errors()
    wrong["SWIR"][1, 0, 2] = wrong["VNIR"][3, 1, 4] = 3
    wrong["SWIR"][0, 3, 0] = 3  # an unused slot
    write_prisma(tmp_path / "x.he5", cubes=cubes(), errors=wrong)
    done = import_product(
        ImportJob(
            product=str(tmp_path / "x.he5"), output=str(tmp_path / "o.tif"), mask=("saturated",)
        ),
        SilentReport(),
    )
    assert (done["valid_pixels"], done["masked_pixels"]) == (18, 2)
    with open_product(tmp_path / "x.he5", ("saturated",)) as product:
        assert product.quality is not None
        masked = product.quality.read(Window(2, 1, 3, 3))
    np.testing.assert_array_equal(np.argwhere(masked), [[0, 0], [2, 2]])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"List_Cw_Vnir_Flags": np.ones(2, np.uint8)}, "3 wavelengths and 3 FWHM, 2 flags"),
        ({"errors": {"SWIR": np.zeros((4, 3, 5), np.uint8)}}, "its error matrix (4, 3, 5)"),
        ({"Product_LRcorner_easting": np.float64(300015 + 4 * 20)}, "20 m per pixel apart"),
        ({"Product_LRcorner_northing": np.float64(5000015 + 90)}, "-30 m per pixel apart"),
    ],
)
def test_prisma_files_that_contradict_themselves(tmp_path: Path, changes: Any, says: str) -> None:
    write_prisma(tmp_path / "x.he5", **changes)
    with pytest.raises(HyperKDError) as caught:
        open_product(tmp_path / "x.he5", ())
    assert caught.value.code == "bad_product"
    assert says in caught.value.message


def test_prisma_is_known_by_its_swath_whatever_its_name(tmp_path: Path) -> None:
    write_prisma(tmp_path / "scene.h5", Product_LRcorner_easting=np.float64(300015 + 4 * 30))
    with open_product(tmp_path / "scene.h5", ()) as product:
        assert product.kind == "PRISMA L2D"
        assert product.source.bands.origins["product"] == "swath PRS_L2D_HCO, Processing_Level 2D"


# --- EMIT ---


def emit_with_mask(tmp_path: Path, version: str, rfl: str = "001") -> tuple[Path, np.ndarray, Any]:
    random = np.random.default_rng(11)
    glt_x, glt_y = random.integers(1, 6, (7, 8)), random.integers(1, 7, (7, 8))
    glt_x[0, :3] = glt_y[0, :3] = 0
    path = tmp_path / f"EMIT_L2A_RFL_{rfl}_{GRANULE}.nc"
    write_emit(path, glt_x, glt_y)
    layers = write_emit_mask(
        tmp_path / f"EMIT_L2A_MASK_{version}_{GRANULE}.nc", EMIT_MASKS[version]
    )
    return path, layers, (glt_x, glt_y)


@pytest.mark.parametrize(
    ("version", "mask", "columns"),
    [
        *(("001", name, [n]) for n, name in enumerate(("cloud", "cirrus", "water", "spacecraft"))),
        *(("001", "cloud_buffer", [4]), ("001", "aggregate", [7])),
        *(("002", "cloud", [0, 9]), ("002", "cirrus", [1]), ("002", "aggregate", [7])),
    ],
)
def test_emit_masks_go_by_their_names(
    tmp_path: Path, version: str, mask: str, columns: list[int]
) -> None:
    path, layers, (glt_x, glt_y) = emit_with_mask(tmp_path, version)
    with open_product(path, (mask,)) as product:
        assert product.source.problems == ()
        assert product.quality is not None
        masked = product.quality.read(product.source.grid.window)
        part = product.quality.read(Window(3, 2, 4, 5))
    expected = np.zeros((7, 8), bool)
    for row, col in np.argwhere(glt_x > 0):
        pixel = layers[glt_y[row, col] - 1, glt_x[row, col] - 1]
        expected[row, col] = (pixel[columns] == 1).any()
    assert 0 < expected.sum() < 53
    np.testing.assert_array_equal(masked, expected)
    np.testing.assert_array_equal(part, expected[2:, 3:7])


def test_of_two_mask_files_that_of_the_same_version_counts(tmp_path: Path) -> None:
    path, *_ = emit_with_mask(tmp_path, "001")
    write_emit_mask(tmp_path / f"EMIT_L2A_MASK_002_{GRANULE}.nc", ("Cirrus Flag",))
    with open_product(path, ("cloud",)) as product:
        assert product.kind == "EMIT L2A"
    (tmp_path / f"EMIT_L2A_MASK_001_{GRANULE}.nc").unlink()
    with pytest.raises(HyperKDError, match="no layer for the masks cloud") as caught:
        open_product(path, ("cloud",))
    assert caught.value.hint == "It offers: cirrus."


def test_a_mask_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path, *_ = emit_with_mask(tmp_path, "001")
    mask = tmp_path / f"EMIT_L2A_MASK_001_{GRANULE}.nc"
    with open_product(path, ("cloud",)) as product:
        assert [stamp[0] for stamp in product.source.stamp()] == [str(path), str(mask)]
        product.source.check_unchanged()
        os.utime(mask, (1, 1))
        with pytest.raises(HyperKDError, match="changed while it was read") as caught:
            product.source.check_unchanged()
    assert caught.value.code == "input_changed"


def test_emit_without_its_masks_says_that_clouds_are_in(tmp_path: Path) -> None:
    path, *_ = emit_with_mask(tmp_path, "001")
    (tmp_path / f"EMIT_L2A_MASK_001_{GRANULE}.nc").rename(tmp_path / "EMIT_L2A_MASK_001_other.nc")
    with open_product(path, ()) as product:
        assert [problem.code for problem in product.source.problems] == ["clouds_in_data"]
    with pytest.raises(HyperKDError, match="EMIT L2A brings no layer for the masks cloud"):
        open_product(path, ("cloud",))


def test_masks_of_another_swath_are_refused(tmp_path: Path) -> None:
    path, *_ = emit_with_mask(tmp_path, "001")
    with h5py.File(tmp_path / f"EMIT_L2A_MASK_001_{GRANULE}.nc", "r+") as file:
        del file["mask"]
        file["mask"] = np.zeros((6, 4, 8), np.float32)
    with pytest.raises(HyperKDError, match=r"\(6, 4, 8\) for 8 mask_bands") as caught:
        open_product(path, ("cloud",))
    assert caught.value.code == "bad_product"


# --- DESIS ---


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        *(("cloud_shadow", [0]), ("land", [1]), ("snow", [2]), ("haze", [3, 4])),
        *(("cloud", [5, 6]), ("water", [7])),
    ],
)
def test_desis_masks_leave_out_exactly_their_pixels(
    tmp_path: Path, name: str, pixels: list[int]
) -> None:
    with open_product(write_desis(tmp_path), (name,)) as product:
        assert product.quality is not None
        masked = product.quality.read(product.source.grid.window)
    np.testing.assert_array_equal(np.flatnonzero(masked), pixels)


def test_desis_masks_that_cannot_be_had(tmp_path: Path) -> None:
    folder = write_desis(tmp_path)
    with pytest.raises(HyperKDError, match="DESIS L2A brings no layer for the masks cirrus") as e:
        open_product(folder, ("cirrus",))
    assert (e.value.code, e.value.hint) == (
        "bad_job",
        "It offers: cloud, cloud_shadow, haze, snow, water, land.",
    )
    layer = folder / f"{DESIS_STEM}-QL_QUALITY-2.tif"
    write_tif(layer, np.zeros((3, 3, 5), np.uint8))
    with pytest.raises(HyperKDError, match="QL_QUALITY-2 has 3 bands, not the 10"):
        open_product(folder, ("cloud",))
    layer.unlink()
    with pytest.raises(HyperKDError, match="no readable QL_QUALITY-2 layer"):
        open_product(folder, ("cloud",))


def test_a_training_takes_the_masks_that_a_product_has(tmp_path: Path) -> None:
    with open_product(write_desis(tmp_path), ("cloud", "cirrus"), where_offered=True) as product:
        assert product.quality is not None
        assert product.quality.names == ("cloud",)
    write_prisma(tmp_path / "x.he5")
    with open_product(tmp_path / "x.he5", ("cloud",), where_offered=True) as product:
        assert product.quality is None
