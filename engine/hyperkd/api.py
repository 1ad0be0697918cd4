"""The jobs as Python functions, made from their dataclasses: no option is written here.

``hyperkd.predict(model, scene, "map.tif", uncertainty="u.tif")`` is the job ``predict``
with the fields ``model``, ``input``, ``output`` and ``uncertainty``, checked like one from
a file or the command line. It runs in this process.
"""

from __future__ import annotations

import inspect as inspection
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, Final, Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.handles import Model, Scene
from hyperkd.jobs.dispatch import carry_out, worded
from hyperkd.jobs.validate import parse_job
from hyperkd.reporting import RecordingReporter, Result
from hyperkd.requests.catalogue import JOBS
from hyperkd.requests.option import PROTOCOL, JobField, job_fields
from hyperkd.requests.shared_options import BandOptions
from hyperkd.types import Reporter

# Function -> its job, and the fields that may be given by position.
CALLS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "first_look": ("firstlook", ("input",)),
    "predict": ("predict", ("model", "input", "output")),
    "embed": ("embed", ("model", "input", "output")),
    "reconstruct": ("reconstruct", ("model", "input", "output")),
    "anomaly": ("anomaly", ("model", "input", "output")),
    "similarity": ("similarity", ("model", "input", "places", "output")),
    "cluster": ("cluster", ("model", "input", "output")),
    "detect": ("detect", ("input", "output")),
    "align": ("align", ("input", "output")),
    "restore": ("restore", ("input", "output")),
    "finetune": ("finetune", ("student", "input", "labels")),
    "distill": ("distill", ("input", "output")),
    "evaluate": ("evaluate", ("model", "input", "labels")),
    "label_overview": ("labels", ("input", "labels")),
    "export": ("export", ("checkpoint", "output")),
    "quantize": ("quantize", ("model", "output", "input")),
    "info": ("info", ("path",)),
    "inspect": ("inspect", ("input", "output")),
    "import_product": ("import", ("product", "output")),
    "simulate": ("synth", ("output",)),
}

# What a field is called here, where its name would say something else in Python.
_RENAMED: Final = {"report": "report_folder"}
# Fields that the command line wants and Python can do without.
ASSUMED: Final = {"task": "classification"}


def name_of(field: JobField) -> str:
    """Return what an option is called in Python: scenes are not called ``input``."""
    if field.name == "input":
        return "scenes" if field.repeated else "scene"
    return _RENAMED.get(field.name, field.name)


def is_assumed(field: JobField) -> bool:
    """Return whether Python does without a field that the command line wants."""
    return field.required and field.name in ASSUMED


def fields_of(function: str) -> list[tuple[JobField, bool]]:
    """Return the options of a function, and whether each may be given by position."""
    kind, by_position = CALLS[function]
    fields = {field.name: field for field in job_fields(JOBS[kind])}
    first = [fields.pop(name) for name in by_position]
    return [*((field, True) for field in first), *((field, False) for field in fields.values())]


def _make(function: str) -> Callable[..., Result]:
    kind, _ = CALLS[function]
    options = fields_of(function)
    signature = inspection.Signature([*map(_parameter, options), _REPORT])

    def call(*arguments: Any, **keywords: Any) -> Result:
        bound = signature.bind(*arguments, **keywords).arguments
        listener = RecordingReporter(bound.pop("report", None))
        given = {
            field: _items(field, bound[name_of(field)])
            for field, _ in options
            if name_of(field) in bound
        }
        said: dict[str, Any] = {
            field.name: ASSUMED[field.name] for field, _ in options if is_assumed(field)
        }
        said.update(_band_options(given, {field.name for field, _ in options}))
        for field, items in given.items():
            plain = [_plain(item) for item in items]
            said[field.name] = plain if field.repeated else plain[0]
        job = parse_job({"protocol": PROTOCOL, "job": kind, **said}, os.curdir)
        try:
            summary = carry_out(job, listener)
        except Exception as error:
            known = worded(error, job)
            if known is None:
                raise
            raise known from error
        return Result(summary, listener)

    call.__name__ = call.__qualname__ = function
    call.__doc__ = _documentation(JOBS[kind].summary, options)
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


_REPORT: Final = inspection.Parameter(
    "report",
    inspection.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Optional[Reporter],
)


def _parameter(option: tuple[JobField, bool]) -> inspection.Parameter:
    field, by_position = option
    kinds = inspection.Parameter
    required = field.required and not is_assumed(field)
    # A default after a required one would not be a signature; the job says what is missing.
    default = kinds.empty if required or by_position else ASSUMED.get(field.name, field.default)
    kind = kinds.POSITIONAL_OR_KEYWORD if by_position else kinds.KEYWORD_ONLY
    return kinds(name_of(field), kind, default=default)


def _documentation(summary: str, options: Sequence[tuple[JobField, bool]]) -> str:
    lines = [summary, "", "Args:"]
    lines += [f"    {name_of(field)}: {field.help}" for field, _ in options]
    lines += ["    report: where progress goes, for instance hyperkd.progress(); default: nowhere."]
    lines += ["", "Returns:", "    Result: the summary, the files, and what was inferred."]
    return "\n".join([*lines, "", "Raises:", "    HyperKDError: with a code; see docs/errors.md."])


def _items(field: JobField, value: Any) -> list[Any]:
    """Return the values of an option: one, or those of any iterable where it takes several."""
    single = (str, os.PathLike, Scene, Model)
    if not field.repeated or isinstance(value, single) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _plain(value: Any) -> Any:
    """Return a value as a job file would hold it: a path, a text, a number, a truth."""
    if isinstance(value, (Scene, Model)):
        return value.path
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _band_options(given: Mapping[JobField, list[Any]], known: set[str]) -> dict[str, Any]:
    """Return what was said about the bands when the scenes of a job were opened.

    Args:
        given: the values of each option.
        known: names of the job's options.

    Raises:
        HyperKDError: ``bad_job`` where a job, which believes the same of all its rasters,
            cannot keep to it.
    """
    scenes = [item for items in given.values() for item in items if isinstance(item, Scene)]
    said = [scene for scene in scenes if scene.options != BandOptions()]
    if not said:
        return {}
    others = [
        _plain(item)
        for field, items in given.items()
        for item in items
        if field.role == "input_raster"
        and getattr(item, "options", BandOptions()) != said[0].options
    ]
    what = f"{said[0].path} was opened with {said[0].options}"
    if others:
        raise HyperKDError(
            "bad_job",
            f"{what}, and {others[0]} was not; a job uses the same options for all its rasters.",
            "Open all of them with the same options, or run the job for each.",
        )
    if "bands" not in known:
        raise HyperKDError(
            "bad_job", f"{what}; this job takes the file as it is.", "Give its path instead."
        )
    return {name: value for name, value in vars(said[0].options).items() if value is not None}


first_look = _make("first_look")
predict = _make("predict")
embed = _make("embed")
reconstruct = _make("reconstruct")
anomaly = _make("anomaly")
similarity = _make("similarity")
cluster = _make("cluster")
detect = _make("detect")
align = _make("align")
restore = _make("restore")
finetune = _make("finetune")
distill = _make("distill")
evaluate = _make("evaluate")
label_overview = _make("label_overview")
export = _make("export")
quantize = _make("quantize")
info = _make("info")
inspect = _make("inspect")
import_product = _make("import_product")
simulate = _make("simulate")
