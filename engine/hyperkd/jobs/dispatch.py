"""From a job to its exit status: calls the job's function and reports how it ended."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Callable, Final

from hyperkd.errors import EXIT_BUG, EXIT_OK, HyperKDError
from hyperkd.jobs.events import EventReporter
from hyperkd.jobs.outputs import check_outputs, claimed_outputs, code_of
from hyperkd.requests.option import Job
from hyperkd.requests.shared_options import AcceptOptions

if TYPE_CHECKING:  # numpy, which --help does without
    from hyperkd.types import Reporter

# Packages that may be missing, under the name that they are imported by, and
# their extra in pyproject.toml; the engine itself needs those without one.
_EXTRAS: Final[Mapping[str, str]] = {
    "numpy": "",
    "safetensors": "",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "sklearn": "assess",
    "torch": "train",
    "onnxscript": "train",
    "prosail": "synth",
}

_SIGNS_OF_LITTLE_MEMORY: Final = (
    *("Cannot allocate memory", "Failed to allocate memory", "bad_alloc", "pthread_create failed"),
    "can't start new thread",
)

# Where the name that pip knows is another than that of the import.
_DISTRIBUTIONS: Final[Mapping[str, str]] = {"sklearn": "scikit-learn"}


def perform(
    load: Callable[[], Job], reporter: EventReporter, *, leads: bool = True
) -> tuple[int, dict[str, Any]]:
    """Load a job, run it and report how it ended.

    A crash of native code ends the process before this returns; the plugin reports it by
    the exit status, see ``docs/qgis.md``.

    Args:
        load: returns the job, or raises ``bad_job``.
        reporter: gets ``hello`` first, and ``done`` or ``error`` last.
        leads: False in the other processes of a training that torchrun started.

    Returns:
        The exit status of the process, and the summary (empty unless the status is 0).
    """
    job: Job | None = None
    failure: HyperKDError | None = None
    try:
        try:
            job = load()
        finally:
            reporter.hello(getattr(job, "device", None))
        with claimed_outputs(job) if leads else nullcontext():
            summary = _call(job, reporter)
        reporter.done(summary)
        return EXIT_OK, summary
    except HyperKDError as error:
        failure = error
    except KeyboardInterrupt:
        failure = HyperKDError("cancelled", "The job was interrupted.", "Start it again.")
    except Exception as error:  # noqa: BLE001 - here, and only here, a bug becomes an exit status
        failure = worded(error, job)
        if failure is None:
            traceback.print_exc(file=sys.stderr)
            reporter.error(
                "bug",
                f"{type(error).__name__}: {error}",
                "This is a mistake in HyperKD: please report it with the traceback above.",
                {},
            )
            return EXIT_BUG, {}
    reporter.fail(failure)
    return failure.exit_status, {}


def carry_out(job: Job, reporter: Reporter) -> dict[str, Any]:
    """Run a job in this process and return its summary.

    Raises:
        HyperKDError: as the job's function and ``check_outputs``. What else is raised may
            be an error of the machine: see ``worded``.
    """
    with claimed_outputs(job):
        return _call(job, reporter)


def _call(job: Job, reporter: Reporter) -> dict[str, Any]:
    check_outputs(job)
    # Imported now: an inference job never loads torch, and ``--help`` loads nothing.
    module, _, name = job.target.partition(":")
    function: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), name)
    if not isinstance(job, AcceptOptions):
        return function(job, reporter)
    from hyperkd.reporting import RecordingReporter

    heard = RecordingReporter(reporter)
    summary = function(job, heard)
    if "problems" not in summary:
        said = [{**problem.as_json(), "scene": scene} for problem, scene in heard.problems]
        summary = {**summary, "problems": said}
    return summary


def _is_starved(error: Exception) -> bool:
    """Return whether a library, onnxruntime above all, got no memory or no thread."""
    return isinstance(error, RuntimeError) and any(
        sign in str(error) for sign in _SIGNS_OF_LITTLE_MEMORY
    )


def worded(error: Exception, job: Job | None) -> HyperKDError | None:
    """Return what a user can do about an error of the machine, or None where it is a bug."""
    if isinstance(error, MemoryError) or _is_starved(error):
        return HyperKDError(
            "out_of_memory",
            f"There is not enough memory: {error}".rstrip(": ") + ".",
            "Compute fewer tiles at once (batch), or close other programs.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return HyperKDError(
            "out_of_disk",
            f"There is no space left on the disk ({error}).",
            "Free some disk space or choose another output folder.",
        )
    # One without a number is raised by a program, not by the system.
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return _refused_file(error, job)
    return _missing_package(error) if isinstance(error, ImportError) else None


def _missing_package(error: ImportError) -> HyperKDError | None:
    """Return the refusal of a package that is not installed, or None where it is our own."""
    module = (error.name or "").partition(".")[0]
    if module == "osgeo":
        from hyperkd.raster.gdal_bindings import missing_gdal

        return missing_gdal(error)
    if module not in _EXTRAS:
        return None
    extra = _EXTRAS[module]
    package = _DISTRIBUTIONS.get(module, module)
    return HyperKDError(
        "missing_dependency",
        f"The Python package {package} cannot be imported: {error}.",
        (f"It belongs to the extra {extra} of hyperkd. " if extra else "")
        + f"Install it with: {sys.executable} -m pip install {package}",
        module=module,
        extra=extra,
    )


def _refused_file(error: OSError, job: Job | None) -> HyperKDError:
    """Return the refusal of a file that the system did not give, by what the job calls it."""
    name = error.filename if isinstance(error.filename, (str, bytes)) else ""
    path = os.fsdecode(name)
    what = f"{path} cannot be used" if path else "The system refused a file"
    return HyperKDError(
        "bad_job" if job is None else code_of(job, path),
        f"{what}: {error.strerror}.",
        "Check that the file is there, that it is a file, and that you may use it.",
        path=path,
    )
