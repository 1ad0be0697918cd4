"""The job ``models_test``: whether a model computes the right numbers here, and how fast."""

from __future__ import annotations

import math
import time
from typing import Any, Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.inference.backends.onnxruntime_backend import offered_devices, open_session
from hyperkd.inference.tiling.machine import cores
from hyperkd.models.bundle import Bundle, open_bundle
from hyperkd.models.card import SelfTest
from hyperkd.models.store.registry import resolve
from hyperkd.requests.models_options import ModelsTestJob
from hyperkd.types import Reporter

# Long enough that one slow moment of the machine does not decide, short enough to wait for.
_LEAST_S = 0.5
_MOST_RUNS = 50
# Tiles overlap by a quarter of their side by default, so a pixel is computed so often.
_OVERLAP_FACTOR = 1.0 / (1.0 - 0.25) ** 2
# Without a test of its own a model is timed on these numbers.
_NUMBERS = SelfTest(seed=0, batch=1, tolerance=math.inf, outputs={})


def try_model(request: ModelsTestJob, report: Reporter) -> dict[str, Any]:
    """Repeat a model's self-test on this machine and time it.

    Returns:
        ``results``: for each device and output ``deviation`` as a fraction of the largest value
        (None where the card holds no test), ``tolerance``, ``seconds_per_megapixel`` of the
        network alone with the default overlap, and ``refused``, why the device cannot be
        used, or an empty string; ``fine``; and ``text``, the same for a person.

    Raises:
        HyperKDError: ``bad_model`` where the file is not a model, or its self-test fails on the
            device that was asked for; ``missing_dependency``; ``cancelled``.
    """
    bundle = open_bundle(resolve(request.name))
    devices = offered_devices() if request.device == "auto" else (request.device,)
    report.stage(f"Testing {bundle.card.name}")
    results: list[dict[str, Any]] = []
    rounds = [(each, output) for each in devices for output in bundle.outputs]
    for number, (each, output) in enumerate(rounds):
        report.check_cancelled()
        results.append(
            _measure(bundle, output, each, strict=request.device != "auto" or each == "cpu")
        )
        report.progress(number + 1, len(rounds), "tests")
    return {
        "name": bundle.card.name,
        "sha256": bundle.sha256,
        "tile_px": bundle.card.tile_px,
        "cores": cores(),
        "results": results,
        "fine": all(not result["refused"] for result in results if result["device"] == "cpu"),
        "text": _text(bundle, results),
    }


def _measure(bundle: Bundle, output: str, device: str, *, strict: bool) -> dict[str, Any]:
    test = bundle.card.self_test
    result: dict[str, Any] = {
        "device": device,
        "output": output,
        "deviation": None,
        "tolerance": None if test is None else test.tolerance,
        "seconds_per_megapixel": None,
        "refused": "",
    }
    try:
        network = bundle.network(output, None)
        session = open_session(network, device)
        pixels, valid = (test or _NUMBERS).inputs(len(bundle.card.bands), bundle.card.tile_px)
        values = session.run(pixels, valid)
        if test is not None and output in test.outputs:
            result["deviation"] = test.check(output, values)
        # Every core computes a tile of its own on the CPU, as in a real run.
        side_by_side = cores() if device == "cpu" else 1
        alone = open_session(network, device, 1) if device == "cpu" else session
        seconds = _seconds_per_tile(alone, pixels[:1], valid[:1]) / side_by_side
        megapixels = bundle.card.tile_px**2 / 1e6
        result["seconds_per_megapixel"] = round(seconds / megapixels * _OVERLAP_FACTOR, 3)
    except HyperKDError as error:
        if strict:
            raise
        result["refused"] = error.message
    return result


def _seconds_per_tile(session: Any, pixels: np.ndarray[Any, Any], valid: Any) -> float:
    """Return the shortest time of one tile: what disturbs only ever adds."""
    best, begin = math.inf, time.perf_counter()
    for _ in range(_MOST_RUNS):
        start = time.perf_counter()
        session.run(pixels, valid)
        now = time.perf_counter()
        best = min(best, now - start)
        if now - begin > _LEAST_S:
            break
    return best


def _text(bundle: Bundle, results: list[dict[str, Any]]) -> str:
    lines = [f"{bundle.card.name} on this machine ({cores()} cores):"]
    for result in results:
        head = f"  {result['device']}, {result['output']}: "
        if result["refused"]:
            lines.append(head + f"cannot be used: {result['refused']}")
            continue
        lines.append(
            head
            + _verdict(result["deviation"], result["tolerance"])
            + f"; {result['seconds_per_megapixel']:.2f} s per megapixel for the network alone"
        )
    return "\n".join(lines)


def _verdict(deviation: Optional[float], tolerance: Optional[float]) -> str:
    if deviation is None:
        return "no self-test in the model, its numbers are unchecked"
    return f"self-test passed, deviates by {deviation:.1e} (allowed {tolerance:.1e})"
