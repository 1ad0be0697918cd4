"""Commands to a running job from another process, given through a folder.

A long training outlives the window that started it, so there is no pipe to talk
through. ``hyperkd run job.json --control FOLDER`` reads the file ``wish`` in that
folder twice a second and touches the file ``alive``: whoever finds the folder later
sees by the age of that file whether the job still runs, without asking the system
for a process whose number may by then be another's.

    run      go on (also the meaning of no file, or of anything else)
    pause    wait; memory stays allocated
    stop     end soon and well, with the best result so far
    cancel   end now, with no result
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Final

from hyperkd.errors import HyperKDError
from hyperkd.files import open_own, read_regular

_COMMAND_FILE: Final = "wish"  # a public name, like the next one
_HEARTBEAT_FILE: Final = "alive"
COMMANDS: Final = ("run", "pause", "stop", "cancel")
# A person who pauses or stops a training does not notice half a second.
_POLL_S: Final = 0.5
_LONGEST: Final = 100  # bytes of a command


@dataclass(frozen=True)
class Commands:
    """The commands that a job was given; the events are set and cleared from any thread.

    Attributes:
        cancelled: end now, without a result.
        paused: wait.
        stopped: end soon, with the best result so far.
        heard: set by the job when it has noticed the cancel and tidies up.
    """

    cancelled: threading.Event = field(default_factory=threading.Event)
    paused: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    heard: threading.Event = field(default_factory=threading.Event)

    def take(self, command: str) -> None:
        """Take one of ``COMMANDS``; an unknown one means ``run``. Cancelling is for good."""
        if command == "cancel":
            self.cancelled.set()
        # A job that is to end must not wait.
        for event, wanted in ((self.paused, command == "pause"), (self.stopped, command == "stop")):
            if wanted:
                event.set()
            else:
                event.clear()


def follow(
    folder: Path, commands: Commands, finished: threading.Event, cancel: Callable[[], None]
) -> None:
    """Read commands and write the heartbeat in a thread until the job has finished.

    Args:
        folder: the control folder, which must exist.
        commands: receives each command.
        finished: set by the main thread when the job has ended by itself.
        cancel: called when the job is cancelled.

    Raises:
        HyperKDError: ``bad_job`` where there is no such folder, or it is not writable.
    """
    try:
        _touch(folder / _HEARTBEAT_FILE)
    except OSError as error:
        raise HyperKDError(
            "bad_job",
            f"The control folder {folder} cannot be used: {error.strerror}.",
            "Give an existing folder that is yours to write (--control).",
            path=str(folder),
        ) from error

    def hear() -> None:
        commands.take(_read(folder / _COMMAND_FILE))
        if commands.cancelled.is_set():
            cancel()

    def watch() -> None:
        while not finished.wait(_POLL_S):
            hear()
            # A folder that was removed, or a full disk, is no reason to end the job.
            with contextlib.suppress(OSError):
                _touch(folder / _HEARTBEAT_FILE)

    hear()
    threading.Thread(target=watch, name="control", daemon=True).start()


def _touch(path: Path) -> None:
    descriptor = open_own(path, make=True)
    try:
        os.utime(path)
    finally:
        os.close(descriptor)


def _read(path: Path) -> str:
    try:
        return read_regular(path, _LONGEST).decode().strip()
    except (OSError, UnicodeDecodeError):  # none yet, just being replaced, or no command of ours
        return ""
