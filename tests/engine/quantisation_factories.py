"""A small model with everything that quantisation meets in a real one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.models.card import CARD_KEY
from tests.engine.inference_factories import CENTRES, TILE, make_card

BANDS, WIDTH, HIDDEN, PATCH = 5, 16, 32, 2
CLASSES = tuple(
    {"name": name, "value": value, "color": "#102030"}
    for value, name in enumerate(("water", "wood", "wheat"), 1)
)
TARGETS = (
    {"name": "height", "unit": "m", "minimum": 0.0, "maximum": 40.0},
    {"name": "biomass", "unit": "kg/ha", "minimum": 0.0, "maximum": 400000.0},
)
# Far beyond the largest number of float16.
MEAN, STD = np.array([20.0, 200000.0]), np.array([5.0, 60000.0])


def make_blocks(path: Path, task: str = "classification", seed: int = 0) -> str:
    """Write a model with stem, patches, a block of two products, and a head on the pixels.

    As in an export the weights of the products lie behind a Transpose, and positions are
    computed from the shape of the input.
    """
    random = np.random.default_rng(seed)

    def weight(*shape: int) -> NDArray[np.float32]:
        fan = max(1, int(np.prod(shape[1:])))
        return (random.normal(size=shape) / np.sqrt(fan)).astype(np.float32)

    answers = {"classification": len(CLASSES), "regression": len(TARGETS), "pretrain": BANDS}[task]
    weights: dict[str, Any] = {
        "stem.weight": 3 * weight(8, BANDS, 1, 1),
        "stem.bias": weight(8),
        "patches.weight": weight(WIDTH, 8, PATCH, PATCH),
        "expand.weight": weight(HIDDEN, WIDTH),
        "expand.bias": weight(HIDDEN),
        "contract.weight": weight(WIDTH, HIDDEN),
        "scales": np.array([1, 1, PATCH, PATCH], np.float32),
        "start": np.float32(0),
        "one": np.float32(1),
        "frequency": np.float32(31.7),
        "linear.weight": 2 * weight(answers, BANDS, 1, 1),
        "far.weight": weight(answers, WIDTH, 1, 1),
        "mean": MEAN[:, None, None].astype(np.float32),
        "std": STD[:, None, None].astype(np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["pixels", "stem.weight", "stem.bias"], ["stem"]),
        node("Mul", ["stem", "valid"], ["masked"]),
        node("Tanh", ["masked"], ["shaped"]),
        node("Conv", ["shaped", "patches.weight"], ["patches"], strides=[PATCH, PATCH]),
        node("Transpose", ["patches"], ["channels_last"], perm=[0, 2, 3, 1]),
        # Positions: the sine of 31.7 times the column, from the shape alone.
        node("Shape", ["patches"], ["cols_1"], start=3, end=4),
        node("Squeeze", ["cols_1"], ["cols_i"]),
        node("Cast", ["cols_i"], ["cols"], to=TensorProto.FLOAT),
        node("Range", ["start", "cols", "one"], ["col"]),
        node("Mul", ["col", "frequency"], ["angle"]),
        node("Sin", ["angle"], ["sine"]),
        node("Unsqueeze", ["sine", "last"], ["position"]),
        node("Add", ["channels_last", "position"], ["placed"]),
        node("Transpose", ["expand.weight"], ["expand"], perm=[1, 0]),
        node("MatMul", ["placed", "expand"], ["expanded"]),
        node("Add", ["expanded", "expand.bias"], ["biased"]),
        node("Tanh", ["biased"], ["hidden"]),
        node("Transpose", ["contract.weight"], ["contract"], perm=[1, 0]),
        node("MatMul", ["hidden", "contract"], ["contracted"]),
        node("Add", ["placed", "contracted"], ["mixed"]),
        node("Transpose", ["mixed"], ["tokens"], perm=[0, 3, 1, 2]),
        node("Resize", ["tokens", "", "scales"], ["wide"], mode="linear"),
    ]
    if task == "pretrain":
        nodes[-1].output[0] = "embedding"
        nodes += [node("Conv", ["embedding", "far.weight"], ["reconstruction"])]
        outputs = {"embedding": WIDTH, "reconstruction": BANDS}
        about: dict[str, Any] = {}
    else:
        nodes += [
            node("Conv", ["wide", "far.weight"], ["far"]),
            node("Conv", ["pixels", "linear.weight"], ["near"]),
            node("Add", ["near", "far"], ["sum"]),
        ]
        if task == "classification":
            nodes[-1].output[0] = "logits"
            outputs, about = {"logits": answers}, {"classes": CLASSES}
        else:
            nodes += [
                node("Mul", ["sum", "std"], ["scaled"]),
                node("Add", ["scaled", "mean"], ["values"]),
            ]
            outputs, about = {"values": answers}, {"targets": TARGETS}
    read = {name for each in nodes for name in each.input}

    def value(name: str, channels: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", channels, "H", "W"])

    initializers = [
        numpy_helper.from_array(np.asarray(each), name)
        for name, each in weights.items()
        if name in read
    ]
    initializers.append(numpy_helper.from_array(np.array([1], np.int64), "last"))
    graph = helper.make_graph(
        nodes,
        "blocks",
        [value("pixels", BANDS), value("valid", 1)],
        [value(name, channels) for name, channels in outputs.items()],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    card = make_card(CENTRES, task=task, embedding_dim=WIDTH, **about)
    model.metadata_props.add(key=CARD_KEY, value=card.to_json())
    model.metadata_props.add(key="tile_size", value=str(TILE))
    onnx.save_model(model, str(path))
    return str(path)


def with_graph(bundle: Bundle, graph: onnx.ModelProto) -> Bundle:
    """Return the bundle with another graph."""
    return dataclasses.replace(bundle, graph=graph)


def opened(path: str) -> Bundle:
    """Open a model."""
    return open_bundle(path)
