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
    """Give a model fewer bits, and compare it with what it was."""

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
        "How: dynamic makes the weights int8 and looks at each batch for the range of what they "
        "are multiplied with; static takes these ranges from the calibration rasters; float16 is "
        "for GPUs.",
        "dynamic",
        choices=("dynamic", "static", "float16"),
    )
    calibration: tuple[str, ...] = option(
        "Rasters that show a static model what values to expect; better others than those it is "
        "compared on.",
        (),
        role="input_raster",
    )
    labels: tuple[str, ...] = option(
        "Labels of the rasters: polygon, line or point layers, or class rasters. With them the "
        "loss is one of accuracy, without them one of agreement with the original.",
        (),
        role="input_file",
    )
    field: tuple[str, ...] = field_option()
    label_nodata: tuple[str, ...] = label_nodata_option()
    margin: float = margin_option()
    loss: float = option(
        "Largest accepted loss in percent points: of overall accuracy or R2 with labels; else of "
        "pixels that change their class, or of variance missed.",
        0.5,
        minimum=0.0,
        maximum=100.0,
    )
    tiles: int = option(
        "How many tiles of each raster are looked at, evenly spread.",
        32,
        minimum=1,
        maximum=10000,
    )
    device: str = option(
        "Where the smaller model computes in the comparison; only a GPU tells what float16 costs "
        "there.",
        "cpu",
        choices=("cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"),
    )
