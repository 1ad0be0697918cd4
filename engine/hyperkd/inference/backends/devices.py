"""Which device computes: chosen by a test on this machine, replaced by the CPU when it fails.

Independent of the runtime: ``onnxruntime_backend`` is an argument.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional, Protocol

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.models.card import ModelCard, SelfTest
from hyperkd.types import Float32Array, Reporter

# A device of this machine has to be this much faster than the CPU to be chosen.
_FASTER = 1.2
_RUNS = 3


class DeviceSession(Protocol):
    """A network that is ready to run on one device."""

    device: str
    provider: str

    def run(self, pixels: Float32Array, valid: Float32Array) -> Float32Array:
        """Map ``(B, C, H, W)`` and ``(B, 1, H, W)`` to ``(B, D, H, W)``, all float32."""


class Runtime(Protocol):
    """What runs networks, see ``onnxruntime_backend``."""

    def offered_devices(self) -> Sequence[str]:
        """Return the devices of this machine, the preferred ones first; ``cpu`` is one."""

    def open_session(
        self, network: bytes, device: str = "cpu", threads: Optional[int] = None
    ) -> Any:
        """Return a ``DeviceSession``."""


@dataclass(frozen=True)
class DeviceTrial:
    """The result of a device in the self-test.

    Attributes:
        deviation: from the card's numbers, as a fraction of the output's largest value.
        seconds: for one tile.
        refused: why it cannot be used, or an empty string.
    """

    device: str
    deviation: float = 0.0
    seconds: float = float("inf")
    refused: str = ""


def candidates(device: str, offered: Sequence[str]) -> tuple[str, ...]:
    """Return the devices to try for what the user asked for, the CPU last.

    ``auto`` tries the first accelerator that is offered. TensorRT has to be asked for:
    it builds an engine for minutes.
    """
    if device != "auto":
        return (device,)
    accelerators = [each for each in offered if each not in ("cpu", "tensorrt")]
    return (*accelerators[:1], "cpu")


def choose_device(
    runtime: Runtime,
    network: bytes,
    card: ModelCard,
    output: str,
    tried: Sequence[str],
    *,
    cores: int,
    batch: int,
    report: Reporter,
) -> str:
    """Return the device that passes the self-test and is faster than the CPU.

    Args:
        runtime: runs networks.
        network: the card's own network, before anything was folded into it.
        card, output: the self-test and which of its outputs.
        tried: from ``candidates``; of one device nothing is tried.
        cores: cores that would compute tiles side by side without an accelerator.
        batch: tiles that an accelerator gets at once.
        report: gets a log line about the choice.
    """
    if len(tried) == 1:
        return tried[0]
    trials = {
        device: _try(runtime, network, card, output, device, 1 if device == "cpu" else batch)
        for device in tried
    }
    cpu = trials["cpu"]
    best, reason = "cpu", "nothing else is offered"
    for trial in (trials[device] for device in tried if device != "cpu"):
        together = cpu.seconds / cores
        speeds = f"{trial.seconds * 1e3:.1f} ms a tile, {cores} CPU cores {together * 1e3:.1f} ms"
        if trial.refused:
            reason = f"{trial.device} cannot be used: {trial.refused}"
        elif trial.seconds * _FASTER > together:
            reason = f"{trial.device} is not faster ({speeds})"
        else:
            best, reason = trial.device, f"{speeds}, numbers agree to {trial.deviation:.1e}"
            break
    report.log("info", f"The device auto takes {best}: {reason}.")
    return best


def _try(
    runtime: Runtime, network: bytes, card: ModelCard, output: str, device: str, batch: int
) -> DeviceTrial:
    test = card.self_test or SelfTest(seed=0, batch=1, tolerance=0.0, outputs={})
    if device != "cpu" and output not in test.outputs:
        return DeviceTrial(device, refused="the model has no self-test to compare its numbers with")
    pixels, valid = test.inputs(len(card.bands), card.tile_px)
    try:
        session = runtime.open_session(network, device, 1 if device == "cpu" else None)
        values = session.run(pixels, valid)
        deviation = test.check(output, values) if output in test.outputs else 0.0
        pixels = np.resize(pixels, (batch, *pixels.shape[1:]))
        valid = np.resize(valid, (batch, *valid.shape[1:]))
        session.run(pixels, valid)  # whatever is made for a new shape is made now
        started = time.perf_counter()
        for _ in range(_RUNS):
            session.run(pixels, valid)
        seconds = (time.perf_counter() - started) / _RUNS / batch
    except HyperKDError as error:
        if device == "cpu":
            raise
        return DeviceTrial(device, refused=error.message.rstrip("."))
    return DeviceTrial(device, deviation, seconds)


class FallbackSession:
    """A session that continues on the CPU when its device fails in the middle of a job.

    Args:
        session: the network on its device.
        fallback: makes the same network ready on the CPU.
        report: gets a warning when that happens.
    """

    def __init__(
        self, session: DeviceSession, fallback: Callable[[], DeviceSession], report: Reporter
    ) -> None:
        self._session = session
        self._fallback = fallback
        self._report = report
        self._lock = threading.Lock()

    @property
    def provider(self) -> str:
        """What computes now."""
        return self._session.provider

    def run(self, pixels: Float32Array, valid: Float32Array) -> Float32Array:
        """Compute a batch; the one at which the device fails is computed again."""
        session = self._session
        try:
            return session.run(pixels, valid)
        except HyperKDError as error:
            if session.device == "cpu":
                raise
            with self._lock:
                if self._session is session:  # of several threads one replaces it
                    self._report.log(
                        "warning",
                        f"{session.provider} failed ({error.message.rstrip('.')}); the job "
                        "continues on the CPU, and what was finished is kept.",
                    )
                    self._session = self._fallback()
        return self._session.run(pixels, valid)
