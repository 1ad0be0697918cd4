"""Opening a delivered product (EnMAP L2A, PRISMA L2D, EMIT L2A, DESIS L2A) or a plain raster."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Optional, Union

from hyperkd.errors import HyperKDError
from hyperkd.raster.bands.describe import Given
from hyperkd.raster.gdal.reader import GdalRaster
from hyperkd.raster.products.enmap import is_enmap, open_enmap
from hyperkd.raster.products.enmap_quality import QualityMask
from hyperkd.raster.products.prisma_emit import EmitL2A, PrismaL2D, is_emit
from hyperkd.raster.source import RasterSource


@dataclass(frozen=True)
class Product:
    """An opened product: its pixels, its optional mask, and what to note in the file.

    Attributes:
        kind: for instance ``EnMAP L2A``.
        source: the pixels with their band table.
        quality: pixels the user wants to leave out, or None.
        metadata: dataset metadata for the imported file.
    """

    kind: str
    source: RasterSource
    quality: Optional[QualityMask] = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> Product:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.source.close()


def is_product(path: Path) -> bool:
    """Return whether a path is a delivered product rather than a raster file of its own."""
    return path.is_dir() or path.suffix.lower() == ".he5" or is_enmap(path) or is_emit(path)


def open_product(product: Union[str, Path], mask: Sequence[str]) -> Product:
    """Open a delivered product, recognised by its names and suffix.

    Args:
        product: folder, zip, METADATA.XML, .he5, .nc, or any raster GDAL reads.
        mask: quality masks to apply (EnMAP only).

    Raises:
        HyperKDError: ``unreadable_raster`` where there is no such file,
            ``bad_product`` where the product is incomplete or of another level,
            ``bad_job`` where a mask is asked of a product without quality layers.
    """
    try:
        return _open(Path(product), os.fspath(product), mask)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise HyperKDError(
            "unreadable_raster",
            f"{product} cannot be read: {error.strerror or error}.",
            "Check the path and that you may read the file and its folder.",
        ) from error


def _open(path: Path, given: str, mask: Sequence[str]) -> Product:
    if path.exists() and is_enmap(path):
        return _open_enmap(path, mask)
    if mask:
        raise HyperKDError(
            "bad_job",
            f"The masks {', '.join(mask)} need EnMAP quality layers, which {path.name} has not.",
            "Leave the masks out.",
        )
    if path.suffix.lower() == ".he5":
        return Product("PRISMA L2D", PrismaL2D(path))
    if is_emit(path):
        return Product("EMIT L2A", EmitL2A(path))
    if path.is_dir():
        return Product("DESIS L2A", GdalRaster(str(_desis_image(path)), Given()))
    # Not the path: it would join the slashes of GDAL's own file systems.
    return Product("raster", GdalRaster(given, Given()))


def _open_enmap(path: Path, mask: Sequence[str]) -> Product:
    product = open_enmap(path)
    source = GdalRaster(product.image, Given(product.metadata.bands))
    quality = QualityMask(product.layers, mask, source.grid) if mask else None
    metadata = {"start_time": product.metadata.start_time, "sensor": "EnMAP"}
    return Product("EnMAP L2A", source, quality, metadata)


def _desis_image(folder: Path) -> Path:
    """Return the image of a DESIS folder; its .hdr beside it names the wavelengths."""
    images = sorted(
        item
        for item in folder.iterdir()
        if item.name.upper().startswith("DESIS")
        and item.name.upper().endswith("SPECTRAL_IMAGE.TIF")
    )
    if len(images) != 1:
        raise HyperKDError(
            "bad_product",
            f"{folder} is not a product that HyperKD knows: no *-METADATA.XML of EnMAP and "
            f"{len(images)} DESIS*-SPECTRAL_IMAGE.tif.",
            "Give the product's own folder, zip or image.",
        )
    return images[0]
