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
# The algorithms that run a job: the id of each, which nobody may change, its job, its class.
ALGORITHMS = {
    "aligntohls": ("align", "align_to_hls.AlignToHlsAlgorithm"),
    "anomaly": ("anomaly", "anomaly.AnomalyAlgorithm"),
    "classify": ("predict", "classify.ClassifyAlgorithm"),
    "cluster": ("cluster", "cluster.ClusterAlgorithm"),
    "distill": ("distill", "distill.DistillAlgorithm"),
    "embed": ("embed", "embed.EmbedAlgorithm"),
    "evaluate": ("evaluate", "evaluate.EvaluateAlgorithm"),
    "export": ("export", "export_model.ExportAlgorithm"),
    "finetune": ("finetune", "finetune.FinetuneAlgorithm"),
    "importproduct": ("import", "import_product.ImportProductAlgorithm"),
    "inspect": ("inspect", "inspect_raster.InspectAlgorithm"),
    "quantize": ("quantize", "quantize.QuantizeAlgorithm"),
    "reconstruct": ("reconstruct", "reconstruct.ReconstructAlgorithm"),
    "regress": ("predict", "regress.RegressAlgorithm"),
    "similarity": ("similarity", "similarity.SimilarityAlgorithm"),
}
# Those that need no engine.
WITHOUT_JOB = {"modelinfo", "setupengine"}


def job_fields(kind: str) -> dict[str, dict[str, Any]]:
    """Return the schema's fields of a job, without the two that say which job it is."""
    properties = SCHEMA["$defs"][f"job.{kind}"]["properties"]
    return {name: field for name, field in properties.items() if name not in ("protocol", "job")}


@cache
def algorithm(name: str) -> Any:
    """Return the algorithm with its parameters declared; it owns them, so it is kept."""
    module, _, class_name = ALGORITHMS[name][1].partition(".")
    made = getattr(importlib.import_module(f"hyperkd_qgis.algorithms.{module}"), class_name)()
    made.initAlgorithm({})
    return made


def offered_fields(name: str) -> dict[str, dict[str, Any]]:
    """Return the fields of the job that an algorithm offers: all but those it has no use for."""
    left_out = algorithm(name).LEFT_OUT
    fields = job_fields(ALGORITHMS[name][0])
    assert left_out <= set(fields)
    return {field: value for field, value in fields.items() if field not in left_out}


def parameters(name: str) -> dict[str, Any]:
    return {each.name(): each for each in algorithm(name).parameterDefinitions()}


@pytest.fixture(params=sorted(ALGORITHMS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(
    params=[(name, field) for name in sorted(ALGORITHMS) for field in offered_fields(name)],
    ids="-".join,
)
def pair(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any], bool]:
    """Return a parameter, the schema's field of its name, and whether a job needs it."""
    name, field = request.param
    kind = ALGORITHMS[name][0]
    required = field in SCHEMA["$defs"][f"job.{kind}"]["required"]
    return parameters(name)[field.upper()], job_fields(kind)[field], required


def is_optional(parameter: Any) -> bool:
    return bool(parameter.flags() & qgis_core.QgsProcessingParameterDefinition.Flag.FlagOptional)


def test_an_algorithm_has_the_parameters_of_its_job_and_no_others(name: str) -> None:
    also = algorithm(name).ALSO
    expected = [*(field.upper() for field in offered_fields(name)), *also]
    assert sorted(parameters(name)) == sorted(expected)
    assert set(also.values()) <= set(offered_fields(name))


def test_an_algorithm_runs_its_job_under_its_own_name(name: str) -> None:
    assert (algorithm(name).name(), algorithm(name).KIND) == (name, ALGORITHMS[name][0])


def test_the_provider_offers_exactly_these() -> None:
    from hyperkd_qgis.provider import ALGORITHMS as offered

    names = [each.NAME for each in offered]
    assert len(names) == len(set(names))
    assert set(names) == set(ALGORITHMS) | WITHOUT_JOB


def test_defaults_agree(pair: Any) -> None:
    parameter, field, _ = pair
    default = parameter.defaultValue()
    if field["type"] == "array" and not parameter.type() == "enum":
        # A list is written as text, or chosen; nothing is the empty list.
        items = [word.strip() for word in str(default or "").split(";") if word.strip()]
        assert items == [str(item) for item in field.get("default") or []]
    else:
        assert default == field.get("default")


def test_what_a_job_needs_must_be_given_and_nothing_else(pair: Any) -> None:
    parameter, field, required = pair
    must_be_given = not is_optional(parameter) and parameter.defaultValue() is None
    # Labels may be features or rasters; the algorithm asks for one of them by itself.
    assert must_be_given == (required and parameter.name() != "LABELS")
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
        "checkpoint": "file",
        "teacher": "file",
        "band_table": "file",
        "output_raster": "rasterDestination",
        "output_file": "fileDestination",
        "output_directory": "folderDestination",
    }
    if parameter.type() == "multilayer":
        assert field["type"] == "array"
        assert field["x-role"] in ("input_raster", "input_file")
    elif parameter.type() == "source":
        assert field["x-role"] == "input_file"
    else:
        assert parameter.type() == expected.get(field.get("x-role"), parameter.type())
        assert ("x-role" in field) == (parameter.type() in expected.values())


def test_whole_numbers_are_whole(pair: Any) -> None:
    parameter, field, _ = pair
    number = qgis_core.QgsProcessingParameterNumber
    types = {number.Type.Integer: "integer", number.Type.Double: "number"}
    if isinstance(parameter, number):
        assert types[parameter.dataType()] in field["type"]
    elif isinstance(parameter, qgis_core.QgsProcessingParameterBoolean):
        assert field["type"] == "boolean"
    elif field["type"] != "array":
        assert "string" in field["type"]


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
