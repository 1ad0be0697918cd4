"""The card: what is written is what is read, and what cannot be true is refused."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.models.card import ModelCard, Probe, SelfTest
from hyperkd.types import Wavelengths


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
    card = make_card(teacher={"name": "t"}, classes=({"name": "water"},), ground_sampling_m=20.0)
    assert comparable(ModelCard.from_json(card.to_json())) == comparable(card)


def test_json_holds_plain_values_under_the_documented_names():
    values = json.loads(make_card().to_json())
    assert values["schema"] == 1
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
        ({"schema": 2}, "its schema is 2, this version reads 1"),
        ({"schema": None}, "its schema is None"),
        ({"colour": "red"}, "it holds unknown fields: colour"),
        ({"mean": [0.1, 0.2]}, "2 values of mean for 3 bands"),
        ({"std": [0.1, 0.2, 0.0]}, "std must be positive, its smallest value is 0"),
        ({"task": "magic"}, "the task is 'magic', known are pretrain"),
        ({"tile_px": 60}, "tile_px = 60 is no multiple of 2 x patch_px = 8"),
        ({"patch_px": 4.0}, "patch_px must be a whole number, got 4.0"),
        ({"mean": ["a", 0, 0]}, "could not convert string to float"),
        (
            {"bands": {"centre_nm": [450, -1, 650], "fwhm_nm": None}},
            "wavelength must be a positive",
        ),
        ({"bands": [450, 550, 650]}, "a field holds the wrong kind of value"),
    ],
)
def test_a_wrong_field_is_named(changes, message):
    text = json.dumps({**json.loads(make_card().to_json()), **changes})
    with pytest.raises(HyperKDError, match=message) as caught:
        ModelCard.from_json(text)
    assert caught.value.code == "bad_model"


def test_missing_fields_are_named():
    values = json.loads(make_card().to_json())
    del values["bands"], values["licence"]
    with pytest.raises(HyperKDError, match="it lacks the fields bands, licence") as caught:
        ModelCard.from_json(json.dumps(values))
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("text", "message"), [("{", "it is not JSON"), ("[1]", "it is not a JSON object")]
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


def test_a_card_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_card().name = "other"
