"""Windows begin with the engine's defaults, whatever these are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.altered_schema import ANOTHER, altered

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "engine/hyperkd/jobs/schema.json").read_text("utf-8")
)


@pytest.fixture
def jobs(plugin, monkeypatch, tmp_path):
    """Return an altered schema, which the plugin reads in this test."""
    from hyperkd_qgis.algorithms import declare

    monkeypatch.setenv("HYPERKD_JOBS", str(tmp_path / "jobs"))
    found = altered(SCHEMA)
    monkeypatch.setattr(declare, "_jobs", lambda: found)
    return found


def defaults(job) -> dict:
    return {name: field.get("default") for name, field in job["properties"].items()}


def shown(values: dict, fields: dict) -> dict:
    """Return what a window starts with, as the engine would fill in what is left out."""
    return {name: fields[name] if value is None else value for name, value in values.items()}


def test_the_settings_of_a_fine_tuning_begin_with_the_defaults(jobs):
    from hyperkd_qgis.ui.finetune_settings import SettingsPage

    page, fields = SettingsPage(), defaults(jobs["finetune"])
    values = page.values()
    # The window writes the classical models wherever it compares with them.
    assert values.pop("save_baselines") is values["baselines"] is fields["baselines"]
    # What is made, and where, is no default but a proposal.
    del values["output"], values["report"]
    assert values["student"] == ANOTHER
    assert shown(values, fields) == {name: fields[name] for name in values}
    for name in ("split", "tune"):
        box = getattr(page, name)
        choices = [box.itemData(index) for index in range(box.count())]
        assert choices == jobs["finetune"]["properties"][name]["enum"]


def test_the_data_of_a_fine_tuning_offers_the_tasks_of_the_engine(jobs):
    from hyperkd_qgis.ui.finetune_data import DataPage

    box = DataPage().task
    choices = [box.itemData(index) for index in range(box.count())]
    assert choices == jobs["finetune"]["properties"]["task"]["enum"]


def test_a_distillation_begins_with_the_defaults(jobs):
    from hyperkd_qgis.runner.background import BackgroundJobs
    from hyperkd_qgis.ui.distill_dialog import DistillDialog

    jobs["distill"]["properties"]["hours"]["default"] = 7.5
    dialog, fields = DistillDialog(BackgroundJobs(), list), defaults(jobs["distill"])
    values = dialog.values()
    del values["input"], values["output"]
    assert values["teacher"] == values["preset"] == ANOTHER
    assert values["hours"] == 7.5
    assert dialog.hours.maximum() == jobs["distill"]["properties"]["hours"]["maximum"]
    assert shown(values, fields) == {name: fields[name] for name in values}


def test_the_card_is_that_of_the_engines_own_student(jobs):
    from hyperkd_qgis.algorithms.model_info import ModelInfoAlgorithm

    algorithm = ModelInfoAlgorithm()
    algorithm.initAlgorithm({})
    assert algorithm.parameterDefinition("MODEL").defaultValue() == ANOTHER


def test_every_choice_that_a_window_offers_has_a_name_of_its_own(plugin):
    """What the engine calls it is for scripts."""
    from hyperkd_qgis.algorithms.declare import JobParameters
    from hyperkd_qgis.ui.choice_box import choice_box

    for kind, name in (
        ("finetune", "task"),
        ("finetune", "tune"),
        ("finetune", "split"),
        ("distill", "preset"),
    ):
        box = choice_box(JobParameters(kind), name)
        for index in range(box.count()):
            assert box.itemText(index) != box.itemData(index), (name, index)
