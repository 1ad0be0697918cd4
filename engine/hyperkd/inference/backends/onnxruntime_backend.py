"""onnxruntime: the one module that imports it.

Reports which provider really computes: onnxruntime falls back to the CPU
silently where a GPU library is missing, so the provider is read from the
opened session.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Optional

import numpy as np

from hyperkd.errors import HyperKDError
from hyperkd.inference.backends.pinned_memory import PinnedArrays
from hyperkd.models.bundle import CHANNELS_KEY, PATCH_KEY, Bundle
from hyperkd.types import Float32Array

# What a device is called by its users and by onnxruntime, those that auto prefers first.
# TensorRT comes after CUDA: it builds an engine for minutes before the first tile.
PROVIDERS: Final[Mapping[str, str]] = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
_PLACES: Final[Mapping[str, str]] = {
    "cuda": "the graphics card (CUDA)",
    "directml": "the graphics card (DirectML)",
    "coreml": "Apple's accelerators (Core ML)",
    "openvino": "OpenVINO",
    "tensorrt": "the graphics card (TensorRT)",
    "cpu": "the processor",
}
# Inputs of these wait in the device's own memory, which is allocated once.
_BOUND: Final = {"cuda": "cuda", "tensorrt": "cuda"}
# A session of these computes one batch at a time.
_SERIAL: Final = ("directml",)
_INSTALL: Final = {
    "cuda": 'pip install "hyperkd[gpu]"',
    "tensorrt": 'pip install "hyperkd[gpu]" tensorrt',
    "directml": "pip install onnxruntime-directml",
    "openvino": "pip install onnxruntime-openvino",
    "coreml": "pip install onnxruntime (on macOS)",
}
_LOG_ERRORS_ONLY = 3  # onnxruntime's severity 3; its warnings are about graph optimisation


class Session:
    """A network that is ready to run; several threads may use it at once.

    Args:
        session: onnxruntime's.
        device: one of ``PROVIDERS``.
        about: the metadata of the network, see ``Bundle.network``.

    Attributes:
        device: one of ``PROVIDERS``.
        provider: onnxruntime's name of what really computes, for instance
            ``CPUExecutionProvider``.
    """

    def __init__(
        self,
        session: Any,
        device: str = "cpu",
        about: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._session = session
        self.device = device
        self.provider: str = session.get_providers()[0]
        self._binding = threading.local()
        self._pinned = PinnedArrays() if device in _BOUND else None
        self._turn = threading.Lock() if device in _SERIAL else contextlib.nullcontext()
        self._channels = int(about[CHANNELS_KEY]) if CHANNELS_KEY in about else None
        self._patch_px = int(about.get(PATCH_KEY, 1))

    def run(self, pixels: Float32Array, valid: Float32Array) -> Float32Array:
        """Compute the network's one output.

        Args:
            pixels: ``(B, C, H, W)`` float32, finite.
            valid: ``(B, 1, H, W)`` float32, 1 where the pixel carries a spectrum, else 0.

        Returns:
            ``(B, D, H, W)`` float32.

        Raises:
            HyperKDError: ``out_of_memory`` where the batch does not fit,
                ``bad_model`` where the network does not take this input, or gives an
                output of another shape or type than its card describes.
        """
        import onnxruntime.capi.onnxruntime_pybind11_state as state

        inputs = {"pixels": pixels, "valid": valid}
        try:
            if self.device in _BOUND:
                output = self._run_bound(inputs, _BOUND[self.device])
            else:
                with self._turn:
                    (output,) = self._session.run(None, inputs)
        except state.InvalidArgument as error:
            raise _bad_model(
                f"does not take pixels of the shape {pixels.shape}: {_first_line(error)}"
            ) from error
        except _failures() as error:
            # What fails outside of the network, as a copy to the card, is a RuntimeError.
            # onnxruntime has no class of its own for this; both allocators say "allocate".
            if "alloc" not in str(error):
                raise _bad_model(f"cannot run it: {_first_line(error)}") from error
            raise HyperKDError(
                "out_of_memory",
                f"A batch of {pixels.shape[0]} tiles of {pixels.shape[2]} x {pixels.shape[3]} "
                f"pixels does not fit the memory ({self.provider}).",
                "Choose a smaller batch, or the device cpu.",
            ) from error
        self._require_answer(output, pixels.shape)
        result: Float32Array = output
        return result

    def _require_answer(self, output: Any, shape: tuple[int, ...]) -> None:
        """Refuse an output that is not one value for each pixel, or patch, and channel."""
        batch, _, rows, cols = shape
        channels = self._channels
        found: tuple[int, ...] = getattr(output, "shape", ())
        if channels is None and len(found) == 4:
            channels = found[1]
        expected = (batch, channels, rows // self._patch_px, cols // self._patch_px)
        if not isinstance(output, np.ndarray) or output.dtype != np.float32 or found != expected:
            what = "x".join(map(str, found)) if found else "no array"
            raise _bad_model(
                f"gives {what} of {getattr(output, 'dtype', type(output).__name__)} instead of "
                f"{'x'.join(map(str, expected))} of float32"
            )

    def _run_bound(self, inputs: Mapping[str, Float32Array], device: str) -> Float32Array:
        """Run with inputs and output in the device's memory, kept for batches of one shape.

        The arrays of the inputs are pinned: a thread fills the same ones again and again.
        """
        import onnxruntime

        shapes = [array.shape for array in inputs.values()]
        if getattr(self._binding, "shapes", None) != shapes:
            binding = self._session.io_binding()
            values = {}
            for name, array in inputs.items():
                values[name] = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                    array.shape, np.float32, device, 0
                )
                binding.bind_ortvalue_input(name, values[name])
            binding.bind_output(self._session.get_outputs()[0].name, device)
            self._binding.shapes, self._binding.values = shapes, values
            self._binding.binding = binding
        for name, array in inputs.items():
            if self._pinned is not None:
                self._pinned.pin(array)
            self._binding.values[name].update_inplace(array)
        self._session.run_with_iobinding(self._binding.binding)
        (output,) = self._binding.binding.copy_outputs_to_cpu()
        result: Float32Array = output
        return result


def load_runtime() -> Any:
    """Import onnxruntime and return it.

    Raises:
        HyperKDError: ``missing_dependency`` where it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise HyperKDError(
            "missing_dependency",
            f"onnxruntime cannot be imported: {error}.",
            'Install it with: pip install "hyperkd[onnx]".',
            package="onnxruntime",
        ) from error
    return onnxruntime


def place_of(provider: str) -> str:
    """Return where a provider of onnxruntime computes, in words."""
    places = {PROVIDERS[device]: text for device, text in _PLACES.items()}
    return places.get(provider, provider)


def runtime_version() -> str:
    """Return the version of onnxruntime."""
    return str(load_runtime().__version__)


def offered_devices() -> tuple[str, ...]:
    """Return the devices that onnxruntime offers on this machine, the preferred ones first."""
    offered = load_runtime().get_available_providers()
    return tuple(device for device, provider in PROVIDERS.items() if provider in offered)


def open_session(network: bytes, device: str = "cpu", threads: Optional[int] = None) -> Session:
    """Make a network ready to run.

    Args:
        network: a serialised ONNX graph with the inputs ``pixels`` and
            ``valid`` and one output.
        device: one of ``PROVIDERS``.
        threads: threads of one operator; default: one per physical core.

    Raises:
        HyperKDError: ``missing_dependency`` where onnxruntime is not installed
            or cannot use the device; ``bad_model`` where the network is damaged.
    """
    onnxruntime = load_runtime()
    if device not in offered_devices():
        offered = ", ".join(onnxruntime.get_available_providers())
        raise _no_device(device, f"this onnxruntime offers only {offered}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    # Its threads would otherwise wait by spinning, and take the cores from reading,
    # blending and writing between two batches: a third more processor time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan of the memory for each shape takes 20 MB more for every tile that is computed
    # side by side, and saves no time; DirectML cannot do with it.
    options.enable_mem_pattern = device not in ("cpu", "directml")
    if threads is not None:
        options.intra_op_num_threads = threads
    cpu = PROVIDERS["cpu"]
    providers = list(dict.fromkeys([PROVIDERS[device], cpu]))
    try:
        session = onnxruntime.InferenceSession(network, options, providers=providers)
    except _failures() as error:
        if device != "cpu":
            raise _no_device(device, f"it fails: {_first_line(error)}") from error
        raise _bad_model(f"cannot load it: {_first_line(error)}") from error
    if session.get_providers()[0] != PROVIDERS[device]:
        raise _no_device(device, "onnxruntime fell back to the CPU, a library of it is missing")
    return Session(session, device, session.get_modelmeta().custom_metadata_map)


def self_test(bundle: Bundle, output: str, device: str = "cpu") -> Optional[float]:
    """Repeat the card's self-test for one output on this machine.

    Returns:
        The largest deviation as a fraction of the output's largest value, or None
        where the card holds no self-test.

    Raises:
        HyperKDError: ``bad_model`` where it is beyond the card's tolerance.
    """
    test = bundle.card.self_test
    if test is None:
        return None
    pixels, valid = test.inputs(len(bundle.card.bands), bundle.card.tile_px)
    session = open_session(bundle.network(output, None), device)
    return test.check(output, session.run(pixels, valid))


def _failures() -> tuple[type[Exception], ...]:
    """Return the exceptions of onnxruntime, which have no common class.

    ValueError: it words a failure with a name from the model that is not UTF-8.
    """
    import onnxruntime.capi.onnxruntime_pybind11_state as state

    own = [each for each in vars(state).values() if isinstance(each, type)]
    return (RuntimeError, ValueError, *(each for each in own if issubclass(each, Exception)))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


def _bad_model(reason: str) -> HyperKDError:
    return HyperKDError(
        "bad_model",
        f"The model is damaged or made for another version, onnxruntime {reason}.",
        "Fetch or export the model again.",
    )


def _no_device(device: str, reason: str) -> HyperKDError:
    return HyperKDError(
        "missing_dependency",
        f"The device {device} was asked for, but {reason}.",
        f"Install what it needs ({_INSTALL[device]}), or choose the device auto or cpu.",
        package="onnxruntime",
    )
