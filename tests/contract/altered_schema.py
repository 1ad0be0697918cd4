"""The engine's schema with other defaults, bounds, choices and sentences.

Whatever the plugin shows of an option must follow: what does not was written a second time.
"""

from __future__ import annotations

import copy
from typing import Any

ANOTHER = "another"


def altered(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the jobs by their kinds, every field of theirs altered."""
    jobs = {}
    for name, job in copy.deepcopy(schema["$defs"]).items():
        if name.startswith("job."):
            for field in job["properties"].values():
                _alter(field)
            jobs[name.partition(".")[2]] = job
    return jobs


def _alter(field: dict[str, Any]) -> None:
    if "const" in field:
        return  # the protocol and the name of the job
    field["description"] += " Altered."
    item = field.get("items", field)
    if "enum" in item:
        item["enum"] = [*item["enum"], ANOTHER]
    if field.get("default") is not None:
        field["default"] = _other(field["default"], item)
    if field.get("minimum") is not None:
        field["minimum"] -= 1
    if field.get("maximum") is not None:
        # QGIS's spin boxes hold numbers of 32 bits.
        field["maximum"] += 1 if field["maximum"] < 2**31 - 1 else -1


def _other(default: Any, item: dict[str, Any]) -> Any:
    """Return another default that the field takes."""
    if isinstance(default, bool):
        return not default
    if isinstance(default, list):
        return [] if default else [_other("", item) if item["type"] == "string" else 1]
    if isinstance(default, str):
        return ANOTHER
    return default + 1 if default + 1 <= item.get("maximum", default + 1) else default / 2
