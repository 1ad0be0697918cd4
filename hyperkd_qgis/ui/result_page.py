"""The last page of the fine-tuning window: how good the model is, and what to do with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from .. import messages, settings
from ..layers import Provenance
from ..messages import tr
from ..paths import free_path, metadata
from ..runner.job_task import JobTask
from ..runner.protocol import Done, Ending
from .comparison_table import ComparisonTable
from .map_layers import add_raster
from .plain_label import plain_label
from .result_text import result_html

_GROUP = "HyperKD"
# What a training was told about its scenes, and whoever reads them again has to know.
TOLD = ("bands", "scale", "nodata", "accept")


class ResultPage(QWidget):
    """Shows a finished fine-tuning and puts its model to use."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._summary: Mapping[str, Any] = {}
        self._scenes: list[str] = []
        self._told: Mapping[str, Any] = {}
        self._waiting: list[str] = []
        self._model = ""  # that maps them
        # The maps of this window by scene and model: these may be made anew, other files stay.
        self._maps: dict[tuple[str, str], str] = {}
        self._task: Optional[JobTask] = None
        self.text = QTextBrowser()
        self.text.setPlaceholderText(tr("The scores appear here when the training has ended."))
        self.comparison = ComparisonTable()
        self.comparison.map_asked.connect(self.map_scenes_with)
        self.comparison.store_asked.connect(self.store_model)
        self.comparison.setVisible(False)
        self.message = plain_label()
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        self.report_button = QPushButton(tr("Open &report"))
        self.report_button.clicked.connect(self.open_report)
        self.map_button = QPushButton(tr("&Map all scenes"))
        self.map_button.setToolTip(
            tr("Runs the model on every scene and adds the maps to the project.")
        )
        self.map_button.clicked.connect(self.map_scenes)
        self.store_button = QPushButton(tr("&Save model to the store"))
        self.store_button.setToolTip(tr("Algorithms then find the model by its name."))
        self.store_button.clicked.connect(self.store)
        row = QHBoxLayout()
        for button in (self.report_button, self.map_button, self.store_button):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.comparison)
        layout.addLayout(row)
        layout.addWidget(self.bar)
        layout.addWidget(self.message)
        self._show_buttons()

    @property
    def report(self) -> Optional[Path]:
        """The page of the report, where there is one."""
        path = self._summary.get("report")
        page = Path(str(path)) / "report.html" if path else None
        return page if page is not None and page.is_file() else None

    def show_result(self, summary: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        """Show a model and its figures.

        Args:
            fields: of the job: its scenes, what it was told about them, and its report.
        """
        self._summary = {**summary, "report": fields.get("report")}
        self._scenes = [str(path) for path in fields.get("input", ())]
        self._told = {name: fields[name] for name in TOLD if name in fields}
        figures = _figures(self.report)
        self.text.setHtml(result_html(summary, figures, self.text.palette()))
        self.comparison.show_methods(
            figures.get("comparisons") or (),
            [str(target["name"]) for target in figures.get("assessment", {}).get("targets", ())],
            summary.get("baselines") or {},
            str(summary.get("output", "")),
        )
        self.message.clear()
        self._show_buttons()

    def open_report(self) -> None:
        """Show the report in the browser."""
        if self.report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.report)))

    def map_scenes(self) -> None:
        """Run the model on all scenes, one after the other, in the background."""
        self.map_scenes_with(str(self._summary["output"]))

    def map_scenes_with(self, model: str) -> None:
        """Run a model on all scenes: the trained one, or a classical one beside it."""
        self._waiting, self._model = list(self._scenes), model
        self._map_next()

    def store(self) -> None:
        """Copy the model into the model store."""
        self.store_model(str(self._summary["output"]))

    def store_model(self, model: str) -> None:
        """Copy a model into the model store."""
        self._start(tr("Saving the model"), "models_add", {"file": model}, self._stored)

    def _map_next(self) -> None:
        if not self._waiting:
            return
        scene, model = self._waiting.pop(0), self._model
        output = self._maps.get((scene, model)) or self._new_map(scene, Path(model))
        fields = {"input": scene, "model": model, "output": output, **self._told}
        title = tr("Mapping {scene}").format(scene=Path(scene).name)
        self._start(title, "predict", fields, lambda ending: self._mapped(ending, fields))

    def _new_map(self, scene: str, model: Path) -> str:
        """Return a file for a scene's map, beside the model and named after both."""
        path = Path(scene)
        alike = [other for other in self._scenes if Path(other).stem == path.stem]
        name = path.stem if len(alike) == 1 else f"{path.parent.name}-{path.stem}"
        return str(free_path(model.with_name(f"{name}-{model.stem}.tif")))

    def _mapped(self, ending: Done, fields: Mapping[str, Any]) -> None:
        self._maps[fields["input"], fields["model"]] = fields["output"]
        style = "classes" if ending.summary.get("task") == "classification" else "values"
        provenance = Provenance(
            group=_GROUP,
            made_by=f"HyperKD {metadata().get('version', '')}, predict",
            model=f"{ending.summary.get('model')} ({ending.summary.get('model_sha256')})",
            settings=json.dumps(dict(fields), ensure_ascii=False),
        )
        title = Path(fields["output"]).stem
        add_raster(fields["output"], title, style, _GROUP, provenance)
        self.message.setText(tr("{path} is in the project.").format(path=fields["output"]))
        self._map_next()

    def _stored(self, ending: Done) -> None:
        self.message.setText(
            tr("The model is in the store as “{name}”.").format(name=ending.summary.get("name"))
        )

    def _start(self, title: str, kind: str, fields: Mapping[str, Any], take: Any) -> None:
        engine = settings.engine()
        if engine is None or self._task is not None:
            return
        self._task = JobTask(title, engine, kind, fields)
        self._task.progressChanged.connect(lambda percent: self.bar.setValue(int(percent)))
        self._task.ended.connect(lambda ending: self._end(ending, take))
        self.message.setText(title + "…")
        self.bar.setValue(0)
        self._show_buttons()
        QgsApplication.taskManager().addTask(self._task)

    def _end(self, ending: Ending, take: Any) -> None:
        self._task = None
        self._show_buttons()
        if isinstance(ending, Done):
            take(ending)
            return
        self._waiting.clear()
        self.message.setText(messages.unfinished(ending))

    def _show_buttons(self) -> None:
        there = bool(self._summary.get("output")) and self._task is None
        self.report_button.setEnabled(self.report is not None)
        self.map_button.setEnabled(there and bool(self._scenes))
        self.store_button.setEnabled(there)
        self.comparison.set_enabled(there and bool(self._scenes))
        self.bar.setVisible(self._task is not None)


def _figures(page: Optional[Path]) -> Mapping[str, Any]:
    """Return what the report's file of figures holds; empty where there is none."""
    if page is None:
        return {}
    try:
        found = json.loads(page.with_name("report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
