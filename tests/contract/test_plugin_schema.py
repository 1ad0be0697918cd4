"""Plugin and engine share no code, so this holds their two descriptions of a job together."""

from __future__ import annotations

import ast
import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.contract.altered_schema import altered

qgis_core = pytest.importorskip("qgis.core", reason="this interpreter has no QGIS")

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "engine/hyperkd/jobs/schema.json").read_text(encoding="utf-8"))
# The algorithms that run a job: the id of each, which nobody may change, its job, its class.
ALGORITHMS = {
    "aligntohls": ("align", "align_to_hls.AlignToHlsAlgorithm"),
    "anomaly": ("anomaly", "anomaly.AnomalyAlgorithm"),
    "classify": ("predict", "classify.ClassifyAlgorithm"),
    "cluster": ("cluster", "cluster.ClusterAlgorithm"),
    "detect": ("detect", "detect.DetectAlgorithm"),
    "distill": ("distill", "distill.DistillAlgorithm"),
    "embed": ("embed", "embed.EmbedAlgorithm"),
    "evaluate": ("evaluate", "evaluate.EvaluateAlgorithm"),
    "export": ("export", "export_model.ExportAlgorithm"),
    "firstlook": ("firstlook", "first_look.FirstLookAlgorithm"),
    "finetune": ("finetune", "finetune.FinetuneAlgorithm"),
    "importproduct": ("import", "import_product.ImportProductAlgorithm"),
    "inspect": ("inspect", "inspect_raster.InspectAlgorithm"),
    "quantize": ("quantize", "quantize.QuantizeAlgorithm"),
    "reconstruct": ("reconstruct", "reconstruct.ReconstructAlgorithm"),
    "regress": ("predict", "regress.RegressAlgorithm"),
    "restore": ("restore", "restore.RestoreAlgorithm"),
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
    return new_algorithm(name)


def new_algorithm(name: str) -> Any:
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


# What QGIS asks for otherwise than the command line, and so in other words: features of layers.
IN_OTHER_WORDS = {"LABELS", "FIELD", "LABEL_RASTERS", "PLACES", "TARGET_PIXELS", "TRAINING_LABELS"}


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_an_algorithm_follows_the_schema(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No default, bound, choice or sentence of an option is written a second time."""
    from hyperkd_qgis.algorithms import declare

    jobs = altered(SCHEMA)
    monkeypatch.setattr(declare, "_jobs", lambda: jobs)
    made = new_algorithm(name)
    fields = jobs[ALGORITHMS[name][0]]["properties"]
    free = qgis_core.QgsProcessingParameterNumber("N")
    for parameter in made.parameterDefinitions():
        if parameter.name() in IN_OTHER_WORDS:
            continue
        field = fields[parameter.name().lower()]
        assert parameter.help() == field["description"]
        if field["type"] != "array":
            assert parameter.defaultValue() == field.get("default"), parameter.name()
        if hasattr(parameter, "options"):
            assert list(parameter.options()) == field.get("items", field)["enum"]
        if isinstance(parameter, qgis_core.QgsProcessingParameterNumber):
            assert parameter.minimum() == field.get("minimum", parameter.minimum())
            assert parameter.maximum() == field.get("maximum", parameter.maximum())
            assert ("maximum" in field) == (parameter.maximum() != free.maximum())


def written_values(path: Path) -> list[str]:
    """Return where a file of the plugin writes down what an option is unless it is changed."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        constants = [each.value for each in node.args if isinstance(each, ast.Constant)]
        named = {each.arg: each.value for each in node.keywords if each.arg}
        wrong = any(
            isinstance(named.get(key), (ast.Constant, ast.List)) and key in BY_SCHEMA
            for key in named
        )
        # A box that is ticked, a number or a choice that is set; 0 is where a bar begins.
        wrong |= called in SET_TO and any(value not in (0, "", False) for value in constants)
        wrong |= called == "setCurrentIndex" and any(value != 0 for value in constants)
        wrong |= called == "addItem" and any(value in CHOICES for value in constants)
        if wrong:
            found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    return found


BY_SCHEMA = {"defaultValue", "minValue", "maxValue", "options", "defaultValues"}
SET_TO = {"setChecked", "setValue", "setRange", "setMinimum", "setMaximum", "setCurrentText"}
CHOICES = {
    choice
    for name, job in SCHEMA["$defs"].items()
    if name.startswith("job.")
    for field in job["properties"].values()
    for choice in field.get("items", field).get("enum", ())
}
# The engine's set-up has options of its own: it is the plugin that makes the environment.
OF_THE_SETUP = {"setup_engine.py", "setup_panel.py"}


def test_no_window_writes_a_default_down() -> None:
    """Spin boxes, combo boxes and ticks get theirs from the schema."""
    paths = sorted((ROOT / "hyperkd_qgis").rglob("*.py"))
    found = [
        each for path in paths if path.name not in OF_THE_SETUP for each in written_values(path)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "QgsProcessingParameterNumber(N, '', defaultValue=8)",
        "QgsProcessingParameterEnum(N, '', options=['cloud', 'haze'])",
        "self.refit.setChecked(True)",
        "self.epochs.setValue(100)",
        "self.epochs.setRange(0, 100000)",
        "self.device.setCurrentText('auto')",
        "self.device.setCurrentIndex(2)",
        "self.task.addItem(tr('A class'), 'classification')",
    ],
)
def test_a_default_that_is_written_down_is_found(
    line: str, tmp_path: Path, monkeypatch: Any
) -> None:
    path = tmp_path / "some.py"
    path.write_text(line)
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    assert len(written_values(path)) == 1


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
