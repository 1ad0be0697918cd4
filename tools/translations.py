"""Keeps the plugin's translations complete: ``resources/i18n/hyperkd_<language>.ts`` and ``.qm``.

    .venv/bin/python -m tools.translations

collects every text that the plugin can show, adds new ones to each ``.ts`` file as
unfinished, drops those that are gone, and compiles the ``.qm`` files, for which it needs
``lrelease`` of Qt. Translate in the ``.ts`` file, with Qt Linguist or by hand.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tools.machine import ROOT, SetupError

FOLDER = ROOT / "resources" / "i18n"
CONTEXT = "HyperKD"
_DESCRIPTION = "Option[@name='description']"
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n'


def texts(root: Path = ROOT) -> list[str]:
    """Return every text that the plugin hands to its translator, sorted."""
    found: set[str] = set()
    for path in sorted((root / "hyperkd_qgis").rglob("*.py")):
        found.update(_arguments(path, "tr"))
        found.update(_arguments(path, "marked"))
    found.update(workflow_texts(root))
    for path in sorted((root / "engine" / "hyperkd").rglob("*.py")):
        found.update(_arguments(path, "stage"))
    found.update(_descriptions(root))
    return sorted(found)


def workflow_texts(root: Path = ROOT) -> Iterator[str]:
    """Yield what users read of the shipped Processing models: their help, inputs and results."""
    for path in sorted((root / "resources" / "models").glob("*.model3")):
        # The files are our own, from this repository.
        model = ElementTree.parse(path)  # noqa: S314
        for each in model.findall("Option[@name='help']/Option"):
            if each.get("name") != "ALG_VERSION":
                yield each.get("value", "")
        for each in model.findall("Option[@name='parameterDefinitions']/Option"):
            if ":" not in each.get("name", ""):  # else one that QGIS makes from a result
                yield from (text.get("value", "") for text in each.findall(_DESCRIPTION))
        results = "Option[@name='children']/Option/Option[@name='outputs']/Option/"
        for each in model.findall(results + "Option[@name='component_description']"):
            yield each.get("value", "")


def translated(path: Path) -> dict[str, str]:
    """Return the finished translations of a ``.ts`` file."""
    found = {}
    # The files are our own, from this repository.
    for message in ElementTree.parse(path).iter("message"):  # noqa: S314
        translation = message.find("translation")
        if translation is not None and translation.get("type") is None and translation.text:
            found[message.findtext("source", "")] = translation.text
    return found


def write(path: Path, sources: list[str], known: dict[str, str]) -> list[str]:
    """Write a ``.ts`` file and return the texts that it does not translate yet."""
    language = path.stem.rpartition("_")[2]
    lines = [_HEAD + f'<TS version="2.1" language="{language}" sourcelanguage="en">', "<context>"]
    lines.append(f"    <name>{CONTEXT}</name>")
    for source in sources:
        done = source in known
        text = escape(known.get(source, ""))
        opening = "<translation>" if done else '<translation type="unfinished">'
        lines.append("    <message>")
        lines.append(f"        <source>{escape(source)}</source>")
        lines.append(f"        {opening}{text}</translation>")
        lines.append("    </message>")
    lines += ["</context>", "</TS>", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return [source for source in sources if source not in known]


def compile_file(path: Path) -> Path:
    """Write the ``.qm`` file of a ``.ts`` file and return it.

    Raises:
        SetupError: there is no ``lrelease``.
    """
    program = shutil.which("lrelease") or shutil.which("lrelease-qt5")
    if program is None:
        raise SetupError("lrelease is missing; on Debian it is in qttools5-dev-tools.")
    made = path.with_suffix(".qm")
    command = [program, "-silent", "-nounfinished", str(path), "-qm", str(made)]
    subprocess.run(command, check=True)  # noqa: S603 - a program of Qt's, without a shell
    return made


def main() -> int:
    """Renew all translations; return 1 where one is not complete."""
    sources, missing = texts(), 0
    for path in sorted(FOLDER.glob("*.ts")):
        left = write(path, sources, translated(path))
        missing += len(left)
        compile_file(path)
        sys.stdout.write(f"{path.name}: {len(sources)} texts, {len(left)} not translated\n")
        sys.stdout.writelines(f"  {text}\n" for text in left)
    return 1 if missing else 0


def _arguments(path: Path, function: str) -> Iterator[str]:
    """Yield the constant first arguments of all calls of a function or method."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        first = node.args[0]
        if name == function and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def _descriptions(root: Path) -> Iterator[str]:
    """Yield what the engine says of the fields of the jobs that algorithms run: tool tips."""
    path = root / "engine" / "hyperkd" / "jobs" / "schema.json"
    jobs = json.loads(path.read_text(encoding="utf-8"))["$defs"]
    for kind in _kinds(root):
        for field in jobs[f"job.{kind}"]["properties"].values():
            if "description" in field:
                yield field["description"]


def _kinds(root: Path) -> Iterator[str]:
    """Yield the jobs that algorithms run, as their classes state them."""
    for path in sorted((root / "hyperkd_qgis" / "algorithms").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                if any(getattr(target, "id", "") == "KIND" for target in node.targets):
                    yield str(node.value.value)


if __name__ == "__main__":
    sys.exit(main())
