"""What the help of every algorithm is made from."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsProcessingParameterDefinition

from ..messages import tr
from ..paths import metadata

# What asks for a model in dialogs; a name, because algorithms know no widgets.
_MODEL_WIDGET = f"{__name__.partition('.')[0]}.ui.model_chooser.ModelWrapper"
# Among what to offer: students that can be trained.
CHECKPOINTS = "checkpoint"

GROUPS = ("prepare", "run", "train", "assess", "models")


def group_name(group: str) -> str:
    """Return a group as the toolbox shows it; they are listed by the alphabet."""
    return {
        "prepare": tr("Prepare"),
        "run": tr("Run"),
        "train": tr("Train"),
        "assess": tr("Assess"),
        "models": tr("Models"),
    }[group]


def help_url(name: str) -> str:
    """Return the page of an algorithm in the manual."""
    page = page_url("qgis.md")
    return f"{page}#{name}" if page else ""


def page_url(page: str) -> str:
    """Return the address of a page of the documents."""
    homepage = metadata().get("homepage", "").rstrip("/")
    return f"{homepage}/blob/main/docs/{page}" if homepage else ""


def with_help(
    parameter: QgsProcessingParameterDefinition, text: str
) -> QgsProcessingParameterDefinition:
    """Return the parameter with its tool tip."""
    parameter.setHelp(text)
    return parameter


def advanced(
    parameter: QgsProcessingParameterDefinition, text: str
) -> QgsProcessingParameterDefinition:
    """Return the parameter with its tool tip, folded away with the other advanced ones."""
    parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    return with_help(parameter, text)


def offering(
    parameter: QgsProcessingParameterDefinition, *offer: str
) -> QgsProcessingParameterDefinition:
    """Return the parameter of a model with a list of those that fit.

    Its value stays a text: a name or a path.

    Args:
        parameter: of a file.
        offer: what a model must compute, one of these, as ``modelfile.outputs_of`` has it, or
            ``CHECKPOINTS``; nothing for any model.
    """
    parameter.setMetadata({"widget_wrapper": {"class": _MODEL_WIDGET, "offer": list(offer)}})
    return parameter


def offer_of(parameter: Optional[QgsProcessingParameterDefinition]) -> Optional[list[str]]:
    """Return what ``offering`` was told, or None where the parameter is no model's."""
    told = None if parameter is None else parameter.metadata().get("widget_wrapper")
    return list(told["offer"]) if isinstance(told, dict) and "offer" in told else None
