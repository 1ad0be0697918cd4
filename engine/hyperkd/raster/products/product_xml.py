"""The XML that describes a delivery: parsed without entities, recognised by what it holds."""

from __future__ import annotations

import re
from typing import Any, Optional
from xml.etree import ElementTree  # nosec B405

from hyperkd.errors import HyperKDError
from hyperkd.raster.parsing import PARSING_ERRORS

# Real ones have 1 to 2 MB.
MAX_METADATA = 16 * 2**20
_LEVEL = re.compile(r"(?<![A-Z0-9])L\d[A-D]?(?![A-Z0-9])")


class _PlainXml(ElementTree.TreeBuilder):
    """Builds the tree without namespaces, and refuses a document type as soon as it begins.

    Entities can make a small file fill the memory; no product uses any, so none are read.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def start(self, tag: Any, attrs: Any) -> ElementTree.Element:
        """Begin an element."""
        return super().start(tag.rpartition("}")[2], attrs)

    def end(self, tag: Any) -> ElementTree.Element:
        """End an element."""
        return super().end(tag.rpartition("}")[2])

    def doctype(self, name: str, public: Optional[str], system: Optional[str]) -> None:
        """Refuse it."""
        raise HyperKDError(
            "bad_product",
            f"{self._name} declares a document type or entities, which no product's metadata does.",
            "Download it again from the data provider.",
        )


def parse_xml(content: bytes, name: str) -> ElementTree.Element:
    """Return the root of an XML file.

    Raises:
        HyperKDError: ``bad_product`` where it is not XML or declares entities.
    """
    try:
        parser = ElementTree.XMLParser(target=_PlainXml(name))  # noqa: S314 # nosec B314
        return ElementTree.fromstring(content, parser)  # noqa: S314 # nosec B314
    except PARSING_ERRORS as error:
        raise HyperKDError(
            "bad_product", f"{name} is not well-formed XML: {error}.", "Download it again."
        ) from error


def mission_of(root: ElementTree.Element) -> Optional[str]:
    """Return ``EnMAP`` or ``DESIS`` where a tree is the metadata of one, whatever its file's name.

    The two share most names: EnMAP's root is ``level_X`` and its bands are ``bandID``,
    those of DESIS are ``hsi_doc`` and ``band``.
    """
    said = f"{root.findtext('base/mission')} {root.findtext('base/format')}".upper()
    block = next(root.iter("bandCharacterisation"), None)  # the root itself, too
    single = None if block is None else block.find("band")
    if root.tag == "hsi_doc" or "DESIS" in said or single is not None:
        return "DESIS"
    if root.tag == "level_X" or "ENMAP" in said or block is not None:
        return "EnMAP"
    return None


def levels_in(*texts: Optional[str]) -> set[str]:
    """Return the processing levels that some texts name, for instance ``{"L2A"}``."""
    return {level for text in texts if text for level in _LEVEL.findall(text.upper())}


def number_of(element: ElementTree.Element, tag: str, band: str, name: str) -> float:
    """Return the number in a child of a band's element, NaN where there is no such child.

    Raises:
        HyperKDError: ``bad_product`` where it holds something else.
    """
    text: Optional[str] = element.findtext(tag)
    try:
        return float(text) if text is not None else float("nan")
    except ValueError:
        raise HyperKDError(
            "bad_product",
            f"{name}: {tag} of band {band} is {text!r}, not a number.",
            "Download the METADATA.XML again.",
        ) from None
