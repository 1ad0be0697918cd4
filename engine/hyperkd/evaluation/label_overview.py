"""The job ``labels``: what labels there are, and how they would be split, before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.evaluation.splits.requested_split import requested_split
from hyperkd.evaluation.splits.split_parts import LEFT_OUT, PARTS, Split
from hyperkd.models.bundle import open_bundle, read_checkpoint_card
from hyperkd.models.card import ModelCard
from hyperkd.models.sizes import PRESETS, sizes_of_scratch
from hyperkd.models.store.registry import resolve
from hyperkd.open_scene import opened_scenes
from hyperkd.output_checks import make_folder
from hyperkd.raster.create_raster import create_raster
from hyperkd.raster.labels.read_labels import Labels, SceneLabels, read_labels
from hyperkd.raster.sink import ClassEntry, RasterSpec
from hyperkd.raster.source import RasterSource
from hyperkd.requests.evaluate_options import LabelsJob
from hyperkd.sentences import counted
from hyperkd.types import GridSpec, Reporter, Window

# What the values 1, 2, ... of the maps mean: the parts of a split, and the buffer.
_ENTRIES = (
    ClassEntry("train", (31, 143, 224)),
    ClassEntry("validation", (242, 167, 59)),
    ClassEntry("test", (228, 87, 46)),
    ClassEntry("left out (buffer)", (160, 166, 176)),
)


def overview(request: LabelsJob, report: Reporter) -> dict[str, Any]:
    """Read labels, split them as ``finetune`` would, and tell what comes of it.

    Returns:
        ``classes`` (name, value, colour, pixels, features) or ``targets`` (name, minimum,
        mean, maximum), ``scenes`` (path, labelled pixels, map), ``split`` (its summary, or
        None where these labels cannot be split), ``refusal`` (why not), ``notes``, ``text``.

    Raises:
        HyperKDError: ``no_labels``, ``bad_labels``; ``bad_model`` for the student; what
            reading and writing raise.
    """
    with ExitStack() as stack:
        report.stage("Opening")
        sources = opened_scenes(request.input, request, report, stack)
        found = read_labels(
            sources,
            request.labels,
            task=request.task,
            fields=request.field,
            margin_px=request.margin,
            nodata=request.label_nodata,
            report=report,
        )
        report.stage("Splitting the labels")
        made: Optional[Split] = None
        refusal = ""
        try:
            made = requested_split(found, request, _receptive_field_px(request.student))
        except HyperKDError as error:
            if error.code != "class_missing_in_split":
                raise
            refusal = f"{error.message} {error.hint}".strip()
        paths = _write(request.output, sources, found, made, report)
    return _summary(found, made, refusal, request.input, paths)


def _receptive_field_px(student: str) -> int:
    """Return the side of the square of pixels that one token of a student depends on."""
    sizes = sizes_of_scratch(student)
    if sizes is not None:
        return PRESETS[sizes].tile
    path = resolve(student)
    card: ModelCard
    card = read_checkpoint_card(path) if path.suffix == ".safetensors" else open_bundle(path).card
    # Not what the card says of the head, where the model was fine-tuned: fine-tuning takes the
    # encoder alone, in which all tokens of a tile meet.
    return card.tile_px


def _write(
    folder: Optional[str],
    sources: Sequence[RasterSource],
    labels: Labels,
    split: Optional[Split],
    report: Reporter,
) -> list[Optional[str]]:
    """Write a map of the parts of each scene; None where a scene has no labels."""
    if folder is None or split is None:
        return [None] * len(sources)
    hint = "Give a folder whose parent exists and is yours to write."
    make_folder(Path(folder), hint, parents=False)
    report.stage("Drawing the split")
    paths: list[Optional[str]] = []
    for number, (source, scene) in enumerate(zip(sources, labels.scenes), 1):
        if not len(scene):
            paths.append(None)
            continue
        path = str(Path(folder) / f"{number}-{Path(source.path).stem}.tif")
        _draw(path, source.grid, scene, split.parts[number - 1])
        report.artifact("map", path)
        paths.append(path)
        report.progress(number, len(sources), "scenes")
    return paths


def _draw(path: str, grid: GridSpec, scene: SceneLabels, parts: NDArray[np.int8]) -> None:
    """Write the parts of one scene, some rows at a time."""
    codes = np.where(parts == LEFT_OUT, len(_ENTRIES), parts + 1).astype(np.uint8)
    sink = create_raster(
        path, RasterSpec(grid, 1, np.uint8, nodata=0, names=["part of the split"], classes=_ENTRIES)
    )
    height = sink.block_shape[0]
    with sink:
        for first in range(0, grid.height, height):
            rows = min(height, grid.height - first)
            here = (scene.rows >= first) & (scene.rows < first + rows)
            values = np.zeros((1, rows, grid.width), np.uint8)
            values[0, scene.rows[here] - first, scene.cols[here]] = codes[here]
            sink.write(Window(0, first, grid.width, rows), values)


def _summary(
    labels: Labels,
    split: Optional[Split],
    refusal: str,
    scenes: Sequence[str],
    paths: Sequence[Optional[str]],
) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "task": labels.task,
        "pixels": len(labels),
        "features": len(np.unique(labels.group)),
        "classes": _classes(labels),
        "targets": _targets(labels),
        "scenes": [
            {"path": path, "pixels": len(scene), "map": drawn}
            for path, scene, drawn in zip(scenes, labels.scenes, paths)
        ],
        "split": None if split is None else split.summary(),
        "parts": {} if split is None else _parts(split),
        "refusal": refusal,
        "notes": [*labels.notes, *(() if split is None else split.notes)],
    }
    summary["text"] = _text(summary, labels.told)
    return summary


def _classes(labels: Labels) -> list[dict[str, Any]]:
    if labels.task != "classification":
        return []
    values, group = labels.values, labels.group
    return [
        {
            "name": item.name,
            "value": item.value,
            "colour": item.colour,
            "pixels": int((values == index).sum()),
            "features": len(np.unique(group[values == index])),
        }
        for index, item in enumerate(labels.classes)
    ]


def _targets(labels: Labels) -> list[dict[str, Any]]:
    if labels.task == "classification":
        return []
    values = labels.values
    return [
        {
            "name": name,
            "minimum": float(values[:, index].min()),
            "mean": float(values[:, index].mean()),
            "maximum": float(values[:, index].max()),
        }
        for index, name in enumerate(labels.targets)
    ]


def _parts(split: Split) -> dict[str, int]:
    """Return the pixels of each part, and of the buffer."""
    codes = np.concatenate(split.parts)
    found = {name: int((codes == index).sum()) for index, name in enumerate(PARTS)}
    return {**found, "left_out": int((codes == LEFT_OUT).sum())}


def _text(summary: Mapping[str, Any], told: Sequence[str]) -> str:
    lines = [
        f"{counted(summary['pixels'], 'labelled pixel')} of "
        f"{counted(summary['features'], 'feature')}."
    ]
    lines += [
        f"  {item['name']}: {counted(item['pixels'], 'pixel')}, "
        f"{counted(item['features'], 'feature')}"
        for item in summary["classes"]
    ]
    lines += [
        f"  {item['name']}: {item['minimum']:.4g} to {item['maximum']:.4g}, mean {item['mean']:.4g}"
        for item in summary["targets"]
    ]
    split = summary["split"]
    if split is None:
        lines.append(f"They cannot be split: {summary['refusal']}")
    else:
        parts = ", ".join(f"{name} {count}" for name, count in summary["parts"].items())
        lines.append(f"Split by {split['method']}, buffer {split['buffer_px']} px: {parts} pixels.")
    told = [*told, *(note for note in summary["notes"] if note not in told)]
    return "\n".join([*lines, *(f"Note: {note}" for note in told)])
