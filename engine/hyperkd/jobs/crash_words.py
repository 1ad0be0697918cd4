"""What the command line says where a library in C ends the process: a crash leaves no words.

Python cannot run after a crash, but its fault handler still writes to a descriptor. That
one leads to a shell that waits for it, so it costs a few milliseconds and no memory.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
from typing import Final

_SHELL: Final = "/bin/sh"
# The handler's first line is "Fatal Python error: Segmentation fault"; without a crash there
# is none. $0 is the sentence.
_SCRIPT: Final = 'IFS= read -r line && printf "%s\\n" "${line##*: }: $0" >&2'
SENTENCE: Final = (
    "a library crashed, and hyperkd with it. The input is probably damaged: copy or download "
    "it again. Outputs are as they were before; the next run removes what is unfinished."
)


def say_crashes() -> None:
    """Say on standard error that the process crashed, where it does.

    Where somebody has switched the fault handler on (``PYTHONFAULTHANDLER``), or there is
    no shell, as on Windows, its own words must do.
    """
    if faulthandler.is_enabled():
        return
    with contextlib.suppress(OSError):
        if os.name == "posix":
            faulthandler.enable(_pipe_to_shell(), all_threads=False)
            return
    faulthandler.enable(all_threads=False)


def _pipe_to_shell() -> int:
    reader, writer = os.pipe()
    try:
        os.posix_spawn(  # nosec B606
            _SHELL,
            [_SHELL, "-c", _SCRIPT, SENTENCE],
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0), (os.POSIX_SPAWN_DUP2, 2, 1)],
        )
    except OSError:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    return writer
