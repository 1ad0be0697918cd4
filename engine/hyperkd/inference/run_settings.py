"""What a user says about how to run a model over a scene, whatever comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class RunSettings:
    """How to run, whatever comes out.

    Attributes:
        overlap: pixels that neighbouring tiles share; None for the default.
        batch: tiles that the network gets at once; None for what suits the device.
        device: ``auto`` or one of ``onnxruntime_backend.PROVIDERS``.
        memory_mb: megabytes that the job may take; None for the default.
        resume: whether to go on with what an earlier job finished, and to leave that
            for a later one where this one does not get to its end.
        unreadable: ``fail``, or ``nodata`` where windows that cannot be read are left out.
        layout: of the outputs, one of ``sink.LAYOUTS``.
    """

    overlap: Optional[int] = None
    batch: Optional[int] = None
    device: str = "auto"
    memory_mb: Optional[int] = None
    resume: bool = False
    unreadable: str = "fail"
    layout: str = "geotiff"
