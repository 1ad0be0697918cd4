"""The command ``hyperkd``: one sub-command per job, made from its dataclass, and ``run``."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hyperkd
from hyperkd.engine_process import mark_engine_process
from hyperkd.errors import EXIT_OK, HyperKDError
from hyperkd.jobs import process
from hyperkd.jobs.control import Commands, follow
from hyperkd.jobs.crash_words import say_crashes
from hyperkd.jobs.dispatch import perform
from hyperkd.jobs.events import (
    EventReporter,
    JsonReporter,
    TextReporter,
    cancelled_error,
    plain,
)
from hyperkd.jobs.validate import load_job, parse_job
from hyperkd.requests.catalogue import GROUPS, JOBS
from hyperkd.requests.option import PROTOCOL, Job, JobField, job_fields
from hyperkd.unfinished import told_of_unfinished


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status of the process."""
    options = vars(_parser().parse_args(arguments))
    as_events = options.pop("events") == "json"
    as_json = options.pop("json", False)
    exit_with_stdin = options.pop("exit_with_stdin")
    control = options.pop("control")

    mark_engine_process()
    output = process.claim_stdout()
    if as_events:  # for who reads a log, as QGIS does: where a crash in native code was
        faulthandler.enable(2)
    else:
        say_crashes()
    cancelled, finished = threading.Event(), threading.Event()
    commands = Commands(cancelled)
    ender = process.Ender(commands, finished)
    process.cancel_on_signals(ender, cancelled)
    if exit_with_stdin:
        process.end_with_stdin(ender)
        process.yield_to_the_user()
    reporter: EventReporter
    # torchrun numbers the processes of one training: the first alone speaks the protocol.
    follows = os.environ.get("RANK", "0") != "0"
    if as_events and not follows:
        reporter = JsonReporter(output, cancelled, commands=commands)
    else:
        reporter = TextReporter(sys.stderr, cancelled, commands)

    def load() -> Job:
        if control is not None:
            follow(Path(control), commands, finished, ender.cancel)
        return _job(options, exit_with_stdin)

    ender.say_with(lambda: reporter.fail(cancelled_error()))
    # Whoever can kill this process learns which files it may then remove.
    with told_of_unfinished(reporter.claim) if exit_with_stdin else contextlib.nullcontext():
        status, summary = perform(load, reporter, leads=not follows)
    if status == EXIT_OK and not as_events and not follows:
        # `hyperkd info scene.tif | head` may stop reading early, which is no mistake.
        try:
            print(_shown(summary, as_json), file=output, flush=True)
        except BrokenPipeError:
            # What is left in the buffer is written once more at the end, to nobody.
            os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
    finished.set()
    return status


def _job(options: Mapping[str, Any], exit_with_stdin: bool) -> Job:
    fields = dict(options)
    command = fields.pop("command")
    if command != "run":
        return parse_job({"protocol": PROTOCOL, "job": command, **fields}, ".")
    if exit_with_stdin and fields["file"] == "-":
        raise HyperKDError(
            "bad_job",
            "With --exit-with-stdin the job cannot come from standard input ('-').",
            "Give the path of a job file.",
        )
    return load_job(fields["file"])


def _shown(summary: Mapping[str, Any], as_json: bool) -> str:
    """Return what standard output tells a person (``text``), or a program that asked for JSON."""
    values = plain(summary)
    text = values.pop("text", None)
    if as_json:
        return json.dumps(values, indent=2)
    return text or "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in values.items()
        if name != "problems"  # they are warnings on standard error
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hyperkd",
        description="Hyperspectral rasters through HyperKD students, on this machine.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"hyperkd {hyperkd.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    groups = {"": commands}
    for job in JOBS.values():
        group, _, name = job.kind.rpartition("_")
        if group not in groups:
            about = GROUPS[group]
            members = commands.add_parser(group, help=about, description=about, allow_abbrev=False)
            groups[group] = members.add_subparsers(metavar="COMMAND", required=True)
        command = groups[group].add_parser(
            name, help=job.summary, description=job.summary, allow_abbrev=False
        )
        command.set_defaults(command=job.kind)
        for field in job_fields(job):
            _add_field(command, field)
        if job.answers:
            command.add_argument("--json", action="store_true", help="Print one JSON document.")
        _add_common(command)
    run = commands.add_parser(
        "run",
        help="Run a job file.",
        description="Run a job file; its relative paths start at its folder.",
        allow_abbrev=False,
    )
    run.add_argument("file", help="The job, a JSON file; '-' reads standard input.")
    _add_common(run)
    return parser


def _add_field(command: argparse.ArgumentParser, field: JobField) -> None:
    """Add the flag of one field; a flag that is not given leaves the default to the job."""
    options: dict[str, Any] = {"help": _help(field), "default": argparse.SUPPRESS}
    if field.type is bool:
        options["action"] = argparse.BooleanOptionalAction
    else:
        options.update(type=field.type, metavar=field.name.upper())
        if field.choices is not None:
            options.update(choices=field.choices, metavar=None)
        if field.repeated:
            options.update(nargs="+", action="extend")
    if field.positional:
        del options["default"]
        command.add_argument(field.name, **options)
    else:
        flag = "--" + field.name.replace("_", "-")
        action = command.add_argument(flag, dest=field.name, required=field.required, **options)
        action.help = options["help"]  # Python 3.9 adds its own default to a yes-or-no flag


def _help(field: JobField) -> str:
    notes = []
    if field.minimum is not None and field.maximum is not None:
        notes.append(f"{field.minimum:.15g} to {field.maximum:.15g}")
    elif field.minimum is not None:
        notes.append(f"at least {field.minimum:.15g}")
    if field.default is not None and field.type is not bool:
        notes.append(f"default {field.default}")
    text = f"{field.help} ({', '.join(notes)})" if notes else field.help
    return text.replace("%", "%%")  # argparse formats help texts


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--events",
        choices=("text", "json"),
        default="text",
        help="How to report progress: a progress bar, or JSON lines on standard output.",
    )
    command.add_argument(
        "--exit-with-stdin",
        action="store_true",
        help="End when standard input closes, so that a killed parent leaves no orphan.",
    )
    command.add_argument(
        "--control",
        metavar="FOLDER",
        help="Read commands (run, pause, stop, cancel) from the file wish in this folder, "
        "and touch the file alive there.",
    )
