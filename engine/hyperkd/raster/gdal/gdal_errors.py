"""GDAL's switches for exceptions, and what it says is wrong where it cannot raise."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Final

from osgeo import gdal, ogr, osr

# What GDAL's bindings raise; where their message is not UTF-8, that is Python's error about it.
GDAL_ERRORS: Final = (RuntimeError, UnicodeDecodeError)
# From GDAL 3.7 on each thread has switches of its own.
_BY_THREAD = all(hasattr(module, "_SetExceptionsLocal") for module in (gdal, ogr, osr))
_lock = threading.Lock()
_raising = {"threads": 0, "switched": False}


@contextlib.contextmanager
def _this_thread(wanted: bool, *modules: Any) -> Iterator[None]:
    """Switch exceptions for this thread, as GDAL's ``ExceptionMgr`` does.

    That one also imports ``gdal_array``, which registers a driver and fails with numpy 2
    where it was built for numpy 1.
    """
    before = [module._GetExceptionsLocal() for module in modules]
    for module in modules:
        module._SetExceptionsLocal(wanted)
    try:
        yield
    finally:
        for module, state in zip(modules, before):
            module._SetExceptionsLocal(state)


@contextlib.contextmanager
def gdal_raising() -> Iterator[None]:
    """Let ``gdal`` raise until the end; then everything is as it was.

    Before GDAL 3.7 the switch is one for the process: other threads see it meanwhile.
    """
    if _BY_THREAD:
        with _this_thread(True, gdal):
            yield
        return
    with _lock:
        _raising["threads"] += 1
        if _raising["threads"] == 1:
            _raising["switched"] = not gdal.GetUseExceptions()
            if _raising["switched"]:
                gdal.UseExceptions()
    try:
        yield
    finally:
        with _lock:
            _raising["threads"] -= 1
            if not _raising["threads"] and _raising["switched"]:
                gdal.DontUseExceptions()


@contextlib.contextmanager
def ogr_raising() -> Iterator[None]:
    """Let ``ogr`` and ``osr`` raise until the end, inside of ``gdal_raising`` or beside it.

    Older GDAL stacks its three switches: one that stayed on here would keep a sink from
    switching gdal's off and on when it closes a file.
    """
    if _BY_THREAD:
        with _this_thread(True, ogr, osr):
            yield
        return
    switched = [module for module in (ogr, osr) if not module.GetUseExceptions()]
    for module in switched:
        module.UseExceptions()
    try:
        yield
    finally:
        for module in reversed(switched):
            module.DontUseExceptions()


@contextlib.contextmanager
def _gdal_silent() -> Iterator[None]:
    if _BY_THREAD:
        with _this_thread(False, gdal):
            yield
        return
    gdal.DontUseExceptions()
    try:
        yield
    finally:
        gdal.UseExceptions()


@contextlib.contextmanager
def collected_failures(forgiven: str = "") -> Iterator[None]:
    """Raise GDAL's first failure at the end of the block; those in ``forgiven`` do not count.

    Inside of ``restricted``. An exception in a destructor, which writes, cannot be caught.
    """
    failures: list[str] = []

    def listen(kind: int, number: int, text: str) -> None:
        if kind >= gdal.CE_Failure and not (forgiven and forgiven in text):
            failures.append(text)

    with _gdal_silent():
        gdal.PushErrorHandler(listen)
        try:
            yield
        finally:
            gdal.PopErrorHandler()
    if failures:
        raise RuntimeError(failures[0])
