"""Jobs, cards, ONNX files and checkpoints changed at random: a result or a coded refusal.

``HYPOTHESIS_PROFILE=deep`` searches longer. Each case has to end within seconds, without a
traceback, and leave no file. The files are opened in this process: a crash of a library
would end the tests.
"""

from __future__ import annotations

import json
import resource
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from hyperkd.errors import EXIT_STATUS, HyperKDError
from hyperkd.jobs.outputs import check_outputs
from hyperkd.jobs.validate import load_job
from hyperkd.models.bundle import open_bundle, read_checkpoint_card, require_intact_tensors
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.seal import CARD_SEAL_KEY, SEAL_KEY
from hyperkd.models.store.model_store import Record
from hyperkd.models.store.registry import SHIPPED
from hyperkd.requests.catalogue import JOBS
from hyperkd.spectral.affine import Affine
from tests.engine.inference_factories import make_model
from tests.engine.test_models_card import CLASSES, make_card

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SECONDS = 5.0
MEGABYTES = 1500  # more than the largest case may take


@contextmanager
def bounded() -> Iterator[Path]:
    """Give an empty folder; accept coded refusals; check time, memory, and what is left."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    threads = threading.active_count()
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Path(folder)
        except HyperKDError as error:
            assert error.code in EXIT_STATUS
            assert error.message
            error.message.encode()
        left = [each.name for each in Path(folder).iterdir()]
        assert set(left) <= {"given"}, left
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024
    assert threading.active_count() <= threads + 8


# --- values and texts -------------------------------------------------------------------------

texts = some.one_of(
    some.text(max_size=8),
    some.text(some.characters(min_codepoint=0xD800, max_codepoint=0xDFFF), max_size=2),
    some.sampled_from(["", "\0", "/dev/zero", "/", "a/" * 300, "x" * 300, "NaN", "../..", "-"]),
)
numbers = some.one_of(
    some.integers(-3, 300),
    some.integers(min_value=-(2**70), max_value=2**70),
    some.just(10**400),
    some.floats(),
)
values = some.recursive(
    some.one_of(some.none(), some.booleans(), numbers, texts),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def dumped(value: Any) -> str:
    """Return a value as JSON, with what Python's reader takes and JSON does not know."""
    return json.dumps(value, ensure_ascii=True)


@some.composite
def changed(draw: Any, original: Any) -> Any:
    """Return a JSON value with a few places changed: removed, replaced, or added to."""
    value = json.loads(json.dumps(original))
    for _ in range(draw(some.integers(1, 3))):
        place = value
        while isinstance(place, (dict, list)) and place:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            key = draw(some.sampled_from(keys))
            if not isinstance(place[key], (dict, list)) or draw(some.booleans()):
                break
            place = place[key]
        if isinstance(place, dict) and draw(some.booleans()):
            place[draw(texts)] = draw(values)
        elif isinstance(place, dict) and place:
            key = draw(some.sampled_from(sorted(place)))
            if draw(some.integers(0, 4)):
                place[key] = draw(values)
            else:
                del place[key]
        elif isinstance(place, list) and place:
            place[draw(some.integers(0, len(place) - 1))] = draw(values)
    return value


@some.composite
def damaged(draw: Any, content: bytes) -> bytes:
    """Return bytes that were cut, overwritten, or grown."""
    made = bytearray(content)
    for _ in range(draw(some.integers(1, 4))):
        at = draw(some.integers(0, max(len(made) - 1, 0)))
        how = draw(some.sampled_from(["flip", "cut", "put", "copy"]))
        if how == "flip" and made:
            made[at] ^= 1 << draw(some.integers(0, 7))
        elif how == "cut":
            del made[at : at + draw(some.integers(1, 64))]
        elif how == "put":
            made[at:at] = draw(some.binary(min_size=1, max_size=16))
        elif made:
            made[at:at] = made[at : at + 40]
    return bytes(made)


# --- jobs -------------------------------------------------------------------------------------


@some.composite
def jobs(draw: Any) -> Any:
    kind = draw(some.sampled_from(sorted(JOBS)))
    names = list(JOBS[kind].__dataclass_fields__)
    fields = draw(some.dictionaries(some.sampled_from(names), values, max_size=6))
    for name in names:  # the required ones mostly hold a text
        if draw(some.booleans()):
            fields.setdefault(name, draw(texts))
    document = {"protocol": 1, "job": kind, **fields}
    return draw(some.one_of(some.just(document), changed(document)))


@given(jobs())
def test_jobs(document: Any) -> None:
    with bounded() as folder:
        (folder / "given").write_text(dumped(document))
        check_outputs(load_job(str(folder / "given")))


@given(damaged(b'{"protocol": 1, "job": "embed", "input": "a.tif", "output": "b.tif"}'))
def test_bytes_of_jobs(content: bytes) -> None:
    with bounded() as folder:
        (folder / "given").write_bytes(content)
        check_outputs(load_job(str(folder / "given")))


# --- cards and records ------------------------------------------------------------------------

CARD = json.loads(make_card(task="classification", classes=CLASSES).to_json())
RECORD = {
    "schema": 1, "name": "m", "kind": "student", "file": "m.onnx", "bytes": 1, "sha256": "0",
    "licence": "", "added": "", "url": None, "revision": None, "checks": [],
}  # fmt: skip


@given(changed(CARD))
def test_cards(card: Any) -> None:
    with bounded():
        read = ModelCard.from_json(dumped(card))
        # What is taken can be written, read again, and run.
        assert ModelCard.from_json(read.to_json()).name == read.name
        if read.self_test is not None and read.tile_px <= 64:
            read.self_test.inputs(len(read.bands), read.tile_px)


@given(damaged(dumped(CARD).encode()))
def test_bytes_of_cards(content: bytes) -> None:
    with bounded():
        ModelCard.from_json(content.decode("utf-8", "surrogateescape"))


@given(changed(RECORD))
def test_records_of_the_store(record: Any) -> None:
    with bounded():
        Record.from_json(dumped(record), Path("m.json"))


# --- ONNX -------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def small() -> bytes:
    """Return the smallest model that there is."""
    with tempfile.TemporaryDirectory() as folder:
        return Path(make_model(Path(folder) / "m.onnx")).read_bytes()


def use(path: Path) -> None:
    """Do what a job does with a model, as far as one small tile."""
    from hyperkd.inference.backends.onnxruntime_backend import open_session, self_test

    bundle = open_bundle(path)
    bands = len(bundle.card.bands)
    for output in bundle.outputs:
        network = bundle.network(output, Affine(np.eye(bands), np.zeros(bands)))
        session = open_session(network, "cpu", 1)
        pixels = np.zeros((2, bands, 16, 16), np.float32)
        found = session.run(pixels, np.ones((2, 1, 16, 16), np.float32))
        assert found.shape[0] == 2
        self_test(bundle, output)


def test_the_model_that_is_damaged_below_is_a_good_one() -> None:
    with bounded() as folder:
        (folder / "given").write_bytes(small())
        use(folder / "given")
        return
    raise AssertionError("it was refused")


@given(some.data())
def test_bytes_of_models(data: Any) -> None:
    content = data.draw(damaged(small()))
    with bounded() as folder:
        (folder / "given").write_bytes(content)
        use(folder / "given")


@given(some.data())
def test_metadata_of_models(data: Any) -> None:
    model = onnx.ModelProto()
    model.ParseFromString(small())
    card = next(entry.value for entry in model.metadata_props if entry.key == CARD_KEY)
    del model.metadata_props[:]
    text = data.draw(changed(json.loads(card)).map(dumped))
    model.metadata_props.add(key=CARD_KEY, value=text)
    if data.draw(some.booleans()):
        key = data.draw(some.sampled_from([CARD_KEY, SEAL_KEY, "other", ""]))
        model.metadata_props.add(key=key, value="0" * data.draw(some.integers(0, 70)))
    with bounded() as folder:
        (folder / "given").write_bytes(model.SerializeToString())
        use(folder / "given")


@some.composite
def graphs(draw: Any, content: bytes) -> bytes:
    """Return a model whose graph is another one: tensors, nodes and shapes changed."""
    model = onnx.ModelProto()
    model.ParseFromString(content)
    del model.metadata_props[1:]
    graph = model.graph
    known = sorted({name for node in graph.node for name in (*node.input, *node.output)})
    for _ in range(draw(some.integers(1, 3))):
        how = draw(some.sampled_from(["tensor", "node", "shape", "add"]))
        if how == "tensor":
            tensor = draw(some.sampled_from(list(graph.initializer)))
            tensor.data_type = draw(some.integers(0, 24))
            if draw(some.booleans()):
                del tensor.dims[:]
                tensor.dims.extend(draw(some.lists(some.sampled_from(
                    [-1, 0, 1, 3, 5, 7, 1 << 20, 1 << 40]), max_size=5)))  # fmt: skip
            if draw(some.booleans()):
                tensor.raw_data = draw(some.binary(max_size=40))
        elif how == "node":
            node = draw(some.sampled_from(list(graph.node)))
            node.op_type = draw(some.sampled_from(OPERATORS))
            if node.input and draw(some.booleans()):
                node.input[draw(some.integers(0, len(node.input) - 1))] = draw(
                    some.sampled_from([*known, "", "nowhere"])
                )
        elif how == "shape":
            value = draw(some.sampled_from([*graph.input, *graph.output]))
            dims = value.type.tensor_type.shape.dim
            dims[draw(some.integers(0, 3))].dim_value = draw(some.sampled_from([-1, 0, 1, 5, 99]))
        else:
            output = graph.output[0].name
            (last,) = (node for node in graph.node if output in node.output)
            last.output[list(last.output).index(output)] = "before"
            graph.node.append(
                onnx.helper.make_node(draw(some.sampled_from(OPERATORS)), ["before"], [output])
            )
            break
    return bytes(model.SerializeToString())


OPERATORS = (
    *("Abs", "Cast", "Concat", "Conv", "Exp", "Flatten", "Gather", "GlobalAveragePool", "Identity"),
    *("Loop", "MatMul", "Max", "NonZero", "QuantizeLinear", "ReduceSum", "Relu", "Resize", "Shape"),
    *("Size", "Softmax", "Split", "Squeeze", "TopK", "Transpose", "Where", "Nothing", "If"),
)


@given(some.data())
def test_graphs_of_models(data: Any) -> None:
    content = data.draw(graphs(small()))
    with bounded() as folder:
        (folder / "given").write_bytes(content)
        use(folder / "given")


# --- checkpoints ------------------------------------------------------------------------------


def checkpoint() -> tuple[dict[str, Any], bytes]:
    content = (SHIPPED / "tiny.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


HEADER, TENSORS = checkpoint()


def look(path: Path) -> None:
    read_checkpoint_card(path)
    require_intact_tensors(path)


def written(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + TENSORS


@settings(max_examples=30)
@given(some.data())
def test_headers_of_checkpoints(data: Any) -> None:
    header = json.loads(json.dumps(HEADER))
    metadata = header["__metadata__"]
    if data.draw(some.booleans()):
        metadata[CARD_KEY] = data.draw(changed(json.loads(metadata[CARD_KEY])).map(dumped))
        metadata.pop(CARD_SEAL_KEY, None)
    if data.draw(some.booleans()):
        metadata.pop(SEAL_KEY, None)
    if data.draw(some.booleans()):
        name = data.draw(some.sampled_from(sorted(header)))
        header[name] = data.draw(changed(header[name]))
    length = data.draw(some.sampled_from([None, 0, 7, 1 << 20, 1 << 40, (1 << 64) - 1]))
    with bounded() as folder:
        (folder / "given").write_bytes(written(dumped(header).encode(), length))
        look(folder / "given")


@settings(max_examples=30)
@given(damaged(json.dumps(HEADER).encode()))
def test_bytes_of_checkpoints(header: bytes) -> None:
    with bounded() as folder:
        (folder / "given").write_bytes(written(header))
        look(folder / "given")
