"""Run by the interpreter under test: imports each package and tells its version.

Prints one JSON object. Standard library only, for nothing else may be there.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys

# What the engine needs to run students, by the name that is imported.
NEEDED = ("numpy", "osgeo.gdal", "onnx", "onnxruntime", "safetensors")


def probe() -> dict[str, dict[str, str]]:
    """Import every needed package and return its version, or why it cannot be imported."""
    found = {"python": {"version": platform.python_version()}}
    for name in NEEDED:
        try:
            module = importlib.import_module(name)
            found[name] = {"version": str(getattr(module, "__version__", "?"))}
        # A broken package may raise anything at import, and that is the finding.
        except Exception as error:  # noqa: BLE001
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe()) + "\n")
