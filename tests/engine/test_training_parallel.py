"""Two processes train what one process trains."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if not torch.distributed.is_available():
    pytest.skip("this torch has no torch.distributed", allow_module_level=True)

from safetensors.torch import load_file  # noqa: E402

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.training.common.batches import Batches  # noqa: E402
from hyperkd.training.common.crops import CropSampler  # noqa: E402
from hyperkd.training.common.parallel import Group  # noqa: E402
from tests.engine.parallel_child import trained  # noqa: E402
from tests.engine.training_factories import (  # noqa: E402
    NANO,
    make_settings,
    make_student,
    smooth_scene,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_two_processes_equal_one_but_for_rounding(tmp_path):
    """Sums in another order change last bits; training makes more of them, as of nudged weights."""
    output = tmp_path / "two.safetensors"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "engine"), str(ROOT))),
        "OMP_NUM_THREADS": "1",
    }
    # One machine and one address, whatever names its network has.
    environment["GLOO_SOCKET_IFNAME"] = "lo" if sys.platform == "linux" else ""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    answer = subprocess.run(
        [*command, str(Path(__file__).with_name("parallel_child.py")), str(output)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    two = load_file(output)
    assert float(two.pop("size")) == 2
    student, history = trained(Group())
    one = {**student.state_dict(), "losses": losses_of(history)}
    assert set(one) == set(two)
    nudged = []
    for nudge in (1, 2, 3):
        other, losses = trained(Group(), nudge)
        nudged.append({**other.state_dict(), "losses": losses_of(losses)})
    for names in ({"losses"}, set(one) - {"losses"}):
        apart, *allowed = (
            max(float((each[name] - one[name]).abs().max()) for name in names)
            for each in (two, *nudged)
        )
        assert apart <= 4 * max(allowed)
        assert max(allowed) < 1e-3  # so that a share too many would be seen


def losses_of(history):
    return torch.tensor([row["loss"] for row in history])


def test_every_chunk_is_computed_by_one_process():
    shares = [list(Group(rank, 3).share(8)) for rank in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_a_process_without_a_chunk_is_refused():
    sampler = CropSampler([smooth_scene()], NANO.tile)
    with pytest.raises(HyperKDError, match="1 chunks of 8 tiles are too few for 2") as caught:
        Batches(sampler, make_student(), make_settings(steps=1, batch=8, chunk=8), Group(1, 2))
    assert caught.value.code == "bad_job"


def test_alone_nothing_is_sent():
    group = Group()
    tensor = torch.ones(3)
    assert group.leads and group.add_up(tensor) is tensor
    assert group.any(True) and not group.any(False)
    group.add_up_gradients(make_student().parameters())
    group.wait()
