"""A model for inference: one ONNX file with its card, opened without torch or onnxruntime."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Optional, Union

from hyperkd.errors import HyperKDError
from hyperkd.files import read_regular
from hyperkd.models.allowed_graphs import require_trusted
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.onnx_graph import (
    before_upsampling,
    cut,
    fold,
    with_constants,
    with_present,
)
from hyperkd.models.seal import CARD_SEAL_KEY, SEAL_KEY, digest_of, tensors_digest, text_digest
from hyperkd.spectral.affine import Affine
from hyperkd.types import BoolArray

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

INPUTS: Final = ("pixels", "valid")
TOKENS: Final = "tokens"

# In the metadata of a network: the channels of its output, and pixels along a side of each value.
CHANNELS_KEY: Final = "hyperkd.channels"
PATCH_KEY: Final = "hyperkd.patch_px"

_LARGEST_FILE: Final = (1 << 31) - 1  # that protobuf knows
_FLOAT: Final = 1  # TensorProto.FLOAT
_NOT_AS_WRITTEN: Final = "it does not hold what was written"
_OTHER_MODEL: Final = "Take another copy of the model, or export it again."


@dataclass(frozen=True, eq=False)
class Bundle:
    """An opened model.

    Attributes:
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

    def network(
        self,
        output: str,
        first_layer: Optional[Affine] = None,
        present: Optional[BoolArray] = None,
    ) -> bytes:
        """Return an ONNX model that computes one output and nothing else.

        onnxruntime computes every output of a graph whether asked for or not,
        so the graph is cut down before a session is made of it.

        Args:
            output: one of ``outputs``; or, where ``has_tokens``, ``tokens``: what the
                embedding is made of bilinearly, ``(B, D, H / P, W / P)``.
            first_layer: ``(C, sources)`` map from stored values to reflectance
                on the card's bands. It is composed with each convolution that reads
                the pixels (stem and spectral branch), and the network then takes
                ``sources`` channels of stored values: scaling, normalisation and
                resampling cost nothing per pixel.
            present: ``(C,)`` which of the card's bands the raster has; a model of which the
                card allows missing bands is told so. Default: all.

        Raises:
            HyperKDError: ``bad_model`` where the model has no such output or no
                spectral stem, ``band_mismatch`` where ``first_layer`` gives
                another number of bands than the student takes.
        """
        tensor: Optional[str] = output if output in self.outputs else None
        if output == TOKENS:
            tensor = self._tokens
        if tensor is None:
            raise HyperKDError(
                "bad_model",
                f"The model {self.path.name} has no output {output!r}, "
                f"only {', '.join(self.outputs)}.",
                "Take a model made for this task.",
            )
        model = cut(self.graph, tensor, output)
        constants: Iterable[TensorProto] = self.graph.graph.initializer
        if present is not None:
            constants = with_present(constants, present, self.path.name)
        if first_layer is not None:
            fold(model.graph, constants, first_layer, self.path.name)
        channels = output_channels(self.card)[self.outputs[0] if output == TOKENS else output]
        patch_px = self.card.patch_px if output == TOKENS else 1
        for key, number in ((CHANNELS_KEY, channels), (PATCH_KEY, patch_px)):
            model.metadata_props.add(key=key, value=str(number))
        return with_constants(model, constants)

    @property
    def has_tokens(self) -> bool:
        """Whether ``network`` gives ``tokens``."""
        return self._tokens is not None

    @property
    def _tokens(self) -> Optional[str]:
        if "embedding" not in self.outputs:
            return None
        return before_upsampling(self.graph, "embedding", self.card.patch_px)


def open_bundle(path: Union[str, Path]) -> Bundle:
    """Open a model file and check everything that can be checked without running it.

    Raises:
        HyperKDError: ``bad_model`` where the file is not an ONNX model, was cut
            short or changed, or has no card; ``untrusted_model`` where it is a pickled
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
    require_trusted(path.name, graph)
    sha256, intact = digest_of(graph, content)
    if not intact:
        raise _cut_short(path.name, _NOT_AS_WRITTEN)
    card = _card_of(path.name, graph)
    missing = sorted(set(INPUTS) - {value.name for value in graph.graph.input})
    if missing:
        raise HyperKDError(
            "bad_model",
            f"The model {path.name} has no input {', '.join(missing)}.",
            "Export it with hyperkd export.",
        )
    _refuse_other_shapes(path.name, graph.graph, card)
    return Bundle(path, card, sha256, graph)


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
        HyperKDError: ``bad_model`` where the file is not a safetensors file, was
            cut short, or has no card; ``untrusted_model`` for a pickled object.
    """
    path = Path(path)
    metadata = _checkpoint_metadata(path)
    if CARD_KEY not in metadata:
        raise _no_card(path.name)
    text = metadata[CARD_KEY]
    # Checkpoints of earlier versions state none.
    if metadata.get(CARD_SEAL_KEY) not in (None, text_digest(text)):
        raise _cut_short(path.name, _NOT_AS_WRITTEN)
    return ModelCard.from_json(text)


def require_intact_tensors(path: Union[str, Path]) -> None:
    """Refuse a checkpoint whose tensors changed since it was written, without torch.

    Raises:
        HyperKDError: ``bad_model``, and as ``read_checkpoint_card``.
    """
    path = Path(path)
    stated = _checkpoint_metadata(path).get(SEAL_KEY)
    if stated is None:  # of an earlier version
        return
    with path.open("rb") as file:
        if tensors_digest(file) != stated:
            raise _cut_short(path.name, "its tensors are not those that were written")


def _checkpoint_metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    _refuse_missing(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(9)
    except OSError as error:
        raise _unreadable(path, error) from error
    _refuse_pickle(path.name, start)
    try:
        with safe_open(path, framework="numpy") as checkpoint:
            return checkpoint.metadata() or {}
    except SafetensorError as error:
        # The header begins at byte 8 with a JSON object in every safetensors file.
        if start[8:] == b"{":
            raise _cut_short(path.name, error) from error
        raise HyperKDError(
            "bad_model", f"{path.name} is not a safetensors checkpoint: {error}.", _OTHER_MODEL
        ) from error


def _read(path: Path) -> bytes:
    _refuse_missing(path)
    try:
        content = read_regular(path, _LARGEST_FILE)
    except OSError as error:
        raise _unreadable(path, error) from error
    _refuse_pickle(path.name, content[:9])
    return content


def _refuse_missing(path: Path) -> None:
    try:
        found = path.is_file()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not found:
        raise HyperKDError(
            "bad_model",
            f"There is no model file {str(path)!r}.",
            "Check the path, or give the name of a shipped student.",
        )


def _unreadable(path: Path, error: OSError) -> HyperKDError:
    return HyperKDError(
        "bad_model",
        f"The model file {path} cannot be read: {error.strerror}.",
        "Give a file that you may read.",
        path=str(path),
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


def _card_of(name: str, model: ModelProto) -> ModelCard:
    for entry in model.metadata_props:
        if entry.key == CARD_KEY:
            return ModelCard.from_json(entry.value)
    raise _no_card(name)


def _refuse_other_shapes(name: str, graph: GraphProto, card: ModelCard) -> None:
    """Refuse a graph whose outputs or channels are not those that the card describes."""
    outputs = tuple(value.name for value in graph.output)
    if outputs != card.outputs:
        raise HyperKDError(
            "bad_model",
            f"The model {name} gives {', '.join(outputs)}; its card is that of a {card.task} "
            f"model, which gives {', '.join(card.outputs)}.",
            _OTHER_MODEL,
        )
    channels = output_channels(card)
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type != _FLOAT:
            raise HyperKDError(
                "bad_model",
                f"In the model {name} {value.name} is not an array of float32.",
                _OTHER_MODEL,
            )
        dims = value.type.tensor_type.shape.dim
        known = len(dims) == 4 and dims[1].WhichOneof("value") == "dim_value"
        fits = value.name in channels and len(dims) == 4
        if not fits or (known and dims[1].dim_value != channels[value.name]):
            shape = " x ".join(dim.dim_param or str(dim.dim_value) for dim in dims)
            raise HyperKDError(
                "bad_model",
                f"In the model {name} {value.name} is {shape}, but its card describes "
                f"{channels.get(value.name, 'no')} channels of it.",
                _OTHER_MODEL,
            )


def output_channels(card: ModelCard) -> dict[str, int]:
    """Return how many channels each input and output of a model with this card has."""
    return {
        INPUTS[0]: len(card.bands),
        INPUTS[1]: 1,
        "embedding": card.embedding_dim,
        "reconstruction": len(card.bands),
        "logits": len(card.classes),
        "values": len(card.targets) * (2 if card.has_spread else 1) + card.has_applicability,
    }


def _no_model(name: str) -> HyperKDError:
    return HyperKDError("bad_model", f"{name} is not an ONNX model.", "Give an .onnx file.")


def _cut_short(name: str, why: Any) -> HyperKDError:
    return HyperKDError(
        "bad_model", f"{name} was cut short or damaged: {why}.", "Copy or download it again."
    )


def _no_card(name: str) -> HyperKDError:
    return HyperKDError(
        "bad_model",
        f"The model {name} has no card ({CARD_KEY}).",
        "Without one its bands are unknown. Export it with hyperkd export.",
    )
