"""The versions of Prithvi against the manifests of their published files."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.models.prithvi_versions import (
    BANDS,
    POSITION_TABLES,
    VERSIONS,
    identify,
    published_names,
    require_bands,
    require_tensors,
)
from hyperkd.models.store.published import published

MANIFESTS = {
    "prithvi-eo-1.0-100m": "prithvi_eo_v1_100",
    "prithvi-eo-2.0-tiny-tl": "prithvi_eo_v2_tiny_tl",
    "prithvi-eo-2.0-100m-tl": "prithvi_eo_v2_100_tl",
    "prithvi-eo-2.0-300m": "prithvi_eo_v2_300",
    "prithvi-eo-2.0-300m-tl": "prithvi_eo_v2_300_tl",
    "prithvi-eo-2.0-600m": "prithvi_eo_v2_600",
    "prithvi-eo-2.0-600m-tl": "prithvi_eo_v2_600_tl",
}
FLAT = "prithvi_100m_v1_original_flat"


def manifest(name: str) -> dict:
    path = Path(__file__).resolve().parents[1] / "golden/prithvi/manifests" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def shapes_in(described: dict) -> dict[str, tuple[int, ...]]:
    return {name: tuple(each["shape"]) for name, each in described["state_dict"].items()}


def test_every_version_has_a_manifest():
    assert list(VERSIONS) == list(MANIFESTS)


@pytest.mark.parametrize("name", MANIFESTS)
def test_names_and_shapes_are_the_manifest(name):
    described = manifest(MANIFESTS[name])
    config = VERSIONS[name].config
    assert config.tensor_shapes() == shapes_in(described)
    assert len(config.tensor_shapes()) == described["n_tensors"]
    sizes = described["config"]
    assert (config.dim, config.depth, config.heads) == (
        sizes["embed_dim"], sizes["depth"], sizes["num_heads"],
    )  # fmt: skip
    assert [1, config.patch, config.patch] == sizes["patch_size"]
    assert (config.frames, config.tile) == (sizes["num_frames"], sizes["img_size"])
    assert config.coordinates == bool(sizes.get("coords_encoding"))


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_built_network_holds_exactly_the_manifest(name):
    torch = pytest.importorskip("torch")
    from hyperkd.models.nets.prithvi import Prithvi

    described = manifest(MANIFESTS[name])
    with torch.device("meta"):
        network = Prithvi(VERSIONS[name].config)
    built = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    expected = shapes_in(described)
    assert built == {key: shape for key, shape in expected.items() if key not in POSITION_TABLES}
    for part in ("encoder", "decoder"):
        count = sum(tensor.numel() for tensor in getattr(network, part).parameters())
        assert count == described["param_count"][part]


def test_flat_names_become_the_published_ones():
    flat = manifest(FLAT)["state_dict"]
    assert published_names(flat) == {name: each["maps_to"] for name, each in flat.items()}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_identified_and_accepted(name):
    shapes = shapes_in(manifest(MANIFESTS[name]))
    assert identify(shapes, "x.pt") is VERSIONS[name]
    assert require_tensors(shapes, VERSIONS[name], "x.pt") is True
    encoder = {key: shape for key, shape in shapes.items() if key.startswith("encoder.")}
    assert identify(encoder, "x.pt") is VERSIONS[name]
    assert require_tensors(encoder, VERSIONS[name], "x.pt") is False


def test_wrapping_prefixes_are_stripped():
    names = ["module._timm_module.encoder.norm.bias", "module.decoder.mask_token"]
    assert list(published_names(names).values()) == ["encoder.norm.bias", "decoder.mask_token"]


def test_names_that_become_one_are_refused():
    with pytest.raises(HyperKDError, match="twice, as module.encoder.x and as encoder.x") as caught:
        published_names(["module.encoder.x", "encoder.x"])
    assert caught.value.code == "bad_model"


def test_a_partly_prefixed_file_is_not_repaired():
    names = ["encoder.cls_token", "norm.bias"]
    assert published_names(names) == {name: name for name in names}


def broken(change) -> dict[str, tuple[int, ...]]:
    shapes = VERSIONS["prithvi-eo-2.0-300m"].config.tensor_shapes()
    change(shapes)
    return shapes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("encoder.norm.bias"), "missing tensors: encoder.norm.bias."),
        (lambda s: s.update({"encoder.head.bias": (2,)}), "unexpected tensors: encoder.head.bias."),
        (
            lambda s: s.update({"encoder.norm.bias": (1, 1024)}),
            "wrong shapes: encoder.norm.bias (1, 1024) instead of (1024,).",
        ),
        (
            lambda s: s.update({"encoder.patch_embed.proj.weight": (1024, 4, 1, 16, 16)}),
            "encoder.patch_embed.proj.weight (1024, 4, 1, 16, 16) instead of (1024, 6, 1, 16, 16)",
        ),
        (
            lambda s: [s.pop(key) for key in list(s) if ".blocks.23." in key],
            "encoder.blocks.23.norm1.bias, encoder.blocks.23.attn.qkv.weight, "
            "encoder.blocks.23.attn.qkv.bias, encoder.blocks.23.attn.proj.weight and 7 more",
        ),
        (lambda s: s.pop("decoder.mask_token"), "missing tensors: decoder.mask_token."),
    ],
)
def test_other_tensors_are_refused_by_name(change, message):
    shapes = broken(change)
    version = identify(shapes, "x.pt")
    with pytest.raises(HyperKDError, match=re.escape(message)) as caught:
        require_tensors(shapes, version, "x.pt")
    assert caught.value.code == "bad_model"
    assert "x.pt does not hold exactly prithvi-eo-2.0-300m" in caught.value.message
    assert "hyperkd models fetch prithvi-eo-2.0-300m" in caught.value.hint


def test_all_wrong_names_are_in_the_context():
    shapes = broken(lambda s: (s.pop("encoder.norm.bias"), s.update({"extra": (1,)})))
    with pytest.raises(HyperKDError, match="x.pt does not hold") as caught:
        require_tensors(shapes, VERSIONS["prithvi-eo-2.0-300m"], "x.pt")
    assert caught.value.context == {
        "missing": ["encoder.norm.bias"], "unexpected": ["extra"], "misshapen": [],
    }  # fmt: skip


def test_position_tables_may_have_any_rows_or_be_absent():
    version = VERSIONS["prithvi-eo-2.0-tiny-tl"]
    shapes = version.config.tensor_shapes()
    shapes["encoder.pos_embed"] = (1, 785, 192)
    del shapes["decoder.decoder_pos_embed"]
    assert require_tensors(shapes, version, "x.pt") is True


def test_half_of_the_coordinate_scales_is_not_enough():
    def change(shapes):
        shapes["encoder.temporal_embed_enc.scale"] = (1,)

    shapes = broken(change)
    version = identify(shapes, "x.pt")
    assert version.name == "prithvi-eo-2.0-300m-tl"
    with pytest.raises(HyperKDError, match="missing tensors: encoder.location_embed_enc.scale"):
        require_tensors(shapes, version, "x.pt")


def test_an_unpublished_size_is_refused():
    shapes = {
        "encoder.cls_token": (1, 1, 256),
        "encoder.patch_embed.proj.weight": (256, 6, 1, 16, 16),
        "encoder.blocks.0.norm1.weight": (256,),
        "encoder.blocks.1.norm1.weight": (256,),
    }
    message = "not a published version of Prithvi: width 256, 2 blocks, patch 16, without date"
    with pytest.raises(HyperKDError, match=message) as caught:
        identify(shapes, "x.pt")
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({}, "x.pt holds no Prithvi: no tensor at all"),
        ({"backbone.cls_token": (1, 1, 8)}, "x.pt holds no Prithvi: backbone.cls_token"),
        (
            {"encoder.cls_token": (768,), "encoder.patch_embed.proj.weight": (768, 6, 1, 16, 16)},
            "holds no Prithvi",
        ),
    ],
)
def test_other_networks_are_refused(shapes, message):
    with pytest.raises(HyperKDError, match=message) as caught:
        identify(shapes, "x.pt")
    assert caught.value.code == "bad_model"
    assert "one of: prithvi-eo-1.0-100m, prithvi-eo-2.0-tiny-tl" in caught.value.hint


def test_bands_are_the_six_of_hls():
    assert BANDS == ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
    require_bands(list(BANDS))


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (BANDS[:4], "SWIR_1, SWIR_2 is missing"),
        (("B02", *BANDS[1:]), "B02 is not a band of Prithvi"),
        (("BLUE", "GREEN", "RED", "NIR", "SWIR_1", "SWIR_2"), "NIR is not a band of Prithvi"),
        (BANDS[::-1], "the order is SWIR_2, SWIR_1, NIR_NARROW, RED, GREEN, BLUE"),
        ((*BANDS, "BLUE"), "the order is BLUE, GREEN"),
    ],
)
def test_other_bands_are_refused_with_the_known_names(names, problem):
    known = "BLUE, GREEN, RED, NIR_NARROW, SWIR_1, SWIR_2"
    with pytest.raises(HyperKDError, match=f"its six bands {known}, but {problem}") as caught:
        require_bands(names)
    assert caught.value.code == "band_mismatch"


def test_statistics_belong_to_the_version():
    first, tiny = VERSIONS["prithvi-eo-1.0-100m"], VERSIONS["prithvi-eo-2.0-tiny-tl"]
    assert np.round(first.mean).tolist() == [775, 1081, 1229, 2497, 2204, 1611]
    assert np.round(first.std).tolist() == [1282, 1270, 1399, 1368, 1292, 1155]
    assert tiny.mean == (1087, 1342, 1433, 2734, 1958, 1363)
    assert tiny.std == (2248, 2179, 2178, 1850, 1242, 1049)


def test_every_published_teacher_has_a_version_and_its_size():
    """Sizes of the files confirm widths, depths and frames, which decide the tables' rows."""
    assert [model.name for model in published()] == list(VERSIONS)
    sizes = {model.name: model.bytes for model in published() if model.bytes is not None}
    assert len(sizes) >= 4
    for name, size in sizes.items():
        shapes = VERSIONS[name].config.tensor_shapes()
        overhead = size - 4 * sum(math.prod(shape) for shape in shapes.values())
        # The archive adds a header and an alignment gap for each tensor.
        assert 100 * len(shapes) < overhead < 500 * len(shapes), name
