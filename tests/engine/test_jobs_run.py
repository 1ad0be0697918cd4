"""Dispatch: every kind of job has a function that takes exactly its fields."""

from __future__ import annotations

import ast
import io
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

import hyperkd
from hyperkd.errors import HyperKDError
from hyperkd.jobs import dispatch
from hyperkd.jobs.events import EventReporter
from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import Job
from hyperkd.requests.predict_options import EmbedJob
from hyperkd.requests.prepare_options import SynthJob

ENGINE = Path(hyperkd.__file__).resolve().parents[1]


class Recorder(EventReporter):
    """Keeps the events."""

    def __init__(self) -> None:
        super().__init__(io.StringIO(), threading.Event())
        self.events: list[tuple[str, dict[str, Any]]] = []

    def _show(self, event: str, values: Any) -> None:
        self.events.append((event, dict(values)))


@pytest.mark.parametrize("kind", JOBS)
def test_the_target_takes_the_job_and_the_reporter(kind: str) -> None:
    module, _, function = JOBS[kind].target.partition(":")
    # Read, not imported: training needs torch, which need not be there.
    tree = ast.parse((ENGINE / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    (target,) = (
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function
    )
    taken = {argument.arg: ast.unparse(argument.annotation) for argument in target.args.args}
    assert list(taken.values()) == [JOBS[kind].__name__, "Reporter"]
    assert target.args.kwonlyargs == [] and target.args.defaults == []


@pytest.fixture
def synth(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module whose function ``work`` does the synth job; tests put it there."""
    module = types.ModuleType("fake_synth")
    monkeypatch.setitem(sys.modules, "fake_synth", module)
    monkeypatch.setattr(JOBS["synth"], "target", "fake_synth:work")
    return module


def test_the_function_gets_the_job_and_the_reporter(
    synth: types.ModuleType, tmp_path: Path
) -> None:
    taken: list[Any] = []

    def work(*arguments: Any) -> dict[str, int]:
        taken.extend(arguments)
        return {"pixels": 4}

    synth.work = work
    reporter = Recorder()
    job = SynthJob(output=str(tmp_path / "s.tif"), seed=3)
    assert dispatch.perform(lambda: job, reporter) == (0, {"pixels": 4})
    assert taken == [job, reporter]
    assert [name for name, _ in reporter.events] == ["hello", "done"]


def fail(error: BaseException, synth: types.ModuleType, tmp_path: Path) -> tuple[int, Recorder]:
    def work(_request: Job, _report: EventReporter) -> dict[str, int]:
        raise error

    synth.work = work
    reporter = Recorder()
    status, summary = dispatch.perform(lambda: SynthJob(output=str(tmp_path / "s.tif")), reporter)
    assert summary == {}
    assert [name for name, _ in reporter.events] == ["hello", "error"]
    return status, reporter


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (MemoryError(), 4, "out_of_memory", "There is not enough memory."),
        (KeyboardInterrupt(), 5, "cancelled", "The job was interrupted."),
        (ImportError("no DLL", name="torch._C"), 4, "missing_dependency", "torch cannot be"),
        (
            ImportError("gone", name="osgeo.gdal"),
            4,
            "missing_dependency",
            "This Python has no GDAL bindings",
        ),
        (ImportError("gone", name="hyperkd.typo"), 1, "bug", "ImportError: gone"),
        (ImportError("gone"), 1, "bug", "ImportError: gone"),
        (PermissionError(13, "No"), 2, "bad_job", "The system refused a file: No."),
        (PermissionError(13, "No", "/a"), 2, "bad_job", "/a cannot be used: No."),
        (OSError("of a library"), 1, "bug", "OSError: of a library"),
        (OSError(27, "File too large"), 4, "out_of_disk", "There is no space left on the disk"),
        (KeyError("x"), 1, "bug", "KeyError: 'x'"),
    ],
)
def test_errors_of_the_machine(
    error: BaseException,
    status: int,
    code: str,
    message: str,
    synth: types.ModuleType,
    tmp_path: Path,
) -> None:
    got, reporter = fail(error, synth, tmp_path)
    assert got == status
    assert reporter.events[1][1]["code"] == code
    assert message in reporter.events[1][1]["message"]


@pytest.mark.parametrize(
    ("fields", "refused", "code"),
    [
        ({"input": "/d/a.tif"}, "/d/a.tif", "unreadable_raster"),
        ({"input": "/d/a.tif"}, "/d/a.tif.aux.xml", "unreadable_raster"),
        ({"model": "/d/m.onnx"}, "/d/m.onnx", "bad_model"),
        ({"output": "/d/o.tif"}, "/d/o.tif.part", "unwritable_output"),
        ({}, "/elsewhere", "bad_job"),
    ],
)
def test_a_file_that_the_system_refuses_goes_by_its_role(
    fields: dict[str, str], refused: str, code: str
) -> None:
    job = EmbedJob(**{"input": "/d/i.tif", "output": "/d/x.tif", **fields})
    error = dispatch.worded(OSError(36, "File name too long", refused), job)
    assert error is not None
    assert (error.code, error.message) == (code, f"{refused} cannot be used: File name too long.")


def test_a_missing_package_comes_with_its_extra_and_command(
    synth: types.ModuleType, tmp_path: Path
) -> None:
    _, reporter = fail(ModuleNotFoundError("gone", name="torch"), synth, tmp_path)
    error = reporter.events[1][1]
    assert error["hint"] == (
        "It belongs to the extra train of hyperkd. "
        f"Install it with: {sys.executable} -m pip install torch"
    )
    assert error["context"] == {"module": "torch", "extra": "train"}


def test_the_extras_are_those_of_the_distribution() -> None:
    project = (ENGINE.parent / "pyproject.toml").read_text(encoding="utf-8")
    for module, extra in dispatch._EXTRAS.items():
        section = project.partition(f"\n{extra} = [" if extra else "\ndependencies = [")[2]
        package = dispatch._DISTRIBUTIONS.get(module, module)
        assert f'"{package}' in section.partition("\n]")[0]


def test_a_job_that_cannot_be_loaded_still_says_hello() -> None:
    def load() -> Job:
        raise HyperKDError("bad_job", "No.", "Yes.", key="a")

    reporter = Recorder()
    assert dispatch.perform(load, reporter) == (2, {})
    assert [name for name, _ in reporter.events] == ["hello", "error"]
    assert reporter.events[0][1]["device"] is None
    assert reporter.events[1][1] == {
        "code": "bad_job", "message": "No.", "hint": "Yes.", "context": {"key": "a"},
    }  # fmt: skip
