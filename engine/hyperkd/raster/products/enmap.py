"""EnMAP L2A products: a folder, a zip or a METADATA.XML, with quality layers.

Layout and names: EnMAP-Box and SNAP readers, and products themselves; see
docs/products.md. The wavelengths, gains and offsets are in the XML only, the
GeoTIFF carries none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree import ElementTree  # nosec B405

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.raster.products.delivery_files import DeliveryFiles
from hyperkd.raster.products.product_xml import number_of, parse_xml
from hyperkd.types import BandTable, Wavelengths

NODATA = -32768  # the XML's backgroundValue is 0 in real L2A files and wrong
_IMAGE = "SPECTRAL_IMAGE"
IMAGE_SUFFIXES = {".tif", ".tiff", ".geotiff", ".bsq", ".bil", ".bip", ".jp2", ".jpeg2000"}
# bandStatistics marks a band without any data by these exact strings.
_EMPTY_BAND_STATISTICS = ("-1000000", "0")
_COVER = ("cloudCover", "cloudShadow", "hazeCover", "cirrusCover", "snowCover", "waterCover")
_PART = re.compile(r"(?P<part>SPECTRAL_IMAGE|QL_[A-Z0-9_]+?)(?:_COG)?\.[A-Z0-9]+$")
_PREFIX = re.compile(r"^(?P<stem>.*-)METADATA(\.XML)+$", re.IGNORECASE)


@dataclass(frozen=True)
class EnmapMetadata:
    """What METADATA.XML says.

    Attributes:
        schema: version of the XML schema, for instance ``00.02.00``.
        bands: the band table in the delivered order, in reflectance 0 to 1.
        start_time: acquisition time as ISO text, or an empty string.
        width, height: size of the ortho scene in pixels.
        cover_percent: cloudCover and the like in percent of the scene.
    """

    schema: str
    bands: BandTable
    start_time: str
    width: int
    height: int
    cover_percent: Mapping[str, float]


@dataclass(frozen=True)
class EnmapProduct:
    """One L2A product and where its files are.

    Attributes:
        metadata: the parsed METADATA.XML.
        origin: which file says that this is EnMAP, and how.
        images: GDAL paths of the spectral images; more than one where a cloud optimised
            copy or another file lies beside.
        layers: GDAL path of each quality layer that is there and not empty,
            by its name in upper case, for instance ``QL_QUALITY_CLOUD``.
        empty: the images of 0 bytes, by the same names.
    """

    metadata: EnmapMetadata
    origin: str
    images: tuple[str, ...]
    layers: Mapping[str, str]
    empty: tuple[str, ...]

    @property
    def image_is_empty(self) -> bool:
        """Whether the spectral image is a file of 0 bytes, as a broken download leaves it."""
        return not self.images

    def require_image(self) -> None:
        """Refuse a product whose image is a file of 0 bytes.

        Raises:
            HyperKDError: ``bad_product``.
        """
        if self.image_is_empty:
            raise HyperKDError(
                "bad_product",
                f"The {_IMAGE} is empty (0 bytes); all empty images of the product: "
                f"{', '.join(self.empty)}.",
                "Download the product again.",
                empty=list(self.empty),
            )


def read_enmap_product(files: DeliveryFiles, name: str) -> EnmapProduct:
    """Find the files of an EnMAP product, empty ones too, and read its metadata.

    Args:
        files: those of its folder or archive.
        name: the METADATA.XML among them.

    Raises:
        HyperKDError: ``bad_product`` where the metadata is of another level or
            broken, or the image is missing.
    """
    plain = PurePosixPath(name).name
    metadata = parse_metadata(files.read(name), name)
    found = _PREFIX.match(plain)
    prefix = found.group("stem").upper() if found else ""
    images: list[str] = []
    others: list[str] = []
    layers: dict[str, str] = {}
    empty = set()
    for member in sorted(files.sizes):
        image = PurePosixPath(member)
        if image.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        part = _PART.search(image.name.upper())
        if part is None or not image.name.upper().startswith(prefix):
            others.append(files.gdal_path(member))
        elif files.sizes[member] == 0:
            empty.add(part.group("part"))
        elif part.group("part") == _IMAGE:
            images.append(files.gdal_path(member))
        else:
            layers[part.group("part")] = files.gdal_path(member)
    if not images and _IMAGE not in empty:
        images = others  # renamed; who opens them counts their bands
    if not images and _IMAGE not in empty:
        raise HyperKDError(
            "bad_product",
            f"{files.given} has no {prefix}{_IMAGE} file.",
            "Unpack or download the whole product, METADATA.XML and image in one folder.",
        )
    origin = f"{plain}: EnMAP's level_X, base/level L2A"
    return EnmapProduct(metadata, origin, tuple(images), layers, tuple(sorted(empty)))


def parse_metadata(content: bytes, name: str) -> EnmapMetadata:
    """Parse the bytes of a METADATA.XML.

    Raises:
        HyperKDError: ``bad_product`` where it is not XML, of another product
            level than L2A, or its band characterisation is incomplete.
    """
    root = parse_xml(content, name)
    bands = parse_l2a_bands(root, name)
    return EnmapMetadata(
        schema=(root.findtext("metadata/schema/versionSchema") or "").strip(),
        bands=bands,
        start_time=(root.findtext("base/temporalCoverage/startTime") or "").strip(),
        width=_pixels(root, "widthOfOrthoScene", name),
        height=_pixels(root, "heightOfOrthoScene", name),
        cover_percent=_covers(root),
    )


def _pixels(root: ElementTree.Element, tag: str, name: str) -> int:
    text = (root.findtext(f"specific/{tag}") or "0").strip()
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise HyperKDError(
            "bad_product",
            f"{name}: {tag} is {text[:60]!r}, no number of pixels.",
            "Download the METADATA.XML again.",
        )
    return int(text)


def _covers(root: ElementTree.Element) -> dict[str, float]:
    """Return the fractions that it gives; an entry that is not a number is left out."""
    found = {}
    for key in _COVER:
        try:
            value = float(root.findtext(f"specific/qualityFlag/{key}") or "nan")
        except ValueError:
            continue
        if math.isfinite(value):
            found[key] = value
    return found


def parse_l2a_bands(root: ElementTree.Element, name: str) -> BandTable:
    """Return the band table of a METADATA.XML tree of level L2A; see ``parse_bands``.

    Raises:
        HyperKDError: ``bad_product`` for another level, and as ``parse_bands``.
    """
    level = (root.findtext("base/level") or "").strip()
    if level != "L2A":
        raise HyperKDError(
            "bad_product",
            f"{name} describes an EnMAP product of level {level or 'unknown'}.",
            "HyperKD reads surface reflectance: order the scene as L2A, or make it with EnPT.",
        )
    return parse_bands(root, name)


def parse_bands(root: ElementTree.Element, name: str) -> BandTable:
    """Return the band table of a METADATA.XML tree, or of its band characterisation alone.

    Reflectance = stored value x GainOfBand + OffsetOfBand. Bands whose
    statistics say "no data" are marked bad.

    Raises:
        HyperKDError: ``bad_product`` where a number is missing or unreadable.
    """
    block = (
        root if root.tag == "bandCharacterisation" else root.find("specific/bandCharacterisation")
    )
    elements = [] if block is None else block.findall("bandID")
    if not elements:
        raise HyperKDError(
            "bad_product",
            f"{name} has no specific/bandCharacterisation.",
            "Give the METADATA.XML of an EnMAP L2A product.",
        )
    columns = {
        tag: np.array([number_of(item, tag, item.get("number", ""), name) for item in elements])
        for tag in ("wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand")
    }
    empty = {
        element.get("number")
        for element in root.findall("product/bandStatistics/bandID")
        if (element.findtext("mean"), element.findtext("stdDeviation")) == _EMPTY_BAND_STATISTICS
    }
    numbers = [element.get("number", "") for element in elements]
    return BandTable(
        wavelengths=Wavelengths(columns["wavelengthCenterOfBand"], columns["FWHMOfBand"]),
        good=np.array([number not in empty for number in numbers]),
        scale=columns["GainOfBand"],
        offset=columns["OffsetOfBand"],
        nodata=np.full(len(elements), float(NODATA)),
        names=tuple(f"EnMAP band {number}" for number in numbers),
        origins={
            "wavelength": "METADATA.XML wavelengthCenterOfBand",
            "units": "METADATA.XML (always nm)",
            "fwhm": "METADATA.XML FWHMOfBand",
            "good": "METADATA.XML bandStatistics",
            "scale": "METADATA.XML GainOfBand, OffsetOfBand",
            "nodata": "the EnMAP L2A convention",
        },
    )
