"""Surgery on ONNX graphs: cut down to one output, fold a map into what reads the pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.spectral.affine import Affine
from hyperkd.types import BoolArray

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

PIXELS: Final = "pixels"
# The constant that tells a network which of its bands there are: ``(1, C, 1, 1)``, 1 or 0.
PRESENT: Final = "bands_present"

# Keys of protobuf: ModelProto.graph is field 7, GraphProto.initializer field 5, both of the
# wire type 2, a length and so many bytes.
_GRAPH, _INITIALIZER = bytes([7 << 3 | 2]), bytes([5 << 3 | 2])

# Numbers of TensorProto for float32, float16, float64 and bfloat16.
_FLOATS: Final = (1, 10, 11, 16)

# Inputs of a Resize: what is resized, the region, the scales, the sizes.
_SCALES, _SIZES = 2, 3


def cut(model: ModelProto, tensor: str, name: str) -> ModelProto:
    """Return a model that computes one tensor and nothing else; its inputs stay.

    Its constants stay where they are, see ``with_constants``: onnx's own extractor copies
    them several times.

    Args:
        model: the whole, which is not changed.
        tensor: what to compute, an output of a node.
        name: how the new model calls it.
    """
    from onnx import ModelProto, TensorProto, helper

    whole = model.graph
    makers = {made: place for place, node in enumerate(whole.node) for made in node.output}
    needed: set[str] = set()
    kept: set[int] = set()
    waiting = [tensor]
    while waiting:
        each = waiting.pop()
        if each not in needed:
            needed.add(each)
            if each in makers:
                kept.add(makers[each])
                waiting += whole.node[makers[each]].input

    small = ModelProto(ir_version=model.ir_version)
    small.opset_import.extend(model.opset_import)
    graph = small.graph
    graph.name = whole.name
    graph.node.extend(whole.node[place] for place in sorted(kept))
    graph.input.extend(whole.input)
    known = [output for output in whole.output if output.name == tensor]
    graph.output.append(
        known[0] if known else helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    )
    if name != tensor:
        graph.output[0].name = name
        for node in graph.node:
            for names in (node.input, node.output):
                for place, each in enumerate(names):
                    if each == tensor:
                        names[place] = name
    return small


def fold(
    graph: GraphProto, constants: Iterable[TensorProto], first_layer: Affine, model: str
) -> None:
    """Put ``first_layer`` into every convolution that reads the pixels, in place.

    Args:
        graph: then takes as many channels as ``first_layer`` has inputs, and holds the new
            weights of these convolutions.
        constants: what the nodes of ``graph`` read besides computed tensors.
        first_layer: ``(C, sources)`` map to what the convolutions read now.
        model: what to call it in messages.

    Raises:
        HyperKDError: ``bad_model`` where something else than a 1 x 1 convolution reads the
            pixels, ``band_mismatch`` where ``first_layer`` gives another number of bands.
    """
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in constants}
    bands, sources = first_layer.matrix.shape
    for node in _first_convolutions(graph, tensors, model):
        weight, *bias = (_numbers(tensors[name], model) for name in node.input[1:])
        if any(each.shape != (len(weight),) for each in bias):
            raise _damaged(model, tensors[node.input[2]].name, "its shape is not that of a bias")
        if bands != weight.shape[1]:
            raise HyperKDError(
                "band_mismatch",
                f"The first layer gives {bands} bands, the model takes {weight.shape[1]}.",
                "Resample the raster's bands to the bands of the model's card.",
            )
        folded = first_layer.then(
            Affine(weight[:, :, 0, 0], bias[0] if bias else np.zeros(len(weight)))
        )
        # New tensors: another node may read the old ones.
        names = [f"{node.output[0]}.folded_{part}" for part in ("weight", "bias")]
        for name, values in zip(names, (folded.matrix[:, :, None, None], folded.offset)):
            graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
        del node.input[1:]
        node.input.extend(names)
    pixels = next(value for value in graph.input if value.name == PIXELS)
    pixels.type.tensor_type.shape.dim[1].dim_value = sources


def with_present(
    constants: Iterable[TensorProto], present: BoolArray, model: str
) -> list[TensorProto]:
    """Return the constants, of which ``bands_present`` says which bands there are.

    Args:
        present: ``(C,)`` bool.
        model: what to call it in messages.

    Raises:
        HyperKDError: ``bad_model`` where there is no such constant of this size.
    """
    from onnx import numpy_helper

    told = numpy_helper.from_array(present.astype(np.float32)[None, :, None, None], PRESENT)
    replaced = [
        told if tensor.name == PRESENT and tensor.dims == told.dims else tensor
        for tensor in constants
    ]
    if not any(tensor is told for tensor in replaced):
        raise HyperKDError(
            "bad_model",
            f"The card of the model {model} allows missing bands, but nothing tells its network "
            "which bands there are.",
            "Take another copy of the model, or export it again.",
        )
    return replaced


def with_constants(model: ModelProto, constants: Iterable[TensorProto]) -> bytes:
    """Return the file of a model with those of ``constants`` that its nodes read.

    Writing a large message as a whole takes three times as long, and adding the constants
    to it first would copy them. So each is a part of the graph of its own: whoever reads
    the file merges them, as protobuf prescribes.
    """
    read = {name for node in model.graph.node for name in node.input}
    file = BytesIO()
    file.write(model.SerializeToString())
    for tensor in constants:
        if tensor.name in read:
            content = tensor.SerializeToString()
            start = _INITIALIZER + _varint(len(content))
            file.write(_GRAPH + _varint(len(start) + len(content)) + start)
            file.write(content)
    return file.getvalue()


def _varint(number: int) -> bytes:
    """Return a number as protobuf writes it: 7 bits a byte, the lowest first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def drop_unused(graph: GraphProto) -> None:
    """Drop the constants that no node reads, in place."""
    read = {name for node in graph.node for name in node.input}
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in read:
            del graph.initializer[place]


def before_upsampling(model: ModelProto, output: str, factor: int) -> Optional[str]:
    """Return the tensor that ``output`` is made of bilinearly, ``factor`` times as large.

    None where the output is not made by just that.
    """
    from onnx import helper

    makers = {name: node for node in model.graph.node for name in node.output}
    node = makers.get(output)
    if node is None or node.op_type != "Resize" or len(node.input) <= _SCALES:
        return None
    scales = [t for t in model.graph.initializer if t.name == node.input[_SCALES]]
    settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    plain = (
        settings.get("mode") == b"linear"
        and settings.get("coordinate_transformation_mode", b"half_pixel") == b"half_pixel"
        and not settings.get("antialias")
        and not any(node.input[_SIZES:])
        and len(scales) == 1
        and _numbers(scales[0], "itself").tolist() == [1, 1, factor, factor]
    )
    return node.input[0] if plain else None


def _first_convolutions(
    graph: GraphProto, tensors: Mapping[str, TensorProto], model: str
) -> list[NodeProto]:
    """Return the nodes that read the pixels, all of them 1 x 1 convolutions."""
    found = []
    for node in graph.node:
        # A shape of the pixels is their batch, rows and columns, whatever the bands.
        if PIXELS not in node.input or node.op_type == "Shape":
            continue
        if not _is_spectral(node, tensors):
            raise _no_stem(
                f"The pixels of the model {model} go into {node.op_type} {node.name!r}, "
                "which is not a spectral stem (a 1 x 1 convolution)."
            )
        found.append(node)
    if not found:
        raise _no_stem(f"The model {model} does not read its pixels: it has no spectral stem.")
    return found


def _is_spectral(node: NodeProto, tensors: Mapping[str, TensorProto]) -> bool:
    """Tell whether a node is a 1 x 1 convolution over all bands, with constant weights."""
    constant = len(node.input) in (2, 3) and all(name in tensors for name in node.input[1:])
    if node.op_type != "Conv" or node.input[0] != PIXELS or not constant:
        return False
    groups = [attribute.i for attribute in node.attribute if attribute.name == "group"]
    return list(tensors[node.input[1]].dims[2:]) == [1, 1] and groups in ([], [1])


def _numbers(tensor: TensorProto, model: str) -> NDArray[np.float64]:
    """Return the values of a constant.

    Raises:
        HyperKDError: ``bad_model`` where it does not hold the numbers that it says.
    """
    from onnx import numpy_helper

    if tensor.data_type not in _FLOATS:
        raise _damaged(model, tensor.name, f"its type {tensor.data_type} is not floating point")
    try:
        values: NDArray[np.float64] = numpy_helper.to_array(tensor).astype(np.float64)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _damaged(model, tensor.name, str(error)) from error
    return values


def _damaged(model: str, tensor: str, why: str) -> HyperKDError:
    return HyperKDError(
        "bad_model",
        f"The model {model} was cut short or damaged: its tensor {tensor} is unusable ({why}).",
        "Copy or download it again.",
    )


def _no_stem(message: str) -> HyperKDError:
    return HyperKDError("bad_model", message, "Take another copy of the model, or export it again.")
