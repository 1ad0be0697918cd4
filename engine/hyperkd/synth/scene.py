"""A simulated EnMAP scene on disk, with its truth layers."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.sink import ClassEntry, RasterSink, RasterSpec
from hyperkd.requests.prepare_options import SynthJob
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.synth.covers import COVERS
from hyperkd.synth.landscape import PIXEL_M, Landscape
from hyperkd.synth.mixing import ILLUMINATION, TRAITS, dominant, mix, points
from hyperkd.synth.physics_spectra import load_prosail
from hyperkd.synth.scene_draw import SceneDraw, draw_scene
from hyperkd.synth.sensor import NODATA, Sensor, fine_responses, make_sensor
from hyperkd.synth.surface_spectra import SpectralLibrary
from hyperkd.types import Float32Array, FloatArray, GridSpec, Reporter, Window

# Pixels computed at once, and written at once: the latter is the block size of
# the files, so that no block is compressed twice.
COMPUTE_PX = 128
WRITE_PX = 256


@dataclass(frozen=True)
class Layers:
    """A window of all layers of a scene.

    Attributes:
        scene: ``(224, H, W)`` int16 digital numbers.
        classes: ``(1, H, W)`` uint8, 0 outside the footprint.
        abundances: ``(covers, H, W)`` float32, NaN outside the footprint.
        traits: ``(traits + 1, H, W)`` float32, NaN where undefined.
    """

    scene: NDArray[Any]
    classes: NDArray[Any]
    abundances: NDArray[Any]
    traits: NDArray[Any]


class SimulatedScene:
    """A simulated scene that can be computed window by window, in any order."""

    def __init__(
        self,
        width: int,
        height: int,
        seed: int,
        border: float,
        hidden: Optional[FloatArray] = None,
    ) -> None:
        """Draw the scene's parameters and compute its spectra.

        Args:
            seed: the same seed gives the same scene.
            border: share of the raster outside the footprint, 0 to 0.5.
            hidden: ``(224,)`` reflectance that is added after all else, times a
                field from 0 to 1 (:meth:`hidden_share`); see ``metamers``.

        Raises:
            HyperKDError: ``bad_job`` where a number is out of its range,
                ``missing_dependency`` without the package prosail.
        """
        load_prosail()
        self.width, self.height, self.seed, self.border = width, height, seed, border
        self.draw: SceneDraw = draw_scene(seed)
        self.bands = sensor_bands("enmap")
        self.sensor: Sensor = make_sensor(self.bands, seed)
        self.library = SpectralLibrary(self.draw, fine_responses(self.bands))
        self.landscape = Landscape(self.draw, seed)
        self.hidden = None if hidden is None else np.asarray(hidden, np.float32)[:, None, None]
        self.grid = _grid(width, height, seed)

    def render(self, window: Window) -> Layers:
        """Return all layers of a window that starts at a multiple of ``COMPUTE_PX``."""
        shape = window.height, window.width
        layers = Layers(
            np.full((len(self.bands), *shape), NODATA, np.int16),
            np.zeros((1, *shape), np.uint8),
            np.full((len(COVERS), *shape), np.nan, np.float32),
            np.full((len(TRAITS) + 1, *shape), np.nan, np.float32),
        )
        for part in _cut(window, COMPUTE_PX):
            inside = self.footprint(part)
            if inside.any():
                self._render_part(layers, part, window, inside)
        return layers

    def _render_part(
        self, layers: Layers, part: Window, window: Window, inside: NDArray[np.bool_]
    ) -> None:
        ground = self.landscape(points(part.row, part.height), points(part.col, part.width))
        pixels = mix(ground, self.library)
        # A key of its own for each part keeps the noise free of the order of parts.
        generator = np.random.default_rng([self.seed, 0x401, part.row, part.col])
        signal = self.sensor.measure(pixels.reflectance)
        hidden = None if self.hidden is None else self.hidden * self.hidden_share(part)
        rows, cols = part.slices(window)
        for target, values in (
            (layers.scene, self.sensor.digitise(signal, generator, hidden)),
            (layers.classes, dominant(pixels.abundances)[None]),
            (layers.abundances, pixels.abundances),
            (layers.traits, pixels.traits),
        ):
            np.copyto(target[:, rows, cols], values, where=inside)

    def hidden_share(self, window: Window) -> Float32Array:
        """Return the truth of the hidden signal, ``(H, W)`` from 0 to 1."""
        rows = np.arange(window.row, window.row_end) + 0.5
        cols = np.arange(window.col, window.col_end) + 0.5
        return self.landscape.hidden(rows, cols)

    def footprint(self, window: Window) -> NDArray[np.bool_]:
        """Return ``(H, W)`` bool, whether the centre of each pixel lies in the footprint.

        The footprint is a parallelogram with one corner on each side of the
        raster, a square turned clockwise where the raster is a square, as the
        descending orbit turns it.
        """
        corner = (1 - np.sqrt(1 - 2 * self.border)) / 2
        x = (np.arange(window.col, window.col_end) + 0.5)[None, :] / self.width
        y = (np.arange(window.row, window.row_end) + 0.5)[:, None] / self.height
        rest = 1 - corner
        # Corners (corner, 0), (1, corner), (rest, 1), (0, rest): one test per side.
        inside: NDArray[np.bool_] = (
            (rest * y >= corner * (x - corner))
            & (rest * (1 - x) >= corner * (y - corner))
            & (rest * (1 - y) >= corner * (rest - x))
            & (rest * x >= corner * (rest - y))
        )
        return inside


def _cut(window: Window, size: int) -> Iterator[Window]:
    """Yield the parts of a window, cut at multiples of ``size`` from its corner."""
    for row in range(window.row, window.row_end, size):
        for col in range(window.col, window.col_end, size):
            yield Window(col, row, min(size, window.col_end - col), min(size, window.row_end - row))


def _grid(width: int, height: int, seed: int) -> GridSpec:
    """Return a UTM grid of 30 m somewhere in central Europe."""
    generator = np.random.default_rng([seed, 0x961D])
    zone = int(generator.integers(31, 35))
    left = 300000.0 + PIXEL_M * int(generator.integers(0, 10000))
    top = 5200000.0 + PIXEL_M * int(generator.integers(0, 25000))
    return GridSpec(
        width, height, (left, PIXEL_M, 0.0, top, 0.0, -PIXEL_M), crs_wkt=_utm_north_wkt(zone)
    )


def _utm_north_wkt(zone: int) -> str:
    """Return the OGC WKT 1 of WGS 84 / UTM north, which only zone and meridian distinguish."""
    return (
        f'PROJCS["WGS 84 / UTM zone {zone}N",GEOGCS["WGS 84",DATUM["WGS_1984",'
        'SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],'
        'AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],'
        'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]],'
        'PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],'
        f'PARAMETER["central_meridian",{6 * zone - 183}],PARAMETER["scale_factor",0.9996],'
        'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],'
        'UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH],'
        f'AUTHORITY["EPSG","{32600 + zone}"]]'
    )


def truth_paths(output: str) -> dict[str, str]:
    """Return the paths of the truth layers of a scene, by role."""
    stem, _ = os.path.splitext(output)
    return {role: f"{stem}_{role}.tif" for role in ("classes", "abundances", "traits")}


def synth(request: SynthJob, report: Reporter) -> dict[str, Any]:
    """Simulate an EnMAP-like scene and write it with its truth layers.

    Returns:
        Paths, size, shares of the covers (dominant in their pixel) and the share
        of pixels with data.

    Raises:
        HyperKDError: ``bad_job``, ``missing_dependency``, ``unwritable_output``,
            ``out_of_disk`` or ``cancelled``; no file is left then.
    """
    report.stage("Preparing spectra")
    scene = SimulatedScene(request.width, request.height, request.seed, request.border)
    report.check_cancelled()
    paths = {"output": request.output, **(truth_paths(request.output) if request.truth else {})}
    counts = np.zeros(len(COVERS) + 1, dtype=np.int64)
    report.stage("Simulating")
    sinks: dict[str, RasterSink] = {}
    with contextlib.ExitStack() as undo:
        for role, path in paths.items():
            sinks[role] = _create(role, path, scene)
            # Nothing to undo after a commit, everything before.
            undo.callback(sinks[role].abort)
        for window in _cut(scene.grid.window, WRITE_PX):
            report.check_cancelled()
            layers = scene.render(window)
            counts += np.bincount(layers.classes.ravel(), minlength=counts.size)
            for role, sink in sinks.items():
                sink.write(window, getattr(layers, "scene" if role == "output" else role))
            done = min(
                window.row_end * request.width,
                window.row * request.width + window.height * window.col_end,
            )
            report.progress(done, request.width * request.height, "px")
        # The scene comes last: where it exists, its truth does.
        for role in reversed(list(sinks)):
            sinks[role].commit()
        undo.pop_all()
    for role, path in paths.items():
        report.artifact(role, path)
    return _summary(scene, paths, counts)


def _create(role: str, path: str, scene: SimulatedScene) -> RasterSink:
    about: dict[str, Any] = {"seed": scene.seed, "border": scene.border}
    count, nodata = 1, float("nan")
    dtype: np.dtype[Any] = np.dtype(np.float32)
    bands, names, units, classes = None, None, None, None
    if role == "output":
        about |= scene.draw.as_metadata()
        bands, count, dtype, nodata = scene.bands, len(scene.bands), np.dtype(np.int16), NODATA
    elif role == "classes":
        names, dtype, nodata = ["land cover"], np.dtype(np.uint8), 0
        classes = [ClassEntry(item.name, item.colour) for item in COVERS]
    elif role == "abundances":
        names = [item.name for item in COVERS]
    else:
        traits = (*TRAITS, ILLUMINATION)
        names = [trait.name for trait in traits]
        units = [trait.unit for trait in traits]
    return create_raster(
        path,
        RasterSpec(
            scene.grid,
            count if names is None else len(names),
            dtype,
            nodata=nodata,
            bands=bands,
            names=names,
            units=units,
            classes=classes,
            metadata={"hyperkd_synth": json.dumps(about, sort_keys=True)},
        ),
    )


def _summary(
    scene: SimulatedScene, paths: Mapping[str, str], counts: NDArray[np.int64]
) -> dict[str, Any]:
    valid = int(counts[1:].sum())
    return {
        **paths,
        "width": scene.width,
        "height": scene.height,
        "seed": scene.seed,
        "valid_share": valid / int(counts.sum()),
        "class_shares": {
            item.name: int(count) / valid for item, count in zip(COVERS, counts[1:]) if count
        },
    }
