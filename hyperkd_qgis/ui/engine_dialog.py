"""Which interpreter runs the engine, and whether it can."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication, QgsTask
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from .. import settings
from ..env.verify import Finding, verify
from ..messages import tr
from ..paths import engine_folder
from ..runner.process import Engine


class VerifyTask(QgsTask):
    """Verifies an interpreter in the background."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(tr("Check HyperKD's engine"), QgsTask.Flag.CanCancel)
        self._engine = engine
        self.findings: list[Finding] = []

    def run(self) -> bool:
        """Do the work; called in a thread of the task manager."""
        self.findings = verify(self._engine, self.isCanceled)
        return not self.isCanceled()


class EngineDialog(QDialog):
    """Chooses the engine's interpreter and checks it when asked."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("HyperKD engine"))
        self.resize(560, 380)
        self._task: Optional[VerifyTask] = None

        explanation = QLabel(
            tr(
                "HyperKD computes in a process of its own, so that it cannot disturb QGIS. "
                "Choose the Python interpreter of that process; it needs the packages numpy, "
                "GDAL, onnx, onnxruntime and safetensors."
            )
        )
        explanation.setWordWrap(True)
        self.interpreter = QgsFileWidget()
        self.interpreter.setDialogTitle(tr("Python interpreter of the engine"))
        self.interpreter.lineEdit().setPlaceholderText(tr("none chosen"))
        self.origin = QLabel()
        self.origin.setWordWrap(True)
        self.check_button = QPushButton(tr("Check"))
        self.check_button.clicked.connect(self.check)
        self.report = QTextBrowser()
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.addButton(self.check_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)

        form = QFormLayout()
        form.addRow(tr("&Interpreter"), self.interpreter)
        form.addRow("", self.origin)
        layout = QVBoxLayout(self)
        layout.addWidget(explanation)
        layout.addLayout(form)
        layout.addWidget(self.report)
        layout.addWidget(buttons)

        chosen = settings.interpreter()
        self._shown = "" if chosen is None else str(chosen.path)
        self.interpreter.setFilePath(self._shown)
        self.origin.setText(_origin_text(chosen))

    def check(self) -> None:
        """Verify the interpreter in the background and show what was found."""
        self._task = VerifyTask(Engine(Path(self.interpreter.filePath()), engine_folder()))
        self._task.taskCompleted.connect(self._show_findings)
        self._task.taskTerminated.connect(self._show_findings)
        self.check_button.setEnabled(False)
        self.report.setHtml(tr("Checking…"))
        QgsApplication.taskManager().addTask(self._task)

    def accept(self) -> None:
        """Store the choice, if it is another one than before."""
        if self.interpreter.filePath() != self._shown:
            settings.choose_interpreter(self.interpreter.filePath())
        super().accept()

    def done(self, result: int) -> None:
        """Close; a check that still runs is not waited for."""
        if self._task is not None:
            self._task.taskCompleted.disconnect(self._show_findings)
            self._task.taskTerminated.disconnect(self._show_findings)
            self._task.cancel()
            self._task = None
        super().done(result)

    def _show_findings(self) -> None:
        findings = self._task.findings
        self._task = None
        self.check_button.setEnabled(True)
        self.report.setHtml(findings_html(findings))


def findings_html(findings: list[Finding]) -> str:
    """Return the result of a check as a table, with a verdict above it."""
    if all(finding.fine for finding in findings):
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
        "setting": tr("Chosen here; leave it empty to take the choice back."),
        "environment": tr("Named by the environment variable {name}.").format(
            name=settings.PYTHON_VARIABLE
        ),
        "checkout": tr("Found in the development checkout."),
    }[chosen.origin]
