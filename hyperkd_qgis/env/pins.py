"""What is installed for the engine: the tiers, their one list of pinned versions, their sizes.

Standard library only; the versions themselves are in ``requirements/``.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "requirements"

# Which builds: for the processor, or for an NVIDIA GPU.
COMPUTE = ("cpu", "gpu")

# Where PyTorch's own index has the builds that the package index has not. It puts the
# index's name behind the version: 2.13.0+cpu. The variable names a mirror of it instead.
TORCH_INDEX = "https://download.pytorch.org/whl/"
TORCH_INDEX_VARIABLE = "HYPERKD_TORCH_INDEX"


@dataclass(frozen=True)
class Tier:
    """One step of the set-up.

    Attributes:
        name: ``inference`` or ``training``; also the name of its list.
        modules: what is imported to see that it works.
        download_mb, disk_mb: about how much comes over the network and lies on the disk
            at the end, by ``COMPUTE``; measured for Python 3.11 on Linux, the GPU builds
            estimated from what their publishers state.
    """

    name: str
    modules: tuple[str, ...]
    download_mb: Mapping[str, int]
    disk_mb: Mapping[str, int]

    @property
    def text(self) -> str:
        """The list of this tier as it is shipped."""
        return (FOLDER / f"{self.name}.txt").read_text(encoding="utf-8")


TIERS: Mapping[str, Tier] = {
    tier.name: tier
    for tier in (
        Tier(
            "inference",
            ("numpy", "osgeo.gdal", "onnx", "onnxruntime", "safetensors", "sklearn"),
            {"cpu": 90, "gpu": 1500},
            {"cpu": 310, "gpu": 3500},
        ),
        Tier(
            "training",
            ("torch", "onnxscript"),
            {"cpu": 210, "gpu": 2750},
            {"cpu": 900, "gpu": 7000},
        ),
    )
}


def cumulative(tiers: Sequence[str]) -> tuple[str, ...]:
    """Return the tiers in their order, with those that they build on.

    Raises:
        ValueError: there is no such tier.
    """
    order = list(TIERS)
    unknown = [name for name in tiers if name not in order]
    if unknown or not tiers:
        raise ValueError(f"no tier is called {', '.join(unknown) or 'nothing'}")
    return tuple(order[: 1 + max(map(order.index, tiers))])


def requirements(tier: str, compute: str) -> str:
    """Return the list of one tier as pip reads it, for one kind of build."""
    text = TIERS[tier].text
    if compute == "gpu":
        # The same versions under another name; the extras bring CUDA's own libraries.
        text = re.sub(r"(?m)^onnxruntime==", "onnxruntime-gpu[cuda,cudnn]==", text)
    return text


def fingerprint(tiers: Sequence[str], compute: str) -> str:
    """Return a short hash of everything that is pinned: another one means another list."""
    digest = hashlib.sha256(compute.encode())
    for tier in tiers:
        lines = requirements(tier, compute).splitlines()
        digest.update("\n".join(line for line in lines if not line.startswith("#")).encode())
    return digest.hexdigest()[:16]


def torch_index(
    compute: str, platform: str = sys.platform, version: tuple[int, ...] = sys.version_info[:2]
) -> str:
    """Return PyTorch's own index where the package index has another build; else nothing.

    The package index has builds for CUDA on Linux, and for the processor on Windows
    and macOS.
    """
    base = (os.environ.get(TORCH_INDEX_VARIABLE) or TORCH_INDEX).rstrip("/") + "/"
    if platform.startswith("linux") and compute == "cpu":
        return base + "cpu"
    if platform == "win32" and compute == "gpu":
        # The CUDA version that each pinned release of PyTorch was built for first.
        return base + ("cu128" if version < (3, 10) else "cu130")
    return ""


def torch_version(version: tuple[int, ...] = sys.version_info[:2]) -> str:
    """Return the version of PyTorch that is pinned for a version of Python."""
    pinned = dict(re.findall(r"(?m)^torch==(\S+); python_version (==|>=)", TIERS["training"].text))
    wanted = "==" if version < (3, 10) else ">="
    return next(torch for torch, marker in pinned.items() if marker == wanted)


def with_build(text: str, index: str) -> str:
    """Return a list whose torch is the build of an index, and no other.

    Without the suffix pip takes the build of the package index where PyTorch's cannot be
    reached: gigabytes of CUDA for a machine without a GPU.
    """
    build = index.rpartition("/")[2]
    return re.sub(r"(?m)^(torch==[\w.]+)", rf"\1+{build}", text) if build else text


def sizes_mb(tiers: Sequence[str], compute: str) -> tuple[int, int]:
    """Return about how many MB are downloaded, and lie on the disk at the end."""
    chosen = [TIERS[name] for name in tiers]
    return (
        sum(tier.download_mb[compute] for tier in chosen),
        sum(tier.disk_mb[compute] for tier in chosen),
    )


def modules(tiers: Sequence[str]) -> tuple[str, ...]:
    """Return what is imported to see that the tiers work."""
    return tuple(name for tier in tiers for name in TIERS[tier].modules)
