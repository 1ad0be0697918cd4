"""Self-tests for models that were made from another one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hyperkd.inference.backends.onnxruntime_backend import open_session
from hyperkd.models.bundle import Bundle
from hyperkd.models.card import Probe, SelfTest
from hyperkd.types import Float32Array

_PROBES: Final = 16
# What a model without a self-test gets; exports give the same tolerance.
_DEFAULT: Final = SelfTest(seed=20230624, batch=1, tolerance=5e-3, outputs={})
_DRAWS: Final = 3
_ROOM: Final = 4.0
# Relative differences that another machine brings into float32 sums.
_ROUNDING: Final = 1e-6
# And those of a GPU that multiplies with 10-bit mantissas (TF32).
_COARSE: Final = 1e-3
# A CPU computes float16 in float32, a GPU does not: by as much as 0.3 % of the largest
# value do the two differ where torch computes both.
_LEAST_FLOAT16: Final = 2e-2


def new_self_test(bundle: Bundle) -> SelfTest:
    """Return a self-test with what the model gives on this machine's CPU.

    In int8 a value that lies between two steps of a quantised model falls to one or the other
    with the last bit of a float, and the next layer carries that on: another machine
    differs by a part of the quantisation's own error. How much is measured with inputs
    that differ by rounding alone, and four times that is tolerated.

    Args:
        bundle: the quantised model; the inputs of its card's self-test are kept where it
            has one.
    """
    card = bundle.card
    test = card.self_test or _DEFAULT
    generator = np.random.default_rng(test.seed)
    probes, tolerance = {}, test.tolerance
    if card.quantisation is not None and card.quantisation["kind"] == "float16":
        tolerance = max(tolerance, _LEAST_FLOAT16)
    for output, values, difference in _computed(bundle, test, _ROUNDING, generator):
        largest = float(np.abs(values).max()) or 1.0
        tolerance = max(tolerance, _ROOM * float(difference.max()) / largest)
        probes[output] = _probe(values, np.arange(values.size), generator)
    return dataclasses.replace(test, tolerance=float(f"{tolerance:.2g}"), outputs=probes)


def steady_self_test(bundle: Bundle) -> SelfTest:
    """Return a self-test at values that do not change where the input changes a little.

    A tree steps from one leaf to another, on another machine earlier than here. Such
    places do not test a machine and are left out.

    Args:
        bundle: a model without a self-test.
    """
    test, probes = _DEFAULT, {}
    generator = np.random.default_rng(test.seed)
    for output, values, difference in _computed(bundle, test, _COARSE, generator):
        order = np.argsort(difference, axis=None, kind="stable")
        # At least as many as are probed; most of a model's values are stable.
        stable = int((difference <= test.tolerance / _ROOM * (np.abs(values).max() or 1.0)).sum())
        probes[output] = _probe(values, order[: max(_PROBES, stable)], generator)
    return dataclasses.replace(test, outputs=probes)


def _computed(
    bundle: Bundle, test: SelfTest, size: float, generator: np.random.Generator
) -> Iterator[tuple[str, Float32Array, Float32Array]]:
    """Yield each output, its values, and how much each changes with inputs changed by ``size``."""
    card = bundle.card
    pixels, valid = test.inputs(len(card.bands), card.tile_px)
    perturbed = [
        (pixels * (1 + size * generator.standard_normal(pixels.shape))).astype(np.float32)
        for _ in range(_DRAWS)
    ]
    for output in bundle.outputs:
        session = open_session(bundle.network(output))
        values = session.run(pixels, valid)
        changes = [np.abs(session.run(each, valid) - values) for each in perturbed]
        yield output, values, np.max(changes, axis=0)


def _probe(values: Float32Array, places: NDArray[np.intp], generator: np.random.Generator) -> Probe:
    """Return the values at some of the ``places`` of a flattened output."""
    flat = values.reshape(-1)
    indices = np.sort(generator.choice(places, min(_PROBES, len(places)), replace=False))
    largest = float(np.abs(values).max()) or 1.0
    return Probe(tuple(indices.tolist()), tuple(float(value) for value in flat[indices]), largest)
