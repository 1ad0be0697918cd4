"""Messages in QGIS's message bar; without a window they go to the log alone."""

from __future__ import annotations

from typing import Callable, Optional

from qgis.core import Qgis, QgsMessageLog
from qgis.utils import iface

from ..messages import LOG_TAG, push, show_log, tr

SUCCESS = Qgis.MessageLevel.Success
PROBLEM = Qgis.MessageLevel.Warning
NOTE = Qgis.MessageLevel.Info
_SECONDS = {SUCCESS: 10, NOTE: 20, PROBLEM: 0}


def say(
    text: str,
    level: Qgis.MessageLevel,
    button: str = "",
    action: Optional[Callable[[], object]] = None,
    seconds: Optional[int] = None,
) -> None:
    """Show a message with a button; a problem stays until it is closed.

    Args:
        text: one sentence or two.
        level: ``SUCCESS``, ``NOTE`` or ``PROBLEM``.
        button: what the button says; by default it opens the log.
        seconds: until it goes, where that is not as usual for its level.
    """
    QgsMessageLog.logMessage(text, LOG_TAG, level, False)
    if iface is None:
        return
    if action is None and level == PROBLEM:
        button, action = tr("Show log"), show_log
    until = _SECONDS[level] if seconds is None else seconds
    push(iface.messageBar(), text, level, until, button, action)
