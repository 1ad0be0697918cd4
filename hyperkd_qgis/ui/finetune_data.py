"""The first page of the fine-tuning window: scenes, labels, and what there is of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from qgis.core import QgsMapLayerProxyModel, QgsVectorLayer
from qgis.gui import QgsCheckableComboBox, QgsFieldComboBox, QgsMapLayerComboBox
from qgis.PyQt import sip
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QFormLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..algorithms.declare import JobParameters
from ..engine_notes import translated
from ..layers import class_colours
from ..messages import problems, tr
from ..metric_text import short_number
from .choice_box import choice_box
from .label_fields import class_fields, likeliest_field
from .label_style import style_classes
from .plain_label import plain_label
from .scenes_list import ScenesList

# A class with less than this can hardly be told from its test; the table says so.
FEW_FEATURES, FEW_PIXELS = 3, 20


class DataPage(QWidget):
    """Asks for scenes and labels and shows what the engine finds in them.

    Signals:
        changed: something else is chosen, so that a check is out of date.
        check_asked: the user wants the labels looked at.
    """

    changed = pyqtSignal()
    check_asked = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.scenes = ScenesList()
        self.scenes.setMaximumHeight(120)
        self.layer = QgsMapLayerComboBox()
        self.layer.setFilters(QgsMapLayerProxyModel.Filter.HasGeometry)
        self._followed: Optional[QgsVectorLayer] = None  # whose signals are listened to
        self.selected_only = QCheckBox(tr("Selected &features only"))
        self.task = choice_box(JobParameters("finetune"), "task")
        self.field = QgsFieldComboBox()
        self.targets = QgsCheckableComboBox()
        self.check_button = QPushButton(tr("Chec&k labels and split"))
        self.check_button.setAutoDefault(False)
        self.table = QTableWidget(0, 5)
        self.table.setHorizontalHeaderLabels(_heads(False))
        self.table.setAccessibleName(tr("Classes of the labels"))
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.notes = plain_label()
        self.notes.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        form = QFormLayout()
        form.addRow(tr("Scenes"), self.scenes)
        form.addRow(tr("&Labels"), self.layer)
        form.addRow("", self.selected_only)
        form.addRow(tr("Labels c&ontain"), self.task)
        form.addRow(tr("F&ield"), self.field)
        form.addRow(tr("Fi&elds"), self.targets)
        self._form = form
        # Of the classes of the check: their colours by value, and those that were chosen here.
        self._shown: dict[str, str] = {}
        self._chosen: dict[str, str] = {}
        self.style_button = QPushButton(tr("St&yle my labels like this"))
        self.style_button.setToolTip(tr("Gives the label layer the colours of this table."))
        self.style_button.setAutoDefault(False)
        self.style_button.clicked.connect(self.style_labels)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.check_button)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.style_button)
        layout.addWidget(self.notes)
        self._connect()
        self._show_layer()

    def values(self) -> dict[str, Any]:
        """Return the job's fields of this page, the label file aside.

        Raises:
            UnusableLayerError: the engine cannot read a scene.
        """
        fields = self.fields()
        layer = self.layer.currentLayer()
        colours: list[str] = []
        if layer is not None and self.task.currentData() == "classification" and fields:
            colours = class_colours(layer, fields[0])
            colours = [text for text in colours if text.rpartition("=")[0] not in self._chosen]
            colours += [f"{value}={colour}" for value, colour in self._chosen.items()]
        return {
            "input": self.scenes.paths(),
            "task": self.task.currentData(),
            "field": fields,
            "colours": colours,
        }

    def fields(self) -> list[str]:
        """Return the names of the chosen fields."""
        if self.task.currentData() == "classification":
            return [self.field.currentField()] if self.field.currentField() else []
        return [str(name) for name in self.targets.checkedItems()]

    def problem(self) -> str:
        """Return what is missing, as a sentence, or an empty string."""
        if not self.scenes.layers():
            return tr("Tick at least one scene.")
        if self.layer.currentLayer() is None:
            return tr("Choose a layer with labels: polygons, lines or points.")
        if not self.fields():
            return tr("Choose the field that holds the labels.")
        return ""

    def show_check(self, summary: Mapping[str, Any]) -> None:
        """Show what the engine's job ``labels`` has found."""
        classes, targets = summary.get("classes") or [], summary.get("targets") or []
        self.table.setHorizontalHeaderLabels(_heads(bool(targets)))
        self.table.setRowCount(len(classes) + len(targets))
        self._shown = {_value(item): self._colour(item) for item in classes}
        self.style_button.setVisible(bool(classes))
        for row, item in enumerate(classes):
            self._show_class(row, {**item, "colour": self._shown[_value(item)]})
        for row, item in enumerate(targets):
            texts = [short_number(item[key]) for key in ("minimum", "maximum", "mean")]
            for column, text in enumerate(["", item["name"], *texts]):
                self.table.setItem(row, column, QTableWidgetItem(text))
        notes = map(translated, summary.get("notes", ()))
        odd = problems(summary, "note")
        lines = [self._doubt(classes), *odd, split_text(summary), *notes]
        self.notes.setText("\n".join(line for line in lines if line))

    def _doubt(self, classes: Sequence[Mapping[str, Any]]) -> str:
        """Ask whether this is the right field where every feature is a class of its own."""
        if len(classes) < FEW_FEATURES or any(item["features"] > 1 for item in classes):
            return ""
        return tr(
            "Every feature has its own class. Does the field “{field}” hold the classes, or "
            "does it number the features?"
        ).format(field=(self.fields() or [""])[0])

    def _colour(self, item: Mapping[str, Any]) -> str:
        """Return a class's colour as the model will have it: chosen here, or of the style."""
        if _value(item) in self._chosen:
            return self._chosen[_value(item)]
        layer, fields = self.layer.currentLayer(), self.fields()
        if layer is not None and fields:
            styled = dict(pair.rsplit("=", 1) for pair in class_colours(layer, fields[0]))
            return styled.get(_value(item), str(item["colour"]))
        return str(item["colour"])

    def choose_colour(self, row: int) -> None:
        """Ask for another colour of a class."""
        if row < len(self._shown):
            value, old = list(self._shown.items())[row]
            name = self.table.item(row, 1).text()
            chosen = QColorDialog.getColor(
                QColor(old), self, tr("Colour of {name}").format(name=name)
            )
            if chosen.isValid():
                self._chosen[value] = self._shown[value] = chosen.name()
                self._show_colour(row, chosen.name())

    def style_labels(self) -> None:
        """Give the layer of the labels the colours of the table."""
        layer, fields = self.layer.currentLayer(), self.fields()
        if layer is not None and len(fields) == 1:
            style_classes(layer, fields[0], self._shown)

    def _show_colour(self, row: int, colour: str) -> None:
        cell = QTableWidgetItem("")
        cell.setBackground(QColor(colour))
        cell.setData(Qt.ItemDataRole.AccessibleTextRole, colour)
        cell.setToolTip(tr("Double-click to choose another colour."))
        # A selected row would hide it.
        cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsSelectable)
        self.table.setItem(row, 0, cell)

    def _show_class(self, row: int, item: Mapping[str, Any]) -> None:
        remark = ""
        if item["features"] < FEW_FEATURES:
            remark = tr("few features: hard to test")
        elif item["pixels"] < FEW_PIXELS:
            remark = tr("few pixels")
        self._show_colour(row, str(item["colour"]))
        texts = [item["name"], f"{item['pixels']}", f"{item['features']}", remark]
        for column, text in enumerate(texts, 1):
            self.table.setItem(row, column, QTableWidgetItem(text))

    def _connect(self) -> None:
        self.layer.layerChanged.connect(self._show_layer)
        self.task.currentIndexChanged.connect(self._show_task)
        self.check_button.clicked.connect(lambda: self.check_asked.emit())
        self.table.cellDoubleClicked.connect(lambda row, column: self.choose_colour(row))
        self.scenes.changed.connect(self._forget)
        self.field.fieldChanged.connect(self._forget_colours)
        self.targets.checkedItemsChanged.connect(self._forget)
        self.selected_only.toggled.connect(self._forget)

    def _show_layer(self) -> None:
        layer = self.layer.currentLayer()
        self._follow(layer)
        self._show_selection()
        self.selected_only.setChecked(self.selected_only.isEnabled())
        self._chosen = {}
        self._show_fields()
        self.targets.clear()
        if layer is not None:
            numeric = [field.name() for field in layer.fields() if field.isNumeric()]
            self.targets.addItems(numeric)
            self.field.setField(likeliest_field(layer, self.field.fields()))
        self._show_task()

    def _follow(self, layer: Optional[QgsVectorLayer]) -> None:
        """Listen to a layer, and no longer to the one before."""
        if self._followed is not None and not sip.isdeleted(self._followed):
            self._followed.selectionChanged.disconnect(self._show_selection)
            self._followed.updatedFields.disconnect(self._show_fields)
        self._followed = layer
        if layer is not None:
            layer.selectionChanged.connect(self._show_selection)
            layer.updatedFields.connect(self._show_fields)

    def _show_fields(self) -> None:
        """Offer the fields that can name classes; the chosen one stays where it is there."""
        chosen = self.field.currentField()
        self.field.blockSignals(True)  # on the way to the chosen one the box shows another
        self.field.setFields(class_fields(self._followed))
        if self.field.fields().indexOf(chosen) >= 0:
            self.field.setField(chosen)
        self.field.blockSignals(False)
        if self.field.currentField() != chosen:
            self._forget()

    def _show_selection(self) -> None:
        layer = self._followed
        selected = layer is not None and layer.selectedFeatureCount() > 0
        self.selected_only.setEnabled(selected)
        if self.selected_only.isChecked():
            self.selected_only.setChecked(selected)
            self._forget()  # a check was about other features

    def _show_task(self) -> None:
        is_class = self.task.currentData() == "classification"
        for widget, shown in ((self.field, is_class), (self.targets, not is_class)):
            widget.setVisible(shown)
            self._form.labelForField(widget).setVisible(shown)
        self._forget()

    def _forget_colours(self) -> None:
        self._chosen = {}  # those of another field's values
        self._forget()

    def _forget(self) -> None:
        """Take back what a check has shown of other labels."""
        self.table.setRowCount(0)
        self._shown = {}
        self.style_button.setVisible(False)
        self.notes.clear()
        self.changed.emit()


def _value(item: Mapping[str, Any]) -> str:
    return str(item.get("value", item["name"]))


def _heads(is_regression: bool) -> list[str]:
    if is_regression:
        return ["", tr("Target"), tr("Minimum"), tr("Maximum"), tr("Mean")]
    return [tr("Colour"), tr("Class"), tr("Pixels"), tr("Features"), tr("Remark")]


def split_text(summary: Mapping[str, Any]) -> str:
    """Return how the labels would be split, in words."""
    split, parts = summary.get("split"), summary.get("parts") or {}
    if split is None:
        return translated(str(summary.get("refusal", "")))
    kept = {
        "polygons": tr("The split keeps whole features together."),
        "blocks": tr("The split keeps whole blocks together."),
        "scenes": tr("The split keeps whole scenes together."),
        "random": tr("The split separates single pixels: scores will be too high."),
    }.get(str(split.get("method")), str(split.get("method")))
    text = tr("{train} pixels for training, {test} for testing").format(
        train=parts.get("train", 0), test=parts.get("test", 0)
    )
    if parts.get("validation"):
        more = tr("{count} for early stopping").format(count=parts["validation"])
        text += f", {more}"
    if parts.get("left_out"):
        more = tr("{count} near the border are not used").format(count=parts["left_out"])
        text += f"; {more}"
    return f"{text}. {kept}"
