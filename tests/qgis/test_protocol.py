"""The engine's words, put together again from pieces, and what its end means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="session")
def protocol(plugin):
    """Return the module under test, from the assembled plugin."""
    from hyperkd_qgis.runner import protocol

    return protocol


EVENTS = [
    {"event": "hello", "protocol": 1, "version": "0.1.0", "pid": 7, "device": "cpu"},
    {"event": "stage", "name": "Größe prüfen"},
    {"event": "progress", "done": 1, "total": 4, "unit": "tiles"},
    {"event": "someday", "new": [1, {"deep": None}]},
    {"event": "done", "summary": {"valid_pixels": 12}},
]
STREAM = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in EVENTS).encode()


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=40))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_events_do_not_depend_on_where_the_stream_is_cut(protocol, cuts):
    """A pipe delivers bytes, not lines: even a letter may arrive in two pieces."""
    transcript = protocol.Transcript()
    edges = [0, *sorted(cuts), len(STREAM)]
    events = []
    for start, end in zip(edges, edges[1:]):
        events += transcript.feed(STREAM[start:end])
    assert events + transcript.close() == EVENTS
    assert transcript.hello == EVENTS[0]
    assert transcript.done == EVENTS[-1]
    assert not transcript.noise


@given(noise=st.binary(max_size=60).filter(lambda data: b"{" not in data and data.strip()))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_what_is_no_event_is_kept_as_noise_and_disturbs_nothing(protocol, noise):
    """A library that prints to the protocol's stream must not cost the result."""
    transcript = protocol.Transcript()
    assert transcript.feed(noise + b"\n" + STREAM) == EVENTS
    assert transcript.noise


@pytest.mark.parametrize(
    "line",
    [
        b"[1, 2]",
        b'"event"',
        b'{"event": 3}',
        b'{"kind": "done"}',
        b'{"event": "done"',
        b"[" * 100_000,
        b"\xff\xfe{}",
    ],
)
def test_json_that_is_no_event_is_noise(protocol, line):
    """Only an object with a name counts, and nesting without end is no way to crash QGIS."""
    transcript = protocol.Transcript()
    assert transcript.feed(line + b"\n" + STREAM) == EVENTS
    assert len(transcript.noise) == 1


def test_a_line_without_end_is_dropped_and_the_next_one_read(protocol, monkeypatch):
    """A child that never ends its line must not fill the memory of QGIS."""
    monkeypatch.setattr(protocol, "MAX_LINE_BYTES", 1000)
    transcript = protocol.Transcript()
    for _ in range(50):
        assert transcript.feed(b"x" * 300) == []
        assert len(transcript._partial) <= 1000
    assert transcript.feed(b"\n" + STREAM) == EVENTS
    assert list(transcript.noise) == ["(a line of more than 1000 bytes)"]


def test_the_last_line_counts_without_its_newline(protocol):
    """A process that dies in mid-write may still have said what matters."""
    transcript = protocol.Transcript()
    events = transcript.feed(STREAM.rstrip(b"\n"))
    assert events + transcript.close() == EVENTS


@pytest.mark.parametrize(
    ("event", "value"),
    [
        ({"done": 1, "total": 4}, 25.0),
        ({"done": 4, "total": 4}, 100.0),
        ({"done": 5, "total": 4}, 100.0),
        ({"done": -1, "total": 4}, 0.0),
        ({"done": 1, "total": 0}, None),
        ({"done": 0, "total": 0}, None),
        ({"done": 1, "total": float("nan")}, None),
        ({"done": "1", "total": 4}, None),
        ({"total": 4}, None),
    ],
)
def test_progress_is_a_percentage_or_nothing(protocol, event, value):
    """Bad numbers must neither raise nor move the bar."""
    assert protocol.percent({"event": "progress", **event}) == value


DONE = {"event": "done", "summary": {"seconds": 1.5}}
ERROR = {"event": "error", "code": "band_mismatch", "message": "No.", "hint": "Do.", "context": {}}


@pytest.mark.parametrize(
    ("events", "exit_code", "killed", "cancelled", "expected"),
    [
        # success needs both halves
        ([DONE], 0, False, False, "Done(summary={'seconds': 1.5})"),
        ([], 0, False, False, "Crashed(exit_code=0, killed=False)"),
        ([DONE], 1, False, False, "Crashed(exit_code=1, killed=False)"),
        ([DONE], 9, True, False, "Crashed(exit_code=9, killed=True)"),
        # a cancel that came too late takes nothing away
        ([DONE], 0, False, True, "Done(summary={'seconds': 1.5})"),
        ([{"event": "done", "summary": None}], 0, False, False, "Done(summary={})"),
        # refusals
        ([ERROR], 3, False, False, "Failed(code='band_mismatch', message='No.', hint='Do.')"),
        ([ERROR], 2, False, False, "Failed(code='band_mismatch', message='No.', hint='Do.')"),
        ([{"event": "error"}], 4, False, False, "Failed(code='unknown', message='', hint='')"),
        ([], 3, False, False, "Crashed(exit_code=3, killed=False)"),
        # a bug, although it was reported as an event
        ([ERROR], 1, False, False, "Crashed(exit_code=1, killed=False)"),
        # killed after it had begun to complain
        ([ERROR], 9, True, False, "Crashed(exit_code=9, killed=True)"),
        # cancelled: by itself, or by us with whatever force it took
        ([], 5, False, False, "Cancelled()"),
        ([ERROR], 5, False, True, "Cancelled()"),
        ([], 9, True, True, "Cancelled()"),
        ([], 15, True, True, "Cancelled()"),
        ([], 5, True, False, "Crashed(exit_code=5, killed=True)"),
    ],
)
def test_the_four_endings_are_told_apart(protocol, events, exit_code, killed, cancelled, expected):
    """Exit status, signal, cancel and the ``done`` event together decide."""
    transcript = protocol.Transcript()
    for event in events:
        transcript.feed(json.dumps(event).encode() + b"\n")
    assert repr(protocol.ending(transcript, exit_code, killed, cancelled)) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([DONE], "Done(summary={'seconds': 1.5})"),
        ([ERROR, DONE], "Done(summary={'seconds': 1.5})"),
        ([ERROR], "Failed(code='band_mismatch', message='No.', hint='Do.')"),
        ([{"event": "error"}], "Failed(code='unknown', message='', hint='')"),
        ([{**ERROR, "code": "cancelled"}], "Cancelled()"),
        ([{**ERROR, "code": "bug"}], "Crashed(exit_code=1, killed=False)"),
        ([], "Crashed(exit_code=1, killed=True)"),
    ],
)
def test_an_end_that_nobody_saw_is_told_by_the_last_word(protocol, events, expected):
    transcript = protocol.Transcript()
    for event in events:
        transcript.feed(json.dumps(event).encode() + b"\n")
    assert repr(protocol.unseen_ending(transcript)) == expected


def test_another_protocol_is_recognised(protocol):
    """An engine of another version must be refused and not misread."""
    assert protocol.speaks_our_protocol(EVENTS[0])
    assert not protocol.speaks_our_protocol({"event": "hello", "protocol": 2})
    assert not protocol.speaks_our_protocol({"event": "hello"})
