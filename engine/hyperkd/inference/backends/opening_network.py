"""A network that is opened in the background."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from hyperkd.inference.tiling.threads import no_thread
from hyperkd.types import Float32Array


class OpeningNetwork:
    """A network that is opened in a thread of its own, while the first rows are read.

    Raises, when it is first used, what opening it raised.
    """

    def __init__(self, open_session: Callable[[], Any]) -> None:
        self._opening = in_background(open_session)

    @property
    def provider(self) -> str:
        """onnxruntime's name of what computes."""
        provider: str = self._opening.result().provider
        return provider

    def run(self, pixels: Float32Array, valid: Float32Array) -> Float32Array:
        """Compute a batch, see ``onnxruntime_backend.Session``."""
        outputs: Float32Array = self._opening.result().run(pixels, valid)
        return outputs

    def close(self) -> None:
        """Free the session; one that is still being opened is freed when that is done."""
        del self._opening


def in_background(work: Callable[[], Any]) -> Future[Any]:
    """Begin work in a thread of its own.

    Raises:
        HyperKDError: ``out_of_memory`` where the system gives no more threads.
    """
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work)
    except RuntimeError as error:
        raise no_thread(error) from error
    finally:
        pool.shutdown(wait=False)
