"""What the tests of the inference share: a reporter that remembers, and small students."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hyperkd.inference.backends.onnxruntime_backend import open_session
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import CARD_KEY, ModelCard, Probe, SelfTest
from hyperkd.types import BandTable, Wavelengths
from tests.reports import SilentReport

TILE = 8
CENTRES = (500.0, 510.0, 520.0, 530.0, 540.0)
FWHM = 10.0

Recorder = SilentReport


def band_table(centres=CENTRES, *, scale=1e-4, offset=0.0, nodata=-32768.0, bad=()):
    """A band table with one scale, offset and nodata value; ``bad`` are 0-based bands."""
    count = len(centres)
    good = np.ones(count, bool)
    good[list(bad)] = False
    return BandTable(
        Wavelengths(np.asarray(centres), np.full(count, FWHM)),
        good,
        np.broadcast_to(scale, count),
        np.broadcast_to(offset, count),
        np.full(count, nodata),
    )


def make_student(path, *, mixing=None, gain=1.0, centres=CENTRES, tolerance=1e-5, tamper=0.0):
    """Write a student with the structure of a real one: spectral stem, mask, two outputs.

    Args:
        path: the .onnx file.
        mixing: ``(D, C, 3, 3)`` weights from the masked stem to the embedding;
            default: the identity, so that the embedding is the reflectance.
        gain: the reconstruction is the reflectance times this.
        tamper: added to what the card's self-test expects.
    """
    count = len(centres)
    if mixing is None:
        mixing = identity_mixing(count)
    weights = {"mixing": mixing.astype(np.float32), "gain": np.float32(gain)}
    nodes = [
        helper.make_node("Conv", ["masked", "mixing"], ["embedding"], pads=[1, 1, 1, 1]),
        helper.make_node("Mul", ["masked", "gain"], ["reconstruction"]),
    ]
    outputs = {"embedding": len(mixing), "reconstruction": count}
    card = make_card(centres, task="pretrain", embedding_dim=len(mixing))
    return _write(path, nodes, weights, outputs, card, tolerance, tamper)


COLOURS = ("#0000ff", "#00ff00", "#ff8000", "#800080", "#808080", "#00ffff", "#404000")


def make_model(
    path,
    *,
    task="classification",
    weight=None,
    bias=None,
    mixing=None,
    centres=CENTRES,
    temperature=1.0,
    tolerance=1e-5,
    names=None,
    colours=None,
    spread=True,
    knows=False,
):
    """Write a fine-tuned model: a linear map of what a student sees, one answer per pixel.

    Args:
        path: the .onnx file.
        task: ``classification`` or ``regression``.
        weight: ``(K, D)``; default: the identity, so that logits or values are the reflectance.
        bias: ``(K,)``, default 0.
        mixing: as in ``make_student``.
        temperature: of a classification's card.
        names: of the classes.
        colours: of covers, which the values of a regression are then the fractions of: each is
            the reflectance of a band.
        spread: whether they have standard errors, half of the fractions.
        knows: whether they have an applicability, which is the first fraction.
    """
    count = len(centres)
    mixing = identity_mixing(count) if mixing is None else mixing
    if colours is not None and spread:
        every = np.eye(len(mixing))
        weight = np.concatenate([every, every / 2, every[: int(knows)]])
    weight = np.eye(len(mixing)) if weight is None else np.asarray(weight)
    answers = len(weight)
    bias = np.zeros(answers) if bias is None else np.asarray(bias)
    weights = {
        "mixing": mixing.astype(np.float32),
        "answer.weight": weight[:, :, None, None].astype(np.float32),
        "answer.bias": bias.astype(np.float32),
    }
    name, about = "logits", {"temperature": temperature}
    about["classes"] = tuple(
        {
            "name": names[index] if names and colours is None else f"class {index}",
            "value": 10 * index,
            "color": COLOURS[index % len(COLOURS)],
        }
        for index in range(answers)
    )
    if task == "regression":
        name = "values"
        given = names
        names = ("biomass", "water", "carbon", "ash", "nitrogen")
        units = ("t/ha", "g/cm2", "%", "%", "%")
        about = {
            "targets": tuple(
                {"name": name, "unit": unit, "minimum": 0.0, "maximum": 0.5}
                for name, unit in zip(names[:answers], units)
            )
        }
        if colours is not None:
            covers = zip(given or names, colours)
            bounds = {"unit": "", "minimum": 0.0, "maximum": 1.0}
            targets = tuple({"name": name, "color": color, **bounds} for name, color in covers)
            about = {"targets": targets, "has_spread": spread, "has_applicability": knows}
    nodes = [
        helper.make_node("Conv", ["masked", "mixing"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["features", "answer.weight", "answer.bias"], [name]),
    ]
    card = make_card(centres, task=task, embedding_dim=len(mixing), **about)
    return _write(path, nodes, weights, {name: answers}, card, tolerance, 0.0)


def identity_mixing(count):
    """A 3 x 3 convolution that changes nothing."""
    mixing = np.zeros((count, count, 3, 3), np.float32)
    mixing[:, :, 1, 1] = np.eye(count)
    return mixing


def make_card(centres, **fields):
    """The card of a toy model that sees its 8 neighbours."""
    count = len(centres)
    return ModelCard(
        name="toy",
        bands=Wavelengths(np.asarray(centres), np.full(count, FWHM)),
        mean=(0.0,) * count,
        std=(1.0,) * count,
        patch_px=2,
        tile_px=TILE,
        receptive_field_px=3,
        licence="CC0-1.0",
        created="2025-01-01",
        **fields,
    )


def _write(path, nodes, weights, outputs, card, tolerance, tamper):
    """Put a stem and the mask before the nodes, write the model, and add its self-test."""
    count = len(card.bands)
    weights = {
        "stem.weight": np.eye(count, dtype=np.float32)[:, :, None, None],
        "stem.bias": np.zeros(count, np.float32),
        **weights,
    }
    stem = [
        helper.make_node("Conv", ["pixels", "stem.weight", "stem.bias"], ["stem"]),
        helper.make_node("Mul", ["stem", "valid"], ["masked"]),
    ]

    def value(name, channels):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", channels, "H", "W"])

    graph = helper.make_graph(
        [*stem, *nodes],
        "student",
        [value("pixels", count), value("valid", 1)],
        [value(name, channels) for name, channels in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    _save(model, card, path)
    bundle = open_bundle(path)
    test = SelfTest(seed=1, batch=2, tolerance=tolerance, outputs={})
    probes = {}
    for output in bundle.outputs:
        values = open_session(bundle.network(output)).run(*test.inputs(count, TILE))
        index = (0, 7, values.size // 2)
        expected = tuple(float(values.flat[i]) + tamper for i in index)
        probes[output] = Probe(index, expected, float(np.abs(values).max()))
    _save(
        model, dataclasses.replace(card, self_test=dataclasses.replace(test, outputs=probes)), path
    )
    return str(path)


def _save(model, card, path):
    del model.metadata_props[:]
    model.metadata_props.add(key=CARD_KEY, value=card.to_json())
    onnx.save_model(model, str(path))
