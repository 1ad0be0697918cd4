"""Runs one program to its end, shows its lines as they come, and ends it when asked.

Polled without an event loop, like the engine itself, so it works in a task, in the thread
of an algorithm, and in ``qgis_process``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qgis.PyQt.QtCore import QProcess

from ..runner.process import POLL_MS, START_MS, as_process_environment

# What a failed step is explained from.
TAIL_LINES = 400
_GRACE_S = 2.0


class CommandListener:
    """Where a command tells what happens, and asks whether to go on. Does nothing by itself."""

    def line(self, text: str) -> None:
        """Take one line of its output, of either channel."""

    def tick(self) -> None:
        """Be called some twenty times a second while it runs."""

    def is_cancelled(self) -> bool:
        """Return whether it shall be ended."""
        return False


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        status: its exit status, or the signal that ended it.
        killed: it did not exit by itself.
        cancelled: the listener wanted it to end.
        timed_out: it took longer than allowed and was ended.
        output: what it wrote to standard output.
        lines: the last lines of both channels, in the order in which they came.
    """

    status: int
    killed: bool
    cancelled: bool
    timed_out: bool
    output: str
    lines: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether it did what it was asked to do."""
        return self.status == 0 and not (self.killed or self.cancelled or self.timed_out)


def run_command(
    program: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    listener: CommandListener,
    timeout_s: float,
) -> Outcome:
    """Run a program in the calling thread, with nothing on its standard input.

    Args:
        arguments: as a list; no shell is involved.
        environment: all of its variables.
        listener: hears its lines and decides on cancelling.
        timeout_s: how long it may take.
    """
    process = QProcess()
    process.setProcessEnvironment(as_process_environment(environment))
    # A question that nobody sees would wait for ever.
    process.setStandardInputFile(QProcess.nullDevice())
    process.start(str(program), list(arguments))
    lines = _Lines(listener)
    if not process.waitForStarted(START_MS):
        lines.take(f"{program}: {process.errorString()}\n".encode(), 1)
        return Outcome(-1, False, False, False, "", tuple(lines.tail))
    deadline = time.monotonic() + timeout_s
    cancelled = timed_out = False
    try:
        while process.state() != QProcess.ProcessState.NotRunning:
            process.waitForFinished(POLL_MS)
            lines.drain(process)
            listener.tick()
            cancelled = listener.is_cancelled()
            timed_out = time.monotonic() > deadline
            if cancelled or timed_out:
                break
    finally:
        _end(process)
    lines.drain(process)
    lines.close()
    killed = process.exitStatus() == QProcess.ExitStatus.CrashExit
    output = b"".join(lines.output).decode("utf-8", "replace")
    return Outcome(process.exitCode(), killed, cancelled, timed_out, output, tuple(lines.tail))


def _end(process: QProcess) -> None:
    """End a process that still runs, politely first."""
    if process.state() == QProcess.ProcessState.NotRunning:
        return
    process.terminate()
    if not process.waitForFinished(int(_GRACE_S * 1000)):
        process.kill()
        process.waitForFinished()


class _Lines:
    """Puts the chunks of both channels together to lines."""

    def __init__(self, listener: CommandListener) -> None:
        self.output: list[bytes] = []
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._listener = listener
        self._partial = [b"", b""]

    def drain(self, process: QProcess) -> None:
        chunk = bytes(process.readAllStandardOutput())
        if chunk:
            self.output.append(chunk)
        self.take(chunk, 0)
        self.take(bytes(process.readAllStandardError()), 1)

    def take(self, chunk: bytes, channel: int) -> None:
        *complete, rest = (self._partial[channel] + chunk).split(b"\n")
        self._partial[channel] = rest
        for line in complete:
            self._say(line)

    def close(self) -> None:
        for rest in self._partial:
            if rest:
                self._say(rest)
        self._partial = [b"", b""]

    def _say(self, line: bytes) -> None:
        # A progress bar overwrites itself; its last state is what counts.
        text = line.decode("utf-8", "replace").rstrip().rpartition("\r")[2].strip("\r")
        if text:
            self.tail.append(text)
            self._listener.line(text)
