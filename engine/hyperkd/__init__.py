"""HyperKD: a local inference and training engine for hyperspectral rasters.

The package has no line of QGIS in it. See ``docs/architecture.md`` for the
layers and ``tests/contract/test_imports.py`` for the imports each may make.
"""

import os

# onnxruntime's wheels report their use over the network unless this is set before
# they are imported. Nothing leaves the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.2.0"
