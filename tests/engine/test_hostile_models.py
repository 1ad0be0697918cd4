"""Models that a stranger made: no loop, no other file, no traceback, no wrong map in silence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.inference.backends.onnxruntime_backend import Session, open_session
from hyperkd.models.allowed_graphs import OPERATORS
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.seal import SEAL_KEY
from hyperkd.models.store.registry import SHIPPED
from hyperkd.requests.predict_options import PredictJob
from hyperkd.spectral.affine import Affine
from tests.engine.inference_factories import make_model
from tests.engine.test_models_card import make_card

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT

TINY = SHIPPED / "tiny.onnx"


def changed(folder: Path, change: Callable[[Any], object]) -> Path:
    """Return the shipped student with a change and without its seal."""
    model = onnx.load(TINY)
    kept = [entry for entry in model.metadata_props if entry.key != SEAL_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    change(model)
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def refused(path: Path, code: str, message: str) -> None:
    with pytest.raises(HyperKDError, match=message) as caught:
        bundle = open_bundle(path)
        for output in bundle.outputs:
            bands = len(bundle.card.bands)
            open_session(bundle.network(output, Affine(np.eye(bands), np.zeros(bands))))
    assert caught.value.code == code, caught.value.message


# --- operators --------------------------------------------------------------------------------


def body(name: str = "body") -> Any:
    value = helper.make_tensor_value_info("v", FLOAT, None)
    return helper.make_graph([helper.make_node("Identity", ["v"], ["w"])], name, [value], [value])


NODES: dict[str, Any] = {
    "Loop": lambda: helper.make_node("Loop", ["trips", "", "x"], ["y"], body=body()),
    "Scan": lambda: helper.make_node("Scan", ["x"], ["y"], body=body(), num_scan_inputs=1),
    "If": lambda: helper.make_node("If", ["c"], ["y"], then_branch=body(), else_branch=body()),
    "RandomNormal": lambda: helper.make_node("RandomNormal", [], ["y"], shape=[1]),
    "SequenceConstruct": lambda: helper.make_node("SequenceConstruct", ["x"], ["y"]),
    "StringNormalizer": lambda: helper.make_node("StringNormalizer", ["x"], ["y"]),
    "LSTM": lambda: helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=1),
    "ImageDecoder": lambda: helper.make_node("ImageDecoder", ["x"], ["y"]),
    "Loop in a layer": lambda: helper.make_node("Identity", ["x"], ["y"], body=body()),
    "NGramRepeatBlock": lambda: helper.make_node(
        "NGramRepeatBlock", ["x"], ["y"], domain="com.microsoft"
    ),
    "TfIdfVectorizer": lambda: helper.make_node("TfIdfVectorizer", ["x"], ["y"]),
    "Unheard": lambda: helper.make_node("Unheard", ["x"], ["y"]),
}


@pytest.mark.parametrize("name", NODES)
def test_only_arithmetic_is_run(tmp_path, name):
    path = changed(tmp_path, lambda model: model.graph.node.append(NODES[name]()))
    graphs = "in a layer" in name or name in ("Loop", "Scan", "If")
    refused(path, "untrusted_model", "has graphs in its graph" if graphs else f"uses {name}, which")


def test_a_foreign_domain_is_found_at_the_node_too(tmp_path):
    node = helper.make_node("Evil", ["x"], ["y"], domain="org.evil")
    path = changed(tmp_path, lambda model: model.graph.node.append(node))
    refused(path, "untrusted_model", "needs operators of org.evil")


def with_function(model: Any) -> None:
    function = model.functions.add(name="f", domain="")
    function.node.add(op_type="Identity")


def with_training(model: Any) -> None:
    model.training_info.add().algorithm.node.add(op_type="Identity")


def with_sparse(model: Any) -> None:
    model.graph.sparse_initializer.add().values.name = "s"


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (with_function, "has functions of its own"),
        (with_training, "has a training"),
        (with_sparse, "has sparse tensors"),
    ],
)
def test_parts_that_no_model_of_ours_has(tmp_path, add, message):
    refused(changed(tmp_path, add), "untrusted_model", message)


def externalise(tensor: Any) -> None:
    tensor.name = "deep"
    tensor.external_data.add(key="location", value="../../etc/passwd")


PLACES: dict[str, Callable[[Any], Any]] = {
    "initializer": lambda model: model.graph.initializer[0],
    "attribute": lambda model: model.graph.node[0].attribute.add(name="value", type=4).t,
    "list": lambda model: model.graph.node[0].attribute.add(name="value", type=9).tensors.add(),
    "sparse attribute": lambda model: (
        model.graph.node[0].attribute.add(name="value", type=11).sparse_tensor.values
    ),
    "sparse indices": lambda model: model.graph.sparse_initializer.add().indices,
    "training": lambda model: model.training_info.add().initialization.initializer.add(),
    "function": lambda model: model.functions.add(domain="").node.add().attribute.add(name="v").t,
    "nested": lambda model: (
        model.graph.node[0].attribute.add(name="body", type=5).g.initializer.add()
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_no_tensor_is_in_another_file_wherever_it_is(tmp_path, place):
    path = changed(tmp_path, lambda model: externalise(PLACES[place](model)))
    refused(path, "untrusted_model", "keeps the tensor deep in another file")


def test_the_operators_of_our_own_models_are_known():
    used = {(node.domain, node.op_type) for node in onnx.load(TINY).graph.node}
    assert all(name in OPERATORS[domain] for domain, name in used)
    from onnx import defs

    known = {(schema.domain, schema.name) for schema in defs.get_all_schemas()}
    for domain in ("", "ai.onnx.ml"):
        mistaken = {name for name in OPERATORS[domain] if (domain, name) not in known}
        # Newer than the oldest onnx that we take.
        assert mistaken <= {"Swish", "TreeEnsemble", "Attention", "RMSNormalization",
                            "RotaryEmbedding"}  # fmt: skip


# --- texts and tensors ------------------------------------------------------------------------


def test_a_name_that_is_not_utf8_is_damage(tmp_path):
    path = changed(tmp_path, lambda model: model.graph.node[3].input.append("a name"))
    path.write_bytes(path.read_bytes().replace(b"a name", b"a n\xffme"))
    refused(path, "bad_model", "m.onnx was cut short or damaged: a text in it is not UTF-8")


def stem(model: Any) -> Any:
    """Return the weights of the first convolution."""
    (name,) = {n.input[1] for n in model.graph.node if n.op_type == "Conv"
               and n.input[0] == "pixels"} or {""}  # fmt: skip
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def strip(tensor: Any) -> None:
    tensor.ClearField("raw_data")


def grow(tensor: Any) -> None:
    tensor.dims[0] = 1 << 40


def cut_off(tensor: Any) -> None:
    tensor.raw_data = tensor.raw_data[:-3]


def of_type(number: int) -> Callable[[Any], None]:
    def change(tensor: Any) -> None:
        tensor.data_type = number

    return change


@pytest.mark.parametrize(
    "damage", [strip, grow, cut_off, *(of_type(number) for number in (0, 7, 8, 14, 22, 99))]
)
def test_damaged_weights_are_a_bad_model(tmp_path, damage):
    def change(model: Any) -> None:
        for node in model.graph.node:
            if node.op_type == "Conv" and node.input[0] == "pixels":
                damage({t.name: t for t in model.graph.initializer}[node.input[1]])

    refused(changed(tmp_path, change), "bad_model", "damaged|takes")


@pytest.mark.parametrize("inputs", [["pixels"], ["pixels", "w", "b", "more"], ["w", "pixels"]])
def test_a_first_layer_with_other_inputs_is_no_stem(tmp_path, inputs):
    def change(model: Any) -> None:
        node = next(n for n in model.graph.node if n.op_type == "Conv" and n.input[0] == "pixels")
        names = {"w": node.input[1], "b": node.input[1], "more": node.input[1]}
        del node.input[1:]
        del node.input[:]
        node.input.extend(names.get(each, each) for each in inputs)

    refused(changed(tmp_path, change), "bad_model", "which is not a spectral stem")


def test_a_bias_of_another_length_is_damage(tmp_path):
    def change(model: Any) -> None:
        node = next(n for n in model.graph.node if n.op_type == "Conv" and n.input[0] == "pixels")
        bias = onnx.numpy_helper.from_array(np.zeros(1, np.float32), "short")
        model.graph.initializer.append(bias)
        del node.input[2:]
        node.input.append("short")

    refused(changed(tmp_path, change), "bad_model", "tensor short is unusable")


@pytest.mark.parametrize("side", ["input", "output"])
def test_inputs_and_outputs_are_float32(tmp_path, side):
    def change(model: Any) -> None:
        getattr(model.graph, side)[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE

    refused(changed(tmp_path, change), "bad_model", "is not an array of float32")


@pytest.mark.parametrize("shape", [None, ["B", 1, "H", "W"], [1, "C", "H", "W"]])
def test_no_further_input_is_taken(tmp_path, shape):
    def change(model: Any) -> None:
        model.graph.input.append(helper.make_tensor_value_info("more", FLOAT, shape))

    refused(changed(tmp_path, change), "bad_model", "its card describes no channels of it")


# --- what a network answers -------------------------------------------------------------------


class Answering:
    """onnxruntime's session with an answer of its own."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

    def run(self, outputs: Any, inputs: Any) -> list[Any]:
        return [self.answer]


ABOUT = {"hyperkd.channels": "3", "hyperkd.patch_px": "1"}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (np.zeros((2, 3, 1, 1), np.float32), "2x3x1x1 of float32"),  # would be broadcast
        (np.zeros((1, 3, 8, 8), np.float32), "1x3x8x8 of float32"),
        (np.zeros((2, 4, 8, 8), np.float32), "2x4x8x8 of float32"),
        (np.zeros((2, 3, 8, 8, 1), np.float32), "2x3x8x8x1 of float32"),
        (np.zeros((2, 3, 8, 8), np.float64), "2x3x8x8 of float64"),
        (np.zeros((2, 3, 8, 8), np.int64), "2x3x8x8 of int64"),
        (np.float32(1), "no array of float32"),
        ([np.zeros((2, 3, 8, 8), np.float32)], "no array of list"),
        (None, "no array of NoneType"),
    ],
)
def test_an_answer_of_another_shape_or_type_is_refused(answer, found):
    session = Session(Answering(answer), "cpu", ABOUT)
    pixels, valid = np.zeros((2, 5, 8, 8), np.float32), np.ones((2, 1, 8, 8), np.float32)
    with pytest.raises(HyperKDError, match=f"gives {found} instead of 2x3x8x8") as caught:
        session.run(pixels, valid)
    assert caught.value.code == "bad_model"


def test_tokens_are_one_for_each_patch():
    about = {**ABOUT, "hyperkd.patch_px": "4"}
    pixels, valid = np.zeros((2, 5, 8, 8), np.float32), np.ones((2, 1, 8, 8), np.float32)
    right = np.zeros((2, 3, 2, 2), np.float32)
    assert Session(Answering(right), "cpu", about).run(pixels, valid) is right
    wrong = Session(Answering(right[:, :, :1, :1]), "cpu", about)
    with pytest.raises(HyperKDError, match="gives 2x3x1x1 of float32 instead of 2x3x2x2"):
        wrong.run(pixels, valid)


def test_each_network_says_what_it_gives():
    bundle = open_bundle(TINY)
    for output, patch_px in (("embedding", 1), ("tokens", bundle.card.patch_px)):
        model = onnx.ModelProto()
        model.ParseFromString(bundle.network(output))
        about = {entry.key: entry.value for entry in model.metadata_props}
        assert about == {
            "hyperkd.channels": str(bundle.card.embedding_dim),
            "hyperkd.patch_px": str(patch_px),
        }


def test_a_map_that_would_be_broadcast_is_no_result(tmp_path):
    """A graph that says B x 4 x H x W and gives B x 4 x 1 x 1."""
    pytest.importorskip("osgeo")
    from hyperkd.inference.predict import predict
    from tests.engine.inference_factories import CENTRES, Recorder
    from tests.factories import make_raster

    scene = make_raster(
        tmp_path / "scene.tif", np.full((5, 20, 20), 2000, np.int16), wavelengths=CENTRES, fwhm=10.0
    )
    path = Path(make_model(tmp_path / "m.onnx"))
    model = onnx.load(path)
    kept = [entry for entry in model.metadata_props if entry.key == CARD_KEY]
    values = json.loads(kept[0].value)
    values["self_test"] = None  # nothing else would notice
    del model.metadata_props[:]
    model.metadata_props.add(key=CARD_KEY, value=json.dumps(values))
    (last,) = (node for node in model.graph.node if "logits" in node.output)
    last.output[0] = "whole"
    model.graph.node.append(helper.make_node("GlobalAveragePool", ["whole"], ["logits"]))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(HyperKDError, match=r"onnxruntime gives \d+x\d+x1x1 of float32") as caught:
        predict(
            PredictJob(input=str(scene), model=str(path), output=str(tmp_path / "o.tif")),
            Recorder(),
        )
    assert caught.value.code == "bad_model"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["m.onnx", "scene.tif"]


# --- a model that is slow ---------------------------------------------------------------------

SLOW_ROWS = 6000


def slow(path: Path) -> Path:
    """A model whose single run takes minutes: products of large constant matrices."""
    model = onnx.load(make_model(path))
    kept = [entry for entry in model.metadata_props if entry.key == CARD_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    graph = model.graph
    (last,) = (node for node in graph.node if "logits" in node.output)
    last.output[0] = "quick"
    one = helper.make_tensor("v", FLOAT, [1], [1.0])
    sizes = np.array([SLOW_ROWS, SLOW_ROWS], np.int64)
    graph.initializer.append(onnx.numpy_helper.from_array(sizes, "sizes"))
    graph.node.append(helper.make_node("ConstantOfShape", ["sizes"], ["m0"], value=one))
    for number in range(40):
        graph.node.append(helper.make_node("MatMul", ["m0", f"m{number}"], [f"m{number + 1}"]))
    graph.node.append(helper.make_node("ReduceMin", ["m40"], ["least"], keepdims=0))
    graph.node.append(helper.make_node("Min", ["least", "quick"], ["logits"]))
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_cancel_ends_a_slow_model_within_seconds(tmp_path):
    pytest.importorskip("osgeo")
    from tests.engine.inference_factories import CENTRES
    from tests.factories import make_raster

    scene = make_raster(
        tmp_path / "scene.tif", np.full((5, 20, 20), 2000, np.int16), wavelengths=CENTRES, fwhm=10.0
    )
    model = slow(tmp_path / "slow.onnx")
    command = [sys.executable, "-m", "hyperkd", "predict", "--events", "json"]
    command += ["--input", str(scene), "--model", str(model), "--output", str(tmp_path / "o.tif")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        next(line for line in process.stdout if b'"stage"' in line)
        time.sleep(2)
        assert process.poll() is None
        process.terminate()
        started = time.monotonic()
        assert process.wait(20) == 5
        assert time.monotonic() - started < 12
        told = [json.loads(line) for line in process.stdout]
        assert told[-1]["code"] == "cancelled"
    finally:
        process.kill()
        process.communicate()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["scene.tif", "slow.onnx"]


# --- cards ------------------------------------------------------------------------------------


def card_with(**changes: Any) -> str:
    return json.dumps({**json.loads(make_card().to_json()), **changes})


HUGE = int("1" + "0" * 400)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "it is not JSON"),
        ('{"a":' * 100_000, "it is not JSON"),
        (card_with(mean=[HUGE] * 3), "a whole number has 401 digits"),
        (card_with(temperature=HUGE), "a whole number has 401 digits"),
        (card_with(embedding_dim=1 << 62), "is not from 1 to 65536"),
        (card_with(tile_px=1 << 40), "is not from 1 to 65536"),
        (card_with(name="a\ud800b"), r"name holds half a character \(U\+D800\)"),
        (card_with(name="a\0b"), r"name holds a control character \(U\+0000\)"),
        (card_with(licence="a\x1bb"), r"licence holds a control character \(U\+001B\)"),
        (card_with(training={"x": [{"y": "\udfff"}]}), r"training\.x\[0\]\.y holds half"),
        (card_with(metrics={"\ud800": 1}), "a name in metrics holds half a character"),
        (card_with(architecture={"preset": 7}), "the preset is 7, not text"),
        (card_with(parents=[1]), "parents must be texts"),
        (card_with(task="classification", classes="ab"), "a field holds the wrong kind of value"),
        (card_with(bands={"centre_nm": [[1], [2, 3]], "fwhm_nm": None}), "wrong kind|cannot"),
    ],
)
def test_a_card_that_no_program_wrote_is_a_bad_model(text, message):
    with pytest.raises(HyperKDError, match=message) as caught:
        ModelCard.from_json(text)
    assert caught.value.code == "bad_model"


def test_a_card_nested_deeply_is_refused():
    nested: Any = "x"
    for _ in range(40):
        nested = [nested]
    with pytest.raises(HyperKDError, match="is nested more than 30 deep"):
        ModelCard.from_json(card_with(training={"a": nested}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 1 << 62}, "its self-test of 4611686018427387904 tiles takes"),
        ({"batch": 0}, "its self-test of 0 tiles"),
        ({"outputs": {"embedding": {"indices": [0], "values": [1], "largest": 0}}}, "largest"),
        ({"outputs": {"embedding": {"indices": [0], "values": [1], "largest": -1}}}, "largest"),
        ({"outputs": {"embedding": {"indices": 3, "values": [1], "largest": 1}}}, "wrong kind"),
        ({"seed": 1.5}, "of seed 1.5"),
    ],
)
def test_a_self_test_that_cannot_be_run_is_refused(changes, message):
    test = {"seed": 1, "batch": 1, "tolerance": 0.1, "outputs": {}, **changes}
    with pytest.raises(HyperKDError, match=message) as caught:
        ModelCard.from_json(card_with(self_test=test))
    assert caught.value.code == "bad_model"


def test_a_card_of_our_own_is_checked_before_it_is_written():
    with pytest.raises(HyperKDError, match="name holds half a character"):
        make_card(name="\ud83c")
    assert make_card(name="Äcker 🌾\tnorth\n").name == "Äcker 🌾\tnorth\n"
