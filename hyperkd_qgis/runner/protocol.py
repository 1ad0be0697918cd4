"""What the engine says on standard output, and what its end means.

Pure Python without Qt, so that it can be tested and read alone. The engine
writes one JSON object a line; the plugin acts on these objects and on the exit
status, never on prose.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union

PROTOCOL = 1

EXIT_BUG = 1
EXIT_REFUSED = 2
EXIT_CANCELLED = 5

# A line longer than this is no event of ours; without a limit a broken child
# that never ends its line would fill QGIS's memory.
MAX_LINE_BYTES = 4 * 1024 * 1024
# Lines that are no events are kept for the log, the last ones only.
MAX_NOISE_LINES = 50

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Done:
    """The engine exited with 0 and said that it was done."""

    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The engine, or the runner before it, refused: what is wrong and what to do."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Crashed:
    """The engine ended without saying why.

    Attributes:
        exit_code: the exit status, or the signal's number where ``killed``.
        killed: the process was ended from outside (signal) or died in native code.
    """

    exit_code: int
    killed: bool


@dataclass(frozen=True)
class Cancelled:
    """The user, or the caller, wanted no more of it."""


Ending = Union[Done, Failed, Crashed, Cancelled]


def parse_event(line: bytes) -> Optional[dict[str, Any]]:
    """Return the event on one line, or None where the line is something else."""
    try:
        event = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    if isinstance(event, dict) and isinstance(event.get("event"), str):
        return event
    return None


class Transcript:
    """Puts the chunks of standard output together again and remembers what counts.

    Attributes:
        hello: the engine's greeting, or None before it came.
        error: the last ``error`` event, or None.
        done: the ``done`` event, or None.
        noise: the last lines that were no events.
    """

    def __init__(self) -> None:
        self.hello: Optional[Event] = None
        self.error: Optional[Event] = None
        self.done: Optional[Event] = None
        self.noise: deque[str] = deque(maxlen=MAX_NOISE_LINES)
        self._partial = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes, cut anywhere, and return the events that they complete."""
        events = []
        *complete, rest = chunk.split(b"\n")
        for piece in complete:
            self._keep(piece)
            event = self._end_line()
            if event is not None:
                events.append(event)
        self._keep(rest)
        return events

    def close(self) -> list[Event]:
        """Return the event of a last line that was not ended, if there is one."""
        event = self._end_line()
        return [] if event is None else [event]

    def _keep(self, piece: bytes) -> None:
        if len(self._partial) + len(piece) > MAX_LINE_BYTES:
            self._skipping = True
            self._partial.clear()
        if not self._skipping:
            self._partial += piece

    def _end_line(self) -> Optional[Event]:
        line, skipped = bytes(self._partial).strip(), self._skipping
        self._partial.clear()
        self._skipping = False
        if skipped:
            self.noise.append(f"(a line of more than {MAX_LINE_BYTES} bytes)")
            return None
        if not line:
            return None
        event = parse_event(line)
        if event is None:
            self.noise.append(line.decode("utf-8", "replace"))
            return None
        self._remember(event)
        return event

    def _remember(self, event: Event) -> None:
        kind = event["event"]
        if kind == "hello":
            self.hello = event
        elif kind == "error":
            self.error = event
        elif kind == "done":
            self.done = event


def speaks_our_protocol(hello: Event) -> bool:
    """Return whether the engine that greeted us writes events that we can read."""
    return hello.get("protocol") == PROTOCOL


def percent(event: Event) -> Optional[float]:
    """Return a ``progress`` event as 0 to 100, or None where it says nothing usable."""
    done, total = event.get("done"), event.get("total")
    if not isinstance(done, (int, float)) or not isinstance(total, (int, float)) or not total > 0:
        return None
    return 100.0 * min(max(done / total, 0.0), 1.0)


def ending(transcript: Transcript, exit_code: int, killed: bool, cancelled: bool) -> Ending:
    """Tell how a run ended.

    Success is exit status 0 *and* the ``done`` event. A cancel that came when the
    work was already done changes nothing about that.

    Args:
        transcript: all of standard output.
        exit_code: exit status of the process, or the signal that ended it.
        killed: the process did not exit by itself.
        cancelled: the caller asked the process to stop.
    """
    if transcript.done is not None and exit_code == 0 and not killed:
        summary = transcript.done.get("summary")
        return Done(summary if isinstance(summary, dict) else {})
    if cancelled or (exit_code == EXIT_CANCELLED and not killed):
        return Cancelled()
    if transcript.error is not None and not killed and exit_code not in (0, EXIT_BUG):
        code, message, hint = _error_texts(transcript.error)
        return Failed(code, message, hint)
    return Crashed(exit_code, killed)


def unseen_ending(transcript: Transcript) -> Ending:
    """Tell how a run ended whose exit status nobody has seen: by what it said last.

    One that ended without a word was killed, or its machine was switched off.
    """
    if transcript.done is not None:
        return ending(transcript, 0, killed=False, cancelled=False)
    if transcript.error is None:
        return Crashed(EXIT_BUG, killed=True)
    statuses = {"cancelled": EXIT_CANCELLED, "bug": EXIT_BUG}
    status = statuses.get(str(transcript.error.get("code")), EXIT_REFUSED)
    return ending(transcript, status, killed=False, cancelled=False)


def _error_texts(error: Event) -> tuple[str, str, str]:
    code, message, hint = (error.get(key) or "" for key in ("code", "message", "hint"))
    return str(code) or "unknown", str(message), str(hint)
