"""Where the plugin finds its engine, its resources and its own description, and puts files.

In an installed plugin ``engine/``, ``resources/`` and ``metadata.txt`` lie inside
the plugin's folder; in a checkout they lie beside it. A linked plugin folder
counts as the checkout that it leads to.
"""

from __future__ import annotations

from collections.abc import Mapping
from configparser import ConfigParser
from functools import cache
from pathlib import Path


@cache
def home() -> Path:
    """Return the folder that holds ``engine/``, ``resources/`` and ``metadata.txt``."""
    here = Path(__file__).parent
    checkout = Path(__file__).resolve().parent.parent
    return checkout if not (here / "engine").exists() and (checkout / "engine").exists() else here


def engine_folder() -> Path:
    """Return the folder that ``python -I`` runs."""
    return home() / "engine"


def checkout_python() -> Path:
    """Return the interpreter that a development checkout sets up, whether it exists or not."""
    environment = engine_folder().resolve().parent / ".venv"
    windows = environment / "Scripts" / "python.exe"
    return windows if windows.is_file() else environment / "bin" / "python"


def icon_path(name: str) -> str:
    """Return the path of an icon."""
    return str(home() / "resources" / "icons" / f"{name}.svg")


def shipped_students() -> Path:
    """Return the folder of the students that come with the plugin."""
    return home() / "resources" / "students"


def free_path(path: Path) -> Path:
    """Return a path where nothing is yet: this one, or one with a number behind its name."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


@cache
def metadata() -> Mapping[str, str]:
    """Return the plugin's ``metadata.txt``; empty where there is none."""
    parser = ConfigParser(interpolation=None)
    parser.read(home() / "metadata.txt", encoding="utf-8")
    return dict(parser["general"]) if parser.has_section("general") else {}
