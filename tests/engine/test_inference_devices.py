"""Which device computes, with a runtime that pretends to have others than this machine."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.inference.backends.devices import FallbackSession, candidates, choose_device
from hyperkd.models.bundle import open_bundle
from tests.engine.inference_factories import Recorder, make_student


class FakeRuntime:
    """Sessions that compute the identity; each device has its own speed and its own faults.

    Args:
        seconds: for one tile, by device.
        wrong: devices whose numbers are off.
        broken: devices that cannot be opened.
    """

    def __init__(self, seconds, wrong=(), broken=()):
        self.seconds, self.wrong, self.broken = seconds, wrong, broken
        self.opened = []

    def offered_devices(self):
        return tuple(self.seconds)

    def open_session(self, network, device="cpu", threads=None):
        self.opened.append((device, threads))
        if device in self.broken:
            raise HyperKDError("missing_dependency", f"no library for {device}.")
        return FakeSession(device, self.seconds[device], device in self.wrong)


class FakeSession:
    def __init__(self, device, seconds, wrong):
        self.device, self.provider = device, f"{device} provider"
        self._seconds, self._wrong = seconds, wrong

    def run(self, pixels, valid):
        time.sleep(self._seconds * len(pixels))
        return pixels * valid + np.float32(0.1 if self._wrong else 0)


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    return open_bundle(make_student(tmp_path_factory.mktemp("m") / "toy.onnx")).card


def choose(card, runtime, device="auto", cores=2):
    report = Recorder()
    chosen = choose_device(
        runtime,
        b"",
        card,
        "embedding",
        candidates(device, runtime.offered_devices()),
        cores=cores,
        batch=4,
        report=report,
    )
    return chosen, " ".join(message for _, message in report.logs)


def test_auto_takes_a_faster_accelerator_that_agrees_and_says_so(card):
    runtime = FakeRuntime({"cuda": 0.001, "cpu": 0.02})
    chosen, said = choose(card, runtime)
    assert chosen == "cuda"
    assert "The device auto takes cuda: " in said
    assert "numbers agree to" in said
    assert runtime.opened == [("cuda", None), ("cpu", 1)]


def test_auto_leaves_an_accelerator_that_is_slower_than_all_cores_together(card):
    chosen, said = choose(card, FakeRuntime({"directml": 0.012, "cpu": 0.02}), cores=8)
    assert chosen == "cpu"
    assert "directml is not faster" in said


def test_auto_leaves_an_accelerator_whose_numbers_are_off(card):
    runtime = FakeRuntime({"coreml": 0.0, "cpu": 0.01}, wrong=["coreml"])
    chosen, said = choose(card, runtime)
    assert chosen == "cpu"
    assert "coreml cannot be used: The model's self-test failed: embedding deviates by" in said


def test_auto_leaves_an_accelerator_whose_numbers_cannot_be_compared(card):
    unknown = dataclasses.replace(card, self_test=None)
    chosen, said = choose(unknown, FakeRuntime({"cuda": 0.0, "cpu": 0.02}))
    assert chosen == "cpu"
    assert "no self-test to compare its numbers with" in said


def test_auto_leaves_an_accelerator_that_cannot_be_opened(card):
    runtime = FakeRuntime({"openvino": 0.0, "cpu": 0.001}, broken=["openvino"])
    assert choose(card, runtime) == (
        "cpu",
        "The device auto takes cpu: openvino cannot be used: no library for openvino.",
    )


def test_a_cpu_whose_numbers_are_off_is_an_error(card):
    with pytest.raises(HyperKDError, match="self-test failed") as caught:
        choose(card, FakeRuntime({"cuda": 0.0, "cpu": 0.0}, wrong=["cpu"]))
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("device", "offered", "tried"),
    [
        ("auto", ("cpu",), ("cpu",)),
        ("auto", ("cuda", "openvino", "tensorrt", "cpu"), ("cuda", "cpu")),
        ("auto", ("tensorrt", "cpu"), ("cpu",)),
        ("tensorrt", ("tensorrt", "cpu"), ("tensorrt",)),
        ("cuda", ("cpu",), ("cuda",)),
    ],
)
def test_what_is_tried(device, offered, tried):
    assert candidates(device, offered) == tried


def test_where_there_is_no_choice_nothing_is_tried(card):
    runtime = FakeRuntime({"cpu": 0.0})
    assert choose(card, runtime) == ("cpu", "")
    assert runtime.opened == []


# --- a failure in the middle ------------------------------------------------------------------


class Failing(FakeSession):
    """Fails from some call on, as a card that falls off the bus does."""

    def __init__(self, device, left):
        super().__init__(device, 0.0, wrong=False)
        self.left = left

    def run(self, pixels, valid):
        self.left -= 1
        if self.left < 0:
            raise HyperKDError("bad_model", "onnxruntime cannot run it: CUDA error 700.")
        return super().run(pixels, valid)


def batch():
    return np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2), np.ones((1, 1, 2, 2), np.float32)


def test_a_device_that_fails_in_the_middle_is_replaced_by_the_cpu_for_good():
    report, made = Recorder(), []

    def fallback():
        made.append(FakeSession("cpu", 0.0, wrong=False))
        return made[-1]

    network = FallbackSession(Failing("cuda", 2), fallback, report)
    pixels, valid = batch()
    for _ in range(5):
        np.testing.assert_array_equal(network.run(pixels, valid), pixels)
    assert len(made) == 1
    assert network.provider == "cpu provider"
    ((level, message),) = report.logs
    assert level == "warning"
    assert "cuda provider failed (onnxruntime cannot run it: CUDA error 700)" in message


def test_of_several_threads_that_meet_the_failure_one_makes_the_replacement():
    report, made = Recorder(), []
    together = threading.Barrier(4)

    class Together(Failing):
        def run(self, pixels, valid):
            together.wait()
            return super().run(pixels, valid)

    def fallback():
        time.sleep(0.05)
        made.append(FakeSession("cpu", 0.0, wrong=False))
        return made[-1]

    network = FallbackSession(Together("cuda", 0), fallback, report)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(network.run(*batch()))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(report.logs), len(results)) == (1, 1, 4)


def test_a_failure_of_the_cpu_is_final():
    network = FallbackSession(Failing("cpu", 0), lambda: None, Recorder())
    with pytest.raises(HyperKDError, match="CUDA error 700") as caught:
        network.run(*batch())
    assert caught.value.code == "bad_model"
