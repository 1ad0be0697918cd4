"""The exporter, which takes most of a small job's time, for networks of a kind once only.

The graph that it wrote is kept, and the weights of the next network of the same kind are put
into it. Where the result does not answer as torch does, for the graph holds something else of
the first network, the exporter is asked after all.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Optional

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper
from torch import nn

from hyperkd.models.card import ModelCard
from hyperkd.training import export

real = export._to_onnx
# The graph, and by initialiser: the parameter that it holds and whether transposed.
_Known = tuple[ModelProto, dict[str, tuple[str, bool]]]
_known: dict[str, _Known] = {}
_folder: Optional[Path] = None


def keep_in(folder: Path) -> None:
    """Keep graphs in a folder too, where other processes find them."""
    global _folder
    folder.mkdir(parents=True, exist_ok=True)
    _folder = folder


def to_onnx(deployed: nn.Module, card: ModelCard) -> ModelProto:
    """Stand in for ``export._to_onnx``."""
    state = {name: value.detach().numpy() for name, value in deployed.state_dict().items()}
    shapes = tuple((name, value.shape) for name, value in state.items())
    # Not the tile: a graph takes any, and is compared with torch on that of its card.
    kind = (type(deployed), str(deployed), shapes, card.outputs, card.patch_px)
    key = hashlib.sha256(repr(kind).encode()).hexdigest()
    if key not in _known:
        _known[key] = _read(key) or _ask(deployed, card, state)
        _write(key, *_known[key])
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


def _ask(deployed: nn.Module, card: ModelCard, state: dict[str, np.ndarray]) -> _Known:
    graph = real(deployed, card)
    origins = {
        tensor.name: found
        for tensor in graph.graph.initializer
        if (found := _origin(tensor.name, numpy_helper.to_array(tensor), state))
    }
    return graph, origins


def _read(key: str) -> Optional[_Known]:
    if _folder is None or not (_folder / f"{key}.onnx").exists():
        return None
    origins = json.loads((_folder / f"{key}.json").read_text())
    return onnx.load(_folder / f"{key}.onnx"), {name: tuple(at) for name, at in origins.items()}


def _write(key: str, graph: ModelProto, origins: dict[str, tuple[str, bool]]) -> None:
    """Write both files whole: another process may be reading. The graph's is the last."""
    if _folder is None or (_folder / f"{key}.onnx").exists():
        return
    part = _folder / f"{key}.{os.getpid()}"
    part.write_text(json.dumps(origins))
    part.replace(_folder / f"{key}.json")
    part.write_bytes(graph.SerializeToString())
    part.replace(_folder / f"{key}.onnx")


def _origin(
    name: str, value: np.ndarray, state: dict[str, np.ndarray]
) -> Optional[tuple[str, bool]]:
    if name in state and np.array_equal(state[name], value):
        return name, False
    turned = [each for each in state if np.array_equal(state[each].T, value)]
    return (turned[0], True) if value.ndim == 2 and len(turned) == 1 else None
