"""Making models smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import (
    BandOptions,
    field_option,
    label_nodata_option,
    margin_option,
    onnx_output_option,
)


@dataclass(frozen=True)
class QuantizeJob(BandOptions, Job):
    """Store a model in fewer bits, and compare it with the original."""

    kind: ClassVar[str] = "quantize"
    target: ClassVar[str] = "hyperkd.quantisation.quantize_model:quantize"
    summary: ClassVar[str] = (
        "Make a model smaller and faster (int8, float16), unless it loses too much."
    )

    model: str = option(
        "The float32 model: the name of a shipped or stored model, or the path of an .onnx file.",
        role="model",
    )
    output: str = onnx_output_option()
    input: tuple[str, ...] = option(
        "Hyperspectral rasters on which the smaller model is compared with its original.",
        role="input_raster",
    )
    method: str = option(
        "How: dynamic makes the weights int8 and takes the range of the inputs from each batch; "
        "static takes these ranges from the calibration rasters; float16 is for GPUs.",
        "dynamic",
        choices=("dynamic", "static", "float16"),
    )
    calibration: tuple[str, ...] = option(
        "Rasters from which a static model takes its ranges of values; better others than those "
        "it is compared on.",
        (),
        role="input_raster",
    )
    labels: tuple[str, ...] = option(
        "Labels of the rasters: polygon, line or point layers, or class rasters. With labels "
        "the loss is measured in accuracy, without them in agreement with the original.",
        (),
        role="input_file",
    )
    field: tuple[str, ...] = field_option()
    label_nodata: tuple[str, ...] = label_nodata_option()
    margin: float = margin_option()
    loss: float = option(
        "Largest accepted loss in percentage points: of overall accuracy or R2 with labels; "
        "otherwise of pixels that change class, or of unexplained variance.",
        0.5,
        minimum=0.0,
        maximum=100.0,
    )
    tiles: int = option(
        "Number of tiles of each raster to compare, evenly spread.",
        32,
        minimum=1,
        maximum=10000,
    )
    device: str = option(
        "Where the smaller model is computed in the comparison; only a GPU shows what float16 "
        "loses there.",
        "cpu",
        choices=("cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"),
    )
