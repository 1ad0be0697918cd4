"""``schema.json``: the jobs and events of the protocol as JSON Schema, made from ``requests/``.

``python -m hyperkd.jobs.schema`` writes it; ``--check`` only compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hyperkd.problems import NOTE, PROBLEMS, SEVERE, WARNING
from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import PROTOCOL, Job, JobField, job_fields

PATH: Final = Path(__file__).with_name("schema.json")

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}
_STRING: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_INTEGER: Final = {"type": "integer"}
_OBJECT: Final = {"type": "object"}

EVENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "hello": {
        "protocol": {"const": PROTOCOL},
        "version": _STRING,
        "pid": _INTEGER,
        "device": {"type": ["string", "null"]},
    },
    "stage": {"name": _STRING},
    "progress": {
        "done": _NUMBER,
        "total": {"type": "number", "exclusiveMinimum": 0},
        "unit": _STRING,
    },
    "metric": {
        "step": _INTEGER,
        "values": {"type": "object", "additionalProperties": {"type": ["number", "null"]}},
    },
    "log": {"level": {"enum": ["info", "warning"]}, "message": _STRING},
    "artifact": {"role": _STRING, "path": _STRING},
    "claim": {"path": _STRING, "files": {"type": "array", "items": _STRING}, "lock": _STRING},
    "error": {"code": _STRING, "message": _STRING, "hint": _STRING, "context": _OBJECT},
    "done": {"summary": _OBJECT},
}
# Keys that not every event of a kind has: a problem with a raster is a log event with these.
OPTIONAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "log": {
        "code": {"enum": list(PROBLEMS)},
        "severity": {"enum": [NOTE, WARNING, SEVERE]},
        "hint": _STRING,
        "scene": _STRING,
    },
}


def build_schema() -> dict[str, Any]:
    """Return the schema: a job file is one of ``job.<kind>``, an event one of ``event.<name>``."""
    definitions = {f"job.{kind}": _job_schema(job) for kind, job in JOBS.items()}
    definitions.update({f"event.{name}": _event_schema(name) for name in EVENTS})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A HyperKD job, protocol {PROTOCOL}",
        "oneOf": [{"$ref": f"#/$defs/job.{kind}"} for kind in JOBS],
        "$defs": definitions,
    }


def _job_schema(job: type[Job]) -> dict[str, Any]:
    fields = job_fields(job)
    schema: dict[str, Any] = {
        "title": job.kind,
        "description": job.summary,
        "type": "object",
        "properties": {
            "protocol": {"const": PROTOCOL},
            "job": {"const": job.kind},
            **{field.name: _field_schema(field) for field in fields},
        },
        "required": ["protocol", "job", *(field.name for field in fields if field.required)],
        "additionalProperties": False,
    }
    if job.needs_one_of:
        schema["anyOf"] = [
            {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
            for name in job.needs_one_of
        ]
    return schema


def _field_schema(field: JobField) -> dict[str, Any]:
    item: dict[str, Any] = {"type": _TYPES[field.type]}
    if field.type is str:
        item["minLength"] = 1
    if field.minimum is not None:
        item["minimum"] = field.minimum
    if field.maximum is not None:
        item["maximum"] = field.maximum
    if field.choices is not None:
        nothing = [None] if field.optional and not field.repeated else []
        item["enum"] = [*field.choices, *nothing]
    schema: dict[str, Any] = {"type": "array", "items": item} if field.repeated else item
    if field.repeated and field.required:
        schema["minItems"] = 1
    if field.optional:
        schema["type"] = [schema["type"], "null"]
    schema["description"] = field.help
    if not field.required:
        schema["default"] = field.default
    if field.role is not None:
        schema["x-role"] = field.role
    return schema


def _event_schema(name: str) -> dict[str, Any]:
    values = EVENTS[name]
    return {
        "type": "object",
        "properties": {"event": {"const": name}, **values, **OPTIONAL.get(name, {})},
        "required": ["event", *values],
    }


def main(arguments: Sequence[str]) -> int:
    """Write ``schema.json``, or with ``--check`` return 1 where it is out of date."""
    content = json.dumps(build_schema(), indent=2) + "\n"
    if "--check" not in arguments:
        PATH.write_text(content, encoding="utf-8", newline="\n")
    elif PATH.read_text(encoding="utf-8") != content:
        sys.stderr.write(f"{PATH.name} is out of date: run python -m hyperkd.jobs.schema\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
