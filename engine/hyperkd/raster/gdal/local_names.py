"""The names that GDAL is given, and those that a file gives it: local, or refused.

A VRT, a PAM file (``.aux.xml``) or an overview that is itself a VRT names other files,
which GDAL opens when their pixels are asked for. They are read here first, by GDAL's own
parser of XML and without opening what they name, from one file to the next.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, Final, Optional

from osgeo import gdal

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.gdal_errors import GDAL_ERRORS
from hyperkd.raster.gdal.restrictions import DEAD_PROXY

# GDAL's own file systems that lie on the machine.
_LOCAL_SYSTEMS: Final = frozenset(("zip", "tar", "gzip", "7z", "rar", "mem", "subfile"))
_SYSTEM = re.compile(r"/vsi(?P<name>[a-z0-9]+)[a-z0-9_]*[/?]", re.IGNORECASE)
_NETWORK = re.compile(
    r"/vsi(?:curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs|stdin|stdout)(?=[/?_])"
    r"|\b(?!vrt:)[a-z][a-z0-9+.-]+:(?=//)"
    r"|^(?:https?|ftp|wms|wmts|wcs|wfs|pg|mysql|odbc|pgeo|mssql|es|csw|oapif|ngw):",
    re.IGNORECASE,
)
# What one part of a file is called by; the file's own name follows, in quotes or not.
_PART = re.compile(
    r"^(?:vrt://|(?:NETCDF|HDF5|GTIFF_DIR:(?:off:)?\d+|GTIFF_RAW):)(?P<file>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_INLINE = re.compile(r"^\s*<")
# "HDF5:file:part" and XML text are not paths, but GDAL opens them; "C:" is a drive.
CONNECTION = re.compile(r"^[A-Za-z0-9_]{2,}:|^\s*<")
_BESIDE: Final = (".aux.xml", ".ovr", ".msk")
# Elements whose text is a file; others only where they look like an address.
_FILES: Final = frozenset(("SourceFilename", "SourceDataset", "DEMPath", "Source"))
# Items of metadata that GDAL takes for files; all others are anybody's text.
_FILE_ITEMS: Final = frozenset(("OVERVIEW_FILE", "X_DATASET", "Y_DATASET"))
_MAX_XML: Final = 64 * 2**20
_MAX_FILES: Final = 1_000_000
_HEAD: Final = 4096
_CLOSED_FORMATS: Final = (
    (re.compile(rb"<GDAL_WMS|<WCS_GDAL|<WMS_|<Capabilities\b|<WMT_MS_"), "network"),
    (re.compile(rb"<MRF_META"), "MRF"),
    (re.compile(rb"<OGRVRTDataSource|<OGRVRTLayer"), "OGR VRT"),
    (re.compile(rb"^SIMPLE  ="), "FITS"),
    (re.compile(rb"xmlns:gml|<gml:|opengis\.net/gml"), "GML"),
)
_CONVERT: Final = "gdal_translate -of GTiff IN OUT.tif"
_CONVERT_LAYER: Final = "ogr2ogr -f GPKG OUT.gpkg IN"


def require_local(name: str, inside: str = "") -> None:
    """Refuse a name that leads off the machine, or that GDAL would not take for a file.

    Args:
        name: what GDAL would open.
        inside: the file that names it; its author may not choose a Windows share.

    Raises:
        HyperKDError: ``unsupported_raster``.
    """
    if "\0" in name or not name.isprintable() and _surrogates(name):
        raise HyperKDError(
            "unreadable_raster",
            f"The name {ascii(name)} is not UTF-8, or holds a zero, so GDAL cannot open it.",
            "Rename the file.",
        )
    if _INLINE.match(name):  # its sources are looked at
        return
    found = _NETWORK.search(name)
    if found is not None:
        raise on_network(inside or name, found.group(0))
    rest = file_of(name).lstrip("\"'")
    while (system := _SYSTEM.match(rest)) is not None:
        if system.group("name").lower() not in _LOCAL_SYSTEMS:
            raise on_network(inside or name, system.group(0).rstrip("/?"))
        rest = rest[system.end() :].lstrip("{")
    if inside and _share(rest) and _share(rest) != _share(inside):
        raise on_network(inside, _share(rest))


def _surrogates(name: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in name)


def _share(name: str) -> str:
    """Return the server of a Windows path such as ``\\\\server\\share\\file``, or nothing."""
    found = re.match(r"\\\\[^\\/?.]+" if os.name != "nt" else r"(?:\\\\|//)[^\\/?.]+", name)
    return found.group(0).lower() if found else ""


def on_network(path: str, what: str) -> HyperKDError:
    """Return the refusal of a file that lies on a network, or leads there."""
    return HyperKDError(
        "unsupported_raster",
        f"{path} lies on a network ({what}).",
        "HyperKD reads local files only: download the raster first.",
        path=path,
    )


def file_of(name: str) -> str:
    """Return the file of a name such as ``NETCDF:"a.nc":reflectance``, a plain path as it is."""
    part = _PART.match(name)
    if part is None:
        return name
    rest = part.group("file")
    if name[:6].lower() == "vrt://":
        return rest.partition("?")[0]
    if rest.startswith('"'):
        return rest[1:].partition('"')[0]
    named = name[:7].upper() == "NETCDF:" or name[:5].upper() == "HDF5:"
    return (rest.rpartition(":")[0] if named else rest) or rest


def require_regular(path: str) -> None:
    """Refuse a pipe or a device in a file's place, or beside it: reading one may never end.

    Raises:
        HyperKDError: ``unreadable_raster``.
    """
    folder, name = os.path.split(os.path.abspath(path))
    stem = os.path.splitext(name)[0]
    if path.startswith("/vsi") or not stem or not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        alike = [entry.path for entry in entries if entry.name.startswith(stem)]
    for other in alike:
        if os.path.exists(other) and not os.path.isfile(other) and not os.path.isdir(other):
            raise HyperKDError(
                "unreadable_raster",
                f"{other} is a pipe or a device, not a file.",
                "Choose a file, and move pipes and devices out of its folder.",
                path=path,
            )


def local_sources(path: str) -> list[str]:
    """Return a raster and what it names, from file to file; refuse one that leads off the machine.

    Raises:
        HyperKDError: ``unsupported_raster``.
    """
    seen = {path: None}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        for name in _names_in(current):
            require_local(name, inside=current)
            if name not in seen:
                seen[name] = None
                waiting.append(name)
        if len(seen) > _MAX_FILES:
            raise HyperKDError(
                "unsupported_raster",
                f"{path} names more than {_MAX_FILES} files.",
                "Give a mosaic of fewer files.",
                path=path,
            )
    return list(seen)


def _names_in(path: str) -> Iterator[str]:
    """Yield what a raster and the files beside it name; a file that is missing names nothing."""
    file = file_of(path)
    if _INLINE.match(path):
        yield from _names_of(path, "")
        return
    if file != path:
        yield file
        return
    if is_vrt(path):
        yield from _names_of(_text(path), os.path.dirname(path))
    for suffix in _BESIDE:
        beside = path + suffix
        if not gdal.VSIStatL(beside):
            continue
        if suffix == ".aux.xml":
            yield from _names_of(_text(beside), os.path.dirname(path))
        elif is_vrt(beside):
            yield beside


def is_vrt(name: str) -> bool:
    """Return whether GDAL takes a file for a VRT; nothing that it names is opened."""
    try:
        return gdal.IdentifyDriverEx(name, allowed_drivers=["VRT"]) is not None
    except GDAL_ERRORS:  # no such file
        return False


# What stands in these names no file; a description may be the name of anything.
_NO_NAMES = frozenset(
    ("MDI", "SRS", "Description", "UnitType", "ColorInterp", "Category", "NoDataValue")
)


def texts_of_vrt(path: str) -> tuple[str, list[str]]:
    """Return the kind of a VRT (its ``subClass``), and every text in it but metadata."""
    tree = _parsed(path if _INLINE.match(path) else _text(path))
    kind, texts = "", []
    waiting = [] if tree is None else [("", tree)]
    while waiting:
        parent, (number, label, *children) = waiting.pop()
        if number == 1:
            texts.append(label)
        elif number == 2 and (parent, label) == ("VRTDataset", "subClass"):
            kind = children[0][1] if children else ""
        if label not in _NO_NAMES:
            waiting.extend((label, child) for child in children)
    return kind, texts


def _text(path: str) -> str:
    return head_of(path, _MAX_XML).decode("utf-8", errors="replace")


def head_of(path: str, size: int = _HEAD) -> bytes:
    """Return the first bytes of a file, in an archive too; nothing where it cannot be read."""
    file = gdal.VSIFOpenL(path, "rb")
    if file is None:
        return b""
    try:
        return bytes(gdal.VSIFReadL(1, size, file) or b"")
    finally:
        gdal.VSIFCloseL(file)


def _names_of(text: str, folder: str) -> Iterator[str]:
    """Yield the names in a VRT or a PAM file."""
    tree = _parsed(text)
    if tree is not None:
        yield from _names_of_element(tree, folder)


def _parsed(text: str) -> Any:
    """Return XML as GDAL's tree, or None where GDAL reads nothing from it either.

    Raises:
        HyperKDError: ``unsupported_raster`` where names in it could pass unseen.
    """
    if not text.isascii() and "<![CDATA[" in text:
        raise HyperKDError(
            "unsupported_raster",
            "A VRT or .aux.xml holds CDATA and letters beyond ASCII, so that the file names in "
            "it cannot be checked.",
            "Write names in it as plain text, or remove the .aux.xml beside the raster.",
        )
    # As references to characters: where GDAL complains about half of a letter, its bindings
    # leave an exception behind that some later call would raise.
    plain = text.encode("ascii", "xmlcharrefreplace").decode()
    try:
        return gdal.ParseXMLString(plain)
    except GDAL_ERRORS:
        return None


def _names_of_element(root: Any, folder: str) -> Iterator[str]:
    # GDAL's tree: [kind, text, child, ...] of kind 0 element, 1 text, 2 attribute.
    waiting = [root]
    while waiting:
        kind, label, *children = waiting.pop()
        if kind not in (0, 2):
            continue
        waiting.extend(child for child in children if child[0] in (0, 2))
        values = [child[1] for child in children if child[0] == 1]
        attributes = {child[1]: child[2][1] for child in children if child[0] == 2 and child[2:]}
        if label == "MDI":
            if attributes.get("key") not in _FILE_ITEMS:
                continue
            yield from (_beneath(value, folder) for value in values)
        elif label in _FILES:
            relative = attributes.get("relativeToVRT", attributes.get("relativetoVRT")) == "1"
            yield from (_beneath(value, folder) if relative else value for value in values)
        else:
            yield from (value for value in values if _NETWORK.search(value))


def _beneath(name: str, folder: str) -> str:
    plain = not _NETWORK.search(name) and _PART.match(name) is None
    return os.path.join(folder, name) if plain and folder else name


def unknown_format(path: str, vector: bool = False) -> Optional[HyperKDError]:
    """Return the refusal of a file in a format that GDAL knows and that is closed here."""
    head = head_of(path)
    for pattern, called in _CLOSED_FORMATS:
        found = pattern.search(head)
        if found is None:
            continue
        if called == "network":
            return on_network(path, found.group(0).decode("ascii"))
        return HyperKDError(
            "bad_labels" if vector else "unsupported_raster",
            f"{path} is a file of the format {called}, which is closed: it can write or load "
            "what it names.",
            f"If you trust it, convert it first: {_CONVERT_LAYER if vector else _CONVERT}",
            path=path,
        )
    return None


def convert_hint(vector: bool = False) -> str:
    """Return what to do with a file of a format that is not open."""
    return (
        f"A file of another format can be converted first: "
        f"{_CONVERT_LAYER if vector else _CONVERT} (docs/drivers.md lists the open ones)."
    )


def met_closed_network(message: str) -> bool:
    """Return whether GDAL failed because it tried to reach a network."""
    return DEAD_PROXY.partition(":")[0] in message or "VSIL_CURL_ALLOWED" in message
