"""What is odd about a raster: one list, told once, to everybody who asks."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

import hyperkd
from hyperkd.errors import HyperKDError
from hyperkd.jobs.dispatch import carry_out, perform
from hyperkd.jobs.events import JsonReporter, TextReporter
from hyperkd.open_scene import open_scene, problem_sentences
from hyperkd.problems import (
    ACCEPTABLE,
    METADATA_ITEM,
    PROBLEMS,
    Problem,
    problems_item,
    tell_problems,
)
from hyperkd.raster import open_raster as opening
from hyperkd.raster.gdal.reader import GdalRaster
from hyperkd.reporting import RecordingReporter, SilentReporter
from hyperkd.requests.predict_options import EmbedJob
from hyperkd.requests.prepare_options import AlignJob, ImportJob, InfoJob, InspectJob
from tests.factories import make_raster, spectra
from tests.reports import SilentReport

COUNTS = Problem("raw_counts", "The values are counts.", "Calibrate them.", values={"top": 4095})


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Return a scene on a rotated grid without a reference system: a note and a warning."""

    return make_raster(
        tmp_path / "odd.tif", epsg=None, geotransform=(0.0, 1.0, 0.5, 0.0, 0.5, -1.0)
    )


@pytest.fixture
def counts(odd: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a scene with a severe problem."""
    first = GdalRaster._describe_bands  # noqa: SLF001

    def describe(self: GdalRaster, given: Any) -> None:
        first(self, given)
        self.problems = (COUNTS,)

    monkeypatch.setattr(GdalRaster, "_describe_bands", describe)
    return odd


def events_of(job: Any) -> list[dict[str, Any]]:
    stream = io.StringIO()
    perform(lambda: job, JsonReporter(stream, threading.Event()))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_code_says_how_severe_a_problem_is_unless_it_is_accepted() -> None:
    assert (COUNTS.severity, COUNTS.accepted().severity) == ("severe", "warning")
    assert str(COUNTS) == "The values are counts."
    assert COUNTS.advice == "The values are counts. Calibrate them."
    assert set(PROBLEMS.values()) == {"note", "warning", "severe"}
    assert "raw_counts" in ACCEPTABLE and "empty_bands" not in ACCEPTABLE
    with pytest.raises(ValueError, match="unknown problem code 'odd'"):
        Problem("odd", "It is odd.")


def test_a_severe_problem_stops_unless_it_is_accepted() -> None:
    report = RecordingReporter()
    note = Problem("rotated_grid", "It is rotated.")
    with pytest.raises(HyperKDError) as caught:
        tell_problems([note, COUNTS], "/data/a.tif", (), report.problem)
    assert (caught.value.code, caught.value.exit_status) == ("unaccepted_problem", 3)
    assert caught.value.message == "a.tif: The values are counts."
    assert caught.value.hint == (
        "Calibrate them. If you know better, accept it: --accept raw_counts."
    )
    assert caught.value.context == {"problem": "raw_counts", "top": 4095}
    assert report.problems == []
    tell_problems([note, COUNTS], "/data/a.tif", ["raw_counts"], report.problem)
    assert report.problems == [(note, "a.tif"), (COUNTS.accepted(), "a.tif")]
    assert report.warnings == ["The values are counts."]


def test_a_job_hears_of_a_problem_once_and_of_which_scene_where_there_are_several() -> None:
    report = SilentReport()
    heard = RecordingReporter(report)
    problem = Problem("empty_bands", "No data.")
    for path in ("/a/x.tif", "/a/y.tif", "/a/x.tif"):
        tell_problems([problem], path, (), heard.problem, several=True)
    assert report.logs == [("warning", "x.tif: No data."), ("warning", "y.tif: No data.")]
    assert heard.warnings == ["x.tif: No data.", "y.tif: No data."]


def test_a_reporter_of_the_users_own_that_knows_no_problems_hears_them_in_its_log() -> None:
    class Old:
        def __init__(self) -> None:
            self.logs: list[tuple[str, str]] = []

        def __getattr__(self, name: str) -> Any:
            if name == "problem":
                raise AttributeError(name)
            return lambda *_: None

        def log(self, level: str, message: str) -> None:
            self.logs.append((level, message))

    old: Any = Old()
    heard = RecordingReporter(old)
    heard.problem(Problem("rotated_grid", "It is rotated."), "a.tif")
    heard.problem(Problem("empty_bands", "No data."), "a.tif")
    assert old.logs == [("info", "It is rotated."), ("warning", "No data.")]
    assert heard.warnings == ["No data."]


def test_the_event_and_the_line_of_a_problem() -> None:
    stream = io.StringIO()
    JsonReporter(stream, threading.Event()).problem(COUNTS.accepted(), "a.tif")
    assert json.loads(stream.getvalue()) == {
        "event": "log",
        "level": "warning",
        "message": "The values are counts.",
        "code": "raw_counts",
        "severity": "warning",
        "hint": "Calibrate them.",
        "scene": "a.tif",
    }
    stream = io.StringIO()
    TextReporter(stream, threading.Event()).problem(COUNTS.accepted(), "a.tif")
    assert stream.getvalue() == "warning: The values are counts. Calibrate them.\n"


@pytest.mark.parametrize(
    ("message", "path", "kept"),
    [
        ("It is odd.", "/home/me/a.tif", "It is odd."),
        (
            "The sidecar /home/me/a.hdr is ignored.",
            "/home/me/a.tif",
            "The sidecar a.hdr is ignored.",
        ),
        ("The file data/a.hdr is odd.", "data/a.tif", "The file a.hdr is odd."),
        ("The unit is W/m2/sr/um.", "a.tif", "The unit is W/m2/sr/um."),
        ("The file /mnt/b.hdr is ignored.", "/home/me/a.tif", None),
        ("The file '../b.hdr' is ignored.", "a.tif", None),
        (r"The file C:\me\b.hdr is ignored.", "a.tif", None),
        (r"The file \\server\b.hdr is ignored.", "a.tif", None),
    ],
)
def test_the_metadata_of_a_raster_names_no_folder(message: str, path: str, kept: Any) -> None:
    item = problems_item([Problem("ignored_metadata", message)], path)
    expected = {"code": "ignored_metadata"} | ({"message": kept} if kept else {})
    assert json.loads(item[METADATA_ITEM]) == [expected]
    assert problems_item([], path) == {}


def test_a_summary_lists_the_problems_that_the_log_tells(odd: Path, tmp_path: Path) -> None:
    events = events_of(ImportJob(product=str(odd), output=str(tmp_path / "out.tif")))
    told = [event for event in events if event.get("code")]
    assert [(each["level"], each["code"]) for each in told] == [
        ("info", "rotated_grid"),
        ("warning", "no_reference_system"),
    ]
    problems = events[-1]["summary"]["problems"]
    assert [each["code"] for each in problems] == ["rotated_grid", "no_reference_system"]
    assert problems[1] == {
        "code": "no_reference_system",
        "severity": "warning",
        "message": "The raster has no coordinate reference system.",
        "hint": "",
        "values": {},
        "scene": "odd.tif",
    }
    item = gdal.Open(str(tmp_path / "out.tif")).GetMetadataItem(METADATA_ITEM)
    assert [each["code"] for each in json.loads(item)] == ["rotated_grid", "no_reference_system"]


@pytest.mark.parametrize(
    "job",
    [
        lambda path, out: ImportJob(product=path, output=f"{out}/i.tif"),
        lambda path, out: AlignJob(input=path, output=f"{out}/a.tif"),
        lambda path, out: EmbedJob(input=path, output=f"{out}/e.tif"),
    ],
)
def test_jobs_stop_for_a_severe_problem(job: Any, counts: Path, tmp_path: Path) -> None:
    with pytest.raises(HyperKDError, match="The values are counts") as caught:
        carry_out(job(str(counts), tmp_path), SilentReporter())
    assert caught.value.code == "unaccepted_problem"


def test_looking_at_a_scene_never_stops(counts: Path, tmp_path: Path) -> None:
    summary = carry_out(InfoJob(path=str(counts)), SilentReporter())
    assert summary["text"].endswith("Problem: The values are counts. Calibrate them. [raw_counts]")
    assert [each["severity"] for each in summary["problems"]] == ["severe"]
    page = tmp_path / "r.html"
    summary = carry_out(InspectJob(input=str(counts), output=str(page)), SilentReporter())
    assert [each["code"] for each in summary["problems"]] == ["raw_counts"]
    assert "The values are counts. Calibrate them." in page.read_text(encoding="utf-8")
    with hyperkd.open(counts) as scene:
        assert scene.problems == (COUNTS,)


def test_an_accepted_problem_is_a_warning_in_python(counts: Path, tmp_path: Path) -> None:
    found = hyperkd.import_product(counts, tmp_path / "out.tif", accept="raw_counts")
    assert found.problems == (COUNTS.accepted(),)
    assert found.warnings == ("The values are counts.",)
    with pytest.raises(HyperKDError, match="'accept' must be one of") as caught:
        hyperkd.import_product(counts, tmp_path / "out.tif", accept="empty_bands")
    assert caught.value.code == "bad_job"


def _zeros(value: float) -> Any:
    data = spectra()
    data[:, 0, :2] = value
    return data


_DARK = np.where(np.arange(7) == 0, 1e-34, spectra(dtype="float32", unit=1.0))
MADE = {
    "ground_control_points": {"gcps": [(0, 0, 1, 1), (7, 0, 8, 1), (0, 5, 1, 6)]},
    "no_geotransform": {"geotransform": None},
    "rotated_grid": {"geotransform": (0.0, 1.0, 0.5, 0.0, 0.5, -1.0)},
    "south_up_grid": {"geotransform": (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)},
    "geolocation_lost": {"metadata": {"GEOLOCATION": {"X_BAND": "1"}}},
    "no_reference_system": {"epsg": None},
    "ignored_metadata": {"metadata": {"": {"fwhm": "{1, 2}"}}},
    "wavelengths_disagree": {"metadata": {"": {"wavelength": "{451, 555, 651, 861, 1601, 2201}"}}},
    "shared_wavelengths": {"wavelengths": (450, 450, 650, 860, 1600, 2200)},
    "odd_wavelengths": {"wavelengths": (450, 550, 650, 860, 1600, 9200)},
    "empty_bands": {
        "data": np.where(np.arange(6)[:, None, None] == 2, -1, spectra()),
        "nodata": -1,
    },
    "impossible_nodata": {"data": spectra(dtype="uint16"), "nodata": -9999},
    "undeclared_nodata": {"data": _zeros(-9999), "nodata": None},
    "undeclared_zeros": {"data": _zeros(0), "nodata": None},
    "tiny_values": {"data": _DARK.astype("float32"), "scale": 0.5, "nodata": None},
    "no_valid_sample": {"data": np.full((6, 5, 7), -1, np.int16), "nodata": -1},
    "scales_disagree": {"metadata": {"": {"reflectance scale factor": "5000"}}},
}


@pytest.mark.parametrize("code", sorted(MADE))
def test_a_raster_with_one_problem_has_one_code(code: str, tmp_path: Path) -> None:
    knobs: dict[str, Any] = MADE[code]
    with opening.open_raster(str(make_raster(tmp_path / "a.tif", **knobs))) as source:
        assert [problem.code for problem in source.problems] == [code]


def test_a_scale_of_the_users_that_is_unlikely_is_a_problem(tmp_path: Path) -> None:
    with opening.open_raster(str(make_raster(tmp_path / "a.tif")), scale=1e-2) as source:
        assert [problem.code for problem in source.problems] == ["unlikely_scale"]


def test_a_report_leaves_notes_out_and_names_scenes_where_there_are_several(odd: Path) -> None:
    with opening.open_raster(str(odd)) as source:
        sentence = "The raster has no coordinate reference system."
        assert problem_sentences([source]) == [sentence]
        assert problem_sentences([source, source]) == [f"odd.tif: {sentence}"] * 2


def test_a_scene_that_is_not_accepted_is_closed(counts: Path, monkeypatch: Any) -> None:
    closed: list[str] = []
    monkeypatch.setattr(GdalRaster, "close", lambda self: closed.append(self.path))
    with pytest.raises(HyperKDError, match="counts"):
        open_scene(str(counts), InfoJob(path=str(counts)), SilentReporter())
    assert closed == [str(counts)]
