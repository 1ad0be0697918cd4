"""Puts Processing models together: inputs, steps, and what comes out at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterDefinition,
)
from qgis.PyQt.QtCore import QPointF

SOURCE = QgsProcessingModelChildParameterSource
# How far steps lie apart in the designer.
_ACROSS, _DOWN = 220.0, 110.0


def marked(text: str) -> str:
    """Return a text as it is; the plugin shows it translated, and the translations list it."""
    return text


class Workflow:
    """A model while it is put together.

    Args:
        name: the part of its id after the colon.
        title: for the help.
        description: what it does, for the help.
    """

    def __init__(self, name: str, title: str, description: str) -> None:
        self.model = QgsProcessingModelAlgorithm(name, "HyperKD workflows")
        self.model.setHelpContent(
            {"ALG_DESC": description, "SHORT_DESCRIPTION": title, "ALG_VERSION": "1"}
        )
        self._help: dict[str, str] = dict(self.model.helpContent())
        self._parameters = 0
        self._steps = 0

    def parameter(self, definition: QgsProcessingParameterDefinition, text: str) -> Any:
        """Add an input and return it as a source for steps."""
        component = QgsProcessingModelParameter(definition.name())
        component.setPosition(QPointF(_ACROSS * self._parameters + 120, 60))
        self._parameters += 1
        self.model.addModelParameter(definition, component)
        self._help[definition.name()] = text
        self.model.setHelpContent(self._help)
        return SOURCE.fromModelParameter(definition.name())

    def step(
        self,
        child: str,
        algorithm: str,
        sources: Mapping[str, Any],
        outputs: Mapping[str, tuple[str, str]] = {},
    ) -> None:
        """Add a step.

        Args:
            child: its id.
            algorithm: what it runs.
            sources: its parameters: a source, or a value.
            outputs: results of the model: name, and for it the output of the step and a title.
        """
        step = QgsProcessingModelChildAlgorithm(algorithm)
        step.setChildId(child)
        step.setDescription(child)
        self._steps += 1
        step.setPosition(QPointF(_ACROSS * 0.8 + 60, _DOWN * self._steps + 90))
        for name, given in sources.items():
            source = given if isinstance(given, SOURCE) else SOURCE.fromStaticValue(given)
            step.addParameterSources(name, [source])
        made = {}
        for number, (name, (output, title)) in enumerate(outputs.items()):
            final = QgsProcessingModelOutput(name, title)
            final.setChildId(child)
            final.setChildOutputName(output)
            final.setPosition(QPointF(_ACROSS * 2 + 60, _DOWN * self._steps + 90 + 50 * number))
            made[name] = final
        step.setModelOutputs(made)
        self.model.addChildAlgorithm(step)


def result_of(child: str, output: str) -> Any:
    """Return an output of an earlier step."""
    return SOURCE.fromChildOutput(child, output)
