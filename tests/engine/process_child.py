"""An engine whose embed job is replaced by one of the functions below.

``python process_child.py BEHAVIOUR run job.json ...``
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "engine"))

from hyperkd import cli
from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.requests.predict_options import EmbedJob
from hyperkd.scratch import scratch_folder


def succeed(request, report):
    """Write the output."""
    report.stage("Writing")
    with AtomicFile(request.output) as part:
        Path(part.temporary).write_text("new")
        report.progress(1, 1, "tiles")
    report.artifact("output", request.output)
    return {"pixels": 4}


def noisy(request, report):
    """Succeed, while libraries and a child process print."""
    # Not before the engine has started: libffi, which comes with it, keeps a file open, and where
    # standard error is closed that would be descriptor 2. The engine imports it later too.
    import ctypes

    libc = ctypes.CDLL(None)
    print("print")
    libc.printf(b"buffered by libc until exit\n")
    libc.puts(b"puts")
    libc.fflush(None)
    libc.printf(b"buffered by libc until exit\n")
    os.write(1, b"no line end")
    os.system("echo child")
    return succeed(request, report)


def crash(request, _):
    """Read memory that is not ours, in native code."""
    import ctypes

    ctypes.string_at(0)


def refuse(request, _):
    """Fail with the code that stands in the field ``request.model``."""
    raise HyperKDError(request.model, "It is wrong.", "Make it right.", value=3)


def bug(_request, _report):
    """Fail as no job should."""
    return 1 / 0


def no_memory(_request, _report):
    """Fail as numpy does."""
    raise MemoryError("Unable to allocate 8 GiB")


def no_disk(_request, _report):
    """Fail as a write does."""
    raise OSError(errno.ENOSPC, "No space left on device")


def no_dependency(_request, _report):
    """Fail as an import does."""
    sys.modules["onnxruntime"] = None
    import onnxruntime  # noqa: F401


def patient(request, report):
    """Write half of the output, then wait to be cancelled."""
    with AtomicFile(request.output, (".aux.xml",)) as part:
        Path(part.temporary).write_text("half")
        Path(part.temporary + ".aux.xml").write_text("half")
        report.stage("Waiting")
        for _ in range(600):
            report.check_cancelled()
            report.log("info", "still here")
            time.sleep(0.05)
    return {}


def stubborn(request, report):
    """Write half of the output, then never ask whether anybody wants it."""
    with AtomicFile(request.output) as part:
        Path(part.temporary).write_text("half")
        report.stage("Waiting")
        for _ in range(60):
            time.sleep(0.5)
    return {}


def native(request, report):
    """Write half of the output and finished rows, then wait in a library that asks nobody."""
    from hyperkd.inference.tiling.block_reader import Unreadable
    from hyperkd.inference.tiling.journal import Journal

    journal = Journal(request.output, {}, Unreadable())
    journal.begin()
    with AtomicFile(request.output) as part, scratch_folder() as folder:
        Path(part.temporary).write_text("half")
        report.stage(folder)
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1_000_000_000)  # no signal interrupts it
    return {}


def tidying(request, report):
    """Hear a cancel, and take longer to keep the result so far than a deaf job has."""
    report.stage("Waiting")
    try:
        for _ in range(600):
            report.check_cancelled()
            time.sleep(0.05)
    except HyperKDError:
        time.sleep(3)
        with AtomicFile(request.output) as part:
            Path(part.temporary).write_text("kept")
        raise


def priority(request, report):
    """Tell how nice the process is."""
    with AtomicFile(request.output) as part:
        Path(part.temporary).write_text("new")
    return {"nice": os.nice(0)}


if __name__ == "__main__":
    EmbedJob.target = f"__main__:{sys.argv.pop(1)}"
    raise SystemExit(cli.main())
