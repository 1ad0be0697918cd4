"""The model beside classical ones on the same labels, each with a button that maps with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QAbstractScrollArea,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from ..messages import tr
from ..metric_text import figure_name, method_name, with_interval

# What is shown of a comparison; the report has the others.
_SHOWN = ("overall_accuracy", "macro_f1", "r2", "rmse")


class ComparisonTable(QTableWidget):
    """A row for each method.

    Signals:
        map_asked, store_asked: what to do with the model of a row, its file.
    """

    map_asked = pyqtSignal(str)
    store_asked = pyqtSignal(str)

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(0, 0, parent)
        self.setAccessibleName(tr("Comparison with classical models on the same labels"))
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its buttons are reached one by one
        self.verticalHeader().setVisible(False)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.setSizeAdjustPolicy(QAbstractScrollArea.SizeAdjustPolicy.AdjustToContents)
        self._buttons: list[tuple[QPushButton, str]] = []

    def show_methods(
        self,
        comparisons: Sequence[Mapping[str, Any]],
        targets: Sequence[str],
        files: Mapping[str, str],
        model: str,
    ) -> None:
        """Show methods and their figures.

        Args:
            comparisons: of the report: one of classes, or one for each target.
            targets: their names; empty for classes.
            files: the classical models by method, as far as they were written.
            model: the file of the model itself, which is the first method.
        """
        self.clear()
        self._buttons.clear()
        columns = [
            (number, key)
            for number, comparison in enumerate(comparisons)
            for key in _SHOWN
            if comparison.get("methods") and key in comparison["methods"][0]
        ]
        methods = comparisons[0].get("methods") or () if comparisons else ()
        heads = [
            figure_name(key) + (f" ({targets[number]})" if len(comparisons) > 1 else "")
            for number, key in columns
        ]
        self.setRowCount(len(methods))
        self.setColumnCount(len(columns) + 3)
        self.setHorizontalHeaderLabels([tr("Method"), *heads, "", ""])
        for row, method in enumerate(methods):
            name = str(method.get("name", ""))
            texts = [name if row == 0 else method_name(name)]
            texts += [with_interval(comparisons[n]["methods"][row][key]) for n, key in columns]
            for column, text in enumerate(texts):
                self.setItem(row, column, QTableWidgetItem(text))
            self._add_buttons(row, model if row == 0 else files.get(name, ""), texts[0])
        self.setVisible(bool(methods))
        self.set_enabled(True)

    def set_enabled(self, enabled: bool) -> None:
        """Let the buttons be pressed, those whose model is there."""
        for button, path in self._buttons:
            button.setEnabled(enabled and Path(path).is_file())

    def _add_buttons(self, row: int, path: str, name: str) -> None:
        for column, text, asked in (
            (self.columnCount() - 2, tr("Map with this model"), self.map_asked),
            (self.columnCount() - 1, tr("Save to the store"), self.store_asked),
        ):
            button = QPushButton(text)
            button.setAutoDefault(False)
            button.setAccessibleName(f"{text}: {name}")
            button.setToolTip(
                path
                or tr("This training has not written the model. Train again to get it as a file.")
            )
            button.clicked.connect(lambda *_, asked=asked: asked.emit(path))
            self.setCellWidget(row, column, button)
            self._buttons.append((button, path))
