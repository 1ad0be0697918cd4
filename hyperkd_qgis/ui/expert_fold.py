"""Settings that most people leave alone, asked for as Processing asks for them."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsProcessingContext, QgsProcessingParameterDefinition
from qgis.gui import QgsCollapsibleGroupBox, QgsGui, QgsProcessingGui
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QScrollArea, QVBoxLayout, QWidget

from ..algorithms.declare import JobParameters
from ..algorithms.titles import EXPERT_FIELDS
from .choice_box import name_choices
from .model_chooser import wrapper_of


class ExpertFold(QgsCollapsibleGroupBox):
    """A folded form of ``EXPERT_FIELDS``.

    Args:
        title: of the fold.
    """

    def __init__(self, title: str, kind: str, parent: Optional[QWidget] = None) -> None:
        super().__init__(title, parent)
        self._job = JobParameters(kind)
        self._context = QgsProcessingContext()
        self._definitions: dict[str, QgsProcessingParameterDefinition] = {}
        self._wrappers: dict[str, Any] = {}
        inside = QWidget()
        form = QFormLayout(inside)
        registry = QgsGui.processingGuiRegistry()
        for name in EXPERT_FIELDS[kind]:
            definition = self._job.make(name)
            wrapper = wrapper_of(definition) or registry.createParameterWidgetWrapper(
                definition, QgsProcessingGui.WidgetType.Standard
            )
            widget = wrapper.createWrappedWidget(self._context)
            widget.setToolTip(definition.help())
            for box in [widget, *widget.findChildren(QComboBox)]:
                if isinstance(box, QComboBox):
                    name_choices(box, name)
            label = wrapper.createWrappedLabel()
            if label is None:
                form.addRow(widget)
            else:
                label.setToolTip(definition.help())
                form.addRow(label, widget)
            self._definitions[name] = definition
            self._wrappers[name] = wrapper
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll)
        self.setSaveCollapsedState(False)
        self.setCollapsed(True)

    def values(self) -> dict[str, Any]:
        """Return the job's fields; None where the engine's default holds."""
        found: dict[str, Any] = {}
        for name, wrapper in self._wrappers.items():
            value = wrapper.parameterValue()
            if value in (None, ""):
                found[name] = None
            elif self._job.is_list(name) and isinstance(value, str):
                found[name] = self._job.items(name, value)
            elif isinstance(value, float) and self._job.is_whole(name):
                found[name] = int(value)
            else:
                found[name] = value
        return found

    def set_values(self, values: dict[str, Any]) -> None:
        """Show other values, for instance those of an earlier training."""
        for name, value in values.items():
            if name in self._wrappers:
                self._wrappers[name].setParameterValue(value, self._context)
