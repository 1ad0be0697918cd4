"""The files of a delivery: a folder, a zip, a tar, or a zip in one. None is written to disk."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Final

from hyperkd.errors import HyperKDError
from hyperkd.files import read_regular
from hyperkd.raster.parsing import PARSING_ERRORS
from hyperkd.raster.products.product_xml import MAX_METADATA

_METADATA_NAME = re.compile(r"-METADATA(\.XML)+$", re.IGNORECASE)
_NO_METADATA = re.compile(r"HISTORY|\.AUX\.XML$", re.IGNORECASE)
_ZIP: Final = b"PK\x03\x04"
_GZIP: Final = b"\x1f\x8b"
_TAR: Final = b"ustar"  # at byte 257
# A member may be so much larger than its whole archive; images in deflated tars are not.
_MOST_GROWTH: Final = 100
_MOST_HEADER: Final = 2**16
_LONG_NAMES: Final = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_MAX_FILES: Final = 10_000
_MAX_DEPTH: Final = 4


@dataclass(frozen=True)
class DeliveryFiles:
    """The files of a folder or an archive; those that an operating system hides are left out.

    Attributes:
        given: the folder or archive that the user named.
        inside: the folder, or GDAL's name of the zip that the files lie in.
        sizes: their sizes in bytes, by names relative to ``inside``.
        begins: for files of a tar the byte at which each begins.
    """

    given: Path
    inside: str
    sizes: Mapping[str, int]
    begins: Mapping[str, int] = field(default_factory=dict)

    def gdal_path(self, name: str) -> str:
        """Return GDAL's name for a file."""
        if name in self.begins:
            # By its place, as GDAL's own reader of tars does not know all long names.
            return f"/vsisubfile/{self.begins[name]}_{self.sizes[name]},{self.inside}"
        return f"{self.inside}/{name}" if self.archived else str(Path(self.inside) / name)

    @property
    def archived(self) -> bool:
        """Whether the files lie in an archive."""
        return self.inside.startswith("/vsi") or bool(self.begins)

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
            with self._open(name) as member:
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

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        if name in self.begins:
            from hyperkd.raster.gdal.vsi_file import open_vsi_file

            with open_vsi_file(self.gdal_path(name)) as member:
                yield member
        else:
            with _open_zip(self.inside) as archive, archive.open(name) as member:
                yield member

    def metadata(self) -> list[str]:
        """Return the XML files that may describe the product: named METADATA, else any."""
        xml = sorted(name for name in self.sizes if name.upper().endswith(".XML"))
        named = [name for name in xml if is_metadata(name)]
        return named or [name for name in xml if not _NO_METADATA.search(name)]


def is_metadata(name: str) -> bool:
    """Return whether a file is named as the metadata of a delivery."""
    return _METADATA_NAME.search(name) is not None


def _too_large(name: str, size: int) -> HyperKDError:
    return HyperKDError(
        "bad_product",
        f"{name} has {size} bytes; metadata of at most {MAX_METADATA} are read.",
        "Download the product again.",
    )


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip by its ending, or a zip or tar by its first bytes."""
    return path.is_file() and (
        path.suffix.lower() == ".zip" or first_bytes(path, 4) == _ZIP or _is_tar(path)
    )


def _is_tar(path: Path) -> bool:
    head = first_bytes(path, 262)
    if head.startswith(_GZIP):
        try:
            with gzip.open(path) as file:
                head = file.read(262)
        except (*PARSING_ERRORS, OSError):
            return False
    return head[257:] == _TAR


class _Entry(tarfile.TarInfo):
    """A header of a tar; tarfile reads long names into memory, however long they say they are."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _LONG_NAMES and self.size > _MOST_HEADER:
            raise tarfile.ReadError(f"a name of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]


def first_bytes(path: Path, size: int) -> bytes:
    """Return how a file begins; nothing where it is none or cannot be read."""
    try:
        with path.open("rb") if path.is_file() else io.BytesIO() as file:
            return file.read(size)
    except OSError:
        return b""


def list_delivery(path: Path) -> DeliveryFiles:
    """Return the files of a folder or an archive.

    Where a folder's own files do not describe a product, those of its folders are listed
    too. A zip in it, in a zip or in a tar stands for the product where it is the only one.

    Raises:
        HyperKDError: ``bad_product`` where an archive is damaged or there are several.
    """
    if path.is_dir():
        files = DeliveryFiles(path, str(path), _folder_sizes(path, depth=1))
        if not files.metadata():
            files = DeliveryFiles(path, str(path), _folder_sizes(path, _MAX_DEPTH))
    elif _is_tar(path):
        files = _tar_files(path)
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
            "Give one of them."
            if path.is_dir()
            else f"Unpack one of them and give it, for instance: tar -xf {path.name} {zips[0]}"
            if _is_tar(path)
            else f"Unpack one of them and give it, for instance {zips[0]}.",
        )
    return _zip_files(path, f"/vsizip/{{{files.gdal_path(zips[0])}}}")


def _tar_files(path: Path) -> DeliveryFiles:
    """Return the files of a tar; a deflated one is read through, in little memory.

    Raises:
        HyperKDError: ``bad_product`` where it is damaged, or holds what would never end.
    """
    sizes: dict[str, int] = {}
    places: dict[str, int] = {}
    most = _MOST_GROWTH * path.stat().st_size
    deflated = first_bytes(path, 2) == _GZIP
    try:
        with tarfile.open(path, "r:gz" if deflated else "r:", tarinfo=_Entry) as archive:
            for member in archive:
                if member.size > most or len(sizes) >= _MAX_FILES:
                    raise HyperKDError(
                        "bad_product",
                        f"{path} holds more than {_MAX_FILES} files, or {member.name[:80]} is "
                        f"{_MOST_GROWTH} times as large as the archive.",
                        "Unpack the product yourself, and give its folder.",
                    )
                if member.isfile() and _shown(member.name):
                    sizes[member.name] = member.size
                    places[member.name] = member.offset_data
    except (*PARSING_ERRORS, tarfile.TarError, OSError) as error:
        raise HyperKDError(
            "bad_product", f"{path} cannot be read as a tar: {error}.", "Download it again."
        ) from error
    inside = f"/vsigzip/{path}" if deflated else str(path)
    return DeliveryFiles(path, inside, sizes, places)


def _zip_files(given: Path, inside: str) -> DeliveryFiles:
    try:
        with _open_zip(inside) as archive:
            return DeliveryFiles(
                given,
                inside,
                {i.filename: i.file_size for i in archive.infolist() if _shown(i.filename)},
            )
    except (*PARSING_ERRORS, OSError) as error:
        raise HyperKDError(
            "bad_product", f"{given} cannot be read as a zip: {error}.", "Download it again."
        ) from error


def _open_zip(inside: str) -> zipfile.ZipFile:
    """Open the zip that GDAL calls ``/vsizip/{name}``."""
    name = inside[len("/vsizip/{") : -1]
    if not name.startswith("/vsi"):
        return zipfile.ZipFile(name)
    from hyperkd.raster.gdal.vsi_file import open_vsi_file

    return zipfile.ZipFile(open_vsi_file(name))


def _folder_sizes(top: Path, depth: int) -> dict[str, int]:
    """Return sizes by names relative to ``top``, of the first ``_MAX_FILES`` entries."""
    sizes: dict[str, int] = {}
    waiting, left = [(top, depth)], _MAX_FILES
    while waiting and left > 0:
        folder, levels = waiting.pop()
        with os.scandir(folder) as entries:
            listed = [entry for entry, _ in zip(entries, range(left))]
        left -= len(listed)
        for entry in sorted(listed, key=lambda entry: entry.name):
            if not _shown(entry.name):
                continue
            if entry.is_file():
                relative = PurePosixPath(Path(entry.path).relative_to(top))
                sizes[relative.as_posix()] = entry.stat().st_size
            elif levels > 1 and entry.is_dir(follow_symlinks=False):
                waiting.append((Path(entry.path), levels - 1))
    return sizes


def _shown(name: str) -> bool:
    """Return whether a file is the product's: macOS puts ``._*`` and ``__MACOSX`` beside."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith(".") or part == "__MACOSX" for part in parts)
