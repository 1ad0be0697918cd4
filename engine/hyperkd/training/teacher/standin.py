"""Teachers of Prithvi's architecture that are not Prithvi: stand-ins and random ones.

Prithvi's weights cannot be had everywhere. A stand-in teacher has its
architecture in any size and was trained on other data; its file says so, and so
does everything that is measured with it. A file is safetensors: the tensors
under the names of Prithvi 2.0, without position tables, and JSON under the key
``hyperkd.teacher`` in the header.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Optional, Union

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.models.nets.prithvi import Prithvi
from hyperkd.models.prithvi_versions import PrithviConfig, PrithviVersion, require_tensors
from hyperkd.training.teacher.prithvi_features import LoadedTeacher, file_checksum

TEACHER_KEY: Final = "hyperkd.teacher"
STAND_IN: Final = "stand-in teacher"

_SCHEMA: Final = 1
_TAKE_ANOTHER: Final = "Take a teacher that this version of HyperKD wrote, or a published one."


@dataclass(frozen=True)
class StandIn:
    """What a stand-in teacher is.

    Attributes:
        name: how to call it.
        mean, std: per band, reflectance x 10000, of its training data.
        licence: SPDX identifier.
        note: what to say wherever something is measured with it.
        training: data and settings, without paths.
    """

    name: str
    config: PrithviConfig
    mean: tuple[float, ...]
    std: tuple[float, ...]
    licence: str
    note: str = f"{STAND_IN}: Prithvi's architecture, not Prithvi's weights"
    training: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the manifest of the file."""
        return json.dumps({"schema": _SCHEMA, **dataclasses.asdict(self)}, allow_nan=False)


def save_stand_in(path: Union[str, Path], network: Prithvi, what: StandIn) -> None:
    """Write a stand-in teacher; the old file stays until the new one is whole.

    Raises:
        HyperKDError: ``unwritable_output`` and ``out_of_disk`` as ``AtomicFile``.
    """
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    content = save(tensors, metadata={TEACHER_KEY: what.to_json()})
    with AtomicFile(path) as part:
        Path(part.temporary).write_bytes(content)


def read_manifest(path: Union[str, Path]) -> Optional[StandIn]:
    """Return what a safetensors file says about its teacher, or None where it holds none.

    Raises:
        HyperKDError: ``bad_model`` where the file or the manifest cannot be read.
    """
    name = Path(path).name
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(TEACHER_KEY)
    except (OSError, SafetensorError) as error:
        raise HyperKDError(
            "bad_model", f"{name} cannot be read as a teacher: {error}.", _TAKE_ANOTHER
        ) from error
    if text is None:
        return None
    try:
        values = json.loads(text)
        if values.pop("schema") != _SCHEMA:
            raise ValueError("another schema")
        values["config"] = PrithviConfig(**values["config"])
        for key in ("mean", "std"):
            values[key] = tuple(float(value) for value in values[key])
            if len(values[key]) != values["config"].bands:
                raise ValueError(f"{len(values[key])} values of {key}")
        if min(values["std"]) <= 0:
            raise ValueError("std must be positive")
        return StandIn(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HyperKDError(
            "bad_model", f"The manifest of the teacher {name} is damaged: {error}.", _TAKE_ANOTHER
        ) from error


def load_stand_in(path: Union[str, Path], positions: str = "recompute") -> LoadedTeacher:
    """Build the network that a stand-in teacher's file holds.

    Args:
        positions: one of ``hyperkd.models.prithvi_versions.POSITIONS``.

    Raises:
        HyperKDError: ``bad_model`` where it is not a stand-in teacher, or its tensors are
            not exactly those of its architecture.
    """
    name = Path(path).name
    what = read_manifest(path)
    if what is None:
        raise HyperKDError(
            "bad_model",
            f"{name} is not a teacher: its header has no {TEACHER_KEY}.",
            "Give the published .pt file of a Prithvi, or a stand-in teacher; a student's "
            "checkpoint is not one.",
        )
    tensors = load_file(path)
    version = PrithviVersion(what.name, what.config, what.mean, what.std)
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    has_decoder = require_tensors(shapes, version, name)
    strange = [key for key, tensor in tensors.items() if not bool(tensor.isfinite().all())]
    if strange:
        raise HyperKDError(
            "bad_model", f"{name}: {strange[0]} holds values that are not numbers.", _TAKE_ANOTHER
        )
    with torch.device("meta"):
        network = Prithvi(what.config, positions, with_decoder=has_decoder)
    network.to_empty(device="cpu").load_state_dict(tensors, strict=True)
    return LoadedTeacher(
        network.eval(), version, file_checksum(path), kind=STAND_IN, licence=what.licence
    )


def random_teacher(config: PrithviConfig, seed: int, like: PrithviVersion) -> LoadedTeacher:
    """Return a teacher that learned nothing: the control of a distillation.

    Args:
        like: whose statistics it normalises with.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = Prithvi(config, with_decoder=False)
        for parameter in network.parameters():
            if parameter.ndim > 1:
                torch.nn.init.xavier_uniform_(parameter.view(parameter.shape[0], -1))
        torch.nn.init.normal_(network.encoder.cls_token, std=0.02)
    version = PrithviVersion(f"random {seed}", config, like.mean, like.std)
    return LoadedTeacher(network.eval(), version, f"random {seed}", "random teacher", "")
