"""The card of a model: what it expects, what it gives, where it comes from.

The same JSON lies in an ONNX file's metadata and in a checkpoint's header.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.types import Wavelengths

CARD_KEY: Final = "hyperkd.card"
SCHEMA: Final = 1
TASKS: Final = ("pretrain",)

_HINT = "Export the model again with this version of HyperKD, or take another model."


@dataclass(frozen=True)
class Probe:
    """Expected values of one output of the self-test.

    Attributes:
        indices: positions in the flattened output.
        values: the values that torch gave there.
        largest: largest absolute value of the whole output; deviations are relative to it.
    """

    indices: tuple[int, ...]
    values: tuple[float, ...]
    largest: float


@dataclass(frozen=True)
class SelfTest:
    """A computation that any machine and any provider can repeat.

    Attributes:
        seed: seed of the input, see ``inputs``.
        batch: number of tiles.
        tolerance: largest accepted deviation, as a share of the output's largest value.
        outputs: the expected values by output name.
    """

    seed: int
    batch: int
    tolerance: float
    outputs: Mapping[str, Probe]

    def inputs(self, bands: int, tile_px: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return ``pixels`` (B, C, H, W) reflectance and ``valid`` (B, 1, H, W), float32."""
        generator = np.random.default_rng(self.seed)
        pixels = generator.random((self.batch, bands, tile_px, tile_px), dtype=np.float32)
        chance = generator.random((self.batch, 1, tile_px, tile_px), dtype=np.float32)
        return pixels, (chance < 0.9).astype(np.float32)

    def deviation(self, output: str, values: NDArray[Any]) -> float:
        """Return how far ``values`` is off, as a share of the largest expected value."""
        probe = self.outputs[output]
        got = np.asarray(values, np.float64).reshape(-1)[list(probe.indices)]
        return float(np.abs(got - np.asarray(probe.values)).max() / probe.largest)

    def check(self, output: str, values: NDArray[Any]) -> float:
        """Return the deviation of ``values``.

        Raises:
            HyperKDError: ``bad_model`` where it is above the tolerance or not a number.
        """
        deviation = self.deviation(output, values)
        if not deviation <= self.tolerance:
            raise HyperKDError(
                "bad_model",
                f"The model's self-test failed: {output} deviates by {deviation:.2g} "
                f"of its largest value, {self.tolerance:.2g} is allowed.",
                "The file or the compute device is at fault: try the device cpu, "
                "then another copy of the model.",
            )
        return deviation


@dataclass(frozen=True)
class ModelCard:
    """What a model is.

    Attributes:
        name: short name.
        task: ``pretrain`` for a student as trained; later tasks add theirs.
        bands: the student's band grid, in the order of its input.
        mean, std: ``(C,)`` reflectance (0 to 1) that the first layer subtracts and divides by.
        patch_px, tile_px: side of a token's square, and of the tiles it was trained on.
        receptive_field_px: side of the square of input that can change one output pixel.
        embedding_dim: channels of the embedding.
        licence: SPDX identifier of the weights' licence.
        created: ISO date.
        ground_sampling_m: pixel size of the training data in metres.
        units: what input and reconstruction are measured in.
        nodata: what the model does with invalid pixels.
        classes, targets: names, colours, units of later tasks; empty for ``pretrain``.
        teacher: the teacher's name and checksum, or None.
        parents: checksums of the models this one was made from.
        architecture: preset and sizes of the network.
        training: summary of the training data and settings, without paths.
        metrics: figures with the protocol that gave them.
        self_test: see ``SelfTest``; None in a checkpoint.
    """

    name: str
    task: str
    bands: Wavelengths
    mean: tuple[float, ...]
    std: tuple[float, ...]
    patch_px: int
    tile_px: int
    receptive_field_px: int
    embedding_dim: int
    licence: str
    created: str
    ground_sampling_m: float = 30.0
    units: str = "reflectance, 0 to 1"
    nodata: str = "pixels that are not valid contribute nothing"
    classes: tuple[Mapping[str, Any], ...] = ()
    targets: tuple[Mapping[str, Any], ...] = ()
    teacher: Optional[Mapping[str, Any]] = None
    parents: tuple[str, ...] = ()
    architecture: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    self_test: Optional[SelfTest] = None

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != len(self.bands):
                raise _bad(f"{len(values)} values of {name} for {len(self.bands)} bands")
            if not all(map(math.isfinite, values)):
                raise _bad(f"{name} holds a value that is not finite")
        if min(self.std) <= 0:
            raise _bad(f"std must be positive, its smallest value is {min(self.std):g}")
        if self.task not in TASKS:
            raise _bad(f"the task is {self.task!r}, known are {', '.join(TASKS)}")
        if self.patch_px < 1 or self.tile_px < 1 or self.tile_px % (2 * self.patch_px):
            raise _bad(
                f"tile_px = {self.tile_px} is no multiple of 2 x patch_px = {2 * self.patch_px}"
            )

    def to_json(self) -> str:
        """Return the card as one JSON object."""
        values: dict[str, Any] = {"schema": SCHEMA, **vars(self)}
        fwhm = self.bands.fwhm_nm
        values["bands"] = {
            "centre_nm": self.bands.centre_nm.tolist(),
            "fwhm_nm": None if fwhm is None else fwhm.tolist(),
        }
        if self.self_test is not None:
            values["self_test"] = {
                **vars(self.self_test),
                "outputs": {k: vars(v) for k, v in self.self_test.outputs.items()},
            }
        return json.dumps(values, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card.

        Raises:
            HyperKDError: ``bad_model`` where the text is no card, has another
                schema, lacks a field, holds an unknown one or a wrong value.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise _bad(f"it is not JSON ({error})") from error
        if not isinstance(values, dict):
            raise _bad("it is not a JSON object")
        schema = values.pop("schema", None)
        if schema != SCHEMA:
            raise _bad(f"its schema is {schema!r}, this version reads {SCHEMA}")
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise _bad(f"it holds unknown fields: {', '.join(unknown)}")
        missing = sorted(_required() - set(values))
        if missing:
            raise _bad(f"it lacks the fields {', '.join(missing)}")
        try:
            return cls(**_parsed(values))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise _bad(f"a field holds the wrong kind of value ({error})") from error
        except HyperKDError as error:
            raise error if error.code == "bad_model" else _bad(error.message.rstrip(".")) from error


def _required() -> set[str]:
    return {
        f.name for f in fields(ModelCard) if f.default is MISSING and f.default_factory is MISSING
    }


def _parsed(values: dict[str, Any]) -> dict[str, Any]:
    """Turn JSON values into the types of ``ModelCard``."""
    values = dict(values)
    values["bands"] = Wavelengths(values["bands"]["centre_nm"], values["bands"]["fwhm_nm"])
    for name in ("mean", "std"):
        values[name] = tuple(float(v) for v in values[name])
    for name in ("patch_px", "tile_px", "receptive_field_px", "embedding_dim"):
        if type(values[name]) is not int:
            raise TypeError(f"{name} must be a whole number, got {values[name]!r}")
    for name in ("classes", "targets", "parents"):
        values[name] = tuple(values.get(name, ()))
    test = values.get("self_test")
    if test is not None:
        outputs = {
            name: Probe(tuple(p["indices"]), tuple(p["values"]), float(p["largest"]))
            for name, p in test["outputs"].items()
        }
        values["self_test"] = SelfTest(
            int(test["seed"]), int(test["batch"]), float(test["tolerance"]), outputs
        )
    return values


def _bad(what: str) -> HyperKDError:
    return HyperKDError("bad_model", f"The model's card cannot be used: {what}.", _HINT)
