"""A job that is paused, ended early or cancelled from outside, and its sign of life."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hyperkd.errors import HyperKDError
from hyperkd.jobs.control import COMMANDS, Commands, follow
from hyperkd.jobs.events import JsonReporter


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def followed(tmp_path: Path):
    commands, finished = Commands(), threading.Event()
    follow(tmp_path, commands, finished, lambda: None)
    yield commands
    finished.set()


def state(commands: Commands) -> tuple[bool, bool, bool]:
    return commands.paused.is_set(), commands.stopped.is_set(), commands.cancelled.is_set()


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("run", (False, False, False)),
        ("pause", (True, False, False)),
        ("stop", (False, True, False)),
        ("cancel", (False, False, True)),
        ("dance", (False, False, False)),
    ],
)
def test_each_wish_means_one_thing(wish: str, expected: tuple[bool, ...]) -> None:
    commands = Commands()
    commands.take("pause")
    commands.take(wish)
    assert state(commands) == expected
    assert set(COMMANDS) == {"run", "pause", "stop", "cancel"}


def test_a_cancelled_job_stays_cancelled() -> None:
    commands = Commands()
    commands.take("cancel")
    commands.take("run")
    assert commands.cancelled.is_set()


def test_the_file_is_followed_and_life_is_shown(followed: Commands, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    assert alive.is_file()
    os.utime(alive, (1, 1))
    (tmp_path / "wish").write_text("pause\n")
    assert wait_for(followed.paused.is_set)
    assert wait_for(lambda: alive.stat().st_mtime > 1)
    (tmp_path / "wish").write_bytes(b"\xff\xfe")
    assert wait_for(lambda: not followed.paused.is_set())
    (tmp_path / "wish").write_text("stop")
    assert wait_for(followed.stopped.is_set)


def test_a_wish_from_before_the_start_holds_at_once(tmp_path: Path) -> None:
    (tmp_path / "wish").write_text("cancel")
    commands, finished = Commands(), threading.Event()
    asked: list[bool] = []
    follow(tmp_path, commands, finished, lambda: asked.append(commands.cancelled.is_set()))
    finished.set()
    assert asked == [True]


def test_without_its_folder_a_job_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(HyperKDError, match=r"control folder .*nowhere cannot be used") as caught:
        follow(tmp_path / "nowhere", Commands(), threading.Event(), lambda: None)
    assert caught.value.code == "bad_job"


def test_a_paused_job_waits_until_it_shall_go_on() -> None:
    commands, stream = Commands(), io.StringIO()
    report = JsonReporter(stream, commands.cancelled, commands=commands)
    report.check_cancelled()
    assert stream.getvalue() == ""
    commands.take("pause")
    waiting = threading.Thread(target=report.check_cancelled)
    waiting.start()
    time.sleep(0.25)
    assert waiting.is_alive()
    commands.take("run")
    waiting.join(2)
    assert not waiting.is_alive()
    said = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert said == ["Paused.", "Continued."]


@pytest.mark.parametrize("wish", ["cancel", "stop"])
def test_a_paused_job_can_be_ended(wish: str) -> None:
    commands = Commands()
    report = JsonReporter(io.StringIO(), commands.cancelled, commands=commands)
    commands.take("pause")
    caught: list[HyperKDError] = []

    def check() -> None:
        try:
            report.check_cancelled()
        except HyperKDError as error:
            caught.append(error)

    waiting = threading.Thread(target=check)
    waiting.start()
    commands.take(wish)
    waiting.join(2)
    assert not waiting.is_alive()
    assert [error.code for error in caught] == (["cancelled"] if wish == "cancel" else [])
    assert report.stop_requested() is (wish == "stop")
