"""Outputs appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.output_checks import require_writable
from hyperkd.unfinished import abort_all


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def put(path: str, text: str) -> None:
    Path(path).write_text(text)


def test_the_file_has_its_name_only_after_commit(tmp_path: Path) -> None:
    put(str(tmp_path / "a.tif"), "old")
    with AtomicFile(tmp_path / "a.tif") as part:
        put(part.temporary, "new")
        assert files(tmp_path) == {"a.tif": "old", "a.tif.part": "new"}
    assert files(tmp_path) == {"a.tif": "new"}


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
def test_any_exception_leaves_the_old_file(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    put(str(tmp_path / "a.tif"), "old")
    with pytest.raises(interruption):
        with AtomicFile(tmp_path / "a.tif", (".aux.xml",)) as part:
            put(part.temporary, "new")
            put(part.temporary + ".aux.xml", "new")
            raise interruption
    assert files(tmp_path) == {"a.tif": "old"}


def test_companions_go_with_the_file_and_old_ones_go_away(tmp_path: Path) -> None:
    for name in ("a.tif", "a.tif.aux.xml", "a.tif.ovr"):
        put(str(tmp_path / name), "old")
    with AtomicFile(tmp_path / "a.tif", (".aux.xml", ".ovr")) as part:
        put(part.temporary, "new")
        put(part.temporary + ".aux.xml", "new")
    assert files(tmp_path) == {"a.tif": "new", "a.tif.aux.xml": "new"}


def test_what_a_killed_process_left_is_not_taken_over(tmp_path: Path) -> None:
    put(str(tmp_path / "a.tif.part"), "stale")
    put(str(tmp_path / "a.tif.part.aux.xml"), "stale")
    AtomicFile(tmp_path / "a.tif", (".aux.xml",)).abort()
    assert files(tmp_path) == {}


def test_abort_all_removes_the_unfinished_alone(tmp_path: Path) -> None:
    with AtomicFile(tmp_path / "done.tif") as part:
        put(part.temporary, "done")
    for name in ("a.tif", "b.tif"):
        put(AtomicFile(tmp_path / name).temporary, "half")
    abort_all()
    assert files(tmp_path) == {"done.tif": "done"}
    put(str(tmp_path / "a.tif.part"), "of another process")
    abort_all()
    assert files(tmp_path) == {"done.tif": "done", "a.tif.part": "of another process"}


def test_a_target_that_cannot_be_replaced(tmp_path: Path) -> None:
    part = AtomicFile(tmp_path / "a.tif")
    put(part.temporary, "new")
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(HyperKDError, match=r"Cannot replace .*a\.tif: ") as caught:
        part.commit()
    assert caught.value.code == "unwritable_output"
    assert os.listdir(tmp_path) == ["a.tif"]


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (errno.ENOSPC, "out_of_disk", "There is no space left for a.tif."),
        (errno.EROFS, "unwritable_output", "Cannot write a.tif: Read-only file system."),
    ],
)
def test_a_folder_that_takes_no_file(
    monkeypatch: pytest.MonkeyPatch, number: int, code: str, message: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(HyperKDError, match=re.escape(message)) as caught:
        require_writable("a.tif")
    assert caught.value.code == code


@pytest.mark.parametrize("length", [243, 251, 256])
def test_a_name_too_long_for_a_temporary_file_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / f"{'a' * (length - 4)}.tif"
    with pytest.raises(HyperKDError, match="File name too long") as caught:
        AtomicFile(path, (".aux.xml",))
    assert caught.value.code == "unwritable_output"
    assert list(tmp_path.iterdir()) == []
    with AtomicFile(tmp_path / f"{'a' * 238}.tif", (".aux.xml",)) as part:
        Path(part.temporary).touch()


def test_two_jobs_do_not_write_the_same_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    (tmp_path / "link").symlink_to(tmp_path)
    with AtomicFile(path) as part:
        put(part.temporary, "first")
        for name in (path, tmp_path / "link" / "a.tif"):
            with pytest.raises(HyperKDError, match=r"Another job is writing .*a\.tif") as caught:
                AtomicFile(name)
            assert caught.value.code == "unwritable_output"
        other = AtomicFile(tmp_path / "b.tif")
        other.abort()
        assert Path(part.temporary).read_text() == "first", "the second touched nothing"
    assert path.read_text() == "first"
    with AtomicFile(path) as part:
        put(part.temporary, "second")
    assert path.read_text() == "second"


HOLD = """
import sys, time
from hyperkd.atomic import AtomicFile
part = AtomicFile(sys.argv[1])
open(part.temporary, "w").write("half")
print("holding", flush=True)
time.sleep(60)
"""


def test_a_killed_process_leaves_no_claim(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "holding\n"
        with pytest.raises(HyperKDError, match="Another job is writing"):
            AtomicFile(path)
        child.kill()
    with AtomicFile(path) as part:
        put(part.temporary, "new")
    assert files(tmp_path) == {"a.tif": "new"}


def test_aborting_twice_leaves_a_later_job_alone(tmp_path: Path) -> None:
    first = AtomicFile(tmp_path / "a.tif")
    first.abort()
    with AtomicFile(tmp_path / "a.tif") as second:
        put(second.temporary, "new")
        first.abort()
    assert files(tmp_path) == {"a.tif": "new"}


def test_where_the_temporary_folder_takes_nothing_every_claim_is_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing" / "folder"))
    monkeypatch.setattr("os.makedirs", lambda *_, **__: None)
    with AtomicFile(tmp_path / "a.tif") as part:
        put(part.temporary, "new")
    assert files(tmp_path) == {"a.tif": "new"}
