"""From a model or a layer to the dialog of the algorithm that fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from qgis import processing
from qgis.PyQt import sip
from qgis.PyQt.QtWidgets import QWidget
from qgis.utils import iface

from ..modelfile import Card


def algorithm_for(card: Card) -> str:
    """Return the algorithm that runs a model of this card."""
    return {
        "classification": "hyperkd:classify",
        "regression": "hyperkd:regress",
    }.get(str(card.get("task")), "hyperkd:embed")


# Processing's dialogs work in Python, and nobody but us refers to one that we open: without a
# reference its Run button would do nothing. A dialog deletes itself when it is closed, or
# when its run has ended after that.
_open: list[QWidget] = []


def open_algorithm(identifier: str, parameters: Mapping[str, Any]) -> Optional[QWidget]:
    """Open the dialog of an algorithm, filled in, and return it; None without a window.

    It is not modal: the map stays usable.
    """
    if iface is None:
        return None
    # At start Processing may still be loading; its own plugin puts this function there.
    dialog = processing.createAlgorithmDialog(identifier, dict(parameters))
    if dialog is not None:
        _open[:] = [each for each in _open if not sip.isdeleted(each)]
        _open.append(dialog)
        dialog.show()
    return dialog
