"""Fields that several jobs share, declared once: the same flag means the same everywhere.

Groups of fields are classes that a job inherits from; single fields are functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from hyperkd.problems import ACCEPTABLE
from hyperkd.requests.option import REQUIRED, option

# What pixels may be left out by; which of them a product offers is in docs/products.md.
QUALITY_MASKS = (
    *("cloud", "cloud_shadow", "cloud_buffer", "haze", "cirrus"),
    *("snow", "water", "land", "defective", "saturated", "spacecraft", "aggregate"),
)


def model_option() -> Any:
    """Declare which student to run."""
    return option(
        "A student: the name of a shipped or stored model, or the path of an .onnx file.",
        "tiny",
        role="model",
    )


def tuned_model_option() -> Any:
    """Declare which fine-tuned model to run."""
    return option(
        "A fine-tuned model: the name of a stored model, or the path of an .onnx file.",
        role="model",
    )


def student_option() -> Any:
    """Declare what a fine-tuning starts from."""
    return option(
        "The student to start from: the name of a model, a checkpoint (.safetensors), or scratch "
        "(also scratch:small, scratch:base) for random weights.",
        "tiny",
        role="model",
    )


def report_option(default: Any = REQUIRED) -> Any:
    """Declare the folder of an accuracy report."""
    return option(
        "Folder for the accuracy report (report.html) and its numbers (report.json).",
        default,
        role="output_directory",
    )


def learning_rate_option() -> Any:
    """Declare the learning rate."""
    return option(
        "Largest learning rate. Default: that of the preset, or of what is trained.",
        None,
        minimum=1e-7,
        maximum=1.0,
    )


def alignment_option() -> Any:
    """Declare how the six bands of HLS are made."""
    return option(
        "How the six HLS bands are made: the mean of the bands in each range, a Gaussian "
        "response, or the nearest band.",
        "range_mean",
        choices=("range_mean", "srf_gaussian", "nearest"),
    )


def input_option() -> Any:
    """Declare the raster to read."""
    return option("The hyperspectral raster to read.", role="input_raster")


def inputs_option() -> Any:
    """Declare the rasters to read."""
    return option("The hyperspectral rasters to read.", role="input_raster")


def labels_option() -> Any:
    """Declare the labels."""
    return option(
        "Labels: polygon, line or point layers (file.gpkg|layername=x names one of several), or "
        "class rasters. Each is tried on every raster.",
        role="input_file",
    )


def field_option() -> Any:
    """Declare the fields of the labels."""
    return option(
        "The class field, or the numeric field of each target. Default: the only field.",
        (),
    )


def margin_option() -> Any:
    """Declare how far inside a polygon a labelled pixel must lie."""
    return option(
        "How far inside a polygon a pixel's centre must lie, in pixels; from 0.71 on only pixels "
        "that lie wholly inside count.",
        0.0,
        minimum=0.0,
        maximum=100.0,
    )


def label_nodata_option() -> Any:
    """Declare the values that are no labels."""
    return option(
        "Values of the labels that mean no label, for instance -9999 or unknown; no other is then "
        "left out. Default: what certainly means none (n/a, null, -9999 far from the others).",
        (),
    )


def task_option() -> Any:
    """Declare what labels say."""
    return option(
        "What the labels hold: classes, or one or more quantities.",
        choices=("classification", "regression"),
    )


def split_option() -> Any:
    """Declare what a split keeps together."""
    return option(
        "What is kept together when labels are held out for the test: polygons, blocks or "
        "scenes; auto chooses; random takes single pixels, whose score is optimistic.",
        "auto",
        choices=("auto", "polygons", "blocks", "scenes", "random"),
    )


def test_option() -> Any:
    """Declare the test part of a split."""
    return option("Fraction of the labels held out for the test.", 0.2, minimum=0.0, maximum=0.8)


def validation_option() -> Any:
    """Declare the validation part of a split."""
    return option(
        "Fraction of the labels that decides when to stop training the encoder; a frozen "
        "encoder uses folds of the training labels instead.",
        0.2,
        minimum=0.05,
        maximum=0.5,
    )


def tune_option() -> Any:
    """Declare what is trained beside the head."""
    return option(
        "What is trained besides the head: nothing (frozen), the last blocks, low-rank "
        "adapters, or the full encoder; auto is frozen, or full for random weights.",
        "auto",
        choices=("auto", "frozen", "last", "adapters", "full"),
    )


def buffer_option() -> Any:
    """Declare the buffer between the parts of a split."""
    return option(
        "Distance in pixels around test labels within which labels are not used for training. "
        "Default: up to half the receptive field, as long as enough labels remain.",
        None,
        minimum=0,
        maximum=100_000,
    )


def block_option() -> Any:
    """Declare the side of a split's blocks."""
    return option(
        "Side of the blocks in pixels. Default: as large as the labels allow.",
        None,
        minimum=1,
        maximum=100_000,
    )


def seed_option() -> Any:
    """Declare the seed."""
    return option(
        "Random seed: the same seed gives the same result on the same machine.",
        0,
        minimum=0,
        maximum=2**31 - 1,
    )


def store_option(role: str) -> Any:
    """Declare where the model store is."""
    return option(
        "Folder of the model store. Default: HYPERKD_MODELS, or HyperKD/models in your data "
        "folder.",
        None,
        role=role,
    )


def onnx_output_option() -> Any:
    """Declare the model to write."""
    return option("The .onnx file to write.", role="output_file")


def training_device_option() -> Any:
    """Declare where to train."""
    return option(
        "Where to train: auto takes a GPU where PyTorch finds one.",
        "auto",
        choices=("auto", "cpu", "cuda"),
    )


def inference_device_option() -> Any:
    """Declare where to run a model."""
    return option(
        "Where to compute: auto takes a GPU only where it passes the model's self-test and is "
        "faster than the CPU.",
        "auto",
        choices=("auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"),
    )


@dataclass(frozen=True)
class AcceptOptions:
    """What is known to be wrong with a raster, and no reason to stop."""

    accept: tuple[str, ...] = option(
        "Codes of severe problems with a raster that are no reason to stop: you know better, and "
        "they become warnings.",
        (),
        choices=ACCEPTABLE,
    )


@dataclass(frozen=True)
class BandOptions(AcceptOptions):
    """What to believe about a raster instead of what its file says."""

    bands: Optional[str] = option(
        "Band metadata to use instead of the file's: a sensor (enmap, enmap-202), or a CSV with "
        "one row per band (wavelength_nm, fwhm_nm, bbl, scale, offset).",
        None,
        role="band_table",
    )
    scale: Optional[float] = option(
        "Reflectance (0 to 1) per stored unit, instead of the file's scale.", None
    )
    nodata: Optional[float] = option(
        "Stored value that means no data, instead of the file's.", None
    )


@dataclass(frozen=True)
class TileOptions:
    """How a network is run tile by tile; the result hardly depends on it."""

    overlap: Optional[int] = option(
        "Pixels by which neighbouring tiles overlap; they are blended. Default: a quarter of "
        "the tile, or less where the model's receptive field is smaller.",
        None,
        minimum=0,
    )
    batch: Optional[int] = option(
        "Tiles computed at once. Default: 1 on a CPU, where every core computes a tile of its "
        "own, else 8. The result does not depend on it.",
        None,
        minimum=1,
        maximum=256,
    )
    device: str = inference_device_option()


@dataclass(frozen=True)
class InferenceOptions(TileOptions):
    """How a network is run over a whole scene, whatever comes out."""

    memory_mb: Optional[int] = option(
        "Memory that the job may take, in megabytes. Default: a quarter of the machine's, at "
        "most 2000.",
        None,
        minimum=100,
        maximum=1000000,
    )
    resume: bool = option(
        "Continue an earlier run of the same job, and keep finished parts so that this run can "
        "be continued too.",
        False,
    )
    unreadable: str = option(
        "What to do where the raster cannot be read: fail, or write these blocks as nodata.",
        "fail",
        choices=("fail", "nodata"),
    )
    format: str = option(
        "Format of the outputs: GeoTIFF, or cloud optimised GeoTIFF (cog) with overviews.",
        "geotiff",
        choices=("geotiff", "cog"),
    )


@dataclass(frozen=True)
class SceneOptions(BandOptions, InferenceOptions):
    """How a network is run over a whole scene, and what to believe about its bands."""
