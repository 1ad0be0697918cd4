"""The formats of files that another file leads GDAL to: a VRT's sources, overviews, masks.

GDAL opens those with whatever driver takes them, not with the ones that were named for the
first file. In the engine's process there are no others. In somebody's Python session there
are, so each such file is looked at before the first is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, Optional

from osgeo import gdal

from hyperkd.engine_process import in_engine_process
from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.gdal_errors import GDAL_ERRORS
from hyperkd.raster.gdal.local_names import (
    CONNECTION,
    convert_hint,
    is_vrt,
    local_sources,
    texts_of_vrt,
    unknown_format,
)
from hyperkd.raster.gdal.restrictions import RASTER_DRIVERS, present

_BESIDE: Final = (".ovr", ".msk")
# Other kinds of VRT name files in places that differ from version to version.
_KINDS: Final = frozenset(("", "VRTWarpedDataset", "VRTPansharpenedDataset"))
_HINT: Final = "It can be opened by the command hyperkd, whose process has no other formats. "


def require_open_formats(sources: Sequence[str]) -> None:
    """Refuse a raster that leads to a file which a driver that is not open would read.

    Args:
        sources: the raster and what it names, see ``local_sources``.

    Raises:
        HyperKDError: ``unsupported_raster``.
    """
    if in_engine_process():
        return
    for name in sources:
        if name != sources[0]:
            _require_open(name)
        for other in (*(name + suffix for suffix in _BESIDE), *_named_in_vrt(name)):
            found = gdal.VSIStatL(other)
            if found and not found.IsDirectory():
                _require_open(other)


def require_open_overviews(path: str, dataset: Any) -> None:
    """Refuse overviews that a raster's own metadata place in a file of another format."""
    if in_engine_process():
        return
    try:
        named = dataset.GetMetadataItem("OVERVIEW_FILE", "OVERVIEWS")
    except GDAL_ERRORS:  # of damage elsewhere in the metadata, which GDAL tells once
        named = dataset.GetMetadataItem("OVERVIEW_FILE", "OVERVIEWS")
    if named:
        name = os.path.join(os.path.dirname(path), named.replace(":::BASE:::", "", 1))
        require_open_formats([path, *local_sources(name)])


def _named_in_vrt(path: str) -> Iterator[str]:
    """Yield whatever a VRT holds that can be the name of a file, wherever it stands in it."""
    if not is_vrt(path):
        return
    kind, texts = texts_of_vrt(path)
    if kind not in _KINDS:
        raise HyperKDError(
            "unsupported_raster",
            f"{path} is a VRT of the kind {kind}, which may lead to files of any format.",
            _HINT + convert_hint(),
            path=path,
        )
    folder = os.path.dirname(path)
    for text in texts:
        yield from (text, os.path.join(folder, text))


def _require_open(name: str) -> None:
    if gdal.VSIStatL(name) is None and not CONNECTION.search(name):
        return  # there is no such file: reading the pixels will fail and say so
    known = _driver(name, allowed_drivers=present(RASTER_DRIVERS))
    # Only where an open driver knows it: GDAL may try others by opening the file.
    chosen = known and _driver(name)
    if chosen not in RASTER_DRIVERS:
        raise unknown_format(name) or HyperKDError(
            "unsupported_raster",
            f"{name} is a file of the format {chosen}, which is closed."
            if chosen
            else f"{name} is a file that no open driver of GDAL reads.",
            _HINT + convert_hint(),
            path=name,
        )


def _driver(name: str, **among: Any) -> Optional[str]:
    """Return the driver that GDAL would open a raster with."""
    try:
        found = gdal.IdentifyDriverEx(name, gdal.OF_RASTER, **among)
    except GDAL_ERRORS:
        return None
    return None if found is None else str(found.ShortName)
