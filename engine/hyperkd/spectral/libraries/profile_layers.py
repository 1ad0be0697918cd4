"""EnMAP-Box's spectral libraries: vector layers with profiles as JSON in a field.

A profile is an object ``{"x": [...], "y": [...], "xUnit": ..., "yUnit": ..., "bbl": [...]}``
of which only ``y`` must be there; it is text, or bytes that hold the same text. Older versions
wrote Python pickles and Qt's binary JSON, which are refused: they can run code, or are read by
Qt alone.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Optional

import numpy as np

from hyperkd.spectral.libraries.draft_library import Stored, finish, require_size
from hyperkd.spectral.libraries.library import MOST_SPECTRA, Library, bad_library
from hyperkd.spectral.libraries.library_files import without_deleted
from hyperkd.types import FloatArray

GEOPACKAGE: Final = "EnMAP-Box library (GeoPackage)"
GEOJSON: Final = "EnMAP-Box library (GeoJSON)"
_NAMES: Final = ("name", "profile_name", "label", "title")
_HINT: Final = "Save the library again in the EnMAP-Box, as a GeoPackage."
# A layer that asks for more steps than this is no library; real ones need some 1000 a profile.
_STEPS: Final = 100_000
_MOST_CALLS: Final = 20_000
_MOST_TABLES: Final = 100
_QT_BINARY: Final = b"qbjs"


def read_geopackage(path: str, scale: Optional[float]) -> Library:
    """Return the profiles of all layers of a GeoPackage, or of the one behind ``|layername=``.

    Only tables are read, by statements of our own: no view, trigger or function of the file
    runs.

    Raises:
        HyperKDError: ``bad_library``.
    """
    uri = Path(os.path.abspath(path)).as_uri()
    # A file without a journal cannot change what it says by being read.
    journal = os.path.exists(path + "-wal") and os.path.getsize(path + "-wal") > 0
    uri += "?mode=ro" if journal else "?mode=ro&immutable=1"
    stored = []
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.set_authorizer(_only_reading)
            calls = iter(range(_MOST_CALLS))
            database.set_progress_handler(lambda: next(calls, None) is None, _STEPS)
            for table in _tables(database):
                stored += list(_profiles_of_table(path, database, table))
                require_size(path, max(1, len(stored)), 1)
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise bad_library(path, f"cannot be read as a GeoPackage: {error}", _HINT) from error
    if not stored:
        raise bad_library(path, "has no field with spectral profiles", _HINT)
    return finish(path, GEOPACKAGE, stored, scale)


def read_geojson(path: str, text: str, scale: Optional[float], notes: list[str]) -> Library:
    """Return the profiles of a GeoJSON.

    Raises:
        HyperKDError: ``bad_library``.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise bad_library(path, f"is no JSON: {str(error)[:100]}", _HINT) from error
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        raise bad_library(path, "is JSON, but has no features", _HINT)
    require_size(path, max(1, len(features)), 1)
    stored = []
    for number, feature in enumerate(features, start=1):
        fields = feature.get("properties") if isinstance(feature, dict) else None
        if isinstance(fields, dict):
            stored += _profiles_of_feature(path, fields, number)
    if not stored:
        raise bad_library(path, "has no field with spectral profiles", _HINT)
    return finish(path, GEOJSON, stored, scale, notes)


def _only_reading(action: int, subject: Optional[str], *_: Any) -> int:
    allowed = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
    allowed |= action == sqlite3.SQLITE_PRAGMA and subject == "table_xinfo"
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _tables(database: sqlite3.Connection) -> list[str]:
    """Return the tables with features or attributes; a view may hold any program."""
    known = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    tables = {
        name
        for name, statement in known.fetchmany(10 * _MOST_TABLES)
        if not str(statement).upper().startswith("CREATE VIRTUAL")
    }
    if "gpkg_contents" not in tables:
        raise ValueError("it has no table gpkg_contents")
    listed = database.execute(
        "SELECT table_name FROM gpkg_contents WHERE data_type IN ('features', 'attributes')"
    ).fetchmany(_MOST_TABLES)
    return [name for (name,) in listed if name in tables]


def _profiles_of_table(path: str, database: sqlite3.Connection, table: str) -> Iterator[Stored]:
    quoted = _quoted(table)
    described = database.execute(f"PRAGMA table_xinfo({quoted})")
    # A generated column is a program of the file's.
    columns = [name for _, name, *_, hidden in described if not hidden]
    wanted = ", ".join(map(_quoted, columns))
    rows = database.execute(f"SELECT {wanted} FROM {quoted}")  # noqa: S608  # nosec B608 - quoted
    for number, row in enumerate(rows, start=1):
        if number > MOST_SPECTRA:
            require_size(path, number, 1)
        yield from _profiles_of_feature(path, dict(zip(columns, row)), number)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _profiles_of_feature(path: str, fields: Mapping[str, Any], number: int) -> list[Stored]:
    """Return the profile in each field of a feature that holds one."""
    profiles = {}
    for field, value in fields.items():
        profile = _profile(path, field, value)
        if profile is not None:
            profiles[field] = profile
    lowered = {field.lower(): value for field, value in fields.items()}
    name = next((str(lowered[key]) for key in _NAMES if lowered.get(key) not in (None, "")), "")
    name = name or f"profile {number}"
    return [
        _stored(path, name if len(profiles) == 1 else f"{name} ({field})", profile)
        for field, profile in profiles.items()
    ]


def _profile(path: str, field: str, value: Any) -> Optional[dict[str, Any]]:
    """Return the profile that a value of a field is, or None."""
    if isinstance(value, bytes):
        if value[:4] == _QT_BINARY or (value[:1] == b"\x80" and value[-1:] == b"."):
            raise bad_library(
                path,
                f"has profiles of an old EnMAP-Box in the field {field!r}, which only it can read",
                "Open the library in a current EnMAP-Box and save it as a new GeoPackage.",
            )
        if value.lstrip()[:1] != b"{":
            return None  # a geometry, a picture
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            return None
    if isinstance(value, str):
        if value.lstrip()[:1] != "{":
            return None
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            if '"y"' not in value[:100_000]:
                return None
            raise bad_library(
                path,
                f"has a profile in the field {field!r} that is no JSON: {str(error)[:80]}",
                _HINT,
            ) from error
    return value if isinstance(value, dict) and isinstance(value.get("y"), list) else None


def _stored(path: str, name: str, profile: Mapping[str, Any]) -> Stored:
    values = _numbers(path, name, "y", profile["y"])
    if not isinstance(profile.get("x"), list):
        raise bad_library(
            path,
            f"has no wavelengths (x) for {name!r}",
            "Give the profiles their wavelengths in the EnMAP-Box.",
        )
    centres = _numbers(path, name, "x", profile["x"])
    if profile.get("bbl") is not None:
        good = _numbers(path, name, "bbl", profile["bbl"])
        if good.shape != values.shape:
            raise bad_library(
                path, f"has {good.size} values of bbl and {values.size} of y for {name!r}", _HINT
            )
        values[good == 0] = np.nan
    units = [profile.get(key) for key in ("xUnit", "yUnit")]
    x_unit, y_unit = (unit if isinstance(unit, str) else None for unit in units)
    return Stored(name, centres, values, x_unit, y_unit)


def _numbers(path: str, name: str, key: str, values: Any) -> FloatArray:
    """Return a list of JSON as numbers; null is a missing one."""
    numbers = [np.nan if value is None else value for value in values if _is_number(value)]
    if not isinstance(values, list) or len(numbers) != len(values):
        raise bad_library(path, f"has something that is no number in {key} of {name!r}", _HINT)
    try:
        return without_deleted(np.array(numbers, np.float64))
    except OverflowError as error:
        raise bad_library(
            path, f"has a number in {key} of {name!r} that is too large", _HINT
        ) from error


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
