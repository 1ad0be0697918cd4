"""Several processes that train one student together, started by ``torchrun``.

Each takes its part of every batch, and the gradients are added up. A batch is cut
into chunks first, in one process too, and the processes take them in turn: so the
sum has the same terms however many there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from hyperkd.errors import HyperKDError


@dataclass(frozen=True)
class Group:
    """The processes of one training.

    Attributes:
        rank: number of this process, from 0; process 0 alone reports and writes.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def leads(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0

    def share(self, chunks: int) -> range:
        """Return the numbers of the chunks that this process computes."""
        return range(self.rank, chunks, self.size)

    def add_up(self, tensor: Tensor) -> Tensor:
        """Return the sum over the processes."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process, so that all act alike."""
        return bool(self.add_up(torch.tensor(float(flag), device=self.device)))

    def add_up_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by the sum over the processes, in one message."""
        if self.size == 1:
            return
        gradients = [each.grad for each in parameters if each.grad is not None]
        joined = self.add_up(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, joined.split([each.numel() for each in gradients])):
            gradient.copy_(part.view_as(gradient))

    def wait(self) -> None:
        """Return once every process is here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """Join the processes that ``torchrun`` started; alone where it started none.

    Raises:
        HyperKDError: ``bad_job`` where torch cannot connect them.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group()
        return
    if not distributed.is_available():
        raise HyperKDError(
            "bad_job",
            f"This torch cannot train with {size} processes.",
            "Install a torch with torch.distributed, or start one process.",
        )
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(distributed.get_rank(), size, device)
        # A process that ended now could find gloo's threads still letting go of the last
        # message, which aborts it; all leave together, with nothing under way.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
