"""When .venv is kept, completed or made anew, and which numpy it may hold."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hyperkd_qgis.env import pins, torch_build
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
    everything = {"assess", "onnx", "synth", "train", "dev", "dev-train"}
    assert set(environment.EXTRAS["test"]) == everything
    assert set(environment.EXTRAS["test without torch"]) == everything - {"train", "dev-train"}
    assert "torch" in environment.WITNESSES["train"]
    assert set(environment.WITNESSES) == {"", *everything}


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
    assert recorded == [
        "create",
        "install onnx synth",
        "install assess dev dev-train onnx synth train",
    ]


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


@pytest.fixture
def torch_setup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return what pip installs and what is said, for what the indexes offer."""

    def call(
        offered: dict[str, str], *, here: str = "", gpu: str = "", platform: str = "linux"
    ) -> tuple[list[list[str]], list[list[str]]]:
        asked: list[list[str]] = []
        installed: list[list[str]] = []

        def said(command: list[object]) -> str:
            words = [str(word) for word in command]
            if "index" not in words:
                return f"{here}\n"
            asked.append(words)
            own = "own" if "--index-url" in words else "configured"
            versions = offered.get(own, "")
            return f"torch (1)\nAvailable versions: {versions}\n" if versions else ""

        index = functools.partial(pins.torch_index, platform=platform)
        monkeypatch.setattr(environment, "_said", said)
        monkeypatch.setattr(
            environment, "pip", lambda words: installed.append(list(map(str, words)))
        )
        monkeypatch.setattr(environment.torch_build, "nvidia_gpu", lambda: gpu)
        monkeypatch.setattr(environment.pins, "torch_index", index)
        environment.install_torch(QGIS, tmp_path / "pinned.txt")
        return asked, installed

    return call


def test_a_configured_build_for_the_processor_goes_first_and_no_other_index_is_asked(
    torch_setup: Any,
) -> None:
    asked, installed = torch_setup({"configured": "2.14.0, 2.13.0+cpu, 2.13.0"})
    assert len(asked) == 1
    ((*_, requirement),) = installed
    assert requirement == "torch==2.13.0+cpu"


def test_pytorchs_own_index_is_asked_where_only_builds_for_gpus_are_configured(
    torch_setup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERKD_TORCH_INDEX", "http://127.0.0.1:9/mirror")
    asked, ((*_, requirement, option, index),) = torch_setup(
        {"configured": "2.13.0", "own": "2.13.0+cpu"}
    )
    assert [requirement, option] == ["torch==2.13.0+cpu", "--extra-index-url"]
    assert index == asked[1][-1] == "http://127.0.0.1:9/mirror/cpu"
    retries, timeout = (asked[1][asked[1].index(name) + 1] for name in ("--retries", "--timeout"))
    assert (retries, int(timeout) <= 10) == ("0", True)


def test_where_nobody_has_it_the_size_of_the_other_build_is_told(
    torch_setup: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _, installed = torch_setup({"configured": "2.13.0"})
    assert installed == []  # the engine's own installation brings it
    told = capsys.readouterr().out
    assert "There is no NVIDIA GPU here, but PyTorch's build for the processor is not" in told
    assert "about 2.8 GB to download" in told and "HYPERKD_TORCH_INDEX" in told


def test_a_gpu_gets_its_own_build_and_is_named(
    torch_setup: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert torch_setup({}, gpu="RTX A2000") == ([], [])
    assert "since this machine has a RTX A2000" in capsys.readouterr().out


@pytest.mark.parametrize("values", [{"here": "2.13.0+cu130"}, {"platform": "darwin"}])
def test_nothing_is_asked_where_torch_is_there_or_the_index_has_the_build(
    torch_setup: Any, values: dict[str, str]
) -> None:
    assert torch_setup({}, **values) == ([], [])


@pytest.mark.parametrize(
    ("configured", "own", "source"),
    [
        ("torch (2.13.0)\nAvailable versions: 2.13.0+cpu\n", "", "configured"),
        ("Available versions: 2.13.0, 2.12.1", "Available versions: 2.13.0+cpu", "pytorch"),
        ("", "Available versions: 2.13.0+cpu", "pytorch"),
        ("Available versions: 2.13.0", "ERROR: No matching distribution found", "nowhere"),
        ("Available versions: 12.13.0+cpu", "Available versions: 2.13.0+cu130", "nowhere"),
        ("WARNING: Retrying ... NewConnectionError", "WARNING: NewConnectionError", "unknown"),
        ('ERROR: unknown command "index" - maybe you meant "install"', "", "unknown"),
    ],
)
def test_where_a_build_of_pytorch_comes_from(configured: str, own: str, source: str) -> None:
    def ask(words: Sequence[str]) -> str:
        return own if "--index-url" in words else configured

    assert torch_build.find_source(ask, "2.13.0", "cpu", "http://127.0.0.1:9/cpu") == source


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("int cuInit(int f) { return 100; }", ""),  # no device
        ("int cuInit(int f) { return 0; }", ""),  # not a driver
        (
            "int cuInit(int f) { return 0; }\nint cuDeviceGetCount(int *n) { *n = 0; return 0; }",
            "",
        ),
        (
            "#include <string.h>\nint cuInit(int f) { return 0; }\n"
            "int cuDeviceGetCount(int *n) { *n = 2; return 0; }\n"
            'int cuDeviceGetName(char *s, int n, int d) { strcpy(s, "RTX A2000"); return 0; }',
            "RTX A2000",
        ),
    ],
)
def test_the_driver_tells_whether_there_is_a_gpu(tmp_path: Path, body: str, name: str) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make a driver with")
    source, library = tmp_path / "cuda.c", tmp_path / "libcuda.so"
    source.write_text(body)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    assert torch_build.nvidia_gpu(str(library)) == name
    assert torch_build.nvidia_gpu(str(tmp_path / "absent.so")) == ""


@pytest.mark.parametrize(("own", "source"), [(True, "pytorch"), (False, "nowhere")])
def test_the_real_pip_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool, source: str
) -> None:
    """Two indexes on this machine; the second one may be out of reach."""
    for folder, version in (("simple", "2.13.0"), ("cpu", "2.13.0+cpu")):
        page = tmp_path / folder / "torch" / "index.html"
        page.parent.mkdir(parents=True)
        name = f"torch-{version}-py3-none-any.whl"
        page.write_text(f'<!DOCTYPE html><a href="{name}">{name}</a>')
    for name in [name for name in os.environ if name.lower().startswith("pip_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("PIP_INDEX_URL", f"{here}/simple/")

        def ask(words: Sequence[str]) -> str:
            return environment._said([sys.executable, "-m", "pip", *words])

        index = f"{here}/cpu/" if own else "http://127.0.0.1:9/cpu"
        try:
            assert torch_build.find_source(ask, "2.13.0", "cpu", index) == source
        finally:
            server.shutdown()
