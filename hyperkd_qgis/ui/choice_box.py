"""A box of an option's choices as the engine names them, under titles that people read."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QComboBox

from ..algorithms.declare import JobParameters
from ..algorithms.titles import choice_titles


def choice_box(job: JobParameters, name: str) -> QComboBox:
    """Return the box of one field, at the engine's default."""
    box, titles = QComboBox(), choice_titles(name)
    for value in job.choices(name):
        box.addItem(titles.get(value, value), value)
    box.setCurrentIndex(max(0, box.findData(job.default(name))))
    return box


def name_choices(box: QComboBox, name: str) -> None:
    """Show the choices of a box that somebody else made under their titles; values stay."""
    titles = choice_titles(name)
    for index in range(box.count() if titles else 0):
        value = str(box.itemData(index))
        box.setItemText(index, titles.get(value, value))
