"""The process around a job: a clean standard output, signals, and the end with standard input."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Callable, TextIO

from hyperkd import unfinished
from hyperkd.errors import EXIT_CANCELLED
from hyperkd.jobs.control import Commands

_NICE = 5  # of 19; what is not nice at all gets three times as much of a contended core
# For a job to hear that it was cancelled, and then to tidy up, before the process ends without.
_GRACE_S = 2.0
_TIDY_S = 6.0
_LAST_WORDS_S = 0.5  # for the event that says so, where nobody reads the pipe any more


class Ender:
    """Cancels the job, and ends the process where it does not hear that in time.

    Standard input that closes, a signal and the command all end here. A job in native code (one
    step of a large network, a raster library) cannot be interrupted, only left.

    Args:
        commands: receives the cancel; the job sets ``heard`` there.
        finished: set by the main thread when the job has ended by itself.
    """

    def __init__(self, commands: Commands, finished: threading.Event) -> None:
        self._commands, self._finished = commands, finished
        self._begun = threading.Lock()
        self._say: Callable[[], None] = lambda: None

    def say_with(self, say: Callable[[], None]) -> None:
        """Call ``say`` before the process ends without the job."""
        self._say = say

    def cancel(self) -> None:
        """Cancel; called from any thread, and as often as one likes."""
        self._commands.cancelled.set()
        if self._begun.acquire(blocking=False):  # never given back: one cancel is enough
            threading.Thread(target=self._watch, name="ender", daemon=True).start()

    def _watch(self) -> None:
        if self._finished.wait(_GRACE_S):
            return
        if self._commands.heard.is_set() and self._finished.wait(_TIDY_S):
            return
        unfinished.abort_all()
        # The job may hold the lock of the reporter, or the pipe may be full.
        teller = threading.Thread(target=self._say, name="last words", daemon=True)
        teller.start()
        teller.join(_LAST_WORDS_S)
        os._exit(EXIT_CANCELLED)


def claim_stdout() -> TextIO:
    """Return a stream to standard output that nothing else in the process can write to.

    Descriptor 1 is duplicated for the stream and then points where standard
    error does, so that the print of a C library goes there and cannot corrupt
    the protocol. It stays so until the end: C libraries flush at exit.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Closed by the caller. The lowest free number is this one; left free,
            # the next file that a library opens would become standard output.
            os.open(os.devnull, os.O_RDWR)
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace", newline="\n")
    os.dup2(2, 1)
    return stream


def cancel_on_signals(ender: Ender, cancelled: threading.Event) -> None:
    """Let the first signal cancel the job and the second interrupt it at once.

    Python runs a handler between two steps of the main thread, which may wait in native
    code; the number of a signal goes through a pipe to a thread that hears it at once.

    Args:
        ender: cancels the job.
    """
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) == 2 and cancelled.is_set():  # later ones find it tidying up
            raise KeyboardInterrupt
        ender.cancel()

    heard = []
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)  # the last two exist on one system each
        # What the caller ignores stays ignored: that is how nohup works.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
            heard.append(number)
    if os.name == "nt":  # the handlers run while native code waits there
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def watch() -> None:
        while True:
            if any(number in heard for number in os.read(reader, 64)):
                ender.cancel()

    threading.Thread(target=watch, name="signals", daemon=True).start()


def yield_to_the_user() -> None:
    """Let programs that somebody works with go first, whenever they want the processor.

    A job fills every core; started by QGIS, it must not make its window slow.
    """
    if os.name == "nt":
        import ctypes

        below_normal = 0x00004000  # BELOW_NORMAL_PRIORITY_CLASS
        kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
    else:
        os.nice(_NICE)


def end_with_stdin(ender: Ender) -> None:
    """Cancel the job when standard input closes.

    A killed QGIS closes the pipe, so its engine does not live on as an orphan.
    """

    def watch() -> None:
        # A descriptor that cannot be read is as closed as one at its end.
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                continue
        ender.cancel()

    threading.Thread(target=watch, name="stdin", daemon=True).start()
