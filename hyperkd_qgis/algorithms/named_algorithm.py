"""What every algorithm of ours tells of itself."""

from __future__ import annotations

from typing import ClassVar

from qgis.core import QgsProcessingAlgorithm
from qgis.PyQt.QtGui import QIcon

from ..paths import icon_path
from .help import group_name, help_url


class NamedAlgorithm(QgsProcessingAlgorithm):
    """An algorithm with a name, a group, an icon and a page in the manual.

    Attributes:
        NAME: the algorithm's id after the colon, which models and scripts rely on.
        GROUP: the id of its group in the toolbox, one of ``help.GROUPS``.
    """

    NAME: ClassVar[str]
    GROUP: ClassVar[str]

    def createInstance(self) -> NamedAlgorithm:
        """Return a fresh algorithm for one run."""
        return type(self)()

    def name(self) -> str:
        """Return the part of the id after the colon."""
        return self.NAME

    def group(self) -> str:
        """Return the group as the toolbox shows it."""
        return group_name(self.GROUP)

    def groupId(self) -> str:
        """Return the group's id."""
        return self.GROUP

    def icon(self) -> QIcon:
        """Return the icon."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """Return the path of the icon."""
        return icon_path(self.NAME)

    def helpUrl(self) -> str:
        """Return the page in the manual."""
        return help_url(self.NAME)
