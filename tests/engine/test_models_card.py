"""The card: what is written is what is read, and what cannot be true is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import read_card
from hyperkd.models.card import ModelCard, Probe, SelfTest
from hyperkd.types import Wavelengths

STUDENTS = Path(__file__).resolve().parents[2] / "resources" / "students"

CLASSES = (
    {"name": "water", "value": 10, "color": "#0000ff"},
    {"name": "forest", "value": "F", "color": "#00AA10"},
)
TARGETS = (
    {"name": "carbon", "unit": "%", "minimum": 0.5, "maximum": 6.25},
    {"name": "clay", "unit": "", "minimum": 3, "maximum": 3},
)


def make_card(**changes) -> ModelCard:
    values = {
        "name": "nano",
        "task": "pretrain",
        "bands": Wavelengths([450.5, 550.25, 2200.125], [10.0, 9.5, 8.25]),
        "mean": (0.1, 0.2, 0.3),
        "std": (0.01, 0.02, 0.03),
        "patch_px": 4,
        "tile_px": 64,
        "receptive_field_px": 64,
        "embedding_dim": 128,
        "licence": "GPL-2.0-or-later",
        "created": "2025-01-31",
        "parents": ("ab12",),
        "architecture": {"preset": "tiny"},
        "training": {"steps": 3},
        "metrics": {"psnr_db": 30.5},
        "self_test": SelfTest(7, 1, 0.01, {"embedding": Probe((0, 5), (0.25, -1.5), 2.0)}),
    }
    return ModelCard(**{**values, **changes})


def comparable(card: ModelCard) -> dict:
    return {**vars(card), "bands": (card.bands.centre_nm.tolist(), card.bands.fwhm_nm.tolist())}


def test_json_brings_every_field_back():
    card = make_card(
        task="classification",
        teacher={"name": "t"},
        classes=CLASSES,
        ground_sampling_m=20.0,
        temperature=1.75,
        quantisation={"kind": "dynamic", "agreement": 0.99},
    )
    assert comparable(ModelCard.from_json(card.to_json())) == comparable(card)


def test_json_holds_plain_values_under_the_documented_names():
    values = json.loads(make_card().to_json())
    assert values["schema"] == 3
    assert values["bands"] == {"centre_nm": [450.5, 550.25, 2200.125], "fwhm_nm": [10.0, 9.5, 8.25]}
    assert values["self_test"]["outputs"]["embedding"] == {
        "indices": [0, 5], "values": [0.25, -1.5], "largest": 2.0,
    }  # fmt: skip


def test_bands_without_fwhm_stay_without():
    card = make_card(bands=Wavelengths([450.0, 550.0, 650.0]))
    assert ModelCard.from_json(card.to_json()).bands.fwhm_nm is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 4}, "a newer HyperKD wrote it, in schema 4; this version reads 1, 2 and 3"),
        ({"schema": 0}, "its schema is 0, this version reads 1, 2 and 3"),
        ({"schema": None}, "its schema is None"),
        ({"schema": True}, "its schema is True"),
        ({"schema": "2"}, "its schema is '2'"),
        ({"colour": "red"}, "it holds unknown fields: colour"),
        ({"mean": [0.1, 0.2]}, "2 values of mean for 3 bands"),
        ({"std": [0.1, 0.2, 0.0]}, "std must be positive, its smallest value is 0"),
        ({"task": "magic"}, "the task is 'magic', known are pretrain, classification, reg"),
        ({"tile_px": 62}, "tile_px = 62 is not a multiple of patch_px = 4"),
        ({"patch_px": 4.0}, "patch_px must be a whole number, got 4.0"),
        ({"mean": ["a", 0, 0]}, "could not convert string to float"),
        (
            {"bands": {"centre_nm": [450, -1, 650], "fwhm_nm": None}},
            "wavelength must be a positive",
        ),
        ({"bands": [450, 550, 650]}, "a field holds the wrong kind of value"),
        ({"temperature": 0}, "temperature must be a positive number, it is 0"),
        ({"temperature": "warm"}, "could not convert string to float"),
        ({"quantisation": {"kind": "int4"}}, "quantisation is 'int4', known are dynamic, static"),
        ({"quantisation": "dynamic"}, "quantisation must be an object or null, got 'dynamic'"),
        ({"architecture": None}, "architecture must be an object, got None"),
        ({"licence": 3}, "licence must be a text, got 3"),
        ({"ground_sampling_m": "30"}, "ground_sampling_m must be a number, got '30'"),
        ({"embedding_dim": 0}, "embedding_dim = 0 is not from 1 to 65536"),
        ({"self_test": {"seed": -1, "batch": 1, "tolerance": 0.1, "outputs": {}}}, "of seed -1"),
        (
            {
                "self_test": {
                    "seed": 1,
                    "batch": 1,
                    "tolerance": 0.1,
                    "outputs": {"embedding": {"indices": [0, 1], "values": [2.0], "largest": 2.0}},
                }
            },
            r"the self-test of embedding expects \(2.0,\) at \(0, 1\)",
        ),
        ({"classes": CLASSES}, "the task pretrain has no classes, 2 are given"),
        ({"targets": TARGETS}, "the task pretrain has no targets, 2 are given"),
        ({"task": "classification"}, "has 2 to 255 classes, these are 0"),
        ({"task": "regression"}, "a regression has at least one target"),
        ({"task": "regression", "classes": CLASSES}, "the task regression has no classes"),
    ],
)
def test_a_wrong_field_is_named(changes, message):
    text = json.dumps({**json.loads(make_card().to_json()), **changes})
    with pytest.raises(HyperKDError, match=message) as caught:
        ModelCard.from_json(text)
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": " "}, "each must have a name"),
        ({"name": "forest"}, "each name may occur once"),
        ({"value": 1.5}, "the class 'water' has the value 1.5"),
        ({"value": True}, "the class 'water' has the value True"),
        ({"color": "blue"}, "the class 'water' has the colour 'blue', not #rrggbb"),
        ({"color": "#0000ff00"}, "not #rrggbb"),
        ({"color": None}, "a field holds the wrong kind of value"),
    ],
)
def test_a_wrong_class_is_named(changes, message):
    values = json.loads(make_card(task="classification", classes=CLASSES).to_json())
    values["classes"][0].update(changes)
    with pytest.raises(HyperKDError, match=message) as caught:
        ModelCard.from_json(json.dumps(values))
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "clay"}, "each name may occur once"),
        ({"minimum": 7}, "the target 'carbon' reaches from 7 to 6.25"),
        ({"maximum": "inf"}, "the target 'carbon' reaches from 0.5 to inf"),
        ({"unit": None}, "the target 'carbon' has the unit None"),
    ],
)
def test_a_wrong_target_is_named(changes, message):
    values = json.loads(make_card(task="regression", targets=TARGETS).to_json())
    values["targets"][0].update(changes)
    with pytest.raises(HyperKDError, match=message) as caught:
        ModelCard.from_json(json.dumps(values))
    assert caught.value.code == "bad_model"


def test_more_classes_than_a_map_of_bytes_holds_are_refused():
    classes = tuple({"name": str(i), "value": i, "color": "#000000"} for i in range(256))
    assert len(make_card(task="classification", classes=classes[:255]).classes) == 255
    with pytest.raises(HyperKDError, match="has 2 to 255 classes, these are 256") as caught:
        make_card(task="classification", classes=classes)
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("task", "outputs"),
    [
        ("pretrain", ("embedding", "reconstruction")),
        ("classification", ("logits",)),
        ("regression", ("values",)),
    ],
)
def test_a_task_names_the_outputs_of_its_graph(task, outputs):
    answers = {"classification": {"classes": CLASSES}, "regression": {"targets": TARGETS}}
    assert make_card(task=task, **answers.get(task, {})).outputs == outputs


def test_a_card_of_schema_1_is_migrated():
    """Word for word what the first version wrote; it had neither of the later fields."""
    text = (
        '{"schema": 1, "name": "nano", "task": "pretrain", "bands": {"centre_nm": [450.5, 550.25, '
        '2200.125], "fwhm_nm": [10.0, 9.5, 8.25]}, "mean": [0.1, 0.2, 0.3], "std": [0.01, 0.02, '
        '0.03], "patch_px": 4, "tile_px": 64, "receptive_field_px": 64, "embedding_dim": 128, '
        '"licence": "GPL-2.0-or-later", "created": "2025-01-31", "ground_sampling_m": 30.0, '
        '"units": "reflectance, 0 to 1", "nodata": "pixels that are not valid contribute nothing", '
        '"classes": [], "targets": [], "teacher": null, "parents": ["ab12"], "architecture": '
        '{"preset": "tiny"}, "training": {"steps": 3}, "metrics": {"psnr_db": 30.5}, "self_test": '
        '{"seed": 7, "batch": 1, "tolerance": 0.01, "outputs": {"embedding": {"indices": [0, 5], '
        '"values": [0.25, -1.5], "largest": 2.0}}}}'
    )
    card = ModelCard.from_json(text)
    assert (card.temperature, card.quantisation) == (1.0, None)
    assert comparable(card) == comparable(make_card())
    assert json.loads(card.to_json())["schema"] == 3


@pytest.mark.parametrize("suffix", ["onnx", "safetensors"])
def test_the_shipped_student_reads(suffix):
    card = read_card(STUDENTS / f"tiny.{suffix}")
    assert (card.name, card.task, card.temperature) == ("tiny", "pretrain", 1.0)
    assert len(card.bands) == 218


def test_missing_fields_are_named():
    values = json.loads(make_card().to_json())
    del values["bands"], values["licence"]
    with pytest.raises(HyperKDError, match="it lacks the fields bands, licence") as caught:
        ModelCard.from_json(json.dumps(values))
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON"),
        ("[1]", "it is not a JSON object"),
        ('{"metrics": {"loss": NaN}}', "it is not JSON .NaN is not a finite number"),
        ('{"metrics": {"loss": 1e999}}', "it is not JSON .1e999 is not a finite number"),
    ],
)
def test_what_is_no_card_is_refused(text, message):
    with pytest.raises(HyperKDError, match=message) as caught:
        ModelCard.from_json(text)
    assert caught.value.code == "bad_model"


def test_a_value_that_is_not_finite_is_refused():
    with pytest.raises(HyperKDError, match="mean holds a value that is not finite") as caught:
        make_card(mean=(0.1, float("nan"), 0.3))
    assert caught.value.code == "bad_model"


def test_self_test_inputs_are_the_same_everywhere():
    pixels, valid = SelfTest(7, 2, 0.01, {}).inputs(3, 8)
    assert pixels.shape == (2, 3, 8, 8) and valid.shape == (2, 1, 8, 8)
    assert pixels.dtype == valid.dtype == np.float32
    # PCG64 is part of numpy's promise of stable streams; these numbers are its promise here.
    generator = np.random.Generator(np.random.PCG64(7))
    expected = generator.random(2 * 3 * 64, dtype=np.float32)
    np.testing.assert_array_equal(pixels.ravel(), expected)
    assert set(np.unique(valid)) == {0.0, 1.0}
    assert 0.8 < valid.mean() < 1


def test_self_test_measures_relative_to_the_largest_value():
    test = make_card().self_test
    values = np.zeros((1, 2, 3))
    values[0, 0, 0], values[0, 1, 2] = 0.25 + 0.01, -1.5
    assert test.check("embedding", values) == pytest.approx(0.005)


@pytest.mark.parametrize("wrong", [0.25 + 0.021, np.nan, np.inf])
def test_self_test_refuses_what_deviates(wrong):
    test = make_card().self_test
    values = np.array([wrong, 0, 0, 0, 0, -1.5])
    with pytest.raises(HyperKDError, match="self-test failed: embedding deviates by") as caught:
        test.check("embedding", values)
    assert caught.value.code == "bad_model"


def test_a_self_test_of_another_output_is_refused():
    test = make_card().self_test
    for output, size in (("embedding", 5), ("logits", 6)):
        message = f"self-test does not fit the output {output} of {size} values"
        with pytest.raises(HyperKDError, match=message) as caught:
            test.check(output, np.zeros(size))
        assert caught.value.code == "bad_model"


def test_a_card_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_card().name = "other"
