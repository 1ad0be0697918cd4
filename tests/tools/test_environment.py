"""When .venv is kept, completed or made anew, and which numpy it may hold."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tools import environment
from tools.machine import Interpreter, SetupError

QGIS = Interpreter("/usr/bin/python3", (3, 11, 2), "3.22.16", "3.6.2", "1.24.2", venv=True)


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("1.24.2", "numpy==1.24.2\n"),
        ("2.1.3", "numpy==2.1.3\n"),
        ("1.26.4+mkl", "numpy==1.26.4\n"),
    ],
)
def test_numpy_stays_the_one_of_the_system(system: str, expected: str) -> None:
    assert environment.constraints(system) == expected


def test_the_demo_needs_no_torch_and_the_tests_need_everything() -> None:
    assert set(environment.EXTRAS["demo"]) == {"onnx", "synth"}
    assert set(environment.EXTRAS["test"]) == {"assess", "onnx", "synth", "train", "dev"}
    assert "torch" in environment.WITNESSES["train"]
    assert set(environment.WITNESSES) == {"", "assess", "onnx", "synth", "train", "dev"}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name in environment.SOURCES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_the_fingerprint_follows_what_decides_the_installation(sources: Path) -> None:
    before = environment.fingerprint(QGIS, sources)
    assert environment.fingerprint(QGIS, sources) == before
    others = [
        dataclasses.replace(QGIS, numpy="2.1.3"),
        dataclasses.replace(QGIS, python=(3, 12, 0)),
        dataclasses.replace(QGIS, executable="/opt/qgis/bin/python3"),
    ]
    assert before not in {environment.fingerprint(other, sources) for other in others}
    (sources / "pyproject.toml").write_text("another bound")
    assert environment.fingerprint(QGIS, sources) != before


@pytest.mark.parametrize(
    ("stamp", "current"),
    [
        ('{"key": "k", "extras": ["onnx", "synth", "train"]}', True),
        ('{"key": "k", "extras": ["onnx"]}', False),
        ('{"key": "other", "extras": ["onnx", "synth"]}', False),
        ('{"key": "k"}', False),
        ('["k"]', False),
        ("cut sho", False),
        (None, False),
    ],
)
def test_a_stamp_counts_where_key_and_extras_fit(
    tmp_path: Path, stamp: str | None, current: bool
) -> None:
    if stamp is not None:
        (tmp_path / "hyperkd-stamp.json").write_text(stamp)
    assert environment.is_current(tmp_path, "k", ("onnx", "synth")) is current


def fake_venv(folder: Path, answer: str, status: int = 0) -> Path:
    python = environment.venv_python(folder)
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\nexit {status}\n")
    python.chmod(0o755)
    return folder


def healthy(**changes: object) -> str:
    engine = str(environment.ROOT / "engine/hyperkd/__init__.py")
    return json.dumps({"prefix": "", "numpy": "1.24.2", "engine": engine, "absent": [], **changes})


def test_a_healthy_environment_has_no_problem(tmp_path: Path) -> None:
    assert environment.problem(fake_venv(tmp_path, healthy()), QGIS, ("onnx",)) == ""


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (healthy(absent=["torch"]), 0, "it lacks torch"),
        (healthy(engine="/elsewhere/hyperkd/__init__.py"), 0, "it has another hyperkd, /elsewh"),
        (healthy(numpy="2.2.0"), 0, "it has numpy 2.2.0 beside the system's 1.24.2"),
        ("", 1, "status 1"),
    ],
)
def test_what_is_wrong_with_an_environment_is_named(
    tmp_path: Path, answer: str, status: int, problem: str
) -> None:
    found = environment.problem(fake_venv(tmp_path, answer, status), QGIS, ("train",))
    assert found.startswith(problem)


def test_an_environment_whose_python_is_gone_is_a_problem(tmp_path: Path) -> None:
    found = environment.problem(tmp_path, QGIS, ())
    assert found == "its Python does not start (FileNotFoundError)"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Record what ``ensure`` does, with an environment that is healthy once installed."""
    done: list[str] = []
    folder = tmp_path / ".venv"
    state = {"extras": set[str]()}

    def create(interpreter: Interpreter) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "hyperkd-stamp.json").unlink(missing_ok=True)
        state["extras"] = {"(venv)"}
        done.append("create")

    def install(interpreter: Interpreter, extras: tuple[str, ...]) -> None:
        state["extras"] |= set(extras)
        done.append("install " + " ".join(sorted(extras)))

    def problem(folder: Path, interpreter: Interpreter, extras: tuple[str, ...]) -> str:
        return "" if state["extras"] and set(extras) <= state["extras"] else "something is missing"

    monkeypatch.setattr(environment, "VENV", folder)
    monkeypatch.setattr(environment, "create", create)
    monkeypatch.setattr(environment, "install", install)
    monkeypatch.setattr(environment, "problem", problem)
    return done


def test_a_second_run_installs_nothing(recorded: list[str]) -> None:
    environment.ensure("demo", QGIS)
    environment.ensure("demo", QGIS)
    assert recorded == ["create", "install onnx synth"]


def test_a_larger_task_completes_what_is_there_and_a_smaller_one_keeps_it(
    recorded: list[str],
) -> None:
    environment.ensure("demo", QGIS)
    environment.ensure("test", QGIS)
    environment.ensure("demo", QGIS)
    assert recorded == ["create", "install onnx synth", "install assess dev onnx synth train"]


def test_another_interpreter_makes_the_environment_anew(recorded: list[str]) -> None:
    environment.ensure("link", QGIS)
    environment.ensure("link", dataclasses.replace(QGIS, numpy="2.1.3"))
    assert recorded == ["create", "install assess onnx"] * 2


def test_a_stamp_alone_is_not_believed(
    recorded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.ensure("link", QGIS)
    monkeypatch.setattr(environment, "problem", lambda *_: "its Python does not start")
    with pytest.raises(SetupError, match="was installed, but its Python does not start"):
        environment.ensure("link", QGIS)
    assert recorded == ["create", "install assess onnx"] * 2


def test_pip_is_tried_again_and_its_failure_names_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[object] = []
    monkeypatch.setattr(environment, "run", lambda command, environment: ran.append(command) or 1)
    monkeypatch.setattr(environment.time, "sleep", lambda seconds: None)
    for name in ("HTTP_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    with pytest.raises(SetupError) as caught:
        environment.pip(["install", "x"])
    assert len(ran) == environment.PIP_ATTEMPTS
    assert "set HTTPS_PROXY" in str(caught.value)
    assert "Set now: HTTPS_PROXY." in str(caught.value)
