"""The engine as a process: clean standard output, exit status, and every way to end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest

CHILD = Path(__file__).with_name("process_child.py")
ENGINE = Path(__file__).resolve().parents[2] / "engine"
# Two seconds of grace for the job, and what a busy machine needs.
LIMIT_S = 5

posix = pytest.mark.skipif(os.name != "posix", reason="signals and descriptors are POSIX's")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """An embed job whose output exists already, with the content ``old``."""
    (tmp_path / "out.tif").write_text("old")
    return write_job(tmp_path)


def write_job(folder: Path, **fields: Any) -> Path:
    document = {"protocol": 1, "job": "embed", "input": "in.tif", "output": "out.tif", **fields}
    path = folder / "job.json"
    path.write_text(json.dumps(document))
    return path


def files(job: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in job.parent.iterdir() if path != job}


def command(behaviour: str, job: Path, *flags: str) -> list[str]:
    return [
        sys.executable,
        "-I",
        str(CHILD),
        behaviour,
        "run",
        str(job),
        "--events",
        "json",
        *flags,
    ]


def finish(behaviour: str, job: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(behaviour, job), capture_output=True, timeout=30, **options)


@posix
def test_a_crash_of_native_code_says_where_the_job_was(job: Path) -> None:
    done = finish("crash", job)
    assert done.returncode == -signal.SIGSEGV
    assert b"Fatal Python error: Segmentation fault" in done.stderr
    assert b"process_child.py" in done.stderr and b"in crash" in done.stderr
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["hello"]
    assert files(job)["out.tif"] == "old"


def _hear_signals() -> None:
    """Undo what a suite under nohup or in the background hands on: signals ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(behaviour: str, job: Path, *flags: str) -> subprocess.Popen[bytes]:
    """Start a job and return when it waits, with half of its output written."""
    process = subprocess.Popen(
        command(behaviour, job, *flags),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=_hear_signals if os.name == "posix" else None,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "stage":
            assert (job.parent / "out.tif.part").read_text() == "half"
            return process
    raise AssertionError(f"the job ended with {process.wait()}")


def events(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def end(process: subprocess.Popen[bytes], timeout_s: float) -> list[dict[str, Any]]:
    """Return the remaining events of a process that has to end within a time."""
    try:
        process.wait(timeout_s)
        assert process.stdout is not None
        return events(process.stdout.read())
    finally:
        process.kill()
        process.communicate()


def test_success_is_exit_0_and_done(job: Path) -> None:
    result = finish("succeed", job)
    assert result.returncode == 0
    told = events(result.stdout)
    assert [event["event"] for event in told] == ["hello", "stage", "progress", "artifact", "done"]
    assert told[0]["device"] == "auto"
    assert told[3]["path"] == str(job.parent / "out.tif")
    assert told[4]["summary"] == {"pixels": 4, "problems": []}
    assert files(job) == {"out.tif": "new"}
    assert result.stderr == b""


@posix
def test_nothing_but_the_protocol_reaches_standard_output(job: Path) -> None:
    result = finish("noisy", job)
    assert result.returncode == 0
    assert [event["event"] for event in events(result.stdout)] == [
        "hello", "stage", "progress", "artifact", "done",
    ]  # fmt: skip
    for words in (b"print", b"puts", b"no line end", b"child"):
        assert words in result.stderr
    assert result.stderr.count(b"buffered by libc until exit") == 2


@pytest.mark.parametrize(
    ("behaviour", "model", "status", "code", "message", "hint"),
    [
        ("bug", "m", 1, "bug", "ZeroDivisionError: division by zero", "please report it"),
        ("refuse", "bad_job", 2, "bad_job", "It is wrong.", "Make it right."),
        ("refuse", "unwritable_output", 2, "unwritable_output", "It is wrong.", ""),
        ("refuse", "no_wavelengths", 3, "no_wavelengths", "It is wrong.", "Make it right."),
        ("refuse", "bad_model", 3, "bad_model", "It is wrong.", "Make it right."),
        ("refuse", "cancelled", 5, "cancelled", "It is wrong.", "Make it right."),
        ("no_memory", "m", 4, "out_of_memory", "Unable to allocate 8 GiB", "batch"),
        ("no_disk", "m", 4, "out_of_disk", "No space left on device", "Free some disk space"),
        ("no_dependency", "m", 4, "missing_dependency", "onnxruntime", "pip install onnxruntime"),
    ],
)
def test_every_failure_has_its_status_and_code(
    tmp_path: Path, behaviour: str, model: str, status: int, code: str, message: str, hint: str
) -> None:
    result = finish(behaviour, write_job(tmp_path, model=model))
    hello, error = events(result.stdout)
    assert result.returncode == status
    assert (hello["event"], error["event"], error["code"]) == ("hello", "error", code)
    assert message in error["message"]
    assert hint in error["hint"]
    assert (b"Traceback" in result.stderr) == (status == 1)
    assert error["context"] == ({"value": 3} if behaviour == "refuse" else error["context"])
    assert list(tmp_path.iterdir()) == [tmp_path / "job.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbf{}", "The job's 'protocol' is null"),
        (b"\xff", "is not UTF-8 text"),
        (b"{", "is not JSON"),
        (b'{"protocol": 1, "job": "embed", "inptu": 1}', "has no field 'inptu'"),
    ],
)
def test_a_bad_job_ends_before_any_work(tmp_path: Path, content: bytes, message: str) -> None:
    job = tmp_path / "job.json"
    job.write_bytes(content)
    result = finish("succeed", job)
    hello, error = events(result.stdout)
    assert result.returncode == 2
    assert (hello["event"], hello["device"]) == ("hello", None)
    assert error["code"] == "bad_job"
    assert message in error["message"]
    assert list(tmp_path.iterdir()) == [job]


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_cancels(job: Path, number: signal.Signals) -> None:
    process = start("patient", job)
    process.send_signal(number)
    told = end(process, LIMIT_S)
    assert process.returncode == 5
    assert (told[-1]["event"], told[-1]["code"]) == ("error", "cancelled")
    assert files(job) == {"out.tif": "old"}


def _by_signal(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.send_signal(signal.SIGTERM)


def _by_signals(process: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(4):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)


def _by_stdin(process: subprocess.Popen[bytes], folder: Path) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None


def _by_wish(process: subprocess.Popen[bytes], folder: Path) -> None:
    (folder / "wish").write_text("cancel")


@posix
@pytest.mark.parametrize("ask", [_by_signal, _by_signals, _by_stdin, _by_wish])
def test_a_job_in_native_code_ends_within_seconds_and_leaves_nothing(
    tmp_path: Path, ask: Callable[[subprocess.Popen[bytes], Path], None]
) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "control").mkdir()
    (tmp_path / "job" / "out.tif").write_text("old")
    job = write_job(tmp_path / "job")
    flags = ["--exit-with-stdin"] if ask is _by_stdin else []
    process = subprocess.Popen(
        command("native", job, "--control", str(tmp_path / "control"), *flags),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_hear_signals,
    )
    assert process.stdout is not None
    stage = next(json.loads(line) for line in process.stdout if b'"stage"' in line)
    assert os.path.isdir(stage["name"])
    there = {path.name for path in job.parent.iterdir()}
    assert there == {"job.json", "out.tif", "out.tif.part", "out.tif.part-rows"}
    ask(process, tmp_path / "control")
    told = end(process, LIMIT_S)
    assert process.returncode == 5
    assert (told[-1]["event"], told[-1]["code"]) == ("error", "cancelled")
    assert files(job) == {"out.tif": "old"}
    assert not os.path.exists(stage["name"])


@posix
def test_a_job_that_heard_the_cancel_may_tidy_up_longer(job: Path) -> None:
    process = subprocess.Popen(
        command("tidying", job), stdout=subprocess.PIPE, preexec_fn=_hear_signals
    )
    assert process.stdout is not None
    next(line for line in process.stdout if b'"stage"' in line)
    process.send_signal(signal.SIGTERM)
    told = end(process, 10)
    assert process.returncode == 5
    assert [event["event"] for event in told] == ["error"]
    assert files(job) == {"out.tif": "kept"}


@posix
def test_whoever_can_kill_the_job_is_told_which_files_are_its_own(job: Path) -> None:
    done = subprocess.run(
        command("succeed", job, "--exit-with-stdin"), stdin=subprocess.PIPE, capture_output=True
    )
    part = str(job.parent / "out.tif.part")
    claims = [event for event in events(done.stdout) if event["event"] == "claim"]
    assert [(claim["path"], claim["files"]) for claim in claims] == [(part, [part]), (part, [])]
    assert os.path.basename(claims[0]["lock"]).endswith(".lock")
    assert not os.path.exists(claims[0]["lock"])


@posix
def test_a_second_job_for_the_same_output_does_not_start(job: Path) -> None:
    process = start("stubborn", job)
    second = finish("bug", job)
    assert second.returncode == 2
    error = events(second.stdout)[-1]
    out = job.parent / "out.tif"
    assert error["code"] == "unwritable_output"
    assert error["message"] == f"Another job is writing {out} at this moment."
    assert files(job) == {"out.tif": "old", "out.tif.part": "half"}
    process.kill()
    process.communicate()
    assert finish("succeed", job).returncode == 0


@posix
def test_a_second_signal_interrupts_a_job_that_does_not_ask(job: Path) -> None:
    process = start("stubborn", job)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGTERM)
    told = end(process, LIMIT_S)
    assert process.returncode == 5
    assert (told[-1]["event"], told[-1]["code"]) == ("error", "cancelled")
    assert files(job) == {"out.tif": "old"}


@posix
def test_an_ignored_signal_stays_ignored(job: Path) -> None:
    process = subprocess.Popen(
        ["nohup", *command("patient", job)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    next(line for line in process.stdout if b"still here" in line)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.terminate()
    end(process, LIMIT_S)


@posix
def test_sigkill_leaves_the_old_file_and_the_next_run_cleans_up(job: Path) -> None:
    process = start("patient", job)
    process.kill()
    assert "done" not in [event["event"] for event in end(process, LIMIT_S)]
    assert process.returncode == -signal.SIGKILL
    assert files(job)["out.tif"] == "old"
    assert finish("succeed", job).returncode == 0
    assert files(job).keys() - {"out.tif.part.aux.xml"} == {"out.tif"}


@pytest.mark.parametrize("behaviour", ["patient", "stubborn"])
def test_the_end_of_standard_input_ends_the_process(job: Path, behaviour: str) -> None:
    process = start(behaviour, job, "--exit-with-stdin")
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    told = end(process, LIMIT_S)
    assert process.returncode == 5
    assert "done" not in [event["event"] for event in told]
    assert files(job) == {"out.tif": "old"}


@posix
@pytest.mark.parametrize(("flags", "nicer"), [((), 0), (("--exit-with-stdin",), 5)])
def test_started_by_a_program_with_a_window_it_lets_others_go_first(
    job: Path, flags: tuple[str, ...], nicer: int
) -> None:
    result = subprocess.run(
        command("priority", job, *flags),
        stdin=subprocess.PIPE if flags else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert events(result.stdout)[-1]["summary"]["nice"] == min(19, os.nice(0) + nicer)


@posix
def test_a_killed_parent_leaves_no_orphan(job: Path) -> None:
    parent_code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\n"
        "time.sleep(60)\n"
    )
    child = command("stubborn", job, "--exit-with-stdin")
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code, *child],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    next(line for line in parent.stdout if b'"stage"' in line)
    parent.kill()
    # The pipe ends when the last process that holds it has ended: the engine.
    began = time.monotonic()
    parent.communicate(timeout=10)
    assert time.monotonic() - began < LIMIT_S
    assert files(job) == {"out.tif": "old"}


def test_without_the_flag_standard_input_may_be_closed(job: Path) -> None:
    process = start("patient", job)
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.terminate()
    end(process, LIMIT_S)


@posix
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_descriptors_do_no_harm(job: Path, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    result = finish("noisy", job, preexec_fn=close)
    assert result.returncode == 0
    assert files(job) == {"out.tif": "new"}
    assert (events(result.stdout)[-1:] == []) == (1 in closed)


@posix
def test_a_reader_that_goes_away_ends_the_job(job: Path) -> None:
    process = start("patient", job)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    assert process.wait(3) == 5
    process.communicate()
    assert files(job) == {"out.tif": "old"}


def test_it_starts_isolated_whatever_the_environment_says(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHOME": "/nonexistent", "PYTHONPATH": "/nonexistent"}
    (tmp_path / "json.py").write_text("raise ImportError('the wrong json')")
    job = write_job(tmp_path, output="none/out.tif")
    result = subprocess.run(
        [sys.executable, "-I", str(ENGINE), "run", str(job), "--events", "json"],
        capture_output=True,
        timeout=30,
        env=environment,
        cwd=tmp_path,
    )
    assert result.returncode == 2, result.stderr
    assert events(result.stdout)[1]["code"] == "unwritable_output"


def test_a_hostile_current_folder_is_not_imported_from(tmp_path: Path) -> None:
    """As a module Python would look there first; a script or ``-I`` never does."""
    seen = tmp_path / "seen"
    names = ("json", "argparse", "numpy", "threading", "tempfile", "onnx", "ctypes", "fcntl")
    for name in names:
        (tmp_path / f"{name}.py").write_text(f"open({str(seen)!r}, 'a').write({name!r})")
    environment = {**os.environ, "PYTHONPATH": str(ENGINE)}
    student = ENGINE.parent / "resources" / "students" / "tiny.onnx"
    done = subprocess.run(
        [sys.executable, "-m", "hyperkd", "info", str(student)],
        capture_output=True,
        timeout=60,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert b"embedding" in done.stdout
    assert not seen.exists()
