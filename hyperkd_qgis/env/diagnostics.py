"""A text for a bug report: what is installed where, without names and passwords."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from qgis.core import Qgis
from qgis.PyQt.QtCore import QT_VERSION_STR, QLocale

from .. import settings
from ..paths import engine_folder, metadata
from . import managed, pins
from .network import Network
from .scrub import scrub
from .setup import LOG_NAME
from .verify import Finding

_LOG_LINES = 60


def diagnostics(network: Network, findings: Sequence[Finding] = (), log: str = "") -> str:
    """Return the text; call it in the main thread.

    Args:
        network: from ``network.from_qgis``.
        findings: of the last check, where there was one.
        log: what else belongs into the report, for instance the end of an engine's log.
    """
    sections = [
        ("HyperKD", _plugin()),
        ("QGIS", _qgis()),
        ("Engine", _engine()),
        ("Environments", _environments()),
        ("Network", [network.summary]),
        ("Last check", [f"{each.subject}: {_verdict(each)}{each.detail}" for each in findings]),
        ("Last set-up", _last_setup()),
        ("Log", log.splitlines()[-_LOG_LINES:]),
    ]
    text = "\n".join(
        "\n".join([f"[{title}]", *lines, ""]) for title, lines in sections if any(lines)
    )
    return scrub(text, network.secrets)


def _plugin() -> list[str]:
    folder = engine_folder()
    there = "there" if (folder / "__main__.py").is_file() else "missing"
    return [f"version: {metadata().get('version', '?')}", f"engine folder: {folder} ({there})"]


def _qgis() -> list[str]:
    return [
        f"QGIS {Qgis.QGIS_VERSION}, Qt {QT_VERSION_STR}, Python {platform.python_version()}",
        f"system: {platform.platform()}",
        f"language: {QLocale().name()}",
        f"processors: {os.cpu_count()}",
    ]


def _engine() -> list[str]:
    chosen = settings.interpreter()
    if chosen is None:
        return ["none"]
    there = "there" if chosen.path.is_file() else "missing"
    return [f"interpreter: {chosen.path} ({there})", f"chosen by: {chosen.origin}"]


def _environments() -> list[str]:
    root = managed.engines_folder()
    lines = [f"folder: {root}"]
    place = next((each for each in (root, *root.parents) if each.exists()), Path("/"))
    lines.append(f"free: {shutil.disk_usage(place).free // 1_000_000} MB")
    for each in managed.environments():
        state = "current" if each.is_current else "of another list"
        lines.append(
            f"{each.folder.name}: Python {each.python_version}, {'+'.join(each.tiers)}, "
            f"{each.compute}, {state}, made {each.made}"
        )
        lines.append("  " + ", ".join(f"{name} {text}" for name, text in each.packages.items()))
    wanted = pins.fingerprint(tuple(pins.TIERS), "cpu")
    return [*lines, f"list: {wanted}"]


def _last_setup() -> list[str]:
    try:
        text = (managed.engines_folder() / LOG_NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return text.splitlines()[-_LOG_LINES:]


def _verdict(finding: Finding) -> str:
    return "" if finding.fine else "FAILED "
