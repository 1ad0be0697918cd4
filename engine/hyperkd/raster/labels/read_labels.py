"""Labels as users have them: polygons, lines, points and class rasters on the pixels of scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.problems import Problem, name_of
from hyperkd.raster.gdal.crs import crs_name
from hyperkd.raster.gdal.vector_layers import layer_paths
from hyperkd.raster.gdal.vector_pixels import VectorLayer
from hyperkd.raster.labels.field_values import (
    MAX_CLASSES,
    sort_key,
)
from hyperkd.raster.labels.field_values import (
    LabelClass as LabelClass,
)
from hyperkd.raster.labels.label_files import FileLabels, LabelReader
from hyperkd.raster.labels.marks import Features, Marks, connected, merge, valid_at
from hyperkd.raster.labels.missing_labels import MissingRule
from hyperkd.raster.source import RasterSource
from hyperkd.sentences import counted, some
from hyperkd.types import Ints, Reporter

# A class needs a pixel each to learn from, to stop at and to be tested with.
MINIMUM_SAMPLES = 3


@dataclass(frozen=True, eq=False)
class SceneLabels:
    """The labelled pixels of one scene; n pixels, each once, in the order of rows.

    Attributes:
        rows, cols: ``(n,)`` int64 pixel indices.
        values: ``(n,)`` int64 class index 0 to K - 1, or ``(n, T)`` float64 targets.
        group: ``(n,)`` int64, the feature (polygon, line or point) that the pixel comes
            from, the same number in every scene that it touches; features of one class
            that share a pixel are one group. For a raster: the connected patch
            (4 neighbours) of one class.
    """

    rows: Ints
    cols: Ints
    values: NDArray[Any]
    group: Ints

    def __len__(self) -> int:
        return int(self.rows.size)


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of one or several scenes.

    Attributes:
        task: ``classification`` or ``regression``.
        classes: of a classification; class index i has the map value i + 1.
        targets: names of the targets of a regression.
        scenes: one entry per scene, in the order of the sources.
        notes: what became of the labels, one sentence each.
        problems: what is odd about them though they can be used.
    """

    task: str
    classes: tuple[LabelClass, ...]
    targets: tuple[str, ...]
    scenes: tuple[SceneLabels, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """Problems and notes as a report shows them."""
        return (*(problem.advice for problem in self.problems), *self.notes)

    def __len__(self) -> int:
        return sum(len(scene) for scene in self.scenes)

    @property
    def values(self) -> NDArray[Any]:
        """Values of all scenes after each other, ``(n,)`` or ``(n, T)``."""
        return np.concatenate([scene.values for scene in self.scenes])

    @property
    def group(self) -> Ints:
        """Groups of all scenes after each other, ``(n,)``."""
        return np.concatenate([scene.group for scene in self.scenes])

    def class_counts(self) -> dict[str, int]:
        """Return the number of labelled pixels by name of the class."""
        counts = np.bincount(self.values, minlength=len(self.classes))
        return {item.name: int(count) for item, count in zip(self.classes, counts)}


@dataclass(eq=False)
class _Draft:
    """What is known so far about all scenes."""

    scenes: list[Marks] = field(default_factory=list)
    together: list[Ints] = field(default_factory=list)
    contradictions: list[Ints] = field(default_factory=list)
    averaged: int = 0
    invalid: int = 0


def read_labels(
    sources: Sequence[RasterSource],
    paths: Sequence[str],
    *,
    task: str,
    fields: Sequence[str] = (),
    margin_px: float = 0,
    colours: Mapping[str, str] = {},
    minimum_samples: int = MINIMUM_SAMPLES,
    nodata: Sequence[str] = (),
    report: Reporter,
) -> Labels:
    """Read labels and place them on the pixels of scenes.

    Every label file is tried on every scene. A polygon labels the pixels whose centre
    it contains, a line those that it touches, a point the one it lies in; 0, nodata
    and NaN of a class raster label nothing. Only valid pixels of a scene count.

    Args:
        paths: vector files, where needed with ``|layername=x`` behind them, or rasters.
        task: ``classification`` or ``regression``.
        fields: the class field, or one field for each target; may be left out where
            only one field exists. Of rasters with several bands: names or numbers.
        margin_px: how far inside a polygon a pixel's centre must lie, in pixels; from
            0.71 on only pixels that lie wholly inside remain.
        colours: ``#rrggbb`` by value or name of the class.
        minimum_samples: classes with fewer pixels are left out, with a note.
        nodata: values that mean no label; none: those that certainly do.
        report: hears the notes as warnings, and the problems.

    Raises:
        HyperKDError: ``no_labels`` where no pixel is labelled; ``bad_labels`` where a
            file or field cannot be used, or too few classes remain; what
            reading the scenes raises; ``cancelled``.
    """
    rule = MissingRule(tuple(nodata), task == "classification")
    reader = LabelReader(task, tuple(fields), margin_px, Features(), rule)
    found = reader.read(sources, paths, report)
    draft = _masked(sources, found, report)
    _require_labels(draft, found, sources, paths)
    notes = [*found.notes, *_duplicates(draft, found)]
    if draft.invalid:
        notes.append(
            f"Left out, because the scene has no data there: {counted(draft.invalid, 'pixel')}."
        )
    group = connected(len(found.features), np.concatenate([_NO_PAIRS, *draft.together]))
    labels = (
        _classify(draft, found, group, colours, minimum_samples, notes)
        if task == "classification"
        else _measure(draft, found, group, notes)
    )
    for problem, file in found.problems:
        report.problem(problem, file)
    for problem in labels.problems:
        report.problem(problem, name_of(paths[0].partition("|")[0]))
    for note in labels.notes:
        report.log("warning", note)
    return replace(labels, problems=(*(each for each, _ in found.problems), *labels.problems))


def _masked(sources: Sequence[RasterSource], found: FileLabels, report: Reporter) -> _Draft:
    """Return the labels of each scene where it has data, one for each pixel."""
    draft = _Draft()
    report.stage("Masking labels")
    for source, marks in zip(sources, found.marks):
        merged = merge(marks, source.grid)
        valid = valid_at(source, merged.marks.rows, merged.marks.cols, report)
        draft.scenes.append(merged.marks.take(valid))
        draft.together.append(merged.together)
        draft.contradictions.append(merged.contradictions)
        draft.averaged += merged.averaged
        draft.invalid += int((~valid).sum())
    return draft


def read_places(
    source: RasterSource, path: str, *, margin_px: float = 0
) -> tuple[Ints, Ints, Ints]:
    """Return the pixels of a scene that features mark, whatever their fields hold.

    The rules are those of ``read_labels``, but pixels without data count too, and a pixel
    may belong to several features.

    Args:
        path: a vector file; all its layers, or the one behind ``|layername=``.
        margin_px: how far inside a polygon a pixel's centre must lie, in pixels.

    Returns:
        Rows, columns and number of the feature, ``(n,)`` int64 each, feature by feature.

    Raises:
        HyperKDError: ``no_labels`` where no feature marks a pixel; ``bad_labels``.
    """
    rows, cols, groups = [_NONE], [_NONE], [_NONE]
    number = 0
    for layer_path in layer_paths(path):
        with VectorLayer(layer_path) as layer:
            for feature in layer.features(source.grid, (), margin_px):
                rows.append(feature.rows)
                cols.append(feature.cols)
                groups.append(np.full(feature.rows.size, number, np.int64))
                number += feature.rows.size > 0
    if number == 0:
        raise HyperKDError(
            "no_labels",
            f"No feature of {path} marks a pixel of {source.path}. {_where(source)}".rstrip(),
            "Open both in QGIS and check that they lie on top of each other.",
        )
    return np.concatenate(rows), np.concatenate(cols), np.concatenate(groups)


_NONE: Ints = np.empty(0, np.int64)
_NO_PAIRS = np.empty((0, 2), np.int64)


def _require_labels(
    draft: _Draft, found: FileLabels, sources: Sequence[RasterSource], paths: Sequence[str]
) -> None:
    if any(marks.rows.size for marks in draft.scenes):
        return
    against = sum(len(pairs) for pairs in draft.contradictions)
    reasons = [*(problem.message for problem, _ in found.problems), *found.notes]
    if draft.invalid:
        reasons.append(f"Where a scene has no data: {counted(draft.invalid, 'labelled pixel')}.")
    if against:
        reasons.append(f"With contradicting labels: {counted(against, 'pixel')}.")
    reasons.append(_where(sources[0]))
    raise HyperKDError(
        "no_labels",
        f"No pixel of {some([source.path for source in sources])} is labelled by {some(paths)}. "
        + " ".join(reasons).rstrip(),
        "Open scenes and labels in QGIS and check that they lie on top of each other.",
    )


def _where(source: RasterSource) -> str:
    """Return where a scene lies, for a reader who sees where the labels lie."""
    place, grid = source.grid.geotransform, source.grid
    if place is None:
        return ""
    x = [place[0] + place[1] * c + place[2] * r for c in (0, grid.width) for r in (0, grid.height)]
    y = [place[3] + place[4] * c + place[5] * r for c in (0, grid.width) for r in (0, grid.height)]
    return (
        f"The scene reaches from {min(x):.10g} to {max(x):.10g} and from {min(y):.10g} to "
        f"{max(y):.10g} in {crs_name(grid.crs_wkt)}."
    )


def _duplicates(draft: _Draft, found: FileLabels) -> list[str]:
    """Return notes on pixels that are labelled more than once, by name."""
    notes = []
    pairs = np.concatenate([_NO_PAIRS, *draft.contradictions])
    if len(pairs):
        distinct, counts = np.unique(pairs, axis=0, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        named = [
            f"{counts[i]} by {found.feature_name(distinct[i, 0])} and "
            f"{found.feature_name(distinct[i, 1])}"
            for i in order[:5]
        ]
        notes.append(
            f"Left out for contradicting labels: {counted(len(pairs), 'pixel')} "
            f"({some(named, len(distinct))})."
        )
    if draft.averaged:
        notes.append(
            f"With several points, whose targets are averaged: {counted(draft.averaged, 'pixel')}."
        )
    return notes


def _classify(
    draft: _Draft,
    found: FileLabels,
    group: Ints,
    colours: Mapping[str, str],
    minimum_samples: int,
    notes: list[str],
) -> Labels:
    """Return labels with class indices in the order of values, small classes left out."""
    table = found.classes
    codes = np.concatenate([marks.values for marks in draft.scenes])
    counts = np.bincount(codes, minlength=len(table.values))
    present = sorted(np.flatnonzero(counts).tolist(), key=lambda c: sort_key(table.values[c]))
    kept = [code for code in present if counts[code] >= minimum_samples]
    lost = [f"{table.name(code)} ({counts[code]})" for code in present if code not in kept]
    _require_classes(present, kept, table.name, counts, minimum_samples)
    if lost:
        few = counted(minimum_samples, "labelled pixel")
        notes.append(f"Classes with fewer than {few} are left out: {some(lost, limit=20)}.")
    unseen = [table.name(code) for code in range(len(table.values)) if counts[code] == 0]
    if unseen:
        notes.append(f"Classes without a usable pixel are left out: {some(unseen, limit=20)}.")
    classes = table.legend(kept, colours)
    index = np.full(len(table.values), -1, np.int64)
    index[kept] = np.arange(len(kept))
    scenes = []
    for marks in draft.scenes:
        marks = marks.take(index[marks.values] >= 0)
        scenes.append(_finish(marks, index[marks.values], group))
    odd = tuple(table.problems(kept))
    return Labels("classification", classes, (), tuple(scenes), tuple(notes), odd)


def _require_classes(
    present: Sequence[int], kept: Sequence[int], name: Any, counts: Ints, minimum_samples: int
) -> None:
    total = int(counts.sum())
    if len(kept) > MAX_CLASSES:
        raise HyperKDError(
            "bad_labels",
            f"The labels have {len(kept)} classes, but a map holds {MAX_CLASSES}.",
            "Check that the field holds classes, not identifiers, or merge classes.",
        )
    if len(kept) >= 2:
        return
    listed = some([f"{name(code)} ({counts[code]})" for code in present], limit=20)
    if len(present) < 2:
        says = f"The labels have one class only: {listed} labelled pixels."
    else:
        says = (
            f"Only {counted(total, 'pixel')} for {len(present)} classes, of which "
            f"{len(kept) or 'none'} has the {minimum_samples} pixels it needs: {listed}."
        )
    raise HyperKDError(
        "bad_labels",
        says,
        "A classification needs at least two classes; label more pixels, merge classes, and check "
        "that the field holds classes, not identifiers.",
    )


def _measure(draft: _Draft, found: FileLabels, group: Ints, notes: list[str]) -> Labels:
    """Return labels of a regression."""
    scenes = tuple(_finish(marks, marks.values, group) for marks in draft.scenes)
    values = np.concatenate([scene.values for scene in scenes])
    for name, column in zip(found.targets, values.T):
        if column.size > 1 and (column == column[0]).all():
            raise HyperKDError(
                "bad_labels",
                f"The target {name} is {column[0]:g} in all {column.size} labelled pixels.",
                "A regression needs a target that varies.",
                target=name,
            )
    return Labels("regression", (), found.targets, scenes, tuple(notes))


def _finish(marks: Marks, values: NDArray[Any], group: Ints) -> SceneLabels:
    return SceneLabels(marks.rows, marks.cols, values, group[marks.feature])
