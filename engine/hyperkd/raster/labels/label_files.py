"""Label files of all kinds, read onto all scenes; see ``labels``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.raster.gdal.vector_layers import is_vector
from hyperkd.raster.gdal.vector_pixels import FeaturePixels, VectorLayer
from hyperkd.raster.labels.class_rasters import LabelledPixels, LabelRaster, Placement, is_shifted
from hyperkd.raster.labels.field_values import ClassTable, class_value, require_fields, target_value
from hyperkd.raster.labels.marks import Features, Marks, patches
from hyperkd.raster.source import RasterSource
from hyperkd.sentences import counted, some
from hyperkd.types import Reporter

# Features between two looks at whether the job was cancelled.
_CHECK_EVERY = 256

# Features that a note names.
_NAMED = 5

# What is reported about features that label nothing.
_WHY = {
    "outside": "Outside every scene",
    "small": "Without any centre of a pixel inside (after the margin), so give them as points "
    "or enlarge them",
    "empty": "Without a geometry",
    "unprojectable": "Without a place in the scene's reference system",
    "unlabelled": "Without a value in the field, ignored",
}


@dataclass(frozen=True, eq=False)
class FileLabels:
    """All that the label files say.

    Attributes:
        marks: one set for each scene.
        features: the features that they come from.
        classes: of a classification.
        targets: of a regression.
    """

    marks: tuple[Marks, ...]
    features: Features
    classes: ClassTable
    targets: tuple[str, ...]
    notes: tuple[str, ...]

    def feature_name(self, number: int) -> str:
        """Return how messages call a feature."""
        return self.features.name(int(number))


@dataclass(eq=False)
class LabelReader:
    """Reads label files of one task.

    Args:
        task: ``classification`` or ``regression``.
        fields: the fields that the user named.
        margin_px: see ``labels.read_labels``.
        features: numbers for features, filled here.
    """

    task: str
    fields: tuple[str, ...]
    margin_px: float
    features: Features
    classes: ClassTable = field(default_factory=ClassTable)
    targets: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    _parts: dict[int, list[Marks]] = field(default_factory=lambda: defaultdict(list))

    def read(
        self, sources: Sequence[RasterSource], paths: Sequence[str], report: Reporter
    ) -> FileLabels:
        """Read all files on all scenes.

        Raises:
            HyperKDError: see ``labels.read_labels``.
        """
        report.stage("Reading labels")
        for number, path in enumerate(paths):
            if is_vector(path):
                with VectorLayer(path) as layer:
                    self._read_layer(number, layer, sources, report)
            else:
                raster = LabelRaster(path, self.task, self.fields)
                try:
                    self._read_raster(raster, sources, report)
                finally:
                    raster.close()
            report.progress(number + 1, len(paths), "files")
        marks = tuple(
            Marks.join([self._nothing(), *self._parts[scene]]) for scene in range(len(sources))
        )
        return FileLabels(marks, self.features, self.classes, self.targets, tuple(self.notes))

    def _nothing(self) -> Marks:
        none = np.empty(0, np.int64)
        values = none if self.task == "classification" else np.empty((0, len(self.targets)))
        return Marks(none, none, none, values, np.empty(0, np.bool_))

    def _agree_on_targets(self, targets: Sequence[str], where: str) -> None:
        if self.targets and len(self.targets) != len(targets):
            raise HyperKDError(
                "bad_labels",
                f"{where} has {counted(len(targets), 'target')} ({some(targets)}), the files "
                f"before {len(self.targets)} ({some(self.targets)}).",
                "Name the fields or bands of the targets.",
            )
        self.targets = self.targets or tuple(targets)

    def _read_layer(
        self, file: int, layer: VectorLayer, sources: Sequence[RasterSource], report: Reporter
    ) -> None:
        if layer.count == 0:
            raise HyperKDError(
                "no_labels",
                f"{layer.name} has no features.",
                "Choose a layer with labels, or remove the filter of the layer.",
            )
        names = require_fields(self.fields, layer.fields, layer.name, self.task)
        if self.task == "regression":
            self._agree_on_targets(names, layer.name)
        why: dict[int, str] = {}
        for scene, source in enumerate(sources):
            for count, feature in enumerate(layer.features(source.grid, names, self.margin_px)):
                if count % _CHECK_EVERY == 0:
                    report.check_cancelled()
                marked, reason = self._mark(file, layer.name, names, feature)
                if marked is not None:
                    self._parts[scene].append(marked)
                    why[feature.fid] = ""
                elif why.get(feature.fid, "outside") == "outside":
                    why[feature.fid] = reason
        self._tell(layer, why, report)
        self.notes.extend(layer.notes)

    def _mark(
        self, file: int, layer: str, names: Sequence[str], feature: FeaturePixels
    ) -> tuple[Optional[Marks], str]:
        """Return the marks of a feature, or None and why there are none."""
        called = f"feature {feature.fid}"
        value: NDArray[Any]
        if self.task == "classification":
            found = class_value(feature.values[0], names[0], layer)
            if found is None:
                return None, "unlabelled"
            code = self.classes.code(found, layer)
            called += f" ({self.classes.name(code)})"
            value = np.array(code, np.int64)
        else:
            targets = [
                target_value(raw, name, layer, called) for raw, name in zip(feature.values, names)
            ]
            if None in targets:
                return None, "unlabelled"
            value = np.array(targets, np.float64)
        if feature.why_none:
            return None, feature.why_none
        number = self.features.number(file, feature.fid, f"{called} of {layer}")
        size = feature.rows.size
        return Marks(
            feature.rows,
            feature.cols,
            np.full(size, number, np.int64),
            np.repeat(value[None], size, axis=0),
            np.full(size, feature.pointlike),
        ), ""

    def _tell(self, layer: VectorLayer, why: dict[int, str], report: Reporter) -> None:
        """Note the features of a layer that label nothing, by name."""
        counts: Counter[str] = Counter()
        ids: dict[str, list[int]] = defaultdict(list)
        for fid, reason in chain(why.items(), _not_met(layer, why, report)):
            counts[reason] += 1
            ids[reason] = sorted([*ids[reason], fid])[:_NAMED]
        found = counts.pop("", 0)
        for reason, count in counts.items():
            self.notes.append(
                f"{_WHY[reason]}: {count} of {counted(layer.count, 'feature')} of {layer.name} "
                f"(id {some(ids[reason], count, _NAMED)})."
            )
        if not found and counts.keys() in ({"outside"}, {"outside", "empty"}):
            self.notes[-1] += self._where(layer)

    @staticmethod
    def _where(layer: VectorLayer) -> str:
        extent = layer.extent()
        if extent is None:
            return ""
        left, right, bottom, top = extent
        return (
            f" The layer reaches from {left:.10g} to {right:.10g} and from {bottom:.10g} to "
            f"{top:.10g} in {layer.crs or 'an unknown system'}."
        )

    def _read_raster(
        self, raster: LabelRaster, sources: Sequence[RasterSource], report: Reporter
    ) -> None:
        self.notes.extend(raster.legend.notes)
        if self.task == "regression":
            self._agree_on_targets(raster.targets, raster.name)
        else:
            self.classes.describe(raster.legend.names, raster.legend.colours, raster.name)
        placed: dict[int, Placement] = {}
        refused: dict[int, HyperKDError] = {}
        for scene, source in enumerate(sources):
            place = raster.place(source.grid)
            if isinstance(place, Placement):
                placed[scene] = place
            elif place is not None:
                refused[scene] = place
        if not placed and refused:
            raise next(iter(refused.values()))
        if not placed:
            self.notes.append(f"{raster.name} lies outside every scene.")
            return
        if len(placed) > 1 and raster.unplaced:
            raise HyperKDError(
                "bad_labels",
                f"{raster.name} has no geotransform and fits {len(placed)} scenes.",
                "Give scenes and labels a geotransform, or work with one scene at a time.",
                path=raster.path,
            )
        for scene, error in refused.items():
            why = error.message.partition(": ")[2]
            self.notes.append(f"{raster.name} is not used for {sources[scene].path}: {why}")
        self._place(raster, placed, report)

    def _place(self, raster: LabelRaster, placed: dict[int, Placement], report: Reporter) -> None:
        shift = max(place.shift_px for place in placed.values())
        if any(is_shifted(place) for place in placed.values()):
            self.notes.append(
                f"{raster.name} is shifted by {shift:.2f} pixels against the scene; each pixel "
                "takes the nearest label."
            )
        pixels = raster.read(list(placed.values()), report)
        if raster.zeros and raster.nodata not in (None, 0):
            self.notes.append(
                f"{raster.name} holds 0 in {counted(raster.zeros, 'pixel')}, although its nodata "
                f"value is {raster.nodata:g}; 0 labels nothing, so renumber the class if it is one."
            )
        if not pixels.rows.size:
            self.notes.append(f"{raster.name} holds no label at the scenes.")
            return
        if self.task == "classification":
            distinct, index = np.unique(pixels.values, return_inverse=True)
            codes = np.array([self.classes.code(int(v), raster.name) for v in distinct])
            values: NDArray[Any] = codes[index]
            patch = patches(pixels.rows, pixels.cols, pixels.values, raster.width)
        else:
            values = pixels.values
            same = np.zeros(pixels.rows.size, np.int64)
            patch = patches(pixels.rows, pixels.cols, same, raster.width)
        _, first = np.unique(patch, return_index=True)
        start = self.features.block(
            first.size, lambda i: _patch_name(raster.name, pixels, first[i])
        )
        for scene, place in placed.items():
            window = place.window
            here = (
                (pixels.rows >= window.row)
                & (pixels.rows < window.row_end)
                & (pixels.cols >= window.col)
                & (pixels.cols < window.col_end)
            )
            self._parts[scene].append(
                Marks(
                    pixels.rows[here] - place.row,
                    pixels.cols[here] - place.col,
                    start + patch[here],
                    values[here],
                    np.zeros(int(here.sum()), np.bool_),
                )
            )


def _not_met(
    layer: VectorLayer, met: Collection[int], report: Reporter
) -> Iterator[tuple[int, str]]:
    """Yield the features that are not even near a scene, and why they label nothing."""
    if len(met) == layer.count:
        return
    for count, (fid, has_geometry) in enumerate(layer.geometries()):
        if count % _CHECK_EVERY == 0:
            report.check_cancelled()
        if fid not in met:
            yield fid, "outside" if has_geometry else "empty"


def _patch_name(raster: str, pixels: LabelledPixels, first: int) -> str:
    return f"the patch at column {pixels.cols[first]}, row {pixels.rows[first]} of {raster}"
