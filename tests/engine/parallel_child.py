"""Trains a small student in one of several processes; the first writes it down."""

from __future__ import annotations

import sys

import torch
from safetensors.torch import save_file

from hyperkd.models.nets.student import Student
from hyperkd.training.common.crops import CropSampler
from hyperkd.training.common.parallel import Group, joined
from hyperkd.training.pretrain.train_loop import train
from tests.engine.training_factories import (  # noqa: E402
    BANDS,
    NANO,
    make_distillation,
    make_recipe,
    make_settings,
    make_student,
    make_teacher,
    smooth_scene,
)
from tests.reports import SilentReport


def trained(group: Group, nudge: int = 0) -> tuple[Student, list[dict[str, float]]]:
    """Train with everything on; five chunks, so that two processes get three and two.

    Args:
        group: the processes.
        nudge: where not 0, the last bit of each weight is changed or not, by chance.
    """
    torch.set_num_threads(1)
    student = make_student()
    if nudge:
        torch.manual_seed(nudge)
        with torch.no_grad():
            for weight in student.parameters():
                weight.mul_(1 + 2**-23 * torch.randint(0, 2, weight.shape))
    settings = make_settings(steps=6, batch=10, chunk=2, report_every=2, seed=3)
    torch.manual_seed(1)
    history = train(
        student,
        CropSampler([smooth_scene(64)], NANO.tile),
        settings,
        SilentReport(),
        make_recipe(distillation=make_distillation()),
        make_teacher(),
        bands=BANDS,
        group=group,
    )
    return student, history


if __name__ == "__main__":
    with joined(torch.device("cpu")) as group:
        student, history = trained(group)
        losses = torch.tensor([row["loss"] for row in history])
        if group.leads:
            size = torch.tensor(float(group.size))
            save_file({**student.state_dict(), "losses": losses, "size": size}, sys.argv[1])
