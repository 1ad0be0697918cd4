"""The list of models with its search and its filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..algorithms.declare import default_student
from ..messages import tr
from ..modelrows import ORIGINS, ModelRow, origin_name

_ROW = Qt.ItemDataRole.UserRole


class ModelList(QWidget):
    """Shows models and tells which one is chosen.

    Signals:
        chosen: another model is selected, or none.
    """

    chosen = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._rows: list[ModelRow] = []
        self._next = ""
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search names, tasks, classes, licences"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._fill)
        self.origin = QComboBox()
        self.origin.setAccessibleName(tr("Where models come from"))
        self.origin.addItem(tr("All models"), "")
        for origin in ORIGINS:
            self.origin.addItem(origin_name(origin), origin)
        self.origin.currentIndexChanged.connect(self._fill)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName(tr("Models"))
        self.tree.setRootIsDecorated(False)
        self.tree.setHeaderLabels([tr("Name"), tr("Task"), tr("Size"), tr("Where")])
        self.tree.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.tree.setSortingEnabled(True)
        # As the engine lists them, what runs here first, until a heading is clicked.
        self.tree.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.tree.itemSelectionChanged.connect(self.chosen)
        filters = QHBoxLayout()
        filters.addWidget(self.search, 1)
        filters.addWidget(self.origin)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(filters)
        layout.addWidget(self.tree, 1)

    def show_rows(self, rows: Sequence[ModelRow]) -> None:
        """Show these models; the selected one stays selected where it is among them."""
        self._rows = list(rows)
        self._fill()

    def show_next(self, name: str) -> None:
        """Select this model as soon as it is listed, whatever was searched for."""
        self._next = name
        self.search.clear()
        self.origin.setCurrentIndex(0)

    def selected(self) -> Optional[ModelRow]:
        """Return the selected model, or None."""
        items = self.tree.selectedItems()
        return items[0].data(0, _ROW) if items else None

    def shown(self) -> list[ModelRow]:
        """Return what search and filter let through, in the order of the list."""
        count = self.tree.topLevelItemCount()
        return [self.tree.topLevelItem(index).data(0, _ROW) for index in range(count)]

    def select(self, name: str) -> bool:
        """Select a model and return whether it is listed."""
        for index, row in enumerate(self.shown()):
            if row.name == name:
                self.tree.setCurrentItem(self.tree.topLevelItem(index))
                return True
        return False

    def _fill(self) -> None:
        row = self.selected()
        before = row.name if row is not None else default_student()
        words = self.search.text().casefold().split()
        origin = self.origin.currentData()
        self.tree.blockSignals(True)
        self.tree.clear()
        for each in self._rows:
            text = each.words()
            if (not origin or each.origin == origin) and all(word in text for word in words):
                self.tree.addTopLevelItem(_item(each))
        if self._next and self.select(self._next):
            self._next = ""
        elif not self.select(before) and self.tree.topLevelItemCount():
            self.tree.setCurrentItem(self.tree.topLevelItem(0))
        self.tree.blockSignals(False)
        self.chosen.emit()


def _item(row: ModelRow) -> QTreeWidgetItem:
    usual = ("", "ready", "shipped", "not fetched")
    unusual = "" if row.status in usual else row.status
    where = unusual or origin_name(row.origin)
    item = QTreeWidgetItem([row.name, row.task, row.size, where])
    item.setTextAlignment(2, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
    item.setData(0, _ROW, row)
    return item
