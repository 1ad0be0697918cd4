"""Band values of the files that a virtual raster (VRT) is put together from.

gdalbuildvrt and QGIS's "Build virtual raster" keep scale and nodata of the
tiles but drop wavelengths, FWHM and bad bands, though the tiles have them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # nosec B405

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.band_values import BandSource, property_of, source_of_items
from hyperkd.raster.gdal.opening import open_dataset
from hyperkd.raster.texts import decoded

_PLACE = "metadata of the VRT's sources"
_DOMAINS = ("IMAGERY", "")


def vrt_sources(path: str, dataset: Any, count: int) -> tuple[BandSource, ...]:
    """Return the band values on which all sources of a VRT agree, or why there are none.

    Args:
        path: the VRT.
        dataset: the open VRT.
        count: its number of bands.

    Raises:
        HyperKDError: ``unsupported_raster`` where a source lies on a network.
    """
    references = _references(path, dataset)
    if len(references) < count or not all(references):
        return ()
    known: dict[str, Any] = {}
    items: list[Mapping[str, str]] = []
    for number, sources in enumerate(references[:count], 1):
        found = [_items(known, name, band) for name, band in sources]
        other = next((one for one in found if _plain(one) != _plain(found[0])), None)
        if other is not None:
            return (BandSource(ignored=(_disagreement(number, found[0], other),)),)
        items.append(found[0])
    return (source_of_items(_PLACE, items),)


def _references(path: str, dataset: Any) -> list[list[tuple[str, int]]]:
    """Return for each band of a VRT the files and their bands that it shows."""
    # GDAL wrote this text itself, from what it had parsed: it holds no entities.
    root = ElementTree.fromstring(dataset.GetMetadata("xml:VRT")[0])  # noqa: S314 # nosec B314
    references = []
    for element in root.findall("VRTRasterBand"):
        sources = []
        for child in element:
            name, band = child.find("SourceFilename"), child.findtext("SourceBand", "1")
            if name is None or not name.text or not band.isdigit():
                continue
            folder = Path(path).parent if name.get("relativeToVRT") == "1" else Path()
            sources.append((os.fspath(folder / name.text), int(band)))
        references.append(sources)
    return references


def _items(known: dict[str, Any], name: str, band: int) -> Mapping[str, str]:
    """Return the items of a source's band that say something about its band values."""
    if name not in known:
        known[name] = _read_items(name)
    bands: Sequence[Mapping[str, str]] = known[name]
    return bands[band - 1] if band <= len(bands) else {}


def _read_items(name: str) -> list[Mapping[str, str]]:
    try:
        dataset, _ = open_dataset(name)
    except HyperKDError as error:
        if error.code == "unsupported_raster":
            raise
        return []  # reading the pixels will report what is wrong with it
    found: list[Mapping[str, str]] = []
    for number in range(1, int(dataset.RasterCount) + 1):
        band = dataset.GetRasterBand(number)
        items: dict[str, str] = {}
        for domain in _DOMAINS:
            for key, text in band.GetMetadata(domain).items():
                items[decoded(key)] = decoded(text)
        found.append({key: text for key, text in items.items() if property_of(key)[0]})
    return found


def _plain(items: Mapping[str, str]) -> dict[str, str]:
    """Return items that are equal where their numbers are: ``450`` and ``450.0``."""
    return {key: re.sub(r"(\.\d*?)0+$", r"\1", text).rstrip(".") for key, text in items.items()}


def _disagreement(number: int, one: Mapping[str, str], other: Mapping[str, str]) -> str:
    plain, others = _plain(one), _plain(other)
    key = next(k for k in sorted({*one, *other}) if plain.get(k) != others.get(k))
    return (
        f"The {_PLACE} is ignored: they disagree on the {key} of band {number} "
        f"({one.get(key, 'none')} and {other.get(key, 'none')})."
    )
