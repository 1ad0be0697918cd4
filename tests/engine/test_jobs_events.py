"""Events: the lines of the protocol, and what a person sees instead."""

from __future__ import annotations

import io
import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hyperkd
from hyperkd.errors import HyperKDError
from hyperkd.jobs.events import EventReporter, JsonReporter, TextReporter
from hyperkd.types import Reporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds; tests set its only item."""
    now = [0.0]
    monkeypatch.setattr("hyperkd.jobs.events.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def reporter(stream: io.StringIO, clock: list[float]) -> EventReporter:
    return JsonReporter(stream, threading.Event())


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def progress(stream: io.StringIO) -> list[float]:
    return [event["done"] for event in events(stream) if event["event"] == "progress"]


def test_it_is_the_reporter_that_jobs_expect(reporter: EventReporter) -> None:
    as_job_sees_it: Reporter = reporter
    public = {name for name in vars(Reporter) if not name.startswith("_")}
    assert all(callable(getattr(as_job_sees_it, name)) for name in public)


def test_the_lines_of_a_job(reporter: EventReporter, stream: io.StringIO) -> None:
    reporter.hello("auto")
    reporter.stage("Reading")
    reporter.progress(1, 4, "tiles")
    reporter.metric(3, {"loss": 0.5})
    reporter.log("warning", "Band 3 is dark.")
    reporter.artifact("output", "out.tif")
    reporter.error("bad_job", "No.", "Yes.", {"key": "a"})
    reporter.done({"pixels": 4})
    assert events(stream) == [
        {
            "event": "hello",
            "protocol": 1,
            "version": hyperkd.__version__,
            "pid": os.getpid(),
            "device": "auto",
        },
        {"event": "stage", "name": "Reading"},
        {"event": "progress", "done": 1, "total": 4, "unit": "tiles"},
        {"event": "metric", "step": 3, "values": {"loss": 0.5}},
        {"event": "log", "level": "warning", "message": "Band 3 is dark."},
        {"event": "artifact", "role": "output", "path": os.path.abspath("out.tif")},
        {"event": "error", "code": "bad_job", "message": "No.", "hint": "Yes.",
         "context": {"key": "a"}},
        {"event": "done", "summary": {"pixels": 4}},
    ]  # fmt: skip


def test_every_value_becomes_json_and_every_event_one_ascii_line(
    reporter: EventReporter, stream: io.StringIO
) -> None:
    values = {
        "nan": math.nan,
        "infinite": np.float64(-math.inf),
        "single": np.float32(0.5),
        "whole": np.int64(3),
        "truth": np.bool_(True),
        "array": np.array([[1.0, math.nan]]),
        "tuple": (1, None),
        "path": Path("a"),
        "text": "ä\n\u2028\udc80",
        3: "key",
    }
    reporter.done(values)
    assert stream.getvalue().isascii()
    assert stream.getvalue().count("\n") == 1
    assert events(stream)[0]["summary"] == {
        "nan": None,
        "infinite": None,
        "single": 0.5,
        "whole": 3,
        "truth": True,
        "array": [[1.0, None]],
        "tuple": [1, None],
        "path": "a",
        "text": "ä\n\u2028\udc80",
        "3": "key",
    }


def test_progress_never_goes_back(
    reporter: EventReporter, stream: io.StringIO, clock: list[float]
) -> None:
    for done in (1, 3, 2, 3, 5, 9, 7, math.nan):
        clock[0] += 1
        reporter.progress(done, 6, "tiles")
    assert progress(stream) == [1, 3, 5, 6]
    reporter.stage("Writing")
    reporter.progress(0, 2, "rows")
    assert progress(stream) == [1, 3, 5, 6, 0]


def test_progress_without_a_total_is_none(reporter: EventReporter, stream: io.StringIO) -> None:
    for total in (0, -1, math.nan, math.inf):
        reporter.progress(0, total, "tiles")
    assert stream.getvalue() == ""


def test_progress_is_limited_in_rate(
    reporter: EventReporter, stream: io.StringIO, clock: list[float]
) -> None:
    for done in range(1, 1001):
        clock[0] += 0.001
        reporter.progress(done, 1000, "tiles")
    told = progress(stream)
    assert told[0] == 1 and told[-1] == 1000
    assert 10 <= len(told) <= 12


@pytest.mark.parametrize("following", ["stage", "done", "error", "log"])
def test_the_last_progress_is_told_before_what_follows(
    reporter: EventReporter, stream: io.StringIO, following: str
) -> None:
    reporter.progress(1, 10, "tiles")
    reporter.progress(2, 10, "tiles")
    reporter.progress(3, 10, "tiles")
    assert progress(stream) == [1]
    arguments: dict[str, tuple[Any, ...]] = {
        "stage": ("Writing",),
        "done": ({},),
        "error": ("bad_job", "", "", {}),
        "log": ("info", ""),
    }
    getattr(reporter, following)(*arguments[following])
    assert progress(stream) == [1, 3]
    assert events(stream)[-1]["event"] == following


def test_lines_of_many_threads_stay_whole(reporter: EventReporter, stream: io.StringIO) -> None:
    def talk(number: int) -> None:
        for step in range(200):
            reporter.metric(step, {"thread": number})

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [(event["values"]["thread"], event["step"]) for event in events(stream)]
    assert sorted(seen) == [(number, step) for number in range(4) for step in range(200)]


@pytest.mark.parametrize("kind", [JsonReporter, TextReporter])
def test_cancelling(kind: type[EventReporter]) -> None:
    cancelled = threading.Event()
    reporter = kind(io.StringIO(), cancelled)
    reporter.check_cancelled()
    cancelled.set()
    with pytest.raises(HyperKDError, match="The job was cancelled") as caught:
        reporter.check_cancelled()
    assert (caught.value.code, caught.value.exit_status) == ("cancelled", 5)


def test_a_reader_that_went_away_cancels() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    reporter = JsonReporter(stream, threading.Event())
    reporter.log("info", "Is anybody there?")
    with pytest.raises(HyperKDError, match="The job was cancelled"):
        reporter.check_cancelled()
    with pytest.raises(BrokenPipeError):
        stream.close()


def tell(reporter: EventReporter) -> None:
    reporter.hello(None)
    reporter.stage("Reading")
    reporter.progress(1, 4, "tiles")
    reporter.progress(4, 4, "tiles")
    reporter.metric(3, {"loss": 0.5})
    reporter.log("warning", "Band 3 is dark.")
    reporter.log("info", "Computing on the CPU.")
    reporter.artifact("output", "/out.tif")
    reporter.error("bad_job", "No.", "Yes.", {})
    reporter.done({"pixels": 4})


def test_plain_text_has_a_line_for_each_event(clock: list[float]) -> None:
    stream = io.StringIO()
    tell(TextReporter(stream, threading.Event()))
    assert stream.getvalue().splitlines() == [
        "Reading",
        " 25%  1/4 tiles",
        "100%  4/4 tiles",
        "step 3: loss 0.5",
        "warning: Band 3 is dark.",
        "Computing on the CPU.",
        f"output: {os.path.abspath('/out.tif')}",
        "error [bad_job]: No.",
        "Yes.",
    ]


def test_a_terminal_shows_a_bar_that_fills_in_place(clock: list[float]) -> None:
    stream = Terminal()
    tell(TextReporter(stream, threading.Event()))
    bar, rest = stream.getvalue().split("100%")
    assert bar == (
        "Reading\n"
        "\r[#######.......................]  25%  1/4 tiles"
        "\r[##############################] "
    )
    assert rest.startswith("  4/4 tiles\nstep 3: loss 0.5\nwarning: ")
    assert "\n\n" not in stream.getvalue()


def test_a_bar_that_got_shorter_is_wiped(clock: list[float]) -> None:
    stream = Terminal()
    reporter = TextReporter(stream, threading.Event())
    reporter.progress(1, 2, "long units")
    reporter.progress(2, 2, "u")
    first, second = stream.getvalue().split("\r")[1:]
    assert second == "[##############################] 100%  2/2 u".ljust(len(first)) + "\n"
