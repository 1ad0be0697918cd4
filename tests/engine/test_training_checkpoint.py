"""Checkpoints: exact when they fit, refused by name when they do not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hyperkd.errors import HyperKDError

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from hyperkd.models.card import CARD_KEY, ModelCard  # noqa: E402
from hyperkd.models.nets.student import Student, StudentConfig  # noqa: E402
from hyperkd.training.checkpoint import (  # noqa: E402
    architecture,
    load_checkpoint,
    save_checkpoint,
)
from hyperkd.types import Wavelengths  # noqa: E402

NANO = StudentConfig(
    bands=3, patch=2, stem=4, dim=8, depth=1, heads=2,
    decoder_dim=8, decoder_depth=1, decoder_heads=2, rank=2, tile=8,
)  # fmt: skip


def make() -> tuple[Student, ModelCard]:
    torch.manual_seed(0)
    student = Student(NANO, [0.1, 0.2, 0.3], [0.01, 0.02, 0.03]).eval()
    card = ModelCard(
        name="nano",
        task="pretrain",
        bands=Wavelengths([500.0, 600.0, 700.0]),
        mean=tuple(student.mean.tolist()),
        std=tuple(student.std.tolist()),
        patch_px=2,
        tile_px=8,
        receptive_field_px=8,
        embedding_dim=8,
        licence="GPL-2.0-or-later",
        created="2025-01-31",
        architecture=architecture("nano", NANO),
    )
    return student, card


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "nano.safetensors"
    save_checkpoint(path, *make())
    return path


def rewrite(path, change, card=None) -> None:
    """Save the tensors again after ``change``, with the card of the file or another."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={CARD_KEY: (card or make()[1]).to_json()})


def refused(path, message) -> HyperKDError:
    with pytest.raises(HyperKDError, match=message) as caught:
        load_checkpoint(path)
    assert caught.value.code == "bad_model"
    return caught.value


def test_a_student_comes_back_to_the_last_bit(saved):
    student, card = make()
    loaded, loaded_card = load_checkpoint(saved)
    expected = student.state_dict()
    assert list(loaded.state_dict()) == list(expected)
    assert all(torch.equal(loaded.state_dict()[name], expected[name]) for name in expected)
    assert loaded_card.to_json() == card.to_json()
    assert not loaded.training


def test_saving_twice_gives_the_same_bytes(saved, tmp_path):
    save_checkpoint(tmp_path / "again.safetensors", *make())
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_nothing_but_the_checkpoint_is_left(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["nano.safetensors"]


def test_an_unwritable_folder_is_refused(tmp_path):
    with pytest.raises(HyperKDError, match="there is no folder") as caught:
        save_checkpoint(tmp_path / "none" / "x.safetensors", *make())
    assert caught.value.code == "unwritable_output"


def test_missing_tensors_are_named(saved):
    rewrite(saved, lambda tensors: (tensors.pop("stem.weight"), tensors.pop("norm.bias")))
    error = refused(saved, "missing tensors: norm.bias, stem.weight")
    assert error.context["missing"] == ["norm.bias", "stem.weight"]


def test_unexpected_tensors_are_named(saved):
    rewrite(saved, lambda tensors: tensors.update({"teacher.weight": torch.zeros(2)}))
    assert refused(saved, "unexpected tensors: teacher.weight").context["missing"] == []


def test_misshapen_tensors_are_named_with_both_shapes(saved):
    rewrite(saved, lambda tensors: tensors.update({"stem.bias": torch.zeros(5)}))
    refused(saved, r"wrong shapes: stem.bias \(5,\) instead of \(4,\)")


def test_many_problems_are_shortened(saved):
    rewrite(saved, lambda tensors: [tensors.pop(name) for name in list(tensors)[1:]])
    assert refused(saved, "and more").message.count(",") == 4


def test_another_family_is_refused(saved):
    card = make()[1]
    other = dataclasses.replace(card, architecture={**card.architecture, "family": "prithvi"})
    rewrite(saved, lambda tensors: None, other)
    refused(saved, "family 'prithvi'")


@pytest.mark.parametrize("size", [0, -4, 2.0, "8", None])
def test_impossible_sizes_are_refused(saved, size):
    card = make()[1]
    other = dataclasses.replace(card, architecture={**card.architecture, "depth": size})
    rewrite(saved, lambda tensors: None, other)
    refused(saved, "wrong sizes depth")


def test_a_card_whose_statistics_differ_from_the_tensors_does_not_win(saved):
    """What the student computes with is what its tensors say."""
    card = dataclasses.replace(make()[1], mean=(0.5, 0.5, 0.5))
    rewrite(saved, lambda tensors: None, card)
    student, _ = load_checkpoint(saved)
    np.testing.assert_allclose(student.mean, [0.1, 0.2, 0.3], rtol=1e-6)
