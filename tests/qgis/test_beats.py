"""The measure that the tests of the windows go by."""

from __future__ import annotations

import time

import pytest

from tests.qgis.beats import ATTEMPTS, LIMIT_S, longest_pause


@pytest.fixture
def beating(wait):
    """Return a function that lets the event loop turn for a moment."""

    def run():
        end = time.monotonic() + 0.05
        wait(lambda: time.monotonic() > end)

    return run


def test_a_window_that_stops_each_time_is_caught(beating):
    def stops():
        beating()
        _compute(1.5 * LIMIT_S)
        beating()

    assert longest_pause(stops) >= 1.5 * LIMIT_S


def test_a_stop_at_the_very_end_is_caught(beating):
    def stops():
        beating()
        _compute(1.5 * LIMIT_S)

    assert longest_pause(stops) >= 1.5 * LIMIT_S


def test_a_stop_that_does_not_come_back_is_the_machines(beating):
    attempts = []

    def stops_once():
        attempts.append("attempt")
        beating()
        _compute(1.5 * LIMIT_S if len(attempts) == 1 else 0)
        beating()

    assert longest_pause(stops_once) < LIMIT_S
    assert 2 <= len(attempts) <= ATTEMPTS


def _compute(seconds: float) -> None:
    """Keep the thread busy: a sleep would not count on a machine with too much to do."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
