"""The training loop: it learns, it repeats, and it says why it stops."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from hyperkd.errors import HyperKDError

torch = pytest.importorskip("torch")

from hyperkd.models.nets.student import Student  # noqa: E402
from hyperkd.models.sizes import StudentConfig  # noqa: E402
from hyperkd.training.common.crops import CropSampler, MemoryScene, band_statistics  # noqa: E402
from hyperkd.training.common.masked_batch import Masked, draw  # noqa: E402
from hyperkd.training.common.optimiser import learning_rate, make_optimiser  # noqa: E402
from hyperkd.training.pretrain.train_loop import train  # noqa: E402
from tests.engine.training_factories import (  # noqa: E402
    PLAIN,
    make_settings,
    reconstruction_loss,
)

NANO = StudentConfig(
    bands=6, patch=2, stem=8, dim=16, depth=1, heads=2,
    decoder_dim=16, decoder_depth=1, decoder_heads=2, rank=4, tile=16,
)  # fmt: skip


class Recorder:
    """A reporter that keeps what it is told."""

    def __init__(self, cancel_at=None):
        self.metrics, self.done, self.cancel_at = [], [], cancel_at

    def stage(self, name):
        pass

    def progress(self, done, total, unit):
        self.done.append((done, total, unit))

    def metric(self, step, values):
        self.metrics.append((step, dict(values)))

    def log(self, level, message):
        pass

    def artifact(self, role, path):
        pass

    def stop_requested(self):
        return False

    def check_cancelled(self):
        if self.cancel_at is not None and len(self.done) >= self.cancel_at:
            raise HyperKDError("cancelled", "The job was cancelled.")


def smooth_scene(side=48, seed=0) -> MemoryScene:
    """Two spectra mixed along a smooth gradient: easy to predict from the surroundings."""
    generator = np.random.default_rng(seed)
    ends = generator.uniform(500, 5000, (2, 6))
    row, col = np.mgrid[:side, :side] / side
    share = 0.5 + 0.5 * np.sin(4 * row + seed) * np.cos(5 * col)
    pixels = share[..., None] * ends[0] + (1 - share[..., None]) * ends[1]
    return MemoryScene(str(seed), np.int16(pixels), np.ones((side, side), bool))


@pytest.fixture
def sampler():
    torch.set_num_threads(1)
    return CropSampler([smooth_scene()], NANO.tile)


def make_student(seed=0) -> Student:
    torch.manual_seed(seed)
    mean, std = band_statistics([smooth_scene()])
    return Student(NANO, mean.tolist(), std.tolist())


SHORT = make_settings(steps=6, batch=4, chunk=2, report_every=3)


def test_training_predicts_hidden_patches_far_better_than_their_mean(sampler):
    """The mean of the training data has the loss 1 by the definition of normalisation."""
    settings = make_settings(steps=150, batch=8, chunk=8, learning_rate=5e-3, report_every=50)
    history = train(make_student(), sampler, settings, Recorder(), PLAIN, None)
    assert history[-1]["loss"] < 0.15
    assert history[-1]["step"] == 150


def test_the_same_seed_gives_the_same_student_to_the_last_bit(sampler):
    students = [make_student() for _ in range(3)]
    seeds = (1, 1, 2)
    for student, seed in zip(students, seeds):
        train(student, sampler, dataclasses.replace(SHORT, seed=seed), Recorder(), PLAIN, None)
    first, same, other = (student.state_dict() for student in students)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["stem.weight"], other["stem.weight"])


def test_every_parameter_is_trained(sampler):
    student = make_student()
    before = {name: value.clone() for name, value in student.named_parameters()}
    train(student, sampler, SHORT, Recorder(), PLAIN, None)
    unchanged = [name for name, value in student.named_parameters() if value.equal(before[name])]
    assert unchanged == []


def test_gradients_of_chunks_add_up_to_that_of_the_batch(sampler):
    masked = draw(sampler, np.random.default_rng(0), 4, 0.75, make_student(), torch.device("cpu"))
    whole, parts = make_student(), make_student()
    reconstruction_loss(whole, masked).backward()
    for first in (0, 2):
        pick = slice(first, first + 2)
        chunk = dataclasses.replace(
            masked,
            patches=masked.patches[pick],
            valid=masked.valid[pick],
            order=masked.order[pick],
        )
        (reconstruction_loss(parts, chunk) / 2).backward()
    for a, b in zip(whole.parameters(), parts.parameters()):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5)


def test_progress_and_metrics_are_reported(sampler):
    recorder = Recorder()
    steps = []
    history = train(make_student(), sampler, SHORT, recorder, PLAIN, None, after_step=steps.append)
    assert recorder.done == [(n, 6, "step") for n in range(1, 7)]
    assert [step for step, _ in recorder.metrics] == [3, 6]
    names = {"loss", "loss_mse", "learning_rate", "samples_per_s", "seconds_left"}
    assert set(recorder.metrics[0][1]) == names
    assert recorder.metrics[1][1]["seconds_left"] == 0
    assert [entry["step"] for entry in history] == [3, 6]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_cancelled_training_stops_at_the_next_step(sampler):
    recorder = Recorder(cancel_at=2)
    with pytest.raises(HyperKDError, match="cancelled") as caught:
        train(make_student(), sampler, SHORT, recorder, PLAIN, None)
    assert caught.value.code == "cancelled"
    assert len(recorder.done) == 2


def test_a_loss_that_is_no_number_ends_training_with_advice(sampler):
    student = make_student()
    with torch.no_grad():
        student.bridge.bias[0] = math.nan
    with pytest.raises(HyperKDError, match="The loss became nan in step 1") as caught:
        train(student, sampler, SHORT, Recorder(), PLAIN, None)
    assert caught.value.code == "bad_training"
    assert caught.value.hint == "Train with a learning rate below 0.001."


def test_the_learning_rate_rises_then_falls_as_a_cosine():
    expected = {0: 0.2, 9: 2.0, 10: 2.0, 60: 1.0, 109: 1 + math.cos(math.pi * 0.99)}
    for step, rate in expected.items():
        assert learning_rate(step, 110, 2.0, 10 / 110) == pytest.approx(rate)


def test_only_matrices_decay():
    student = make_student()
    decayed, free = make_optimiser(student.parameters(), 1e-3, 0.05).param_groups
    names = {id(value): name for name, value in student.named_parameters()}
    assert decayed["weight_decay"] == 0.05 and free["weight_decay"] == 0
    assert all(names[id(p)].endswith("weight") for p in decayed["params"])
    assert "mask_token" in {names[id(p)] for p in free["params"]}
    assert len(decayed["params"]) + len(free["params"]) == len(names)


def test_bfloat16_gives_nearly_the_same_loss(sampler):
    first = dataclasses.replace(SHORT, steps=1)
    losses = [
        train(
            make_student(),
            sampler,
            dataclasses.replace(first, bfloat16=flag),
            Recorder(),
            PLAIN,
            None,
        )
        for flag in (False, True)
    ]
    whole, half = (history[0]["loss"] for history in losses)
    assert half == pytest.approx(whole, rel=0.02)
    assert half != whole


def test_the_truth_of_hidden_patches_is_what_the_scene_holds():
    pixels = np.arange(4 * 4 * 6, dtype=np.int16).reshape(1, 4, 4, 6)
    valid = np.ones((1, 4, 4), bool)
    valid[0, 0, 0] = False
    order = np.array([[3, 0, 1, 2]])
    masked = Masked.make(pixels, valid, order, 1, 2, torch.device("cpu"))
    hidden, mask = masked.hidden()
    expected = torch.from_numpy(pixels[0, :2, :2].astype(np.float32)) * 1e-4
    torch.testing.assert_close(hidden[0, 0], expected)
    assert mask[0, 0, :, :, 0].tolist() == [[0, 1], [1, 1]]
    assert masked.grid == (2, 2)
