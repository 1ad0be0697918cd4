"""DESIS L2A products: a folder, a zip or a METADATA.xml, with quality layers.

Structure: EnMAP-Box, ACOLITE and hyperproc readers; see docs/products.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Optional
from xml.etree import ElementTree  # nosec B405

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.raster.products.delivery_files import DeliveryFiles
from hyperkd.raster.products.enmap import IMAGE_SUFFIXES
from hyperkd.raster.products.product_xml import levels_in, number_of, parse_xml
from hyperkd.types import BandTable, Wavelengths

_NODATA = -32768
_IMAGE = re.compile(r"SPECTRAL_IMAGE(_COG)?\.[A-Z0-9]+$", re.IGNORECASE)
_LAYER = re.compile(r"(?P<part>QL_(QUALITY(-2)?|IMAGE))\.[A-Z0-9]+$", re.IGNORECASE)
_NAMED = re.compile(r"^DESIS", re.IGNORECASE)
_ORDER = "HyperKD reads surface reflectance: order the scene as L2A."


@dataclass(frozen=True)
class DesisProduct:
    """One L2A product and where its files are.

    Attributes:
        bands: the band table of its METADATA.xml, or None where there is none: the header
            beside the image tells them then.
        origin: which file says that this is DESIS, and how.
        images: GDAL paths of the spectral images.
        layers: GDAL path of the quality layers, by their names in upper case.
        start_time: acquisition time as ISO text, or an empty string.
    """

    bands: Optional[BandTable]
    origin: str
    images: tuple[str, ...]
    layers: Mapping[str, str]
    start_time: str = ""


def read_desis_product(files: DeliveryFiles, name: str) -> DesisProduct:
    """Find the files of a DESIS product and read its metadata.

    Args:
        files: those of its folder or archive.
        name: the METADATA.xml among them.

    Raises:
        HyperKDError: ``bad_product`` where the metadata is of another level or
            broken, or the image is missing.
    """
    plain = PurePosixPath(name).name
    root = parse_xml(files.read(name), plain)
    bands = parse_desis(root, plain)
    images = _images(files, plain.upper().partition("-METADATA")[0])
    start = (root.findtext("base/temporalCoverage/startTime") or "").strip()
    origin = f"{plain}: {root.tag} of DESIS, level L2A"
    return DesisProduct(bands, origin, images, _layers(files), start)


def find_desis_by_name(files: DeliveryFiles) -> Optional[DesisProduct]:
    """Return the product of a folder or archive without METADATA.xml, or None.

    Raises:
        HyperKDError: ``bad_product`` where the name says another level than L2A.
    """
    named = [name for name in files.sizes if _NAMED.match(PurePosixPath(name).name)]
    images = _images(DeliveryFiles(files.given, files.inside, dict.fromkeys(named, 1)), "")
    if len(images) != 1:
        return None
    plain = PurePosixPath(images[0]).name
    _require_l2a(levels_in(plain), plain)
    return DesisProduct(None, f"the name {plain}; there is no METADATA.xml", images, _layers(files))


def _images(files: DeliveryFiles, prefix: str) -> tuple[str, ...]:
    rasters = [
        name
        for name in sorted(files.sizes)
        if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES and not _LAYER.search(name)
    ]
    named = [
        name
        for name in rasters
        if _IMAGE.search(name) and PurePosixPath(name).name.upper().startswith(prefix)
    ]
    if not rasters and prefix:
        raise HyperKDError(
            "bad_product",
            f"{files.given} has no {prefix}-SPECTRAL_IMAGE file.",
            "Unpack or download the whole product, METADATA.xml and image in one folder.",
        )
    # Renamed ones: who opens them counts their bands.
    return tuple(files.gdal_path(name) for name in named or (rasters if prefix else ()))


def _layers(files: DeliveryFiles) -> dict[str, str]:
    found = ((name, _LAYER.search(name)) for name in sorted(files.sizes) if files.sizes[name])
    return {m.group("part").upper(): files.gdal_path(name) for name, m in found if m is not None}


def _require_l2a(levels: set[str], name: str) -> None:
    if levels != {"L2A"}:
        raise HyperKDError(
            "bad_product",
            f"{name} describes a DESIS product of level {' or '.join(sorted(levels)) or 'unknown'}"
            f"{', radiance' if levels & {'L1B', 'L1C'} else ''}.",
            _ORDER,
        )


def parse_desis(root: ElementTree.Element, name: str) -> BandTable:
    """Return the band table of a METADATA.xml tree.

    Reflectance = stored value x gainOfBand + offsetOfBand. Bands come by their
    bandNumber, which is their order in the image.

    Raises:
        HyperKDError: ``bad_product`` for another level than L2A, or where a number
            is missing or unreadable.
    """
    texts = (root.findtext(path) for path in ("base/level", "base/productType", "specific/level"))
    _require_l2a(levels_in(*texts) or levels_in(name), name)
    block = next(root.iter("bandCharacterisation"), None)
    elements = [] if block is None else block.findall("band")
    if not elements:
        raise HyperKDError(
            "bad_product",
            f"{name} has no bandCharacterisation/band.",
            "Give the METADATA.xml of a DESIS L2A product.",
        )
    numbers = [(item.findtext("bandNumber") or "").strip() for item in elements]
    if sorted(numbers) != sorted(str(n) for n in range(1, len(elements) + 1)):
        raise HyperKDError(
            "bad_product",
            f"{name}: bandNumber does not count its {len(elements)} bands from 1.",
            "Download the METADATA.xml again.",
        )
    elements = [item for _, item in sorted(zip(map(int, numbers), elements), key=lambda p: p[0])]
    centre, fwhm, gain, offset = (
        np.array([number_of(item, tag, str(n), name) for n, item in enumerate(elements, 1)])
        for tag in ("wavelengthCenterOfBand", "wavelengthWidthOfBand", "gainOfBand", "offsetOfBand")
    )
    return BandTable(
        wavelengths=Wavelengths(centre, fwhm),
        good=np.ones(centre.size, bool),
        scale=gain,
        offset=offset,
        nodata=np.full(centre.size, float(_NODATA)),
        names=tuple(f"DESIS band {number + 1}" for number in range(centre.size)),
        origins={
            "wavelength": "METADATA.xml wavelengthCenterOfBand",
            "units": "METADATA.xml (always nm)",
            "fwhm": "METADATA.xml wavelengthWidthOfBand",
            "good": "no bad bands declared",
            "scale": "METADATA.xml gainOfBand, offsetOfBand",
            "nodata": "the DESIS L2A convention",
        },
    )
