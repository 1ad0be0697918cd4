"""Translation, and the sentences that the user reads."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from qgis.core import Qgis, QgsMessageLog
from qgis.PyQt.QtCore import QCoreApplication, QThread
from qgis.PyQt.QtWidgets import QDockWidget, QPushButton, QTabWidget
from qgis.utils import iface

from .engine_notes import translated
from .runner.protocol import Cancelled, Crashed, Ending, Failed

LOG_TAG = "HyperKD"
_SHOWN = 2  # of the problems of a run, in the message bar


def tr(text: str) -> str:
    """Return the text in the user's language."""
    return QCoreApplication.translate("HyperKD", text)


def harmless(text: str) -> str:
    """Return a text in which nothing is taken for markup, for what QGIS shows by its own choice.

    A message bar and a question show anything with a tag as a page, and a page may name
    pictures on somebody's server.
    """
    return text.replace("<", "‹")


def log_traceback() -> None:
    """Keep the exception that is being handled where a bug report finds it."""
    QgsMessageLog.logMessage(traceback.format_exc(), LOG_TAG, Qgis.MessageLevel.Critical, False)


def no_engine() -> str:
    """Say what to do where there is no interpreter for the engine."""
    return tr(
        "HyperKD has no engine yet. Set it up under Plugins › HyperKD › Engine… or with the "
        "algorithm hyperkd:setupengine; or name a Python that has the engine's packages in the "
        "environment variable HYPERKD_ENGINE_PYTHON."
    )


def no_training() -> str:
    """Say what to do where the environment can run models but not train them."""
    return tr(
        "HyperKD's engine was set up to run models only; this needs PyTorch too. Set it up again "
        "under Plugins › HyperKD › Engine… with fine-tuning ticked, or with the algorithm "
        "hyperkd:setupengine and TRAINING."
    )


def engine_outdated(old: str, new: str) -> str:
    """Say what to do where QGIS has another Python than the environment was made for."""
    return tr(
        "HyperKD's engine was set up for Python {old}, but QGIS now has Python {new}. Set it up "
        "again under Plugins › HyperKD › Engine… or with the algorithm hyperkd:setupengine."
    ).format(old=old, new=new)


def interpreter_gone(path: str) -> str:
    """Say what to do where the chosen interpreter does not exist."""
    return tr(
        "The interpreter {path}, which was chosen to run HyperKD's engine, does not exist. "
        "Choose another one under Plugins › HyperKD › Engine…"
    ).format(path=path)


def engine_folder_gone(path: str) -> str:
    """Say what to do where the plugin lacks its engine."""
    return tr(
        "The plugin's engine is missing: there is no {path}. Install the plugin again."
    ).format(path=path)


def failed(ending: Failed) -> str:
    """Return the engine's refusal as the user reads it."""
    text = ending.message or tr("The engine refused the job ({code}).").format(code=ending.code)
    text = f"{translated(text)} {translated(ending.hint)}".rstrip()
    if ending.code == "missing_dependency" and "HyperKD ›" not in text:
        text += " " + tr("Plugins › HyperKD › Engine… checks what the engine has.")
    return text


def crashed(ending: Crashed) -> str:
    """Say that the engine ended without a reason, and where to look."""
    if ending.killed:
        what = tr(
            "The engine was killed (signal or code {code}). Most often the machine ran out of "
            "memory: choose fewer tiles at once, or close other programs."
        ).format(code=ending.exit_code)
    elif ending.exit_code == 0:
        what = tr("The engine ended before it was done.")
    else:
        what = tr("The engine failed with an internal error (exit status {code}).").format(
            code=ending.exit_code
        )
    where = tr(
        "No output was written. The last messages of the engine are in the log: View › Panels "
        "› Log Messages › {tab}."
    ).format(tab=LOG_TAG)
    return f"{what} {where}"


def problems(summary: Mapping[str, Any], least: str = "warning") -> list[str]:
    """Return what is odd about scenes and labels of a finished job.

    Args:
        summary: of the job.
        least: ``note`` for mere notes too.
    """
    found = summary.get("problems")
    told = []
    for each in found if isinstance(found, list) else []:
        if isinstance(each, Mapping) and (least == "note" or each.get("severity") != "note"):
            told.append(problem(each))
    return told


def problem(values: Mapping[str, Any]) -> str:
    """Return one problem of a scene as the user reads it, from a summary or a log event."""
    message, scene = str(values.get("message", "")), f"{values.get('scene', '')}: "
    # A job of several scenes says which one is meant.
    before = scene if message.startswith(scene) else ""
    hint = translated(str(values.get("hint", "")))
    return f"{before}{translated(message[len(before) :])} {hint}".rstrip()


def show_problems(subject: str, told: Sequence[str]) -> None:
    """Show problems in the message bar; without a window, or in a thread, in the log alone."""
    if not told:
        return
    text = f"{subject}: {shortened(told)}" if subject else shortened(told)
    level = Qgis.MessageLevel.Warning
    # A step of a model ends in a thread, where no widget may be touched.
    is_main = QThread.currentThread() == QCoreApplication.instance().thread()
    shown = iface is not None and is_main
    for line in told:
        QgsMessageLog.logMessage(line, LOG_TAG, level, not shown)
    # Each step of a workflow finds the same in the same scene: once is enough.
    if shown and harmless(text) not in [each.text() for each in iface.messageBar().items()]:
        push(iface.messageBar(), text, level, 0, tr("Show log"), show_log)


def shortened(told: Sequence[str]) -> str:
    """Return the first problems of a run as one text, and how many more there are."""
    more = tr("{count} more are in the log.").format(count=len(told) - _SHOWN)
    return " ".join([*told[:_SHOWN], *([more] if len(told) > _SHOWN else [])])


def push(
    bar: Any,
    text: str,
    level: Qgis.MessageLevel,
    seconds: int,
    button: str = "",
    action: Optional[Callable[[], object]] = None,
) -> None:
    """Show a message in a message bar, with a button where it does something.

    Args:
        seconds: until it goes; 0 leaves it until it is closed.
    """
    item = bar.createMessage("HyperKD", harmless(text))
    if action is not None:
        made = QPushButton(button)
        made.clicked.connect(lambda: action())
        item.layout().addWidget(made)
    bar.pushWidget(item, level, seconds)


def show_log() -> None:
    """Open QGIS's log panel at our tab."""
    if iface is None:
        return
    iface.openMessageLog()
    # QGIS learns to open it at a tab long after 3.22.
    panel = iface.mainWindow().findChild(QDockWidget, "MessageLog")
    for tabs in panel.findChildren(QTabWidget) if panel is not None else ():
        for index in range(tabs.count()):
            if tabs.tabText(index) == LOG_TAG:
                tabs.setCurrentIndex(index)


def unfinished(ending: Ending) -> str:
    """Say how a job ended that did not finish; nothing of one that did."""
    if isinstance(ending, Failed):
        return failed(ending)
    if isinstance(ending, Crashed):
        return crashed(ending)
    return tr("Cancelled.") if isinstance(ending, Cancelled) else ""
