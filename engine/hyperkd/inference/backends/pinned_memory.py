"""Page-locked ("pinned") memory for what CUDA copies to the card.

CUDA copies ordinary memory in two steps, by way of a small pinned buffer of its own; what is
pinned goes over at the full speed of the bus. onnxruntime's Python offers no such memory, so
the arrays that a job fills again and again are pinned where they lie
(cudaHostRegister of CUDA's runtime API), with the runtime that onnxruntime has loaded.
Where that cannot be done nothing but the speed of a copy is lost.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from collections.abc import Iterable
from typing import Any, Final, Optional

import numpy as np
from numpy.typing import NDArray

_NAMES: Final = (
    ("cudart64_13.dll", "cudart64_12.dll", "cudart64_110.dll")
    if sys.platform == "win32"
    else ("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0")
)
_PORTABLE: Final = 1  # cudaHostRegisterPortable: pinned for every thread and card
# A caller with new arrays every time must not pin them all.
_MOST: Final = 16


class PinnedArrays:
    """Arrays that stay pinned as long as this object lives.

    Args:
        library: CUDA's runtime; default: the one that this process has loaded.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = _loaded_runtime() if library is None else library
        self._lock = threading.Lock()
        self._seen: dict[int, NDArray[Any]] = {}
        self._pinned: list[NDArray[Any]] = []
        weakref.finalize(self, _unpin, self._library, self._pinned)

    def pin(self, array: NDArray[Any]) -> bool:
        """Pin the memory of an array, or of the array that it is a part of.

        Returns:
            Whether it is pinned, now or since an earlier call.
        """
        owner = array.base if isinstance(array.base, np.ndarray) else array
        address = owner.ctypes.data
        with self._lock:
            if address not in self._seen and self._library is not None:
                if len(self._seen) >= _MOST:
                    return False
                self._seen[address] = owner  # kept, so that its address is not reused
                size = ctypes.c_size_t(owner.nbytes)
                if self._library.cudaHostRegister(ctypes.c_void_p(address), size, _PORTABLE) == 0:
                    self._pinned.append(owner)
                else:
                    # Otherwise onnxruntime would find this error after its next call.
                    self._library.cudaGetLastError()
            return any(owner is each for each in self._pinned)


def _unpin(library: Any, arrays: Iterable[NDArray[Any]]) -> None:
    for array in arrays:
        library.cudaHostUnregister(ctypes.c_void_p(array.ctypes.data))


def _loaded_runtime() -> Optional[Any]:
    """Return CUDA's runtime where this process has loaded it; nothing is loaded for it."""
    for name in _NAMES:
        try:
            if sys.platform == "win32":
                handle = ctypes.windll.kernel32.GetModuleHandleW(name)  # type: ignore[attr-defined,unused-ignore]
                if handle:
                    return ctypes.CDLL(name)
            else:
                return ctypes.CDLL(name, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        except OSError:
            continue  # it is not loaded, or of another version
    return None
