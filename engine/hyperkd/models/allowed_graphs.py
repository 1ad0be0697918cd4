"""Which ONNX models are run: those that do arithmetic on their input, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Union

from hyperkd.errors import HyperKDError

if TYPE_CHECKING:
    from onnx import ModelProto

_TEXT: Final = (str, bytes)
_STANDARD: Final = ("", "ai.onnx")
# Deterministic and without state: each runs once over arrays whose sizes its inputs determine. Not
# here: loops, branches and scans, which need not end; recurrent layers; sequences, optionals
# and texts; random numbers; decoders of images.
_ARITHMETIC: Final = frozenset(
    """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool
    BatchNormalization BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil
    Celu CenterCropPad Clip Compress Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh
    CumSum DepthToSpace Det Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor
    Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater
    GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Hardmax Identity
    InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log
    LogSoftmax LpNormalization LpPool MatMul Max MaxPool Mean MeanVarianceNormalization Min Mish
    Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow RMSNormalization Range Reciprocal ReduceL1
    ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Resize RotaryEmbedding Round ScatterElements ScatterND Selu Shape
    Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt
    Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where Xor
    """.split()
)
_QUANTISED: Final = frozenset(
    """
    ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul
    QuantizeLinear
    """.split()
)
_CLASSICAL: Final = frozenset(
    """
    LabelEncoder LinearClassifier LinearRegressor Normalizer SVMClassifier SVMRegressor Scaler
    TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor ZipMap
    """.split()
)
# Of onnxruntime itself: what its quantiser writes, and single layers that its tools fuse.
_RUNTIME: Final = frozenset(
    """
    BiasGelu DequantizeLinear DynamicQuantizeMatMul FastGelu FusedMatMul Gelu MatMulIntegerToFloat
    QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool
    QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QuantizeLinear
    QuickGelu SkipLayerNormalization
    """.split()
)
# Operators by domain. Any other domain would need somebody's library.
OPERATORS: Final = {
    **dict.fromkeys(_STANDARD, _ARITHMETIC | _QUANTISED),
    "ai.onnx.ml": _CLASSICAL,
    "com.microsoft": _RUNTIME,
}


def require_trusted(name: str, model: ModelProto) -> None:
    """Refuse a model that points to other files or does more than arithmetic.

    Args:
        name: what to call it in messages.

    Raises:
        HyperKDError: ``untrusted_model``; ``bad_model`` where a text in it is damaged.
    """
    try:
        messages = list(_messages(model))
    except UnicodeDecodeError as error:
        raise HyperKDError(
            "bad_model",
            f"{name} was cut short or damaged: a text in it is not UTF-8 ({error.reason}).",
            "Copy or download it again.",
        ) from error
    _require_one_file(name, messages)
    _require_known_domains(name, model)
    _require_plain_graph(name, model)


def _require_one_file(name: str, messages: Iterable[Any]) -> None:
    for message in messages:
        if message.DESCRIPTOR.name != "TensorProto":
            continue
        if message.external_data or message.data_location:
            raise HyperKDError(
                "untrusted_model",
                f"The model {name} keeps the tensor {message.name} in another file.",
                "Save the model as one file: onnx.save_model(..., save_as_external_data=False).",
            )


def _require_known_domains(name: str, model: ModelProto) -> None:
    domains = {opset.domain for opset in model.opset_import}
    domains |= {function.domain for function in model.functions}
    domains |= {node.domain for node in model.graph.node}
    foreign = sorted(domains - set(OPERATORS))
    if foreign:
        raise HyperKDError(
            "untrusted_model",
            f"The model {name} needs operators of {', '.join(foreign)}.",
            "Only ONNX's own operators are run: export the model without custom operators.",
        )


def _require_plain_graph(name: str, model: ModelProto) -> None:
    """Refuse what no model of ours has and what would have to be looked into as well."""
    parts = {
        "functions of its own": model.functions,
        "a training": model.training_info,
        "sparse tensors": model.graph.sparse_initializer,
    }
    parts["graphs in its graph"] = [
        attribute
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.HasField("g") or attribute.graphs
    ]
    for what, found in parts.items():
        if found:
            raise _untrusted(f"The model {name} has {what}, which HyperKD does not run.")
    used = {(node.domain, node.op_type) for node in model.graph.node}
    unknown = sorted(op for domain, op in used if op not in OPERATORS[domain])
    if unknown:
        raise _untrusted(
            f"The model {name} uses {', '.join(unknown[:5])}, which HyperKD does not run."
        )


def _untrusted(message: str) -> HyperKDError:
    return HyperKDError(
        "untrusted_model",
        message,
        "Models may compute with layers and arithmetic; loops, branches, random numbers and texts "
        "are refused. Export the model again with hyperkd export.",
    )


def _messages(model: ModelProto) -> Iterator[Any]:
    """Yield every message within a model, however deep.

    Raises:
        UnicodeDecodeError: where a text in one of them is none.
    """
    waiting: list[Any] = [model]
    while waiting:
        message = waiting.pop()
        yield message
        if message.DESCRIPTOR.name == "TensorProto":  # listing its fields would copy its values
            _require_text(message.name)
            continue
        for field, value in message.ListFields():
            values = [value] if hasattr(value, "DESCRIPTOR") or isinstance(value, _TEXT) else value
            if field.message_type is not None:
                waiting += values
            elif field.type == field.TYPE_STRING:
                for each in values:
                    _require_text(each)


def _require_text(value: Union[str, bytes]) -> None:
    # One implementation of protobuf raises by itself, the other gives what it cannot decode.
    if isinstance(value, bytes):
        value.decode()
