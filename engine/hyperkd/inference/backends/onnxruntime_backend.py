"""onnxruntime: the one module that imports it.

Says honestly which provider computes: onnxruntime falls back to the CPU in
silence where a GPU library is missing, so the provider is asked for after the
session exists.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from hyperkd.errors import HyperKDError
from hyperkd.models.bundle import Bundle

Float32Array = NDArray[np.float32]

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_LOG_ERRORS_ONLY = 3  # onnxruntime's severity 3; its warnings are about graph optimisation


class Session:
    """A network that is ready to run.

    Attributes:
        provider: onnxruntime's name of what really computes, for instance
            ``CPUExecutionProvider``.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.provider: str = session.get_providers()[0]

    def run(self, pixels: Float32Array, valid: Float32Array) -> Float32Array:
        """Compute the network's one output.

        Args:
            pixels: ``(B, C, H, W)`` float32, finite.
            valid: ``(B, 1, H, W)`` float32, 1 where the pixel carries a spectrum, else 0.

        Returns:
            ``(B, D, H, W)`` float32.

        Raises:
            HyperKDError: ``out_of_memory`` where the batch does not fit,
                ``bad_model`` where the network does not take this input.
        """
        import onnxruntime.capi.onnxruntime_pybind11_state as state

        try:
            (output,) = self._session.run(None, {"pixels": pixels, "valid": valid})
        except (state.RuntimeException, state.Fail) as error:
            # onnxruntime has no class of its own for this; both allocators say "allocate".
            if "alloc" not in str(error):
                raise _bad_model(f"cannot run it: {_first_line(error)}") from error
            raise HyperKDError(
                "out_of_memory",
                f"A batch of {pixels.shape[0]} tiles of {pixels.shape[2]} x {pixels.shape[3]} "
                f"pixels does not fit the memory ({self.provider}).",
                "Choose a smaller batch, or the device cpu.",
            ) from error
        except state.InvalidArgument as error:
            raise _bad_model(
                f"does not take pixels of the shape {pixels.shape}: {_first_line(error)}"
            ) from error
        result: Float32Array = output
        return result


def open_session(network: bytes, device: str = "auto", threads: Optional[int] = None) -> Session:
    """Make a network ready to run.

    Args:
        network: a serialised ONNX graph with the inputs ``pixels`` and
            ``valid`` and one output.
        device: ``cpu``, ``cuda``, or ``auto``, which takes CUDA where
            onnxruntime offers it.
        threads: threads of one operator; default: one per physical core.

    Raises:
        HyperKDError: ``missing_dependency`` where onnxruntime is not installed
            or cannot use CUDA although it was asked for; ``bad_model`` where
            the network is damaged.
    """
    try:
        import onnxruntime
        import onnxruntime.capi.onnxruntime_pybind11_state as state
    except ImportError as error:
        raise HyperKDError(
            "missing_dependency",
            f"onnxruntime cannot be imported: {error}.",
            'Install it with: pip install "hyperkd[onnx]".',
            package="onnxruntime",
        ) from error
    offered = onnxruntime.get_available_providers()
    cuda = _PROVIDERS["cuda"]
    if device == "cuda" and cuda not in offered:
        raise _no_cuda(f"this onnxruntime offers only {', '.join(offered)}")
    wants_cuda = device != "cpu" and cuda in offered
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    # Its threads would otherwise wait by spinning, and take the cores from reading,
    # blending and writing between two batches: a third more processor time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    providers = [cuda] * wants_cuda + [_PROVIDERS["cpu"]]
    try:
        session = Session(onnxruntime.InferenceSession(network, options, providers=providers))
    except (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
    ) as error:
        raise _bad_model(f"cannot load it: {_first_line(error)}") from error
    if device == "cuda" and session.provider != cuda:
        raise _no_cuda("onnxruntime fell back to the CPU, a library of CUDA or cuDNN is missing")
    return session


def self_test(bundle: Bundle, output: str, device: str = "auto") -> Optional[float]:
    """Repeat the card's self-test for one output on this machine.

    Returns:
        The largest deviation as a share of the output's largest value, or None
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


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


def _bad_model(reason: str) -> HyperKDError:
    return HyperKDError(
        "bad_model",
        f"The model is damaged or made for another version, onnxruntime {reason}.",
        "Fetch or export the model again.",
    )


def _no_cuda(reason: str) -> HyperKDError:
    return HyperKDError(
        "missing_dependency",
        f"The device cuda was asked for, but {reason}.",
        'Install the GPU build with: pip install "hyperkd[gpu]", or choose the device auto or cpu.',
        package="onnxruntime-gpu",
    )
