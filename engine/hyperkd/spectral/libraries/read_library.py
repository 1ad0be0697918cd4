"""Reading a spectral library of whichever kind, and the one spectrum that a user names."""

from __future__ import annotations

import os
from typing import Optional

from hyperkd.spectral.libraries.envi_library import envi_header, read_envi_library
from hyperkd.spectral.libraries.field_spectra import is_ecostress, is_svc, read_ecostress, read_svc
from hyperkd.spectral.libraries.library import Library, bad_library
from hyperkd.spectral.libraries.library_files import library_bytes, library_text
from hyperkd.spectral.libraries.profile_layers import read_geojson, read_geopackage
from hyperkd.spectral.libraries.table_library import read_table
from hyperkd.spectral.libraries.usgs_library import is_usgs, read_usgs

_SQLITE = b"SQLite format 3\0"


def read_library(path: str, *, scale: Optional[float] = None) -> Library:
    """Return the spectra of a file; what it is, is seen from its content.

    Args:
        path: an ENVI library (either file), a table of text (also ASD's), a signature of SVC, a
            file of USGS (splib07) or ECOSTRESS, or a layer of EnMAP-Box (GeoPackage, GeoJSON).
        scale: the reflectance of a stored 1, instead of what the file says.

    Raises:
        HyperKDError: ``bad_library`` with what is wrong.
    """
    path = os.fspath(path)
    if os.path.isdir(path) or not os.path.exists(path):
        what = "is a folder" if os.path.isdir(path) else "is not there"
        raise bad_library(path, what, "Give the path of a library's file.")
    header = envi_header(path)
    if header is not None:
        return read_envi_library(path, header, scale)
    raw = library_bytes(path)
    if raw.startswith(_SQLITE):
        del raw
        return read_geopackage(path, scale)
    if path.lower().endswith((".sli", ".slb", ".esl")):
        raise bad_library(
            path,
            "has no header beside it",
            "Put its .hdr file beside it: the spectra cannot be understood without.",
        )
    text, notes = library_text(path, raw)
    if text.lstrip()[:1] == "{":
        return read_geojson(path, text, scale, notes)
    if is_svc(text):
        return read_svc(path, text, scale, notes)
    if is_usgs(text):
        return read_usgs(path, text, scale, notes)
    if is_ecostress(text):
        return read_ecostress(path, text, scale, notes)
    return read_table(path, text, scale, notes)


def split_name(target: str) -> tuple[str, Optional[str]]:
    """Return library and name of ``library:name``; None for the name where there is only a path.

    A path and a name may both hold colons: the longest beginning that is a file is the library.
    """
    if os.path.exists(target):
        return target, None
    places = [place for place, character in enumerate(target) if character == ":"]
    for place in reversed(places):
        if os.path.isfile(target[:place]):
            return target[:place], target[place + 1 :]
    # Nothing is there: on Windows a colon follows the drive.
    return target, None
