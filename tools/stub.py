"""``hyperkd/__init__.pyi``: the types of the Python interface, made from the jobs' options.

``python -m tools.stub`` writes it; ``--check`` only compares.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hyperkd.api import CALLS, fields_of, is_assumed, name_of
from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import JobField

PATH = Path(__file__).resolve().parents[1] / "engine" / "hyperkd" / "__init__.pyi"

_HEAD = '''"""The types of the Python interface. Written by ``python -m tools.stub``."""

import os
from collections.abc import Sequence
from typing import Literal

from hyperkd.errors import HyperKDError as HyperKDError
from hyperkd.handles import Model as Model
from hyperkd.handles import Scene as Scene
from hyperkd.handles import load_model as load_model
from hyperkd.handles import open as open
from hyperkd.problems import Problem as Problem
from hyperkd.reporting import Result as Result
from hyperkd.reporting import progress as progress
from hyperkd.types import BandTable as BandTable
from hyperkd.types import GridSpec as GridSpec
from hyperkd.types import Reporter as Reporter
from hyperkd.types import Wavelengths as Wavelengths
from hyperkd.types import Window as Window

__version__: str

_Path = str | os.PathLike[str]
_Scene = _Path | Scene
_Model = _Path | Model
'''

_BY_ROLE = {"input_raster": "_Scene", "model": "_Model"}


def content() -> str:
    """Return the whole file."""
    return _HEAD + "".join(map(_function, CALLS))


def _function(name: str) -> str:
    first, *rest = (_parameter(*option) for option in fields_of(name))
    by_position = [text for text, named in (first, *rest) if not named]
    by_name = [text for text, named in (first, *rest) if named]
    parameters = [*by_position, "*", *by_name, "report: Reporter | None = ..."]
    lines = "".join(f"    {text},\n" for text in parameters)
    return f'\ndef {name}(\n{lines}) -> Result:\n    """{JOBS[CALLS[name][0]].summary}"""\n'


def _parameter(field: JobField, by_position: bool) -> tuple[str, bool]:
    has_default = not field.required or is_assumed(field)
    default = " = ..." if has_default and not by_position else ""
    return f"{name_of(field)}: {_type(field)}{default}", not by_position


def _type(field: JobField) -> str:
    if field.choices is not None:
        one = f"Literal[{', '.join(map(repr, field.choices))}]".replace("'", '"')
    elif field.role is not None:
        one = _BY_ROLE.get(field.role, "_Path")
    else:
        one = field.type.__name__
    if field.repeated and field.choices is not None:
        one = field.type.__name__  # a list of all choices would be no line
    if field.repeated:
        one = f"{one} | Sequence[{one}]"
    return f"{one} | None" if field.optional else one


def main(arguments: list[str]) -> int:
    """Write the file, or with ``--check`` return 1 where it is out of date."""
    if "--check" not in arguments:
        PATH.write_text(content(), encoding="utf-8", newline="\n")
    elif not PATH.is_file() or PATH.read_text(encoding="utf-8") != content():
        sys.stderr.write(f"{PATH.name} is out of date: run python -m tools.stub\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
