"""The plugin runs on Qt 5 and Qt 6; this QGIS has one of them, so the rules are checked in text."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "hyperkd_qgis"
MODULES = sorted(PLUGIN.rglob("*.py"))


def names_of_qgis(tree: ast.Module) -> dict[str, Any]:
    """Return what a module imports from QGIS and Qt, by the names it uses."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qgis"):
            module = __import__(node.module, fromlist=[alias.name for alias in node.names])
            found.update(
                (alias.asname or alias.name, getattr(module, alias.name)) for alias in node.names
            )
    return found


def unscoped_enums(tree: ast.Module, names: dict[str, Any]) -> list[str]:
    """Return the enum members that are written without the name of their enum.

    ``QProcess.NotRunning`` exists in Qt 5 only, ``QProcess.ProcessState.NotRunning`` in both.
    """
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = names.get(node.value.id)
            if owner is not None and isinstance(getattr(owner, node.attr, None), int):
                found.append(f"line {node.lineno}: {node.value.id}.{node.attr}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PLUGIN).as_posix())
def test_enums_are_scoped(plugin, path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert unscoped_enums(tree, names_of_qgis(tree)) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PLUGIN).as_posix())
def test_qt_is_imported_through_qgis_alone(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
        elif isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
    assert not {name for name in imported if name.startswith(("PyQt", "PySide", "sip"))}
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {"exec_", "QVariant", "QRegExp", "setMargin"}


def test_the_check_of_enums_finds_what_it_shall(plugin):
    source = (
        "from qgis.PyQt.QtCore import QProcess\n"
        "from qgis.core import Qgis, QgsRasterLayer\n"
        "a = QProcess.NotRunning, QProcess.ProcessState.NotRunning\n"
        "b = Qgis.Info, Qgis.MessageLevel.Info, QgsRasterLayer.LayerOptions\n"
    )
    tree = ast.parse(source)
    assert unscoped_enums(tree, names_of_qgis(tree)) == [
        "line 3: QProcess.NotRunning",
        "line 4: Qgis.Info",
    ]
