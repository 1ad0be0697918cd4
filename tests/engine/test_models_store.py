"""The model store: its folder, its records, and the four commands on it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace as altered
from pathlib import Path
from typing import Any, Optional

import pytest

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.jobs import model_fetch, model_files, models_command
from hyperkd.locks import FileLock
from hyperkd.models import prithvi_versions
from hyperkd.models.bundle import read_card
from hyperkd.models.store import published, registry
from hyperkd.models.store.model_store import (
    Record,
    Store,
)
from hyperkd.requests.models_options import (
    ModelsAddJob,
    ModelsFetchJob,
    ModelsListJob,
    ModelsRemoveJob,
    ModelsVerifyJob,
)
from hyperkd.requests.option import job_fields
from tests import shipped
from tests.engine.model_server import Notes, Server

ENGINE = Path(__file__).resolve().parents[2] / "engine"
TINY = registry.SHIPPED / "tiny.onnx"
CHECKPOINT = registry.SHIPPED / "tiny.safetensors"
TEACHER = "prithvi-eo-2.0-tiny-tl"
COMMIT = "ab" * 20
RECORD = Record(
    name="forest",
    kind="student",
    file="forest.onnx",
    bytes=3,
    sha256=hashlib.sha256(b"abc").hexdigest(),
    licence="MIT",
    added="2026-01-02T03:04:05+00:00",
    checks=("content",),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of the test; it does not exist yet."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HYPERKD_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def stored(folder: Path) -> Store:
    """A store with the model ``forest``."""
    made = Store()
    made.make()
    (folder / "forest.onnx").write_bytes(b"abc")
    made.write(RECORD)
    return made


@pytest.fixture(scope="session")
def weights() -> bytes:
    """A file with exactly the tensors of the smallest Prithvi, all zero and hence small."""
    return weights_of(TEACHER)


def weights_of(name: str) -> bytes:
    torch = pytest.importorskip("torch")
    import io

    shapes = prithvi_versions.VERSIONS[name].config.tensor_shapes()
    # Expanded tensors save the one number that they consist of.
    state = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def add(file: Path, report: Optional[Notes] = None, **options: Any) -> dict[str, Any]:
    given = {"name": None, "link": False, "replace": False, "store": None, **options}
    return models_command.add(ModelsAddJob(file=str(file), **given), report or Notes())


# --- the folder ------------------------------------------------------------------------


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HyperKDError, match="Cannot make the folder") as caught:
        add(TINY, name="mine", store=str(tmp_path / "file" / "store"))
    assert caught.value.code == "unwritable_output"


# --- the records -----------------------------------------------------------------------


def test_a_record_comes_back_as_it_was(stored: Store, folder: Path) -> None:
    assert stored.find("forest") == RECORD
    assert list(stored.records()) == [RECORD]
    assert stored.state(RECORD) == "ready"
    assert json.loads((folder / "forest.json").read_text())["schema"] == 1
    assert stored.find("desert") is stored.find("../forest") is stored.find("") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../../etc/passwd"}, "names the file ../../etc/passwd"),
        ({"file": "other.onnx"}, "names the file other.onnx"),
        ({"kind": "virus"}, "says virus forest"),
        ({"bytes": "3"}, "wrong type of bytes"),
        ({"schema": 2}, "other keys"),
        ({"more": 1}, "other keys"),
    ],
)
def test_a_damaged_record_is_named(
    stored: Store, folder: Path, change: dict[str, Any], message: str
) -> None:
    values = json.loads((folder / "forest.json").read_text())
    (folder / "forest.json").write_text(json.dumps({**values, **change}))
    with pytest.raises(HyperKDError, match=f"forest.json of .* is damaged: .*{message}") as caught:
        stored.find("forest")
    assert caught.value.code == "bad_model"
    (row,) = [row for row in listed()["models"] if row["name"] == "forest"]
    assert row["status"] == "damaged record"


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff\xfe"])
def test_a_record_that_is_none(stored: Store, folder: Path, content: bytes) -> None:
    (folder / "forest.json").write_bytes(content)
    with pytest.raises(HyperKDError, match="forest.json of the model store") as caught:
        stored.find("forest")
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    "name", ["", "-x", ".x", "a/b", "a b", "x" * 65, "nul", "Con.v2", "x.onnx", "x.part", "a@b"]
)
def test_a_name_that_is_none(name: str, folder: Path) -> None:
    with pytest.raises(HyperKDError, match="is not a name for a model") as caught:
        add(TINY, name=name)
    assert caught.value.code == "bad_job"
    assert not folder.exists()


@pytest.mark.parametrize("name", ["Wälder_2024", "a", "v1.2-b"])
def test_names_that_people_give(name: str) -> None:
    assert add(TINY, name=name)["name"] == name
    assert registry.resolve(name) == Store().folder / f"{name}.onnx"


# --- add -------------------------------------------------------------------------------


def test_adding_a_student(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "forest.onnx"
    file.write_bytes(TINY.read_bytes())
    report = Notes()
    summary = add(file, report)
    record = Store().find("forest")
    assert record is not None
    assert record == Record(
        name="forest",
        kind="student",
        file="forest.onnx",
        bytes=TINY.stat().st_size,
        sha256=digest_of(TINY.read_bytes()),
        licence=read_card(TINY).licence,
        added=record.added,
        checks=("content",),
    )
    assert (folder / "forest.onnx").read_bytes() == TINY.read_bytes()
    assert not os.path.samefile(folder / "forest.onnx", file)
    assert summary["path"] == str(folder / "forest.onnx")
    assert report.artifacts == [("model", summary["path"])]
    assert registry.resolve("forest") == folder / "forest.onnx"
    assert sorted(path.name for path in folder.iterdir()) == ["forest.json", "forest.onnx"]


def test_adding_a_checkpoint_by_link(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "forest.safetensors"
    file.write_bytes(CHECKPOINT.read_bytes())
    assert add(file, link=True)["kind"] == "student"
    assert os.path.samefile(folder / "forest.safetensors", file)


@pytest.mark.parametrize("source", [TINY, CHECKPOINT], ids=["onnx", "safetensors"])
def test_a_file_with_a_flipped_bit_is_not_taken(folder: Path, tmp_path: Path, source: Path) -> None:
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    file = tmp_path / source.name
    file.write_bytes(bytes(content))
    with pytest.raises(HyperKDError, match=f"{source.name} was cut short or damaged: it") as caught:
        add(file, name="mine")
    assert caught.value.code == "bad_model"
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_link_that_cannot_be_made_becomes_a_copy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    add(TINY, name="mine", link=True)
    assert (folder / "mine.onnx").read_bytes() == TINY.read_bytes()


def test_a_name_is_not_taken_twice_unless_asked_for(stored: Store, folder: Path) -> None:
    with pytest.raises(HyperKDError, match="already has forest.json and forest.onnx") as caught:
        add(CHECKPOINT, name="forest")
    assert caught.value.code == "bad_job"
    assert stored.find("forest") == RECORD
    with pytest.raises(HyperKDError, match="already has") as caught:
        add(CHECKPOINT, name="Forest", replace=True)
    assert caught.value.code == "bad_job"
    add(CHECKPOINT, name="forest", replace=True)
    assert sorted(path.name for path in folder.iterdir()) == ["forest.json", "forest.safetensors"]


def test_the_name_of_a_shipped_student_stays_its_own() -> None:
    with pytest.raises(HyperKDError, match="tiny is the name of a shipped model") as caught:
        add(CHECKPOINT, replace=True)
    assert caught.value.code == "bad_job"


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("a.onnx", b"no model", "bad_model", "is not an ONNX model"),
        ("a.onnx", b"PK\x03\x04", "untrusted_model", "pickled Python object"),
        ("a.safetensors", b"\x00" * 20, "bad_model", "not a safetensors checkpoint"),
        ("a.pt", b"<html>", "bad_model", "a.pt is not a PyTorch file"),
        ("a.tif", b"II*", "bad_job", "a.tif is not a model file"),
    ],
)
@pytest.mark.parametrize("torch", [True, False], ids=["torch", "no torch"])
def test_a_file_that_is_no_model_is_not_taken(
    name: str,
    content: bytes,
    code: str,
    message: str,
    torch: bool,
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if torch:
        pytest.importorskip("torch")
    else:
        monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HyperKDError, match=message) as caught:
        add(tmp_path / name)
    assert caught.value.code == code
    assert not folder.exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HyperKDError, match="There is no file") as caught:
        add(tmp_path / "a.pt")
    assert caught.value.code == "bad_model"


def test_a_file_that_changes_on_the_way_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "forest.onnx"
    file.write_bytes(TINY.read_bytes())

    def write_meanwhile(part: AtomicFile, source: Path) -> bool:
        source.write_bytes(b"other")
        return False

    monkeypatch.setattr(AtomicFile, "link", write_meanwhile)
    with pytest.raises(HyperKDError, match="changed while it was copied") as caught:
        add(file, link=True)
    assert caught.value.code == "input_changed"
    assert list(folder.iterdir()) == []


def test_a_cancelled_copy_leaves_nothing(folder: Path) -> None:
    class Impatient(Notes):
        def stage(self, name: str) -> None:
            if name.startswith("Copying"):
                self.cancelled_at = time.monotonic()

    with pytest.raises(HyperKDError, match="was cancelled") as caught:
        add(TINY, Impatient(), name="mine")
    assert caught.value.code == "cancelled"
    assert list(folder.iterdir()) == []


def test_adding_a_teacher_finds_out_which_it_is(
    tmp_path: Path, weights: bytes, folder: Path
) -> None:
    (tmp_path / "downloaded.pth").write_bytes(weights)
    report = Notes()
    summary = add(tmp_path / "downloaded.pth", report)
    assert (summary["name"], summary["kind"], summary["checks"]) == (
        TEACHER,
        "teacher",
        ("content",),
    )
    # It is not the published file, so nobody knows whose weights these are.
    assert summary["licence"] == ""
    message = f"downloaded.pth has the tensors of {TEACHER}, but no published checksum."
    assert report.logs == [("warning", message)]
    assert (folder / f"{TEACHER}.pt").read_bytes() == weights


def test_a_teacher_without_torch_is_known_by_its_checksum_or_not_at_all(
    tmp_path: Path, hub: Server, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    (tmp_path / "downloaded.pt").write_bytes(weights)
    summary = add(tmp_path / "downloaded.pt")
    assert (summary["name"], summary["checks"], summary["licence"]) == (
        TEACHER,
        ("checksum",),
        "Apache-2.0",
    )
    (tmp_path / "other.pt").write_bytes(weights_of("prithvi-eo-2.0-100m-tl"))
    report = Notes()
    summary = add(tmp_path / "other.pt", report)
    assert (summary["name"], summary["checks"]) == ("other", ())
    assert report.logs == [
        ("warning", "PyTorch is not installed, so the tensors were not checked.")
    ]
    assert "other                   teacher" in listed()["text"]
    assert "ready (never verified)" in listed()["text"]


# --- fetch -----------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A hub on this machine, and the list of what it publishes."""
    publish(tmp_path, monkeypatch, weights)
    with Server() as made:
        made.behaviour.content = weights
        yield made
    published.published.cache_clear()


def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: bytes, **change: Any) -> None:
    entry = {
        "name": TEACHER,
        "aliases": ["prithvi-eo-v2-tiny-tl"],
        "repository": "owner/Prithvi",
        "file": "Prithvi.pt",
        "revision": f"git:{COMMIT}",
        "sha256": f"sha256:{digest_of(weights)}",
        "bytes": len(weights),
        "licence": "Apache-2.0",
        **change,
    }
    file = tmp_path / "published.json"
    file.write_text(json.dumps({"models": [entry]}))
    monkeypatch.setattr(published, "_FILE", file)
    published.published.cache_clear()


def fetch(hub: Server, report: Optional[Notes] = None, **options: Any) -> dict[str, Any]:
    defaults = {field.name: field.default for field in job_fields(ModelsFetchJob)}
    given = {**defaults, "name": TEACHER, "endpoint": hub.address, **options}
    return model_fetch.fetch(ModelsFetchJob(**given), report or Notes())


def test_fetching_a_teacher(hub: Server, folder: Path, weights: bytes) -> None:
    report = Notes()
    summary = fetch(hub, report, name="Prithvi_EO_V2_tiny_TL")
    assert [path for path, _ in hub.requests] == [f"/owner/Prithvi/resolve/{COMMIT}/Prithvi.pt"]
    assert (folder / f"{TEACHER}.pt").read_bytes() == weights
    record = Store().find(TEACHER)
    assert record == Record(
        name=TEACHER,
        kind="teacher",
        file=f"{TEACHER}.pt",
        bytes=len(weights),
        sha256=digest_of(weights),
        licence="Apache-2.0",
        added=summary["added"],
        url=f"{hub.address}/owner/Prithvi/resolve/{COMMIT}/Prithvi.pt",
        revision=COMMIT,
        checks=("checksum", "content"),
    )
    assert report.stages == [f"Fetching {TEACHER}", f"Verifying {TEACHER}"]
    assert report.logs == []
    assert sorted(path.name for path in folder.iterdir()) == [f"{TEACHER}.json", f"{TEACHER}.pt"]


def test_what_is_there_is_not_fetched_again(hub: Server) -> None:
    first = fetch(hub)
    report = Notes()
    assert fetch(hub, report) == first
    assert report.logs == [("info", f"{TEACHER} is in the model store already.")]
    assert len(hub.requests) == 1
    assert fetch(hub, replace=True)["sha256"] == first["sha256"]
    assert len(hub.requests) == 2


def test_a_model_whose_file_is_gone_is_fetched_anew(hub: Server, folder: Path) -> None:
    fetch(hub)
    (folder / f"{TEACHER}.pt").unlink()
    fetch(hub)
    assert len(hub.requests) == 2


def test_another_file_of_that_name_is_not_overwritten(
    hub: Server, tmp_path: Path, weights: bytes
) -> None:
    (tmp_path / "mine.pt").write_bytes(weights_of("prithvi-eo-2.0-100m-tl"))
    add(tmp_path / "mine.pt", name=TEACHER)
    with pytest.raises(HyperKDError, match="model store already has") as caught:
        fetch(hub)
    assert caught.value.code == "bad_job"
    assert hub.requests == []
    assert fetch(hub, replace=True)["sha256"] == digest_of(weights)


def test_wrong_bytes_are_refused_and_removed(hub: Server, folder: Path, weights: bytes) -> None:
    wrong = bytes([*weights[:-1], weights[-1] ^ 1])
    hub.behaviour.content = wrong
    with pytest.raises(HyperKDError, match=f"its SHA-256 is {digest_of(wrong)}") as caught:
        fetch(hub)
    assert caught.value.code == "bad_model"
    assert list(folder.iterdir()) == []


def test_a_cancelled_fetch_goes_on_later(hub: Server, folder: Path, weights: bytes) -> None:
    half = len(weights) // 2
    hub.behaviour.stall_after = half
    with pytest.raises(HyperKDError, match="was cancelled"):
        fetch(hub, Notes(cancel_at=half / 1e6))
    part = folder / f"{TEACHER}@{COMMIT[:12]}.pt.part"
    assert part.read_bytes() == weights[:half]
    row = listed()["models"][-1]
    assert [each["name"] for each in listed()["models"]] == [*shipped.NAMES, TEACHER]
    assert row["status"] == f"{half / 1e6:.1f} MB fetched"
    hub.behaviour.stall_after = None
    fetch(hub)
    assert hub.ranges() == [None, f"bytes={half}-"]
    assert not part.exists()


def test_parts_of_two_revisions_are_not_mixed(hub: Server, folder: Path, weights: bytes) -> None:
    hub.behaviour.stall_after = 100
    with pytest.raises(HyperKDError, match="was cancelled"):
        fetch(hub, Notes(cancel_at=1e-4))
    hub.behaviour.stall_after = None
    assert fetch(hub, revision="CD" * 20)["revision"] == "cd" * 20
    assert hub.ranges() == [None, None]
    assert hub.requests[1][0] == f"/owner/Prithvi/resolve/{'cd' * 20}/Prithvi.pt"
    assert sorted(path.name for path in folder.iterdir()) == [f"{TEACHER}.json", f"{TEACHER}.pt"]


def test_a_file_without_a_known_checksum_needs_the_users_word(
    hub: Server, tmp_path: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, monkeypatch, weights, sha256=None, bytes=None)
    with pytest.raises(HyperKDError, match="HyperKD knows no checksum of") as caught:
        fetch(hub)
    assert caught.value.code == "bad_job"
    assert "(sha256; " in caught.value.hint and "(unverified)" in caught.value.hint
    assert hub.requests == []
    report = Notes()
    assert fetch(hub, report, unverified=True)["checks"] == ("content",)
    message = f"{TEACHER} has no published checksum; the file that came has {digest_of(weights)}."
    assert report.logs == [("warning", message)]
    stated = fetch(hub, sha256=digest_of(weights).upper(), replace=True)
    assert stated["checks"] == ("checksum", "content")


def test_without_torch_the_checksum_has_to_do(hub: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    report = Notes()
    assert fetch(hub, report)["checks"] == ("checksum",)
    assert report.logs == [
        ("warning", "PyTorch is not installed, so the tensors were not checked.")
    ]


def test_the_tensors_of_another_version_are_refused(hub: Server, folder: Path) -> None:
    hub.behaviour.content = weights_of("prithvi-eo-2.0-100m-tl")
    with pytest.raises(HyperKDError, match=f"prithvi-eo-2.0-100m-tl instead of {TEACHER}") as error:
        fetch(hub, sha256=digest_of(hub.behaviour.content))
    assert error.value.code == "bad_model"
    assert list(folder.iterdir()) == []


def test_a_page_in_place_of_a_file_without_checksum_is_refused(hub: Server, folder: Path) -> None:
    hub.behaviour.content = b"<html>Please log in</html>" * 9
    with pytest.raises(HyperKDError, match="is not a PyTorch file") as caught:
        fetch(hub, unverified=True)
    assert caught.value.code == "bad_model"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "prithvi-eo-3"}, "There is no published model 'prithvi-eo-3'"),
        ({"revision": "main"}, "'revision' must be 40 hexadecimal digits, but is 'main'"),
        ({"revision": "abc1234"}, "'revision' must be 40 hexadecimal digits"),
        ({"sha256": "abc"}, "'sha256' must be 64 hexadecimal digits"),
        ({"endpoint": "http://models.example.org"}, "is not an HTTPS address"),
    ],
)
def test_a_fetch_that_makes_no_sense(hub: Server, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HyperKDError, match=message) as caught:
        fetch(hub, **options)
    assert caught.value.code == "bad_job"
    assert hub.requests == []


# --- verify ----------------------------------------------------------------------------


def verify(name: str) -> dict[str, Any]:
    return models_command.verify(ModelsVerifyJob(name=name, store=None), Notes())


def test_verifying_students_and_teachers(hub: Server) -> None:
    add(TINY, name="forest")
    assert verify("forest")["checks"] == ["content"]
    assert verify("tiny")["text"].startswith("tiny is sound.")
    fetch(hub)
    summary = verify("prithvi_eo_v2_tiny_tl")
    assert summary["checks"] == ["checksum", "content"]
    assert f"SHA-256 {summary['sha256']}" in summary["text"]


def test_verifying_says_what_it_could_not_check(
    hub: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(hub, unverified=True, sha256=None)
    published.published.cache_clear()
    monkeypatch.setattr(published, "_FILE", ENGINE / "hyperkd/models/store/published.json")
    monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    summary = verify(TEACHER)
    assert summary["checks"] == []
    assert "The checksum of the original is unknown" in summary["text"]
    assert "PyTorch is not installed" in summary["text"]


def test_a_model_that_is_not_what_came(stored: Store, folder: Path) -> None:
    file = folder / "forest.onnx"
    for content, message in (
        (b"abd", f"its SHA-256 is {digest_of(b'abd')}, on record is {RECORD.sha256}"),
        (b"abcd", "forest.onnx has 4 bytes, but 3 are on record"),
    ):
        file.write_bytes(content)
        with pytest.raises(HyperKDError, match=message) as caught:
            verify("forest")
        assert caught.value.code == "bad_model"
    assert stored.state(RECORD) == "changed"
    file.unlink()
    with pytest.raises(HyperKDError, match=r"forest.onnx of forest is gone") as caught:
        verify("forest")
    assert caught.value.code == "bad_model"
    assert stored.state(RECORD) == "missing"


def test_a_model_that_never_was_sound_does_not_pass_by_its_checksum(stored: Store) -> None:
    with pytest.raises(HyperKDError, match="forest.onnx is not an ONNX model") as caught:
        verify("forest")
    assert caught.value.code == "bad_model"


def test_a_name_that_a_shipped_model_took_is_refused_until_the_other_is_removed(
    stored: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "shipped_models", lambda: ("forest",))
    with pytest.raises(HyperKDError, match="forest is the name of a model that comes") as caught:
        registry.resolve("forest")
    assert caught.value.code == "bad_model"
    assert str(folder / "forest.") in caught.value.hint
    monkeypatch.setattr(models_command, "shipped_models", lambda: ("forest",))
    models_command.remove(ModelsRemoveJob(name="forest", store=str(folder)), Notes())
    assert registry.resolve("forest") == registry.SHIPPED / "forest.onnx"


def test_a_model_that_nobody_has(stored: Store) -> None:
    with pytest.raises(HyperKDError, match="There is no model 'desert' in the model") as caught:
        verify("desert")
    assert caught.value.code == "bad_model"
    assert caught.value.hint == f"It has {', '.join(shipped.NAMES)}, forest."


# --- list ------------------------------------------------------------------------------


def listed(folder: Optional[str] = None) -> dict[str, Any]:
    return models_command.list_models(ModelsListJob(store=folder), Notes())


def test_the_list_of_shipped_stored_and_published_models(stored: Store, folder: Path) -> None:
    rows = {row["name"]: row for row in listed()["models"]}
    assert list(rows) == [*shipped.NAMES, "forest", *prithvi_versions.VERSIONS]
    assert rows["tiny"]["status"] == "shipped"
    assert rows["tiny"]["bytes"] == TINY.stat().st_size
    assert rows["forest"] == {
        "name": "forest",
        "kind": "student",
        "status": "ready",
        "bytes": 3,
        "licence": "MIT",
        "path": str(folder / "forest.onnx"),
        "sha256": RECORD.sha256,
        "url": None,
        "revision": None,
        "added": RECORD.added,
        "checks": ("content",),
    }
    teacher = rows["prithvi-eo-2.0-300m"]
    assert (teacher["status"], teacher["bytes"]) == ("not fetched", 1326658396)
    first, *_, last = listed()["text"].splitlines()
    assert first.split() == ["NAME", "KIND", "SIZE", "LICENCE", "STATUS"]
    assert last == f"Model store: {folder}"


def test_a_store_that_does_not_exist_yet_is_not_made_by_looking(folder: Path) -> None:
    assert "tiny" in listed()["text"]
    assert not folder.exists()


def test_another_folder_for_one_command(stored: Store, tmp_path: Path) -> None:
    names = [row["name"] for row in listed(str(tmp_path / "other"))["models"]]
    assert "forest" not in names


# --- names everywhere ------------------------------------------------------------------


def test_a_stored_name_means_its_file_and_is_offered(stored: Store, folder: Path) -> None:
    assert registry.resolve("forest") == folder / "forest.onnx"
    stored.write(altered(RECORD, name="lake", file="lake.safetensors"))
    with pytest.raises(HyperKDError, match="There is no model 'desert'") as caught:
        registry.resolve("desert")
    assert caught.value.code == "bad_model"
    assert caught.value.hint.endswith(f"or a name: {', '.join(shipped.NAMES)}, forest.")


# --- what is published -----------------------------------------------------------------


def test_the_published_list_and_the_networks_agree() -> None:
    assert [each.name for each in published.published()] == list(prithvi_versions.VERSIONS)
    # The hub's name of a version is ours, but for capitals.
    assert [each.repository.lower() for each in published.published()] == [
        f"ibm-nasa-geospatial/{name}" for name in prithvi_versions.VERSIONS
    ]


def test_every_published_file_is_pinned() -> None:
    for each in published.published():
        assert len(bytes.fromhex(each.revision)) == 20
        assert each.sha256 is None or len(bytes.fromhex(each.sha256)) == 32
        assert each.licence == "Apache-2.0"
    # Their sizes must hold the tensors at least: four bytes a number.
    sizes = {each.name: each.bytes for each in published.published() if each.bytes is not None}
    for name, size in sizes.items():
        numbers = sum(
            product(s) for s in prithvi_versions.VERSIONS[name].config.tensor_shapes().values()
        )
        assert 4 * numbers < size < 4 * numbers + 200_000


def product(shape: tuple[int, ...]) -> int:
    result = 1
    for length in shape:
        result *= length
    return result


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("prithvi-eo-v2-300m", "prithvi-eo-2.0-300m"),
        ("prithvi_eo_v2_300_tl", "prithvi-eo-2.0-300m-tl"),
        ("Prithvi-EO-2.0-600M", "prithvi-eo-2.0-600m"),
        ("prithvi_eo_v1_100", "prithvi-eo-1.0-100m"),
    ],
)
def test_other_names_of_published_models(name: str, canonical: str) -> None:
    assert published.find_published(name).name == canonical


def test_a_slip_of_the_pen_is_answered_with_the_right_name() -> None:
    with pytest.raises(HyperKDError, match="no published model 'prithvi-eo-2.0-300'") as caught:
        published.find_published("prithvi-eo-2.0-300")
    assert caught.value.code == "bad_job"
    assert "Did you mean prithvi-eo-2.0-300m?" in caught.value.hint


# --- the command -----------------------------------------------------------------------


def command(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    # Where a test has closed GDAL's ways to a network, only this copy is without the dead proxy.
    options.setdefault("env", dict(os.environ))
    return subprocess.Popen(
        [sys.executable, "-I", str(ENGINE), "models", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_the_command_lists_as_json(stored: Store, folder: Path) -> None:
    process = command("list", "--json")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    document = json.loads(output)
    assert document["store"] == str(folder)
    assert "forest" in [row["name"] for row in document["models"]]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_a_signal_ends_the_command_at_once_and_keeps_the_part(folder: Path) -> None:
    with Server() as server:
        server.behaviour.content = b"x" * 5_000_000
        server.behaviour.stall_after = 1_000_000
        process = command("fetch", TEACHER, "--endpoint", server.address, "--events", "json")
        patience = time.monotonic() + 30
        while sum(path.stat().st_size for path in folder.glob("*.part")) < 1_000_000:
            assert time.monotonic() < patience
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert time.monotonic() - began < 2  # the interpreter's own end included
    assert process.returncode == 5
    assert json.loads(output.splitlines()[-1])["code"] == "cancelled"
    (part,) = folder.glob("*.part")
    assert part.stat().st_size == 1_000_000


# --- a process that is killed between a model and its record ------------------------------------


KILLED = """
import os, sys
from hyperkd.jobs import models_command
from hyperkd.requests.models_options import ModelsAddJob
from tests.engine.model_server import Notes
replace, left = os.replace, [int(sys.argv[1])]
def dying(source, target):
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)
    replace(source, target)
os.replace = dying
models_command.add(ModelsAddJob(file=sys.argv[2], name="mine", replace=True), Notes())
"""


@pytest.mark.parametrize("renamed", [0, 1, 2, 3])
@pytest.mark.parametrize("older", [False, True])
def test_a_kill_while_adding_leaves_the_old_model_or_the_new_one(
    folder: Path, tmp_path: Path, renamed: int, older: bool
) -> None:
    """A record under its own name, the model, the record: a kill before each of the renamings."""
    if older:
        add(CHECKPOINT, name="mine")
    file = tmp_path / "forest.onnx"
    file.write_bytes(TINY.read_bytes())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, str(renamed), str(file)]
    done = subprocess.run(command, env=environment)
    assert done.returncode == (0 if renamed == 3 else 9)
    models_command.list_models(ModelsListJob(store=None), Notes())
    record = Store().find("mine")
    if renamed < 2:
        assert (record is not None) == older
        assert record is None or record.file == "mine.safetensors"
    else:
        assert record is not None
        assert record.file == "mine.onnx"
    if record is not None:
        Store().verify(record, Notes())
        assert registry.resolve("mine") == folder / record.file
    add(file, name="mine", replace=True)
    assert sorted(each.name for each in folder.iterdir()) == ["mine.json", "mine.onnx"]


def test_a_record_that_waits_for_another_model_is_forgotten(stored: Store, folder: Path) -> None:
    other = altered(RECORD, sha256="0" * 64)
    for name, content in (("forest", other.to_json()), ("desert", "{"), ("x", "[" * 100_000)):
        (folder / f"{name}.json.new").write_text(content)
    stored.recover()
    assert stored.find("forest") == RECORD
    assert sorted(each.name for each in folder.iterdir()) == ["forest.json", "forest.onnx"]


def test_what_a_job_is_putting_in_its_place_is_left_alone(stored: Store, folder: Path) -> None:
    def move() -> None:
        Store().recover()
        assert (folder / "forest.json.new").is_file()

    stored.write(altered(RECORD, licence="CC0-1.0"), move)
    found = stored.find("forest")
    assert found is not None
    assert found.licence == "CC0-1.0"


def test_a_model_that_is_not_the_one_on_record_is_not_run(stored: Store, folder: Path) -> None:
    assert registry.resolve("forest") == folder / "forest.onnx"
    (folder / "forest.onnx").write_bytes(b"another")
    with pytest.raises(HyperKDError, match="forest of the store differs from its record") as caught:
        registry.resolve("forest")
    assert caught.value.code == "bad_model"


def test_a_pipe_in_the_place_of_a_record_is_no_hang(stored: Store, folder: Path) -> None:
    if os.name != "posix":
        pytest.skip("pipes are POSIX's")
    os.mkfifo(folder / "pipe.json")
    os.mkfifo(folder / "other.json.new")
    found = list(stored.records())
    assert found[0] == RECORD
    assert isinstance(found[1], HyperKDError)
    assert "it is not a regular file" in found[1].message
    stored.recover()


def test_two_transfers_of_one_model_do_not_write_one_file(folder: Path, hub: Server) -> None:
    folder.mkdir()
    claim = FileLock(str(Store().part(TEACHER, COMMIT, ".pt")))
    with pytest.raises(HyperKDError, match="Another job is writing") as caught:
        fetch(hub, unverified=True)
    assert caught.value.code == "unwritable_output"
    claim.release()
