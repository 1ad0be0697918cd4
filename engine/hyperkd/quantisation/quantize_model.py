"""The job ``quantize``: a model with fewer bits, what it loses by that, and what it gains."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import itertools
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Optional

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.evaluation.truth import predict_labels, read_truth, require_predictions
from hyperkd.inference.backends.onnxruntime_backend import open_session, runtime_version, self_test
from hyperkd.inference.backends.onnxruntime_quantiser import to_float16, to_int8
from hyperkd.inference.self_test import new_self_test
from hyperkd.inference.tiling.reflectance_tiles import reflectance_tiles, tile_count
from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.models.card import CARD_KEY, ModelCard
from hyperkd.models.seal import sealed
from hyperkd.models.store.registry import resolve
from hyperkd.open_scene import opened_scenes
from hyperkd.output_checks import require_writable
from hyperkd.quantisation.model_difference import (
    OutputDifference,
    truth_difference,
)
from hyperkd.raster.labels.read_labels import Labels
from hyperkd.raster.source import RasterSource
from hyperkd.requests.quantize_options import QuantizeJob
from hyperkd.requests.shared_options import TileOptions
from hyperkd.sentences import counted
from hyperkd.types import Float32Array, Reporter

_WEIGHTS: Final[Mapping[str, str]] = {
    "dynamic": "int8 (7 bits of it), a scale for each column",
    "static": "int8 (7 bits of it), a scale for each column",
    "float16": "float16",
}


def quantize(request: QuantizeJob, report: Reporter) -> dict[str, Any]:
    """Quantise a model, unless it loses too much on the user's own scenes.

    Returns:
        Summary: the loss and what it is measured by, sizes, the speed of both models on
        this CPU (int8 alone), and the details that the card holds as well.

    Raises:
        HyperKDError: ``quantisation_loss`` where the loss is larger than accepted;
            ``bad_job`` where calibration scenes are missing or of no use, or the model is
            quantised already or has nothing to quantise; ``bad_model``; and what reading
            scenes and labels raises. No output is left then.
    """
    require_writable(request.output)
    _refuse_scenes(request.method, request.input, request.calibration)
    bundle = open_bundle(resolve(request.model))
    _refuse_model(bundle.card)
    if request.labels:
        require_predictions(bundle.card)
    with ExitStack() as stack:
        scenes = opened_scenes(request.input, request, report, stack)
        examples = opened_scenes(request.calibration, request, report, stack)
        truth = (
            read_truth(
                scenes,
                request.labels,
                bundle.card,
                request.field,
                request.margin,
                request.label_nodata,
                report,
            )
            if request.labels
            else None
        )
        report.stage(f"Quantizing {bundle.card.name}")
        seen = _Counted(_tiles(examples, bundle.card, request.tiles, report))
        smaller = _smaller(bundle, request.method, seen)
        comparison, speed = _compare(
            bundle, smaller, scenes, truth, request.tiles, request.device, report
        )
    if request.method == "static":
        comparison["calibration"] = {"scenes": len(examples), "tiles": seen.count}
    comparison["loss"] = {**_decisive(comparison), "accepted": request.loss}
    _refuse_loss(bundle.card, comparison, request.loss)
    _write(smaller, comparison, request.output, report)
    return _summary(bundle, request.output, comparison, speed)


def _refuse_scenes(method: str, input: Sequence[str], calibration: Sequence[str]) -> None:
    if not input:
        raise HyperKDError(
            "bad_job",
            "There is no scene on which the smaller model could be compared with its original.",
            "Name one or more scenes that the model is made for (input).",
            key="input",
        )
    if method == "static" and not calibration:
        raise HyperKDError(
            "bad_job",
            "The method static needs calibration rasters.",
            "Name some (calibration), preferably not those it is compared on, or take the "
            "method dynamic.",
            key="calibration",
        )
    if method != "static" and calibration:
        raise HyperKDError(
            "bad_job",
            f"The method {method} takes no calibration rasters, but got {len(calibration)}.",
            "Leave them out, or take the method static.",
            key="calibration",
        )


def _refuse_model(card: ModelCard) -> None:
    if card.quantisation is not None:
        raise HyperKDError(
            "bad_job",
            f"The model {card.name} is {card.quantisation['kind']} already.",
            "Take the float32 model that it was made of.",
        )


class _Counted:
    """An iterator that knows how many items it gave."""

    def __init__(self, items: Iterator[tuple[Float32Array, Float32Array]]) -> None:
        self._items = items
        self.count = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> tuple[Float32Array, Float32Array]:
        item = next(self._items)
        self.count += 1
        return item


def _tiles(
    scenes: Sequence[RasterSource], card: ModelCard, count: int, report: Reporter
) -> Iterator[tuple[Float32Array, Float32Array]]:
    return itertools.chain.from_iterable(
        reflectance_tiles(scene, card, count, report) for scene in scenes
    )


def _smaller(bundle: Bundle, method: str, examples: _Counted) -> Bundle:
    """Return the smaller model with a card that says all but what it loses."""
    card = bundle.card
    if method == "float16":
        graph = to_float16(bundle.graph)
    else:
        graph = to_int8(bundle.graph, examples if method == "static" else None)
    card = dataclasses.replace(
        card,
        name=f"{card.name}-{'float16' if method == 'float16' else 'int8'}",
        created=datetime.date.today().isoformat(),
        parents=(bundle.sha256,),
        quantisation={"kind": method, "weights": _WEIGHTS[method]},
    )
    graph.metadata_props.extend(e for e in bundle.graph.metadata_props if e.key != CARD_KEY)
    checksum = hashlib.sha256(graph.SerializeToString()).hexdigest()
    made = Bundle(bundle.path, card, checksum, graph)
    test = new_self_test(made)
    return dataclasses.replace(made, card=dataclasses.replace(card, self_test=test))


def _compare(
    bundle: Bundle,
    smaller: Bundle,
    scenes: Sequence[RasterSource],
    truth: Optional[Labels],
    tiles: int,
    device: str,
    report: Reporter,
) -> tuple[dict[str, Any], Optional[float]]:
    """Return the comparison for the card, and the speed, see ``_compare_outputs``."""
    outputs, speed = _compare_outputs(bundle, smaller, scenes, tiles, device, report)
    comparison: dict[str, Any] = {
        **(smaller.card.quantisation or {}),
        "runtime": f"onnxruntime {runtime_version()}",
        "device": device,
        "scenes": len(scenes),
        "outputs": outputs,
    }
    if truth is not None:
        report.stage("Predicting at the labels")
        answers = [
            predict_labels(scenes, each, truth, TileOptions(device=where), report)
            for each, where in ((bundle, "cpu"), (smaller, device))
        ]
        comparison["labels"] = truth_difference(bundle.card, truth.values, *answers)
    return comparison, speed


def _compare_outputs(
    bundle: Bundle,
    smaller: Bundle,
    scenes: Sequence[RasterSource],
    count: int,
    device: str,
    report: Reporter,
) -> tuple[dict[str, Any], Optional[float]]:
    """Return how much each output differs, and how many times as fast the smaller model is."""
    comparison: dict[str, Any] = {}
    ratios: list[float] = []
    total = sum(tile_count(scene, bundle.card, count) for scene in scenes)
    for output in bundle.outputs:
        report.stage(f"Comparing the {output}")
        # One thread, which is this one: its own processor time is that of the network.
        sessions = [
            open_session(bundle.network(output), "cpu", 1),
            open_session(smaller.network(output), device, 1 if device == "cpu" else None),
        ]
        difference = OutputDifference(output)
        done = 0
        for scene in scenes:
            # A scene smaller than a tile is continued by reflection, which does not count.
            inside = (..., slice(scene.grid.height), slice(scene.grid.width))
            for pixels, valid in reflectance_tiles(scene, bundle.card, count, report):
                answers, seconds = [], []
                for session in sessions:
                    started = time.thread_time()
                    answers.append(session.run(pixels, valid)[0][inside])
                    seconds.append(time.thread_time() - started)
                difference.add(answers[0], answers[1], valid[0, 0][inside] > 0)
                if output == bundle.outputs[0]:
                    ratios.append(seconds[0] / max(seconds[1], 1e-9))
                done += 1
                report.progress(done, total, "tiles")
        comparison[output] = difference.to_json()
    # Memory is allocated in the first run.
    speed = statistics.median(ratios[1:] or ratios)
    kind = (smaller.card.quantisation or {}).get("kind")
    return comparison, round(speed, 2) if device == "cpu" and kind != "float16" else None


def _decisive(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Return the loss that decides: that of accuracy where there is truth, else the largest."""
    if "labels" in comparison:
        found = comparison["labels"]
    else:
        found = max(comparison["outputs"].values(), key=lambda each: _sortable(each["loss"]))
    return {"value": found["loss"], "measure": found["measure"], "pixels": found["pixels"]}


def _sortable(loss: Optional[float]) -> float:
    return float("inf") if loss is None else loss


def _refuse_loss(card: ModelCard, comparison: Mapping[str, Any], accepted: float) -> None:
    found = comparison["loss"]
    if found["value"] is not None and found["value"] <= accepted:
        return
    lost = "numbers that are not finite" if found["value"] is None else f"{found['value']:.3g}"
    labels_help = "labels" not in comparison and card.task != "pretrain"
    others = {"dynamic": "static or float16", "static": "dynamic or float16"}
    raise HyperKDError(
        "quantisation_loss",
        f"{card.name} made {comparison['kind']} loses {lost} ({found['measure']}, of "
        f"{counted(found['pixels'], 'pixel')}); {accepted:g} is accepted.",
        "Accept more (loss), take the method "
        f"{others.get(comparison['kind'], 'dynamic or static')}, "
        "or keep the model as it is."
        + (" With labels the loss of accuracy decides." if labels_help else ""),
        **found,
    )


def _write(smaller: Bundle, comparison: Mapping[str, Any], output: str, report: Reporter) -> None:
    """Write the file, read it again and test it, before it gets its name."""
    report.stage("Writing and testing the model")
    card = dataclasses.replace(smaller.card, quantisation=comparison)
    smaller.graph.metadata_props.add(key=CARD_KEY, value=card.to_json())
    with AtomicFile(output) as part:
        Path(part.temporary).write_bytes(sealed(smaller.graph))
        written = open_bundle(part.temporary)
        for name in written.outputs:
            self_test(written, name)
        report.check_cancelled()
    report.artifact("output", output)


def _summary(
    bundle: Bundle, output: str, comparison: Mapping[str, Any], speed: Optional[float]
) -> dict[str, Any]:
    sizes = [bundle.path.stat().st_size, Path(output).stat().st_size]
    found = comparison["loss"]
    text = (
        f"{Path(output).name}: {sizes[0] / 1e6:.1f} MB became {sizes[1] / 1e6:.1f} MB"
        + ("" if speed is None else f", {speed:.2f} times as fast on one core of this CPU")
        + f".\nLoss: {found['value']:.3g} ({found['measure']}; {counted(found['pixels'], 'pixel')}"
        f"), {found['accepted']:g} is accepted."
    )
    return {
        "output": output,
        "loss": found["value"],
        "measure": found["measure"],
        "bytes": sizes[1],
        "bytes_before": sizes[0],
        "speed": speed,
        "quantisation": dict(comparison),
        "text": text,
    }
