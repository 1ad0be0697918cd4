"""Our Prithvi against numbers of the reference: features, masks, predictions, tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.models.nets.prithvi import (  # noqa: E402
    CoordinateEncoding,
    Prithvi,
    position_table,
    stretched_table,
)
from hyperkd.models.prithvi_versions import POSITION_TABLES, PrithviConfig  # noqa: E402

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "prithvi"
CASES = (
    "t1_plain",
    "t1_plain_4d",
    "t3_plain",
    "t1_coords",
    "t3_coords",
    "t1_coords_absent",
    "t1_time_only",
    "interp_hw",
    "interp_hw_t3",
    "frames_changed",
    "frames_and_hw_changed",
    "patch14_t1",
    "norm_pix",
)
SAME_GRID = ("t1_plain", "t3_plain", "t1_coords", "t3_coords", "patch14_t1", "frames_changed")


class Case:
    """One golden case with the network that it describes."""

    def __init__(self, name: str, positions: str) -> None:
        self.arrays = np.load(GOLDEN / f"{name}.npz")
        meta = json.loads(str(self.arrays["meta_json"]))
        sizes = meta["config"]
        self.config = PrithviConfig(
            dim=sizes["embed_dim"],
            depth=sizes["depth"],
            heads=sizes["num_heads"],
            patch=sizes["patch_size"][1],
            frames=sizes["num_frames"],
            coordinates="coords_encoding" in sizes,
            tile=sizes["img_size"],
            bands=sizes["in_chans"],
            decoder_dim=sizes["decoder_embed_dim"],
            decoder_depth=sizes["decoder_depth"],
            decoder_heads=sizes["decoder_num_heads"],
            normalised_target=sizes["norm_pix_loss"],
        )
        weights = np.load(GOLDEN / f"{meta['sd_from']}.npz")
        self.stored = {key[3:]: weights[key] for key in weights.files if key.startswith("sd/")}
        self.network = Prithvi(self.config, positions).eval()
        self.network.load_state_dict(
            {
                name: torch.from_numpy(value)
                for name, value in self.stored.items()
                if name not in POSITION_TABLES
            },
            strict=True,
        )
        images = torch.from_numpy(self.arrays["in/x"])
        self.images = images[:, :, None] if images.dim() == 4 else images
        self.coordinates = (self.input("temporal_coords"), self.input("location_coords"))

    def input(self, name: str) -> Optional[Any]:
        key = f"in/{name}"
        return torch.from_numpy(self.arrays[key]) if key in self.arrays.files else None

    def run(self, dtype) -> dict[str, Any]:
        network, images = self.network.to(dtype), self.images.to(dtype)
        with torch.no_grad():
            features = network.encoder.forward_features(images, *self.coordinates)
            result = network(images, self.input("noise"), 0.75, *self.coordinates)
            visible = result.visible
            shape = self.arrays["in/x"].shape
            per_pixel = self.config.bands * self.config.patch**2
            mask = visible.mask[:, :, None].expand(-1, -1, per_pixel)
            return {
                "features_0": features[0],
                "features_1": features[1],
                "latent": visible.latent,
                "mask": visible.mask,
                "ids_restore": visible.ids_restore,
                "pred": result.prediction,
                "loss": result.loss,
                "patchified": network.patchify(images),
                "pred_image": network.unpatchify(result.prediction, visible.grid).reshape(shape),
                "mask_image": network.unpatchify(mask, visible.grid)
                .reshape(shape)[:, 0]
                .to(torch.float32),
            }


def assert_close(found, expected, what: str) -> None:
    """Compare to 1e-5 of the expected array's largest value."""
    assert found.shape == expected.shape, what
    largest = np.abs(expected).max()
    assert np.abs(found.numpy() - expected).max() <= 1e-5 * largest, what


@pytest.mark.parametrize("name", CASES)
def test_golden_case_in_float32(name):
    case = Case(name, "stretch")
    for key, found in case.run(torch.float32).items():
        expected = case.arrays[f"out/{key}"]
        if key in {"mask", "ids_restore", "mask_image", "patchified"}:
            assert found.dtype == torch.from_numpy(expected).dtype
            np.testing.assert_array_equal(found.numpy(), expected, err_msg=key)
        else:
            assert_close(found, expected, key)


@pytest.mark.parametrize("name", CASES)
def test_golden_case_in_float64(name):
    """Float32 could hide a small mistake; only the stretched table is float32 in both."""
    case = Case(name, "stretch")
    results = case.run(torch.float64)
    for key in ("features_1", "latent", "pred", "loss"):
        np.testing.assert_allclose(
            results[key].numpy(), case.arrays[f"out64/{key}"], rtol=0, atol=2e-6, err_msg=key
        )


@pytest.mark.parametrize("name", SAME_GRID)
def test_recomputed_positions_are_the_reference_on_the_grid_of_the_pretraining(name):
    case = Case(name, "recompute")
    results = case.run(torch.float32)
    for key in ("features_1", "pred"):
        assert_close(results[key], case.arrays[f"out/{key}"], key)


def test_recomputed_positions_differ_from_stretched_ones_on_another_grid():
    found = Case("interp_hw", "recompute").run(torch.float32)["features_1"].numpy()
    stretched = np.load(GOLDEN / "interp_hw.npz")["out/features_1"]
    assert np.abs(found - stretched).max() > 0.05


def test_the_epsilon_of_the_norms_is_told_apart():
    """The golden numbers with the wrong epsilon are further off than the bar."""
    case = Case("t1_plain", "stretch")
    wrong = case.arrays["out_eps1e-6/features_last"]
    found = case.run(torch.float32)["features_1"].numpy()
    assert np.abs(found - wrong).max() > 5e-5


@pytest.mark.parametrize("name", CASES)
def test_names_and_shapes_of_the_golden_weights(name):
    case = Case(name, "recompute")
    assert {key: value.shape for key, value in case.stored.items()} == case.config.tensor_shapes()


@pytest.mark.parametrize("name", ["t3_coords", "t1_plain"])
def test_features_of_chosen_tokens_are_the_golden_latent(name):
    case = Case(name, "recompute")
    order = case.input("noise").argsort(1)
    with torch.no_grad():
        features = case.network.encoder.forward_features(
            case.images, *case.coordinates, keep=order[:, : order.shape[1] // 4]
        )
    assert_close(features[-1], case.arrays["out/latent"], "latent")


def test_fewer_blocks_are_a_prefix_without_the_final_norm():
    case = Case("t1_plain", "recompute")
    with torch.no_grad():
        features = case.network.encoder.forward_features(case.images, blocks=1)
    assert len(features) == 1
    assert_close(features[0], case.arrays["out/features_0"], "features_0")


def test_a_mask_ratio_of_zero_hides_nothing():
    """The reference takes 0 for "not given" and hides three quarters."""
    case = Case("t1_plain", "recompute")
    with torch.no_grad():
        visible = case.network.encoder(case.images, case.input("noise"), 0.0)
        features = case.network.encoder.forward_features(case.images)[-1]
    assert visible.mask.sum() == 0
    unshuffled = visible.latent[:, 1:].gather(
        1, visible.ids_restore[:, :, None].expand(-1, -1, case.config.dim)
    )
    torch.testing.assert_close(unshuffled, features[:, 1:], rtol=0, atol=2e-5)


def test_position_tables():
    tables = np.load(GOLDEN / "tables.npz")
    found = [key for key in tables.files if key.startswith("pos/")]
    assert len(found) == 3
    for key in found:
        dim, size = key[len("pos/") :].split("_")
        frames, rows, cols = (int(count) for count in size.split("x"))
        table = position_table(int(dim), frames, rows, cols).flatten(0, 2)
        np.testing.assert_array_equal(tables[key][0, 0], 0.0, err_msg="CLS has no position")
        np.testing.assert_allclose(table.numpy(), tables[key][0, 1:], rtol=0, atol=1e-7)


def test_position_tables_of_the_published_versions():
    tables = np.load(GOLDEN / "tables.npz")
    described = json.loads(str(tables["meta_json"]))
    rows_of = {key: value for key, value in described.items() if key.startswith("pos_rows/")}
    assert len(rows_of) == 7
    for key, meta in rows_of.items():
        dim, size = key[len("pos_rows/") :].split("_")
        frames, rows, cols = (int(count) for count in size.split("x"))
        table = position_table(int(dim), frames, rows, cols).flatten(0, 2).numpy()
        table = np.concatenate((np.zeros((1, int(dim)), np.float32), table))
        assert list(table.shape) == meta["shape"]
        np.testing.assert_allclose(table[meta["rows"]], tables[key], rtol=0, atol=1e-7)
        assert table.sum(dtype=np.float64) == pytest.approx(meta["sum_float64"], abs=0.05)


def test_stretched_tables():
    tables = np.load(GOLDEN / "tables.npz")
    found = [key for key in tables.files if key.startswith("interp/")]
    assert len(found) == 5
    for key in found:
        frames, height, width = (int(size) for size in key.rsplit("_", 1)[1].split("x"))
        table = stretched_table(192, frames, 14, height // 16, width // 16).flatten(0, 2)
        # The place between two of 14 positions is rounded, and so are the 16 terms of the
        # cubic; values and slopes of the tables are at most 1. On both machines.
        atol = 2 * (14 + 16) * 2**-24
        np.testing.assert_allclose(table.numpy(), tables[key][0, 1:], rtol=0, atol=atol)


@pytest.mark.parametrize("dim", [192, 512, 768, 1024, 1280])
@pytest.mark.parametrize("kind", ["temporal", "location"])
def test_coordinate_encodings(dim, kind):
    tables = np.load(GOLDEN / "tables.npz")
    encoding = CoordinateEncoding(dim)
    pairs = torch.from_numpy(tables[f"coords/{kind}_in"])
    with torch.no_grad():
        encoding.scale.fill_(1.0)
        found = encoding(pairs).numpy().reshape(tables[f"coords/{kind}_{dim}"].shape)
    # Of an angle, on both machines, the power is rounded to two units, the reciprocal and the
    # product to half a unit each: 6 * 2^-24 of itself. A year is an angle of 2000.
    half, other = dim // 2, dim - dim // 2
    angles = [
        np.abs(value)[..., None] * 1e4 ** -(np.arange(size // 2) / (size / 2))
        for value, size in ((pairs[..., 0].numpy(), half), (pairs[..., 1].numpy(), other))
    ]
    largest = np.concatenate([angle for angle in angles for _ in "sc"], -1).reshape(found.shape)
    apart = np.abs(found - tables[f"coords/{kind}_{dim}"])
    assert (apart <= 2**-21 * largest + 2**-23).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_the_year(dtype):
    """A year has no place in half precision; a network of that type computes in float32 anyway."""
    encoding, half = CoordinateEncoding(64), CoordinateEncoding(64).to(dtype)
    pairs = torch.tensor([[2023.0, 180.0]])
    assert pairs.to(torch.bfloat16)[0, 0] == 2024  # what would become of it
    with torch.no_grad():
        # The scale itself is rounded: to 8 or 11 bits.
        torch.testing.assert_close(half(pairs).float(), encoding(pairs), rtol=4e-3, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net.encoder.embed(torch.zeros(1, 6, 1, 12, 8)), "12 x 8 pixels"),
        (
            lambda net: net.encoder.embed(torch.zeros(1, 6, 1, 8, 8), torch.zeros(1, 1, 2)),
            "takes no date and no place",
        ),
        (
            lambda net: net(torch.zeros(1, 6, 1, 8, 8), torch.zeros(1, 1), 0.75),
            "without its decoder",
        ),
        (lambda net: Prithvi(net.config, "guess"), "'guess', not one of recompute, stretch"),
    ],
)
def test_misuse_is_refused(call, message):
    config = PrithviConfig(32, 1, 2, patch=8, decoder_dim=32, decoder_depth=1, decoder_heads=2)
    with pytest.raises(ValueError, match=message):
        call(Prithvi(config, with_decoder=False))


def test_patches_hold_the_pixels_of_their_square_band_last():
    config = PrithviConfig(32, 1, 2, patch=2, bands=3, decoder_dim=32, decoder_depth=1)
    network = Prithvi(config)
    images = torch.arange(3 * 2 * 4 * 6.0).reshape(1, 3, 2, 4, 6)
    patches = network.patchify(images)
    # frame 1, second row and third column of patches
    expected = images[0, :, 1, 2:4, 4:6].permute(1, 2, 0).flatten()
    assert torch.equal(patches[0, 6 + 3 + 2], expected)
    assert torch.equal(network.unpatchify(patches, (2, 2, 3)), images)
