"""The command line of build.py, and the table of benchmarks."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

import build
from tools import benchmarks, environment, machine
from tools.machine import Interpreter, SetupError

QGIS = Interpreter("/usr/bin/python3", (3, 11, 2), "3.22.16", "3.6.2", "1.24.2", venv=True)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Record what build.py runs, with everything set up already."""
    commands: list[list[str]] = []

    def run(command: list[object], **options: object) -> int:
        commands.append([str(part) for part in command])
        return 5

    monkeypatch.setattr(build, "ensure_qgis", lambda: QGIS)
    monkeypatch.setattr(build, "ensure_screen", lambda: None)
    monkeypatch.setattr(build, "ensure", lambda task, interpreter: Path("python"))
    monkeypatch.setattr(build, "TEST_PROFILE", tmp_path)
    monkeypatch.setattr(build, "run", run)
    return commands


def test_arguments_of_test_go_to_pytest_flags_included(ran: list[list[str]]) -> None:
    assert build.main(["test", "-k", "blend", "--help"]) == 5
    assert ran == [["python", "-m", "pytest", "-k", "blend", "--help"]]


def test_the_whole_suite_runs_in_two_processes(ran: list[list[str]]) -> None:
    assert build.main(["test"]) == 5
    assert ran == [["python", "-m", "pytest", *build.WHOLE_SUITE]]


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]) -> list[str]:
    """Record for which task build.py sets up."""
    tasks: list[str] = []

    def ensure(task: str, interpreter: Interpreter) -> Path:
        tasks.append(task)
        return Path("python")

    monkeypatch.setattr(build, "ensure", ensure)
    return tasks


def test_torch_can_be_left_out(prepared: list[str], ran: list[list[str]]) -> None:
    assert build.main(["test", "--without-torch", "-k", "blend"]) == 5
    assert build.main(["test", "-k", "--without-torch"]) == 5
    assert prepared == ["test without torch", "test"]
    assert ran == [
        ["python", "-m", "pytest", "-k", "blend"],
        ["python", "-m", "pytest", "-k", "--without-torch"],
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trixie"], ["--without-torch", "tests/qgis"]),
        (["testing", "-k", "blend"], ["--without-torch", "-k", "blend"]),
        (["--torch", "trixie"], []),
        (["--torch", "trixie", "-x", "tests/engine"], ["-x", "tests/engine"]),
    ],
)
def test_a_root_runs_the_plugins_tests_or_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, words: list[str], told: list[str]
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def run_tests(suite: str, arguments: list[str]) -> int:
        asked.append((suite, arguments))
        return 5

    monkeypatch.setattr(build.roots, "run_tests", run_tests)
    assert build.main(["root", *words]) == 5
    suite = "testing" if "testing" in words else "trixie"
    assert asked == [(suite, told)]


def test_without_a_root_the_status_is_that_of_a_skipped_test(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build.roots, "obstacle", lambda: "this machine has no debootstrap")
    assert build.main(["root", "trixie"]) == build.SKIPPED == 77
    said = capsys.readouterr().err
    assert said == (
        "build.py: There is no Debian root to test in: this machine has no debootstrap.\n"
    )


def test_what_only_the_user_can_do_ends_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> Interpreter:
        raise SetupError("QGIS is missing.\nType this.")

    monkeypatch.setattr(build, "ensure_qgis", refuse)
    assert build.main(["check"]) == 1
    assert capsys.readouterr().err == "build.py: QGIS is missing.\nType this.\n"


@pytest.mark.parametrize(
    "words",
    [[], ["demon"], ["demo", "--rasta", "x"], ["package", "now"], ["root"], ["root", "sid"]],
)
def test_a_command_line_that_is_wrong_ends_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        build.main(words)


def test_build_py_needs_nothing_but_the_standard_library() -> None:
    # -S: no site-packages at all, so neither ours nor the system's.
    answer = subprocess.run(
        [sys.executable, "-S", "-E", str(machine.ROOT / "build.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    for command in ("demo", "test", "check", "package", "bench", "link", "root"):
        assert f"\n    {command} " in answer.stdout
    tasks = {"demo", "demo with labels", "test", "test without torch", "check", "bench", "link"}
    assert set(environment.EXTRAS) == tasks


def test_a_table_has_aligned_columns() -> None:
    rows = [{"command": "embed", "seconds": 1.23456}, {"command": "x", "seconds": 123456.0}]
    assert benchmarks.table(rows).splitlines() == [
        "command  seconds",
        "-------  ---------",
        "embed    1.235",
        "x        1.235e+05",
    ]
    assert benchmarks.table([]) == "(no rows)"


def test_an_unknown_benchmark_is_refused_before_anything_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "ensure", lambda *_: pytest.fail("installed something"))
    monkeypatch.setattr(build, "ensure_qgis", lambda *_: pytest.fail("installed QGIS"))
    with pytest.raises(SetupError, match=r"no benchmark nothing\. There are: .*commands"):
        build.command_bench(argparse.Namespace(name="nothing", quick=True))


def test_without_a_name_all_benchmarks_run() -> None:
    assert benchmarks.choose(None) == benchmarks.names()
    assert benchmarks.choose("commands") == ["commands"]
