"""Where a model is asked for: what is listed, what comes out, and how Processing makes it."""

from __future__ import annotations

import pytest

from tests import shipped
from tests.qgis.model_files import card, write_model


@pytest.fixture(autouse=True)
def store(plugin, monkeypatch, tmp_path):
    """Give each test a store with a model of each task."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("HYPERKD_MODELS", str(folder))
    write_model(folder / "crops.onnx", card("classification"))
    write_model(folder / "biomass.onnx", card("regression"))
    (folder / "own.safetensors").write_bytes(b"")
    return folder


@pytest.fixture
def made(plugin, qgis):
    """Return a maker of what asks for a parameter, as Processing's dialogs make it."""
    from processing.gui.wrappers import WidgetWrapperFactory
    from qgis.core import QgsApplication, QgsProcessingContext
    from qgis.PyQt.QtWidgets import QWidget

    kept = []

    def make(identifier, name="MODEL", dialog="AlgorithmDialog"):
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(identifier)
        window = type(dialog, (QWidget,), {})()
        definition = algorithm.parameterDefinition(name)
        wrapper = WidgetWrapperFactory.create_wrapper(definition, window)
        widget = wrapper.createWrappedWidget(QgsProcessingContext())
        kept.append((algorithm, window, wrapper, widget))
        return wrapper, wrapper.chooser

    return make


def listed(widget) -> list[str]:
    return [widget.box.itemText(row) for row in range(widget.box.count())]


@pytest.mark.parametrize(
    ("identifier", "name", "models"),
    [
        ("hyperkd:classify", "MODEL", ["crops"]),
        ("hyperkd:regress", "MODEL", ["biomass", "cover", "traits"]),
        ("hyperkd:evaluate", "MODEL", ["biomass", "cover", "crops", "traits"]),
        ("hyperkd:embed", "MODEL", ["cover", "tiny", "traits"]),
        ("hyperkd:reconstruct", "MODEL", ["tiny"]),
        ("hyperkd:anomaly", "MODEL", ["tiny"]),
        ("hyperkd:cluster", "MODEL", ["cover", "tiny", "traits"]),
        ("hyperkd:similarity", "MODEL", ["cover", "tiny", "traits"]),
        ("hyperkd:inspect", "MODEL", ["cover", "tiny", "traits"]),
        ("hyperkd:quantize", "MODEL", sorted(["biomass", "crops", *shipped.NAMES])),
        ("hyperkd:modelinfo", "MODEL", sorted(["biomass", "crops", *shipped.NAMES])),
        ("hyperkd:finetune", "STUDENT", ["own", "tiny"]),
        ("hyperkd:finetune", "PREVIOUS", sorted(["biomass", "crops", *shipped.NAMES])),
        ("hyperkd:classmap", "model", ["crops"]),
        ("hyperkd:checkedmap", "model", ["crops"]),
        ("hyperkd:mosaicmap", "model", ["crops"]),
        ("hyperkd:valuesmap", "model", ["biomass", "cover", "traits"]),
    ],
)
@pytest.mark.parametrize("dialog", ["AlgorithmDialog", "BatchAlgorithmDialog"])
def test_the_models_that_fit_are_listed(made, identifier, name, models, dialog):
    _, widget = made(identifier, name, dialog)
    assert listed(widget) == models


def test_every_parameter_of_a_model_has_the_list(plugin):
    """Whoever adds an algorithm cannot forget it."""
    from hyperkd_qgis.algorithms.help import offer_of

    bare = []
    for algorithm in plugin._provider.algorithms():
        for definition in algorithm.parameterDefinitions():
            is_model = definition.name().lower() in ("model", "student", "previous")
            if is_model and offer_of(definition) is None:
                bare.append((algorithm.id(), definition.name()))
    assert bare == []


def test_the_one_model_that_fits_is_proposed_where_one_must_be_given(made, store):
    assert made("hyperkd:classify")[0].parameterValue() == "crops"
    assert made("hyperkd:finetune", "PREVIOUS")[0].parameterValue() == ""
    assert made("hyperkd:embed")[0].parameterValue() == "tiny"
    write_model(store / "second.onnx", card("classification"))
    assert made("hyperkd:classify")[0].parameterValue() == ""


def test_where_none_fits_it_says_so(made, store):
    (store / "crops.onnx").unlink()
    _, widget = made("hyperkd:classify")
    assert listed(widget) == []
    assert widget.box.lineEdit().placeholderText() == "No model fits yet: choose a file"


def test_a_model_that_comes_while_the_dialog_is_open_is_listed(made, store):
    wrapper, widget = made("hyperkd:classify")
    widget.box.setEditText("/elsewhere/mine.onnx")
    write_model(store / "later.onnx", card("classification"))
    widget.box.showPopup()
    widget.box.hidePopup()
    assert listed(widget) == ["crops", "later"]
    assert wrapper.parameterValue() == "/elsewhere/mine.onnx"


def test_what_is_chosen_written_or_taken_from_a_file_is_a_text(made, monkeypatch, tmp_path):
    from qgis.core import QgsProcessingContext
    from qgis.PyQt.QtWidgets import QFileDialog

    wrapper, widget = made("hyperkd:evaluate")
    told = []
    wrapper.widgetValueHasChanged.connect(lambda *_: told.append(wrapper.parameterValue()))
    widget.box.setCurrentIndex(widget.box.findText("crops"))
    assert wrapper.parameterValue() == "crops"
    widget.box.setEditText(" /models/a b.onnx ")
    assert wrapper.parameterValue() == "/models/a b.onnx"
    asked = []

    def answer(parent, title, start, filters):
        asked.append((start, filters))
        return str(tmp_path / "c.onnx"), ""

    monkeypatch.setattr(QFileDialog, "getOpenFileName", answer)
    widget.button.click()
    assert wrapper.parameterValue() == str(tmp_path / "c.onnx")
    assert asked[0][0] == "/models"
    assert "*.onnx" in asked[0][1]
    wrapper.setParameterValue("biomass", QgsProcessingContext())
    assert wrapper.parameterValue() == "biomass"
    assert told == ["crops", "/models/a b.onnx", str(tmp_path / "c.onnx"), "biomass"]


def test_classes_are_seen_before_a_model_is_chosen(made):
    from qgis.PyQt.QtCore import Qt

    _, widget = made("hyperkd:classify")
    assert widget.box.itemData(0, Qt.ItemDataRole.ToolTipRole) == "water, wood & <grass>"


def test_the_expert_settings_list_models_too(plugin):
    from hyperkd_qgis.ui.expert_fold import ExpertFold

    fold = ExpertFold("Expert", "finetune")
    widget = fold._wrappers["previous"].chooser
    assert listed(widget) == sorted(["biomass", "crops", *shipped.NAMES])
    assert fold.values()["previous"] is None
    fold.set_values({"previous": "crops"})
    assert fold.values()["previous"] == "crops"
