"""What covers a scene, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .engine_notes import marked
from .messages import tr

# The covers of the shipped model, by their names in its card.
_COVERS = {
    "built": marked("built"),
    "bare soil": marked("bare soil"),
    "herbaceous": marked("herbaceous"),
    "trees": marked("trees"),
    "dry vegetation": marked("dry vegetation"),
    "water": marked("water"),
    "snow": marked("snow"),
    "cloud": marked("cloud"),
}
# A sentence names covers until they make up this much of the scene, three at most; none that
# makes up less than the least.
_ENOUGH, _LEAST, _MOST = 0.6, 0.05, 3
# Fraction of pixels that a model does not know, from which on it is said; as in the engine.
_TOLD = 0.2


def cover_name(name: str) -> str:
    """Return a cover's name in the user's language; one of somebody's own model as it is."""
    return tr(_COVERS[name]) if name in _COVERS else name


def unlike_problem(summary: Mapping[str, Any]) -> list[str]:
    """Say that much of a scene is unlike what the model knows, in a list; empty where it is not."""
    unlike = float(summary.get("unlike_training", 0.0))
    text = tr(
        "{percent} % of the pixels are unlike everything that the model learned from: do not rely "
        "on their values. Is the raster surface reflectance?"
    )
    return [text.format(percent=round(100 * unlike))] if unlike > _TOLD else []


def cover_sentence(summary: Mapping[str, Any]) -> str:
    """Say what covers a scene most, and how uncertain that is, from the summary of a first look."""
    found = summary["mean_fractions"].items()
    ordered = sorted(found, key=lambda each: each[1], reverse=True)
    named: list[str] = []
    told = 0.0
    for name, fraction in ordered[:_MOST]:
        if named and (told >= _ENOUGH or fraction < _LEAST):
            break
        told += fraction
        text = tr("{cover} ({percent} %)")
        named.append(text.format(cover=cover_name(name), percent=round(100 * fraction)))
    covers = ", ".join(named[:-1])
    covers = tr("{covers} and {last}").format(covers=covers, last=named[-1]) if covers else named[0]
    text = tr("mostly {covers}; median standard error {error:.2f}.")
    return text.format(covers=covers, error=summary["median_standard_error"])
