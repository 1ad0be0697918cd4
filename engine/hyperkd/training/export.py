"""Export: a checkpoint becomes one ONNX file with its card and its self-test."""

from __future__ import annotations

import dataclasses
import json
import logging
import warnings
from pathlib import Path
from typing import Any, Final, Union

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import ModelProto, StringStringEntryProto
from torch import Tensor
from torch.export import Dim

from hyperkd.models.bundle import INPUTS
from hyperkd.models.card import CARD_KEY, ModelCard, Probe, SelfTest
from hyperkd.models.nets.student import Student
from hyperkd.partial import PartialFile, require_writable
from hyperkd.training.checkpoint import load_checkpoint
from hyperkd.types import Reporter

OUTPUTS: Final = ("embedding", "reconstruction")

# The oldest opset with Gelu as one operator, which onnxruntime 1.17 and later run.
# The IR version that came with it; the exporter would write a newer one for nothing.
_OPSET: Final = 20
_IR_VERSION: Final = 9

_SELF_TEST_SEED: Final = 20230624
_SELF_TEST_PROBES: Final = 16
# Float32 on any CPU stays below 1e-4; GPUs multiply with 10-bit mantissas (TF32).
_SELF_TEST_TOLERANCE: Final = 5e-3
_PARITY: Final = 1e-4  # what onnxruntime may differ from torch on the CPU that exports


class _Deployed(Student):
    """A student whose stem and head hold the normalisation: reflectance in, reflectance out."""

    def __init__(self, student: Student) -> None:
        super().__init__(student.config, student.mean.tolist(), student.std.tolist())
        self.load_state_dict(student.state_dict())
        with torch.no_grad():
            for layer, folded in (
                (self.stem, student.folded_stem()),
                (self.spectra, student.folded_spectra()),
            ):
                layer.weight.copy_(folded[0])
                layer.bias.copy_(folded[1])
        self.eval()

    def folded_stem(self) -> tuple[Tensor, Tensor]:
        return self.stem.weight, self.stem.bias

    def folded_spectra(self) -> tuple[Tensor, Tensor]:
        return self.spectra.weight, self.spectra.bias

    def forward(self, pixels: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``embedding`` (B, D, H, W) and ``reconstruction`` (B, C, H, W)."""
        return self.embedding(pixels, valid), self.reconstruct(pixels, valid)


def export(checkpoint: str, output: str, report: Reporter) -> dict[str, Any]:
    """Turn the checkpoint into an ONNX model.

    Raises:
        HyperKDError: ``bad_model`` and ``untrusted_model`` for the checkpoint,
            ``unwritable_output`` and ``out_of_disk`` for the output.
    """
    require_writable(output)
    report.stage("load the checkpoint")
    student, card = load_checkpoint(checkpoint)
    report.check_cancelled()
    report.stage("export to ONNX")
    card = export_student(student, card, output)
    report.artifact("output", output)
    size = Path(output).stat().st_size
    return {"output": output, "model": card.name, "bytes": size}


def export_student(student: Student, card: ModelCard, path: Union[str, Path]) -> ModelCard:
    """Write a student as ONNX; the old file stays until the new one is whole.

    Returns:
        The card as written, with the self-test that torch computed.
    """
    deployed = _Deployed(student)
    card = dataclasses.replace(card, self_test=_self_test(deployed, card))
    model = _to_onnx(deployed)
    for key, value in {CARD_KEY: card.to_json(), **_deepness_keys(card)}.items():
        model.metadata_props.append(StringStringEntryProto(key=key, value=value))
    content = model.SerializeToString()
    _verify(content, card)
    with PartialFile(path) as part:
        Path(part.temporary).write_bytes(content)
    return card


def _to_onnx(deployed: _Deployed) -> ModelProto:
    config = deployed.config
    # Two tiles, because the exporter takes a size of one for a constant.
    tile = 2 * config.patch * max(2, config.tile // (2 * config.patch))
    example = (torch.zeros(2, config.bands, tile, tile), torch.ones(2, 1, tile, tile))
    step = 2 * config.patch
    sizes = {0: Dim("batch"), 2: step * Dim("block_rows"), 3: step * Dim("block_cols")}
    # The exporter logs each operator of packages that are not installed here.
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                deployed,
                example,
                dynamo=True,
                opset_version=_OPSET,
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_shapes=dict.fromkeys(INPUTS, sizes),
                external_data=False,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    model = program.model_proto
    model.ir_version = _IR_VERSION
    _strip(model)
    onnx.checker.check_model(model)
    return model


def _strip(model: ModelProto) -> None:
    """Drop the exporter's notes: stack traces name files of the machine that exported."""
    model.ClearField("metadata_props")
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.graph.ClearField("value_info")


def _self_test(deployed: _Deployed, card: ModelCard) -> SelfTest:
    """Compute the expected values with torch."""
    test = SelfTest(_SELF_TEST_SEED, 1, _SELF_TEST_TOLERANCE, {})
    pixels, valid = test.inputs(len(card.bands), card.tile_px)
    with torch.no_grad():
        outputs = deployed(torch.from_numpy(pixels), torch.from_numpy(valid))
    generator = np.random.default_rng(_SELF_TEST_SEED)
    probes = {}
    for name, output in zip(OUTPUTS, outputs):
        flat = output.numpy().reshape(-1)
        indices = np.sort(generator.choice(flat.size, _SELF_TEST_PROBES, replace=False))
        values = tuple(float(value) for value in flat[indices])
        probes[name] = Probe(tuple(indices.tolist()), values, float(np.abs(flat).max()))
    return dataclasses.replace(test, outputs=probes)


def _verify(content: bytes, card: ModelCard) -> None:
    """Run the model as its users will and compare it with torch."""
    if card.self_test is None:
        raise ValueError("the card has no self-test")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = card.self_test.inputs(len(card.bands), card.tile_px)
    for name, values in zip(OUTPUTS, session.run(list(OUTPUTS), dict(zip(INPUTS, inputs)))):
        deviation = card.self_test.deviation(name, values)
        if not deviation <= _PARITY:
            raise RuntimeError(f"onnxruntime's {name} deviates from torch's by {deviation:.2g}")


def _deepness_keys(card: ModelCard) -> dict[str, str]:
    """Return the metadata keys of the plugin deepness that mean the same there.

    Its ``model_type`` has no embedding or reconstruction, so none is claimed.
    """
    return {
        "resolution": json.dumps(card.ground_sampling_m * 100),  # centimetres per pixel
        "tile_size": json.dumps(card.tile_px),
        "tiles_overlap": json.dumps(25),  # percent
    }
