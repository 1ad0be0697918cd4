"""Whether an engine lives: asked of the system, else of the file that it touches."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

NAME = "20260101-120000-000000-finetune"


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / NAME
    made.mkdir()
    touch(made)
    return made


@pytest.fixture
def process(folder):
    """Return a process that has the job's folder among its arguments, as the engine has."""
    made = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)", str(folder)],
        stdout=subprocess.PIPE,
    )
    made.stdout.readline()
    yield made
    made.kill()
    made.wait()
    made.stdout.close()


def touch(folder: Path, age_s: float = 0.0) -> None:
    then = time.time() - age_s
    (folder / "alive").touch()
    os.utime(folder / "alive", (then, then))


class Watch:
    """A pulse, with a clock that only goes when it is told to."""

    def __init__(self, folder: Path, pid: int = 0):
        from hyperkd_qgis.runner.heartbeat import Pulse

        self.now = 100.0
        self.pulse = Pulse(folder, pid, clock=lambda: self.now)

    def after(self, *steps_s: float) -> bool:
        """Look after each of these times; return whether it is felt at the end."""
        for step_s in steps_s:
            self.now += step_s
            self.pulse.look()
        return self.pulse.is_felt(15.0)


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's /proc")


@on_linux
def test_a_process_that_is_there_lives_however_long_it_is_silent(plugin, folder, process):
    touch(folder, age_s=3600)
    watch = Watch(folder, process.pid)
    assert watch.after(0.5)
    assert watch.after(*[1.0] * 40)
    process.kill()
    process.wait()
    assert not watch.after(0.5)


@on_linux
def test_a_process_that_nobody_has_waited_for_is_gone(plugin, folder, process):
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not Watch(folder, process.pid).after(0.5)


@on_linux
def test_a_number_that_is_now_another_process_is_gone(plugin, folder):
    assert not Watch(folder, os.getpid()).after(0.5)


def test_silence_counts_while_we_are_awake_only(plugin, folder):
    watch = Watch(folder)
    assert watch.after(0.5, 8 * 3600.0, 0.5)
    assert watch.after(*[1.0] * 11)
    assert not watch.after(1.0, 1.0)


def test_a_touched_file_is_life_again(plugin, folder):
    touch(folder, age_s=20)
    watch = Watch(folder)
    assert not watch.after(0.5, 0.5)
    touch(folder)
    assert watch.after(0.5)
    assert watch.after(*[1.0] * 14)
    assert not watch.after(1.0)


def test_a_folder_without_the_file_is_without_life(plugin, folder):
    watch = Watch(folder)
    (folder / "alive").unlink()
    assert watch.after(0.5)
    assert not watch.after(*[1.0] * 15)
    assert not Watch(folder).after(0.5)


def test_a_file_of_a_clock_that_is_ahead_is_young(plugin, folder):
    touch(folder, age_s=-3600)
    watch = Watch(folder)
    assert watch.after(*[1.0] * 14)
    assert not watch.after(1.0)


@on_linux
def test_an_engine_of_another_machine_is_known_by_its_file(plugin, folder):
    """Its number is nobody's here, and yet somebody touches the file."""
    touch(folder, age_s=5)
    watch = Watch(folder, os.getpid())
    assert not watch.after(0.5)
    touch(folder, age_s=2)
    assert watch.after(0.5)
    assert watch.after(*[1.0] * 14)
    assert not watch.after(1.0)
