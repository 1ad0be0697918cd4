"""The card of a model: what it expects, what it gives, where it comes from.

The same JSON lies in an ONNX file's metadata and in a checkpoint's header.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.models.card_values import LARGEST_SIZE, LARGEST_TEST, load_values, require_sound
from hyperkd.spectral.resampling import may_lack
from hyperkd.types import Wavelengths

CARD_KEY: Final = "hyperkd.card"
SCHEMA: Final = 3
# Schema 1 knew students alone: neither temperature nor quantisation, one task. Schema 2 knew
# neither missing bands nor uncertainties of values.
MIGRATED: Final = (1, 2)

# What the graph of a model gives, by its task; the first is its embedding or its answer.
OUTPUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "pretrain": ("embedding", "reconstruction"),
    "classification": ("logits",),
    "regression": ("values",),
}
TASKS: Final = tuple(OUTPUTS)

MAX_CLASSES: Final = 255  # a class map is uint8 and 0 is no data
QUANTISATIONS: Final = ("dynamic", "static", "float16")

_HINT = "Export the model again with this version of HyperKD, or take another model."
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
# What JSON must hold under these names; the other fields say so when they are parsed.
_TEXT: Final = (str, "a text")
_OBJECT: Final = (dict, "an object")
_KINDS: Final[Mapping[str, tuple[Any, str]]] = {
    **dict.fromkeys(("name", "task", "licence", "created", "units", "nodata"), _TEXT),
    **dict.fromkeys(("architecture", "training", "metrics"), _OBJECT),
    **dict.fromkeys(("teacher", "quantisation"), ((dict, type(None)), "an object or null")),
    "ground_sampling_m": ((int, float), "a number"),
    **dict.fromkeys(("has_spread", "has_applicability", "has_embedding"), (bool, "true or false")),
}


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
        probe = self.outputs.get(output)
        flat = np.asarray(values, np.float64).reshape(-1)
        if probe is None or max(probe.indices) >= flat.size:
            raise _bad(f"its self-test does not fit the output {output} of {flat.size} values")
        got = flat[list(probe.indices)]
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
        task: ``pretrain`` for a student as trained, ``classification`` or ``regression``
            for a fine-tuned model.
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
        classes: of a classification, each ``{"name": str, "value": int or str, "color":
            "#rrggbb"}``. The position i in this order is logit i and value i + 1 of a class
            map (0 is no data); ``value`` is what the user's labels called it.
        targets: of a regression, each ``{"name": str, "unit": str, "minimum": float,
            "maximum": float}``; the range is that of the training labels. Fractions
            of covers have a ``"color"`` too, and sum to 1. What is true of a part of a
            pixel only, as of its water, has that ``"part"``.
        teacher: the teacher's name and checksum, or None.
        parents: checksums of the models this one was made from.
        architecture: preset and sizes of the network.
        training: summary of the training data and settings, without paths.
        metrics: figures with the protocol that gave them.
        has_spread: whether a regression gives, after the values, as many standard errors; a
            negative one says that the value does not apply to the pixel.
        has_applicability: whether it gives, after these, how like a spectrum is to those that
            it learned from: from 0, unlike, to 1; below 0.5 no value can be relied on.
        has_embedding: whether a regression gives its embedding too.
        missing_bands: fraction of ``bands`` that a raster may lack: the model was trained
            without some, and is told which; 0 where it was not.
        missing_error: ``(fraction of missing bands, error)`` pairs in rising order of the first,
            which is 0 at first, measured on held-out spectra; empty where nobody measured.
        temperature: the probabilities of a classification are softmax(logits / temperature).
        quantisation: how the weights were made smaller, ``{"kind": "dynamic", "static" or
            "float16", ...}`` with what it cost, or None for float32.
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
    has_spread: bool = False
    has_applicability: bool = False
    has_embedding: bool = False
    missing_bands: float = 0.0
    missing_error: tuple[tuple[float, float], ...] = ()
    temperature: float = 1.0
    quantisation: Optional[Mapping[str, Any]] = None
    self_test: Optional[SelfTest] = None

    @property
    def described(self) -> str:
        """What the model is, for a sentence: ``a student``, ``a regression model``."""
        return "a student" if self.task == "pretrain" else f"a {self.task} model"

    @property
    def may_lack(self) -> float:
        """The fraction of the bands beyond which a raster that lacks them is refused."""
        return may_lack(self.missing_bands)

    @property
    def is_fractions(self) -> bool:
        """Whether the values are fractions of covers, the largest of which makes a class map."""
        return bool(self.targets) and all("color" in target for target in self.targets)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that a model of this task has."""
        return OUTPUTS[self.task] + (("embedding",) if self.has_embedding else ())

    def __post_init__(self) -> None:
        try:
            for name, value in vars(self).items():
                require_sound(value, name)
        except ValueError as error:
            raise _bad(str(error)) from error
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
        if self.patch_px < 1 or self.tile_px < 1 or self.tile_px % self.patch_px:
            raise _bad(f"tile_px = {self.tile_px} is not a multiple of patch_px = {self.patch_px}")
        for name in ("tile_px", "receptive_field_px", "embedding_dim"):
            if not 1 <= getattr(self, name) <= LARGEST_SIZE:
                raise _bad(f"{name} = {getattr(self, name)} is not from 1 to {LARGEST_SIZE}")
        if not isinstance(self.architecture.get("preset", ""), str):
            raise _bad(f"the preset is {self.architecture['preset']!r}, not text")
        if self.self_test is not None:
            _check_self_test(self.self_test, (len(self.bands) + 1) * self.tile_px**2)
        _check_answers(self.task, self.classes, self.targets)
        for name, what in (
            ("has_spread", "standard errors"),
            ("has_applicability", "applicability"),
            ("has_embedding", "embedding beside its answer"),
        ):
            if getattr(self, name) and self.task != "regression":
                raise _bad(f"the task {self.task} has no {what}")
        if not 0 <= self.missing_bands < 1:
            raise _bad(f"missing_bands = {self.missing_bands:g} is not a fraction below 1")
        fractions = [fraction for fraction, _ in self.missing_error]
        if fractions != sorted({0.0, *fractions} if fractions else ()) or not all(
            math.isfinite(error) and error > 0 for _, error in self.missing_error
        ):
            raise _bad(f"missing_error is {self.missing_error}")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise _bad(f"temperature must be a positive number, it is {self.temperature:g}")
        if self.quantisation is not None and self.quantisation.get("kind") not in QUANTISATIONS:
            raise _bad(
                f"the quantisation is {self.quantisation.get('kind')!r}, "
                f"known are {', '.join(QUANTISATIONS)}"
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

        A card of an older schema is migrated: what it does not know takes its default.

        Raises:
            HyperKDError: ``bad_model`` where the text is not a card, has a newer or
                unknown schema, lacks a field, holds an unknown one or a wrong value.
        """
        try:
            values = load_values(text)
        except (ValueError, RecursionError) as error:
            raise _bad(f"it is not JSON ({error})") from error
        if not isinstance(values, dict):
            raise _bad("it is not a JSON object")
        _refuse_schema(values.pop("schema", None))
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise _bad(f"it holds unknown fields: {', '.join(unknown)}")
        missing = sorted(_required() - set(values))
        if missing:
            raise _bad(f"it lacks the fields {', '.join(missing)}")
        try:
            return cls(**_parsed(values))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _bad(f"a field holds the wrong kind of value ({error})") from error
        except HyperKDError as error:
            raise error if error.code == "bad_model" else _bad(error.message.rstrip(".")) from error


def _check_self_test(test: SelfTest, values_of_tile: int) -> None:
    if not 1 <= test.batch <= LARGEST_TEST // values_of_tile:
        raise _bad(f"its self-test of {test.batch} tiles takes {values_of_tile} values a tile")


def _refuse_schema(schema: Any) -> None:
    known = (*MIGRATED, SCHEMA)
    if type(schema) is int and schema in known:
        return
    readable = f"{', '.join(map(str, MIGRATED))} and {SCHEMA}"
    if type(schema) is int and schema > SCHEMA:
        raise HyperKDError(
            "bad_model",
            f"The model's card cannot be used: a newer HyperKD wrote it, in schema {schema}; "
            f"this version reads {readable}.",
            "Update HyperKD.",
        )
    raise _bad(f"its schema is {schema!r}, this version reads {readable}")


def _check_answers(
    task: str, classes: Sequence[Mapping[str, Any]], targets: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse classes and targets that do not fit the task or do not say what they must."""
    for name, given, wanted in (
        ("classes", classes, "classification"),
        ("targets", targets, "regression"),
    ):
        if given and task != wanted:
            raise _bad(f"the task {task} has no {name}, {len(given)} are given")
        names = [entry["name"] for entry in given]
        if not all(type(entry) is str and entry.strip() for entry in names):
            raise _bad(f"the {name} are named {names}, each must have a name")
        if len(set(names)) < len(names):
            raise _bad(f"the {name} are named {names}, each name may occur once")
    if task == "classification" and not 2 <= len(classes) <= MAX_CLASSES:
        raise _bad(f"a classification has 2 to {MAX_CLASSES} classes, these are {len(classes)}")
    if task == "regression" and not targets:
        raise _bad("a regression has at least one target, there is none")
    if len(targets) > MAX_CLASSES and any("color" in entry for entry in targets):
        raise _bad(
            f"fractions of at most {MAX_CLASSES} covers make a class map, not {len(targets)}"
        )
    for entry in classes:
        if type(entry["value"]) not in (int, str):
            raise _bad(f"the class {entry['name']!r} has the value {entry['value']!r}")
        if not _COLOUR.fullmatch(entry["color"]):
            raise _bad(
                f"the class {entry['name']!r} has the colour {entry['color']!r}, not #rrggbb"
            )
    for entry in targets:
        low, high = float(entry["minimum"]), float(entry["maximum"])
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise _bad(f"the target {entry['name']!r} reaches from {low:g} to {high:g}")
        if type(entry["unit"]) is not str:
            raise _bad(f"the target {entry['name']!r} has the unit {entry['unit']!r}")
        if not _COLOUR.fullmatch(entry.get("color", "#000000")):
            raise _bad(f"the target {entry['name']!r} has the colour {entry['color']!r}")


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
    if not all(type(each) is str for each in values["parents"]):
        raise TypeError(f"parents must be texts, got {values['parents']!r}")
    values["missing_error"] = tuple(
        (float(fraction), float(error)) for fraction, error in values.get("missing_error", ())
    )
    for name in ("temperature", "missing_bands"):
        if name in values:
            values[name] = float(values[name])
    for name, (kind, described) in _KINDS.items():
        if name in values and not isinstance(values[name], kind):
            raise TypeError(f"{name} must be {described}, got {values[name]!r}")
    if values.get("self_test") is not None:
        values["self_test"] = _self_test(values["self_test"])
    return values


def _self_test(values: Mapping[str, Any]) -> SelfTest:
    outputs = {}
    for name, probe in values["outputs"].items():
        indices, expected = tuple(probe["indices"]), tuple(map(float, probe["values"]))
        if not indices or len(indices) != len(expected) or not all(map(_is_count, indices)):
            raise ValueError(f"the self-test of {name} expects {expected} at {indices}")
        largest = float(probe["largest"])
        if not largest > 0:
            raise ValueError(f"the self-test of {name} has the largest value {largest:g}")
        outputs[name] = Probe(indices, expected, largest)
    if not (_is_count(values["seed"]) and _is_count(values["batch"])):
        raise ValueError(f"a self-test of seed {values['seed']} and batch {values['batch']}")
    return SelfTest(values["seed"], values["batch"], float(values["tolerance"]), outputs)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _bad(what: str) -> HyperKDError:
    return HyperKDError("bad_model", f"The model's card cannot be used: {what}.", _HINT)
