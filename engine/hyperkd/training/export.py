"""Export: a checkpoint becomes one ONNX file with its card and its self-test."""

from __future__ import annotations

import copy
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

from hyperkd.atomic import AtomicFile
from hyperkd.models.bundle import INPUTS
from hyperkd.models.card import CARD_KEY, ModelCard, Probe, SelfTest
from hyperkd.models.nets.encoder import Convolution, Encoder
from hyperkd.models.nets.heads import DenseModel
from hyperkd.models.nets.student import Student
from hyperkd.models.seal import sealed
from hyperkd.output_checks import require_writable
from hyperkd.requests.train_options import ExportJob
from hyperkd.training.common.checkpoint import Network, load_checkpoint, require_card_of
from hyperkd.types import Reporter

# The oldest opset with Gelu as one operator, which onnxruntime 1.17 and later run.
# The IR version that came with it; the exporter would write a newer one for nothing.
_OPSET: Final = 20
_IR_VERSION: Final = 9

_SELF_TEST_SEED: Final = 20230624
_SELF_TEST_PROBES: Final = 16
# Float32 on any CPU stays below 1e-4; GPUs multiply with 10-bit mantissas (TF32).
_SELF_TEST_TOLERANCE: Final = 5e-3
_PARITY: Final = 1e-4  # what onnxruntime may differ from torch on the CPU that exports


class _Folded(Encoder):
    """An encoder whose first layer holds the normalisation: it takes plain reflectance."""

    def folded_stem(self) -> tuple[Tensor, Tensor]:
        return self.stem.weight, self.stem.bias

    def normalise_image(self, reflectance: Tensor) -> Tensor:
        return reflectance


class _DeployedStudent(_Folded, Student):
    """A student as it is exported: reflectance in, embedding and reflectance out."""

    def __init__(self, student: Student) -> None:
        super().__init__(student.config, student.mean.tolist(), student.std.tolist())
        self.load_state_dict(student.state_dict())
        _set(self.stem, *student.folded_stem())
        _set(self.spectra, *student.folded_spectra())
        self.eval()

    def folded_spectra(self) -> tuple[Tensor, Tensor]:
        return self.spectra.weight, self.spectra.bias

    def forward(self, pixels: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        """Return ``embedding`` (B, D, H, W) and ``reconstruction`` (B, C, H, W)."""
        return self.embedding(pixels, valid), self.reconstruct(pixels, valid)


class _DeployedDense(DenseModel):
    """An encoder with its head as they are exported: reflectance in, logits or values out."""

    def __init__(self, model: DenseModel) -> None:
        student = model.student
        super().__init__(student, copy.deepcopy(model.head).cpu(), model.physics)
        self.student = _Folded(student.config, student.mean.tolist(), student.std.tolist())
        self.student.load_state_dict(student.state_dict())
        for layer in (self.student.stem, *self.head.first_layers()):
            _set(layer, *self.student.folded(layer))
        self.eval()

    def forward(self, pixels: Tensor, valid: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Return ``logits`` or ``values`` (B, K, H, W)."""
        return (super().forward(pixels, valid),)


_Deployed = Union[_DeployedStudent, _DeployedDense]


@torch.no_grad()
def _set(layer: Convolution, weight: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


def export(request: ExportJob, report: Reporter) -> dict[str, Any]:
    """Turn the checkpoint into an ONNX model.

    Raises:
        HyperKDError: ``bad_model`` and ``untrusted_model`` for the checkpoint,
            ``unwritable_output`` and ``out_of_disk`` for the output.
    """
    require_writable(request.output)
    report.stage("Loading the checkpoint")
    model, card = load_checkpoint(request.checkpoint)
    report.check_cancelled()
    report.stage("Exporting to ONNX")
    card = export_model(model, card, request.output)
    report.artifact("output", request.output)
    size = Path(request.output).stat().st_size
    return {"output": request.output, "model": card.name, "bytes": size}


def export_model(model: Network, card: ModelCard, path: Union[str, Path]) -> ModelCard:
    """Write a network as ONNX; the old file stays until the new one is whole.

    Returns:
        The card as written, with the self-test that torch computed.

    Raises:
        ValueError: where the card describes another network.
        HyperKDError: ``unwritable_output`` and ``out_of_disk`` as ``AtomicFile``.
    """
    require_card_of(model, card)
    deployed: _Deployed = (
        _DeployedStudent(model) if isinstance(model, Student) else _DeployedDense(model)
    )
    card = dataclasses.replace(card, self_test=_self_test(deployed, card))
    graph = _to_onnx(deployed, card)
    for key, value in {CARD_KEY: card.to_json(), **deepness_keys(card)}.items():
        graph.metadata_props.append(StringStringEntryProto(key=key, value=value))
    content = sealed(graph)
    _verify(content, card)
    with AtomicFile(path) as part:
        Path(part.temporary).write_bytes(content)
    return card


def _to_onnx(deployed: _Deployed, card: ModelCard) -> ModelProto:
    # Importing it takes a second, and nothing but the exporter needs it.
    import torch._dynamo.config as dynamo_config

    step = card.patch_px
    # Two tiles of two blocks of 2 x 2 tokens: the exporter takes a size of one for a constant.
    tile = step * max(4, card.tile_px // step)
    bands = len(card.bands)
    example = (torch.zeros(2, bands, tile, tile), torch.ones(2, 1, tile, tile))
    sizes = {0: Dim("batch"), 2: step * Dim("rows"), 3: step * Dim("cols")}
    # The exporter logs each operator of packages that are not installed here.
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # Symbolic sizes take longer to look up than to work out again: a third of an export.
        with warnings.catch_warnings(), dynamo_config.patch(fake_tensor_cache_enabled=False):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                deployed,
                example,
                dynamo=True,
                opset_version=_OPSET,
                input_names=list(INPUTS),
                output_names=list(card.outputs),
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
    for name, output in zip(card.outputs, outputs):
        flat = output.numpy().reshape(-1)
        indices = np.sort(generator.choice(flat.size, _SELF_TEST_PROBES, replace=False))
        values = tuple(float(value) for value in flat[indices])
        # A head that was never trained answers zero everywhere.
        largest = float(np.abs(flat).max()) or 1.0
        probes[name] = Probe(tuple(indices.tolist()), values, largest)
    return dataclasses.replace(test, outputs=probes)


def _verify(content: bytes, card: ModelCard) -> None:
    """Run the model as its users will and compare it with torch."""
    if card.self_test is None:
        raise ValueError("the card has no self-test")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = card.self_test.inputs(len(card.bands), card.tile_px)
    names = list(card.outputs)
    for name, values in zip(names, session.run(names, dict(zip(INPUTS, inputs)))):
        difference = card.self_test.deviation(name, values)
        if not difference <= _PARITY:
            raise RuntimeError(f"onnxruntime's {name} differs from torch's by {difference:.2g}")


def deepness_keys(card: ModelCard) -> dict[str, str]:
    """Return the metadata keys of the plugin deepness that mean the same there.

    Its ``model_type`` has no embedding or reconstruction, so none is stated.
    """
    return {
        "resolution": json.dumps(card.ground_sampling_m * 100),  # centimetres per pixel
        "tile_size": json.dumps(card.tile_px),
        "tiles_overlap": json.dumps(25),  # percent
    }
