"""Starting threads so that none is left waiting where the system gives too few."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from hyperkd.errors import HyperKDError
from hyperkd.inference.tiling import machine

# Address space, which is not all used: buffers of OpenBLAS and stacks of threads.
_LIBRARIES = 64 * 2**20
_PER_CORE = 40 * 2**20


def start_all(threads: Sequence[threading.Thread], stop: Callable[[], None]) -> None:
    """Start threads, all or none.

    Args:
        threads: not started yet.
        stop: makes threads that run end.

    Raises:
        HyperKDError: ``out_of_memory`` where the system gives no more of them.
    """
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError) as error:
        stop()
        for thread in started:
            thread.join()
        raise no_thread(error) from error


def require_address_space() -> None:
    """Refuse a job under a limit so tight that libraries would wait for memory for ever.

    OpenBLAS, which multiplies numpy's matrices, tries again and again where it gets none.

    Raises:
        HyperKDError: ``out_of_memory``.
    """
    left = machine.address_space_left()
    needed = _LIBRARIES + _PER_CORE * machine.cores()
    if left is not None and left < needed:
        raise HyperKDError(
            "out_of_memory",
            f"A limit leaves the process {left // 10**6} MB of address space, of "
            f"{needed // 10**6} MB that its libraries need.",
            "Raise the limit (ulimit -v).",
        )


def no_thread(error: BaseException) -> HyperKDError:
    """Return the coded error of a system that gives no more threads."""
    return HyperKDError(
        "out_of_memory",
        f"The system cannot start more threads: {error}.",
        "Allow the process more memory (ulimit -v), or close other programs.",
    )
