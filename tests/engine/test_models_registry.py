"""Names and paths of models."""

from __future__ import annotations

import pytest

from hyperkd.errors import HyperKDError
from hyperkd.models.store import registry


@pytest.fixture
def students(tmp_path, monkeypatch):
    folder = tmp_path / "students"
    folder.mkdir()
    for name in ("tiny.onnx", "small.onnx", "tiny.safetensors"):
        (folder / name).write_bytes(b"")
    monkeypatch.setattr(registry, "SHIPPED", folder)
    return folder


def test_a_name_means_the_shipped_student(students, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").write_bytes(b"a file of the same name does not hide it")
    assert registry.resolve("tiny") == students / "tiny.onnx"


def test_a_path_means_itself(students, tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"")
    assert registry.resolve(str(path)) == path
    assert registry.resolve(path) == path


@pytest.mark.parametrize("unknown", ["huge", "folder/none.onnx", "", "tiny.safetensors"])
def test_anything_else_is_refused_with_the_known_names(students, unknown):
    with pytest.raises(HyperKDError, match=f"There is no model '{unknown}'") as caught:
        registry.resolve(unknown)
    assert caught.value.code == "bad_model"
    assert caught.value.hint == "Give the path of an .onnx file, or a name: small, tiny."


def test_the_shipped_students_lie_where_the_registry_looks():
    assert registry.shipped_models() == ("cover", "tiny", "traits")
