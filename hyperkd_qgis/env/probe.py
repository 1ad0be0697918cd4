"""Run by the interpreter under test: imports each package and tells its version.

Prints one JSON object a line, as soon as it knows: where a library takes the process
along, the last line tells which. Standard library only, for nothing else may be there.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from collections.abc import Iterator, Sequence

# What the engine needs to run students, by the name that is imported.
NEEDED = ("numpy", "osgeo.gdal", "onnx", "onnxruntime", "safetensors")


def probe(names: Sequence[str] = NEEDED) -> Iterator[dict[str, str]]:
    """Import every package; yield its name, and its version or why it cannot be imported."""
    yield {"name": "python", "version": platform.python_version()}
    for name in names:
        try:
            module = importlib.import_module(name)
            yield {"name": name, "version": str(getattr(module, "__version__", "?"))}
        # A broken package may raise anything at import, and that is the finding.
        except Exception as error:  # noqa: BLE001
            yield {"name": name, "error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    for found in probe(sys.argv[1:] or NEEDED):
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
