"""Translation, and the sentences that the user reads."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

from .runner.protocol import Crashed, Failed

LOG_TAG = "HyperKD"


def tr(text: str) -> str:
    """Return the text in the user's language."""
    return QCoreApplication.translate("HyperKD", text)


def no_engine() -> str:
    """Say what to do where nobody has chosen an interpreter for the engine."""
    return tr(
        "HyperKD has no engine yet. Choose a Python interpreter that has the engine's packages "
        "under Plugins › HyperKD › Engine…, or name it in the environment variable "
        "HYPERKD_ENGINE_PYTHON."
    )


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
    text = f"{text} {ending.hint}".rstrip()
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
        what = tr("The engine ended without saying that it was done.")
    else:
        what = tr("The engine ended by an error of its own (exit status {code}).").format(
            code=ending.exit_code
        )
    where = tr(
        "No output was written. What the engine said last is in the log: "
        "View › Panels › Log Messages › {tab}."
    ).format(tab=LOG_TAG)
    return f"{what} {where}"
