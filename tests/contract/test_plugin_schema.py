"""Plugin and engine share no code, so this holds their two descriptions of a job together."""

from __future__ import annotations

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

qgis_core = pytest.importorskip("qgis.core", reason="this interpreter has no QGIS")

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "engine/hyperkd/jobs/schema.json").read_text(encoding="utf-8"))
# Jobs that are algorithms: the id of each, which nobody may change, and its class.
ALGORITHMS = {
    "align": ("aligntohls", "align_to_hls.AlignToHlsAlgorithm"),
    "embed": ("embed", "embed.EmbedAlgorithm"),
    "import": ("importproduct", "import_product.ImportProductAlgorithm"),
    "inspect": ("inspect", "inspect_raster.InspectAlgorithm"),
    "reconstruct": ("reconstruct", "reconstruct.ReconstructAlgorithm"),
}


def job_fields(kind: str) -> dict[str, dict[str, Any]]:
    """Return the schema's fields of a job, without the two that say which job it is."""
    properties = SCHEMA["$defs"][f"job.{kind}"]["properties"]
    return {name: field for name, field in properties.items() if name not in ("protocol", "job")}


@cache
def algorithm(kind: str) -> Any:
    """Return the algorithm with its parameters declared; it owns them, so it is kept."""
    module, _, class_name = ALGORITHMS[kind][1].partition(".")
    made = getattr(importlib.import_module(f"hyperkd_qgis.algorithms.{module}"), class_name)()
    made.initAlgorithm({})
    return made


def parameters(kind: str) -> dict[str, Any]:
    return {each.name(): each for each in algorithm(kind).parameterDefinitions()}


@pytest.fixture(params=sorted(ALGORITHMS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(
    params=[(kind, name) for kind in sorted(ALGORITHMS) for name in job_fields(kind)],
    ids="-".join,
)
def pair(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any], bool]:
    """Return a parameter, the schema's field of its name, and whether a job needs it."""
    kind, name = request.param
    required = name in SCHEMA["$defs"][f"job.{kind}"]["required"]
    return parameters(kind)[name.upper()], job_fields(kind)[name], required


def is_optional(parameter: Any) -> bool:
    return bool(parameter.flags() & qgis_core.QgsProcessingParameterDefinition.Flag.FlagOptional)


def test_an_algorithm_has_the_parameters_of_its_job_and_no_others(kind: str) -> None:
    assert sorted(parameters(kind)) == sorted(name.upper() for name in job_fields(kind))


def test_an_algorithm_runs_its_job_under_its_own_name(kind: str) -> None:
    assert algorithm(kind).KIND == kind
    assert algorithm(kind).name() == ALGORITHMS[kind][0]


def test_the_provider_offers_exactly_these() -> None:
    from hyperkd_qgis.provider import ALGORITHMS as offered

    assert sorted(each.KIND for each in offered) == sorted(ALGORITHMS)


def test_defaults_agree(pair: Any) -> None:
    parameter, field, _ = pair
    assert parameter.defaultValue() == field.get("default")


def test_what_a_job_needs_must_be_given_and_nothing_else(pair: Any) -> None:
    parameter, field, required = pair
    must_be_given = not is_optional(parameter) and parameter.defaultValue() is None
    assert must_be_given == required
    if "null" in field["type"]:
        assert is_optional(parameter)


def test_bounds_agree(pair: Any) -> None:
    parameter, field, _ = pair
    if not isinstance(parameter, qgis_core.QgsProcessingParameterNumber):
        assert "minimum" not in field
        assert "maximum" not in field
        return
    # QGIS has no number without bounds; its own are the widest there are.
    free = qgis_core.QgsProcessingParameterNumber("N", type=parameter.dataType())
    assert parameter.minimum() == field.get("minimum", free.minimum())
    assert parameter.maximum() == field.get("maximum", free.maximum())


def test_choices_agree(pair: Any) -> None:
    parameter, field, _ = pair
    choices = list(getattr(parameter, "options", list)())
    assert choices == field.get("items", field).get("enum", [])
    if choices:
        assert parameter.usesStaticStrings()
        assert parameter.allowMultiple() == (field["type"] == "array")


def test_paths_are_what_the_job_says(pair: Any) -> None:
    parameter, field, _ = pair
    expected = {
        "input_raster": "raster",
        "product": "file",
        "model": "file",
        "band_table": "file",
        "output_raster": "rasterDestination",
        "output_file": "fileDestination",
    }
    assert parameter.type() == expected.get(field.get("x-role"), parameter.type())
    assert ("x-role" in field) == (parameter.type() in expected.values())


def test_whole_numbers_are_whole(pair: Any) -> None:
    parameter, field, _ = pair
    number = qgis_core.QgsProcessingParameterNumber
    types = {number.Type.Integer: "integer", number.Type.Double: "number"}
    if isinstance(parameter, number):
        assert types[parameter.dataType()] in field["type"]
    else:
        assert "string" in field.get("items", field)["type"]


def test_the_protocol_is_the_same() -> None:
    from hyperkd_qgis.runner.protocol import PROTOCOL

    assert SCHEMA["$defs"]["event.hello"]["properties"]["protocol"] == {"const": PROTOCOL}


def test_the_plugin_reads_the_events_by_the_names_of_the_schema() -> None:
    """Every event and key that the runner looks at is one that the engine writes."""
    read = {
        "hello": {"protocol", "version"},
        "stage": {"name"},
        "progress": {"done", "total"},
        "metric": {"step", "values"},
        "log": {"level", "message"},
        "error": {"code", "message", "hint"},
        "done": {"summary"},
    }
    for event, keys in read.items():
        assert keys <= set(SCHEMA["$defs"][f"event.{event}"]["required"])
