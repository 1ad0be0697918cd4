"""What QGIS's widgets need so that the letter of their label leads into them."""

from __future__ import annotations

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import Qt


def file_widget() -> QgsFileWidget:
    """Return a widget for a file whose line takes the focus that a label gives to the whole."""
    made = QgsFileWidget()
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    made.setFocusProxy(made.lineEdit())
    return made
