"""Opening a delivered product, or a plain raster."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Optional, Union

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.bands.describe import GIVEN, Given
from hyperkd.raster.gdal.reader import GdalRaster, PlainRaster
from hyperkd.raster.products.array_files import ARRAY_SUFFIXES, array_product_of
from hyperkd.raster.products.delivery_files import DeliveryFiles, list_delivery
from hyperkd.raster.products.desis import DesisProduct, find_desis_by_name, read_desis_product
from hyperkd.raster.products.enmap import read_enmap_product
from hyperkd.raster.products.quality_masks import (
    DESIS_MASKS,
    ENMAP_MASKS,
    LayerTest,
    QualityMask,
    choose_masks,
    layer_masks,
)
from hyperkd.raster.products.recognise import Delivery, may_be_delivery, recognise
from hyperkd.raster.source import RasterSource
from hyperkd.types import BandTable


@dataclass(frozen=True)
class Product:
    """An opened product: its pixels, its optional mask, and what to note in the file.

    Attributes:
        kind: for instance ``EnMAP L2A``.
        source: the pixels with their band table; ``bands.origins["product"]`` says by
            what the product was recognised.
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
    return path.is_dir() or _is_described(path) or array_product_of(path) is not None


def _is_described(path: Path) -> bool:
    """Return whether an archive is given, or an XML file that is a product's metadata."""
    return may_be_delivery(path) and (path.suffix.lower() != ".xml" or recognise(path) is not None)


def open_product(
    product: Union[str, Path], mask: Sequence[str], *, where_offered: bool = False
) -> Product:
    """Open a delivered product, recognised by what it holds.

    Args:
        product: folder, zip, METADATA.XML, .he5, .nc, or any raster GDAL reads.
        mask: quality masks to apply.
        where_offered: leave out masks that products of this kind do not have, instead of
            refusing them.

    Raises:
        HyperKDError: ``unreadable_raster`` where there is no such file,
            ``bad_product`` where the product is incomplete or of another level,
            ``bad_job`` where a mask is asked of a product without quality layers.
    """
    try:
        return _open(Path(product), os.fspath(product), _Masks(mask, where_offered))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise HyperKDError(
            "unreadable_raster",
            f"{product} cannot be read: {error.strerror or error}.",
            "Check the path and that you may read the file and its folder.",
        ) from error


@dataclass(frozen=True)
class _Masks:
    """The masks that somebody asks for, and whether those that a product lacks are left out."""

    names: Sequence[str]
    where_offered: bool

    def of(self, offered: Collection[str]) -> Sequence[str]:
        if self.where_offered:
            return [name for name in self.names if name in offered]
        return self.names

    def in_layers(
        self,
        masks: Mapping[str, LayerTest],
        layers: Mapping[str, str],
        source: GdalRaster,
        kind: str,
    ) -> Optional[QualityMask]:
        """Return the masks that lie in files beside an image, which is closed where they fail."""
        names = self.of(masks)
        if not names:
            return None
        with _closed_on_error(source):
            return layer_masks(names, masks, layers, source.grid, kind)


def _open(path: Path, given: str, mask: _Masks) -> Product:
    found = recognise(path)
    if found is not None and found.mission == "EnMAP":
        return _open_enmap(found, mask)
    if found is not None:
        return _open_desis(read_desis_product(found.files, found.metadata), mask)
    inside = path
    if _is_described(path):
        files = list_delivery(path)
        product = find_desis_by_name(files)
        if product is not None:
            return _open_desis(product, mask)
        inside = _array_file_in(files)
    reader = array_product_of(inside)
    if reader is not None:
        source = reader(inside)
        with _closed_on_error(source):
            offered = source.masks() if mask.names else {}
            names = mask.of(offered)
            quality = choose_masks(names, offered, source.kind) if names else None
        return Product(source.kind, source, quality, {"sensor": source.kind.split()[0]})
    choose_masks(mask.of(()), {}, path.name)
    # Not the path: it would join the slashes of GDAL's own file systems.
    return Product("raster", GdalRaster(given, Given()))


@contextmanager
def _closed_on_error(source: RasterSource) -> Iterator[None]:
    """Close a raster that cannot be handed over."""
    try:
        yield
    except BaseException:
        source.close()
        raise


def _open_enmap(found: Delivery, mask: _Masks) -> Product:
    product = read_enmap_product(found.files, found.metadata)
    product.require_image()
    source = _open_image(product.images, product.metadata.bands, product.origin)
    quality = mask.in_layers(ENMAP_MASKS, product.layers, source, "EnMAP L2A")
    metadata = {"start_time": product.metadata.start_time, "sensor": "EnMAP"}
    return Product("EnMAP L2A", source, quality, metadata)


def _open_desis(product: DesisProduct, mask: _Masks) -> Product:
    source = _open_image(product.images, product.bands, product.origin)
    if product.bands is None:
        named = Problem("recognised_by_name", f"Taken for DESIS L2A by {product.origin}.")
        source.problems = (named, *source.problems)
    quality = mask.in_layers(DESIS_MASKS, product.layers, source, "DESIS L2A")
    metadata = {"sensor": "DESIS"}
    if product.start_time:
        metadata["start_time"] = product.start_time
    return Product("DESIS L2A", source, quality, metadata)


def _array_file_in(files: DeliveryFiles) -> Path:
    """Return the one HDF5 or netCDF product of a folder.

    Raises:
        HyperKDError: ``bad_product`` where there is none, several, or one in an archive.
    """
    names = [name for name in sorted(files.sizes) if name.lower().endswith(ARRAY_SUFFIXES)]
    if files.archived and names:
        raise HyperKDError(
            "bad_product",
            f"{files.given} holds {', '.join(names[:5])}, which cannot be read inside an archive.",
            f"Unpack the archive, and give {names[0]}.",
        )
    paths = [Path(files.inside) / name for name in names]
    found = [path for path in paths if array_product_of(path) is not None]
    if len(found) == 1:
        return found[0]
    if found:
        raise HyperKDError(
            "bad_product",
            f"{files.given} holds {len(found)} products: "
            f"{', '.join(path.name for path in found[:5])}.",
            "Give one of these files.",
        )
    raise HyperKDError(
        "bad_product",
        f"{files.given} is not a product that HyperKD knows: none of its {len(files.sizes)} files "
        "is the METADATA.XML of EnMAP or DESIS, a DESIS*-SPECTRAL_IMAGE.tif, or an HDF5 or "
        "netCDF file of a known product.",
        "Give the product's own folder, archive or image.",
    )


def _open_image(images: Sequence[str], bands: Optional[BandTable], origin: str) -> GdalRaster:
    """Open the spectral image of a product; of several, the one with the bands of its metadata."""
    if len(images) > 1 and bands is not None:
        counts = {image: _count_bands(image) for image in images}
        fitting = [image for image, count in counts.items() if count == len(bands)]
        if len(fitting) != 1:
            listed = [f"{Path(name).name} ({count} bands)" for name, count in counts.items()]
            raise HyperKDError(
                "bad_product",
                f"The metadata describes {len(bands)} bands, and {len(fitting)} of the images "
                f"beside it have as many: {', '.join(listed)}.",
                "Leave one image beside the METADATA.XML, or give the image itself.",
            )
        origin += f"; of {len(images)} images the one with its {len(bands)} bands"
        images = fitting
    source = GdalRaster(images[0], Given(bands))
    told = {key: text.replace(f"{GIVEN}: ", "") for key, text in source.bands.origins.items()}
    source.bands = replace(source.bands, origins={**told, "product": origin})
    return source


def _count_bands(image: str) -> int:
    raster = PlainRaster(image)
    try:
        return raster.count
    finally:
        raster.close()
