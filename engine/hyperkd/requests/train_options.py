"""Making students."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hyperkd.requests.option import Job, option
from hyperkd.requests.shared_options import onnx_output_option


@dataclass(frozen=True)
class ExportJob(Job):
    """Turn a checkpoint into an ONNX model with its card and self-test."""

    kind: ClassVar[str] = "export"
    target: ClassVar[str] = "hyperkd.training.export:export"
    summary: ClassVar[str] = "Export a checkpoint to ONNX with its card and self-test."

    checkpoint: str = option("The .safetensors checkpoint of a student.", role="checkpoint")
    output: str = onnx_output_option()
