"""``schema.json`` is what the jobs say, and the engine does what the schema says."""

from __future__ import annotations

import io
import json
import re
import threading
from typing import Any

import pytest

from hyperkd.errors import HyperKDError
from hyperkd.jobs import schema
from hyperkd.jobs.events import JsonReporter
from hyperkd.jobs.validate import parse_job
from hyperkd.problems import Problem
from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import INPUT_ROLES, OUTPUT_ROLES

SCHEMA = json.loads(schema.PATH.read_text(encoding="utf-8"))
DEFINITIONS = SCHEMA["$defs"]


def test_the_file_is_current() -> None:
    assert schema.main(["--check"]) == 0


def test_an_outdated_file_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(JOBS, "synth")
    assert schema.main(["--check"]) == 1
    assert capsys.readouterr().err == (
        "schema.json is out of date: run python -m hyperkd.jobs.schema\n"
    )


def test_every_job_has_its_definition() -> None:
    assert [reference["$ref"] for reference in SCHEMA["oneOf"]] == [
        f"#/$defs/job.{kind}" for kind in JOBS
    ]
    for kind in JOBS:
        definition = DEFINITIONS[f"job.{kind}"]
        assert definition["additionalProperties"] is False
        assert definition["properties"]["job"] == {"const": kind}


def test_the_definition_of_a_job() -> None:
    definition = DEFINITIONS["job.reconstruct"]
    assert definition["required"] == ["protocol", "job", "input"]
    assert definition["anyOf"] == [
        {"required": ["output"], "properties": {"output": {"not": {"type": "null"}}}},
        {"required": ["error"], "properties": {"error": {"not": {"type": "null"}}}},
    ]
    properties = definition["properties"]
    assert properties["protocol"] == {"const": 1}
    assert properties["device"] == {
        "type": "string",
        "minLength": 1,
        "enum": ["auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"],
        "description": properties["device"]["description"],
        "default": "auto",
    }
    assert properties["overlap"] == {
        "type": ["integer", "null"],
        "minimum": 0,
        "description": properties["overlap"]["description"],
        "default": None,
    }
    assert properties["output"]["x-role"] == "output_raster"


def _properties() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (kind, name, value)
        for kind in JOBS
        for name, value in DEFINITIONS[f"job.{kind}"]["properties"].items()
        if name not in ("protocol", "job")
    ]


@pytest.mark.parametrize(("kind", "name", "value"), _properties())
def test_every_field_is_described(kind: str, name: str, value: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert value["description"].endswith(".")
    assert value.get("x-role") in (None, *INPUT_ROLES, *OUTPUT_ROLES)
    assert ("default" in value) != (name in DEFINITIONS[f"job.{kind}"]["required"])


def minimal(kind: str) -> dict[str, Any]:
    """Return the smallest job of a kind: every required field, and one of those it needs."""
    needed = [*DEFINITIONS[f"job.{kind}"]["required"], *JOBS[kind].needs_one_of[:1]]
    values = {name: DEFINITIONS[f"job.{kind}"]["properties"][name] for name in needed}
    given = {
        name: [f"/{name}"] if value.get("type") == "array" else value.get("enum", [f"/{name}"])[0]
        for name, value in values.items()
    }
    return given | {"protocol": 1, "job": kind}


@pytest.mark.parametrize(("kind", "name", "value"), _properties())
def test_the_engine_takes_the_bounds_and_refuses_what_lies_beyond(
    kind: str, name: str, value: dict[str, Any]
) -> None:
    def takes(given: Any) -> bool:
        try:
            parse_job({**minimal(kind), name: given}, "/")
        except HyperKDError as error:
            assert (error.code, error.context) == ("bad_job", {"key": name})
            return False
        return True

    types = value["type"] if isinstance(value["type"], list) else [value["type"]]
    if name not in JOBS[kind].needs_one_of:
        assert takes(None) == ("null" in types)
        assert "default" not in value or takes(value["default"])
    assert takes([]) == ("array" in types and "minItems" not in value)
    assert takes({}) is False

    def takes_item(given: Any) -> bool:
        return takes([given] if "array" in types else given)

    item = value.get("items", value)
    for bound, step in (("minimum", -1), ("maximum", 1)):
        if bound in item:
            assert takes_item(item[bound])
            assert not takes_item(item[bound] + step)
    for choice in item.get("enum", ()):
        assert takes_item(choice)
    assert takes_item("text") == ("string" in item["type"] and "enum" not in item)
    assert takes_item("") is False
    assert takes_item(True) == ("boolean" in item["type"])


_PYTHON: dict[str, Any] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "object": dict,
    "array": list,
    "null": type(None),
}


def _follows(event: dict[str, Any]) -> None:
    """Check an event against its definition, without a validator of JSON Schema."""
    definition = DEFINITIONS[f"event.{event['event']}"]
    assert set(event) in (set(definition["required"]), set(definition["properties"]))
    for name, value in event.items():
        rule = definition["properties"][name]
        if "const" in rule:
            assert value == rule["const"]
        elif "enum" in rule:
            assert value in rule["enum"]
        else:
            types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
            assert any(isinstance(value, _PYTHON[given]) for given in types)


def test_every_event_is_as_the_schema_says() -> None:
    stream = io.StringIO()
    reporter = JsonReporter(stream, threading.Event())
    reporter.hello(None)
    reporter.hello("auto")
    reporter.stage("Reading")
    reporter.progress(0.5, 4, "tiles")
    reporter.metric(3, {"loss": float("nan")})
    reporter.log("info", "")
    reporter.problem(Problem("raw_counts", "Counts."), "a.tif")
    reporter.artifact("output", "a")
    reporter.claim("a.part", ["a.part", "a.part.aux.xml"], "/tmp/hyperkd-1000/0.lock")
    reporter.error("bad_job", "", "", {})
    reporter.done({})
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    for event in events:
        _follows(event)
    assert {f"event.{event['event']}" for event in events} == {
        name for name in DEFINITIONS if name.startswith("event.")
    }
