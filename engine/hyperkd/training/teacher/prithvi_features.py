"""The frozen teacher: Prithvi's features of six-band reflectance."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Optional, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hyperkd.errors import HyperKDError
from hyperkd.models.nets.prithvi import Prithvi
from hyperkd.models.nets.weights import read_tensors
from hyperkd.models.prithvi_versions import (
    BANDS,
    POSITION_TABLES,
    REFLECTANCE_UNIT,
    PrithviVersion,
    identify,
    published_names,
    require_bands,
    require_tensors,
)
from hyperkd.types import BoolArray, Reporter

# `single`: one frame. `repeat3_mean`: the image three times, and the mean of its tokens
# over the frames; version 1.0 was pretrained on three frames.
FRAMES: Final = {"single": 1, "repeat3_mean": 3}

Pixels = Union[NDArray[np.float32], Tensor]
Mask = Union[BoolArray, Tensor]

# Of Prithvi's input, reflectance x 10000: images lie between in their median.
_LEAST_MEDIAN: Final = 1.0
_LARGEST_MEDIAN: Final = 20000.0


@dataclass(frozen=True, eq=False)
class PrithviFile:
    """A file whose tensors are exactly those of a published version.

    Attributes:
        version: which one.
        tensors: by their published names, without position tables, mapped from the file.
        has_decoder: False where the file holds the encoder alone.
    """

    version: PrithviVersion
    tensors: dict[str, Tensor]
    has_decoder: bool


@dataclass(frozen=True, eq=False)
class LoadedTeacher:
    """A Prithvi with all of its weights from a file.

    Attributes:
        network: in evaluation mode; its ``decoder`` is None where the file has none.
        version: what it is.
        sha256: checksum of the file.
        kind: ``published``; ``unverified``, a published layout with another checksum than
            the published file's; ``stand-in teacher``; or ``random teacher``.
        licence: SPDX identifier of the weights' licence, where it is known.
    """

    network: Prithvi
    version: PrithviVersion
    sha256: str
    kind: str
    licence: str


def read_teacher(path: Union[str, Path], version: Optional[str] = None) -> PrithviFile:
    """Read and check a file of Prithvi; both layouts of version 1 and wrapped files too.

    Args:
        version: the name that it has to be, or None for any.

    Raises:
        HyperKDError: ``bad_model`` where it is not exactly a published version
            or not the one asked for, and as ``read_tensors``.
    """
    source = Path(path).name
    stored = read_tensors(path)
    names = published_names(stored)
    tensors = {names[name]: tensor for name, tensor in stored.items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    found = identify(shapes, source)
    if version is not None and found.name != version:
        raise HyperKDError(
            "bad_model",
            f"{source} is {found.name}, not {version}.",
            f"Ask for {found.name}, or give the file of {version}.",
        )
    has_decoder = require_tensors(shapes, found, source)
    tensors = {name: tensor for name, tensor in tensors.items() if name not in POSITION_TABLES}
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            problem = f"{name} is {str(tensor.dtype).replace('torch.', '')} instead of float32"
        elif not bool(tensor.isfinite().all()):
            problem = f"{name} holds values that are not numbers"
        else:
            continue
        raise HyperKDError(
            "bad_model",
            f"{source} does not hold the published weights: {problem}.",
            f"Take the published file: hyperkd models fetch {found.name}",
        )
    return PrithviFile(found, tensors, has_decoder)


def load_teacher(
    path: Union[str, Path],
    version: Optional[str] = None,
    positions: str = "recompute",
    bands: Sequence[str] = BANDS,
) -> LoadedTeacher:
    """Build the network that a file holds; every weight comes from the file.

    Args:
        path, version: as in ``read_teacher``.
        positions: one of ``hyperkd.models.prithvi_versions.POSITIONS``.
        bands: names of the bands that it is to be shown, in their order; there is one
            right answer, and any other is refused rather than filled with zeros.

    Raises:
        HyperKDError: as ``read_teacher`` and ``hyperkd.models.prithvi_versions.require_bands``.
    """
    require_bands(bands)
    file = read_teacher(path, version)
    with torch.device("meta"):
        network = Prithvi(file.version.config, positions, with_decoder=file.has_decoder)
    # Strict, so that no tensor stays as it was allocated.
    network.to_empty(device="cpu").load_state_dict(file.tensors, strict=True)
    return LoadedTeacher(network.eval(), file.version, file_checksum(path), "published", "")


def file_checksum(path: Union[str, Path]) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Teacher:
    """A frozen Prithvi that computes features of reflectance.

    Args:
        loaded: the network and what it is.
        depth: of the block whose output is the feature, as a fraction of the encoder's
            blocks; 1 is the end, after the final norm.
        frames: one of ``FRAMES``.
        report: gets one warning where the input looks wrong.

    Attributes:
        blocks: how many blocks are computed.
        patch_px: side of a token's square; tiles are a multiple of it.
        dim: D, the width of its features.
        heads: attention heads of its blocks.
        depth: how many blocks it has.
        identity: what its features depend on besides the image, see ``FeatureKey``.
        note: what looked wrong in the first input, as a sentence, or "".
    """

    def __init__(
        self,
        loaded: LoadedTeacher,
        depth: float,
        frames: str,
        device: Union[str, torch.device],
        report: Optional[Reporter] = None,
    ) -> None:
        config = loaded.version.config
        self.version = loaded.version
        self.blocks = block_count(depth, config.depth)
        self.identity: dict[str, Union[str, int]] = {
            "teacher": loaded.sha256,
            "blocks": self.blocks,
            "frames": frames,
            "positions": loaded.network.positions,
        }
        self._frames = FRAMES[frames]
        self.patch_px = config.patch
        self.dim = config.dim
        self.heads = config.heads
        self.depth = config.depth
        self.note = ""
        self._judged = False
        self._report = report
        self._device = torch.device(device)
        self._encoder = loaded.network.encoder.to(self._device).eval().requires_grad_(False)
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=self._device)[:, None, None]
            for values in (loaded.version.mean, loaded.version.std)
        )

    def features(
        self,
        reflectance: Pixels,
        valid: Mask,
        keep: Optional[Tensor] = None,
        when: Optional[Tensor] = None,
        where: Optional[Tensor] = None,
    ) -> Tensor:
        """Return the tokens of the chosen block, without CLS.

        Args:
            reflectance: ``(B, 6, H, W)`` float32, 0 to 1, in the order of
                ``hyperkd.models.prithvi_versions.BANDS``.
            valid: ``(B, H, W)``, False where the pixel carries no spectrum.
            keep: ``(B, K)`` numbers of the tokens that the teacher sees, row by
                row; default: all.
            when: ``(B, 2)`` year and day of the year from 0, for versions with
                coordinates, or None.
            where: ``(B, 2)`` latitude and longitude in degrees, likewise.

        Returns:
            ``(B, N or K, D)`` float32 on the teacher's device, without gradient.

        Raises:
            HyperKDError: ``band_mismatch`` where it is not six bands,
                ``bad_job`` where a tile does not divide into patches, or date
                or place go to a version that does not take them.
        """
        return self.look(reflectance, valid, (self.blocks,), keep, when, where)[0]

    def look(
        self,
        reflectance: Pixels,
        valid: Mask,
        blocks: Sequence[int],
        keep: Optional[Tensor] = None,
        when: Optional[Tensor] = None,
        where: Optional[Tensor] = None,
        *,
        values: bool = False,
    ) -> list[Tensor]:
        """Return the tokens of several blocks, or the values of their attention.

        Args:
            reflectance, valid, keep, when, where: as in ``features``.
            blocks: numbers of blocks, counted from 1.
            values: return what the tokens of each block give to attention, all
                heads side by side, instead of the block's output.

        Returns:
            ``(B, N or K, D)`` for each of ``blocks``, as ``features``.
        """
        self._refuse(reflectance, when, where)
        self._judge(reflectance, valid)
        images = self.prepare(reflectance, valid)
        count = self._frames
        images = images[:, :, None].expand(-1, -1, count, -1, -1)  # (B, 6, T, H, W)
        if keep is not None:
            per_frame = images.shape[3] * images.shape[4] // self.patch_px**2
            keep = torch.cat([keep + frame * per_frame for frame in range(count)], 1)
            keep = keep.to(self._device)
        if when is not None:
            when = when[:, None].expand(-1, count, -1).to(self._device)
        if where is not None:
            where = where.to(self._device)
        encoder = self._encoder
        names = [f"blocks.{number - 1}.attn.qkv" for number in blocks] if values else []
        layers = [encoder.get_submodule(name) for name in names]
        with torch.no_grad(), recorded(layers) as seen:
            every = encoder.forward_features(images, when, where, keep, max(blocks))
        if values:
            chosen = [output[..., 2 * self.dim :] for output in seen]
        else:
            chosen = [every[number - 1] for number in blocks]
        return [tokens[:, 1:].unflatten(1, (count, -1)).mean(1).float() for tokens in chosen]

    def prepare(self, reflectance: Pixels, valid: Mask) -> Tensor:
        """Bring reflectance to what the network was trained on, ``(B, 6, H, W)``.

        As in pretraining it is clipped to 0 to 1 before it is normalised; a
        pixel without a spectrum becomes 0, the mean of the pretraining data.
        """
        values = torch.as_tensor(reflectance, dtype=torch.float32, device=self._device)
        inside = torch.as_tensor(valid, device=self._device)[:, None] > 0
        stored = (values * REFLECTANCE_UNIT).clamp(0, REFLECTANCE_UNIT)
        normalised = (stored - self._mean) / self._std
        return torch.where(inside, normalised, torch.zeros_like(normalised))

    def _judge(self, reflectance: Pixels, valid: Mask) -> None:
        """Note what looks wrong in the first image that has a valid pixel."""
        if self._judged:
            return
        inside = np.asarray(torch.as_tensor(valid).cpu()) > 0
        if inside.any():
            self._judged = True
            self.note = unit_note(np.asarray(torch.as_tensor(reflectance).cpu()), inside)
            if self.note and self._report is not None:
                self._report.log("warning", self.note)

    def _refuse(self, reflectance: Pixels, when: Optional[Tensor], where: Optional[Tensor]) -> None:
        bands, height, width = reflectance.shape[1:]
        if bands != len(BANDS):
            raise HyperKDError(
                "band_mismatch",
                f"The teacher was given {bands} bands instead of {', '.join(BANDS)}.",
                "Align the image to the six bands of HLS.",
            )
        if height % self.patch_px or width % self.patch_px:
            raise HyperKDError(
                "bad_job",
                f"The teacher {self.version.name} cannot take {width} x {height} pixels: "
                f"its patches have {self.patch_px}.",
                f"Choose a tile size that is a multiple of {self.patch_px} pixels.",
            )
        if not self.version.config.coordinates and not (when is None and where is None):
            raise HyperKDError(
                "bad_job",
                f"The teacher {self.version.name} takes no date and no place.",
                "Leave them out, or take a version whose name ends with -tl.",
            )


def block_count(depth: float, blocks: int) -> int:
    """Return how many of ``blocks`` lie up to a relative ``depth``, at least one."""
    return max(1, math.ceil(depth * blocks - 1e-9))


@contextmanager
def recorded(layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Keep what each of ``layers`` gives while the context lasts, in their order.

    A hook, so that neither teacher nor student carries code for their own training.
    """
    seen: list[Tensor] = [torch.empty(0)] * len(layers)
    hooks = []
    for place, layer in enumerate(layers):

        def keep(module: nn.Module, inputs: Any, output: Tensor, place: int = place) -> None:
            seen[place] = output

        hooks.append(layer.register_forward_hook(keep))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def unit_note(reflectance: NDArray[np.float32], valid: BoolArray) -> str:
    """Return a sentence where ``reflectance`` (B, 6, H, W) is likely in another unit, else ""."""
    values = reflectance.transpose(1, 0, 2, 3)[:, valid]
    if values.size == 0:
        return ""
    median = float(np.median(values)) * REFLECTANCE_UNIT
    if median > _LARGEST_MEDIAN:
        problem = "large: is it stored as reflectance x 10000 without a scale?"
    elif median <= _LEAST_MEDIAN:
        problem = "small: was it scaled twice?"
    else:
        return ""
    return (
        f"The median of the teacher's input is a reflectance of {median / REFLECTANCE_UNIT:g}, "
        f"which is too {problem}"
    )
