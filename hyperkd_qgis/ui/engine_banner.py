"""What a window says at its top while there is no engine that can do its job."""

from __future__ import annotations

from typing import Callable, Optional

from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtGui import QHideEvent, QShowEvent
from qgis.PyQt.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from .. import settings
from ..messages import tr
from .plain_label import plain_label

# An engine is set up in another window; files are looked for, nothing is started.
_LOOK_MS = 1000


class EngineBanner(QWidget):
    """Says what the engine lacks, with a button that leads to its window; else takes no room.

    Args:
        tier: what the engine shall do, a name of ``env.pins.TIERS``.
        show_engine: opens the engine's window; None shows no button.
    """

    def __init__(
        self,
        tier: str,
        show_engine: Optional[Callable[[], object]],
        parent: Optional[QWidget] = None,
    ) -> None:
        super().__init__(parent)
        self._tier = tier
        self.text = plain_label()
        self.button = QPushButton(tr("Set &up…"))
        self.button.setAutoDefault(False)
        self.button.setVisible(show_engine is not None)
        if show_engine is not None:
            self.button.clicked.connect(lambda *_: show_engine())
        self.frame = QFrame()
        self.frame.setFrameShape(QFrame.Shape.StyledPanel)
        row = QHBoxLayout(self.frame)
        row.addWidget(self.text, 1)
        row.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.frame)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self.look()

    def look(self) -> None:
        """Show what is missing now."""
        problem = settings.problem(self._tier)
        self.text.setText(problem)
        self.frame.setVisible(bool(problem))

    def showEvent(self, event: QShowEvent) -> None:
        """Look while somebody looks."""
        super().showEvent(event)
        self.look()
        self._timer.start(_LOOK_MS)

    def hideEvent(self, event: QHideEvent) -> None:
        """Look no longer."""
        super().hideEvent(event)
        self._timer.stop()
