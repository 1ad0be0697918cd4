"""EnMAP L2A products: a folder, a zip or a METADATA.XML, with quality layers.

Layout and names: EnMAP-Box and SNAP readers, and products themselves; see
docs/products.md. The wavelengths, gains and offsets are in the XML only, the
GeoTIFF carries none.
"""

from __future__ import annotations

import lzma
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Optional
from xml.etree import ElementTree  # nosec B405

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.files import read_regular
from hyperkd.raster.parsing import PARSING_ERRORS
from hyperkd.types import BandTable, Wavelengths

NODATA = -32768  # the XML's backgroundValue is 0 in real L2A files and wrong
_METADATA_NAME = re.compile(r"^(?P<stem>.*)-METADATA(\.XML)+$", re.IGNORECASE)
_IMAGE = "SPECTRAL_IMAGE"
_IMAGE_SUFFIXES = {".tif", ".tiff", ".geotiff", ".bsq", ".bil", ".bip", ".jp2", ".jpeg2000"}
# bandStatistics marks a band without any data by these exact strings.
_EMPTY_BAND_STATISTICS = ("-1000000", "0")
# Real ones have 1 to 2 MB.
MAX_METADATA = 16 * 2**20
_COVER = ("cloudCover", "cloudShadow", "hazeCover", "cirrusCover", "snowCover", "waterCover")


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
        image: GDAL path of the spectral image.
        layers: GDAL path of each quality layer that is there and not empty,
            by its name in upper case, for instance ``QL_QUALITY_CLOUD``.
        empty: the images of 0 bytes, by the same names.
    """

    metadata: EnmapMetadata
    image: str
    layers: Mapping[str, str]
    empty: tuple[str, ...]

    @property
    def image_is_empty(self) -> bool:
        """Whether the spectral image is a file of 0 bytes, as a broken download leaves it."""
        return _IMAGE in self.empty


@dataclass(frozen=True)
class _Files:
    """The files of a folder or a zip: their sizes in bytes and GDAL's name for them."""

    root: Path
    sizes: Mapping[str, int]

    def gdal_path(self, name: str) -> str:
        if self.root.is_dir():
            return str(self.root / name)
        return f"/vsizip/{{{self.root}}}/{name}"

    def read(self, name: str) -> bytes:
        """Return the content of a small file.

        Raises:
            HyperKDError: ``bad_product`` where it is too large, damaged or encrypted.
        """
        if self.sizes[name] > MAX_METADATA:
            raise _too_large(name, self.sizes[name])
        if self.root.is_dir():
            return read_regular(self.root / name, MAX_METADATA)
        try:
            with zipfile.ZipFile(self.root) as archive, archive.open(name) as member:
                content = member.read(MAX_METADATA + 1)
        except (*PARSING_ERRORS, OSError, lzma.LZMAError) as error:
            raise HyperKDError(
                "bad_product",
                f"{name} in {self.root} cannot be unpacked: {error}.",
                "Download the product again, or unpack it with a program that can and give "
                "its folder.",
            ) from error
        if len(content) > MAX_METADATA:  # more than the list of the archive tells
            raise _too_large(name, len(content))
        return content


def _too_large(name: str, size: int) -> HyperKDError:
    return HyperKDError(
        "bad_product",
        f"{name} has {size} bytes; metadata of at most {MAX_METADATA} are read.",
        "Download the product again.",
    )


def is_enmap(path: Path) -> bool:
    """Return whether ``path`` is an EnMAP folder, zip or METADATA.XML (by its names only)."""
    if path.is_file() and _METADATA_NAME.match(path.name):
        return True
    if path.is_dir() or path.suffix.lower() == ".zip":
        return any(_METADATA_NAME.match(PurePosixPath(name).name) for name in _list(path).sizes)
    return False


def open_enmap(path: Path) -> EnmapProduct:
    """Find the files of an EnMAP product whose image can be read; see ``find_enmap``.

    Raises:
        HyperKDError: ``bad_product`` where the image is a file of 0 bytes, and
            what ``find_enmap`` raises.
    """
    product = find_enmap(path)
    if product.image_is_empty:
        raise HyperKDError(
            "bad_product",
            f"The {_IMAGE} of {path.name} is empty (0 bytes); all its empty images: "
            f"{', '.join(product.empty)}.",
            "Download the product again.",
            empty=list(product.empty),
        )
    return product


def find_enmap(path: Path) -> EnmapProduct:
    """Find the files of an EnMAP product, empty ones too, and read its metadata.

    Args:
        path: the product's folder, its zip, or the METADATA.XML inside a folder.

    Raises:
        HyperKDError: ``bad_product`` where the metadata or the image is missing,
            of another level, or ambiguous.
    """
    folder = path.parent if path.is_file() and path.suffix.lower() != ".zip" else path
    files = _list(folder)
    if path.is_file() and folder != path:
        candidates = [path.name]
    else:
        candidates = sorted(
            name for name in files.sizes if _METADATA_NAME.match(PurePosixPath(name).name)
        )
    if len(candidates) != 1:
        raise HyperKDError(
            "bad_product",
            f"{path} holds {len(candidates)} files named *-METADATA.XML"
            f"{': ' + ', '.join(candidates) if candidates else ''}.",
            "Give the folder, zip or METADATA.XML of exactly one EnMAP L2A product.",
        )
    metadata = parse_metadata(files.read(candidates[0]), candidates[0])
    stem = PurePosixPath(candidates[0]).name
    match = _METADATA_NAME.match(stem)
    prefix = (match.group("stem") if match else stem).upper() + "-"
    parts: dict[str, str] = {}
    for name in sorted(files.sizes):
        plain = PurePosixPath(name)
        if plain.name.upper().startswith(prefix) and plain.suffix.lower() in _IMAGE_SUFFIXES:
            part = plain.name[len(prefix) :].split(".")[0].upper()
            parts[part[:-4] if part.endswith("_COG") else part] = name
    empty = tuple(part for part, member in sorted(parts.items()) if files.sizes[member] == 0)
    image = parts.pop(_IMAGE, None)
    if image is None:
        raise HyperKDError(
            "bad_product",
            f"{path} has no {prefix}{_IMAGE} file.",
            "Unpack or download the whole product, METADATA.XML and image in one folder.",
        )
    layers = {part: files.gdal_path(n) for part, n in parts.items() if files.sizes[n] > 0}
    return EnmapProduct(metadata, files.gdal_path(image), layers, empty)


def _list(path: Path) -> _Files:
    if path.is_dir():
        return _Files(path, {p.name: p.stat().st_size for p in path.iterdir() if p.is_file()})
    try:
        with zipfile.ZipFile(path) as archive:
            return _Files(path, {i.filename: i.file_size for i in archive.infolist()})
    except (*PARSING_ERRORS, OSError) as error:
        raise HyperKDError(
            "bad_product", f"{path} cannot be read as a zip: {error}.", "Download it again."
        ) from error


def parse_metadata(content: bytes, name: str) -> EnmapMetadata:
    """Parse the bytes of a METADATA.XML.

    Raises:
        HyperKDError: ``bad_product`` where it is not XML, of another product
            level than L2A, or its band characterisation is incomplete.
    """
    try:
        parser = ElementTree.XMLParser(target=_PlainXml(name))  # noqa: S314 # nosec B314
        root = ElementTree.fromstring(content, parser)  # noqa: S314 # nosec B314
    except PARSING_ERRORS as error:
        raise HyperKDError(
            "bad_product", f"{name} is not well-formed XML: {error}.", "Download it again."
        ) from error
    level = (root.findtext("base/level") or "").strip()
    if level != "L2A":
        raise HyperKDError(
            "bad_product",
            f"{name} describes an EnMAP product of level {level or 'unknown'}.",
            "HyperKD reads surface reflectance: order the scene as L2A.",
        )
    return EnmapMetadata(
        schema=(root.findtext("metadata/schema/versionSchema") or "").strip(),
        bands=parse_bands(root, name),
        start_time=(root.findtext("base/temporalCoverage/startTime") or "").strip(),
        width=_pixels(root, "widthOfOrthoScene", name),
        height=_pixels(root, "heightOfOrthoScene", name),
        cover_percent=_covers(root),
    )


class _PlainXml(ElementTree.TreeBuilder):
    """Builds the tree, and refuses a document type as soon as it begins.

    Entities can make a small file fill the memory; EnMAP uses none, so none are read.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def doctype(self, name: str, public: Optional[str], system: Optional[str]) -> None:
        """Refuse it."""
        raise HyperKDError(
            "bad_product",
            f"{self._name} declares a document type or entities, which no EnMAP metadata does.",
            "Download it again from the data provider.",
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
        tag: np.array([_number(element, tag, name) for element in elements])
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


def _number(element: ElementTree.Element, tag: str, name: str) -> float:
    text: Optional[str] = element.findtext(tag)
    try:
        return float(text) if text is not None else float("nan")
    except ValueError:
        raise HyperKDError(
            "bad_product",
            f"{name}: {tag} of band {element.get('number')} is {text!r}, not a number.",
            "Download the METADATA.XML again.",
        ) from None
