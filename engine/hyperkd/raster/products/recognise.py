"""Which product a folder, archive or XML file is: by what its metadata holds, not by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from hyperkd.errors import HyperKDError
from hyperkd.raster.products.delivery_files import (
    DeliveryFiles,
    is_archive,
    is_metadata,
    list_delivery,
)
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
            several XML files describe products; ``unreadable_raster`` where a file or
            folder may not be read.
    """
    try:
        return _recognise(path) if may_be_delivery(path) else None
    except OSError as error:
        raise HyperKDError(
            "unreadable_raster",
            f"{path} cannot be read: {error.strerror or error}.",
            "Check the path and that you may read the file and its folder.",
        ) from error


def _recognise(path: Path) -> Optional[Delivery]:
    single = path.is_file() and not is_archive(path)
    files = list_delivery(path.parent if single else path)
    found = [
        Delivery(mission, files, name)
        for name in ([path.name] if single else files.metadata())
        if (mission := _mission(files, name, sure=single)) is not None
    ]
    if len(found) > 1:
        raise HyperKDError(
            "bad_product",
            f"{path} holds {len(found)} files named *-METADATA.XML: "
            f"{', '.join(one.metadata for one in found)}.",
            "Give the folder, archive or METADATA.XML of exactly one product.",
        )
    return found[0] if found else None


def _mission(files: DeliveryFiles, name: str, sure: bool) -> Optional[str]:
    """Return the mission that an XML file is of; a broken one counts where it must be one."""
    try:
        return mission_of(parse_xml(files.read(name), name))
    except HyperKDError:
        if sure or is_metadata(name):
            raise
        return None
