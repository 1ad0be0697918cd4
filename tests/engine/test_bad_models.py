"""Every kind of model file, damaged in every way: refused by its own code, and nothing runs.

The single messages have their own tests, in test_models_bundle.py,
test_training_checkpoint.py and test_prithvi_loading.py; this is the whole table.
"""

from __future__ import annotations

import dataclasses
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.inference.backends.onnxruntime_backend import open_session, self_test
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.seal import sealed
from hyperkd.models.store.registry import SHIPPED

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from hyperkd.models.nets.heads import DenseHead, DenseModel, HeadConfig  # noqa: E402
from hyperkd.models.nets.prithvi import Prithvi  # noqa: E402
from hyperkd.models.nets.student import Student  # noqa: E402
from hyperkd.models.prithvi_versions import VERSIONS, PrithviConfig, PrithviVersion  # noqa: E402
from hyperkd.models.sizes import StudentConfig  # noqa: E402
from hyperkd.training.common.checkpoint import architecture, load_checkpoint, save_checkpoint  # noqa: E402
from hyperkd.training.teacher.prithvi_features import load_teacher  # noqa: E402
from hyperkd.types import Wavelengths  # noqa: E402

TEACHER = "prithvi-eo-2.0-nano"
CONFIG = StudentConfig(3, 2, 4, 8, 1, 2, 8, 1, 2, 2, 8)


@pytest.fixture(autouse=True)
def nano(monkeypatch):
    """A version of the teacher that is small enough to be written in every test."""
    sizes = {"dim": 32, "depth": 1, "heads": 2, "patch": 8, "tile": 16, "frames": 1}
    config = PrithviConfig(**sizes, decoder_dim=32, decoder_depth=1, decoder_heads=2)
    monkeypatch.setitem(VERSIONS, TEACHER, PrithviVersion(TEACHER, config))


def card(task: str, head=None) -> ModelCard:
    classes = [{"name": name, "value": name, "color": "#012345"} for name in "ab"]
    return ModelCard(
        name="nano",
        task=task,
        bands=Wavelengths([500.0, 600.0, 700.0]),
        mean=(0.1, 0.2, 0.3),
        std=(0.01, 0.02, 0.03),
        patch_px=2,
        tile_px=8,
        receptive_field_px=8,
        embedding_dim=8,
        licence="GPL-2.0-or-later",
        created="2025-01-31",
        architecture=architecture("nano", CONFIG, head),
        classes=() if head is None else tuple(classes),
    )


# --- the good file of each kind, and what opens it ----------------------------------------


def make_onnx(path: Path) -> None:
    path.write_bytes((SHIPPED / "tiny.onnx").read_bytes())


def make_student(path: Path) -> None:
    save_checkpoint(path, Student(CONFIG, [0.1, 0.2, 0.3], [0.01, 0.02, 0.03]), card("pretrain"))


def make_dense(path: Path) -> None:
    head = HeadConfig.fitting(CONFIG, "classification", 2, hidden=4)
    student = Student(CONFIG, [0.1, 0.2, 0.3], [0.01, 0.02, 0.03])
    save_checkpoint(path, DenseModel(student, DenseHead(head)), card("classification", head))


def make_teacher(path: Path) -> None:
    torch.manual_seed(0)
    torch.save(Prithvi(VERSIONS[TEACHER].config).state_dict(), path)


def use_onnx(path: Path) -> None:
    """What every job does before it computes."""
    bundle = open_bundle(path)
    for output in bundle.outputs:
        self_test(bundle, output, "cpu")
        open_session(bundle.network(output), "cpu")


class Kind(NamedTuple):
    name: str
    make: Callable[[Path], None]
    use: Callable[[Path], object]


KINDS = {
    "onnx": Kind("m.onnx", make_onnx, use_onnx),
    "student": Kind("m.safetensors", make_student, load_checkpoint),
    "dense": Kind("m.safetensors", make_dense, load_checkpoint),
    "teacher": Kind("m.pt", make_teacher, load_teacher),
}


# --- ways to damage it ------------------------------------------------------------------


def flip(path: Path, share: float) -> None:
    """Flip every bit of 64 bytes somewhere in the file."""
    content = bytearray(path.read_bytes())
    first = int(share * (len(content) - 64))
    content[first : first + 64] = bytes(byte ^ 0xFF for byte in content[first : first + 64])
    path.write_bytes(bytes(content))


def flip_bit(path: Path, share: float) -> None:
    """Flip the lowest bit of one byte, which changes a weight by a ten-millionth."""
    content = bytearray(path.read_bytes())
    content[int(share * len(content)) // 4 * 4] ^= 1
    path.write_bytes(bytes(content))


def truncate(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


class Exploit:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def exploit_in_zip(path: Path) -> None:
    torch.save({"weights": torch.ones(2), "extra": Exploit(path.with_name("ran"))}, path)


def exploit_bare(path: Path) -> None:
    path.write_bytes(pickle.dumps(Exploit(path.with_name("ran")), protocol=2))


def change_onnx(path: Path, change) -> None:
    """Change the parsed model and seal it again, as if it had been written so."""
    model = onnx.load(str(path))
    change(model)
    path.write_bytes(sealed(model))


def change_card(path: Path, **values) -> None:
    """Write other values into the card, whatever kind of file carries it."""
    import json

    def changed(text: str) -> str:
        return json.dumps({**json.loads(text), **values})

    def change(model) -> None:
        for entry in model.metadata_props:
            if entry.key == CARD_KEY:
                entry.value = changed(entry.value)

    if path.suffix == ".onnx":
        change_onnx(path, change)
        return
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = changed(file.metadata()[CARD_KEY])
    save_file(tensors, path, {CARD_KEY: text})


def widen_onnx(path: Path) -> None:
    """Weights for one band less than the card describes."""

    def change(model) -> None:
        for value in model.graph.input:
            if value.name == "pixels":
                value.type.tensor_type.shape.dim[1].dim_value = 217

    change_onnx(path, change)


def reshape_onnx(path: Path) -> None:
    """A weight that does not fit its neighbours."""

    def change(model) -> None:
        for tensor in model.graph.initializer:
            if tensor.name == "patches.bias":
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(5, np.float32), tensor.name))

    change_onnx(path, change)


def reshape_checkpoint(path: Path) -> None:
    """Tensors of another architecture under the card of this one."""
    wider = dataclasses.replace(CONFIG, dim=16)
    with safe_open(path, "pt") as file:
        metadata = {CARD_KEY: file.metadata()[CARD_KEY]}
        dense = any(name.startswith("head.") for name in file.keys())  # noqa: SIM118
    student = Student(wider, [0.1, 0.2, 0.3], [0.01, 0.02, 0.03])
    head = HeadConfig.fitting(wider, "classification", 2, hidden=4)
    model = DenseModel(student, DenseHead(head)) if dense else student
    save_file(dict(model.state_dict()), path, metadata)


def reshape_teacher(path: Path) -> None:
    tensors = torch.load(path, weights_only=True)
    tensors["encoder.norm.bias"] = torch.zeros(33)
    torch.save(tensors, path)


def other_teacher(path: Path) -> None:
    """A Prithvi of a width that was never published."""
    config = dataclasses.replace(VERSIONS[TEACHER].config, dim=64)
    torch.save(Prithvi(config).state_dict(), path)


def new_opset(path: Path) -> None:
    change_onnx(path, lambda model: setattr(model.opset_import[0], "version", 999))


TABLE = [
    ("onnx", "corrupted head", lambda p: flip(p, 0.0), "bad_model", "m.onnx is not an ONNX model"),
    ("onnx", "corrupted weights", lambda p: flip(p, 0.5), "bad_model", "self-test failed|damaged"),
    ("onnx", "one bit", lambda p: flip_bit(p, 0.5), "bad_model", "damaged: it does not hold what"),
    ("onnx", "truncated", lambda p: truncate(p, 0.6), "bad_model", "m.onnx was cut short or dam"),
    ("onnx", "empty", lambda p: truncate(p, 0), "bad_model", "m.onnx is not an ONNX model"),
    ("onnx", "exploit", exploit_in_zip, "untrusted_model", "m.onnx is a pickled Python object"),
    ("onnx", "bare exploit", exploit_bare, "untrusted_model", "m.onnx is a pickled Python object"),
    ("onnx", "newer card", lambda p: change_card(p, schema=4), "bad_model", "a newer HyperKD"),
    ("onnx", "newer opset", new_opset, "bad_model", "made for another version"),
    ("onnx", "other bands", widen_onnx, "bad_model", "pixels is .* describes 218 channels"),
    ("onnx", "other weights", reshape_onnx, "bad_model", "onnxruntime cannot run it"),
    ("onnx", "other width", lambda p: change_card(p, embedding_dim=64), "bad_model",
     "embedding is .* x 128 .* describes 64 channels"),
    ("onnx", "other task", lambda p: change_card(p, task="regression", targets=[
        {"name": "a", "unit": "", "minimum": 0, "maximum": 1}]), "bad_model",
     "m.onnx gives embedding, reconstruction; its card is that of a regression"),
    ("student", "corrupted head", lambda p: flip(p, 0.0), "bad_model", "not a safetensors|damaged"),
    ("student", "corrupted weights", lambda p: flip(p, 0.9), "bad_model", "damaged: its tensors"),
    ("student", "one bit", lambda p: flip_bit(p, 0.9), "bad_model", "damaged: its tensors"),
    ("student", "truncated", lambda p: truncate(p, 0.6), "bad_model", "was cut short or damaged"),
    ("student", "empty", lambda p: truncate(p, 0), "bad_model", "is not a safetensors checkpoint"),
    ("student", "exploit", exploit_in_zip, "untrusted_model", "is a pickled Python object"),
    ("student", "bare exploit", exploit_bare, "untrusted_model", "is a pickled Python object"),
    ("student", "newer card", lambda p: change_card(p, schema=4), "bad_model", "a newer HyperKD"),
    ("student", "other family", lambda p: change_card(p, architecture={"family": "x"}),
     "bad_model", "cannot be built: family 'x'"),
    ("student", "other shapes", reshape_checkpoint, "bad_model", r"shapes: .*\(16,\) instead"),
    ("dense", "corrupted head", lambda p: flip(p, 0.0), "bad_model", "not a safetensors|damaged"),
    ("dense", "corrupted weights", lambda p: flip(p, 0.9), "bad_model", "damaged: its tensors"),
    ("dense", "one bit", lambda p: flip_bit(p, 0.9), "bad_model", "damaged: its tensors"),
    ("dense", "truncated", lambda p: truncate(p, 0.6), "bad_model", "was cut short or damaged"),
    ("dense", "empty", lambda p: truncate(p, 0), "bad_model", "is not a safetensors checkpoint"),
    ("dense", "exploit", exploit_in_zip, "untrusted_model", "is a pickled Python object"),
    ("dense", "bare exploit", exploit_bare, "untrusted_model", "is a pickled Python object"),
    ("dense", "newer card", lambda p: change_card(p, schema=4), "bad_model", "a newer HyperKD"),
    ("dense", "other family", lambda p: change_card(p, architecture={"family": "x"}),
     "bad_model", "cannot be built: family 'x'"),
    ("dense", "other shapes", reshape_checkpoint, "bad_model", r"wrong shapes: .*instead of"),
    ("teacher", "corrupted head", lambda p: flip(p, 0.0), "bad_model", "damaged|a PyTorch file"),
    ("teacher", "corrupted weights", lambda p: flip(p, 0.5), "bad_model", "m.pt is damaged"),
    ("teacher", "one bit", lambda p: flip_bit(p, 0.5), "bad_model", "m.pt is damaged"),
    ("teacher", "truncated", lambda p: truncate(p, 0.6), "bad_model", "m.pt is not a PyTorch file"),
    ("teacher", "empty", lambda p: truncate(p, 0), "bad_model", "m.pt is not a PyTorch file"),
    ("teacher", "exploit", exploit_in_zip, "untrusted_model", "m.pt holds Python objects"),
    ("teacher", "bare exploit", exploit_bare, "untrusted_model", "m.pt is a bare pickle"),
    ("teacher", "other version", other_teacher, "bad_model", "not a published version of Prithvi"),
    ("teacher", "other shapes", reshape_teacher, "bad_model", r"bias \(33,\) instead of \(32,\)"),
]  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_good_file_of_each_kind_is_used(tmp_path, kind):
    path = tmp_path / KINDS[kind].name
    KINDS[kind].make(path)
    KINDS[kind].use(path)


@pytest.mark.parametrize(
    ("kind", "damage", "code", "message"),
    [pytest.param(k, do, c, m, id=f"{k}-{what}") for k, what, do, c, m in TABLE],
)
def test_a_damaged_file_is_refused(tmp_path, kind, damage, code, message):
    path = tmp_path / KINDS[kind].name
    KINDS[kind].make(path)
    damage(path)
    with pytest.raises(HyperKDError) as caught:
        KINDS[kind].use(path)
    assert caught.value.code == code
    assert re.search(message, caught.value.message), caught.value.message
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("make", [exploit_in_zip, exploit_bare])
def test_the_exploits_of_the_table_would_run(tmp_path, make):
    path = tmp_path / "m.pt"
    make(path)
    content = path.read_bytes()
    torch.load(path, weights_only=False) if content[:2] == b"PK" else pickle.loads(content)
    assert (tmp_path / "ran").is_dir()


def test_every_kind_is_damaged_in_every_way():
    ways = {"corrupted weights", "one bit", "truncated", "exploit", "bare exploit"}
    for kind in KINDS:
        found = {what for name, what, *_ in TABLE if name == kind}
        assert ways <= found
        assert found & {"newer card", "other version"}
        assert found & {"other shapes", "other weights"}
