"""The command ``hyperkd`` in a process of its own, with the smallest student that has all parts."""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from pathlib import Path
from typing import Any, Callable

from hyperkd.cli import main
from hyperkd.models.card import ModelCard
from hyperkd.models.nets.student import Student
from hyperkd.models.sizes import StudentConfig
from hyperkd.training.pretrain import distill as module
from hyperkd.training.pretrain.distill_settings import PLANS
from tests.engine.training_factories import NANO

MICRO = dataclasses.replace(NANO, bands=218, stem=8, tile=16)
PLAN = dataclasses.replace(PLANS["tiny"], steps=40, batch=4, chunk=2, validation=4)
# Some steps are done at this batch, and more are to come.
HELD_AT = 12


def held(work: Callable[..., Any], hold: Path) -> Callable[..., Any]:
    """Return ``work`` that says in the file ``hold`` at ``HELD_AT`` that it waits for its end."""
    batches = itertools.count(1)

    def waiting(*args: Any) -> Any:
        if next(batches) == HELD_AT and hold.exists():
            hold.write_text("held")
            while hold.exists():
                time.sleep(0.01)
        return work(*args)

    return waiting


def _sizes(preset: str, patch: int | None) -> StudentConfig:
    return MICRO


def quick_export(student: Student, card: ModelCard, path: Path) -> ModelCard:
    """Stand in for the export, which takes most of a small job's time."""
    path.write_bytes(b"an ONNX file")
    return card


if __name__ == "__main__":
    module.sizes_of = _sizes  # type: ignore[assignment]
    module.export_model = quick_export
    Student.predict_hidden = held(  # type: ignore[method-assign]
        Student.predict_hidden, Path(os.environ["HOLD"])
    )
    PLANS["tiny"] = PLAN  # type: ignore[index]
    raise SystemExit(main())
