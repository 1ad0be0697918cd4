"""From a job's JSON to its dataclass, with every mistake named before any work begins."""

from __future__ import annotations

import difflib
import json
import math
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from hyperkd.errors import HyperKDError
from hyperkd.files import read_regular
from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import INPUT_ROLES, OUTPUT_ROLES, PROTOCOL, Job, JobField, job_fields

_Options = TypeVar("_Options")
_LONGEST_JOB = 16 * 1024 * 1024  # bytes; one with a thousand rasters has a hundredth of it
_FLAT = "A job is one flat JSON object."
_TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
# GDAL's names of virtual files and of data sets inside a file, as NETCDF:"cube.nc":radiance;
# one letter before the colon is a Windows drive.
_GDAL_NAME = re.compile(r"/vsi|[A-Za-z][A-Za-z0-9_]+:")
# Where a value may be a name instead of a file, and the suffixes that mark a file.
_NAMED_ROLES = {
    "model": (".onnx",),
    "band_table": (".csv",),
    "teacher": (".pt", ".safetensors"),
}


def load_job(path: str) -> Job:
    """Return the job in a file; its relative paths start at its folder.

    Args:
        path: a UTF-8 file, with or without a byte order mark; ``-`` reads
            standard input, and then relative paths start at the current folder.

    Raises:
        HyperKDError: ``bad_job`` where the file cannot be read, is not JSON
            object, or is not the job that it should be.
    """
    if path == "-":
        content = sys.stdin.buffer.read(_LONGEST_JOB + 1)
        if len(content) > _LONGEST_JOB:
            raise _bad_job(f"Standard input holds more than {_LONGEST_JOB} bytes.", _FLAT)
        return parse_job(_json_object(content, "Standard input"), os.curdir)
    try:
        content = read_regular(path, _LONGEST_JOB)
    except OSError as error:
        raise _bad_job(
            f"Cannot read the job file {path}: {error.strerror}.", "Give the path of a job file."
        ) from error
    return parse_job(_json_object(content, path), os.path.dirname(path) or os.curdir)


def parse_job(document: dict[str, Any], folder: str) -> Job:
    """Return the job that ``document`` asks for.

    Args:
        document: ``{"protocol": 1, "job": "<kind>", ...fields}``.
        folder: where relative paths start: the job file's folder, or the
            current one for a command.

    Raises:
        HyperKDError: ``bad_job`` with the offending key and value.
    """
    fields = dict(document)
    protocol = fields.pop("protocol", None)
    if type(protocol) is not int or protocol != PROTOCOL:
        raise _bad_job(
            f"The job's 'protocol' is {_shown(protocol)}, but this engine speaks {PROTOCOL}.",
            f'Write "protocol": {PROTOCOL}, or use the engine that came with the caller.',
            key="protocol",
        )
    job = _job_class(fields.pop("job", None))
    known = {field.name: field for field in job_fields(job)}
    for key, value in fields.items():
        if key not in known:
            raise _bad_job(
                f"The job {job.kind!r} has no field {key!r} (its value is {_shown(value)}).",
                _suggestion(key, known),
                key=key,
            )
    values = {
        name: _checked(field, fields[name], folder)
        for name, field in known.items()
        if name in fields
    }
    return job(**values)


def parse_options(group: type[_Options], values: Mapping[str, Any]) -> _Options:
    """Return a group of shared options, checked like the fields of a job.

    Raises:
        HyperKDError: ``bad_job`` with the offending key and value.
    """
    known = {field.name: field for field in job_fields(group)}
    unknown = [key for key in values if key not in known]
    if unknown:
        raise _bad_job(
            f"There is no option {unknown[0]!r} here.",
            _suggestion(unknown[0], known),
            key=unknown[0],
        )
    return group(**{key: _checked(known[key], value, os.curdir) for key, value in values.items()})


def _json_object(content: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise _bad_job(
            f"{name} is not UTF-8 text: byte {error.start} is wrong.", "Save it as UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:
        raise _bad_job(f"{name} is not JSON: {error}.", f"Correct the file. {_FLAT}") from error
    if not isinstance(document, dict):
        raise _bad_job(f"{name} holds {_shown(document)}.", "A job is one JSON object.")
    return document


def _job_class(kind: Any) -> type[Job]:
    if isinstance(kind, str) and kind in JOBS:
        return JOBS[kind]
    raise _bad_job(f"There is no job {_shown(kind)}.", _suggestion(str(kind), JOBS), key="job")


def _suggestion(word: str, known: dict[str, Any]) -> str:
    nearest = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {nearest[0]!r}?" if nearest else f"Known are: {', '.join(known)}."


def _checked(field: JobField, value: Any, folder: str) -> Any:
    if value is None and field.optional:
        return None
    if not field.repeated:
        return _checked_item(field, value, folder)
    if not isinstance(value, (list, tuple)):
        _refuse(field, value, "must be a list")
    if field.required and not value:
        _refuse(field, value, "must hold at least one value")
    return tuple(_checked_item(field, item, folder) for item in value)


def _checked_item(field: JobField, value: Any, folder: str) -> Any:
    # JSON has one kind of number: 3.0 is a whole number, and 3 is a number; true is neither.
    if field.type is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    elif field.type is float and type(value) is int:
        value = float(value) if abs(value) < 2**1000 else math.inf
    if type(value) is not field.type:
        _refuse(field, value, f"must be {_TYPE_NAMES[field.type]}")
    if field.choices is not None and value not in field.choices:
        nearest = difflib.get_close_matches(str(value), field.choices, n=1)
        _refuse(
            field,
            value,
            f"must be one of {', '.join(field.choices)}",
            f"Did you mean {nearest[0]!r}?" if nearest else "",
        )
    if isinstance(value, str):
        return _checked_string(field, value, folder)
    _check_bounds(field, value)
    return value


def _check_bounds(field: JobField, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        _refuse(field, value, "must be a finite number")
    if field.minimum is not None and value < field.minimum:
        _refuse(field, value, f"must be at least {field.minimum:.15g}")
    if field.maximum is not None and value > field.maximum:
        _refuse(field, value, f"must be at most {field.maximum:.15g}")


def _checked_string(field: JobField, value: str, folder: str) -> str:
    if not value:
        _refuse(field, value, "must not be empty")
    if field.role is None:
        _refuse_unwritable(field, value)
        return value
    try:
        named = os.fsencode(value)
    except UnicodeEncodeError:
        _refuse(field, value, "is not a file name on this machine")
    if b"\0" in named:
        _refuse(field, value, "must not contain a null character")
    if field.role in OUTPUT_ROLES:  # a model or a report keeps its name
        _refuse_unwritable(field, value)
    return _absolute(field, value, folder)


def _refuse_unwritable(field: JobField, value: str) -> None:
    """Refuse a text that would end up in a file and cannot be written to one."""
    if any("\ud800" <= each <= "\udfff" for each in value):
        _refuse(field, value, "must be text that UTF-8 can hold")
    if "\0" in value:
        _refuse(field, value, "must not contain a null character")


def _absolute(field: JobField, value: str, folder: str) -> str:
    """Return the path from the root; a name (model, sensor, GDAL data set) stays as it is."""
    joined = os.path.join(os.path.abspath(folder), value)
    suffixes = _NAMED_ROLES.get(field.role or "", ())
    is_name = os.path.basename(value) == value and not any(each in value for each in suffixes)
    if suffixes and is_name:
        return value
    if field.role in INPUT_ROLES and _GDAL_NAME.match(value) and not os.path.exists(joined):
        return value
    return joined


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _bad_job(f"The job names {key!r} twice.", "Keep one of the two.", key=key)
        result[key] = value
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise _bad_job(f"The job holds {name}, which is not JSON.", "Give a finite number.")


def _refuse(field: JobField, value: Any, requirement: str, hint: str = "") -> NoReturn:
    raise _bad_job(
        f"{field.name!r} {requirement}, but is {_shown(value)}.",
        hint or f"Its meaning: {field.help}",
        key=field.name,
    )


def _bad_job(message: str, hint: str, **context: Any) -> HyperKDError:
    return HyperKDError("bad_job", message, hint, **context)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 80 else f"{text[:77]}..."
