"""Every job as a frozen dataclass: the single source of commands, flags and schema.

A job file is ``{"protocol": 1, "job": "<kind>", ...fields}``. ``schema.json``
is generated from these classes (``python -m hyperkd.jobs.schema``), ``cli.py``
makes a command of each, and the plugin's parameters are compared with the
schema by a contract test.

This module imports nothing heavy, so that ``hyperkd --help`` is instant.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Optional

from hyperkd.errors import HyperKDError

PROTOCOL = 1

INPUT_ROLES = (
    "input_file",
    "input_directory",
    "input_raster",
    "product",
    "band_table",
    "model",
    "checkpoint",
)
OUTPUT_ROLES = ("output_raster", "output_file", "output_directory")


def option(
    help: str,
    default: Any = dataclasses.MISSING,
    *,
    minimum: Optional[float] = None,
    maximum: Optional[float] = None,
    choices: Optional[Sequence[str]] = None,
    role: Optional[str] = None,
    positional: bool = False,
) -> Any:
    """Declare a field of a job.

    Args:
        help: one sentence for ``--help``, the schema and the plugin.
        default: the value without the flag; left out where the field is required.
        minimum: smallest accepted number, inclusive.
        maximum: largest accepted number, inclusive.
        choices: accepted strings.
        role: one of ``INPUT_ROLES`` or ``OUTPUT_ROLES`` where the string is a path.
        positional: whether the command takes the value without a flag.
    """
    metadata = {
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "choices": None if choices is None else tuple(choices),
        "role": role,
        "positional": positional,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Job:
    """Base of all jobs.

    Attributes:
        kind: the value of ``job`` in a job file, and the name of the command; one of
            a group of commands carries the group's name and an underscore before it,
            ``models_list`` for ``hyperkd models list``.
        summary: one sentence for ``--help`` and the schema.
        answers: whether its summary is what the user asks for; the command has ``--json``.
        needs_one_of: optional fields of which at least one must be given.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    answers: ClassVar[bool] = False
    needs_one_of: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if self.needs_one_of and all(getattr(self, name) is None for name in self.needs_one_of):
            raise HyperKDError(
                "bad_job",
                f"The job {self.kind!r} has nothing to write.",
                f"Give at least one of {', '.join(self.needs_one_of)}.",
                fields=list(self.needs_one_of),
            )


@dataclass(frozen=True)
class JobField:
    """One field of a job: its type taken apart, and what ``option`` declared.

    Attributes:
        name: the key in a job file.
        type: ``bool``, ``int``, ``float`` or ``str``; of one item where ``repeated``.
        repeated: whether the value is a list.
        optional: whether the value may be null.
        required: whether the field has no default.
        default: the value without the key, None where ``required``.
        help, minimum, maximum, choices, role, positional: see ``option``.
    """

    name: str
    type: type
    repeated: bool
    optional: bool
    required: bool
    default: Any
    help: str
    minimum: Optional[float]
    maximum: Optional[float]
    choices: Optional[tuple[str, ...]]
    role: Optional[str]
    positional: bool


def job_fields(job: type[Job]) -> tuple[JobField, ...]:
    """Return the fields of a job class in the order of their declaration."""
    hints = typing.get_type_hints(job)
    fields = []
    for field in dataclasses.fields(job):
        hint = hints[field.name]
        optional = type(None) in typing.get_args(hint)
        if optional:
            hint = typing.get_args(hint)[0]
        repeated = typing.get_origin(hint) is tuple
        required = field.default is dataclasses.MISSING
        fields.append(
            JobField(
                name=field.name,
                type=typing.get_args(hint)[0] if repeated else hint,
                repeated=repeated,
                optional=optional,
                required=required,
                default=None if required else field.default,
                **field.metadata,
            )
        )
    return tuple(fields)


# mypy and the plugin's contract test read the same names, so fields that two
# jobs share are declared once.
_MODEL = "A student: the name of a shipped or stored model, or the path of an .onnx file."
_DEVICE = "Where to compute: auto takes a GPU only when onnxruntime offers one."


def _model() -> Any:
    return option(_MODEL, "tiny", role="model")


def _input() -> Any:
    return option("The hyperspectral raster to read.", role="input_raster")


def _bands() -> Any:
    return option(
        "What to believe about the bands instead of the file: a sensor (enmap, enmap-202), or a "
        "CSV with one row per band (wavelength_nm, fwhm_nm, bbl, scale, offset).",
        None,
        role="band_table",
    )


def _scale() -> Any:
    return option("Reflectance (0 to 1) per stored unit, instead of what the file says.", None)


def _nodata() -> Any:
    return option("Stored value without meaning, instead of what the file says.", None)


def _overlap() -> Any:
    return option(
        "Pixels that neighbouring tiles share; they are blended. Default: a quarter of the tile.",
        None,
        minimum=0,
    )


def _batch() -> Any:
    return option("Tiles computed at once.", 8, minimum=1, maximum=256)


def _store(role: str) -> Any:
    return option(
        "Folder of the model store. Default: HYPERKD_MODELS, or HyperKD/models in your data "
        "folder.",
        None,
        role=role,
    )


def _device() -> Any:
    return option(_DEVICE, "auto", choices=("auto", "cpu", "cuda"))


@dataclass(frozen=True)
class InfoJob(Job):
    """What a raster or a model is."""

    kind: ClassVar[str] = "info"
    summary: ClassVar[str] = "Say what a raster (bands, wavelengths, problems) or a model is."
    answers: ClassVar[bool] = True

    path: str = option(
        "A raster, an .onnx model or a .safetensors checkpoint.",
        role="input_file",
        positional=True,
    )
    bands: Optional[str] = _bands()
    scale: Optional[float] = _scale()
    nodata: Optional[float] = _nodata()


@dataclass(frozen=True)
class InspectJob(Job):
    """Describe a raster in a readable report."""

    kind: ClassVar[str] = "inspect"
    summary: ClassVar[str] = "Write a report about a raster: bands, spectra, what a student sees."

    input: str = _input()
    output: str = option("The report to write (HTML).", role="output_file")
    model: str = _model()
    bands: Optional[str] = _bands()
    scale: Optional[float] = _scale()
    nodata: Optional[float] = _nodata()


@dataclass(frozen=True)
class ImportJob(Job):
    """Turn a delivered product into one self-describing GeoTIFF."""

    kind: ClassVar[str] = "import"
    summary: ClassVar[str] = "Write an EnMAP, PRISMA, EMIT or DESIS product as one GeoTIFF."

    product: str = option(
        "An EnMAP L2A folder, zip or METADATA.XML, a PRISMA L2D .he5, an EMIT L2A .nc, a DESIS "
        "folder, or any raster with wavelengths.",
        role="product",
        positional=True,
    )
    output: str = option("The GeoTIFF to write.", role="output_raster")
    mask: tuple[str, ...] = option(
        "Pixels to leave out, by the quality layers of EnMAP.",
        (),
        choices=(
            "cloud",
            "cloud_shadow",
            "haze",
            "cirrus",
            "snow",
            "water",
            "land",
            "defective",
        ),
    )


@dataclass(frozen=True)
class AlignJob(Job):
    """Make the six bands of HLS that Prithvi sees."""

    kind: ClassVar[str] = "align"
    summary: ClassVar[str] = "Write the six HLS bands that the teacher sees."

    input: str = _input()
    output: str = option("The six-band raster to write (int16 x 10000).", role="output_raster")
    mode: str = option(
        "How a band is made: the mean of the bands in its range, a Gaussian response, or the "
        "nearest band.",
        "range_mean",
        choices=("range_mean", "srf_gaussian", "nearest"),
    )
    bands: Optional[str] = _bands()
    scale: Optional[float] = _scale()
    nodata: Optional[float] = _nodata()


@dataclass(frozen=True)
class EmbedJob(Job):
    """Turn each pixel's neighbourhood into an embedding."""

    kind: ClassVar[str] = "embed"
    summary: ClassVar[str] = "Write a raster of embeddings, or of their principal components."

    input: str = _input()
    output: str = option("The embedding raster to write (GeoTIFF).", role="output_raster")
    model: str = _model()
    components: int = option(
        "Number of principal components of this scene to write; 0 writes the embedding itself.",
        16,
        minimum=0,
        maximum=1024,
    )
    overlap: Optional[int] = _overlap()
    batch: int = _batch()
    device: str = _device()
    bands: Optional[str] = _bands()
    scale: Optional[float] = _scale()
    nodata: Optional[float] = _nodata()


@dataclass(frozen=True)
class ReconstructJob(Job):
    """Predict each patch's spectra from its surroundings, and how wrong that is."""

    kind: ClassVar[str] = "reconstruct"
    summary: ClassVar[str] = "Write the reconstruction of a scene and its per-pixel error."
    needs_one_of: ClassVar[tuple[str, ...]] = ("output", "error")

    input: str = _input()
    output: Optional[str] = option(
        "The reconstructed reflectance to write (GeoTIFF, int16 x 10000, the student's bands).",
        None,
        role="output_raster",
    )
    error: Optional[str] = option(
        "The error raster to write: spectral angle in degrees and RMSE in reflectance.",
        None,
        role="output_raster",
    )
    model: str = _model()
    overlap: Optional[int] = _overlap()
    batch: int = _batch()
    device: str = _device()
    bands: Optional[str] = _bands()
    scale: Optional[float] = _scale()
    nodata: Optional[float] = _nodata()


@dataclass(frozen=True)
class ExportJob(Job):
    """Turn a checkpoint into an ONNX model with its card and self-test."""

    kind: ClassVar[str] = "export"
    summary: ClassVar[str] = "Export a checkpoint to ONNX with its card and self-test."

    checkpoint: str = option("The .safetensors checkpoint of a student.", role="checkpoint")
    output: str = option("The .onnx file to write.", role="output_file")


@dataclass(frozen=True)
class SynthJob(Job):
    """Simulate an EnMAP-like scene with known truth."""

    kind: ClassVar[str] = "synth"
    summary: ClassVar[str] = "Simulate an EnMAP-like scene, with truth layers beside it."

    output: str = option("The scene to write (GeoTIFF).", role="output_raster")
    width: int = option("Width in pixels.", 256, minimum=8, maximum=20000)
    height: int = option("Height in pixels.", 256, minimum=8, maximum=20000)
    seed: int = option("Seed: the same seed gives the same scene.", 0, minimum=0, maximum=2**31 - 1)
    border: float = option(
        "Share of the raster without data, as the rotated footprint of a real scene leaves.",
        0.1,
        minimum=0.0,
        maximum=0.5,
    )
    truth: bool = option("Write the truth layers beside the scene.", True)


@dataclass(frozen=True)
class ModelsListJob(Job):
    """What models there are."""

    kind: ClassVar[str] = "models_list"
    summary: ClassVar[str] = "List shipped, own and published models with size, licence, status."
    answers: ClassVar[bool] = True

    store: Optional[str] = _store("input_directory")


@dataclass(frozen=True)
class ModelsAddJob(Job):
    """Take a model file into the store."""

    kind: ClassVar[str] = "models_add"
    summary: ClassVar[str] = "Check a model file and copy it into the model store."

    file: str = option(
        "A student (.onnx), a checkpoint (.safetensors) or a teacher's published file (.pt).",
        role="input_file",
        positional=True,
    )
    name: Optional[str] = option(
        "How to call it. Default: the file's name without its ending, or the teacher's own name.",
        None,
    )
    link: bool = option(
        "Hard-link the file instead of copying it, where the file system can: it takes no space, "
        "but a program that writes into the file changes the stored model too.",
        False,
    )
    replace: bool = option("Replace a stored model of the same name.", False)
    store: Optional[str] = _store("output_directory")


@dataclass(frozen=True)
class ModelsFetchJob(Job):
    """Download a published teacher into the store."""

    kind: ClassVar[str] = "models_fetch"
    summary: ClassVar[str] = "Download a published teacher into the model store, and check it."

    name: str = option("A published model, for instance prithvi-eo-2.0-300m.", positional=True)
    revision: Optional[str] = option(
        "Full commit of the repository (40 digits). Default: the one that HyperKD knows.", None
    )
    sha256: Optional[str] = option(
        "SHA-256 that the file must have. Default: the published one, where it is known.", None
    )
    unverified: bool = option(
        "Take a file whose checksum nobody states; it is still checked as far as possible.", False
    )
    replace: bool = option("Replace a stored model of the same name.", False)
    endpoint: str = option("Address of the hub or of a mirror of it.", "https://huggingface.co")
    proxy: Optional[str] = option(
        "Proxy as http://host:port, or none. Default: HTTPS_PROXY, or the system's settings. Other "
        "users can see a password on a command line: give it in HTTPS_PROXY.",
        None,
    )
    ca_file: Optional[str] = option(
        "Certificates (PEM) to trust besides the system's; SSL_CERT_FILE works too.",
        None,
        role="input_file",
    )
    store: Optional[str] = _store("output_directory")


@dataclass(frozen=True)
class ModelsVerifyJob(Job):
    """Check whether a model is still what came."""

    kind: ClassVar[str] = "models_verify"
    summary: ClassVar[str] = "Check a model of the store against its record, and its content."
    answers: ClassVar[bool] = True

    name: str = option("The name of a model, as hyperkd models list shows it.", positional=True)
    store: Optional[str] = _store("input_directory")


JOBS: dict[str, type[Job]] = {
    job.kind: job
    for job in (
        InfoJob,
        InspectJob,
        ImportJob,
        AlignJob,
        EmbedJob,
        ReconstructJob,
        ExportJob,
        ModelsListJob,
        ModelsAddJob,
        ModelsFetchJob,
        ModelsVerifyJob,
        SynthJob,
    )
}

# What the groups of commands are for.
GROUPS: dict[str, str] = {
    "models": "The model store of this machine: list, add, fetch and verify models.",
}
