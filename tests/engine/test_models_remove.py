"""``hyperkd models remove``: own and fetched models go with all their files, others stay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import pytest

from hyperkd.errors import HyperKDError
from hyperkd.jobs import models_command
from hyperkd.models.store.model_store import Store
from hyperkd.models.store.registry import SHIPPED, resolve
from hyperkd.requests.models_options import ModelsAddJob, ModelsRemoveJob
from tests import shipped
from tests.reports import SilentReport

pytest.importorskip("onnx")

ENGINE = Path(__file__).resolve().parents[2] / "engine"
TEACHER = "prithvi-eo-2.0-tiny-tl"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with the models ``forest`` and ``forest2``, and a file that nobody added."""
    folder = tmp_path / "store"
    monkeypatch.setenv("HYPERKD_MODELS", str(folder))
    for name in ("forest", "forest2"):
        models_command.add(
            ModelsAddJob(
                file=str(SHIPPED / "tiny.safetensors"),
                name=name,
                link=True,
                replace=False,
                store=None,
            ),
            SilentReport(),
        )
    (folder / "notes.pt").write_bytes(b"mine")
    return folder


def remove(name: str, store: Optional[str] = None) -> dict[str, Any]:
    return models_command.remove(ModelsRemoveJob(name=name, store=store), SilentReport())


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


OTHERS = {"forest2.safetensors", "forest2.json", "notes.pt"}


def test_a_model_goes_with_its_record_and_nothing_else(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.glob("forest.*"))
    summary = remove("forest")
    assert summary["removed"] == ["forest.safetensors", "forest.json"]
    assert summary["bytes"] == size
    assert summary["text"].startswith("Removed forest.safetensors, forest.json (5.1 MB) from ")
    assert files(folder) == OTHERS
    assert Store().find("forest") is None
    # The file it was linked from is another name of the same content, and stays.
    assert (SHIPPED / "tiny.safetensors").is_file()


def test_what_a_download_left_goes_too(folder: Path) -> None:
    part = Store().part(TEACHER, "ab" * 20, ".pt")
    part.write_bytes(b"half")
    part.with_name(part.name + ".json").write_text("{}")
    summary = remove("prithvi_eo_v2_tiny_tl")  # as other programs call it
    assert summary["name"] == TEACHER
    assert summary["removed"] == [part.name, part.name + ".json"]
    assert files(folder) == {*OTHERS, "forest.safetensors", "forest.json"}


def test_a_damaged_record_can_be_removed(folder: Path) -> None:
    (folder / "forest.json").write_text("no record")
    assert remove("forest")["removed"] == ["forest.safetensors", "forest.json"]
    assert files(folder) == OTHERS


def test_a_model_whose_file_is_gone_can_be_removed(folder: Path) -> None:
    (folder / "forest.safetensors").unlink()
    assert remove("forest")["removed"] == ["forest.json"]


def test_a_shipped_student_stays() -> None:
    with pytest.raises(HyperKDError, match="tiny is shipped with HyperKD and stays") as caught:
        remove("tiny")
    assert caught.value.code == "bad_job"
    assert resolve("tiny").is_file()


@pytest.mark.parametrize("name", ["desert", "notes", "../store/forest", "for*", ""])
def test_what_is_no_model_of_the_store_is_refused(folder: Path, name: str) -> None:
    before = files(folder)
    with pytest.raises(HyperKDError, match="There is no model .* in the model store") as caught:
        remove(name)
    assert caught.value.code == "bad_model"
    assert caught.value.hint == f"It has {', '.join(shipped.NAMES)}, forest, forest2."
    assert files(folder) == before


def test_another_store(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(HyperKDError, match=r"model store .*elsewhere") as caught:
        remove("forest", str(tmp_path / "elsewhere"))
    assert caught.value.code == "bad_model"
    assert remove("forest", str(folder))["name"] == "forest"


def test_a_file_that_cannot_be_removed_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(Path, "unlink", busy)
    with pytest.raises(HyperKDError, match=r"Cannot remove .*forest.safetensors: The pr") as caught:
        remove("forest")
    assert caught.value.code == "unwritable_output"
    assert (folder / "forest.json").is_file()


def test_the_command_removes_and_tells(folder: Path) -> None:
    command = [sys.executable, "-I", str(ENGINE), "models", "remove", "forest", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=True)
    assert json.loads(done.stdout)["removed"] == ["forest.safetensors", "forest.json"]
    assert files(folder) == OTHERS
