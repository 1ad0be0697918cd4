"""The engine's interpreter, where a job asks the exporter once for each kind of network.

``python quick_engine.py GRAPHS PROGRAM ...`` runs a file, or a folder with ``__main__.py``, in
which ``known_graph`` stands in for the exporter and keeps the graphs in a folder.
``write_interpreter`` writes a program that takes the arguments of Python, as QGIS gives them.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

_EXPORT = "hyperkd.training.export"
_KNOWN_GRAPH = Path(__file__).with_name("known_graph.py")
_PROGRAM = """\
#!/bin/sh
# -I -X utf8 FOLDER runs the engine; whatever else is asked of Python is for Python.
case "$1 $2 $3 $4" in "-I -X utf8 "*/engine)
    shift 3
    exec {python} -I -X utf8 {here} {graphs} "$@" ;;
esac
exec {python} "$@"
"""


class _Watch(importlib.abc.MetaPathFinder):
    """Puts the stand-in where the exporter was, once that is imported and no sooner."""

    def __init__(self, graphs: Path) -> None:
        self._graphs = graphs

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != _EXPORT:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.loader is not None
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            known_graph = _load(_KNOWN_GRAPH)
            known_graph.keep_in(self._graphs)
            module._to_onnx = known_graph.to_onnx

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _load(path: Path) -> Any:
    """Import a file by its path, because the engine does not see the tests."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_interpreter(path: Path, graphs: Path) -> Path:
    """Write a program that is Python, but whose engine is quick."""
    words = {"python": sys.executable, "here": __file__, "graphs": graphs}
    quoted = {name: shlex.quote(os.fspath(word)) for name, word in words.items()}
    path.write_text(_PROGRAM.format(**quoted))
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    sys.meta_path.insert(0, _Watch(Path(sys.argv[1])))
    del sys.argv[:2]
    runpy.run_path(sys.argv[0], run_name="__main__")
