"""What is odd about a raster that can be used all the same: one list for everybody.

``hyperkd.open``, ``info``, each job's summary, the reports, the plugin and the metadata of
written rasters show the same problems. A severe one stops a job until it is accepted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Final

from hyperkd.errors import HyperKDError

NOTE: Final = "note"  # worth knowing, and nothing to do about
WARNING: Final = "warning"  # the result may be wrong
SEVERE: Final = "severe"  # the result is wrong unless the user knows better

# A code is public API: scripts and the plugin match on it. Each has a sentence in
# docs/problems.md.
PROBLEMS: Final[Mapping[str, str]] = {
    # the grid
    "ground_control_points": NOTE,
    "no_geotransform": WARNING,
    "rotated_grid": NOTE,
    "south_up_grid": NOTE,
    "geolocation_lost": WARNING,
    "no_reference_system": WARNING,
    # the file
    "text_not_utf8": NOTE,
    "longer_than_header": WARNING,
    "damaged_windows": WARNING,
    # the bands
    "ignored_metadata": WARNING,
    "wavelengths_disagree": WARNING,
    "shared_wavelengths": WARNING,
    "odd_wavelengths": WARNING,
    "empty_bands": WARNING,
    "constant_bands": WARNING,
    # missing values
    "impossible_nodata": WARNING,
    "undeclared_nodata": WARNING,
    "undeclared_fill": WARNING,
    "undeclared_zeros": WARNING,
    "constant_spectra": WARNING,
    "partial_fill": WARNING,
    "tiny_values": WARNING,
    "no_valid_sample": WARNING,
    # from stored values to reflectance
    "scales_disagree": WARNING,
    "unlikely_scale": WARNING,
    "inferred_scale": WARNING,
    "words_contradict": WARNING,
    "raw_counts": SEVERE,
    # what a delivered product says of itself
    "recognised_by_name": NOTE,
    "unused_bands": NOTE,
    "mostly_invalid_bands": WARNING,
    "detector_without_data": WARNING,
    "invalid_values": WARNING,
    "clouds_in_data": WARNING,
    # labels
    "undeclared_label_nodata": WARNING,
    "possible_label_nodata": WARNING,
    "class_name_variants": NOTE,
    "garbled_text": WARNING,
    "numbers_as_text": NOTE,
}
ACCEPTABLE: Final = tuple(code for code, severity in PROBLEMS.items() if severity == SEVERE)

METADATA_ITEM: Final = "HYPERKD_PROBLEMS"
# A folder's name belongs into no file that is passed on.
_FOLDER: Final = re.compile(r"""(^|[\s"'(=])(\.{0,2}/|~|[A-Za-z]:[\\/]|\\\\)[^\s/\\]""")


@dataclass(frozen=True)
class Problem:
    """One thing that is odd about a raster.

    Attributes:
        code: one of the keys of ``PROBLEMS``.
        message: what is odd, with numbers, as a full sentence.
        hint: what to do about it, as a full sentence, or an empty string.
        severity: ``note``, ``warning`` or ``severe``; default: that of the code.
        values: JSON-serialisable numbers for programs.
    """

    code: str
    message: str
    hint: str = ""
    severity: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.code not in PROBLEMS:
            raise ValueError(f"unknown problem code {self.code!r}")
        object.__setattr__(self, "severity", self.severity or PROBLEMS[self.code])

    def __str__(self) -> str:
        return self.message

    @property
    def advice(self) -> str:
        """What is odd, and what to do about it."""
        return f"{self.message} {self.hint}".rstrip()

    def accepted(self) -> Problem:
        """Return the problem as a warning: the user knows about it."""
        return replace(self, severity=WARNING)

    def as_json(self) -> dict[str, Any]:
        """Return what a summary holds."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "values": dict(self.values),
        }


def name_of(path: str) -> str:
    """Return what to call a raster: its name without its folder."""
    return os.path.basename(os.path.normpath(path))


def tell_problems(
    problems: Iterable[Problem],
    path: str,
    accept: Collection[str],
    tell: Callable[[Problem, str], None],
    *,
    several: bool = False,
) -> None:
    """Tell the problems of a raster; those that the user accepts are warnings.

    Args:
        problems: those of one raster.
        path: the raster, whose name goes with them.
        accept: codes of severe problems that the user knows about.
        tell: ``problem`` of a ``Reporter``.
        several: whether the job reads other rasters too, so that sentences name this one.

    Raises:
        HyperKDError: ``unaccepted_problem`` where a severe one is not accepted.
    """
    name = name_of(path)
    told = []
    for problem in problems:
        severe = problem.severity == SEVERE
        if severe and problem.code not in accept:
            raise HyperKDError(
                "unaccepted_problem",
                f"{name}: {problem.message}",
                f"{problem.hint} If you know better, accept it: --accept {problem.code}.".strip(),
                problem=problem.code,
                **problem.values,
            )
        told.append(problem.accepted() if severe else problem)
    for problem in told:
        message = f"{name}: {problem.message}" if several else problem.message
        tell(replace(problem, message=message), name)


def problems_item(problems: Iterable[Problem], path: str) -> dict[str, str]:
    """Return the metadata item of a raster that was made from the one at ``path``.

    It is nothing where there is no problem, and never names a folder: a sentence that
    does is left out, and its code stays.
    """
    folder = os.path.dirname(path)
    items = []
    for problem in problems:
        message = problem.message.replace(folder + os.sep, "") if folder else problem.message
        items.append(
            {"code": problem.code}
            if _FOLDER.search(message)
            else {"code": problem.code, "message": message}
        )
    return {METADATA_ITEM: json.dumps(items)} if items else {}
