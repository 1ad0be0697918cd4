"""The files of a delivery: a folder, a zip, or one zip in either. Nothing is unpacked to disk."""

from __future__ import annotations

import io
import lzma
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from hyperkd.errors import HyperKDError
from hyperkd.files import read_regular
from hyperkd.raster.parsing import PARSING_ERRORS
from hyperkd.raster.products.product_xml import MAX_METADATA

_METADATA_NAME = re.compile(r"-METADATA(\.XML)+$", re.IGNORECASE)
_NO_METADATA = re.compile(r"HISTORY|\.AUX\.XML$", re.IGNORECASE)
_ZIP: Final = b"PK\x03\x04"
_MAX_FILES: Final = 10_000
_MAX_DEPTH: Final = 4


@dataclass(frozen=True)
class DeliveryFiles:
    """The files of a folder or an archive; those that an operating system hides are left out.

    Attributes:
        given: the folder or archive that the user named.
        inside: GDAL's name of the folder or archive that the files lie in.
        sizes: their sizes in bytes, by names relative to ``inside``.
    """

    given: Path
    inside: str
    sizes: Mapping[str, int]

    def gdal_path(self, name: str) -> str:
        """Return GDAL's name for a file."""
        return f"{self.inside}/{name}" if self.archived else str(Path(self.inside) / name)

    @property
    def archived(self) -> bool:
        """Whether the files lie in an archive."""
        return self.inside.startswith("/vsi")

    def read(self, name: str) -> bytes:
        """Return the content of a small file.

        Raises:
            HyperKDError: ``bad_product`` where it is too large, damaged or encrypted.
        """
        if self.sizes[name] > MAX_METADATA:
            raise _too_large(name, self.sizes[name])
        if not self.archived:
            return read_regular(Path(self.inside) / name, MAX_METADATA)
        try:
            with _open_archive(self.inside) as archive, archive.open(name) as member:
                content = member.read(MAX_METADATA + 1)
        except (*PARSING_ERRORS, OSError, lzma.LZMAError) as error:
            raise HyperKDError(
                "bad_product",
                f"{name} in {self.given} cannot be unpacked: {error}.",
                "Download the product again, or unpack it with a program that can and give "
                "its folder.",
            ) from error
        if len(content) > MAX_METADATA:  # more than the list of the archive tells
            raise _too_large(name, len(content))
        return content

    def metadata(self) -> list[str]:
        """Return the XML files that may describe the product: named METADATA, else any."""
        xml = sorted(name for name in self.sizes if name.upper().endswith(".XML"))
        named = [name for name in xml if _METADATA_NAME.search(name)]
        return named or [name for name in xml if not _NO_METADATA.search(name)]


def _too_large(name: str, size: int) -> HyperKDError:
    return HyperKDError(
        "bad_product",
        f"{name} has {size} bytes; metadata of at most {MAX_METADATA} are read.",
        "Download the product again.",
    )


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip by its ending, or by its first bytes."""
    return path.is_file() and (path.suffix.lower() == ".zip" or first_bytes(path, 4) == _ZIP)


def first_bytes(path: Path, size: int) -> bytes:
    """Return how a file begins; nothing where it is none or cannot be read."""
    try:
        with path.open("rb") if path.is_file() else io.BytesIO() as file:
            return file.read(size)
    except OSError:
        return b""


def list_delivery(path: Path) -> DeliveryFiles:
    """Return the files of a folder or a zip.

    Where a folder's own files do not describe a product, those of its folders are listed
    too. A zip in it, or in a zip, stands for the product where it is the only one.

    Raises:
        HyperKDError: ``bad_product`` where an archive is damaged or there are several.
    """
    if path.is_dir():
        files = DeliveryFiles(path, str(path), _folder_sizes(path, depth=1))
        if not files.metadata():
            files = DeliveryFiles(path, str(path), _folder_sizes(path, _MAX_DEPTH))
    else:
        files = _zip_files(path, f"/vsizip/{{{path}}}")
    zips = sorted(name for name in files.sizes if name.lower().endswith(".zip"))
    if files.metadata() or not zips:
        return files
    if len(zips) > 1:
        raise HyperKDError(
            "bad_product",
            f"{path} holds {len(zips)} zips: {', '.join(zips[:5])}"
            f"{' and more' if len(zips) > 5 else ''}.",
            "Give one of them" + ("." if path.is_dir() else ", unpacked from the archive."),
        )
    return _zip_files(path, f"/vsizip/{{{files.gdal_path(zips[0])}}}")


def _zip_files(given: Path, inside: str) -> DeliveryFiles:
    try:
        with _open_archive(inside) as archive:
            return DeliveryFiles(
                given,
                inside,
                {i.filename: i.file_size for i in archive.infolist() if _shown(i.filename)},
            )
    except (*PARSING_ERRORS, OSError) as error:
        raise HyperKDError(
            "bad_product", f"{given} cannot be read as a zip: {error}.", "Download it again."
        ) from error


def _open_archive(inside: str) -> zipfile.ZipFile:
    """Open the zip that GDAL calls ``/vsizip/{name}``."""
    name = inside[len("/vsizip/{") : -1]
    if not name.startswith("/vsi"):
        return zipfile.ZipFile(name)
    from hyperkd.raster.gdal.vsi_file import open_vsi_file

    return zipfile.ZipFile(open_vsi_file(name))


def _folder_sizes(top: Path, depth: int) -> dict[str, int]:
    return dict(_walk(top, top, depth))


def _walk(folder: Path, top: Path, depth: int) -> Iterator[tuple[str, int]]:
    """Yield names relative to ``top`` and sizes; at most ``_MAX_FILES`` of a folder."""
    with os.scandir(folder) as entries:
        listed = [entry for entry, _ in zip(entries, range(_MAX_FILES))]
    for entry in sorted(listed, key=lambda entry: entry.name):
        if not _shown(entry.name):
            continue
        if entry.is_file():
            relative = PurePosixPath(Path(entry.path).relative_to(top))
            yield relative.as_posix(), entry.stat().st_size
        elif depth > 1 and entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), top, depth - 1)


def _shown(name: str) -> bool:
    """Return whether a file is the product's: macOS puts ``._*`` and ``__MACOSX`` beside."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith(".") or part == "__MACOSX" for part in parts)
