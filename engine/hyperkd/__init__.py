"""HyperKD: a local inference and training engine for hyperspectral rasters.

From Python::

    import hyperkd

    scene = hyperkd.open("scene.tif")
    model = hyperkd.load_model("crops.onnx")
    hyperkd.predict(model, scene, "map.tif", report=hyperkd.progress())

Importing it loads neither GDAL nor onnxruntime nor torch; what is used first loads what
it needs. Every job of the command line is a function here, with the same options;
``help(hyperkd.predict)`` lists them. Errors are ``HyperKDError`` with a code and a hint.

The package has no line of QGIS in it. See ``docs/architecture.md`` for the
layers and ``tests/contract/test_imports.py`` for the imports each may make.
"""

import importlib
import os
from typing import Any

# onnxruntime's wheels report their use over the network unless this is set before
# they are imported. Nothing leaves the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.2.0"

# Public name -> the module that has it, imported when the name is used first.
_HOMES = {
    **dict.fromkeys(("HyperKDError",), "errors"),
    **dict.fromkeys(("Problem",), "problems"),
    **dict.fromkeys(("BandTable", "GridSpec", "Reporter", "Wavelengths", "Window"), "types"),
    **dict.fromkeys(("Model", "Scene", "load_model", "open"), "handles"),
    **dict.fromkeys(("Result", "progress"), "reporting"),
    **dict.fromkeys(
        (
            *("first_look", "predict", "embed", "reconstruct", "anomaly", "similarity", "cluster"),
            *("align", "detect", "finetune", "distill", "evaluate", "label_overview", "export"),
            *("quantize", "info", "inspect", "import_product", "restore", "simulate"),
        ),
        "api",
    ),
}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604 - names, as everywhere


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hyperkd' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"hyperkd.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    return sorted({*globals(), *_HOMES})
