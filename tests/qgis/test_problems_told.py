"""What is odd about a file reaches the message bar, the result, the report and the written file.

The engine's own events of each kind of problem, as it really tells them, go to the plugin.
"""

from __future__ import annotations

import html
import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.test_problems import MADE
from tests.factories import make_raster, spectra

_REPLAY = """\
import shutil
hello()
for line in open({events!r}, "rb"):
    os.write(1, line)
    if b'"event": "stage"' in line and not os.path.exists(job["output"]):
        shutil.copy({made!r}, job["output"])
"""


def _border(value: float, **knobs: Any) -> dict[str, Any]:
    data = spectra()
    data[:, :2] = value
    return {"data": data, **knobs}


def _saturated() -> np.ndarray:
    data = np.random.default_rng(0).integers(500, 4000, (6, 5, 7)).astype(np.uint16)
    for band in range(6):
        data[band, 0, band] = 4095
    return data


def _one_detector() -> dict[str, Any]:
    data = np.random.default_rng(0).integers(2000, 4000, (36, 5, 7)).astype(np.int16)
    data[18:, :2] = 0
    return {"data": data, "wavelengths": np.linspace(430, 2400, 36).tolist()}


KINDS: dict[str, dict[str, Any]] = {
    **MADE,
    "inferred_scale": {"scale": None},
    "undeclared_fill": _border(-9999, nodata=0),
    "constant_spectra": _border(700),
    "partial_fill": _one_detector(),
    "raw_counts": {"data": _saturated(), "scale": None, "nodata": None},
    "words_contradict": {"metadata": {"": {"description": "at-sensor radiance"}}},
}


def told_by_the_engine(job: Any) -> list[dict[str, Any]]:
    from hyperkd.jobs.dispatch import perform
    from hyperkd.jobs.events import JsonReporter

    stream = io.StringIO()
    perform(lambda: job, JsonReporter(stream, threading.Event()))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def bar(plugin, monkeypatch):
    """Return the message bar that messages go to."""
    from qgis.gui import QgsMessageBar

    from hyperkd_qgis import messages

    shown = QgsMessageBar()

    class Window:
        def messageBar(self):  # noqa: N802 - QGIS's own name
            return shown

    monkeypatch.setattr(messages, "iface", Window())
    return shown


@pytest.mark.parametrize("code", sorted(KINDS))
def test_a_problem_reaches_whoever_must_know(
    plugin, fake_python, use_engine, bar, feedback, tmp_path, code
):
    import processing

    from hyperkd.problems import PROBLEMS, SEVERE
    from hyperkd.requests.prepare_options import InspectJob

    scene, made = str(make_raster(tmp_path / "scene.tif", **KINDS[code])), tmp_path / "made.html"
    events = told_by_the_engine(InspectJob(input=scene, output=str(made)))
    if events[-1]["event"] == "error":  # bands that share a wavelength suit no student
        assert (code, events[-1]["code"]) == ("shared_wavelengths", "bad_wavelengths")
        return
    summary = events[-1]["summary"]
    problem = next(each for each in summary["problems"] if each["code"] == code)
    assert problem["severity"] == PROBLEMS[code]
    assert problem["message"] in html.unescape(made.read_text(encoding="utf-8"))

    lines = tmp_path / "events.jsonl"
    kept = [event for event in events if event["event"] != "hello"]
    lines.write_text("".join(json.dumps(event) + "\n" for event in kept))
    use_engine(fake_python(_REPLAY.format(events=str(lines), made=str(made))))
    results = processing.run(
        "hyperkd:inspect",
        {"INPUT": scene, "OUTPUT": str(tmp_path / "out.html")},
        feedback=feedback,
    )
    assert any(problem["message"] in text for _, text in feedback.said)
    items = [item.text() for item in bar.items()]
    if PROBLEMS[code] == "note":  # nothing to do about: the log of the run is enough
        assert problem["message"] not in results["PROBLEMS"]
        assert not any(problem["message"] in text for text in items)
        return
    assert problem["message"] in results["PROBLEMS"]
    (text,) = items
    shown = problem["message"] in text
    assert shown or " more are in the log." in text
    assert shown or PROBLEMS[code] != SEVERE


def test_every_kind_that_a_plain_file_can_have_is_tried():
    from hyperkd.problems import PROBLEMS

    others = {
        # of products, of files with a header, of labels, of a scale that the user gives
        *("recognised_by_name", "unused_bands", "mostly_invalid_bands", "detector_without_data"),
        *("invalid_values", "clouds_in_data", "longer_than_header", "text_not_utf8"),
        *("damaged_windows", "undeclared_label_nodata", "possible_label_nodata"),
        *("class_name_variants", "garbled_text", "numbers_as_text", "unlikely_scale"),
        "constant_bands",
    }
    assert set(PROBLEMS) - set(KINDS) == others


@pytest.mark.parametrize("code", sorted(set(KINDS) - {"raw_counts", "no_valid_sample"}))
def test_a_problem_is_written_into_what_is_made_of_the_file(tmp_path: Path, code: str) -> None:
    from osgeo import gdal

    from hyperkd.problems import METADATA_ITEM
    from hyperkd.requests.prepare_options import ImportJob

    scene, made = str(make_raster(tmp_path / "scene.tif", **KINDS[code])), tmp_path / "made.tif"
    events = told_by_the_engine(ImportJob(product=scene, output=str(made)))
    assert events[-1]["event"] == "done", events[-1]
    dataset = gdal.Open(str(made))
    written = json.loads(dataset.GetMetadataItem(METADATA_ITEM))
    assert code in [each["code"] for each in written]
