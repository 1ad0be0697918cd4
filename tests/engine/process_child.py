"""An engine whose embed job is replaced by one of the functions below.

``python process_child.py BEHAVIOUR run job.json ...``
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "engine"))

from hyperkd import cli
from hyperkd.atomic import PartialFile, scratch_folder
from hyperkd.errors import HyperKDError
from hyperkd.jobs import dispatch


def succeed(*, output, report, **_):
    """Write the output."""
    report.stage("Writing")
    with PartialFile(output) as part:
        Path(part.temporary).write_text("new")
        report.progress(1, 1, "tiles")
    report.artifact("output", output)
    return {"pixels": 4}


def noisy(*, output, report, **fields):
    """Succeed, while libraries and a child process print."""
    libc = ctypes.CDLL(None)
    print("print")
    libc.printf(b"buffered by libc until exit\n")
    libc.puts(b"puts")
    libc.fflush(None)
    libc.printf(b"buffered by libc until exit\n")
    os.write(1, b"no line end")
    os.system("echo child")
    return succeed(output=output, report=report)


def refuse(*, model, **_):
    """Fail with the code that stands in the field ``model``."""
    raise HyperKDError(model, "It is wrong.", "Make it right.", value=3)


def bug(**_):
    """Fail as no job should."""
    return 1 / 0


def no_memory(**_):
    """Fail as numpy does."""
    raise MemoryError("Unable to allocate 8 GiB")


def no_disk(**_):
    """Fail as a write does."""
    raise OSError(errno.ENOSPC, "No space left on device")


def no_dependency(**_):
    """Fail as an import does."""
    sys.modules["onnxruntime"] = None
    import onnxruntime  # noqa: F401


def patient(*, output, report, **_):
    """Write half of the output, then wait to be cancelled."""
    with PartialFile(output, (".aux.xml",)) as part:
        Path(part.temporary).write_text("half")
        Path(part.temporary + ".aux.xml").write_text("half")
        report.stage("Waiting")
        for _ in range(600):
            report.check_cancelled()
            report.log("info", "still here")
            time.sleep(0.05)
    return {}


def stubborn(*, output, report, **_):
    """Write half of the output, then never ask whether anybody wants it."""
    with PartialFile(output) as part:
        Path(part.temporary).write_text("half")
        report.stage("Waiting")
        for _ in range(60):
            time.sleep(0.5)
    return {}


def native(*, output, report, **_):
    """Write half of the output and finished rows, then wait in a library that asks nobody."""
    from hyperkd.inference.tiling.block_reader import Unreadable
    from hyperkd.inference.tiling.journal import Journal

    journal = Journal(output, {}, Unreadable())
    journal.begin()
    with PartialFile(output) as part, scratch_folder() as folder:
        Path(part.temporary).write_text("half")
        report.stage(folder)
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1_000_000_000)  # no signal interrupts it
    return {}


def tidying(*, output, report, **_):
    """Hear a cancel, and take longer to keep the result so far than a deaf job has."""
    report.stage("Waiting")
    try:
        for _ in range(600):
            report.check_cancelled()
            time.sleep(0.05)
    except HyperKDError:
        time.sleep(3)
        with PartialFile(output) as part:
            Path(part.temporary).write_text("kept")
        raise


def priority(*, output, report, **_):
    """Tell how nice the process is."""
    with PartialFile(output) as part:
        Path(part.temporary).write_text("new")
    return {"nice": os.nice(0)}


if __name__ == "__main__":
    dispatch.TARGETS["embed"] = f"__main__:{sys.argv.pop(1)}"
    raise SystemExit(cli.main())
