"""The plugin as QGIS sees it: a folder of links while developing, a zip for everyone else."""

from __future__ import annotations

import configparser
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tools.machine import ROOT, SetupError

NAME = "hyperkd_qgis"

# What lies at the top of the repository but inside the plugin's folder.
SHARED_ENTRIES = ("metadata.txt", "LICENSE", "engine", "resources")

# Tells a folder that we assembled, and may replace, from one that a user installed.
MARKER = ".linked"

# The plugin repository's limits: 25 MB, nothing compiled or executable, no dotfiles.
MAXIMUM_ZIP_BYTES = 25 * 1024 * 1024
FORBIDDEN_SUFFIXES = frozenset(
    ".pyc .pyo .exe .dll .so .dylib .bat .sh .ps1 .cmd .part .tmp .egg-info".split()
)
REQUIRED_FILES = ("__init__.py", "metadata.txt", "LICENSE", "engine/__main__.py")
REQUIRED_METADATA = (
    "name description version qgisMinimumVersion author email about tracker repository homepage"
).split()

# The oldest moment that a zip can record: equal input gives an equal file.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def version(root: Path = ROOT) -> str:
    """Return the version that metadata.txt states."""
    return read_metadata(root)["version"]


def read_metadata(root: Path = ROOT) -> configparser.SectionProxy:
    """Return the ``[general]`` section of metadata.txt."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(root / "metadata.txt", encoding="utf-8")
    return parser["general"]


def entries(root: Path = ROOT) -> dict[str, Path]:
    """Return the plugin folder's entries: their name there, and where they are here.

    Raises:
        SetupError: two entries claim one name, or one is missing.
    """
    found = {path.name: path for path in sorted((root / NAME).iterdir()) if _ships(path)}
    for name in SHARED_ENTRIES:
        if name in found:
            raise SetupError(f"{NAME}/{name} hides {name} of the repository; rename one.")
        if not (root / name).exists():
            raise SetupError(f"{root / name} is missing; the plugin cannot be assembled.")
        found[name] = root / name
    return found


def link(plugins: Path, root: Path = ROOT) -> Path:
    """Assemble the plugin of links in a folder of plugins and return it.

    Where the system refuses links (Windows without developer mode) the entries
    are copied, and linking again brings them up to date.
    """
    folder = plugins / NAME
    if folder.exists() and not (folder / MARKER).exists():
        raise SetupError(
            f"{folder} holds an installed copy of the plugin.\n"
            "Uninstall it in QGIS (Plugins, Manage and Install Plugins) first."
        )
    if folder.exists():
        shutil.rmtree(folder)  # removes links, never what they point at
    folder.mkdir(parents=True)
    (folder / MARKER).write_text(f"made by build.py from {root}\n", encoding="utf-8")
    for name, target in entries(root).items():
        try:
            (folder / name).symlink_to(target, target_is_directory=target.is_dir())
        except OSError:
            copy = shutil.copytree if target.is_dir() else shutil.copy2
            copy(target, folder / name)
    return folder


def default_profile() -> Path:
    """Return the folder of the user's default QGIS profile."""
    home = Path.home()
    if sys.platform == "darwin":
        base = home / "Library/Application Support/QGIS/QGIS3"
    elif sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", home / "AppData/Roaming")) / "QGIS/QGIS3"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", home / ".local/share")) / "QGIS/QGIS3"
    return base / "profiles/default"


def _ships(path: Path) -> bool:
    return not (
        path.name.startswith(".")
        or path.name == "__pycache__"
        or path.suffix in {".pyc", ".egg-info", ".part"}
    )


def _walk(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        for child in sorted(path.iterdir()):
            if _ships(child):
                yield from _walk(child, f"{name}/{child.name}")
    else:
        yield name, path


def contents(root: Path = ROOT) -> list[tuple[str, Path]]:
    """Return the files of the zip, sorted: their name inside, and where they are here."""
    return sorted(
        pair for name, path in entries(root).items() for pair in _walk(path, f"{NAME}/{name}")
    )


def package(root: Path = ROOT, destination: Path | None = None) -> Path:
    """Write ``dist/hyperkd_qgis-<version>.zip``, check it, and return its path.

    Equal files give an equal zip, byte for byte: no times, no order of the
    disk, no permissions of the machine.

    Raises:
        SetupError: the result would be refused by the plugin repository.
    """
    folder = root / "dist" if destination is None else destination
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}-{version(root)}.zip"
    part = path.with_name(path.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, source in contents(root):
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # else it depends on the machine that packs
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, source.read_bytes())
    wrong = problems(part, root)
    if wrong:
        part.unlink()
        raise SetupError("The zip would be refused:\n" + "\n".join(f"  {w}" for w in wrong))
    os.replace(part, path)
    return path


def problems(path: Path, root: Path = ROOT) -> list[str]:
    """Return why the plugin repository would refuse a zip; an empty list where it would not."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    wrong = []
    if path.stat().st_size > MAXIMUM_ZIP_BYTES:
        wrong.append(f"it has {path.stat().st_size} bytes, the limit is {MAXIMUM_ZIP_BYTES}")
    for name in names:
        parts = PurePosixPath(name).parts
        if parts[0] != NAME or ".." in parts or "\\" in name:
            wrong.append(f"{name} lies outside {NAME}/")
        elif any(p.startswith(".") or p in {"__pycache__", "__MACOSX"} for p in parts):
            wrong.append(f"{name} does not belong into a plugin")
        elif PurePosixPath(name).suffix in FORBIDDEN_SUFFIXES:
            wrong.append(f"{name} is of a kind that is not accepted")
    missing = [name for name in REQUIRED_FILES if f"{NAME}/{name}" not in names]
    wrong += [f"{name} is missing" for name in missing]
    metadata = read_metadata(root)
    wrong += [f"metadata.txt lacks {key}" for key in REQUIRED_METADATA if not metadata.get(key)]
    return wrong
