"""ONNX graphs that answer pixel by pixel, written operator by operator from plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Optional, Union

import numpy as np

from hyperkd.types import FloatArray

if TYPE_CHECKING:
    from onnx import ModelProto

# As exports of networks have them; operators on trees are an extension of ONNX.
_OPSET: Final = 20
_IR_VERSION: Final = 9
TREES: Final = "ai.onnx.ml"
_TREES_OPSET: Final = 3


class PixelGraph:
    """Collects the nodes and constants of a graph that answers pixel by pixel.

    Args:
        bands: channels of its input ``pixels``; its other input, ``valid``, is not read.
    """

    def __init__(self, bands: int) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._bands = bands

    def standardise(self, mean: Sequence[float], std: Sequence[float]) -> str:
        """Add ``(pixels - mean) / std``, called ``spectra``."""
        deviation = np.asarray(std, np.float64)
        centred = -np.asarray(mean, np.float64) / deviation
        return self.product("pixels", np.diag(1 / deviation), centred, "spectra")

    def node(self, operator: str, inputs: Sequence[str], output: str, **settings: Any) -> str:
        """Add an operator and return the name of its output."""
        from onnx import helper

        self._nodes.append(
            helper.make_node(operator, list(inputs), [output], name=output, **settings)
        )
        return output

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name

    def product(self, source: str, weight: FloatArray, bias: FloatArray, name: str) -> str:
        """Add ``weight @ channels + bias`` as a 1 x 1 convolution."""
        kernel = self.constant(f"{name}.weight", weight[:, :, None, None])
        return self.node("Conv", [source, kernel, self.constant(f"{name}.bias", bias)], name)

    def finish(
        self,
        last: str,
        output: str,
        width: int,
        *,
        name: str,
        also: Optional[dict[str, int]] = None,
    ) -> ModelProto:
        """Return the model, called ``name``, that gives the tensor ``last`` as ``output``.

        Args:
            also: channels of other tensors that it gives under their own names.
        """
        from onnx import TensorProto, helper

        self._nodes[-1].output[0] = output
        if last != self._nodes[-1].name:
            raise ValueError(f"{last} is not the last tensor")

        def image(tensor: str, channels: int) -> Any:
            shape: list[Union[str, int, None]] = ["batch", channels, "rows", "cols"]
            return helper.make_tensor_value_info(tensor, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self._nodes,
            name,
            [image("pixels", self._bands), image("valid", 1)],
            [image(*each) for each in ((output, width), *(also or {}).items())],
            self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        if any(node.domain == TREES for node in self._nodes):
            opsets.append(helper.make_opsetid(TREES, _TREES_OPSET))
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
