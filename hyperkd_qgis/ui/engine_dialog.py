"""The engine's window: what is there, what is missing, and how to get it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication
from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QShowEvent
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from .. import messages, settings
from ..env import managed, pins
from ..env.diagnostics import diagnostics
from ..env.network import from_qgis
from ..env.setup_tasks import VerifyTask
from ..env.verify import Finding
from ..messages import tr
from ..paths import engine_folder
from ..runner.process import Engine
from .file_widget import file_widget
from .plain_label import plain_label
from .setup_panel import SetupPanel, tier_name

# What the desktop puts around a window: its title, and some distance to the edges.
_AROUND_PX = 60


class EngineDialog(QDialog):
    """Shows the engine's state, sets it up, checks it, and takes an interpreter of the user's.

    It never waits for anything: a set-up goes on when the window is closed, and is shown
    again when it is opened.
    """

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("HyperKD engine"))
        self._task: Optional[VerifyTask] = None
        self._findings: list[Finding] = []

        self.state = QLabel()
        self.state.setWordWrap(True)
        self.setup = SetupPanel()
        self.setup.changed.connect(self._refresh)
        self.report = QTextBrowser()
        self.report.setPlaceholderText(
            tr("Check imports each package and lets the engine read a model.")
        )
        self.report.setMinimumHeight(150)
        self.check_button = QPushButton(tr("C&heck"))
        self.check_button.setToolTip(tr("Imports each package and lets the engine read a model."))
        self.check_button.clicked.connect(self.check)
        self.diagnostics_button = QPushButton(tr("Copy &diagnostics"))
        self.diagnostics_button.setToolTip(
            tr("Copies a text for a bug report, without passwords and names of your folders.")
        )
        self.diagnostics_button.clicked.connect(self.copy_diagnostics)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.check_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.diagnostics_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)

        layout = QVBoxLayout(self)
        layout.addWidget(self.state)
        choices = self._choices()
        layout.addWidget(choices, 3)
        layout.addWidget(self.report, 1)
        layout.addWidget(buttons)
        self._refresh()
        self._fit(choices)

    def check(self) -> None:
        """Verify the interpreter in the background and show what was found."""
        path, chosen = self.interpreter.filePath(), settings.interpreter()
        if not path and chosen is not None:
            path = str(chosen.path)
        if not path:
            self.report.setPlainText(messages.no_engine())
            return
        made = managed.find()
        is_made = made is not None and str(made.python) == path
        tiers = made.tiers if is_made else ("inference",)
        self._task = VerifyTask(Engine(Path(path), engine_folder()), pins.modules(tiers))
        self._task.ended.connect(self._show_findings)
        self.check_button.setEnabled(False)
        self.report.setHtml(tr("Checking…"))
        QgsApplication.taskManager().addTask(self._task)

    def use_own(self) -> None:
        """Store the interpreter of the field as the user's choice; an empty one takes it back."""
        settings.choose_interpreter(self.interpreter.filePath())
        self._refresh()

    def copy_diagnostics(self) -> None:
        """Put the text for a bug report into the clipboard."""
        text = diagnostics(from_qgis(), self._findings)
        QgsApplication.clipboard().setText(text)
        self.report.setPlainText(tr("Copied to the clipboard:") + "\n\n" + text)

    def showEvent(self, event: QShowEvent) -> None:
        """Show what holds now: an algorithm may have set the engine up meanwhile."""
        super().showEvent(event)
        self._refresh()

    def done(self, result: int) -> None:
        """Close; a check that still runs is not waited for, a set-up goes on."""
        if self._task is not None:
            self._task.ended.disconnect(self._show_findings)
            self._task.cancel()
            self._task = None
            self.check_button.setEnabled(True)
            self.report.clear()
        super().done(result)

    def _choices(self) -> QScrollArea:
        """Return what can be chosen, in a part that scrolls where the screen is small."""
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.setup, 1)
        column.addWidget(self._own_interpreter())
        area = QScrollArea()
        area.setWidget(page)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        return area

    def _fit(self, choices: QScrollArea) -> None:
        """Make the window as large as it needs to be, and no larger than the screen."""
        margins = self.layout().contentsMargins()
        bar = choices.verticalScrollBar().sizeHint().width()
        width = choices.widget().minimumSizeHint().width() + bar + margins.left() + margins.right()
        room = self.screen().availableGeometry().size() - QSize(_AROUND_PX, _AROUND_PX)
        self.resize(QSize(max(680, width), 720).boundedTo(room))

    def _own_interpreter(self) -> QgsCollapsibleGroupBox:
        box = QgsCollapsibleGroupBox(tr("Your own Python"))
        self.interpreter = file_widget()
        self.interpreter.setDialogTitle(tr("Python interpreter of the engine"))
        self.interpreter.lineEdit().setPlaceholderText(tr("none: HyperKD's own is used"))
        self.interpreter.setFilePath(settings.chosen_interpreter())
        self.own_button = QPushButton(tr("&Use it"))
        self.own_button.setToolTip(tr("An empty field undoes the choice."))
        self.own_button.clicked.connect(self.use_own)
        self.origin = plain_label()
        row = QHBoxLayout()
        row.addWidget(self.interpreter, 1)
        row.addWidget(self.own_button)
        label = QLabel(tr("&Interpreter"))
        label.setBuddy(self.interpreter.lineEdit())
        form = QFormLayout(box)
        form.addRow(label, row)
        form.addRow("", self.origin)
        # Collapsed by hand: the group box would save its state under the object's name.
        box.setCollapsed(not settings.chosen_interpreter())
        box.setSaveCollapsedState(False)
        # A folded box takes no more room than its title.
        box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        return box

    def _refresh(self) -> None:
        """Show which interpreter holds now, and what there is to do."""
        self.state.setText(state_text())
        self.origin.setText(_origin_text(settings.interpreter()))

    def _show_findings(self) -> None:
        self._findings = [] if self._task is None else self._task.findings
        self._task = None
        self.check_button.setEnabled(True)
        self.report.setHtml(findings_html(self._findings))


def state_text() -> str:
    """Return what holds now and what there is to do, as rich text."""
    problem, chosen = settings.problem(), settings.interpreter()
    if chosen is None:
        verdict = tr("The engine is not set up yet.")
        more = tr(
            "HyperKD runs in its own process with its own packages, so a crash here cannot "
            "affect QGIS. Nothing is installed until you ask for it."
        )
    elif problem:
        verdict, more = tr("The engine cannot be used."), problem
    elif chosen.environment is None:
        verdict = tr("The engine runs in your own Python.")
        more = str(chosen.path)
    else:
        made = chosen.environment
        names = ", ".join(tier_name(tier) for tier in made.tiers)
        verdict = tr("The engine is set up: {tiers}.").format(tiers=names)
        more = tr("Python {version}, made {date}, in {folder}").format(
            version=made.python_version, date=made.made[:10], folder=made.folder
        )
        if not made.is_current:
            verdict = tr("The engine works, but this version of HyperKD needs other packages.")
            more = tr("Set it up again when convenient; until then the old packages are used.")
    return f"<b>{escape(verdict)}</b><br>{escape(more)}"


def findings_html(findings: list[Finding]) -> str:
    """Return the result of a check as a table, with a verdict above it."""
    if findings and all(finding.fine for finding in findings):
        verdict = tr("This interpreter can run HyperKD.")
    else:
        verdict = tr("This interpreter cannot run HyperKD yet.")
    rows = "".join(
        f"<tr><td>{'✔' if finding.fine else '✘'}</td>"
        f"<td>&nbsp;{escape(finding.subject)}&nbsp;&nbsp;</td><td>{escape(finding.detail)}</td></tr>"
        for finding in findings
    )
    return f"<p><b>{verdict}</b></p><table>{rows}</table>"


def _origin_text(chosen: Optional[settings.Interpreter]) -> str:
    if chosen is None:
        return tr("No interpreter has been chosen yet.")
    return {
        "setting": tr("Chosen here. To undo the choice, empty the field and press Use it."),
        "environment": tr("Named by the environment variable {name}.").format(
            name=settings.PYTHON_VARIABLE
        ),
        "managed": tr("HyperKD's own environment is used."),
        "checkout": tr("Found in the development checkout."),
    }[chosen.origin]
