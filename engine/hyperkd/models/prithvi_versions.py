"""What the published versions of Prithvi are: sizes, tensors, statistics, bands.

Prithvi is IBM-NASA's masked autoencoder for Harmonized Landsat Sentinel-2 (HLS)
images: https://huggingface.co/ibm-nasa-geospatial. The network itself is in
``hyperkd.models.nets.prithvi``; this module says which tensors a file must hold
and needs no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hyperkd.errors import HyperKDError
from hyperkd.models.tensors import Shape, require_shapes
from hyperkd.sentences import some
from hyperkd.spectral.hls_alignment import HLS_BANDS

# The input channels, in this order.
BANDS: Final = tuple(band.name for band in HLS_BANDS)

# Reflectance in the teacher's input is the integer of HLS: reflectance x 10000.
REFLECTANCE_UNIT: Final = 10000.0

# How the position table follows another tile size than the pretraining's. `recompute`
# counts the cells of the tile at hand; `stretch` resizes the table that was built for the
# pretraining's tile, as IBM's own code does.
POSITIONS: Final = ("recompute", "stretch")

# The tables are computed for the tile and the frames at hand, never loaded: their number
# of rows follows the frames of the pretraining.
POSITION_TABLES: Final = ("encoder.pos_embed", "decoder.decoder_pos_embed")

_WRAPPING_PREFIXES: Final = ("module.", "_timm_module.")


@dataclass(frozen=True)
class PrithviConfig:
    """Sizes of a Prithvi network.

    Attributes:
        dim, depth, heads: width, blocks and attention heads of the encoder.
        patch: side of one token's square in pixels; a token spans one frame.
        frames: frames per sample in pretraining.
        coordinates: whether it takes date and place (the versions called TL).
        tile: side of the pretraining's tile in pixels.
        bands: input channels.
        decoder_dim, decoder_depth, decoder_heads: the same of the decoder.
        normalised_target: whether the loss compares with normalised patches;
            no published version does.
    """

    dim: int
    depth: int
    heads: int
    patch: int = 16
    frames: int = 4
    coordinates: bool = False
    tile: int = 224
    bands: int = len(BANDS)
    decoder_dim: int = 512
    decoder_depth: int = 8
    decoder_heads: int = 16
    normalised_target: bool = False

    def tensor_shapes(self) -> dict[str, Shape]:
        """Return name and shape of every tensor of a published file, position tables included."""
        rows = 1 + self.frames * (self.tile // self.patch) ** 2
        dim, narrow = self.dim, self.decoder_dim
        shapes: dict[str, Shape] = {
            "encoder.cls_token": (1, 1, dim),
            "encoder.pos_embed": (1, rows, dim),
            "encoder.patch_embed.proj.weight": (dim, self.bands, 1, self.patch, self.patch),
            "encoder.patch_embed.proj.bias": (dim,),
            "decoder.mask_token": (1, 1, narrow),
            "decoder.decoder_pos_embed": (1, rows, narrow),
            **_linear("decoder.decoder_embed", narrow, dim),
            **_linear("decoder.decoder_pred", self.bands * self.patch**2, narrow),
            **_norm("encoder.norm", dim),
            **_norm("decoder.decoder_norm", narrow),
        }
        for index in range(self.depth):
            shapes.update(_block(f"encoder.blocks.{index}", dim))
        for index in range(self.decoder_depth):
            shapes.update(_block(f"decoder.decoder_blocks.{index}", narrow))
        if self.coordinates:
            shapes.update(dict.fromkeys(_COORDINATE_SCALES, (1,)))
        return shapes


_COORDINATE_SCALES: Final = tuple(
    f"{part}.{kind}_embed_{part[:3]}.scale"
    for part in ("encoder", "decoder")
    for kind in ("temporal", "location")
)


def _linear(name: str, outputs: int, inputs: int) -> dict[str, Shape]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, dim: int) -> dict[str, Shape]:
    return {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}


def _block(name: str, dim: int) -> dict[str, Shape]:
    return {
        **_norm(f"{name}.norm1", dim),
        **_linear(f"{name}.attn.qkv", 3 * dim, dim),
        **_linear(f"{name}.attn.proj", dim, dim),
        **_norm(f"{name}.norm2", dim),
        **_linear(f"{name}.mlp.fc1", 4 * dim, dim),
        **_linear(f"{name}.mlp.fc2", dim, 4 * dim),
    }


# Statistics of the pretraining data in reflectance x 10000, one per band.
_MEAN_1: Final = (
    775.2290211032589,
    1080.992780391705,
    1228.5855250417867,
    2497.2022620507532,
    2204.2139147975554,
    1610.8324823273745,
)
_STD_1: Final = (
    1281.526139861424,
    1270.0297974547493,
    1399.4802505642526,
    1368.3446143747644,
    1291.6764008585435,
    1154.505683480695,
)
_MEAN_2: Final = (1087.0, 1342.0, 1433.0, 2734.0, 1958.0, 1363.0)
_STD_2: Final = (2248.0, 2179.0, 2178.0, 1850.0, 1242.0, 1049.0)


@dataclass(frozen=True)
class PrithviVersion:
    """One published version; where it is published says ``hyperkd.models.store.published``.

    Attributes:
        name: how HyperKD calls it.
        mean, std: per band, reflectance x 10000.
    """

    name: str
    config: PrithviConfig
    mean: tuple[float, ...] = _MEAN_2
    std: tuple[float, ...] = _STD_2


# The number of heads is not in the files, so it has to stand here.
_TINY: Final = PrithviConfig(dim=192, depth=12, heads=3)
_BASE: Final = PrithviConfig(dim=768, depth=12, heads=12)
_LARGE: Final = PrithviConfig(dim=1024, depth=24, heads=16)
_HUGE: Final = PrithviConfig(dim=1280, depth=32, heads=16, patch=14)

VERSIONS: Final[Mapping[str, PrithviVersion]] = {
    version.name: version
    for version in (
        PrithviVersion("prithvi-eo-1.0-100m", replace(_BASE, frames=3), _MEAN_1, _STD_1),
        PrithviVersion("prithvi-eo-2.0-tiny-tl", replace(_TINY, frames=1, coordinates=True)),
        PrithviVersion("prithvi-eo-2.0-100m-tl", replace(_BASE, coordinates=True)),
        PrithviVersion("prithvi-eo-2.0-300m", _LARGE),
        PrithviVersion("prithvi-eo-2.0-300m-tl", replace(_LARGE, coordinates=True)),
        PrithviVersion("prithvi-eo-2.0-600m", _HUGE),
        PrithviVersion("prithvi-eo-2.0-600m-tl", replace(_HUGE, coordinates=True)),
    )
}


def require_bands(names: Sequence[str]) -> None:
    """Refuse bands other than the teacher's six in their order.

    Fewer bands, other names or another order would give features of an image
    that the teacher never saw, without any error.

    Raises:
        HyperKDError: ``band_mismatch`` with the known names.
    """
    if tuple(names) == BANDS:
        return
    unknown = [name for name in names if name not in BANDS]
    missing = [name for name in BANDS if name not in names]
    if unknown:
        problem = f"{', '.join(unknown)} is not a band of Prithvi"
    elif missing:
        problem = f"{', '.join(missing)} is missing"
    else:
        problem = f"the order is {', '.join(names)}"
    raise HyperKDError(
        "band_mismatch",
        f"Prithvi needs its six bands {', '.join(BANDS)}, but {problem}.",
        "Give all six under these names and in this order; `hyperkd align` makes them "
        "from any raster that covers 450 to 2290 nm.",
        bands=list(names),
    )


def published_names(names: Iterable[str]) -> dict[str, str]:
    """Map the names in a file to the published ones with ``encoder.`` and ``decoder.``.

    Prefixes of training wrappers are stripped. The first file of version 1
    (2023) has flat names: no prefix distinguishes encoder and decoder.

    Raises:
        HyperKDError: ``bad_model`` where two names become one.
    """
    stripped = {name: _unwrapped(name) for name in names}
    if not any(name.startswith(("encoder.", "decoder.")) for name in stripped.values()):
        stripped = {name: _prefixed(bare) for name, bare in stripped.items()}
    origin: dict[str, str] = {}
    for name, published in stripped.items():
        if published in origin:
            raise HyperKDError(
                "bad_model",
                f"The file holds {published} twice, as {origin[published]} and as {name}.",
                "Take the published file; see hyperkd models fetch.",
            )
        origin[published] = name
    return stripped


def _unwrapped(name: str) -> str:
    for prefix in _WRAPPING_PREFIXES:
        if name.startswith(prefix):
            return _unwrapped(name[len(prefix) :])
    return name


def _prefixed(name: str) -> str:
    of_decoder = "decoder" in name or "_dec" in name or name == "mask_token"
    return f"{'decoder' if of_decoder else 'encoder'}.{name}"


def identify(shapes: Mapping[str, Shape], source: str) -> PrithviVersion:
    """Return the version whose width and kind fit; ``require_tensors`` then checks the rest.

    Args:
        shapes: shape of each tensor by its published name.
        source: what to call the file in messages.

    Raises:
        HyperKDError: ``bad_model`` where it is not a Prithvi or no published version.
    """
    token = shapes.get("encoder.cls_token")
    kernel = shapes.get("encoder.patch_embed.proj.weight")
    if token is None or kernel is None or len(token) != 3 or len(kernel) != 5:
        raise HyperKDError(
            "bad_model",
            f"{source} holds no Prithvi: {some(sorted(shapes)) or 'no tensor at all'}.",
            f"Give the published file of one of: {', '.join(VERSIONS)}.",
        )
    blocks = {match[1] for name in shapes if (match := re.match(r"encoder\.blocks\.(\d+)\.", name))}
    coordinates = any(name in shapes for name in _COORDINATE_SCALES)
    for version in VERSIONS.values():
        config = version.config
        if (config.dim, config.coordinates) == (token[-1], coordinates):
            return version
    raise HyperKDError(
        "bad_model",
        f"{source} is not a published version of Prithvi: width {token[-1]}, {len(blocks)} blocks, "
        f"patch {kernel[-1]}, {'with' if coordinates else 'without'} date and place.",
        f"Give the published file of one of: {', '.join(VERSIONS)}.",
    )


def require_tensors(shapes: Mapping[str, Shape], version: PrithviVersion, source: str) -> bool:
    """Demand exactly the tensors of ``version``; position tables are not looked at.

    A file without any tensor of the decoder is accepted as an encoder alone:
    features need no more.

    Args:
        shapes: shape of each tensor by its published name.
        version: what the file should hold.
        source: what to call the file in messages.

    Returns:
        Whether the file holds the decoder too.

    Raises:
        HyperKDError: ``bad_model`` with the names of tensors that are missing,
            unexpected or misshapen.
    """
    has_decoder = any(name.startswith("decoder.") for name in shapes)
    expected = {
        name: shape
        for name, shape in version.config.tensor_shapes().items()
        if name not in POSITION_TABLES and (has_decoder or name.startswith("encoder."))
    }
    found = {name: shape for name, shape in shapes.items() if name not in POSITION_TABLES}
    require_shapes(
        found,
        expected,
        f"{source} does not hold exactly {version.name}",
        f"Take the published file: hyperkd models fetch {version.name}",
    )
    return has_decoder
