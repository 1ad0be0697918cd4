"""The layers of the architecture, checked over every import, nested ones too."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "engine" / "hyperkd"
PLUGIN = ROOT / "hyperkd_qgis"

# The vocabulary: what every layer may use.
BASE = {"errors", "problems", "types", "folders", "requests", "engine_process", "sentences"}
BASE |= {"files", "locks", "scratch", "unfinished", "temporary_names", "output_checks", "atomic"}

# What each package of the engine may import of the engine, and of others; the
# most specific prefix of a module's name decides. Standard library and numpy
# are always allowed.
ENGINE_TABLE: dict[str, tuple[set[str], set[str]]] = {
    "": (BASE, set()),
    "api": (BASE | {"handles", "jobs", "reporting"}, set()),
    "handles": (BASE | {"jobs", "open_scene", "reporting", "models", "inference"}, {"xarray"}),
    "reporting": (BASE | {"jobs"}, set()),
    "open_scene": (BASE | {"raster", "spectral"}, set()),
    "errors": (set(), set()),
    "engine_process": (set(), set()),
    "problems": ({"errors"}, set()),
    "sentences": (set(), set()),
    "types": ({"errors", "problems"}, set()),
    "files": (set(), set()),
    "folders": (set(), set()),
    "locks": ({"errors", "files"}, set()),
    "unfinished": (set(), set()),
    "temporary_names": (set(), set()),
    "scratch": ({"locks", "unfinished"}, set()),
    "output_checks": ({"errors", "files", "temporary_names"}, set()),
    "atomic": (
        {"errors", "files", "locks", "output_checks", "temporary_names", "unfinished"},
        set(),
    ),
    "metrics": ({"errors", "types"}, set()),
    "raster": (BASE | {"raster"}, set()),
    "raster.gdal": (BASE | {"raster"}, {"osgeo"}),
    "spectral": (BASE | {"spectral"}, set()),
    "models": (BASE | {"spectral", "models"}, {"onnx", "google.protobuf", "safetensors"}),
    "models.nets": (BASE | {"models", "models.nets"}, {"torch"}),
    "training": (
        BASE
        | {"metrics", "raster", "spectral", "models", "models.nets", "training"}
        | {"open_scene", "reporting", "inference", "evaluation"},
        {"torch", "onnx", "onnxruntime", "onnxscript", "safetensors", "sklearn"},
    ),
    # What physics teaches is simulated.
    "training.physics": (
        BASE | {"spectral", "models", "models.nets", "inference", "synth", "training"},
        {"torch", "sklearn"},
    ),
    "inference": (BASE | {"raster", "spectral", "open_scene", "models", "inference"}, set()),
    "inference.backends.onnxruntime_backend": (
        BASE | {"models", "inference"},
        {"onnxruntime"},
    ),
    "inference.backends.onnxruntime_quantiser": (
        BASE | {"models", "inference"},
        {"onnx", "onnxruntime"},
    ),
    "evaluation": (
        BASE | {"metrics", "raster", "spectral", "open_scene", "models", "inference", "evaluation"},
        {"sklearn"},
    ),
    "quantisation": (
        BASE
        | {"raster", "spectral", "open_scene", "models", "inference", "evaluation", "quantisation"},
        set(),
    ),
    "synth": (BASE | {"metrics", "raster", "spectral", "synth"}, {"prosail", "scipy"}),
    "requests": (BASE | {"requests"}, set()),
    "jobs": (BASE | {"requests", "jobs"}, set()),
    "cli": (BASE | {"requests", "jobs"}, set()),
    "__main__": ({"cli"}, set()),
}

# Jobs reach the layers only while they are dispatched: `hyperkd --help` and an
# inference job must not load what they do not use.
DISPATCHED = {
    "reporting",
    "raster",
    "spectral",
    "open_scene",
    "models",
    "training",
    "inference",
    "evaluation",
    "quantisation",
    "synth",
}
# These are jobs themselves, loaded by the dispatch, so their own imports are lazy already.
LAZY_MODULES = {"jobs.info", "jobs.models_command", "jobs.model_fetch", "jobs.model_files"}

NEVER_IN_ENGINE = {"qgis", "PyQt5", "PyQt6", "processing", "hyperkd_qgis"}
NEVER_ANYWHERE = {"pickle", "cPickle", "_pickle", "dill", "joblib", "cloudpickle", "marshal"}


@dataclass(frozen=True)
class Import:
    """One import: who, what, and whether it waits until a function is called."""

    module: str
    target: str
    nested: bool
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path: Path, top: Path) -> str:
    parts = path.relative_to(top).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def modules(top: Path) -> list[tuple[str, Path]]:
    return [(module_name(path, top), path) for path in sorted(top.rglob("*.py"))]


def imports_of(source: str, module: str, package: str, *, is_package: bool) -> Iterator[Import]:
    """Yield the imports of one module, with absolute targets.

    ``import_module("a.b")`` and ``__import__("a.b")`` count, and so does, where
    ``import_module`` is used at all, every text that names a module of the engine.
    """
    tree = ast.parse(source)
    nested_nodes = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    dynamic = "import_module" in source
    here = f"{package}.{module}".rstrip(".").split(".")
    for node in ast.walk(tree):
        nested = id(node) in nested_nodes
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = here[: len(here) - node.level + (1 if is_package else 0)]
                base = ".".join([*up, base]).rstrip(".")
            # `from hyperkd import raster` names a module, `from hyperkd.types import
            # Tile` a thing inside one; the longer name covers both.
            targets = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
                targets = [node.args[0].value]
        elif isinstance(node, ast.Constant) and dynamic and isinstance(node.value, str):
            if re.fullmatch(r"hyperkd(\.\w+)+(:\w+)?", node.value):
                targets, nested = [node.value.replace(":", ".")], True
        for target in targets:
            yield Import(module, target, nested, node.lineno)


def engine_imports() -> list[Import]:
    return [
        found
        for module, path in modules(ENGINE)
        for found in imports_of(
            path.read_text(encoding="utf-8"),
            module,
            "hyperkd",
            is_package=path.name == "__init__.py",
        )
    ]


def plugin_imports() -> list[Import]:
    return [
        found
        for module, path in modules(PLUGIN)
        for found in imports_of(
            path.read_text(encoding="utf-8"),
            module,
            "hyperkd_qgis",
            is_package=path.name == "__init__.py",
        )
    ]


def layer(module: str) -> str:
    """Return the key of the table that rules a module: the longest that it begins with."""
    rules = [key for key in ENGINE_TABLE if key and (module + ".").startswith(key + ".")]
    return max(rules, key=len, default="")


def refusal(found: Import) -> str:
    """Return why an import of the engine is not allowed, or an empty string."""
    own, foreign = ENGINE_TABLE[layer(found.module)]
    root = found.target.partition(".")[0]
    if root == "hyperkd":
        rest = found.target.partition(".")[2]
        if not rest or rest.startswith("__"):  # the package itself: its version
            return ""
        wanted = layer(rest)
        if wanted == "":
            # A name of the package (`from hyperkd import __version__`) or an unknown module.
            return "" if not (ENGINE / rest.partition(".")[0]).is_dir() else "no rule for it"
        wanted = "raster" if wanted == "raster.gdal" and "raster" in own else wanted
        # nets are never reached through their parent's permission
        allowed = wanted in own or (wanted.partition(".")[0] in own and wanted != "models.nets")
        if allowed:
            return ""
        lazily = found.nested or found.module in LAZY_MODULES
        if found.module.partition(".")[0] in {"jobs", "cli"} and lazily:
            return "" if wanted.partition(".")[0] in DISPATCHED else f"{wanted} is no job"
        return f"{layer(found.module) or 'hyperkd'} may not import {wanted}"
    if root in sys.stdlib_module_names or root == "numpy":
        return "" if root not in NEVER_ANYWHERE else f"{root} executes what it reads"
    if any(f"{found.target}.".startswith(f"{name}.") for name in foreign):
        return ""
    return f"{layer(found.module) or 'hyperkd'} may not import {root}"


def test_engine_imports_follow_the_table() -> None:
    wrong = [f"{found}: {why}" for found in engine_imports() if (why := refusal(found))]
    assert not wrong, "\n".join(wrong)


def test_every_module_of_the_engine_has_a_rule() -> None:
    strangers = [name for name, _ in modules(ENGINE) if name and layer(name) == ""]
    assert strangers == []


def imported_files(found: Iterable[Import], known: set[str]) -> dict[str, set[str]]:
    """Return the modules that each module imports: deferred and type-only imports count."""
    graph: dict[str, set[str]] = {name: set() for name in known}
    for each in found:
        target = each.target.partition(".")[2] if each.target.startswith("hyperkd.") else ""
        # `from hyperkd.types import Tile` names a thing in a module.
        file = target if target in known else target.rpartition(".")[0]
        if file in known and file != each.module:
            graph[each.module].add(file)
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules that import each other, by way of others too."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            new = graph[ahead.pop()] - seen
            seen |= new
            ahead += new
        return seen

    reach = {name: reached(name) for name in graph}
    groups = {
        frozenset(each for each in reach[name] if name in reach[each])
        for name in graph
        if name in reach[name]
    }
    return [set(group) for group in groups]


def test_no_two_files_import_each_other() -> None:
    known = {name for name, _ in modules(ENGINE) if name}
    found = circles(imported_files(engine_imports(), known))
    assert found == []


def test_a_circle_is_found_wherever_the_imports_stand() -> None:
    sources = {
        "a": "from hyperkd.b import f",
        "b": "def f():\n from hyperkd import c",
        "c": "if TYPE_CHECKING:\n from hyperkd.a import A",
        "d": "import hyperkd.a",
    }
    found = [
        each
        for name, source in sources.items()
        for each in imports_of(source, name, "hyperkd", is_package=False)
    ]
    assert circles(imported_files(found, set(sources))) == [{"a", "b", "c"}]


def test_no_two_modules_share_a_name() -> None:
    names = Counter(
        name.rpartition(".")[2] for name, path in modules(ENGINE) if path.stem != "__main__"
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_two_public_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for _, path in modules(ENGINE)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) > 100


@pytest.mark.parametrize(
    ("module", "source", "why"),
    [
        ("raster.source", "import torch", "raster may not import torch"),
        ("raster.source", "from osgeo import gdal", "raster may not import osgeo"),
        (
            "raster.source",
            "from hyperkd.spectral import sorted_bands",
            "raster may not import spectral",
        ),
        ("spectral.sorted_bands", "from hyperkd import raster", "spectral may not import raster"),
        ("inference.embed", "def f():\n import torch", "inference may not import torch"),
        ("inference.embed", "import onnxruntime", "inference may not import onnxruntime"),
        (
            "inference.embed",
            "def f():\n from hyperkd.models.nets import student",
            "inference may not import models.nets",
        ),
        ("inference.embed", "from hyperkd.training import loop", "may not import training"),
        ("models.card", "from hyperkd.models import nets", "models may not import models.nets"),
        (
            "evaluation.reports.page_parts",
            "from hyperkd.training import loop",
            "may not import training",
        ),
        ("jobs.dispatch", "from hyperkd.inference import embed", "jobs may not import inference"),
        ("cli", "def f():\n import importlib\n importlib.import_module('torch')", "torch"),
        ("types", "import pickle", "pickle executes what it reads"),
        ("models.card", "from qgis.core import Qgis", "models may not import qgis"),
    ],
)
def test_the_table_refuses(module: str, source: str, why: str) -> None:
    found = list(imports_of(source, module, "hyperkd", is_package=False))
    refusals = [refusal(each) for each in found]
    assert any(why in text for text in refusals), refusals


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("jobs.dispatch", "def f():\n from hyperkd.inference import embed"),
        (
            "jobs.dispatch",
            "import importlib\nX = 'hyperkd.inference.embed'\nimportlib.import_module(X)",
        ),
        ("raster.gdal.geotiff", "from osgeo import gdal"),
        ("training.pretrain.train_loop", "from hyperkd.models.nets.student import Student"),
        ("inference.embed", "from hyperkd import __version__"),
        ("raster", "from .source import open_raster"),
    ],
)
def test_the_table_allows(module: str, source: str) -> None:
    found = list(imports_of(source, module, "hyperkd", is_package=module == "raster"))
    assert found
    assert [refusal(each) for each in found] == [""] * len(found)


def test_relative_imports_are_resolved_from_where_they_stand() -> None:
    inside = imports_of("from ..messages import tr", "algorithms.embed", "p", is_package=False)
    package = imports_of("from .embed import X", "algorithms", "p", is_package=True)
    assert [each.target for each in (*inside, *package)] == [
        "p.messages.tr",
        "p.algorithms.embed.X",
    ]


def test_plugin_imports_qgis_and_itself_only() -> None:
    allowed = {"qgis", "hyperkd_qgis"} | (sys.stdlib_module_names - NEVER_ANYWHERE)
    wrong = [
        str(found) for found in plugin_imports() if found.target.partition(".")[0] not in allowed
    ]
    assert wrong == []


def test_algorithms_have_no_widgets_and_no_window() -> None:
    wrong = [
        str(found)
        for found in plugin_imports()
        if found.module.startswith("algorithms")
        and (
            "QtWidgets" in found.target
            or found.target.startswith(("qgis.gui", "qgis.utils.iface", "hyperkd_qgis.ui"))
        )
    ]
    assert wrong == []


def shipped_trees() -> Iterator[tuple[str, ast.AST]]:
    for top in (ENGINE.parent, PLUGIN):
        for path in sorted(top.rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_no_banned_module_is_named_in_shipped_code() -> None:
    banned = NEVER_ANYWHERE | {"PyQt5", "PyQt6"}
    wrong = [
        str(found)
        for found in (*engine_imports(), *plugin_imports())
        if found.target.partition(".")[0] in banned
    ]
    wrong += [
        str(found)
        for found in engine_imports()
        if found.target.partition(".")[0] in NEVER_IN_ENGINE
    ]
    assert wrong == []


def called_name(node: ast.Call) -> str:
    return ast.unparse(node.func)


def test_nothing_executes_text_or_prints_beside_the_command_line() -> None:
    wrong = []
    for name, tree in shipped_trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = called_name(node)
            if called in {"exec", "eval", "compile", "__import__"}:
                wrong.append(f"{name}:{node.lineno} calls {called}")
            if called == "print" and name != "engine/hyperkd/cli.py":
                wrong.append(f"{name}:{node.lineno} prints")
    assert wrong == []


def test_torch_load_is_one_safe_call() -> None:
    loads = []
    for name, tree in shipped_trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called_name(node) == "torch.load":
                safe = any(
                    keyword.arg == "weights_only"
                    and isinstance(keyword.value, ast.Constant)
                    and keyword.value.value is True
                    for keyword in node.keywords
                )
                loads.append((name, node.lineno, safe))
    assert all(safe for _, _, safe in loads), loads
    assert len(loads) <= 1, loads


def test_shipped_code_raises_rather_than_asserts_and_swallows_nothing() -> None:
    wrong = []
    for name, tree in shipped_trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                wrong.append(f"{name}:{node.lineno} asserts")
            if isinstance(node, ast.ExceptHandler):
                if node.type is None:
                    wrong.append(f"{name}:{node.lineno} has a bare except")
                if all(isinstance(part, ast.Pass) for part in node.body):
                    wrong.append(f"{name}:{node.lineno} swallows an exception")
    assert wrong == []
