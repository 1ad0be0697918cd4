"""The tiles of each step, read for the process that computes them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Optional

from hyperkd.errors import HyperKDError
from hyperkd.models.nets.student import Student
from hyperkd.training.common.crops import CropSampler
from hyperkd.training.common.masked_batch import Tiles
from hyperkd.training.common.parallel import Group
from hyperkd.training.common.train_settings import Settings
from hyperkd.training.pretrain.objective import Draws


class Batches:
    """Reads the chunks of each step that belong to this process, one step ahead if wanted."""

    def __init__(
        self, sampler: CropSampler, student: Student, settings: Settings, group: Group
    ) -> None:
        self._sampler, self._student, self._settings = sampler, student, settings
        starts = range(0, settings.batch, settings.chunk)
        self._mine = [starts[number] for number in group.share(len(starts))]
        if not self._mine:
            raise HyperKDError(
                "bad_job",
                f"{len(starts)} chunks of {settings.chunk} tiles are too few for {group.size} "
                "processes.",
                "Take a larger batch or smaller chunks.",
            )
        self._thread = ThreadPoolExecutor(1) if settings.ahead else None
        self._next: Optional[tuple[int, Future[list[tuple[Tiles, Draws]]]]] = None

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def of(self, step: int) -> list[tuple[Tiles, Draws]]:
        """Return the chunks of a step."""
        if self._thread is None:
            return list(self._read(step))
        if self._next is not None and self._next[0] == step:
            chunks = self._next[1].result()
        else:
            chunks = list(self._read(step))
        if step + 1 < self._settings.steps:
            self._next = step + 1, self._thread.submit(lambda: list(self._read(step + 1)))
        return chunks

    def _read(self, step: int) -> Iterator[tuple[Tiles, Draws]]:
        settings, device = self._settings, self._student.mean.device
        draws = Draws.of_step(self._sampler, settings.seed, step, settings.batch, self._student)
        for first in self._mine:
            size = min(settings.chunk, settings.batch - first)
            chunk = draws.chunk(first, size, device)
            yield Tiles.read(self._sampler, chunk.crops, device), chunk
