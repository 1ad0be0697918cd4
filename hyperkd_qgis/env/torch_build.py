"""Which build of PyTorch an installation gets, and from where.

On Linux, x86 and ARM alike, the package index has builds for CUDA alone: gigabytes that a
machine without an NVIDIA GPU has no use for. PyTorch's own index has the build for the
processor, whose version ends in ``+cpu``; a company's mirror or a folder of wheels in pip's
configuration may have it too, and then goes first.

Standard library only and without Qt: build.py asks the same way.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable, Sequence
from typing import Optional

# Where the build comes from.
CONFIGURED, PYTORCH, NOWHERE, UNKNOWN = "configured", "pytorch", "nowhere", "unknown"

# An index that does not answer is given up soon: the configured one has answered by then.
_CONFIGURED = ("--retries", "1", "--timeout", "15")
_PYTORCH = ("--retries", "0", "--timeout", "8")


def find_source(ask: Callable[[Sequence[str]], str], version: str, build: str, index: str) -> str:
    """Return where a build of PyTorch is to be had, without fetching it.

    Args:
        ask: runs pip with arguments and returns all that it said.
        version: of PyTorch, without the build.
        build: what stands behind the version, as ``cpu``.
        index: address of PyTorch's own index.

    Returns:
        ``CONFIGURED`` where pip finds it as it is set up, ``PYTORCH`` where that index has
        it, ``NOWHERE``, or ``UNKNOWN`` where pip is too old to tell, or was offered no
        version at all: then it is the installation that says why.
    """
    wanted = f"{version}+{build}"
    question = ("index", "versions", "torch", "--disable-pip-version-check", "--no-input")
    said = ask((*question, *_CONFIGURED))
    configured = _versions(said)
    if wanted in configured:
        return CONFIGURED
    if re.search(r'unknown command "index"', said):
        return UNKNOWN
    if wanted in _versions(ask((*question, *_PYTORCH, "--index-url", index))):
        return PYTORCH
    return NOWHERE if configured else UNKNOWN


def _versions(said: str) -> list[str]:
    found = re.search(r"^Available versions: (.*)$", said, re.MULTILINE)
    return re.split(r",\s*", found[1].strip()) if found else []


def nvidia_gpu(library: Optional[str] = None) -> str:
    """Return the name of the first NVIDIA GPU that the driver shows, or nothing.

    Args:
        library: the driver's library; default: the one of this system.
    """
    default = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        cuda = ctypes.CDLL(library or default)
        count, name = ctypes.c_int(0), ctypes.create_string_buffer(100)
        if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
            return ""  # a driver without a GPU, as in many containers
        if cuda.cuDeviceGetName(name, len(name), 0):
            return "NVIDIA GPU"
    except (OSError, AttributeError):  # no driver, or no such library
        return ""
    return name.value.decode(errors="replace")
