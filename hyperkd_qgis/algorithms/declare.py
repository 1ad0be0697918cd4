"""Parameters made from the engine's own description of its jobs.

The schema lies in the plugin as a file, so name, default, bounds and choices are the
engine's; what is added here is how QGIS asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..messages import tr
from ..paths import engine_folder
from .help import advanced, offering, with_help
from .titles import field_title

Field = Mapping[str, Any]

# Between the items of a list that is written as text: names may hold commas.
SEPARATOR = ";"

# What the button beside a file shows; the last filter lets names pass, which are no files.
_MODELS = "ONNX (*.onnx);;*.* (*)"
_TEACHERS = "Prithvi (*.pt *.pth *.safetensors);;*.* (*)"
_CHECKPOINTS = "Checkpoint (*.safetensors);;*.* (*)"
_TABLES = "CSV (*.csv);;*.* (*)"
_LIBRARIES = "*.sli *.hdr *.csv *.txt *.sig *.gpkg *.geojson;;*.* (*)"
_PRODUCTS = "*METADATA.XML *.zip *.he5 *.nc *SPECTRAL_IMAGE.tif;;*.* (*)"
# By its name: it is loaded when a dialog opens.
_TICKS = f"{__name__.partition('.')[0]}.ui.ticks.TicksWrapper"
_FILTERS = {
    "model": _MODELS,
    "teacher": _TEACHERS,
    "checkpoint": _CHECKPOINTS,
    "band_table": _TABLES,
    "product": _PRODUCTS,
    "spectral_library": _LIBRARIES,
}


@cache
def _jobs() -> Mapping[str, Any]:
    path = engine_folder() / "hyperkd" / "jobs" / "schema.json"
    definitions = json.loads(path.read_text(encoding="utf-8"))["$defs"]
    return {
        name.partition(".")[2]: definition
        for name, definition in definitions.items()
        if name.startswith("job.")
    }


class JobParameters:
    """Makes the parameters of one job."""

    def __init__(self, kind: str) -> None:
        job = _jobs()[kind]
        self._kind = kind
        self._required = frozenset(job["required"])
        self._properties: Mapping[str, Field] = job["properties"]

    @property
    def names(self) -> list[str]:
        """The names of all fields of the job."""
        return [name for name in self._properties if name not in ("protocol", "job")]

    def make(
        self, name: str, *, folded: bool = False, suffix: str = "", offer: Iterable[str] = ()
    ) -> QgsProcessingParameterDefinition:
        """Return the parameter of one field, with the engine's own sentence as its tool tip.

        Args:
            name: the field, in lower case.
            folded: whether it is among the advanced ones.
            suffix: of a file to write, for instance ``.onnx``.
            offer: which models to list, see ``help.offering``.
        """
        field, title = self._properties[name], field_title(self._kind, name)
        made = _parameter(name.upper(), title, field, name in self._required, suffix)
        if made.isDestination():
            made.setCreateByDefault(name in self._required)
        if field.get("x-role") == "model":
            offering(made, *offer)
        text = tr(field["description"])
        return advanced(made, text) if folded else with_help(made, text)

    def is_output(self, name: str) -> bool:
        """Return whether a field names what the job writes."""
        return str(self._properties[name].get("x-role", "")).startswith("output_")

    def items(self, name: str, text: str) -> list[Any]:
        """Return the items of a list that was written as text.

        Raises:
            ValueError: one of them is no number where numbers are wanted.
        """
        field = self._properties[name]
        words = [word.strip() for word in text.split(SEPARATOR) if word.strip()]
        kind = {"number": float, "integer": int}.get(field["items"]["type"], str)
        return [kind(word) for word in words]

    def is_whole(self, name: str) -> bool:
        """Return whether a field takes whole numbers only."""
        return "integer" in self._properties[name]["type"]

    def choices(self, name: str) -> list[str]:
        """Return what a field may be."""
        field = self._properties[name]
        return list(field.get("items", field).get("enum", ()))

    def default(self, name: str) -> Any:
        """Return a field's default."""
        return self._properties[name].get("default")

    def largest(self, name: str) -> Any:
        """Return the largest value that a field takes."""
        return self._properties[name]["maximum"]

    def has(self, name: str) -> bool:
        """Return whether the job has this field."""
        return name in self._properties

    def is_list(self, name: str) -> bool:
        """Return whether a field takes several values."""
        return bool(self._properties.get(name, {}).get("type") == "array")


def default_student() -> str:
    """Return the student that every run takes unless another one is named."""
    return str(JobParameters("embed").default("model"))


def _parameter(
    name: str, title: str, field: Field, required: bool, suffix: str
) -> QgsProcessingParameterDefinition:
    role, default = field.get("x-role"), field.get("default")
    repeated = field["type"] == "array"
    item = field["items"] if repeated else field
    optional = not required and default in (None, [])
    if role in ("input_raster", "input_file") and repeated:
        rasters = QgsProcessing.SourceType.TypeRaster
        return QgsProcessingParameterMultipleLayers(name, title, rasters, optional=optional)
    if role == "input_raster":
        return QgsProcessingParameterRasterLayer(name, title, optional=optional)
    if role in _FILTERS:
        # Optional where it has a default, because QGIS 3.22 takes a file that is left out
        # for a missing one all the same.
        return QgsProcessingParameterFile(
            name,
            title,
            behavior=QgsProcessingParameterFile.Behavior.File,
            defaultValue=default,
            optional=not required,
            fileFilter=_CHECKPOINTS if name == "STUDENT" else _FILTERS[role],
        )
    if role == "output_raster":
        return QgsProcessingParameterRasterDestination(name, title, optional=optional)
    if role == "output_file":
        pattern = f"*{suffix}" if suffix else "*"
        return QgsProcessingParameterFileDestination(
            name, title, f"{suffix.lstrip('.').upper()} ({pattern})", optional=optional
        )
    if role == "output_directory":
        return QgsProcessingParameterFolderDestination(name, title, optional=optional)
    if "enum" in item:
        choice = QgsProcessingParameterEnum(
            name,
            title,
            options=list(item["enum"]),
            allowMultiple=repeated,
            defaultValue=default,
            optional=optional,
            usesStaticStrings=True,
        )
        if repeated:
            ticks = {"class": _TICKS, "useCheckBoxes": True, "columns": 2}
            choice.setMetadata({"widget_wrapper": ticks})
        return choice
    return _plain(name, title, field, default, optional)


def _plain(
    name: str, title: str, field: Field, default: Any, optional: bool
) -> QgsProcessingParameterDefinition:
    """Return the parameter of a number, a text, or a yes or no."""
    types = field["type"] if isinstance(field["type"], list) else [field["type"]]
    if "boolean" in types:
        return QgsProcessingParameterBoolean(name, title, defaultValue=default)
    if "integer" in types or "number" in types:
        kinds = QgsProcessingParameterNumber.Type
        bounds = {"minValue": field.get("minimum"), "maxValue": field.get("maximum")}
        made = QgsProcessingParameterNumber(
            name,
            title,
            type=kinds.Integer if "integer" in types else kinds.Double,
            defaultValue=default,
            optional=optional,
            **{key: value for key, value in bounds.items() if value is not None},
        )
        if "number" in types:
            made.setMetadata({"widget_wrapper": {"decimals": _digits(field)}})
        return made
    if isinstance(default, list):
        default = f"{SEPARATOR} ".join(map(str, default)) or None
    return QgsProcessingParameterString(name, title, defaultValue=default, optional=optional)


def _digits(field: Field) -> int:
    """Return how many digits after the point a number needs to be written.

    The widget has six unless it is told: too few for a learning rate, many for a share.
    """
    told = [field.get(key) for key in ("minimum", "maximum", "default")]
    if field.get("minimum") is None:
        return 9  # a scale may be 0.0000275
    texts = [f"{value:.9f}".rstrip("0") for value in told if value is not None]
    return max(3, *(len(text.partition(".")[2]) for text in texts))
