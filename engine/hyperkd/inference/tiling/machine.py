"""What this machine has: cores, memory, and how much of it this process has used."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any, Optional

from hyperkd.engine_process import in_engine_process

_SYSTEM_CPUS = Path("/sys/devices/system/cpu")
_STATUS = Path("/proc/self/status")
_KIB = 1024


def cores() -> int:
    """Return the physical cores that this process may use, at least 1.

    Two threads on one core share its arithmetic units, so that a network gains
    nothing from the second one. Where the system does not report them, logical
    processors are counted.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    siblings = set()
    for number in allowed:
        path = _SYSTEM_CPUS / f"cpu{number}" / "topology" / "thread_siblings_list"
        siblings.add(path.read_text(encoding="ascii") if path.is_file() else str(number))
    return max(1, len(siblings))


def memory_bytes() -> Optional[int]:
    """Return how much memory this machine has, None where the system does not report it."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _windows_memory() -> Optional[int]:
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")),
        ]

    status = Status()
    status.length = ctypes.sizeof(status)
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    return int(status.total) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def peak_memory_bytes() -> Optional[int]:
    """Return the most memory that this process has held at once, None on Windows."""
    if sys.platform == "win32":
        return None
    if _STATUS.is_file():
        # getrusage also counts what the process that started this one held at that moment.
        found = re.search(rb"VmHWM:\s*(\d+) kB", _STATUS.read_bytes())
        if found is not None:
            return int(found[1]) * _KIB
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def address_space_left() -> Optional[int]:
    """Return how many bytes a limit (``ulimit -v``) leaves this process, None without one."""
    if not _STATUS.is_file():
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    found = re.search(rb"VmSize:\s*(\d+) kB", _STATUS.read_bytes())
    if limit == resource.RLIM_INFINITY or found is None:
        return None
    return max(0, limit - int(found[1]) * _KIB)


def limit_arenas() -> None:
    """Let the C library keep freed memory in few pools (glibc, in the engine's own process).

    By default it makes up to eight for each core, and every thread that allocates
    leaves the peak of its own behind.
    """
    arena_max = -8  # M_ARENA_MAX of malloc.h
    library = _glibc() if in_engine_process() else None
    if library is not None:
        library.mallopt(arena_max, 2)


def return_memory() -> None:
    """Give freed memory back to the system (glibc; elsewhere nothing).

    What is freed in small pieces, as the tensors of a model are, stays with the process.
    """
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> Any:
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return None
    import ctypes

    return ctypes.CDLL(None)
