"""The exporter, which takes most of a small job's time, for networks of a kind once only.

The graph that it wrote is kept, and the weights of the next network of the same kind are put
into it. Where the result does not answer as torch does, for the graph holds something else of
the first network, the exporter is asked after all.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from onnx import ModelProto, numpy_helper
from torch import nn

from hyperkd.models.card import ModelCard
from hyperkd.training import export

real = export._to_onnx
# The graph, and by initialiser: the parameter that it holds and whether transposed.
_known: dict[Any, tuple[ModelProto, dict[str, tuple[str, bool]]]] = {}


def to_onnx(deployed: nn.Module, card: ModelCard) -> ModelProto:
    """Stand in for ``export._to_onnx``."""
    state = {name: value.detach().numpy() for name, value in deployed.state_dict().items()}
    shapes = tuple((name, value.shape) for name, value in state.items())
    key = (type(deployed), str(deployed), shapes, card.outputs, card.patch_px, card.tile_px)
    if key not in _known:
        graph = real(deployed, card)
        origins = {
            tensor.name: found
            for tensor in graph.graph.initializer
            if (found := _origin(tensor.name, numpy_helper.to_array(tensor), state))
        }
        _known[key] = (graph, origins)
    kept, origins = _known[key]
    made = ModelProto()
    made.CopyFrom(kept)
    for tensor in made.graph.initializer:
        if tensor.name in origins:
            name, turned = origins[tensor.name]
            value = np.ascontiguousarray(state[name].T if turned else state[name])
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    try:
        export._verify(made.SerializeToString(), card)
    except RuntimeError:
        return real(deployed, card)
    return made


def _origin(
    name: str, value: np.ndarray, state: dict[str, np.ndarray]
) -> Optional[tuple[str, bool]]:
    if name in state and np.array_equal(state[name], value):
        return name, False
    turned = [each for each in state if np.array_equal(state[each].T, value)]
    return (turned[0], True) if value.ndim == 2 and len(turned) == 1 else None
