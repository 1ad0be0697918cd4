"""What the help of every algorithm is made from."""

from __future__ import annotations

from qgis.core import QgsProcessingParameterDefinition

from ..messages import tr
from ..paths import metadata

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
    homepage = metadata().get("homepage", "").rstrip("/")
    return f"{homepage}/blob/main/docs/qgis.md#{name}" if homepage else ""


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
