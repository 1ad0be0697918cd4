"""What others may put in the place of our files: links, pipes, folders, files of other jobs."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Callable, Optional

import pytest

from hyperkd import locks
from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.files import create_new, open_own, read_regular
from hyperkd.inference.tiling.block_reader import Unreadable
from hyperkd.inference.tiling.journal import Journal
from hyperkd.jobs.control import Commands, follow
from hyperkd.jobs.outputs import check_outputs
from hyperkd.jobs.validate import load_job
from hyperkd.output_checks import require_writable
from hyperkd.requests.predict_options import PredictJob
from hyperkd.scratch import scratch_folder
from hyperkd.temporary_names import derived_names

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX's")
COMPANIONS = (".aux.xml",)

Put = Callable[[Path], object]
PUT: dict[str, Put] = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "link": lambda path: path.symlink_to(path.parent / "victim"),
    "dangling link": lambda path: path.symlink_to(path.parent / "nowhere"),
    "device": lambda path: path.symlink_to("/dev/full"),
}


@pytest.fixture(params=PUT)
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Put:
    """Put something that is not a regular file at a path; ``victim`` must stay as it is."""
    (tmp_path / "victim").write_text("untouched")
    return PUT[request.param]


def tree(folder: Path) -> dict[str, str]:
    """Return what is in a folder: the kind of each entry, and the text of files."""
    found = {}
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        found[path.name] = path.read_text() if stat.S_ISREG(mode) else oct(stat.S_IFMT(mode))
    return found


# --- reading ----------------------------------------------------------------------------------


def test_a_regular_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    (tmp_path / "link").symlink_to(path)
    assert read_regular(path, 5) == read_regular(tmp_path / "link", 5) == b"12345"
    with pytest.raises(OSError, match="it is longer than 4 bytes") as caught:
        read_regular(path, 4)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "a")
    with pytest.raises(OSError, match="it is not a regular file") as caught:
        read_regular(tmp_path / "a", 5)
    assert caught.value.filename == str(tmp_path / "a")


def test_a_device_without_end_is_not_read() -> None:
    with pytest.raises(OSError, match="it is not a regular file"):
        read_regular("/dev/zero", 5)


def test_new_files_follow_no_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        create_new(tmp_path / "link")
    with pytest.raises(OSError, match="symbolic links"):
        open_own(tmp_path / "link", make=True)
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


# --- outputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".part", ".part.aux.xml"])
def test_a_temporary_name_that_is_taken_by_something_else(
    tmp_path: Path, put: Put, suffix: str
) -> None:
    put(tmp_path / f"a.tif{suffix}")
    before = tree(tmp_path)
    with pytest.raises(HyperKDError, match="is not a regular file") as caught:
        AtomicFile(tmp_path / "a.tif", COMPANIONS)
    assert caught.value.code == "unwritable_output"
    assert caught.value.message == (
        f"Cannot write {tmp_path}/a.tif: {tmp_path}/a.tif{suffix} is not a regular file."
    )
    assert tree(tmp_path) == before


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/full")])
@pytest.mark.parametrize("suffix", ["", ".aux.xml"])
def test_a_device_or_pipe_is_never_replaced(
    tmp_path: Path, make: Callable[[Path], None], suffix: str
) -> None:
    make(tmp_path / f"a.tif{suffix}")
    with pytest.raises(HyperKDError, match="is not a regular file") as caught:
        AtomicFile(tmp_path / "a.tif", COMPANIONS)
    assert caught.value.code == "unwritable_output"
    os.unlink(tmp_path / f"a.tif{suffix}")
    part = AtomicFile(tmp_path / "a.tif", COMPANIONS)
    Path(part.temporary).write_text("new")
    Path(part.temporary + ".aux.xml").write_text("new")
    make(tmp_path / f"a.tif{suffix}")
    with pytest.raises(HyperKDError, match=r"Cannot replace .*is not a regular file"):
        part.commit()
    assert [path.name for path in tmp_path.iterdir()] == [f"a.tif{suffix}"]


def test_the_temporary_file_is_there_before_anybody_can_plant_a_link(tmp_path: Path) -> None:
    with AtomicFile(tmp_path / "a.tif") as part:
        with pytest.raises(FileExistsError):
            os.symlink(tmp_path / "victim", part.temporary)
    assert tree(tmp_path) == {"a.tif": ""}


def test_a_link_in_the_place_of_the_output_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "a.tif").symlink_to(tmp_path / "victim")
    with AtomicFile(tmp_path / "a.tif") as part:
        Path(part.temporary).write_text("new")
    assert tree(tmp_path) == {"a.tif": "new", "victim": "untouched"}


def test_companions_that_cannot_be_replaced_leave_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.tif", "a.tif.aux.xml"):
        (tmp_path / name).write_text("old")
    replace = os.replace

    def refuse(source: str, target: str) -> None:
        if str(target).endswith("a.tif"):
            raise PermissionError(errno.EACCES, "In use")
        replace(source, target)

    part = AtomicFile(tmp_path / "a.tif", COMPANIONS)
    for suffix in ("", ".aux.xml"):
        Path(part.temporary + suffix).write_text("new")
    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(HyperKDError, match=r"Cannot replace .*a\.tif: In use\."):
        part.commit()
    assert tree(tmp_path) == {"a.tif": "old", "a.tif.aux.xml": "old"}


def test_a_file_without_companions_is_what_a_kill_between_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a map with the classes of another one; the next job takes what is left away."""
    for name in ("a.tif", "a.tif.aux.xml"):
        (tmp_path / name).write_text("old")
    seen = []
    replace = os.replace

    def spied(source: str, target: str) -> None:
        replace(source, target)
        seen.append(tree(tmp_path))

    with AtomicFile(tmp_path / "a.tif", COMPANIONS) as part:
        for suffix in ("", ".aux.xml"):
            Path(part.temporary + suffix).write_text("new")
        monkeypatch.setattr("os.replace", spied)
    pairs = [(each["a.tif"], each.get("a.tif.aux.xml")) for each in seen]
    assert pairs == [("old", None), ("new", None), ("new", "new")]
    assert tree(tmp_path) == {"a.tif": "new", "a.tif.aux.xml": "new"}
    (tmp_path / "a.tif.part.old0").write_text("left by a kill")
    AtomicFile(tmp_path / "a.tif", COMPANIONS).abort()
    assert tree(tmp_path) == {"a.tif": "new", "a.tif.aux.xml": "new"}


def test_a_disk_link_is_made_or_the_file_copied(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("content")
    with AtomicFile(tmp_path / "b") as part:
        assert part.link(tmp_path / "a")
    assert os.path.samefile(tmp_path / "a", tmp_path / "b")
    with AtomicFile(tmp_path / "c") as part:
        assert not part.link(tmp_path / "missing")
        assert Path(part.temporary).read_text() == ""


@pytest.mark.parametrize("name", ["x.tif.part", "x.tif.part-rows", "x.tif.plain", "x.tif.aux.xml"])
@pytest.mark.parametrize("swap", [False, True])
def test_no_output_has_the_name_of_a_file_that_another_one_needs(
    tmp_path: Path, name: str, swap: bool
) -> None:
    names = [str(tmp_path / "x.tif"), str(tmp_path / name)]
    output, probabilities = reversed(names) if swap else names
    job = PredictJob(input="/scene.tif", model="m", output=output, probabilities=probabilities)
    with pytest.raises(HyperKDError, match="may be made beside") as caught:
        check_outputs(job)
    assert caught.value.code == "bad_job"
    assert f"{names[1]}, a file that may be made beside {names[0]}" in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_no_input_has_the_name_of_a_file_that_an_output_needs(tmp_path: Path) -> None:
    for name in derived_names(str(tmp_path / "x.tif")):
        job = PredictJob(input=name, model="m", output=str(tmp_path / "x.tif"))
        with pytest.raises(HyperKDError, match="'input' is .* may be made beside"):
            check_outputs(job)


def test_trying_a_path_leaves_the_temporary_file_of_another_job(tmp_path: Path) -> None:
    (tmp_path / "a.tif.part").write_text("another's")
    require_writable(str(tmp_path / "a.tif"))
    assert tree(tmp_path) == {"a.tif.part": "another's"}


# --- the journal ------------------------------------------------------------------------------


def test_a_journal_in_the_place_of_something_else(tmp_path: Path, put: Put) -> None:
    put(tmp_path / "x.tif.part-rows")
    before = tree(tmp_path)
    for act in (
        lambda journal: journal.begin(),
        lambda journal: journal.differences(),
        lambda journal: list(journal.replay([[((1,), float)]])),
    ):
        journal = Journal(str(tmp_path / "x.tif"), {}, Unreadable())
        with pytest.raises(HyperKDError, match=r"Cannot write .*x\.tif\.part-rows") as caught:
            act(journal)
        assert caught.value.code == "unwritable_output"
        journal.remove()
    assert tree(tmp_path) == before


@pytest.mark.parametrize("head", [b"[1]", b"nonsense", b"[" * 100_000, b"\xff"])
def test_a_journal_that_is_none_of_ours_is_begun_anew(tmp_path: Path, head: bytes) -> None:
    forged = Journal(str(tmp_path / "x.tif"), {}, Unreadable())
    forged._about = head
    forged.begin()
    forged.close()
    assert Journal(str(tmp_path / "x.tif"), {"a": 1}, Unreadable()).differences() is None


@pytest.mark.parametrize("lost", ["[[1, 2]]", "[[0, 0, -1, 5]]", "7", '[["a", 0, 1, 1]]', "{"])
def test_damaged_portions_of_a_journal_end_it(tmp_path: Path, lost: str) -> None:
    import numpy as np

    forged = Journal(str(tmp_path / "x.tif"), {}, Unreadable())
    forged.begin()
    forged._write(1, [np.zeros(2, np.uint8).data, lost.encode()])
    forged.close()
    journal = Journal(str(tmp_path / "x.tif"), {}, Unreadable())
    assert list(journal.replay([[((2,), np.uint8)]])) == []
    assert journal.count == 0
    journal.remove()


def test_two_jobs_do_not_share_a_journal(tmp_path: Path) -> None:
    first = Journal(str(tmp_path / "x.tif"), {}, Unreadable())
    first.begin()
    second = Journal(str(tmp_path / "x.tif"), {}, Unreadable())
    with pytest.raises(HyperKDError, match="Another job is writing"):
        second.begin()
    second.remove()
    assert (tmp_path / "x.tif.part-rows").exists()
    first.remove()
    assert list(tmp_path.iterdir()) == []


# --- locks and scratch folders ----------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty temporary folder, and no other one."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(locks, "_swept", set())
    return folder


def own(temporary: Path) -> Path:
    return temporary / f"hyperkd-{os.getuid()}"


@pytest.mark.parametrize("how", ["link", "writable", "file", "other user"])
def test_a_folder_of_locks_that_others_prepared_is_not_used(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    if how == "link":
        own(temporary).symlink_to(trap)
    elif how == "file":
        own(temporary).write_text("")
    else:
        own(temporary).mkdir()
        own(temporary).chmod(0o777 if how == "writable" else 0o700)
        if how == "other user":
            monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
            own(temporary).mkdir(mode=0o700)
    lock = locks.FileLock(str(tmp_path / "a.tif"))
    assert lock.lock == ""
    locks.FileLock(str(tmp_path / "a.tif"))  # granted
    assert list(trap.iterdir()) == []
    assert not own(temporary).is_dir() or list(own(temporary).iterdir()) == []


def test_the_runtime_folder_of_the_session_is_the_other_choice(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(temporary).symlink_to(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    lock = locks.FileLock(str(tmp_path / "a.tif"))
    assert Path(lock.lock).parent == tmp_path / "run" / f"hyperkd-{os.getuid()}"
    with pytest.raises(HyperKDError, match="Another job is writing"):
        locks.FileLock(str(tmp_path / "a.tif"))
    lock.release()


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_a_lock_that_is_no_file_grants_the_claim(
    tmp_path: Path, temporary: Path, kind: str
) -> None:
    first = locks.FileLock(str(tmp_path / "a.tif"))
    name = first.lock
    first.release()
    PUT[kind](Path(name))
    lock = locks.FileLock(str(tmp_path / "a.tif"))
    assert lock.lock == ""
    assert os.path.lexists(name)


LEAVE = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
from hyperkd.atomic import AtomicFile
from hyperkd.scratch import scratch_folder
part = AtomicFile(sys.argv[2])
context = scratch_folder()
folder = context.__enter__()
open(os.path.join(folder, "large"), "w").write("x")
os._exit(9)
"""


def test_what_killed_processes_left_is_swept_and_what_lives_is_not(
    tmp_path: Path, temporary: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("XDG_RUNTIME_DIR", None)
    for number in range(3):
        arguments = [str(temporary), str(tmp_path / f"{number}.tif")]
        done = subprocess.run([sys.executable, "-c", LEAVE, *arguments], env=environment)
        assert done.returncode == 9
    # Each has swept what the one before it left.
    assert len(list(own(temporary).iterdir())) == 3
    with scratch_folder() as folder:
        names = sorted(path.name for path in own(temporary).iterdir())
        assert names == sorted([Path(folder).name, f"{Path(folder).name}.lock"])
        locks._swept.clear()
        with scratch_folder() as other:
            assert os.path.isdir(folder)
            assert os.path.isdir(other)
    assert list(own(temporary).iterdir()) == []


# --- the job and its control folder -----------------------------------------------------------


def test_a_job_file_that_is_no_file_or_too_long(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b" " * (1 << 24) + b"{}")
    for name, message in (
        ("pipe", "it is not a regular file"),
        (".", "it is not a regular file"),
        ("long", "it is longer than"),
        ("a" * 300, "File name too long"),
    ):
        with pytest.raises(HyperKDError, match=f"Cannot read the job file .*: {message}") as caught:
            load_job(str(tmp_path / name))
        assert caught.value.code == "bad_job"


def test_a_pipe_in_the_place_of_the_wish_says_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "wish")
    commands, finished = Commands(), threading.Event()
    follow(tmp_path, commands, finished, lambda: None)
    finished.set()
    assert not commands.cancelled.is_set()


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_sign_of_life_is_given_in_a_file_alone(tmp_path: Path, kind: str) -> None:
    (tmp_path / "victim").write_text("untouched")
    os.utime(tmp_path / "victim", (1, 1))
    PUT[kind](tmp_path / "alive")
    with pytest.raises(HyperKDError, match="control folder .* cannot be used") as caught:
        follow(tmp_path, Commands(), threading.Event(), lambda: None)
    assert caught.value.code == "bad_job"
    assert (tmp_path / "victim").stat().st_mtime == 1


def test_a_deep_job_is_refused(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("[" * 100_000)
    with pytest.raises(HyperKDError, match="is not JSON"):
        load_job(str(tmp_path / "job.json"))
    (tmp_path / "job.json").write_text(
        json.dumps({"protocol": 1, "job": "embed", "input": "\ud800", "output": "o"})
    )
    with pytest.raises(HyperKDError, match="is not a file name on this machine"):
        load_job(str(tmp_path / "job.json"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"output": "a\udcff.onnx"}, "'output' must be text that UTF-8 can hold"),
        ({"unit": ["\ud800"]}, "'unit' must be text that UTF-8 can hold"),
        ({"field": ["a\0b"]}, "'field' must not contain a null character"),
    ],
)
def test_texts_that_end_up_in_files_can_be_written(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    document = {"protocol": 1, "job": "finetune", "input": ["a"], "labels": ["b"]}
    document |= {"output": "m.onnx", "task": "classification", "student": "tiny", **fields}
    (tmp_path / "job.json").write_text(json.dumps(document))
    with pytest.raises(HyperKDError, match=message) as caught:
        load_job(str(tmp_path / "job.json"))
    assert caught.value.code == "bad_job"


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", None])
def test_a_damaged_memory_of_self_tests_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Optional[str]
) -> None:
    from hyperkd.inference import self_test_cache

    monkeypatch.setenv("HYPERKD_CACHE", str(tmp_path))
    path = tmp_path / "self-tests.json"
    if content is None:
        os.mkfifo(path)
    else:
        path.write_text(content)
    assert self_test_cache.passed("key") is None
    self_test_cache.remember("key", 0.5)
    assert self_test_cache.passed("key") == (None if content is None else 0.5)


def test_certificates_in_a_pipe_are_not_waited_for(tmp_path: Path) -> None:
    from hyperkd.models.store.https import HttpsSettings, make_opener

    os.mkfifo(tmp_path / "ca.pem")
    with pytest.raises(
        HyperKDError, match="holds no certificates: .*is not a regular file"
    ) as caught:
        make_opener(HttpsSettings(None, ca_file=str(tmp_path / "ca.pem")))
    assert caught.value.code == "bad_job"
