"""The coded error for a Python without GDAL's bindings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hyperkd.errors import HyperKDError


@contextmanager
def gdal_bindings() -> Iterator[None]:
    """Wrap the imports of what needs ``osgeo``.

    Raises:
        HyperKDError: ``missing_dependency`` where this Python has no GDAL bindings.
    """
    try:
        yield
    except ImportError as error:
        raise missing_gdal(error) from error


def missing_gdal(error: ImportError) -> HyperKDError:
    """Return the refusal where ``osgeo`` cannot be imported."""
    return HyperKDError(
        "missing_dependency",
        f"This Python has no GDAL bindings ({error}).",
        "Use the Python that QGIS uses, or install the package python3-gdal (conda: gdal) for it.",
        module="osgeo",
    )
