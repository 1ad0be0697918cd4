from __future__ import annotations

import re
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hyperkd.errors import HyperKDError
from hyperkd.inference.backends.onnxruntime_backend import Session, offered_devices, open_session
from hyperkd.inference.backends.pinned_memory import PinnedArrays


def scaled_network(bands=2, weight=None):
    """A network that multiplies pixels by 3 and the mask; or by a constant ``weight``."""
    weight = np.float32(3.0) if weight is None else weight
    nodes = [
        helper.make_node("Mul", ["pixels", "weight"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "valid"], ["embedding"]),
    ]

    def value(name, channels):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", channels, "H", "W"])

    graph = helper.make_graph(
        nodes,
        "scaled",
        [value("pixels", bands), value("valid", 1)],
        [value("embedding", bands)],
        [numpy_helper.from_array(np.asarray(weight), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def pixels(bands=2):
    values = np.arange(2 * bands * 3 * 4, dtype=np.float32).reshape(2, bands, 3, 4)
    valid = np.ones((2, 1, 3, 4), np.float32)
    valid[1, 0, 2, 3] = 0
    return values, valid


def test_a_session_computes_and_names_what_computes():
    session = open_session(scaled_network(), "cpu", threads=1)
    values, valid = pixels()
    np.testing.assert_array_equal(session.run(values, valid), values * 3 * valid)
    assert (session.device, session.provider) == ("cpu", "CPUExecutionProvider")


def offers(monkeypatch, providers):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)


def test_offered_devices_come_in_the_order_of_preference(monkeypatch):
    offers(
        monkeypatch,
        [
            *("TensorrtExecutionProvider", "CUDAExecutionProvider", "AzureExecutionProvider"),
            *("CPUExecutionProvider", "OpenVINOExecutionProvider"),
        ],
    )
    assert offered_devices() == ("cuda", "openvino", "tensorrt", "cpu")


@pytest.mark.parametrize(
    ("device", "install"),
    [("cuda", "hyperkd\\[gpu\\]"), ("directml", "onnxruntime-directml"), ("tensorrt", "tensorrt")],
)
def test_a_device_that_is_not_offered_is_refused_with_what_to_install(monkeypatch, device, install):
    offers(monkeypatch, ["CPUExecutionProvider"])
    message = f"{device} was asked for, but this onnxruntime offers only CPUExecutionProvider"
    with pytest.raises(HyperKDError, match=message) as caught:
        open_session(scaled_network(), device)
    assert caught.value.code == "missing_dependency"
    assert re.search(install, caught.value.hint)


class FallingBack:
    """onnxruntime's session where a library of CUDA is missing: the CPU, in silence."""

    def __init__(self, network, options, providers):
        self.asked = providers

    def get_providers(self):
        return ["CPUExecutionProvider"]

    def get_modelmeta(self):
        return SimpleNamespace(custom_metadata_map={})


def test_cuda_that_falls_back_in_silence_is_refused(monkeypatch):
    import onnxruntime

    offers(monkeypatch, ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", FallingBack)
    with pytest.raises(HyperKDError, match="fell back to the CPU") as caught:
        open_session(b"", "cuda")
    assert caught.value.code == "missing_dependency"
    assert open_session(b"", "cpu")._session.asked == ["CPUExecutionProvider"]


def test_bound_inputs_give_what_plain_ones_give(monkeypatch):
    """The way of CUDA, with the CPU's memory in the place of the card's."""
    from hyperkd.inference.backends import onnxruntime_backend

    plain = open_session(scaled_network(), "cpu", threads=1)
    bound = open_session(scaled_network(), "cpu", threads=1)
    monkeypatch.setattr(onnxruntime_backend, "_BOUND", {"pretended": "cpu"})
    bound.device = "pretended"
    values, valid = pixels()
    for factor in (1, 2):  # the second batch lies in the memory of the first
        given = values * np.float32(factor)
        np.testing.assert_array_equal(bound.run(given, valid), plain.run(given, valid))
    first = bound.run(values[:1], valid[:1])
    np.testing.assert_array_equal(first, plain.run(values[:1], valid[:1]))


def test_a_copy_to_the_card_that_fails_is_an_error_of_the_device(monkeypatch):
    """Then the job goes on with the CPU; any other exception would end it as a bug."""
    from hyperkd.inference.backends import onnxruntime_backend

    session = open_session(scaled_network(), "cpu", threads=1)
    monkeypatch.setattr(onnxruntime_backend, "_BOUND", {"pretended": "cpu"})
    session.device = "pretended"

    def io_binding():
        raise RuntimeError("CUDA failure 700: an illegal memory access was encountered")

    monkeypatch.setattr(session._session, "io_binding", io_binding)
    with pytest.raises(HyperKDError, match="CUDA failure 700") as caught:
        session.run(*pixels())
    assert caught.value.code == "bad_model"


class PretendedRuntime:
    """CUDA's runtime, which only keeps what it is told."""

    def __init__(self, error=0):
        self.error, self.calls = error, []

    def cudaHostRegister(self, address, size, flags):
        self.calls.append(("register", address.value, size.value, flags))
        return self.error

    def cudaHostUnregister(self, address):
        self.calls.append(("unregister", address.value))

    def cudaGetLastError(self):
        self.calls.append(("forget",))


def test_the_buffers_of_a_job_are_pinned_once_and_as_a_whole(monkeypatch):
    from hyperkd.inference.backends import onnxruntime_backend

    session = open_session(scaled_network(), "cpu", threads=1)
    monkeypatch.setattr(onnxruntime_backend, "_BOUND", {"pretended": "cpu"})
    session.device, library = "pretended", PretendedRuntime()
    session._pinned = PinnedArrays(library)
    buffers = [np.repeat(each, 2, axis=0) for each in pixels()]
    for count in (4, 3, 4):  # the last batch of a row is smaller, and lies in the same memory
        session.run(*(each[:count] for each in buffers))
    expected = [("register", each.ctypes.data, each.nbytes, 1) for each in buffers]
    assert library.calls == expected
    session._pinned = None
    assert library.calls[2:] == [("unregister", each.ctypes.data) for each in buffers]


def test_what_cannot_be_pinned_is_used_as_it_is_and_tried_once():
    library = PretendedRuntime(error=1)
    pinned, array = PinnedArrays(library), np.zeros(3, np.float32)
    assert not pinned.pin(array)
    assert not pinned.pin(array)
    assert library.calls == [("register", array.ctypes.data, 12, 1), ("forget",)]
    del pinned
    assert len(library.calls) == 2
    assert not PinnedArrays().pin(array)  # no CUDA in this process


def test_only_so_many_arrays_are_pinned():
    library = PretendedRuntime()
    pinned, arrays = PinnedArrays(library), [np.zeros(1) for _ in range(20)]
    assert [pinned.pin(array) for array in arrays] == [True] * 16 + [False] * 4
    assert pinned.pin(arrays[15])


@pytest.mark.parametrize(("device", "most"), [("directml", 1), ("cpu", 4)])
def test_a_session_that_takes_one_batch_at_a_time_gets_them_one_by_one(device, most):
    class Counting:
        """onnxruntime's session, which counts how many threads are inside."""

        inside, seen = 0, []
        together = threading.Barrier(4)

        def get_providers(self):
            return ["DmlExecutionProvider"]

        def run(self, outputs, inputs):
            Counting.inside += 1
            Counting.seen.append(Counting.inside)
            if most > 1:
                self.together.wait()
            time.sleep(0.01)
            Counting.inside -= 1
            return [inputs["pixels"]]

    session = Session(Counting(), device)
    threads = [threading.Thread(target=session.run, args=pixels()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(Counting.seen) == most


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(HyperKDError, match="onnxruntime cannot be imported") as caught:
        open_session(scaled_network())
    assert caught.value.code == "missing_dependency"
    assert "hyperkd[onnx]" in caught.value.hint


@pytest.mark.parametrize("network", [b"", b"no network at all", scaled_network()[:-40]])
def test_a_damaged_network_is_a_bad_model(network):
    with pytest.raises(HyperKDError, match="onnxruntime cannot load it") as caught:
        open_session(network, "cpu")
    assert caught.value.code == "bad_model"


def test_pixels_of_the_wrong_shape_are_told_with_their_shape():
    session = open_session(scaled_network(bands=2), "cpu")
    message = r"does not take pixels of the shape \(2, 5, 3, 4\)"
    with pytest.raises(HyperKDError, match=message) as caught:
        session.run(*pixels(bands=5))
    assert caught.value.code == "bad_model"


def test_a_batch_that_does_not_fit_the_memory_says_what_to_change(monkeypatch):
    import onnxruntime.capi.onnxruntime_pybind11_state as state

    session = open_session(scaled_network(), "cpu")

    class Full:
        def run(self, outputs, inputs):
            raise state.RuntimeException("BFCArena::AllocateRawInternal Failed to allocate memory")

    monkeypatch.setattr(session, "_session", Full())
    with pytest.raises(HyperKDError, match="batch of 2 tiles of 3 x 4 pixels") as caught:
        session.run(*pixels())
    assert caught.value.code == "out_of_memory"
    assert "smaller batch" in caught.value.hint
