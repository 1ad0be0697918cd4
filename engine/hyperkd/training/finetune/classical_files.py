"""Classical models as ONNX files that map scenes, trained on the pixels of a fine-tuned model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.evaluation.baselines.baseline_comparison import sampled
from hyperkd.evaluation.baselines.classical_models import (
    MAX_PIXELS,
    FittedBaseline,
    capped,
    fit_baselines,
)
from hyperkd.evaluation.baselines.fitted_to_onnx import answers_of, classical_of, temperature_of
from hyperkd.evaluation.reports.label_spectra import common_bands, labelled_reflectance
from hyperkd.evaluation.splits.split_parts import TRAIN, VALIDATION, Split
from hyperkd.inference.backends.onnxruntime_backend import open_session
from hyperkd.inference.classify import probabilities
from hyperkd.inference.self_test import steady_self_test
from hyperkd.models.bundle import open_bundle
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.classical_onnx import MAX_BYTES, KernelMachine, classical_graph
from hyperkd.models.seal import sealed
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.finetune_options import FinetuneJob
from hyperkd.training.export import deepness_keys
from hyperkd.training.finetune.finetune_request import baseline_paths
from hyperkd.training.finetune.finetuned_card import with_card
from hyperkd.training.finetune.holdout_scores import HoldoutScores
from hyperkd.types import Reporter, Wavelengths

# Side of the tiles: a pixel needs no other. A kernel machine takes a number for each of its
# support vectors at each pixel, 20 KB for 5000 of them.
_TILE_PX: Final = 32
_TILE_PX_OF_KERNELS: Final = 16
# Of the pixels that a file is tried with: what differs by rounding may fall to another leaf of
# a tree, and of two classes alike the other may win.
_TRIED: Final = 1000
_MOST_OFF: Final = 0.01
_SAME: Final = 1e-3


def write_classical(
    folder: Path,
    card: ModelCard,
    sources: Sequence[RasterSource],
    labels: Labels,
    split: Split,
    scores: Optional[HoldoutScores],
    known: Mapping[str, FittedBaseline],
    request: FinetuneJob,
    report: Reporter,
) -> tuple[dict[str, Path], list[str]]:
    """Train classical models on the pixels of a model, and write them to a folder.

    Args:
        folder: where they wait until they get their names.
        sources, labels, split: its training data: the train and validation parts.
        scores: of the classical models, where they are known.
        known: those that were trained on these very parts, where the comparison has them.
        report: progress, and a warning for each that cannot be written.

    Returns:
        The files in ``folder`` by the models' names, and notes on those that are missing.

    Raises:
        HyperKDError: what reading raises; ``cancelled``.
    """
    bands = common_bands([source.bands for source in sources])
    if bands is None:
        return {}, _warn(report, "The scenes have different bands: no classical model is written.")
    train = np.flatnonzero(np.isin(np.concatenate(split.parts), (TRAIN, VALIDATION)))
    if card.task == "classification":
        present = np.unique(labels.values[train]).tolist()
        absent = sorted(set(range(len(card.classes))) - set(present))
        if absent:
            names = ", ".join(str(card.classes[k]["name"]) for k in absent)
            return {}, _warn(
                report, f"There is no training pixel of {names}: no classical model is written."
            )
    report.stage("Training the classical models to write")
    if known and _know_all_classes(known, card):
        # They are tried on a few pixels only.
        fitted, pixels = known, train[:: -(-len(train) // _TRIED)]
        spectra = labelled_reflectance(sources, labels, pixels, bands, report)
    else:
        fitted, spectra = _fit(sources, labels, train, bands, request, report)
    table = sources[0].bands.take(bands).wavelengths
    paths, notes = {}, []
    for name, final in baseline_paths(request).items():
        report.check_cancelled()
        about = _card(fitted[name], name, final.stem, card, table, len(train), scores)
        try:
            paths[name] = _write(folder / final.name, fitted[name], about, spectra)
        except _Unfit as reason:
            notes += _warn(report, f"{name} is not written: {reason}.")
    return paths, notes


def _fit(
    sources: Sequence[RasterSource],
    labels: Labels,
    train: NDArray[np.int64],
    bands: NDArray[np.int64],
    request: FinetuneJob,
    report: Reporter,
) -> tuple[Mapping[str, FittedBaseline], NDArray[np.float32]]:
    """Return classical models of labelled pixels, and the spectra that they were trained on."""
    values, seed = labels.values, request.seed
    if labels.task == "classification":
        pixels = train[capped(values[train], MAX_PIXELS, seed)]
    else:
        pixels = sampled(train, seed)
    spectra = labelled_reflectance(sources, labels, pixels, bands, report)
    own, groups = values[pixels], labels.group[pixels]
    fitted = fit_baselines(labels.task, spectra, own, groups, seed, report, decisions=True)
    return fitted, spectra


def _know_all_classes(models: Mapping[str, FittedBaseline], card: ModelCard) -> bool:
    """Return whether models know each class: of many labels a random sample is compared."""
    if card.task == "regression":
        return True
    return all(len(each.models[0].classes_) == len(card.classes) for each in models.values())


class _Unfit(Exception):
    """A classical model that cannot be a file."""


def _warn(report: Reporter, text: str) -> list[str]:
    report.log("warning", text)
    return [text]


def _card(
    fitted: FittedBaseline,
    name: str,
    stem: str,
    card: ModelCard,
    bands: Wavelengths,
    pixels: int,
    scores: Optional[HoldoutScores],
) -> ModelCard:
    is_values = fitted.task == "regression"
    kept = ("objective", "scenes", "split", "seed", "labels_seen")
    return dataclasses.replace(
        card,
        name=stem,
        bands=bands,
        mean=tuple(fitted.scaling.mean.tolist()),
        std=tuple(fitted.scaling.std.tolist()),
        patch_px=1,
        tile_px=_TILE_PX if fitted.has_probabilities or is_values else _TILE_PX_OF_KERNELS,
        receptive_field_px=1,
        embedding_dim=len(bands),
        teacher=None,
        parents=(),
        architecture={"method": name, **fitted.settings},
        training={
            "method": name,
            "pixels": pixels,
            **{key: card.training[key] for key in kept if key in card.training},
        },
        metrics=_metrics(name, card, scores),
        temperature=temperature_of(fitted),
        quantisation=None,
        self_test=None,
    )


def _metrics(name: str, card: ModelCard, scores: Optional[HoldoutScores]) -> dict[str, Any]:
    """Return the metrics of a method in the comparison, with how they were measured."""
    if scores is None or not scores.baselines.comparisons:
        return {}
    protocol = f"On the test pixels of {card.name}; trained again on its training pixels."
    rows = [
        {key: row[key] for key in comparison.values}
        for comparison in scores.baselines.comparisons
        for row in comparison.to_json()["methods"]
        if row["name"] == name
    ]
    if card.task == "classification":
        return {"test": {"protocol": protocol, **rows[0]}}
    targets = [str(target["name"]) for target in card.targets]
    return {"test": {"protocol": protocol, "targets": dict(zip(targets, rows))}}


def _write(
    path: Path, fitted: FittedBaseline, card: ModelCard, spectra: NDArray[np.float32]
) -> Path:
    """Write a model with its card and self-test and try it on spectra.

    Raises:
        _Unfit: where it would be too large, or does not answer as the fitted one.
    """
    model = classical_of(fitted)
    if isinstance(model, KernelMachine) and 4 * model.weight.size > MAX_BYTES:
        raise _Unfit(
            f"the decisions between {model.classes} classes by {len(model.vectors)} support "
            f"vectors would take more than {MAX_BYTES / 1e6:.0f} MB"
        )
    graph = classical_graph(model, card.mean, card.std, card.outputs[0])
    for key, value in {CARD_KEY: card.to_json(), **deepness_keys(card)}.items():
        graph.metadata_props.add(key=key, value=value)
    path.write_bytes(sealed(graph))
    bundle = open_bundle(path)
    _try(bundle.network(card.outputs[0]), fitted, card, spectra[:: -(-len(spectra) // _TRIED)])
    path.write_bytes(with_card(path, dataclasses.replace(card, self_test=steady_self_test(bundle))))
    return path


def _try(
    network: bytes, fitted: FittedBaseline, card: ModelCard, spectra: NDArray[np.float32]
) -> None:
    """Refuse a network that does not answer as scikit-learn's model.

    Raises:
        _Unfit: where it differs.
    """
    pixels = np.ascontiguousarray(spectra.T[None, :, None])
    session = open_session(network)
    answers = session.run(pixels, np.ones((1, 1, 1, len(spectra)), np.float32))[0, :, 0]
    expected = answers_of(fitted, spectra)
    if card.task == "classification":
        if fitted.has_probabilities:
            answers = probabilities(answers, 1.0)
        off = np.abs(answers.T - expected).max(1) > _SAME
    else:
        spread = np.maximum(np.abs(expected).max(0), 1e-30)
        off = (np.abs(answers.T - expected) / spread).max(1) > _SAME
    if not np.isfinite(answers).all() or off.mean() > _MOST_OFF:
        raise _Unfit(f"the file predicts differently at {off.mean():.1%} of the pixels")
