"""A scene and a model in Python: opened once, looked at, and handed to any job."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hyperkd.jobs.validate import parse_options
from hyperkd.open_scene import look_at_scene
from hyperkd.problems import Problem, tell_problems
from hyperkd.reporting import RecordingReporter
from hyperkd.requests.shared_options import BandOptions, TileOptions
from hyperkd.sentences import counted
from hyperkd.types import BandTable, BoolArray, FloatArray, GridSpec, Reporter, Window

if TYPE_CHECKING:
    import xarray

    from hyperkd.models.bundle import Bundle
    from hyperkd.models.card import ModelCard

WindowLike = Union[Window, Sequence[int]]
PathLike = Union[str, "os.PathLike[str]"]


class Scene:
    """A hyperspectral raster; see ``open``. Closed at the end of a ``with`` block.

    Attributes:
        path: the file.
        options: what was said about its bands instead of what the file says.
    """

    def __init__(self, path: str, options: BandOptions) -> None:
        self.path, self.options = path, options
        self._source = look_at_scene(path, options)

    @property
    def bands(self) -> BandTable:
        """What is known about every band of the file: wavelengths, validity, scale, nodata."""
        return self._source.bands

    @property
    def wavelengths(self) -> FloatArray:
        """``(bands,)`` float64 band centres in nm, in the order of the file."""
        return self.bands.wavelengths.centre_nm

    @property
    def grid(self) -> GridSpec:
        """Size, geotransform and coordinate reference system."""
        return self._source.grid

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, rows, columns."""
        return len(self.bands), self.grid.height, self.grid.width

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was inferred or is odd about the file; see docs/problems.md."""
        return tuple(self._source.problems)

    def to_numpy(
        self, window: Optional[WindowLike] = None, bands: Optional[Sequence[int]] = None
    ) -> NDArray[Any]:
        """Return the stored values ``(band, row, col)`` in the dtype of the file.

        Args:
            window: a ``Window``, or column, row, width and height; default: the whole scene,
                which has to fit into memory.
            bands: 0-based bands in the order wanted; default: all.

        Raises:
            HyperKDError: ``unreadable_raster``, ``input_changed``.
        """
        return self._source.read(self._window(window), bands)

    def valid(self, window: Optional[WindowLike] = None) -> BoolArray:
        """Return ``(row, col)`` bool, True where a pixel carries a spectrum; see ``to_numpy``."""
        return self._source.read_tile(self._window(window)).valid

    def reflectance(
        self, window: Optional[WindowLike] = None, bands: Optional[Sequence[int]] = None
    ) -> NDArray[np.float32]:
        """Return reflectance 0 to 1, ``(band, row, col)`` float32; see ``to_numpy``.

        Reflectance is stored value x scale + offset of the band. NaN where the pixel is not
        valid or the band is marked as bad.
        """
        tile = self._source.read_tile(self._window(window), bands)
        table = tile.bands
        values = tile.data * table.scale[:, None, None] + table.offset[:, None, None]
        keep = tile.valid & table.good[:, None, None]
        return np.where(keep, values, np.nan).astype(np.float32)

    def to_xarray(self, window: Optional[WindowLike] = None) -> xarray.DataArray:
        """Return reflectance as a DataArray with the dimensions ``band``, ``y``, ``x``.

        Coordinates: ``wavelength`` and, where known, ``fwhm`` in nm, ``good`` (bool) along
        ``band``; the centres of the pixels along ``x`` and ``y`` where the grid is not
        rotated, in the units of the reference system, which is the attribute ``crs_wkt``.

        Raises:
            ImportError: without xarray (the extra ``xarray``).
        """
        import xarray

        area = self._window(window)
        table = self.bands
        coords: dict[str, Any] = {
            "band": np.arange(1, len(table) + 1),
            "wavelength": ("band", self.wavelengths, {"units": "nm"}),
            "good": ("band", table.good),
        }
        if table.wavelengths.fwhm_nm is not None:
            coords["fwhm"] = ("band", table.wavelengths.fwhm_nm, {"units": "nm"})
        transform = self.grid.geotransform
        if transform is not None and transform[2] == transform[4] == 0:
            columns = np.arange(area.col, area.col_end) + 0.5
            rows = np.arange(area.row, area.row_end) + 0.5
            coords["x"] = transform[0] + columns * transform[1]
            coords["y"] = transform[3] + rows * transform[5]
        return xarray.DataArray(
            self.reflectance(area),
            dims=("band", "y", "x"),
            coords=coords,
            name=Path(self.path).stem,
            attrs={"long_name": "reflectance", "units": "1", "crs_wkt": self.grid.crs_wkt},
        )

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        self._source.close()

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        nm = self.wavelengths
        lines = [
            f"Scene {self.path}",
            f"{counted(len(self.bands), 'band')} ({int(self.bands.good.sum())} good), "
            f"{nm.min():.0f} to {nm.max():.0f} nm, {self.grid.width} x {self.grid.height} pixels",
        ]
        return "\n  ".join([*lines, *(f"problem: {text}" for text in self.problems)])

    def _window(self, window: Optional[WindowLike]) -> Window:
        if window is None:
            return self.grid.window
        return window if isinstance(window, Window) else Window(*map(int, window))


class Model:
    """A student or a fine-tuned model; see ``load_model``.

    Attributes:
        bundle: the opened file.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @property
    def path(self) -> str:
        """The .onnx file."""
        return str(self.bundle.path)

    @property
    def card(self) -> ModelCard:
        """What it expects, what it gives, how it was trained and tested."""
        return self.bundle.card

    def at(
        self,
        scene: Scene,
        rows: ArrayLike,
        cols: ArrayLike,
        *,
        report: Optional[Reporter] = None,
        **options: Any,
    ) -> NDArray[np.float32]:
        """Return what the model says at some pixels, the same as in a map of the whole scene.

        Args:
            scene: the scene.
            rows, cols: ``(n,)`` 0-based pixels.
            report: where progress goes; default: nowhere.
            options: ``overlap``, ``batch`` and ``device``, as in ``predict``.

        Returns:
            ``(n, k)`` float32: probabilities of the classes of the card, values of its
            targets in their units, or the embedding of a student; NaN where not valid.

        Raises:
            HyperKDError: as ``predict``, ``unaccepted_problem`` among them.
            ValueError: where a pixel lies outside the scene.
        """
        from hyperkd.inference.classify import probabilities
        from hyperkd.inference.predict import ANSWERS, predict_at

        heard = RecordingReporter(report)
        tell_problems(scene.problems, scene.path, scene.options.accept, heard.problem)
        heard.stage("Predicting at pixels")
        wanted = ["embedding"] if self.card.task == "pretrain" else ANSWERS
        found = predict_at(
            scene._source,  # noqa: SLF001 - the two classes are one interface
            self.bundle,
            (rows, cols),
            options=parse_options(TileOptions, options),
            outputs=wanted,
            report=heard,
        )
        if self.card.task != "classification":
            return found
        return probabilities(found.T[:, None, :], self.card.temperature)[:, 0].T

    def __repr__(self) -> str:
        card = self.card
        said = [str(item["name"]) for item in (*card.classes, *card.targets)]
        return f"Model {card.name} ({card.task}): {', '.join(said) or 'embedding'}; {self.path}"


def open(
    path: PathLike,
    *,
    bands: Optional[PathLike] = None,
    scale: Optional[float] = None,
    nodata: Optional[float] = None,
    accept: Sequence[str] = (),
) -> Scene:
    """Open a hyperspectral raster.

    Args:
        path: any raster with wavelengths that the engine reads; products are imported first,
            see ``import_product``.
        bands, scale, nodata: what to believe instead of the file, as in every job.
        accept: codes of severe problems that are no reason to stop a model; opening a file
            never stops for one, see ``Scene.problems``.

    Raises:
        HyperKDError: ``unreadable_raster``, ``no_wavelengths``, ``bad_scale`` and others; see
            docs/errors.md.
    """
    said = {
        "bands": None if bands is None else os.fspath(bands),
        "scale": scale,
        "nodata": nodata,
        "accept": list(accept),
    }
    return Scene(os.fspath(path), parse_options(BandOptions, said))


def load_model(name: PathLike) -> Model:
    """Load a model by the name of a shipped or stored one, or by the path of an .onnx file.

    Raises:
        HyperKDError: ``bad_model``.
    """
    from hyperkd.models.bundle import open_bundle
    from hyperkd.models.store.registry import resolve

    return Model(open_bundle(resolve(os.fspath(name))))
