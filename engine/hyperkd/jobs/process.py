"""The process around a job: a clean standard output, signals, and the end with standard input."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import TextIO

from hyperkd import partial
from hyperkd.errors import EXIT_CANCELLED

_NICE = 5  # of 19; what is not nice at all gets three times as much of a contended core
_GRACE_S = 2.0  # for a job to notice that it was cancelled before the process ends without it


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


def cancel_on_signals(cancelled: threading.Event) -> None:
    """Let the first signal cancel the job and the second interrupt it at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if cancelled.is_set():
            raise KeyboardInterrupt
        cancelled.set()

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)  # the last two exist on one system each
        # What the caller ignores stays ignored: that is how nohup works.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


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


def end_with_stdin(cancelled: threading.Event, finished: threading.Event) -> None:
    """Cancel the job when standard input closes, and end the process if that takes long.

    A killed QGIS closes the pipe, so its engine does not live on as an orphan.

    Args:
        cancelled: set as soon as standard input closes.
        finished: set by the main thread when the job has ended by itself.
    """

    def watch() -> None:
        # A descriptor that cannot be read is as closed as one at its end.
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                continue
        cancelled.set()
        if not finished.wait(_GRACE_S):
            partial.abort_all()
            os._exit(EXIT_CANCELLED)

    threading.Thread(target=watch, name="stdin", daemon=True).start()
