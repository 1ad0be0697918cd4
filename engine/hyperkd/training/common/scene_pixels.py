"""Where the pixels of the training scenes lie: in memory, in a cache, or in their files.

Nobody has to cut tiles beforehand. A raster of any sensor is brought to the
student's bands while it is read:

- ``memory``: once, and kept as int16. The fastest, and two bytes a value.
- ``cache``: once, into a file that is mapped into memory and used again by the next
  training. For more scenes than memory holds.
- ``files``: window by window, at every crop. Nothing is written, but compressed
  rasters are decoded again and again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Final, Optional, Union

import numpy as np
from numpy.lib.format import open_memmap

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.output_checks import make_folder
from hyperkd.problems import NOTE, tell_problems
from hyperkd.raster.grid import iterate_tiles
from hyperkd.raster.open_raster import open_raster
from hyperkd.raster.products.open_product import Product, is_product, open_product
from hyperkd.sentences import some
from hyperkd.spectral.hls_alignment import align_to_hls
from hyperkd.training.common.crops import (
    READ_PX,
    LeaveOut,
    MemoryScene,
    Pixels,
    PixelSource,
    ToStudentBands,
    has_place,
    read_scene,
    require_valid,
)
from hyperkd.types import BandTable, BoolArray, GridSpec, Reporter, Wavelengths, Window

# What `auto` keeps in memory; a laptop has room for more, but not for this and a training.
_MEMORY_BYTES: Final = 2 * 2**30
_FORMAT: Final = "hyperkd-scene-1"
_NO_ROOM: Final = "have no room for a crop"

Open = Callable[[str], Product]


def opener(
    masks: Sequence[str],
    table: Union[BandTable, str, None],
    scale: Optional[float],
    nodata: Optional[float],
) -> Open:
    """Return what opens a raster or product of a training.

    Args:
        masks: quality masks to apply to products that have such; other rasters have none.
        table, scale, nodata: as ``bands``, ``scale`` and ``nodata`` of ``open_raster``.
    """

    def open_one(path: str) -> Product:
        if table is None and scale is None and nodata is None and is_product(Path(path)):
            return open_product(Path(path), masks, where_offered=True)
        return Product("raster", open_raster(path, bands=table, scale=scale, nodata=nodata))

    return open_one


class FileScene:
    """A scene whose pixels are read from its raster whenever they are wanted.

    Each thread opens the raster for itself.

    Args:
        bands: the student's.
        name: what to call it in messages.
        report: can cancel the search for valid pixels.

    Raises:
        HyperKDError: as ``read_scene``.
    """

    def __init__(
        self, path: str, open_one: Open, bands: Wavelengths, name: str, report: Reporter
    ) -> None:
        self.name = name
        self._path, self._open, self._bands = path, open_one, bands
        self._opened: dict[int, tuple[Product, ToStudentBands]] = {}
        product, mapping = self._here()
        grid = product.source.grid
        self.known = mapping.known
        self.valid: BoolArray = np.zeros((grid.height, grid.width), np.bool_)
        for window in iterate_tiles(grid, READ_PX):
            report.check_cancelled()
            self.valid[window.slices()] = mapping.read(product.source, window)[1]
        require_valid(self.valid, name)

    def read(self, rows: slice, cols: slice) -> Pixels:
        """Return the pixels of a rectangle."""
        window = Window(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
        product, mapping = self._here()
        return mapping.read(product.source, window)[0]

    def close(self) -> None:
        """Close the raster; nothing may be read any more."""
        for product, _ in self._opened.values():
            product.source.close()
        self._opened.clear()

    def _here(self) -> tuple[Product, ToStudentBands]:
        """Return the raster of the thread that asks."""
        thread = threading.get_ident()
        if thread not in self._opened:
            product = self._open(self._path)
            mapping = ToStudentBands(product.source, self._bands, _leave_out(product))
            self._opened[thread] = product, mapping
        return self._opened[thread]


@dataclass(eq=False)
class Scenes:
    """The scenes of a training.

    Attributes:
        reading: how the pixels of the last one are kept.
        usable: those that have room for a crop.
        left_out: name of each other one, and why.
        notes: what to know about the usable ones, as sentences.
        pixel_m: side of the pixels of the usable ones in metres, where their files state them.
    """

    reading: str
    usable: list[PixelSource] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pixel_m: list[float] = field(default_factory=list)

    def close(self) -> None:
        """Close the rasters that are open."""
        for scene in self.usable:
            if isinstance(scene, FileScene):
                scene.close()

    def __enter__(self) -> Scenes:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def open_scenes(
    paths: Sequence[str],
    open_one: Open,
    bands: Wavelengths,
    tile_px: int,
    report: Reporter,
    *,
    reading: str,
    cache: Optional[Path],
    alignment: Optional[str],
    accept: Collection[str],
) -> Scenes:
    """Open the scenes of a training.

    One that is smaller than a crop, or has none with enough valid pixels (all cloud), is
    left out with a warning: among many scenes that is nothing to stop for. One that is
    given again counts once.

    Args:
        bands: the student's.
        tile_px: side of a crop.
        report: receives progress, and a warning for each scene that is left out.
        reading, cache: where pixels are kept, see ``DistillJob``.
        accept: codes of severe problems that the user accepts.
        alignment: demand that each scene covers the teacher's bands, see ``align_to_hls``.

    Raises:
        HyperKDError: ``no_valid_pixels`` where no scene is left, ``bad_job`` where all are
            too small; ``band_mismatch`` where one lacks bands; ``unaccepted_problem``; and as
            ``open_one``.
    """
    scenes = Scenes(reading="memory" if reading == "auto" else reading)
    want = _Want(open_one, bands, tile_px, cache, alignment, accept, report)
    room = _MEMORY_BYTES if reading == "auto" else math.inf
    paths = _once(paths, report)
    for number, path in enumerate(paths):
        report.check_cancelled()
        room = _take(scenes, want, path, room)
        report.progress(number + 1, len(paths), "scenes")
    for name, why in scenes.left_out:
        report.log("warning", f"{name} is left out: {why}.")
    if not scenes.usable:
        raise _none_left(scenes.left_out, tile_px)
    return scenes


def _once(paths: Sequence[str], report: Reporter) -> list[str]:
    """Return the paths without those given again: trained on, they would be held out too."""
    kept: dict[str, str] = {}
    for path in paths:
        real = os.path.normcase(os.path.realpath(path))
        if real in kept:
            report.log("warning", f"{Path(path).name} is given more than once; it counts once.")
        kept.setdefault(real, path)
    return list(kept.values())


@dataclass(frozen=True, eq=False)
class _Want:
    """What is the same for every scene; see ``open_scenes``."""

    open_one: Open
    bands: Wavelengths
    tile_px: int
    cache: Optional[Path]
    alignment: Optional[str]
    accept: Collection[str]
    report: Reporter


def _take(scenes: Scenes, want: _Want, path: str, room: float) -> float:
    """Add one scene to the usable ones or to those left out; return the memory that is left."""
    name = Path(path).name
    try:
        with want.open_one(path) as product:
            source = product.source
            tell_problems(source.problems, path, want.accept, want.report.problem, several=True)
            height, width = source.grid.height, source.grid.width
            if min(height, width) < want.tile_px:
                why = f"{width} x {height} pixels {_NO_ROOM} of {want.tile_px}"
                scenes.left_out.append((name, why))
                return room
            notes: tuple[str, ...] = ()
            if want.alignment is not None:
                notes = align_to_hls(source.bands, want.alignment).notes
            left = room - 2 * len(want.bands) * height * width
            if left < 0:
                scenes.reading = "cache"
            scene = _open(scenes.reading, product, path, name, want)
            if not has_place(scene.valid, want.tile_px):
                why = f"no {want.tile_px} x {want.tile_px} pixels of which enough are valid"
                scenes.left_out.append((name, why))
                if isinstance(scene, FileScene):
                    scene.close()
                return room
            scenes.usable.append(scene)
            odd = [problem.advice for problem in source.problems if problem.severity != NOTE]
            scenes.notes += [f"{name}: {note}" for note in (*odd, *notes)]
            scenes.pixel_m += _pixel_m(source.grid)
            return left
    except HyperKDError as error:
        if error.code != "no_valid_pixels":
            raise
        scenes.left_out.append((name, "no pixel is valid"))
        return room


def _pixel_m(grid: GridSpec) -> list[float]:
    """Return the side of a pixel in metres where the system is a projected one."""
    if grid.geotransform is None or not grid.crs_wkt.upper().startswith(("PROJCRS", "PROJCS")):
        return []
    return [math.hypot(grid.geotransform[1], grid.geotransform[4])]


def _open(reading: str, product: Product, path: str, name: str, want: _Want) -> PixelSource:
    if reading == "files":
        return FileScene(path, want.open_one, want.bands, name, want.report)
    if reading == "cache":
        if want.cache is None:
            raise ValueError("a cache needs a folder")
        return cached_scene(product, path, want.bands, name, want.cache, want.report)
    leave_out = _leave_out(product)
    return read_scene(product.source, want.bands, name, want.report, leave_out=leave_out)


def _leave_out(product: Product) -> Optional[LeaveOut]:
    return None if product.quality is None else product.quality.read


def cached_scene(
    product: Product, path: str, bands: Wavelengths, name: str, folder: Path, report: Reporter
) -> MemoryScene:
    """Return a scene whose pixels are mapped from a cache, filled where it is empty or damaged.

    The file's name is a checksum of all that its content depends on, so a changed
    raster never meets an old one; and it appears whole or not at all.

    Raises:
        HyperKDError: as ``read_scene``, ``unwritable_output`` and ``out_of_disk``.
    """
    make_folder(folder, "Choose a folder for the cache that you may write to.")
    source = product.source
    key = _key(product, path, bands)
    pixels_path, valid_path = (folder / f"{key}.{kind}.npy" for kind in ("pixels", "valid"))
    shape = (source.grid.height, source.grid.width, len(bands))
    if not _is_whole(pixels_path, valid_path, shape):
        with AtomicFile(pixels_path) as part:
            mapped: Any = open_memmap(part.temporary, "w+", np.int16, shape)  # type: ignore[no-untyped-call]
            valid = read_scene(source, bands, name, report, mapped, _leave_out(product)).valid
            mapped.flush()
            del mapped
        with AtomicFile(valid_path) as part, open(part.temporary, "wb") as file:
            np.save(file, valid, allow_pickle=False)
    return MemoryScene(
        name,
        np.load(pixels_path, mmap_mode="r", allow_pickle=False),
        np.load(valid_path, allow_pickle=False),
        ToStudentBands(source, bands).known,
    )


def _is_whole(pixels_path: Path, valid_path: Path, shape: tuple[int, int, int]) -> bool:
    """Return whether both files of a cached scene are there and as long as they must be."""
    try:
        pixels, valid = (
            np.load(path, mmap_mode="r", allow_pickle=False) for path in (pixels_path, valid_path)
        )
    except (OSError, ValueError, EOFError):  # missing, cut short, or of another format
        return False
    found = (pixels.shape, pixels.dtype, valid.shape, valid.dtype)
    return bool(found == (shape, np.int16, shape[:2], np.bool_))


def _key(product: Product, path: str, bands: Wavelengths) -> str:
    """Return a checksum of the raster's files, its masks, its band table, and our bands."""
    # An open raster knows the sources of a VRT, but not the quality layers of a product.
    stamps = sorted({*_stamps(path), *product.source.stamp()})
    table = product.source.bands
    masks = () if product.quality is None else product.quality.names
    about = json.dumps([_FORMAT, stamps, masks])
    digest = hashlib.sha256(about.encode())
    for values in (
        table.wavelengths.centre_nm,
        table.wavelengths.fwhm_nm,
        table.good,
        table.scale,
        table.offset,
        table.nodata,
        bands.centre_nm,
        bands.fwhm_nm,
    ):
        digest.update(b"none" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:32]


def _stamps(path: str) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of a file, or of all files of a product's folder."""
    root = Path(path)
    files = sorted(root.rglob("*")) if root.is_dir() else [root]
    stamps = []
    for each in files:
        if each.is_file():
            status = each.stat()
            stamps.append((os.path.realpath(each), status.st_size, status.st_mtime_ns))
    return stamps or [(path, 0, 0)]


def _none_left(left_out: Sequence[tuple[str, str]], tile_px: int) -> HyperKDError:
    listed = some([f"{name}: {why}" for name, why in left_out], separator="; ")
    if all(_NO_ROOM in why for _, why in left_out):
        return HyperKDError(
            "bad_job",
            f"No scene has room for a crop. {listed}.",
            f"Take smaller crops (tile, now {tile_px}), or larger scenes.",
        )
    return HyperKDError(
        "no_valid_pixels",
        f"No scene is left to train on. {listed}.",
        "Give scenes with clear land in them, and check their nodata values.",
    )
