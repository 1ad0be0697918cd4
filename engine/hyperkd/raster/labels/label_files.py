"""Label files of all kinds, read onto all scenes; see ``labels``."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem
from hyperkd.raster.gdal.vector_layers import is_vector
from hyperkd.raster.gdal.vector_pixels import FeaturePixels, VectorLayer
from hyperkd.raster.labels.class_names import clean_name, has_decimal_comma
from hyperkd.raster.labels.class_rasters import LabelledPixels, LabelRaster, Placement, is_shifted
from hyperkd.raster.labels.field_values import (
    ClassTable,
    ClassValue,
    class_value,
    require_fields,
    target_value,
)
from hyperkd.raster.labels.marks import Features, Marks, patches
from hyperkd.raster.labels.missing_labels import MissingRule, words_problem
from hyperkd.raster.labels.unlabelled_features import CHECK_EVERY, TOLD, unlabelled_notes
from hyperkd.raster.source import RasterSource
from hyperkd.sentences import counted, some
from hyperkd.types import Reporter

# Distinct values at each end of a raster's that may be codes for "no label".
_ENDS = 500
_Values = tuple[Union[ClassValue, float], ...]


@dataclass(frozen=True, eq=False)
class FileLabels:
    """All that the label files say.

    Attributes:
        marks: one set for each scene.
        features: the features that they come from.
        classes: of a classification.
        targets: of a regression.
        notes: what else is to be told.
        problems: what is odd, and in which file.
    """

    marks: tuple[Marks, ...]
    features: Features
    classes: ClassTable
    targets: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[tuple[Problem, str], ...]

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
        missing: which values are no labels.
    """

    task: str
    fields: tuple[str, ...]
    margin_px: float
    features: Features
    missing: MissingRule
    classes: ClassTable = field(default_factory=ClassTable)
    targets: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    problems: list[tuple[Problem, str]] = field(default_factory=list)
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
        told = (tuple(self.notes), tuple(self.problems))
        return FileLabels(marks, self.features, self.classes, self.targets, *told)

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
        words: dict[str, set[int]] = defaultdict(set)
        met: list[tuple[int, FeaturePixels, _Values]] = []
        for scene, source in enumerate(sources):
            for count, feature in enumerate(layer.features(source.grid, names, self.margin_px)):
                if count % CHECK_EVERY == 0:
                    report.check_cancelled()
                values, reason = self._values(layer.name, names, feature, words)
                if values is not None and not reason:
                    met.append((scene, feature, values))
                    why[feature.fid] = ""
                elif why.get(feature.fid, "outside") == "outside":
                    why[feature.fid] = reason
        self._tell_texts(layer, names, met, words)
        by_feature = {feature.fid: values for _, feature, values in met}
        columns = [Counter(column) for column in zip(*by_feature.values())]
        left_out = self._left_out(
            layer.name, columns, "feature", [f"the field {n} of {layer.name}" for n in names]
        )
        for scene, feature, values in met:
            if any(value in missing for value, missing in zip(values, left_out)):
                why[feature.fid] = TOLD
            else:
                self._parts[scene].append(self._mark(file, layer.name, feature, values))
        self.notes += unlabelled_notes(layer, why, report)
        self._add("text_not_utf8", layer.notes, layer.path)

    def _values(
        self,
        layer: str,
        names: Sequence[str],
        feature: FeaturePixels,
        words: dict[str, set[int]],
    ) -> tuple[Optional[_Values], str]:
        """Return what the fields of a feature hold, and why it labels nothing if so."""
        called = f"feature {feature.fid}"
        values: list[Union[ClassValue, float, None]] = []
        for raw, name in zip(feature.values, names):
            if isinstance(raw, str) and clean_name(raw) and self.missing.is_missing_text(raw):
                words[clean_name(raw)].add(feature.fid)
                return None, TOLD
            values.append(
                class_value(raw, name, layer)
                if self.task == "classification"
                else target_value(raw, name, layer, called)
            )
        if None in values:
            return None, "unlabelled"
        return tuple(value for value in values if value is not None), feature.why_none

    def _left_out(
        self,
        file: str,
        columns: Sequence[Mapping[object, int]],
        what: str,
        where: Sequence[str],
        names: Optional[Mapping[int, str]] = None,
        total: int = 0,
    ) -> list[frozenset[object]]:
        """Return which values of each column are no labels, and tell of them."""
        found = []
        for counts, place in zip(columns, where):
            whole = total or sum(counts.values())
            verdict = self.missing.judge(counts, what, place, total=whole, names=names)
            self.problems += [(problem, file) for problem in verdict.problems]
            count = sum(counts[value] for value in verdict.left_out)
            if count and self.missing.declared:
                self.notes.append(
                    f"Left out, because label_nodata says so: {counted(count, what)} of {file}."
                )
            found.append(verdict.left_out)
        return found

    def _add(self, code: str, sentences: Iterable[str], file: str) -> None:
        self.problems += [(Problem(code, each), os.path.basename(file)) for each in sentences]

    def _tell_texts(
        self,
        layer: VectorLayer,
        names: Sequence[str],
        met: Sequence[tuple[int, FeaturePixels, _Values]],
        words: Mapping[str, Collection[int]],
    ) -> None:
        """Tell of texts that mean no label, and of texts that look like numbers."""
        where = f"the field {some(names)} of {layer.name}"
        if words and self.missing.declared:
            count = len({fid for fids in words.values() for fid in fids})
            self.notes.append(
                f"Left out, because label_nodata says so: {counted(count, 'feature')} of "
                f"{layer.name}."
            )
        elif words:
            counts = {word: len(fids) for word, fids in words.items()}
            self.problems.append((words_problem(counts, where), layer.name))
        if self.task == "regression":
            for name in names:
                if met and layer.fields[name] == "text":
                    sentence = f"The text in the field {name} of {layer.name} was read as numbers."
                    self._add("numbers_as_text", [sentence], layer.path)
            return
        texts = {str(values[0]) for _, _, values in met}
        commas = sorted(filter(has_decimal_comma, texts))
        if len(commas) * 2 > len(texts):
            sentence = (
                f"The texts in {where} look like numbers with decimal commas ({some(commas)}), but "
                "count as names of classes; text is never turned into a number."
            )
            self._add("numbers_as_text", [sentence], layer.path)

    def _mark(self, file: int, layer: str, feature: FeaturePixels, values: _Values) -> Marks:
        """Return the marks of a feature."""
        called = f"feature {feature.fid}"
        value: NDArray[Any]
        if self.task == "classification":
            code = self.classes.code(values[0], layer)  # type: ignore[arg-type]
            called += f" ({self.classes.name(code)})"
            value = np.array(code, np.int64)
        else:
            value = np.array(values, np.float64)
        number = self.features.number(file, feature.fid, f"{called} of {layer}")
        size = feature.rows.size
        return Marks(
            feature.rows,
            feature.cols,
            np.full(size, number, np.int64),
            np.repeat(value[None], size, axis=0),
            np.full(size, feature.pointlike),
        )

    def _read_raster(
        self, raster: LabelRaster, sources: Sequence[RasterSource], report: Reporter
    ) -> None:
        self._add("text_not_utf8", raster.legend.notes, raster.path)
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
        pixels = self._without_missing(raster, raster.read(list(placed.values()), report))
        if raster.zeros and raster.nodata not in (None, 0):
            self.notes.append(
                f"{raster.name} holds 0 in {counted(raster.zeros, 'pixel')}, although its nodata "
                f"value is {raster.nodata:g}; 0 labels nothing, so renumber the class if it is one."
            )
        if not pixels.rows.size:
            self.notes.append(f"{raster.name} holds no label at the scenes.")
            return
        if self.task == "classification":
            raster.require_whole(pixels)
            distinct, index = np.unique(pixels.values[:, 0], return_inverse=True)
            codes = np.array([self.classes.code(int(v), raster.name) for v in distinct])
            values: NDArray[Any] = codes[index]
            patch = patches(pixels.rows, pixels.cols, values, raster.width)
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

    def _without_missing(self, raster: LabelRaster, pixels: LabelledPixels) -> LabelledPixels:
        """Return the pixels whose values are labels."""
        columns: list[Mapping[object, int]] = []
        for values in pixels.values.T:
            distinct, counts = np.unique(values, return_counts=True)
            # Codes lie at the ends, so what lies between them need not be looked at.
            ends = np.r_[
                : min(_ENDS, distinct.size), max(_ENDS, distinct.size - _ENDS) : distinct.size
            ]
            columns.append(dict(zip(distinct[ends].tolist(), counts[ends].tolist())))
        single = self.task == "classification"
        where = [
            f"the band {name} of {raster.name}" if len(columns) > 1 else raster.name
            for name in raster.targets
        ]
        left_out = self._left_out(
            raster.name,
            columns,
            "pixel",
            where,
            names=raster.legend.names if single else None,
            total=len(pixels.rows),
        )
        kept = np.ones(pixels.rows.size, np.bool_)
        for values, missing in zip(pixels.values.T, left_out):
            kept &= ~np.isin(values, np.array(sorted(missing), np.float64))  # type: ignore[type-var]
        return LabelledPixels(pixels.rows[kept], pixels.cols[kept], pixels.values[kept])


def _patch_name(raster: str, pixels: LabelledPixels, first: int) -> str:
    return f"the patch at column {pixels.cols[first]}, row {pixels.rows[first]} of {raster}"
