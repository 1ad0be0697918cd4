"""The user's language."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QTranslator

from .paths import home


class Translation:
    """Installs the plugin's texts in the language of QGIS, where they were translated."""

    def __init__(self) -> None:
        self._translator: Optional[QTranslator] = None
        # What QGIS shows: `qgis --lang` changes that alone. Without a window QGIS has chosen none.
        running = QgsApplication.instance()
        chosen = running.translation() if isinstance(running, QgsApplication) else ""
        language = (chosen or QgsApplication.locale())[:2]
        path = home() / "resources" / "i18n" / f"hyperkd_{language}.qm"
        if path.is_file():
            translator = QTranslator()
            if translator.load(str(path)):
                QCoreApplication.installTranslator(translator)
                self._translator = translator

    def remove(self) -> None:
        """Take the texts back."""
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
            self._translator = None
