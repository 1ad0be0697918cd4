"""The commands: made from the job classes, instant to start, and clear at a terminal."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hyperkd
from hyperkd import cli
from hyperkd.errors import HyperKDError
from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import Job, job_fields
from hyperkd.requests.predict_options import EmbedJob, ReconstructJob
from hyperkd.requests.prepare_options import SynthJob

CHILD = Path(__file__).with_name("process_child.py")
ENGINE = Path(__file__).resolve().parents[2] / "engine"


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", *arguments], capture_output=True, text=True, timeout=30, **options
    )


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Job]:
    """Return the job that a command line asks for, from the folder ``tmp_path``."""
    loaded: list[Job] = []

    def perform(
        load: Callable[[], Job], reporter: object, *, leads: bool
    ) -> tuple[int, dict[str, Any]]:
        assert leads
        loaded.append(load())
        return 0, {}

    def parse(*arguments: str) -> Job:
        cli.main(arguments)
        return loaded.pop()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "perform", perform)
    # These change the process for good, which is not pytest's to lose.
    monkeypatch.setattr(cli.process, "claim_stdout", io.StringIO)
    monkeypatch.setattr(cli.process, "cancel_on_signals", lambda ender, cancelled: None)
    return parse


def test_a_command_is_its_job(parse: Callable[..., Job], tmp_path: Path) -> None:
    assert parse("embed", "--input", "a.tif", "--output", "/b.tif") == EmbedJob(
        input=str(tmp_path / "a.tif"), output="/b.tif"
    )
    assert parse(
        "reconstruct", "--input=/a", "--error=/e", "--model=m", "--overlap=3", "--batch=2"
    ) == ReconstructJob(input="/a", output=None, error="/e", model="m", overlap=3, batch=2)
    assert parse("synth", "--output=/s", "--border=.5", "--no-truth", "--seed", "7") == SynthJob(
        output="/s", seed=7, border=0.5, truth=False
    )


def test_a_job_file_is_the_same_job(parse: Callable[..., Job], tmp_path: Path) -> None:
    document = {"protocol": 1, "job": "embed", "input": "a.tif", "output": "/b.tif", "batch": 3}
    (tmp_path / "job.json").write_text(json.dumps(document))
    command = parse("embed", "--input=a.tif", "--output=/b.tif", "--batch=3")
    assert parse("run", "job.json") == command


def test_a_job_from_standard_input_counts_from_the_current_folder(tmp_path: Path) -> None:
    document = {"protocol": 1, "job": "embed", "input": "a.tif", "output": "b.tif"}
    result = run(str(CHILD), "succeed", "run", "-", cwd=tmp_path, input=json.dumps(document))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "b.tif").read_text() == "new"


def test_standard_input_cannot_be_both_job_and_lifeline(parse: Callable[..., Job]) -> None:
    with pytest.raises(HyperKDError, match="cannot come from standard input") as caught:
        cli._job({"command": "run", "file": "-"}, exit_with_stdin=True)
    assert caught.value.code == "bad_job"


@pytest.mark.parametrize("kind", JOBS)
def test_the_help_of_a_command_names_every_field(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*kind.split("_"), "--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert JOBS[kind].summary in text
    for field in job_fields(JOBS[kind]):
        flag = field.name.upper() if field.positional else "--" + field.name.replace("_", "-")
        assert f" {flag}" in text
        assert field.help in text
        if field.default is not None and field.type is not bool:
            assert f"default {field.default})" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["embed"], "the following arguments are required: --input, --output"),
        (["embed", "--inp", "a", "--output", "b"], "required: --input"),
        (["synth", "--output", "a", "--width", "x"], "argument --width: invalid int value: 'x'"),
        (["embed", "--input=a", "--output=b", "--device=gpu"], "invalid choice: 'gpu'"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
    ],
)
def test_a_command_that_makes_no_sense(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"hyperkd {hyperkd.__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ENGINE)!r})\n"
        "from hyperkd import cli\n"
        "try: cli.main(['embed', '--help'])\n"
        "except SystemExit: print('MODULES', *sys.modules)\n"
    )
    loaded = run("-c", code).stdout.split("MODULES")[1].split()
    assert "hyperkd.jobs.dispatch" in loaded
    assert not {"numpy", "osgeo", "onnx", "onnxruntime", "torch", "asyncio"} & set(loaded)
    # It keeps a file open, which would become standard error where that is closed.
    assert "ctypes" not in loaded


@pytest.mark.parametrize("module", ["folder", "package"])
def test_both_ways_to_start(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ENGINE))
    how = ["-I", str(ENGINE)] if module == "folder" else ["-m", "hyperkd"]
    result = subprocess.run([sys.executable, *how, "--version"], capture_output=True, text=True)
    assert result.stdout == f"hyperkd {hyperkd.__version__}\n"


def test_an_error_at_a_terminal(tmp_path: Path) -> None:
    output = tmp_path / "no" / "b.tif"
    result = run(str(ENGINE), "embed", "--input", "a.tif", "--output", str(output))
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        f"error [unwritable_output]: Cannot write {output}: there is no folder {output.parent}.\n"
        "Make the folder first.\n"
    )


def test_success_at_a_terminal(tmp_path: Path) -> None:
    output = tmp_path / "b.tif"
    result = run(str(CHILD), "succeed", "embed", "--input", "a.tif", "--output", str(output))
    assert result.returncode == 0
    assert result.stderr == f"Writing\n100%  1/1 tiles\noutput: {output}\n"
    assert result.stdout == "pixels: 4\n"


def test_the_summary_as_a_person_and_as_a_program_sees_it() -> None:
    summary = {"bands": 2, "scale": float("nan"), "text": "Two bands."}
    assert cli._shown(summary, as_json=False) == "Two bands."
    assert json.loads(cli._shown(summary, as_json=True)) == {"bands": 2, "scale": None}


def test_info_that_nobody_reads_to_its_end_is_no_mistake(tmp_path: Path) -> None:
    code = f"{sys.executable} -I {CHILD} succeed embed --input a --output {tmp_path / 'b.tif'}"
    result = subprocess.run(
        ["/bin/sh", "-c", f"{{ {code}; echo status $? >&2; }} | true"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert re.search(r"status 0$", result.stderr)
    assert "Traceback" not in result.stderr
