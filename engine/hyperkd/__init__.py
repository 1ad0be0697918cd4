"""HyperKD: a local inference and training engine for hyperspectral rasters.

The package has no line of QGIS in it. See ``docs/architecture.md`` for the
layers and ``tests/contract/test_imports.py`` for the imports each may make.
"""

__version__ = "0.1.0"
