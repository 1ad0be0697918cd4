"""Takes back what set-ups have made: the environment, pip's cache and the log, nothing else.

Models and trainings lie elsewhere and stay, and so does the environment of another QGIS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..messages import tr
from ..runner.background import pythons_in_use
from ..runner.process import running_pythons
from . import managed
from .pip_call import CACHE_NAME
from .setup import LOG_NAME

# What pip puts into its cache. A folder of this name may have been there before.
_OF_PIP = ("http", "http-v2", "wheels", "selfcheck", "CACHEDIR.TAG")


@dataclass(frozen=True)
class Removable:
    """What would go.

    Attributes:
        paths: environments, folders of pip's cache, and the log.
        size_bytes: of all of it.
    """

    folder: Path
    paths: tuple[Path, ...]
    size_bytes: int


def look() -> Removable:
    """Return what set-ups of this QGIS have made, and its size; takes a second or so."""
    root = managed.engines_folder()
    cache = root / CACHE_NAME
    own = [each.folder for each in managed.environments(root) if each.is_of_this_qgis]
    found = [
        *(folder for folder in own if not folder.is_symlink()),
        *managed.leftovers(root),
        *(cache / name for name in _OF_PIP if not cache.is_symlink()),
        root / LOG_NAME,
    ]
    paths = tuple(path for path in found if path.exists() and not path.is_symlink())
    return Removable(root, paths, sum(size for path in paths for size in _sizes(path)))


def refusal() -> str:
    """Say that a job runs in an environment of ours; an empty string where none does."""
    root = managed.engines_folder()
    if any(root in python.parents for python in [*running_pythons(), *pythons_in_use()]):
        return tr("A job runs in the engine. Wait until it has ended, or cancel it.")
    return ""


def remove(what: Removable) -> list[Path]:
    """Remove it, and folders that are empty then; return what could not be removed."""
    left = []
    for path in what.paths:
        if path.is_dir():
            if not managed.remove(path):
                left.append(path)
        else:
            path.unlink(missing_ok=True)
    for folder in (what.folder / CACHE_NAME, what.folder):
        with suppress(OSError):  # somebody else's files are in it, or it never was
            folder.rmdir()
    return left


def _sizes(path: Path) -> Iterator[int]:
    """Yield the bytes of a file, or of all files in a folder; links count as what they are."""
    if not path.is_dir():
        yield path.lstat().st_size
        return
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):  # gone meanwhile
                yield os.lstat(os.path.join(folder, name)).st_size
