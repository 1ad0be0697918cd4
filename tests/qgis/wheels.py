"""Wheels for tests of the set-up: tiny ones made on the spot, and real ones packed again."""

from __future__ import annotations

import re
import zipfile
from importlib import metadata
from pathlib import Path

_METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def tiny_wheel(folder: Path, name: str, version: str, module: str, body: str = "") -> Path:
    """Write a wheel that holds one module with a version."""
    stem = f"{name.replace('-', '_')}-{version}"
    files = {
        f"{module}.py": f"__version__ = {version!r}\n{body}",
        f"{stem}.dist-info/METADATA": _METADATA.format(name=name, version=version),
        f"{stem}.dist-info/WHEEL": _WHEEL,
    }
    record = "".join(f"{path},,\n" for path in files) + f"{stem}.dist-info/RECORD,,\n"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in {**files, f"{stem}.dist-info/RECORD": record}.items():
            archive.writestr(each, text)
    return path


def packed_again(folder: Path, names: list[str]) -> list[str]:
    """Write wheels of installed distributions and of what they need; return their names.

    Stored, not compressed: the test is about installing, not about zlib.
    """
    todo, done = list(names), []
    while todo:
        name = todo.pop()
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # an extra, or for another system
        canonical = distribution.metadata["Name"]
        if canonical.lower() in done or canonical.lower() == "numpy":
            continue
        done.append(canonical.lower())
        _pack(folder, distribution)
        needs = [need for need in distribution.requires or () if "extra ==" not in need]
        todo += [re.match(r"[\w.-]+", need)[0] for need in needs]
    return done


def _pack(folder: Path, distribution: metadata.Distribution) -> None:
    wheel = distribution.read_text("WHEEL") or _WHEEL
    # Those of py2.py3-none-any stand on two lines, the second of which is ours.
    tag = [line[5:] for line in wheel.splitlines() if line.startswith("Tag: ")][-1]
    name = distribution.metadata["Name"].replace("-", "_")
    path = folder / f"{name}-{distribution.version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in distribution.files or ():
            # What pip writes itself when it installs, and programs outside the package.
            if ".." in file.parts or "__pycache__" in file.parts or file.name in _OF_PIP:
                continue
            if file.name != "RECORD":
                archive.write(str(file.locate()), str(file))
        record = f"{name}-{distribution.version}.dist-info/RECORD"
        archive.writestr(record, "")


_OF_PIP = {"INSTALLER", "REQUESTED", "direct_url.json"}
