"""Job files and commands: every mistake is named, with its key and value, before any work."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hyperkd.errors import HyperKDError
from hyperkd.jobs.outputs import check_outputs
from hyperkd.jobs.validate import load_job, parse_job
from hyperkd.requests import catalogue
from hyperkd.requests.option import Job, option
from hyperkd.requests.predict_options import EmbedJob, ReconstructJob
from hyperkd.requests.prepare_options import InfoJob, SynthJob


@dataclass(frozen=True)
class ListJob(Job):
    """A job with the kinds of fields that the jobs of the first version lack."""

    kind: ClassVar[str] = "list"
    summary: ClassVar[str] = "For tests."

    input: tuple[str, ...] = option("Rasters.", role="input_raster")
    rates: tuple[float, ...] = option("Numbers.", (), minimum=0.0)
    report: str = option("A folder.", "report", role="output_directory")


@pytest.fixture
def list_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.JOBS, "list", ListJob)


def job(kind: str, **fields: Any) -> dict[str, Any]:
    return {"protocol": 1, "job": kind, **fields}


def refuse(document: dict[str, Any], message: str, hint: str = "") -> HyperKDError:
    with pytest.raises(HyperKDError, match=re.escape(message)) as caught:
        parse_job(document, "/data")
    assert caught.value.code == "bad_job"
    assert caught.value.exit_status == 2
    assert hint in caught.value.hint
    return caught.value


def test_defaults_are_those_of_the_dataclass() -> None:
    parsed = parse_job(job("embed", input="/a.tif", output="/b.tif"), "/data")
    assert parsed == EmbedJob(input="/a.tif", output="/b.tif")
    assert parsed == EmbedJob(
        input="/a.tif", output="/b.tif", model="tiny", components=16, batch=None, device="auto"
    )


def test_every_value_arrives() -> None:
    parsed = parse_job(
        job("synth", output="/s.tif", width=8, height=9, seed=3, border=0, truth=False), "/data"
    )
    assert parsed == SynthJob(output="/s.tif", width=8, height=9, seed=3, border=0.0, truth=False)
    assert type(parsed.border) is float


@pytest.mark.parametrize("protocol", [None, 2, "1", True, 1.0])
def test_another_protocol_is_refused(protocol: Any) -> None:
    document = job("info", path="/a.tif")
    document["protocol"] = protocol
    refuse(document, f"'protocol' is {json.dumps(protocol)}, but this engine speaks 1")


@pytest.mark.parametrize(
    ("kind", "hint"),
    [("embeds", "Did you mean 'embed'?"), ("x", "Known are: info, "), (None, ""), ([1], "")],
)
def test_an_unknown_job_is_refused(kind: Any, hint: str) -> None:
    refuse(job(kind), f"There is no job {json.dumps(kind)}.", hint)


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    error = refuse(
        job("embed", input="/a.tif", output="/b.tif", componets=3),
        "The job 'embed' has no field 'componets' (its value is 3).",
        "Did you mean 'components'?",
    )
    assert error.context == {"key": "componets"}


def test_a_missing_field_is_named() -> None:
    refuse(job("embed", input="/a.tif"), "The job 'embed' lacks the field 'output'.")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("width", "8", "'width' must be a whole number, but is \"8\"."),
        ("width", 8.5, "'width' must be a whole number, but is 8.5."),
        ("width", True, "'width' must be a whole number, but is true."),
        ("width", None, "'width' must be a whole number, but is null."),
        ("width", 7, "'width' must be at least 8, but is 7."),
        ("width", 20001, "'width' must be at most 20000, but is 20001."),
        ("seed", 2**31, "'seed' must be at most 2147483647, but is 2147483648."),
        ("border", "a", "'border' must be a number, but is \"a\"."),
        ("border", False, "'border' must be a number, but is false."),
        ("border", -0.1, "'border' must be at least 0, but is -0.1."),
        ("border", float("nan"), "'border' must be a finite number, but is NaN."),
        ("border", 10**400, "'border' must be a finite number, but is Infinity."),
        ("truth", 1, "'truth' must be true or false, but is 1."),
        ("output", 3, "'output' must be a string, but is 3."),
        ("output", "", "'output' must not be empty, but is \"\"."),
        ("output", "a\0b", "'output' must not contain a null character"),
        ("output", "\ud800", "'output' is not a file name on this machine"),
        ("output", ["a"] * 50, "'output' must be a string, but is [" + '"a", ' * 15 + '"...'),
    ],
)
def test_a_wrong_value_is_refused(field: str, value: Any, message: str) -> None:
    if "\ud800" in str(value) and sys.platform == "win32":
        pytest.skip("Windows takes any UTF-16 code unit in a file name")
    error = refuse(job("synth", **{"output": "/s.tif", field: value}), message)
    assert error.context == {"key": field}
    assert len(error.message) < 200


def test_a_choice_is_refused_with_the_nearest_one() -> None:
    refuse(
        job("embed", input="/a.tif", output="/b.tif", device="coda"),
        "'device' must be one of auto, cpu, cuda, tensorrt, directml, coreml, openvino, "
        'but is "coda".',
        "Did you mean 'cuda'?",
    )


def test_a_whole_number_may_be_written_with_a_point() -> None:
    parsed = parse_job(job("synth", output="/s.tif", width=16.0), "/data")
    assert (parsed.width, type(parsed.width)) == (16, int)


def test_null_is_the_absent_value_of_an_optional_field() -> None:
    parsed = parse_job(job("embed", input="/a.tif", output="/b.tif", overlap=None), "/data")
    assert parsed.overlap is None


@pytest.mark.parametrize("outputs", [{}, {"output": None, "error": None}])
def test_reconstruct_wants_an_output(outputs: dict[str, None]) -> None:
    refuse(
        job("reconstruct", input="/a.tif", **outputs),
        "The job 'reconstruct' has nothing to write.",
        "Give at least one of output, error.",
    )


def test_reconstruct_is_content_with_the_error_alone() -> None:
    parsed = parse_job(job("reconstruct", input="/a.tif", error="/e.tif"), "/data")
    assert parsed == ReconstructJob(input="/a.tif", output=None, error="/e.tif")


def test_lists(list_job: None) -> None:
    parsed = parse_job(job("list", input=["a.tif", "/b.tif"], rates=[1, 0.5]), "/data")
    assert parsed == ListJob(("/data/a.tif", "/b.tif"), (1.0, 0.5), "report")
    parsed = parse_job(job("list", input=["/a"], rates=[], report="/r"), "/data")
    assert parsed == ListJob(("/a",), (), "/r")
    refuse(job("list", input=[]), "'input' must hold at least one value, but is [].")
    refuse(job("list", input="a"), "'input' must be a list, but is \"a\".")
    refuse(job("list", input=["a"], rates=[1, -1]), "'rates' must be at least 0, but is -1.0.")


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("scene.tif", "/data/scene.tif"),
        ("../scene.tif", "/data/../scene.tif"),
        ("/elsewhere/scene.tif", "/elsewhere/scene.tif"),
        ("/vsizip/scene.zip/scene.tif", "/vsizip/scene.zip/scene.tif"),
        ('NETCDF:"scene.nc":radiance', 'NETCDF:"scene.nc":radiance'),
    ],
)
def test_relative_inputs_start_at_the_folder_and_gdal_names_stay(given: str, parsed: str) -> None:
    assert parse_job(job("info", path=given), "/data") == InfoJob(path=parsed)


def test_a_file_is_a_file_even_if_its_name_looks_like_gdals(tmp_path: Path) -> None:
    (tmp_path / "plot:a.tif").touch()
    parsed = parse_job(job("info", path="plot:a.tif"), str(tmp_path))
    assert parsed == InfoJob(path=str(tmp_path / "plot:a.tif"))


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("tiny", "tiny"),
        ("tiny-2.0", "tiny-2.0"),
        ("mine.onnx", "/data/mine.onnx"),
        ("models/mine", "/data/models/mine"),
    ],
)
def test_models_have_names_or_paths(given: str, parsed: str) -> None:
    document = job("embed", input="/a.tif", output="/b.tif", model=given)
    assert parse_job(document, "/data").model == parsed


def test_a_job_file_counts_from_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path)
    text = json.dumps(job("info", path="ä.tif"), ensure_ascii=False)
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "inside" / "job.json").write_text(text, encoding=encoding)
        assert load_job("inside/job.json") == InfoJob(path=str(tmp_path / "inside" / "ä.tif"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe{\x00", "job.json is not UTF-8 text: byte 0 is wrong."),
        (b"", "job.json is not JSON: Expecting value: line 1 column 1 (char 0)."),
        (b'{"protocol": 1,}', "job.json is not JSON: "),
        (b"[" * 100_000, "job.json is not JSON: "),
        (b'{"width": ' + b"9" * 5000 + b"}", "job.json"),
        (b"[1]", "job.json holds [1]."),
        (b'{"job": "info", "job": "embed"}', "The job names 'job' twice."),
        (b'{"border": NaN}', "The job holds NaN, which is not JSON."),
        (b'{"border": -Infinity}', "The job holds -Infinity, which is not JSON."),
    ],
)
def test_a_file_that_is_no_job_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "job.json"
    path.write_bytes(content)
    if content.startswith(b'{"width"') and not hasattr(sys, "set_int_max_str_digits"):
        pytest.skip("this Python reads integers of any length")
    with pytest.raises(HyperKDError, match=re.escape(message)) as caught:
        load_job(str(path))
    assert caught.value.code == "bad_job"


@pytest.mark.parametrize("name", ["none.json", "."])
def test_a_job_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    message = f"Cannot read the job file {path}: "
    with pytest.raises(HyperKDError, match=re.escape(message)) as caught:
        load_job(path)
    assert caught.value.code == "bad_job"


def refuse_outputs(parsed: Job, code: str, message: str) -> None:
    with pytest.raises(HyperKDError, match=re.escape(message)) as caught:
        check_outputs(parsed)
    assert (caught.value.code, caught.value.exit_status) == (code, 2)


@pytest.mark.parametrize("alias", ["same", "symbolic", "hard", "roundabout"])
def test_the_input_is_never_the_output(tmp_path: Path, alias: str) -> None:
    scene = tmp_path / "scene.tif"
    scene.write_bytes(b"pixels")
    output = tmp_path / "other.tif"
    if alias == "symbolic":
        output.symlink_to(scene)
    elif alias == "hard":
        os.link(scene, output)
    elif alias == "roundabout":
        output = tmp_path / ".." / tmp_path.name / "scene.tif"
    else:
        output = scene
    refuse_outputs(
        EmbedJob(input=str(scene), output=str(output)),
        "bad_job",
        f"'output' and 'input' are the same file: {output}.",
    )
    assert scene.read_bytes() == b"pixels"


def test_two_outputs_are_two_files(tmp_path: Path) -> None:
    path = str(tmp_path / "out.tif")
    refuse_outputs(
        ReconstructJob(input="/a.tif", output=path, error=path),
        "bad_job",
        f"'error' and 'output' are the same file: {path}.",
    )


def test_the_model_is_never_the_output(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    model.touch()
    refuse_outputs(
        EmbedJob(input="/a.tif", output=str(model), model=str(model)),
        "bad_job",
        "'output' and 'model' are the same",
    )


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    refuse_outputs(
        EmbedJob(input="/a.tif", output=str(tmp_path / "no" / "out.tif")),
        "unwritable_output",
        f"there is no folder {tmp_path / 'no'}.",
    )
    refuse_outputs(
        EmbedJob(input="/a.tif", output=str(tmp_path)), "unwritable_output", "it is a folder."
    )
    refuse_outputs(
        EmbedJob(input="/a.tif", output=str(tmp_path / ("x" * 300))),
        "unwritable_output",
        "File name too long.",
    )


def test_good_outputs_leave_no_trace(tmp_path: Path) -> None:
    old = tmp_path / "old.tif"
    old.write_bytes(b"old")
    check_outputs(ReconstructJob(input="/a.tif", output=str(old), error=str(tmp_path / "new.tif")))
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("old.tif", b"old")]


def test_output_folders(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    check_outputs(ListJob(("/a.tif",), (), str(tmp_path)))
    check_outputs(ListJob(("/a.tif",), (), str(tmp_path / "new")))
    refuse_outputs(ListJob(("/a.tif",), (), str(file)), "unwritable_output", "there is no folder")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
