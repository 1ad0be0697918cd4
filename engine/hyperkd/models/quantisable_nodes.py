"""What of an ONNX graph may be computed with fewer bits, and what has to stay float32.

Whatever reads the pixels stays float32: a sensor is folded into it, and then it takes
what a file stores, integers of 16 bits. The patch embedding stays as well: with 8 bits
for what enters it the shipped student is off five times as far as with 8 bits in all
its blocks, and it takes a twentieth of the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hyperkd.models.onnx_graph import PIXELS, drop_unused

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# What sums over channels. What follows the last of them only scales, adds and moves.
_PRODUCTS: Final = ("Conv", "MatMul", "Gemm")


def prepared(model: ModelProto) -> ModelProto:
    """Return a copy whose weights lie as they are multiplied, and whose nodes have names.

    An exporter leaves a weight as torch keeps it and a Transpose behind it, which hides
    it from whoever looks for constant weights.
    """
    from onnx import ModelProto, numpy_helper

    ready = ModelProto()
    ready.CopyFrom(model)
    ready.ClearField("metadata_props")
    graph = ready.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in tensors:
            weight = numpy_helper.to_array(tensors[node.input[0]])
            order = next((list(each.ints) for each in node.attribute if each.name == "perm"), None)
            turned = np.ascontiguousarray(weight.transpose(order))
            graph.initializer.append(numpy_helper.from_array(turned, node.output[0]))
        else:
            nodes.append(node)
    _fill(graph.node, nodes)
    for number, node in enumerate(graph.node):
        node.name = f"{number} {node.op_type}"
    drop_unused(graph)
    return ready


def weight_products(model: ModelProto) -> list[str]:
    """Return the names of the matrix products with constant weights, of a ``prepared`` model."""
    sides = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and sides.get(node.input[1]) == 2
    ]


def float32_nodes(model: ModelProto) -> list[str]:
    """Return the names of the nodes that float16 would harm, of a ``prepared`` model.

    These are whatever does not depend on an input's values (positions and distances of
    tokens, whose sines need more digits), and what follows the last products before an
    output (the scale of a target, which may be beyond the 65504 of float16).
    """
    graph = model.graph
    alive = {value.name for value in graph.input}
    for node in graph.node:
        if node.op_type != "Shape" and alive & set(node.input):
            alive |= set(node.output)
    kept = {node.name for node in graph.node if not alive & set(node.output)}

    makers = {name: node for node in graph.node for name in node.output}
    waiting = [output.name for output in graph.output]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker.name not in kept and maker.op_type not in _PRODUCTS:
            kept.add(maker.name)
            waiting += maker.input
    return [node.name for node in graph.node if node.name in kept]


class FirstLayers:
    """The layers that read the pixels, taken out of a model and put back into another.

    Args:
        model: ``prepared``.

    Attributes:
        rest: the model without them; it takes what they give in place of the pixels.
    """

    def __init__(self, model: ModelProto) -> None:
        from onnx import ModelProto, TensorProto, helper

        self._layers = [node for node in model.graph.node if _reads_values(node)]
        weights = {name for node in self._layers for name in node.input[1:]}
        self._weights = [tensor for tensor in model.graph.initializer if tensor.name in weights]
        self._inputs = list(model.graph.input)
        self.rest = ModelProto()
        self.rest.CopyFrom(model)
        graph = self.rest.graph
        _fill(graph.node, [node for node in graph.node if not _reads_values(node)])
        _fill(graph.input, [value for value in graph.input if value.name != PIXELS])
        for node in self._layers:
            # Nothing is known of its sizes here, and nothing has to be.
            graph.input.append(
                helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, [None] * 4)
            )
        drop_unused(graph)

    def before(self, model: ModelProto) -> ModelProto:
        """Return ``model``, which was made of ``rest``, with the layers in front of it.

        Its nodes may be in any order; they are put into the one in which they can run.
        """
        graph = model.graph
        known = {tensor.name for tensor in graph.initializer}
        _fill(graph.input, self._inputs)
        nodes = [*self._layers, *graph.node]
        makers = {name: place for place, node in enumerate(nodes) for name in node.output}
        needs = {
            place: [makers[name] for name in node.input if name in makers]
            for place, node in enumerate(nodes)
        }
        _fill(graph.node, [nodes[place] for place in TopologicalSorter(needs).static_order()])
        graph.initializer.extend(each for each in self._weights if each.name not in known)
        return model


def drop_round_trips(model: ModelProto) -> None:
    """Let float32 that became float16 and float32 again stay what it was, in place.

    A converter that looks at one node at a time puts casts between two float32 nodes too.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    casts = {
        (node.output[0], helper.get_node_attr_value(node, "to")): node.input[0]
        for node in graph.node
        if node.op_type == "Cast"
    }
    straight = {
        name: casts[half, TensorProto.FLOAT16]
        for (name, kind), half in casts.items()
        if kind == TensorProto.FLOAT and (half, TensorProto.FLOAT16) in casts
    }
    needless = set(straight)
    for output in graph.output:  # its name stays: what makes it takes this name
        if output.name in straight:
            before = straight[output.name]
            straight = {n: output.name if s == before else s for n, s in straight.items()}
            straight[before] = output.name
    _fill(
        graph.node,
        [n for n in graph.node if not (n.op_type == "Cast" and n.output[0] in needless)],
    )
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = straight.get(name, name)
    read = {name for node in graph.node for name in node.input}
    read |= {output.name for output in graph.output}
    nodes, made = [], set[str]()
    for node in graph.node:
        if node.op_type == "Cast":
            # What nobody reads any more, and what two readers got a cast of the same name for.
            if node.output[0] not in read or node.output[0] in made:
                continue
            made.add(node.output[0])
        nodes.append(node)
    _fill(graph.node, nodes)


def _reads_values(node: NodeProto) -> bool:
    # A shape of the pixels is their batch, rows and columns.
    return PIXELS in node.input and node.op_type != "Shape"


def _fill(repeated: Any, items: Iterable[Any]) -> None:
    """Make a repeated field of a message hold these items and nothing else."""
    kept = list(items)
    del repeated[:]
    repeated.extend(kept)
