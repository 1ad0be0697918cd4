"""Which product a folder, archive or XML file is: by what its metadata holds, not by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from hyperkd.errors import HyperKDError
from hyperkd.raster.products.delivery_files import DeliveryFiles, is_archive, list_delivery
from hyperkd.raster.products.product_xml import mission_of, parse_xml


@dataclass(frozen=True)
class Delivery:
    """A delivery that an XML file describes.

    Attributes:
        mission: ``EnMAP`` or ``DESIS``.
        files: what the folder or archive holds.
        metadata: the name of the XML file among them.
    """

    mission: str
    files: DeliveryFiles
    metadata: str


def may_be_delivery(path: Path) -> bool:
    """Return whether a path is a folder, an archive or an XML file."""
    return path.is_dir() or is_archive(path) or (path.is_file() and path.suffix.lower() == ".xml")


def recognise(path: Path) -> Optional[Delivery]:
    """Return the EnMAP or DESIS delivery at a path, or None where no XML file tells one.

    Raises:
        HyperKDError: ``bad_product`` where an archive or the XML file is damaged, or
            several XML files describe products.
    """
    if not may_be_delivery(path):
        return None
    single = path.is_file() and not is_archive(path)
    files = list_delivery(path.parent if single else path)
    named = [path.name] if single else files.metadata()
    found = [
        Delivery(mission, files, name)
        for name in named
        if (mission := mission_of(parse_xml(files.read(name), name))) is not None
    ]
    if len(found) > 1:
        raise HyperKDError(
            "bad_product",
            f"{path} holds {len(found)} files named *-METADATA.XML: "
            f"{', '.join(one.metadata for one in found)}.",
            "Give the folder, archive or METADATA.XML of exactly one product.",
        )
    return found[0] if found else None
