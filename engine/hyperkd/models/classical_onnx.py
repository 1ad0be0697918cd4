"""Classical models as ONNX graphs, which answer pixel by pixel as a network does.

They are made of plain arrays, so neither torch nor scikit-learn is needed here. All begin
with the standardisation of the bands as a 1 x 1 convolution, into which inference folds a
sensor, and all but forests are convolutions throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.models.pixel_graph import TREES, PixelGraph
from hyperkd.types import FloatArray

if TYPE_CHECKING:
    from onnx import ModelProto

# The logarithm of a probability needs one. All classes together change by less than 1e-5 by it.
LEAST_PROBABILITY: Final = 1e-8
# Bytes that the weights of a kernel machine may take: its pairs of classes grow by the square.
MAX_BYTES: Final = 100_000_000


@dataclass(frozen=True, eq=False)
class AffineModel:
    """``weight @ spectrum + bias``.

    Attributes:
        weight: ``(K, C)``.
        bias: ``(K,)``.
    """

    weight: FloatArray
    bias: FloatArray


@dataclass(frozen=True, eq=False)
class KernelMachine:
    """A support vector machine with a Gaussian kernel: each pair of classes has a decision.

    Two classes get half of their decision, one with the other sign. Of more, each gets its
    votes, and less than half a vote by the sum of its decisions, which breaks ties.

    Attributes:
        vectors: ``(n, C)`` support vectors.
        gamma: of the kernel ``exp(-gamma |x - v|^2)``.
        weight: ``(P, n)`` of the kernels in each decision.
        bias: ``(P,)`` of the decisions.
        pairs: ``(P, 2)`` the class that a positive decision votes for, and the other one.
    """

    vectors: FloatArray
    gamma: float
    weight: FloatArray
    bias: FloatArray
    pairs: NDArray[np.int64]
    classes: int


@dataclass(frozen=True, eq=False)
class Tree:
    """A decision tree; node 0 is its root.

    Attributes:
        feature: ``(nodes,)`` band that is looked at, negative for a leaf.
        threshold: ``(nodes,)`` values up to it go left.
        left, right: ``(nodes,)`` which node follows.
        values: ``(nodes, K)`` what it adds to each output; only leaves count.
    """

    feature: NDArray[np.int64]
    threshold: FloatArray
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    values: FloatArray


@dataclass(frozen=True, eq=False)
class Forest:
    """The sum of trees.

    Attributes:
        trees: at least one.
        outputs: K.
        is_probability: whether the sums are probabilities of classes; their logarithms are
            the answer then.
    """

    trees: Sequence[Tree]
    outputs: int
    is_probability: bool


Classical = Union[AffineModel, KernelMachine, Forest]


def classical_graph(
    model: Classical, mean: Sequence[float], std: Sequence[float], output: str
) -> ModelProto:
    """Return the graph of a classical model, without a card.

    Args:
        model: for standardised spectra.
        mean, std: ``(C,)`` reflectance that the bands are standardised with.
        output: ``logits`` or ``values``.
    """
    graph = _Graph(len(mean))
    graph.standardise(mean, std)
    if isinstance(model, AffineModel):
        width, last = len(model.bias), graph.product("spectra", model.weight, model.bias, "answer")
    elif isinstance(model, KernelMachine):
        width, last = model.classes, graph.kernel_machine(model)
    else:
        width, last = model.outputs, graph.forest(model)
    return graph.finish(last, output, width, name="classical")


class _Graph(PixelGraph):
    """The graph of a classical model."""

    def kernel_machine(self, model: KernelMachine) -> str:
        """Add a kernel machine and return its answer."""
        # -gamma |x - v|^2 = 2 gamma v x - gamma |v|^2 - gamma |x|^2
        vectors, gamma = np.asarray(model.vectors, np.float64), float(model.gamma)
        cross = self.product(
            "spectra", 2 * gamma * vectors, -gamma * np.square(vectors).sum(1), "cross"
        )
        squares = self.node("Mul", ["spectra", "spectra"], "squares")
        length = self.product(squares, np.full((1, self._bands), -gamma), np.zeros(1), "length")
        kernels = self.node("Exp", [self.node("Add", [cross, length], "distance")], "kernels")
        decisions = self.product(kernels, model.weight, model.bias, "decisions")
        votes = np.zeros((model.classes, len(model.pairs)))
        votes[model.pairs[:, 0], np.arange(len(model.pairs))] = 1
        votes[model.pairs[:, 1], np.arange(len(model.pairs))] = -1
        if model.classes == 2:
            return self.product(decisions, votes / 2, np.zeros(2), "answer")
        # A decision that is not positive is a vote for the other class.
        positive = self.node(
            "Greater", [decisions, self.constant("zero", np.zeros(()))], "is_positive"
        )
        counted = self.node("Cast", [positive], "positive", to=1)
        won = self.product(counted, votes, (votes < 0).sum(1).astype(np.float64), "votes")
        total = self.product(decisions, votes, np.zeros(model.classes), "confidence")
        room = self.node("Abs", [total], "size")
        room = self.node("Add", [room, self.constant("one", np.ones(()))], "room")
        room = self.node("Mul", [room, self.constant("three", np.full((), 3.0))], "scale")
        share = self.node("Div", [total, room], "share")
        return self.node("Add", [won, share], "answer")

    def forest(self, model: Forest) -> str:
        """Add a forest and return its answer: pixels become rows for it, and pixels again."""
        last = self.node("Transpose", ["spectra"], "by_pixel", perm=[0, 2, 3, 1])
        place = self.node("Shape", [last], "place", start=0, end=3)
        rows = self.node(
            "Reshape", [last, self.constant("rows", [-1, self._bands], np.int64)], "samples"
        )
        sums = self.node(
            "TreeEnsembleRegressor", [rows], "sums", domain=TREES, **_attributes(model)
        )
        if model.is_probability:
            least = self.constant("least", np.full((), LEAST_PROBABILITY))
            sums = self.node("Log", [self.node("Max", [sums, least], "probability")], "logarithm")
        width = self.constant("width", [model.outputs], np.int64)
        shape = self.node("Concat", [place, width], "shape", axis=0)
        last = self.node("Reshape", [sums, shape], "image")
        return self.node("Transpose", [last], "answer", perm=[0, 3, 1, 2])


def _attributes(model: Forest) -> dict[str, Any]:
    """Return the trees as the operator's lists, one entry for each node or leaf value."""
    sizes = [len(tree.feature) for tree in model.trees]
    number = np.repeat(np.arange(len(sizes)), sizes)
    node = np.concatenate([np.arange(size) for size in sizes])
    feature = np.concatenate([tree.feature for tree in model.trees])
    is_leaf = feature < 0
    values = np.concatenate([tree.values for tree in model.trees])
    # A leaf need not add zeros, but it has to add something.
    counts = is_leaf[:, None] & (values != 0)
    counts[is_leaf & ~counts.any(1), 0] = True
    leaf, target = np.nonzero(counts)

    def of_nodes(name: str) -> NDArray[Any]:
        kept = np.concatenate([getattr(tree, name) for tree in model.trees])
        return np.where(is_leaf, 0, kept)

    return {
        "n_targets": model.outputs,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "nodes_treeids": number.tolist(),
        "nodes_nodeids": node.tolist(),
        "nodes_featureids": np.where(is_leaf, 0, feature).tolist(),
        "nodes_modes": np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_values": not_above(of_nodes("threshold")).tolist(),
        "nodes_truenodeids": of_nodes("left").tolist(),
        "nodes_falsenodeids": of_nodes("right").tolist(),
        "target_treeids": number[leaf].tolist(),
        "target_nodeids": node[leaf].tolist(),
        "target_ids": target.tolist(),
        "target_weights": values[leaf, target].astype(np.float32).tolist(),
    }


def not_above(threshold: FloatArray) -> NDArray[np.float32]:
    """Return the largest float32 not above each value: float32 compare with it as with those."""
    found = threshold.astype(np.float32)
    beyond = found.astype(np.float64) > threshold
    found[beyond] = np.nextafter(found[beyond], np.float32(-np.inf))
    return found
