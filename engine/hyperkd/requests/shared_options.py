"""Fields that several jobs share, declared once: the same flag means the same everywhere.

Groups of fields are classes that a job inherits from; single fields are functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from hyperkd.problems import ACCEPTABLE
from hyperkd.requests.option import option

# How the six bands of HLS are made.
ALIGNMENTS = ("range_mean", "srf_gaussian", "nearest")
# The quality layers of EnMAP by which pixels may be left out.
QUALITY_MASKS = (
    *("cloud", "cloud_shadow", "haze", "cirrus"),
    *("snow", "water", "land", "defective"),
)


def model_option() -> Any:
    """Declare which student to run."""
    return option(
        "A student: the name of a shipped or stored model, or the path of an .onnx file.",
        "tiny",
        role="model",
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
        "The class field, or the numeric field of each target. Default: the only field there is.",
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
        "What the labels say: a class, or one or several quantities.",
        choices=("classification", "regression"),
    )


def split_option() -> Any:
    """Declare what a split keeps together."""
    return option(
        "What stays together when labels are held out for the test: auto, polygons, blocks, "
        "scenes; or random pixels, whose score is optimistic.",
        "auto",
        choices=("auto", "polygons", "blocks", "scenes", "random"),
    )


def test_option() -> Any:
    """Declare the test part of a split."""
    return option("Share of the labels that only test the model.", 0.2, minimum=0.0, maximum=0.8)


def validation_option() -> Any:
    """Declare the validation part of a split."""
    return option(
        "Share that tells when to stop where the encoder is trained; with a frozen encoder folds "
        "of the training labels do that.",
        0.2,
        minimum=0.05,
        maximum=0.5,
    )


def tune_option() -> Any:
    """Declare what is trained beside the head."""
    return option(
        "What is trained beside the head: nothing (frozen), the last blocks, adapters of low "
        "rank, or the full encoder. auto: frozen, for random weights full.",
        "auto",
        choices=("auto", "frozen", "last", "adapters", "full"),
    )


def buffer_option() -> Any:
    """Declare the buffer between the parts of a split."""
    return option(
        "Pixels around test labels whose labels do not teach. Default: up to half of what the "
        "student sees, as far as enough labels remain.",
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
    return option("Seed: the same seed gives the same result.", 0, minimum=0, maximum=2**31 - 1)


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
        "What to believe about the bands instead of the file: a sensor (enmap, enmap-202), or a "
        "CSV with one row per band (wavelength_nm, fwhm_nm, bbl, scale, offset).",
        None,
        role="band_table",
    )
    scale: Optional[float] = option(
        "Reflectance (0 to 1) per stored unit, instead of what the file says.", None
    )
    nodata: Optional[float] = option(
        "Stored value without meaning, instead of what the file says.", None
    )


@dataclass(frozen=True)
class TileOptions:
    """How a network is run tile by tile; the result hardly depends on it."""

    overlap: Optional[int] = option(
        "Pixels that neighbouring tiles share; they are blended. Default: a quarter of the tile, "
        "or less where the model sees less far.",
        None,
        minimum=0,
    )
    batch: Optional[int] = option(
        "Tiles that the network gets at once. Default: 1 on a CPU, where every core has a tile "
        "of its own, else 8. The result does not depend on it.",
        None,
        minimum=1,
        maximum=256,
    )
    device: str = inference_device_option()


@dataclass(frozen=True)
class InferenceOptions(TileOptions):
    """How a network is run over a whole scene, whatever comes out."""

    memory_mb: Optional[int] = option(
        "Megabytes of memory that the job may take. Default: a quarter of the machine's, at most "
        "2000.",
        None,
        minimum=100,
        maximum=1000000,
    )
    resume: bool = option(
        "Go on with what an earlier run of the same job finished, and leave what this one "
        "finishes for a later one.",
        False,
    )
    unreadable: str = option(
        "What to do where the raster cannot be read: fail, or leave these blocks without data.",
        "fail",
        choices=("fail", "nodata"),
    )
    format: str = option(
        "The format of the outputs: a GeoTIFF, or a cloud optimised one (cog) with overviews.",
        "geotiff",
        choices=("geotiff", "cog"),
    )


@dataclass(frozen=True)
class SceneOptions(BandOptions, InferenceOptions):
    """How a network is run over a whole scene, and what to believe about its bands."""
