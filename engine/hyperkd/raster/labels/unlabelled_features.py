"""Notes on the features of a layer that label nothing, by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import chain

from hyperkd.raster.gdal.vector_pixels import VectorLayer
from hyperkd.sentences import counted, some
from hyperkd.types import Reporter

# Features between two looks at whether the job was cancelled.
CHECK_EVERY = 256

# The reason of features that label nothing, of which a problem tells.
TOLD = "told"

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


def unlabelled_notes(layer: VectorLayer, why: Mapping[int, str], report: Reporter) -> list[str]:
    """Return a note for each reason for which features label nothing.

    Args:
        layer: whose features they are.
        why: by id of a feature the reason; nothing where it labels something. Features that
            are not in it lie outside, or have no geometry.
        report: whether the job is cancelled.
    """
    counts: Counter[str] = Counter()
    ids: dict[str, list[int]] = defaultdict(list)
    for fid, reason in chain(why.items(), _not_met(layer, why, report)):
        counts[reason] += 1
        ids[reason] = sorted([*ids[reason], fid])[:_NAMED]
    found = counts.pop("", 0) + counts.pop(TOLD, 0)
    notes = [
        f"{_WHY[reason]}: {count} of {counted(layer.count, 'feature')} of {layer.name} "
        f"(id {some(ids[reason], count, _NAMED)})."
        for reason, count in counts.items()
    ]
    if not found and counts.keys() in ({"outside"}, {"outside", "empty"}):
        notes[-1] += _where(layer)
    return notes


def _where(layer: VectorLayer) -> str:
    extent = layer.extent()
    if extent is None:
        return ""
    left, right, bottom, top = extent
    return (
        f" The layer reaches from {left:.10g} to {right:.10g} and from {bottom:.10g} to "
        f"{top:.10g} in {layer.crs or 'an unknown system'}."
    )


def _not_met(
    layer: VectorLayer, met: Collection[int], report: Reporter
) -> Iterator[tuple[int, str]]:
    """Yield the features that are not even near a scene, and why they label nothing."""
    if len(met) == layer.count:
        return
    for count, (fid, has_geometry) in enumerate(layer.geometries()):
        if count % CHECK_EVERY == 0:
            report.check_cancelled()
        if fid not in met:
            yield fid, "outside" if has_geometry else "empty"
