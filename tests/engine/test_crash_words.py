"""A crash of a library in C is told on the command line, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hyperkd.jobs.crash_words import SENTENCE

CODE = """
import ctypes, os, sys
from hyperkd import cli
from hyperkd.raster.gdal import opening
WAYS = {"segfault": lambda: ctypes.string_at(8), "abort": os.abort,
        "kill": lambda: os.kill(os.getpid(), 9)}
opening.local_sources = lambda path: WAYS[sys.argv[1]]()
sys.exit(cli.main(sys.argv[2:]))
"""


def run(*arguments: str, code: str = CODE, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONFAULTHANDLER"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**clean, **environment},
    )


@pytest.fixture
def scene(tmp_path: Path) -> str:
    (tmp_path / "scene.tif").write_bytes(b"II*\0" + bytes(100))
    return str(tmp_path / "scene.tif")


@pytest.mark.skipif(os.name != "posix", reason="signals and a shell")
@pytest.mark.parametrize("extra", [[], ["--json"]])
@pytest.mark.parametrize(
    ("way", "number", "words"),
    [
        ("segfault", signal.SIGSEGV, f"Segmentation fault: {SENTENCE}\n"),
        ("abort", signal.SIGABRT, f"Aborted: {SENTENCE}\n"),
        ("kill", signal.SIGKILL, ""),
    ],
)
def test_a_crash_is_told(
    scene: str, way: str, number: signal.Signals, words: str, extra: list[str]
) -> None:
    done = run(way, "info", scene, *extra)
    assert done.returncode == -number
    assert done.stderr.endswith(words) if words else SENTENCE not in done.stderr
    assert "Traceback" not in done.stderr
    assert "File " not in done.stderr


def test_an_ending_without_a_crash_is_not(scene: str) -> None:
    code = "import sys\nfrom hyperkd.cli import main\nsys.exit(main(sys.argv[1:]))"
    start = time.monotonic()
    done = run("info", scene, code=code)
    assert done.returncode == 3
    assert "error [unreadable_raster]" in done.stderr
    assert "crashed" not in done.stderr
    assert time.monotonic() - start < 30  # nobody holds standard error open


@pytest.mark.skipif(os.name != "posix", reason="signals and a shell")
@pytest.mark.parametrize(
    ("extra", "environment"),
    [([], {"PYTHONFAULTHANDLER": "1"}), (["--events", "json"], {})],
)
def test_who_reads_a_log_gets_the_stack_of_python(
    scene: str, extra: list[str], environment: dict[str, str]
) -> None:
    done = run("abort", "info", scene, *extra, **environment)
    assert "Fatal Python error: Aborted" in done.stderr
    assert 'File "<string>"' in done.stderr
    assert SENTENCE not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals and a shell")
def test_without_a_shell_the_fault_handler_speaks(scene: str) -> None:
    code = f"from hyperkd.jobs import crash_words\ncrash_words._SHELL = '/nowhere'\n{CODE}"
    done = run("abort", "info", scene, code=code)
    assert done.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in done.stderr
