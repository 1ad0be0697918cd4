"""What GDAL says is wrong where it cannot raise, or raises too much."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from osgeo import gdal


@contextlib.contextmanager
def collected_failures(forgiven: str = "") -> Iterator[None]:
    """Raise the first failure that GDAL told meanwhile, at the end; those forgiven do not count.

    An exception in a destructor, which writes, cannot be caught.
    """
    failures: list[str] = []

    def listen(kind: int, number: int, text: str) -> None:
        if kind >= gdal.CE_Failure and not (forgiven and forgiven in text):
            failures.append(text)

    gdal.DontUseExceptions()
    gdal.PushErrorHandler(listen)
    try:
        yield
    finally:
        gdal.PopErrorHandler()
        gdal.UseExceptions()
    if failures:
        raise RuntimeError(failures[0])
