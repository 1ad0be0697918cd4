"""An option is declared once: nowhere else in the engine stands its default or its help."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import job_fields

ENGINE = Path(__file__).resolve().parents[2] / "engine" / "hyperkd"
REQUESTS = ENGINE / "requests"
OPTIONS = {field.name for job in JOBS.values() for field in job_fields(job)}

# Names of options that mean something else in the rest of the engine, whatever the module.
ANOTHER_MEANING = {
    "report": "the reporter of a job; as an option a folder",
    "bands": "numbers of bands, or their wavelengths; as an option a sensor or a table",
    "classes": "names and colours of classes; as an option how many clusters",
    "colours": "of a legend; as an option texts like 3=#ff0000",
    "name": "of anything",
    "path": "of anything",
    "physics": "that network or what it gives, None or 0 without; as an option its name",
    "width": "of a line; as an option that of a scene",
    "dtype": "of an array; as an option that of a raster to write",
    "unit": "what a file says of a band; None or empty where it says nothing",
    "scale": "what a file says of a band, or is believed to say; None where nothing is said",
    "nodata": "likewise; in a card, how invalid pixels are treated",
}
# Parameters and fields with the name of an option and another meaning.
ALLOWED = {
    ("handles", "open", "accept"): "nothing, as in every job",
    ("models.card", "ModelCard", "teacher"): "a card without it is that of an untaught student",
    ("models.nets.heads", "HeadConfig", "components"): "a size of the network, as in its file",
    ("models.prithvi_versions", "PrithviConfig", "patch"): "a size of a published network",
    ("models.prithvi_versions", "PrithviConfig", "tile"): "a size of a published network",
    ("models.store.model_store", "Record", "revision"): "the commit of a file that was fetched",
    ("raster.bands.sampling", "Sample", "unreadable"): "how many blocks could not be read",
    ("evaluation.reports.accuracy_report", "report_contents", "split"): "the parts, not their name",
    ("inference.backends.devices", "open_session", "device"): "one that computes, never auto",
    ("inference.backends.onnxruntime_backend", "open_session", "device"): "likewise",
    ("inference.backends.onnxruntime_backend", "self_test", "device"): "likewise",
    ("inference.backends.onnxruntime_backend", "__init__", "device"): "likewise",
    ("inference.backends.onnxruntime_quantiser", "to_int8", "tiles"): "the pixels themselves",
    ("inference.tiling.block_reader", "__init__", "unreadable"): "where failures are counted",
    ("inference.tiling.pipeline", "TiledRun", "unreadable"): "likewise",
    ("training.finetune.fit", "fit", "preview"): "what draws the map, not its path",
    ("training.finetune.head.fit_head", "__init__", "preview"): "likewise",
    ("training.common.parallel", "Group", "rank"): "the number of a process",
    ("training.common.parallel", "Group", "device"): "of a process that trains alone",
}


class Default(NamedTuple):
    """A default of a parameter or of a dataclass's field."""

    module: str
    owner: str
    name: str


def defaults_of(source: str, module: str) -> Iterator[Default]:
    """Yield every parameter and dataclass field of a module that has a default."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            arguments = node.args
            positional = [*arguments.posonlyargs, *arguments.args]
            first = len(positional) - len(arguments.defaults)
            given = [argument.arg for argument in positional[first:]]
            named = zip(arguments.kwonlyargs, arguments.kw_defaults)
            given += [argument.arg for argument, default in named if default is not None]
            for name in given:
                yield Default(module, getattr(node, "name", "lambda"), name)
        elif isinstance(node, ast.ClassDef):
            for item in node.body:
                if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
                    continue
                constant = ast.unparse(item.annotation).startswith(("ClassVar", "Final"))
                if item.value is not None and not constant:
                    yield Default(module, node.name, item.target.id)


def repeated(source: str, module: str) -> list[Default]:
    """Return the defaults of a module that bear the name of an option and its meaning."""
    return [
        each
        for each in defaults_of(source, module)
        if each.name in OPTIONS and each.name not in ANOTHER_MEANING and each not in ALLOWED
    ]


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted(ENGINE.rglob("*.py")):
        if REQUESTS not in path.parents:
            parts = path.relative_to(ENGINE).with_suffix("").parts
            name = ".".join(part for part in parts if part != "__init__")
            yield name, path.read_text(encoding="utf-8")


def test_no_default_of_an_option_is_written_beside_it() -> None:
    wrong = [
        f"{each.module}: {each.owner} gives {each.name} a default"
        for name, source in modules()
        for each in repeated(source, name)
    ]
    assert wrong == []


def test_every_exception_is_needed() -> None:
    found = [each for name, source in modules() for each in defaults_of(source, name)]
    assert [each for each in ALLOWED if each not in found] == []
    assert ANOTHER_MEANING.keys() <= {each.name for each in found} & OPTIONS


@pytest.mark.parametrize(
    "source",
    [
        "def fit(labels, seed=0): ...",
        "def fit(*, epochs: int = 30): ...",
        "fit = lambda batch=None: batch",
        "class Fit:\n    def go(self, patience=0): ...",
        "@dataclass\nclass FitSettings:\n    seed: int = 0",
        "@dataclass\nclass FitSettings:\n    mask: tuple = field(default_factory=tuple)",
    ],
)
def test_a_default_is_found_wherever_it_stands(source: str) -> None:
    assert len(repeated(source, "training.fit")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def fit(labels, seed, *, epochs): ...",
        "def fit(steps=3, *, report=None): ...",
        "@dataclass\nclass FitSettings:\n    seed: int\n    steps: int = 3",
        "class Fit:\n    device: ClassVar[str] = 'cpu'",
    ],
)
def test_what_is_no_default_of_an_option_is_left_alone(source: str) -> None:
    assert repeated(source, "training.fit") == []


def declarations() -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of ``option`` in requests/, with the name of its field or function."""
    for path in sorted(REQUESTS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                name = node.name.removesuffix("_option").removeprefix("_")
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name = node.target.id
            else:
                continue
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "option":
                    yield name, call


# Names that several options have, because each job means something of its own by them.
OF_EACH_JOB = {
    "input": "what the rasters are for",
    "output": "what is written",
    "model": "a student, a fine-tuned model, or one to make smaller",
    "name": "of a model to add, to fetch or to test",
    "labels": "to train on or to test with; in quantize they may be left out",
    "mask": "quality layers to leave out, which distill has a default for; the mask of anomalies",
    "teacher": "distill learns from it; finetune only keeps the tokens near to it",
    "epochs": "of distill they follow from the preset; finetune stops by itself",
    "validation": "a fraction of the scenes in distill, of the labels in finetune",
    "batch": "tiles per step of a training, or tiles computed at once",
    "uncertainty": "of each class or value, or of the largest fraction alone",
    "resume": "goes on with a training, or with a map",
    "method": "how a model is made smaller; which detector looks for a target",
}


def test_an_option_that_jobs_share_is_declared_once() -> None:
    names = Counter(name for name, _ in declarations())
    assert {name for name, count in names.items() if count > 1} == set(OF_EACH_JOB)
    helps = Counter(ast.unparse(call.args[0]) for _, call in declarations())
    copies = {name for name, call in declarations() if helps[ast.unparse(call.args[0])] > 1}
    assert copies == set()
    assert len(helps) > 100


def test_sentences_name_options_as_python_and_job_files_do() -> None:
    """A flag in a hint is wrong for a reader who wrote a job file, Python or used QGIS."""
    flags = re.compile("|".join(rf"--{name.replace('_', '-')}\\b" for name in sorted(OPTIONS)))
    wrong = []
    for name, source in modules():
        if name == "cli":
            continue
        tree = ast.parse(source)
        described = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and isinstance(node.body[0], ast.Expr)
        }
        wrong += [
            f"{name}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in described
            and flags.search(node.value)
        ]
    assert wrong == []


def test_a_list_of_choices_is_written_once() -> None:
    def choices(call: ast.Call) -> str:
        found = [each.value for each in call.keywords if each.arg == "choices"]
        literal = bool(found) and isinstance(found[0], ast.Tuple)
        return ast.unparse(found[0]) if literal else ""

    lists = Counter(text for _, call in declarations() if (text := choices(call)))
    copies = {name for name, call in declarations() if lists[choices(call)] > 1}
    assert copies == set()
    assert len(lists) > 10
