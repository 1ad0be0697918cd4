"""A model for inference: one ONNX file with its card, opened without torch or onnxruntime."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Optional, Union

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.spectral.linear import Affine

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

INPUTS: Final = ("pixels", "valid")
STEM_WEIGHT: Final = "stem.weight"
STEM_BIAS: Final = "stem.bias"

# What onnxruntime computes itself. Any other domain would need somebody's library.
_TRUSTED_DOMAINS: Final = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
_OTHER_MODEL: Final = "Take another copy of the model, or export it again."


@dataclass(frozen=True, eq=False)
class Bundle:
    """An opened model.

    Attributes:
        path: the file.
        card: what it is.
        sha256: checksum of the file, hexadecimal.
        graph: the parsed ONNX model, not to be changed.
    """

    path: Path
    card: ModelCard
    sha256: str
    graph: ModelProto

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(output.name for output in self.graph.graph.output)

    def network(self, output: str, first_layer: Optional[Affine] = None) -> bytes:
        """Return an ONNX model that computes one output and nothing else.

        onnxruntime computes every output of a graph whether asked for or not,
        so the graph is cut down before a session is made of it.

        Args:
            output: one of ``outputs``.
            first_layer: ``(C, sources)`` map from stored values to reflectance
                on the card's bands. It is composed with the spectral stem, and
                the network then takes ``sources`` channels of stored values:
                scaling, normalisation and resampling cost nothing per pixel.

        Raises:
            HyperKDError: ``bad_model`` where the model has no such output or no
                spectral stem, ``band_mismatch`` where ``first_layer`` gives
                another number of bands than the student takes.
        """
        from onnx.utils import Extractor

        if output not in self.outputs:
            raise HyperKDError(
                "bad_model",
                f"The model {self.path.name} has no output {output!r}, "
                f"only {', '.join(self.outputs)}.",
                "Take a model made for this task.",
            )
        model: ModelProto = Extractor(self.graph).extract_model(list(INPUTS), [output])
        if first_layer is not None:
            self._fold(model.graph, first_layer)
        network: bytes = model.SerializeToString()
        return network

    def _fold(self, graph: GraphProto, first_layer: Affine) -> None:
        """Put ``first_layer`` into the spectral stem."""
        from onnx import numpy_helper

        tensors = {tensor.name: tensor for tensor in graph.initializer}
        if STEM_WEIGHT not in tensors or STEM_BIAS not in tensors:
            raise HyperKDError(
                "bad_model",
                f"The model {self.path.name} has no spectral stem ({STEM_WEIGHT}, {STEM_BIAS}).",
                _OTHER_MODEL,
            )
        weight = numpy_helper.to_array(tensors[STEM_WEIGHT]).astype(np.float64)
        bias = numpy_helper.to_array(tensors[STEM_BIAS]).astype(np.float64)
        bands, sources = first_layer.matrix.shape
        if bands != weight.shape[1]:
            raise HyperKDError(
                "band_mismatch",
                f"The first layer gives {bands} bands, the model takes {weight.shape[1]}.",
                "Resample the raster's bands to the bands of the model's card.",
            )
        folded = first_layer.then(Affine(weight[:, :, 0, 0], bias))
        for name, values in (
            (STEM_WEIGHT, folded.matrix[:, :, None, None]),
            (STEM_BIAS, folded.offset),
        ):
            tensors[name].CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))
        pixels = next(value for value in graph.input if value.name == INPUTS[0])
        pixels.type.tensor_type.shape.dim[1].dim_value = sources


def open_bundle(path: Union[str, Path]) -> Bundle:
    """Open a model file and check everything that can be checked without running it.

    Raises:
        HyperKDError: ``bad_model`` where the file is no ONNX model, was cut
            short, or has no card; ``untrusted_model`` where it is a pickled
            object, points to other files, or needs foreign operators;
            ``missing_dependency`` where the package onnx is not installed.
    """
    path = Path(path)
    content = _read(path)
    if find_spec("onnx") is None:
        raise HyperKDError(
            "missing_dependency",
            "The Python package onnx is not installed.",
            "Install the engine with its extra onnx: hyperkd[onnx].",
        )
    graph = _parse(path.name, content)
    _refuse_untrusted(path.name, graph)
    card = _card_of(path.name, graph)
    missing = sorted(set(INPUTS) - {value.name for value in graph.graph.input})
    if missing:
        raise HyperKDError(
            "bad_model",
            f"The model {path.name} has no input {', '.join(missing)}.",
            "Export it with hyperkd export.",
        )
    return Bundle(path, card, hashlib.sha256(content).hexdigest(), graph)


def read_card(path: Union[str, Path]) -> ModelCard:
    """Return the card of an ``.onnx`` model or of a ``.safetensors`` checkpoint.

    Raises:
        HyperKDError: as ``open_bundle`` and ``read_checkpoint_card``.
    """
    if Path(path).suffix.lower() == ".safetensors":
        return read_checkpoint_card(path)
    return open_bundle(path).card


def read_checkpoint_card(path: Union[str, Path]) -> ModelCard:
    """Return the card in the header of a checkpoint; no tensor is read.

    Raises:
        HyperKDError: ``bad_model`` where the file is no safetensors file, was
            cut short, or has no card; ``untrusted_model`` for a pickled object.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    _refuse_missing(path)
    with path.open("rb") as stream:
        start = stream.read(9)
    _refuse_pickle(path.name, start)
    try:
        with safe_open(path, framework="numpy") as checkpoint:
            metadata = checkpoint.metadata() or {}
    except SafetensorError as error:
        # The header begins at byte 8 with a JSON object in every safetensors file.
        if start[8:] == b"{":
            raise _cut_short(path.name, error) from error
        raise HyperKDError(
            "bad_model", f"{path.name} is no safetensors checkpoint: {error}.", _OTHER_MODEL
        ) from error
    if CARD_KEY not in metadata:
        raise _no_card(path.name)
    return ModelCard.from_json(metadata[CARD_KEY])


def _read(path: Path) -> bytes:
    _refuse_missing(path)
    content = path.read_bytes()
    _refuse_pickle(path.name, content[:9])
    return content


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise HyperKDError(
            "bad_model",
            f"There is no model file {str(path)!r}.",
            "Check the path, or give the name of a shipped student.",
        )


def _refuse_pickle(name: str, start: bytes) -> None:
    """Refuse what PyTorch saves: unpickling it would run whatever code it holds."""
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise HyperKDError(
            "untrusted_model",
            f"{name} is a pickled Python object or an archive of them (.pt, .pth, .zip).",
            "Such a file can run code when it is opened. Give an .onnx model or a "
            ".safetensors checkpoint.",
        )


def _parse(name: str, content: bytes) -> ModelProto:
    """Parse ONNX; other files that are named with it are never followed."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    model = ModelProto()
    # Every ONNX file begins with its IR version: field 1, a varint, key 0x08.
    is_onnx = content[:1] == b"\x08"
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        if is_onnx:
            raise _cut_short(name, error) from error
        raise _no_model(name) from error
    if not is_onnx:
        raise _no_model(name)
    if not model.graph.output or not model.opset_import:
        raise _cut_short(name, "the graph or what follows it is missing")
    return model


def _refuse_untrusted(name: str, model: ModelProto) -> None:
    for tensor in _tensors(model.graph):
        if tensor.external_data or tensor.data_location:
            raise HyperKDError(
                "untrusted_model",
                f"The model {name} keeps the tensor {tensor.name} in another file.",
                "Save the model as one file: onnx.save_model(..., save_as_external_data=False).",
            )
    domains = {opset.domain for opset in model.opset_import}
    domains |= {function.domain for function in model.functions}
    foreign = sorted(domains - set(_TRUSTED_DOMAINS))
    if foreign:
        raise HyperKDError(
            "untrusted_model",
            f"The model {name} needs operators of {', '.join(foreign)}.",
            "Only ONNX's own operators are run: export the model without custom operators.",
        )


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield every constant of a graph, those of nested graphs included."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for nested in (attribute.g, *attribute.graphs):
                yield from _tensors(nested)


def _card_of(name: str, model: ModelProto) -> ModelCard:
    for entry in model.metadata_props:
        if entry.key == CARD_KEY:
            return ModelCard.from_json(entry.value)
    raise _no_card(name)


def _no_model(name: str) -> HyperKDError:
    return HyperKDError("bad_model", f"{name} is no ONNX model.", "Give an .onnx file.")


def _cut_short(name: str, why: Any) -> HyperKDError:
    return HyperKDError(
        "bad_model", f"{name} was cut short or damaged: {why}.", "Copy or download it again."
    )


def _no_card(name: str) -> HyperKDError:
    return HyperKDError(
        "bad_model",
        f"The model {name} has no card ({CARD_KEY}).",
        "Without it nothing is known about its bands. Export it with hyperkd export.",
    )
