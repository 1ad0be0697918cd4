"""onnxruntime's own quantiser: the one module that calls it.

Weights get 7 of the 8 bits of int8. CPUs without VNNI add two products of 8 bits in 16
and cut off what does not fit, in silence; 7 bits always fit, so that a file gives the
same on every machine. Measured on the shipped student the eighth bit would take the
error of a token from 0.6 % to 0.5 % of its standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import INPUTS
from hyperkd.models.quantisable_nodes import (
    FirstLayers,
    drop_round_trips,
    float32_nodes,
    prepared,
    weight_products,
)
from hyperkd.scratch import scratch_folder

if TYPE_CHECKING:
    from onnx import ModelProto

Tiles = Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]

# Written into a model that was tidied up already: otherwise every run warns.
_TIDY: Final = ("onnx.quant.pre_process", "onnxruntime.quant")


def to_int8(model: ModelProto, tiles: Optional[Tiles] = None) -> ModelProto:
    """Return the model with int8 weights in its matrix products, a scale for each column.

    What they are multiplied with becomes uint8 on the way: between the least and the
    largest value of each batch ("dynamic"), or of the calibration tiles ("static").

    Args:
        model: a whole float32 model.
        tiles: ``pixels`` and ``valid`` to calibrate with; None for dynamic.

    Raises:
        HyperKDError: ``bad_job`` where the model has no such product,
            ``missing_dependency`` where the quantiser cannot be loaded.
    """
    with _importing():
        from onnxruntime import quantization as quantiser
    with _working():
        ready = prepared(model)
        products = weight_products(ready)
    if not products:
        raise HyperKDError(
            "bad_job",
            "The model has no matrix products with weights that int8 could speed up; the head "
            "of a fine-tuned model that does not use the encoder has none.",
            "Use it as it is: it is already fast.",
        )
    ready.metadata_props.add(key=_TIDY[0], value=_TIDY[1])
    settings: dict[str, Any] = {
        "op_types_to_quantize": ["MatMul"],
        "nodes_to_quantize": products,
        "per_channel": True,
        "reduce_range": True,
        "weight_type": quantiser.QuantType.QInt8,
    }
    with scratch_folder() as folder, _working():
        made = Path(folder) / "quantised.onnx"
        if tiles is None:
            quantiser.quantize_dynamic(
                ready, made, extra_options={"MatMulConstBOnly": True}, **settings
            )
        else:
            quantiser.quantize_static(
                ready,
                made,
                _Calibration(tiles),
                quant_format=quantiser.QuantFormat.QDQ,
                activation_type=quantiser.QuantType.QUInt8,
                # Float32 sums stay unrounded: less error, and no slower.
                extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
                **settings,
            )
        return _tidied(made.read_bytes())


def to_float16(model: ModelProto) -> ModelProto:
    """Return the model with float16 where that does no harm; inputs and outputs stay float32.

    Args:
        model: a whole float32 model.

    Raises:
        HyperKDError: ``missing_dependency`` where the converter cannot be loaded.
    """
    with _importing():
        from onnxruntime.transformers import float16 as converter
    with _working():
        ready = prepared(model)
        first = FirstLayers(ready)
        half = converter.convert_float_to_float16(
            first.rest, keep_io_types=True, node_block_list=float32_nodes(ready)
        )
        drop_round_trips(half)
        return _tidied(first.before(half).SerializeToString())


class _Calibration:
    """Calibration tiles in the form that the quantiser expects."""

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles

    def get_next(self) -> Optional[dict[str, NDArray[np.float32]]]:
        """Return the inputs of the next run, or None at the end."""
        tile = next(self._tiles, None)
        return None if tile is None else dict(zip(INPUTS, tile))


@contextmanager
def _importing() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise HyperKDError(
            "missing_dependency",
            f"The quantiser of onnxruntime cannot be imported: {error}.",
            'Install what it needs with: pip install "hyperkd[onnx]" ml_dtypes.',
            package="onnxruntime",
        ) from error


@contextmanager
def _working() -> Iterator[None]:
    """Word what the quantiser raises over a model that no exporter wrote."""
    from onnx.checker import ValidationError
    from onnx.shape_inference import InferenceError

    try:
        yield
    except (
        *(AttributeError, LookupError, RuntimeError, TypeError, ValueError),
        *(InferenceError, ValidationError),
    ) as error:
        raise HyperKDError(
            "bad_model",
            f"The model cannot be quantised: {str(error).strip().partition(chr(10))[0][:300]}.",
            "Take a model that hyperkd export or finetune has written.",
        ) from error


def _tidied(content: bytes) -> ModelProto:
    from onnx import ModelProto, checker

    model = ModelProto()
    model.ParseFromString(content)
    model.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    checker.check_model(model)
    return model
