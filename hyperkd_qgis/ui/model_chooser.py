"""Asks for a model: a list of those that fit, and a button for a file.

Processing's dialogs, batches and the model designer make it from the metadata of a parameter,
see ``algorithms.help.offering``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingOutputFile,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
)
from qgis.gui import (
    QgsAbstractProcessingParameterWidgetWrapper,
    QgsProcessingGui,
    QgsProcessingParameterWidgetContext,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QCompleter,
    QFileDialog,
    QHBoxLayout,
    QToolButton,
    QWidget,
)

from ..algorithms.help import CHECKPOINTS, offer_of
from ..algorithms.parameters import PROBLEMS
from ..cards import one_line
from ..messages import tr
from ..modelfile import local_models, outputs_of, read_card, trainable_students

# What is listed: a text, its value, and a tool tip.
Choice = tuple[str, Any, str]
_TYPES = {
    "BatchAlgorithmDialog": QgsProcessingGui.WidgetType.Batch,
    "ModelerParametersDialog": QgsProcessingGui.WidgetType.Modeler,
}


class ModelChooser:
    """A list that may be written into, and a button that asks for a file.

    It is no widget itself: Processing makes a second Python object for the widget that a wrapper
    gives it, after which the first one counts as deleted.

    Args:
        choices: what to list; asked whenever the list is opened, for models come and go.
        filters: of the files that the button shows.
        changed: called when another model is chosen or written.

    Attributes:
        widget: what to show, with ``box`` and ``button`` in it.
    """

    def __init__(
        self,
        choices: Callable[[], Iterable[Choice]],
        filters: str,
        changed: Callable[[], None],
    ) -> None:
        self._choices = choices
        self._filters = filters
        self.box = _Box(self.refresh)
        self.box.setEditable(True)
        self.box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.box.completer().setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.button = QToolButton()
        self.button.setText("…")
        self.button.setToolTip(tr("Choose a file"))
        self.button.clicked.connect(lambda *_: self.choose_file())
        self.widget = QWidget()
        self.widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.widget.setFocusProxy(self.box)
        layout = QHBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box, 1)
        layout.addWidget(self.button)
        self.refresh()
        self.box.editTextChanged.connect(lambda *_: changed())

    def refresh(self) -> None:
        """List what is there now; what is chosen, or written, stays."""
        box, text = self.box, self.box.currentText()
        box.blockSignals(True)
        box.clear()
        for row, (shown, value, tip) in enumerate(self._choices()):
            box.addItem(shown, value)
            box.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
        box.setCurrentIndex(box.findText(text) if text else -1)
        box.setEditText(text)
        box.blockSignals(False)
        hint = tr("Choose a model") if box.count() else tr("No model fits yet: choose a file")
        box.lineEdit().setPlaceholderText(hint)

    def value(self) -> Any:
        """Return the value of what is chosen, or the text that was written."""
        text = self.box.currentText().strip()
        index = self.box.findText(text)
        return text if index < 0 else self.box.itemData(index)

    def set_value(self, text: str) -> None:
        """Show a model: a name, a path, or a text of the list."""
        index = self.box.findText(text) if text else -1
        if index >= 0:
            self.box.setCurrentIndex(index)
        self.box.setEditText(text)

    def only(self) -> str:
        """Return the one model of the list, or an empty string where there are none or several."""
        return str(self.box.itemText(0)) if self.box.count() == 1 else ""

    def choose_file(self) -> None:
        """Ask for a file."""
        written = Path(self.box.currentText().strip())
        start = str(written.parent) if written.is_absolute() else ""
        path, _ = QFileDialog.getOpenFileName(self.box, tr("Choose a model"), start, self._filters)
        if path:
            self.set_value(path)


class _Box(QComboBox):
    """A box that is filled anew whenever it is opened."""

    def __init__(self, refresh: Callable[[], None]) -> None:
        super().__init__()
        self._refresh = refresh

    def showPopup(self) -> None:
        """Fill and open the list."""
        self._refresh()
        super().showPopup()


class ModelWrapper(QgsAbstractProcessingParameterWidgetWrapper):
    """A ``ModelChooser`` as Processing wants it.

    Args:
        dialog: whose class tells what it is for.
        row, column: in a batch.
        offer: which models are listed, see ``algorithms.help.offering``.
    """

    def __init__(
        self,
        definition: QgsProcessingParameterDefinition,
        dialog: Optional[QWidget] = None,
        row: int = 0,
        column: int = 0,
        offer: Iterable[str] = (),
    ) -> None:
        kind = _TYPES.get(type(dialog).__name__, QgsProcessingGui.WidgetType.Standard)
        super().__init__(definition, kind)
        self._offer = tuple(offer)
        self._sources: list[Choice] = []
        self._model: Optional[QgsProcessingModelAlgorithm] = None
        self._child = ""
        self.chooser: Optional[ModelChooser] = None
        # Dialogs ask for the widget, the designer of models looks for these two.
        self.widget: Optional[QWidget] = None
        self.label: Optional[QWidget] = None
        if kind == QgsProcessingGui.WidgetType.Modeler:
            self.widget = self.createWidget()
            self.label = self.createLabel()
            self.setValue(definition.defaultValue())

    def createWidget(self) -> QWidget:
        """Return the widget."""
        filters = self.parameterDefinition().createFileFilter()
        self.chooser = ModelChooser(
            self._choices, filters, lambda: self.widgetValueHasChanged.emit(self)
        )
        return self.chooser.widget

    def setWidgetContext(self, context: QgsProcessingParameterWidgetContext) -> None:
        """Learn what a step in a model may take its model from."""
        super().setWidgetContext(context)
        if self.type() != QgsProcessingGui.WidgetType.Modeler or context.model() is None:
            return
        self._model = context.model()
        sources = self._model.availableSourcesForChild(
            context.modelChildAlgorithmId(),
            [QgsProcessingParameterFile.typeName(), QgsProcessingParameterString.typeName()],
            [QgsProcessingOutputFile.typeName(), QgsProcessingOutputString.typeName()],
        )
        # Every run over a scene tells its problems as a text, which names no model.
        self._sources = [
            self._choice_of(source) for source in sources if source.outputName() != PROBLEMS
        ]
        if self.chooser is not None:
            self.chooser.refresh()

    def setWidgetValue(self, value: Any, context: QgsProcessingContext) -> None:
        """Show a value; where one must be given and one model fits alone, that."""
        self.setValue(value)

    def setValue(self, value: Any) -> None:
        """Show a value, or where a step of a model takes it from."""
        if self.chooser is None:
            return
        if isinstance(value, QgsProcessingModelChildParameterSource):
            choice = self._choice_of(value)
            if choice[0] not in [each[0] for each in self._sources]:
                self._sources.append(choice)  # an expression, which cannot be written here
                self.chooser.refresh()
            self.chooser.set_value(choice[0])
            return
        optional = QgsProcessingParameterDefinition.Flag.FlagOptional
        if not value and not self.parameterDefinition().flags() & optional:
            value = self.chooser.only()
        self.chooser.set_value(str(value or ""))

    def widgetValue(self) -> Any:
        """Return a name or a path; for a step of a model also where it comes from."""
        return "" if self.chooser is None else self.chooser.value()

    def _choices(self) -> list[Choice]:
        return [*models_to_offer(self._offer), *self._sources]

    def _choice_of(self, source: QgsProcessingModelChildParameterSource) -> Choice:
        return source.friendlyIdentifier(self._model), source, ""


def models_to_offer(offer: Iterable[str]) -> list[Choice]:
    """Return the shipped and stored models that fit, by name.

    Args:
        offer: what they must compute, one of these; ``CHECKPOINTS`` for students that can be
            trained; nothing for all models.
    """
    wanted = set(offer)
    if CHECKPOINTS in wanted:
        return [(name, name, "") for name in trainable_students()]
    found = []
    for path in local_models():
        card: Mapping[str, Any] = read_card(path) or {}
        if not wanted or wanted & set(outputs_of(card)):
            found.append((path.stem, path.stem, one_line(card)))
    return found


def wrapper_of(definition: QgsProcessingParameterDefinition) -> Optional[ModelWrapper]:
    """Return what asks for a parameter's model; None where it is no model."""
    offer = offer_of(definition)
    return None if offer is None else ModelWrapper(definition, offer=offer)
