"""How build.py finds QGIS's Python, and what it says where there is none."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import machine
from tools.machine import Interpreter, SetupError

QGIS = Interpreter("/usr/bin/python3", (3, 11, 2), "3.22.16", "3.6.2", "1.24.2", venv=True)


@pytest.fixture(autouse=True)
def nobody_names_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(machine.QGIS_PYTHON_VARIABLE, raising=False)


def fake_python(folder: Path, name: str = "python3", **answer: Any) -> Path:
    """Return a program that answers the probe as an interpreter with these modules would."""
    values: dict[str, Any] = {
        "executable": str(folder / name),
        "virtual": False,
        "python": [3, 11, 2],
        "qgis": "3.22.16",
        "gdal": "3.6.2",
        "numpy": "1.24.2",
        "venv": True,
        **answer,
    }
    path = folder / name
    path.write_text(f"#!/bin/sh\necho noise on import\ncat <<'END'\n{json.dumps(values)}\nEND\n")
    path.chmod(0o755)
    return path


def test_the_probe_reads_the_last_line_of_what_an_interpreter_says(tmp_path: Path) -> None:
    path = fake_python(tmp_path)
    found = machine.probe(str(path))
    assert found == Interpreter(str(path), (3, 11, 2), "3.22.16", "3.6.2", "1.24.2", venv=True)


def test_the_probe_finds_what_this_interpreter_imports() -> None:
    found = machine.probe(sys.executable)
    assert isinstance(found, Interpreter)
    assert found.python == tuple(sys.version_info[:3])
    # A virtual environment answers with what it was made from.
    assert Path(found.executable).resolve() == Path(sys._base_executable).resolve()


def test_the_probe_runs_without_the_variables_of_the_python_that_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    assert isinstance(machine.probe(sys.executable), Interpreter)


def test_an_interpreter_that_does_not_start_is_passed_by(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    good = fake_python(tmp_path)
    found, passed_by = machine.find_interpreter([str(tmp_path / "none"), str(broken), str(good)])
    assert found is not None
    assert found.executable == str(good)
    assert passed_by == [
        f"{tmp_path / 'none'} does not start (FileNotFoundError)",
        f"{broken} ended with status 3",
    ]


def test_the_first_with_qgis_and_gdal_wins_over_an_earlier_without(tmp_path: Path) -> None:
    plain = fake_python(tmp_path, "plain", qgis="", gdal="")
    no_gdal = fake_python(tmp_path, "no_gdal", gdal="")
    old = fake_python(tmp_path, "old", python=[3, 8, 10])
    good = fake_python(tmp_path, "good")
    places = [str(path) for path in (plain, no_gdal, old, good)]
    found, passed_by = machine.find_interpreter(places)
    assert found is not None
    assert found.executable == str(good)
    assert passed_by == [
        f"{plain} cannot import qgis and osgeo",
        f"{no_gdal} cannot import osgeo",
        f"{old} is Python 3.8.10, older than 3.9",
    ]


def test_a_virtual_environment_leads_to_the_interpreter_it_was_made_from(tmp_path: Path) -> None:
    base = fake_python(tmp_path, "base")
    virtual = fake_python(tmp_path, "virtual", virtual=True, executable=str(base))
    found = machine.probe(str(virtual))
    assert isinstance(found, Interpreter)
    assert found.executable == str(base)


def test_a_named_interpreter_is_the_only_one_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = fake_python(tmp_path, "named", qgis="")
    monkeypatch.setenv(machine.QGIS_PYTHON_VARIABLE, str(named))
    with pytest.raises(SetupError, match=f"names {named}, which cannot import qgis"):
        machine.find_interpreter([str(fake_python(tmp_path))])


def test_debians_wrapper_of_qgis_process_is_passed_by(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    for name in ("python3", "qgis_process", "qgis_process.bin"):
        (tmp_path / name).touch()
    found = machine.find_qgis_process(Interpreter(str(python), (3, 11, 2)))
    assert found == str(tmp_path / "qgis_process.bin")
    (tmp_path / "qgis_process.bin").unlink()
    found = machine.find_qgis_process(Interpreter(str(python), (3, 11, 2)))
    assert found == str(tmp_path / "qgis_process")


@pytest.mark.parametrize(
    ("interpreter", "process", "packages"),
    [
        (None, None, ["qgis", "python3-qgis", "python3-gdal", "python3-venv"]),
        (QGIS, "/usr/bin/qgis_process", []),
        (QGIS, None, ["qgis", "python3-qgis", "python3-gdal"]),
        (
            Interpreter("/usr/bin/python3", (3, 11, 2), "3", "3", "1", venv=False),
            "/usr/bin/qgis_process",
            ["python3-venv"],
        ),
    ],
)
def test_only_what_is_missing_is_installed(
    monkeypatch: pytest.MonkeyPatch,
    interpreter: Interpreter | None,
    process: str | None,
    packages: list[str],
) -> None:
    monkeypatch.setattr(machine, "find_qgis_process", lambda _: process)
    assert machine.missing_packages(interpreter) == packages


def test_without_the_right_to_install_the_one_command_is_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "find_interpreter", lambda: (None, ["python3 cannot import qgis"]))
    monkeypatch.setattr(machine, "_superuser", lambda: None)
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(machine, "run", lambda *_, **__: pytest.fail("something was run"))
    with pytest.raises(SetupError) as caught:
        machine.ensure_qgis()
    text = str(caught.value)
    assert "QGIS is missing on this machine.\n  python3 cannot import qgis" in text
    commands = [line for line in text.splitlines() if line.startswith("  sudo")]
    assert commands == [
        "  sudo apt-get update && sudo apt-get install -y --no-install-recommends "
        "qgis python3-qgis python3-gdal python3-venv"
    ]


def test_apt_installs_even_where_its_update_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(None, ["python3 cannot import qgis"]), (QGIS, [])])
    ran: list[list[str]] = []

    def run(command: list[str]) -> int:
        ran.append(command)
        return 100 if "update" in command else 0

    monkeypatch.setattr(machine, "find_interpreter", lambda: next(answers))
    monkeypatch.setattr(machine, "find_qgis_process", lambda _: "/usr/bin/qgis_process")
    monkeypatch.setattr(machine, "_superuser", lambda: ["sudo", "-n"])
    monkeypatch.setattr(machine, "run", run)
    assert machine.ensure_qgis() == QGIS
    assert [command[:4] for command in ran] == [
        ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"]
    ] * 2
    assert (
        ran[1][-6:] == ["-y", "--no-install-recommends", *machine.APT_QGIS, *machine.APT_VENV][-6:]
    )


def test_a_failed_installation_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_interpreter", lambda: (None, []))
    monkeypatch.setattr(machine, "_superuser", lambda: [])
    monkeypatch.setattr(machine, "run", lambda command: 100)
    with pytest.raises(SetupError, match="apt-get ended with status 100 and QGIS is still missing"):
        machine.ensure_qgis()


@pytest.mark.parametrize(
    ("programs", "superuser", "statuses", "commands"),
    [
        (("xvfb-run", "xauth"), [], [], []),
        (("xvfb-run",), None, [], []),
        ((), [], [0], ["install"]),
        ((), [], [100, 0, 0], ["install", "update", "install"]),
        ((), [], [100, 100, 100], ["install", "update", "install"]),
    ],
    ids=["is there", "may not", "installed", "after an update", "not to be had"],
)
def test_the_tests_get_a_screen_where_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    programs: tuple[str, ...],
    superuser: list[str] | None,
    statuses: list[int],
    commands: list[str],
) -> None:
    ran: list[str] = []
    left = list(statuses)

    def run(command: list[str]) -> int:
        ran.append("update" if "update" in command else "install")
        assert ran[-1] == "update" or command[-2:] == ["xvfb", "xauth"]
        return left.pop(0)

    monkeypatch.setattr(machine, "_superuser", lambda: superuser)
    monkeypatch.setattr(machine.shutil, "which", lambda name: name if name in programs else None)
    monkeypatch.setattr(machine, "run", run)
    machine.ensure_screen()
    assert ran == commands
    assert ("tested without it" in capsys.readouterr().out) == (statuses[-1:] == [100])


def test_qgis_runs_without_a_screen_and_beside_the_users_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("QGIS_PLUGINPATH", "/elsewhere")
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    environment = machine.qgis_environment(QGIS, tmp_path / "profile", {"EXTRA": "1"})
    assert environment["QT_QPA_PLATFORM"] == "offscreen"
    assert environment["QGIS_CUSTOM_CONFIG_PATH"] == str(tmp_path / "profile")
    assert environment["EXTRA"] == "1"
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        assert environment[name].startswith((str(tmp_path), str(machine.BUILD)))
    assert environment["PATH"].split(os.pathsep)[0] == "/usr/bin"
    assert environment["LANG"] == "C.UTF-8"
    assert not {"PYTHONPATH", "QGIS_PLUGINPATH"} & set(environment)
    if os.name == "posix":
        assert Path(environment["XDG_RUNTIME_DIR"]).stat().st_mode & 0o777 == 0o700
