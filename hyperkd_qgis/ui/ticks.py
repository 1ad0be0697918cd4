"""Asks for several of some choices with a tick beside each, in a batch too.

QGIS 3.22's own list of several texts, which a batch shows, has empty rows, and what is ticked
there is refused.
"""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsProcessingParameterEnum
from qgis.gui import QgsGui, QgsProcessingGui
from qgis.PyQt.QtWidgets import QWidget


class TicksWrapper:
    """What Processing makes from the metadata of a parameter: one of QGIS's own wrappers.

    Args:
        dialog: whose class tells what it is for.
        row, column: in a batch.
        more: what else the metadata say, which QGIS reads itself.
    """

    def __new__(  # type: ignore[misc]
        cls,
        definition: QgsProcessingParameterEnum,
        dialog: Optional[QWidget] = None,
        row: int = 0,
        column: int = 0,
        **more: Any,
    ) -> Any:
        """Return the wrapper."""
        registry, kind = QgsGui.processingGuiRegistry(), type(dialog).__name__
        if kind == "ModelerParametersDialog":
            made = registry.createModelerParameterWidget(
                dialog.model, dialog.childId, definition, dialog.context
            )
        elif kind == "BatchAlgorithmDialog":
            # One line, as high as the rows of a batch are.
            flat = definition.clone()
            flat.setMetadata({"widget_wrapper": {**more, "columns": len(definition.options())}})
            standard = QgsProcessingGui.WidgetType.Standard
            made = registry.createParameterWidgetWrapper(flat, standard)
            made.definition = flat  # which the wrapper does not keep
        else:
            standard = QgsProcessingGui.WidgetType.Standard
            made = registry.createParameterWidgetWrapper(definition, standard)
        made.setDialog(dialog)
        return made
