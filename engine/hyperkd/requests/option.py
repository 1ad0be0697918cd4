"""What a job is: a frozen dataclass whose fields say all about a command, a flag, a parameter.

The jobs themselves are in the modules ``*_options``, and ``catalogue`` lists them.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Optional

from hyperkd.errors import HyperKDError

PROTOCOL = 1

INPUT_ROLES = (
    "input_file",
    "input_directory",
    "input_raster",
    "product",
    "band_table",
    "spectral_library",
    "model",
    "checkpoint",
    "teacher",
)
OUTPUT_ROLES = ("output_raster", "output_file", "output_directory")

# The default of a field that has none. dataclasses' own way would not let a class with
# required fields take shared options from a base class.
REQUIRED: Any = object()


def option(
    help: str,
    default: Any = REQUIRED,
    *,
    minimum: Optional[float] = None,
    maximum: Optional[float] = None,
    choices: Optional[Sequence[str]] = None,
    role: Optional[str] = None,
    positional: bool = False,
) -> Any:
    """Declare a field of a job.

    Args:
        help: one sentence for ``--help``, the schema and the plugin.
        default: the value without the flag; left out where the field is required.
        minimum: smallest accepted number, inclusive.
        maximum: largest accepted number, inclusive.
        choices: accepted strings.
        role: one of ``INPUT_ROLES`` or ``OUTPUT_ROLES`` where the string is a path.
        positional: whether the command takes the value without a flag.
    """
    metadata = {
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "choices": None if choices is None else tuple(choices),
        "role": role,
        "positional": positional,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Job:
    """Base of all jobs.

    Attributes:
        target: the function that does it, ``module:function``, called with the job and a
            ``Reporter``; it returns the summary.
        kind: the value of ``job`` in a job file, and the name of the command; one of
            a group of commands carries the group's name and an underscore before it,
            ``models_list`` for ``hyperkd models list``.
        summary: one sentence for ``--help`` and the schema.
        answers: whether its summary is what the user asks for; the command has ``--json``.
        needs_one_of: optional fields of which at least one must be given.
    """

    kind: ClassVar[str]
    target: ClassVar[str]
    summary: ClassVar[str]
    answers: ClassVar[bool] = False
    needs_one_of: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) is REQUIRED:
                raise HyperKDError(
                    "bad_job",
                    f"The job {self.kind!r} lacks the field {field.name!r}.",
                    f"Give it a value: {field.metadata['help']}",
                    key=field.name,
                )
        if self.needs_one_of and all(getattr(self, name) is None for name in self.needs_one_of):
            raise HyperKDError(
                "bad_job",
                f"The job {self.kind!r} has nothing to write.",
                f"Give at least one of {', '.join(self.needs_one_of)}.",
                fields=list(self.needs_one_of),
            )


@dataclass(frozen=True)
class JobField:
    """One field of a job: its type taken apart, and what ``option`` declared.

    Attributes:
        name: the key in a job file.
        type: ``bool``, ``int``, ``float`` or ``str``; of one item where ``repeated``.
        repeated: whether the value is a list.
        optional: whether the value may be null.
        required: whether the field has no default.
        default: the value without the key, None where ``required``.
        help, minimum, maximum, choices, role, positional: see ``option``.
    """

    name: str
    type: type
    repeated: bool
    optional: bool
    required: bool
    default: Any
    help: str
    minimum: Optional[float]
    maximum: Optional[float]
    choices: Optional[tuple[str, ...]]
    role: Optional[str]
    positional: bool


def job_fields(job: type[Any]) -> tuple[JobField, ...]:
    """Return the fields of a job or a group of options: its own first, then shared ones."""
    hints = typing.get_type_hints(job)
    own = job.__dict__.get("__annotations__", {})
    fields = []
    for field in sorted(dataclasses.fields(job), key=lambda field: field.name not in own):
        hint = hints[field.name]
        optional = type(None) in typing.get_args(hint)
        if optional:
            hint = typing.get_args(hint)[0]
        repeated = typing.get_origin(hint) is tuple
        required = field.default is REQUIRED
        fields.append(
            JobField(
                name=field.name,
                type=typing.get_args(hint)[0] if repeated else hint,
                repeated=repeated,
                optional=optional,
                required=required,
                default=None if required else field.default,
                **field.metadata,
            )
        )
    return tuple(fields)
