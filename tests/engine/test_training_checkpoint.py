"""Checkpoints: exact when they fit, refused by name when they do not."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hyperkd.errors import HyperKDError

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from hyperkd.models.card import CARD_KEY, ModelCard  # noqa: E402
from hyperkd.models.nets.heads import DenseHead, DenseModel, HeadConfig  # noqa: E402
from hyperkd.models.nets.student import Student  # noqa: E402
from hyperkd.models.sizes import StudentConfig  # noqa: E402
from hyperkd.training.common.checkpoint import (  # noqa: E402
    architecture,
    load_checkpoint,
    load_student,
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
    error = refused(saved, "and 36 more")
    assert error.message.count(",") == 4
    assert len(error.context["missing"]) == 41


def flipped(path, place, find) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(find) + place] ^= 1
    path.write_bytes(bytes(content))


def test_a_flipped_bit_in_the_card_is_noticed(saved):
    """A wavelength of 601 nm instead of 600 would shift every map a little."""
    flipped(saved, 2, b"600.0")
    assert b"601.0" in saved.read_bytes()
    error = refused(saved, "damaged: it does not hold what was written")
    assert error.hint == "Copy or download it again."


def test_a_flipped_bit_in_the_tensors_is_noticed(saved):
    content = bytearray(saved.read_bytes())
    content[-40] ^= 1
    saved.write_bytes(bytes(content))
    refused(saved, "damaged: its tensors are not those that were written")


def of_schema(path, schema, drop=()) -> None:
    """Write the checkpoint as an earlier version did: without checksums and later fields."""
    values = json.loads(make()[1].to_json())
    values["schema"] = schema
    for name in drop:
        del values[name]
    save_file(load_file(path), path, metadata={CARD_KEY: json.dumps(values)})


def test_a_checkpoint_of_schema_1_is_migrated(saved):
    of_schema(saved, 1, ("temperature", "quantisation"))
    loaded, card = load_checkpoint(saved)
    student, expected = make()
    assert card.to_json() == expected.to_json()
    assert all(torch.equal(loaded.state_dict()[n], t) for n, t in student.state_dict().items())


@pytest.mark.parametrize(
    ("schema", "message"),
    [(0, "its schema is 0, this version reads 1, 2 and 3"), (4, "a newer HyperKD wrote it")],
)
def test_a_checkpoint_of_another_schema_is_refused_with_the_reason(saved, schema, message):
    of_schema(saved, schema)
    refused(saved, message)


def test_another_family_is_refused(saved):
    card = make()[1]
    other = dataclasses.replace(card, architecture={**card.architecture, "family": "prithvi"})
    rewrite(saved, lambda tensors: None, other)
    refused(saved, "family 'prithvi'")


@pytest.mark.parametrize("size", [0, -4, 2.0, "8", None, 1000, 10**12])
def test_impossible_sizes_are_refused(saved, size):
    card = make()[1]
    other = dataclasses.replace(card, architecture={**card.architecture, "depth": size})
    rewrite(saved, lambda tensors: None, other)
    refused(saved, "wrong sizes depth")


def test_a_card_of_a_huge_network_takes_no_memory(saved):
    """Its weights would be terabytes."""
    card = make()[1]
    huge = {"dim": 65536, "depth": 512, "decoder_dim": 65536}
    other = dataclasses.replace(card, architecture={**card.architecture, **huge})
    rewrite(saved, lambda tensors: None, other)
    refused(saved, r"missing tensors: blocks\.1\..*wrong shapes: .*instead of \(65536, 262144\)")


def make_dense(task="classification") -> tuple[DenseModel, ModelCard]:
    student, card = make()
    head = HeadConfig.fitting(NANO, task, 2, hidden=4, dropout=0.25)
    units = ([1.0, 2.0], [3.0, 4.0]) if task == "regression" else ()
    answers = {
        "classification": {
            "classes": tuple({"name": n, "value": n, "color": "#012345"} for n in "ab")
        },
        "regression": {
            "targets": tuple({"name": n, "unit": "%", "minimum": 0, "maximum": 1} for n in "ab")
        },
    }[task]
    model = DenseModel(student, DenseHead(head, *units)).eval()
    described = architecture("nano", NANO, head)
    return model, dataclasses.replace(card, task=task, architecture=described, **answers)


@pytest.fixture
def dense(tmp_path):
    path = tmp_path / "dense.safetensors"
    save_checkpoint(path, *make_dense())
    return path


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_fine_tuned_model_comes_back_to_the_last_bit(tmp_path, task):
    path = tmp_path / "dense.safetensors"
    model, card = make_dense(task)
    save_checkpoint(path, model, card)
    loaded, loaded_card = load_checkpoint(path)
    expected = model.state_dict()
    assert isinstance(loaded, DenseModel) and not loaded.training
    assert list(loaded.state_dict()) == list(expected)
    assert all(torch.equal(loaded.state_dict()[name], expected[name]) for name in expected)
    assert loaded.head.config == model.head.config
    assert loaded_card.to_json() == card.to_json()
    pixels, valid = torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    assert torch.equal(loaded(pixels, valid), model(pixels, valid))


def test_a_student_is_loaded_as_one_and_a_fine_tuned_model_is_not(saved, dense):
    student, card = load_student(saved)
    assert isinstance(student, Student) and card.task == "pretrain"
    with pytest.raises(HyperKDError, match="holds a model fine-tuned for classification") as caught:
        load_student(dense)
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "hyperkd-student-1"}, "family 'hyperkd-student-1'"),
        ({"head": None}, "there is no head"),
        ({"head": {"hidden": 0}}, "wrong sizes hidden"),
        ({"head": {"outputs": 3}}, "with 3 outputs, but the card is that of a classification wit"),
        ({"head": {"task": "regression"}}, "a head for 'regression'"),
        ({"head": {"dropout": 1.5}}, "impossible sizes of a head"),
        ({"head": {"dropout": "much"}}, "wrong sizes dropout"),
        ({"head": {"dropout": True}}, "wrong sizes dropout"),
        ({"head": {"patch": 4}}, "does not fit the student"),
        ({"bands": 4}, "4 bands, but the card names 3"),
    ],
)
def test_impossible_heads_are_refused(dense, change, message):
    card = make_dense()[1]
    described = {**card.architecture, **change}
    if isinstance(change.get("head"), dict):
        described["head"] = {**card.architecture["head"], **change["head"]}
    rewrite(dense, lambda tensors: None, dataclasses.replace(card, architecture=described))
    refused(dense, message)


def test_misshapen_heads_are_named(dense):
    wrong = {"head.answer.bias": torch.zeros(5)}
    rewrite(dense, lambda tensors: tensors.update(wrong), make_dense()[1])
    refused(dense, r"wrong shapes: head.answer.bias \(5,\) instead of \(2,\)")


@pytest.mark.parametrize("change", [{"task": "pretrain", "classes": ()}, {"architecture": {}}])
def test_a_card_of_another_network_is_not_written(tmp_path, change):
    model, card = make_dense()
    with pytest.raises(ValueError, match="the card describes"):
        save_checkpoint(tmp_path / "m.safetensors", model, dataclasses.replace(card, **change))
    assert list(tmp_path.iterdir()) == []


def test_a_card_whose_statistics_differ_from_the_tensors_does_not_win(saved):
    """What the student computes with is what its tensors say."""
    card = dataclasses.replace(make()[1], mean=(0.5, 0.5, 0.5))
    rewrite(saved, lambda tensors: None, card)
    student, _ = load_checkpoint(saved)
    np.testing.assert_allclose(student.mean, [0.1, 0.2, 0.3], rtol=1e-6)
