"""A training that is interrupted goes on to the same numbers, and says why it cannot."""

from __future__ import annotations

import dataclasses
import errno
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.raster.memory import MemoryRaster  # noqa: E402
from hyperkd.raster.open_raster import open_raster  # noqa: E402
from hyperkd.spectral.sensors import canonical_bands  # noqa: E402
from hyperkd.training.common.crops import CropSampler, band_statistics, read_scene  # noqa: E402
from hyperkd.training.common.resume_state import StateFile, identity, read_state  # noqa: E402
from hyperkd.training.pretrain.student_validation import Validation  # noqa: E402
from hyperkd.training.pretrain.train_loop import train  # noqa: E402
from hyperkd.training.pretrain.validation_scenes import hold_out  # noqa: E402
from tests.engine.training_factories import (  # noqa: E402
    BANDS,
    NANO,
    PLAIN,
    CancelAfter,
    canonical_scene,
    make_distillation,
    make_losses,
    make_masking,
    make_recipe,
    make_settings,
    make_student,
    make_teacher,
    smooth_scene,
)
from tests.reports import SilentReport  # noqa: E402

RECIPE = make_recipe(distillation=make_distillation())
SETTINGS = make_settings(
    steps=12, batch=4, chunk=2, report_every=4, validate_every=4, save_every=4, average=0.9
)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def run(path: Path, settings=SETTINGS, recipe=RECIPE, *, resume=False, stop_after=None, lr=None):
    """Train, interrupted after ``stop_after`` steps where that is given; return the student."""
    scenes = [smooth_scene(seed=seed) for seed in range(3)]
    held_out = hold_out(scenes, 0.34, NANO.tile, 0)
    student = make_student()
    sampler = CropSampler(held_out.training, NANO.tile)
    validation = Validation(held_out.validation, student, NANO.tile, 4, 0.75, 0)
    report = CancelAfter(stop_after)
    torch.manual_seed(5)
    history = train(
        student, sampler, settings, report, recipe, make_teacher(), bands=BANDS,
        validate=validation,
        keeper=StateFile(path, identity(settings, recipe, {"scenes": 2}), resume=resume),
    )  # fmt: skip
    return student, history


def same(first, second) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def without_time(history):
    timed = ("samples_per_s", "seconds_left")
    return [{k: v for k, v in row.items() if k not in timed} for row in history]


@pytest.mark.parametrize("stop_after", [1, 4, 7])
def test_an_interrupted_training_goes_on_to_the_last_bit(tmp_path, stop_after):
    whole, history = run(tmp_path / "whole.safetensors")
    path = tmp_path / "state.safetensors"
    with pytest.raises(HyperKDError) as caught:
        run(path, stop_after=stop_after)
    assert caught.value.code == "cancelled" and caught.value.message == "The test wants no more."
    hint = f"Start it again with the option resume to continue after step {stop_after}."
    assert caught.value.hint == hint and read_state(path)["step"] == stop_after
    resumed, again = run(path, resume=True)
    assert same(whole, resumed)
    reported = [row for row in without_time(again) if "validation_loss" in row]
    assert reported == [row for row in without_time(history) if "validation_loss" in row]


def test_a_training_that_is_cancelled_at_its_start_speaks_of_no_resume(tmp_path):
    with pytest.raises(HyperKDError) as caught:
        run(tmp_path / "s.safetensors", stop_after=0)
    assert caught.value.code == "cancelled" and "resume" not in caught.value.hint


def test_a_killed_training_goes_on_from_the_last_saved_state(tmp_path):
    """Nothing is written at the moment of a kill: the state is that of step 4."""
    path = tmp_path / "state.safetensors"

    class Killed(BaseException):
        pass

    class Kill(SilentReport):
        def progress(self, done, total, unit):
            if done == 7:
                raise Killed

    scenes = [smooth_scene(seed=seed) for seed in range(3)]
    held_out = hold_out(scenes, 0.34, NANO.tile, 0)
    student = make_student()
    torch.manual_seed(5)
    with pytest.raises(Killed):
        train(
            student, CropSampler(held_out.training, NANO.tile), SETTINGS, Kill(), RECIPE,
            make_teacher(), bands=BANDS,
            validate=Validation(held_out.validation, student, NANO.tile, 4, 0.75, 0),
            keeper=StateFile(path, identity(SETTINGS, RECIPE, {"scenes": 2}), resume=False),
        )  # fmt: skip
    assert read_state(path)["step"] == 4
    whole, _ = run(tmp_path / "whole.safetensors")
    assert same(run(path, resume=True)[0], whole)


def test_a_finished_training_that_is_resumed_stays_as_it_is(tmp_path):
    first, _ = run(tmp_path / "s.safetensors")
    again, _ = run(tmp_path / "s.safetensors", resume=True)
    assert same(first, again)


def test_other_settings_are_refused_by_name(tmp_path):
    path = tmp_path / "s.safetensors"
    run(path)
    changed = dataclasses.replace(SETTINGS, learning_rate=5e-4, batch=8)
    with pytest.raises(HyperKDError, match="started with other settings") as caught:
        run(path, changed, resume=True)
    assert caught.value.code == "bad_job"
    assert "settings.learning_rate was 0.001, is 0.0005" in caught.value.message
    assert "settings.batch was 4, is 8" in caught.value.message
    recipe = dataclasses.replace(RECIPE, masking=make_masking(score="gabor"))
    with pytest.raises(HyperKDError, match=r'recipe.masking.score was "haar", is "gabor"'):
        run(path, recipe=recipe, resume=True)
    with pytest.raises(HyperKDError, match="recipe.distillation was .*, is null"):
        run(path, recipe=dataclasses.replace(RECIPE, distillation=None), resume=True)


def test_how_often_is_reported_may_change(tmp_path):
    path = tmp_path / "s.safetensors"
    with pytest.raises(HyperKDError):
        run(path, stop_after=6)
    run(path, dataclasses.replace(SETTINGS, report_every=1, save_every=0, ahead=True), resume=True)


def test_reading_ahead_changes_no_number(tmp_path):
    plain, _ = run(tmp_path / "a.safetensors")
    ahead, _ = run(tmp_path / "b.safetensors", dataclasses.replace(SETTINGS, ahead=True))
    assert same(plain, ahead)


def test_nothing_to_go_on_from_is_refused(tmp_path):
    with pytest.raises(HyperKDError, match="nothing to resume") as caught:
        run(tmp_path / "no.safetensors", resume=True)
    assert caught.value.code == "bad_job"


@pytest.mark.parametrize("content", [b"", b"no state at all", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_state_is_refused(tmp_path, content):
    path = tmp_path / "s.safetensors"
    path.write_bytes(content)
    with pytest.raises(HyperKDError, match="is not a saved state of a training") as caught:
        run(path, resume=True)
    assert caught.value.code == "bad_model"


def test_a_full_disk_keeps_the_state_before(tmp_path, monkeypatch):
    path = tmp_path / "s.safetensors"
    with pytest.raises(HyperKDError):
        run(path, stop_after=5)
    before = path.read_bytes()
    write = Path.write_bytes

    def full(self, content):
        write(self, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(HyperKDError, match="no space left for the state of step 8") as caught:
        run(path, resume=True)
    monkeypatch.undo()
    assert caught.value.code == "out_of_disk" and "continue (resume)" in caught.value.hint
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(HyperKDError, match="for the state of step 4") as caught:
            run(tmp_path / "first.safetensors")
    assert "no state was kept yet" in caught.value.hint
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["s.safetensors"]
    assert same(run(path, resume=True)[0], run(tmp_path / "whole.safetensors")[0])


def test_a_loss_that_is_no_number_keeps_the_last_good_state(tmp_path):
    """It stops before the weights are touched, and names the step and the tiles."""
    path = tmp_path / "s.safetensors"
    student = make_student()
    scenes = [smooth_scene()]
    settings = make_settings(steps=10, batch=4, chunk=2, save_every=2)

    def poison(step):
        if step == 5:
            with torch.no_grad():
                student.bridge.bias[0] = math.nan

    with pytest.raises(HyperKDError) as caught:
        train(
            student, CropSampler(scenes, NANO.tile), settings, SilentReport(), PLAIN, None,
            keeper=StateFile(path, {}, resume=False), after_step=poison,
        )  # fmt: skip
    assert caught.value.code == "bad_training"
    assert caught.value.message.startswith("The loss became nan in step 6; its batch: scene 0 at")
    assert caught.value.message.endswith("and 1 more.")
    assert caught.value.hint == "Train with a learning rate below 0.001."
    assert read_state(path)["step"] == 4
    stored = read_state(path)
    assert stored["history"] == []


# --- ending early, averaged weights ------------------------------------------------------


class Script:
    """Gives validation losses from a list."""

    def __init__(self, losses):
        self.losses, self.seen = list(losses), []

    def __call__(self, student, step):
        self.seen.append({name: v.clone() for name, v in student.state_dict().items()})
        return {"validation_loss": self.losses.pop(0)}


def test_training_ends_when_it_no_longer_helps_and_gives_the_best():
    student = make_student()
    script = Script([5.0, 3.0, 4.0, 3.5, 1.0])
    settings = make_settings(steps=20, batch=2, chunk=2, validate_every=2, patience=2)
    history = train(
        student, CropSampler([smooth_scene()], NANO.tile), settings, SilentReport(), PLAIN, None,
        validate=script,
    )  # fmt: skip
    assert len(script.seen) == 4
    assert [row["step"] for row in history if "validation_loss" in row] == [2, 4, 6, 8]
    best = script.seen[1]
    assert all(torch.equal(value, best[name]) for name, value in student.state_dict().items())


def test_patience_survives_an_interruption(tmp_path):
    path = tmp_path / "s.safetensors"
    settings = make_settings(steps=20, batch=2, chunk=2, validate_every=2, patience=2, save_every=2)
    results = []
    for cut in (None, 6):
        script = Script([5.0, 3.0, 4.0, 3.5, 1.0])
        for stop in (cut, None) if cut else (None,):
            student = make_student()
            keeper = StateFile(path, {}, resume=bool(cut) and stop is None)
            try:
                train(
                    student, CropSampler([smooth_scene()], NANO.tile), settings,
                    CancelAfter(stop), PLAIN, None, validate=script, keeper=keeper,
                )  # fmt: skip
            except HyperKDError as error:
                assert error.code == "cancelled"
        results.append(student)
    assert same(*results)


def test_a_training_that_is_asked_to_end_validates_and_keeps_its_weights():
    class Stop(SilentReport):
        asked = 0

        def stop_requested(self):
            self.asked += 1
            return self.asked == 3

    report, student, script = Stop(), make_student(), Script([1.0])
    history = train(
        student, CropSampler([smooth_scene()], NANO.tile), make_settings(steps=9, batch=2, chunk=2),
        report, PLAIN, None, validate=script,
    )  # fmt: skip
    assert history[-1]["step"] == 3 and history[-1]["validation_loss"] == 1.0
    said = "Training ends after step 3: it was stopped, or its hours are over."
    assert ("info", said) in report.logs
    assert all(
        torch.equal(value, script.seen[0][name]) for name, value in student.state_dict().items()
    )


def test_a_training_whose_hours_are_over_gives_its_best_student(monkeypatch):
    """The schedule is cut short, so its end means nothing: the best validation counts."""
    student, script = make_student(), Script([3.0, 1.0, 2.0])
    now = iter(range(0, 10**6, 600))
    monkeypatch.setattr(
        "hyperkd.training.pretrain.train_loop.time.perf_counter", lambda: float(next(now))
    )
    settings = make_settings(steps=90, batch=2, chunk=2, validate_every=1, hours=1.0)
    history = train(
        student, CropSampler([smooth_scene()], NANO.tile), settings, SilentReport(), PLAIN, None,
        validate=script,
    )  # fmt: skip
    assert [row["validation_loss"] for row in history] == [3.0, 1.0, 2.0]
    best = script.seen[1]
    assert all(torch.equal(value, best[name]) for name, value in student.state_dict().items())


def test_a_whole_schedule_gives_its_last_weights():
    student, script = make_student(), Script([1.0, 2.0])
    train(
        student, CropSampler([smooth_scene()], NANO.tile),
        make_settings(steps=2, batch=2, chunk=2, validate_every=1), SilentReport(), PLAIN, None,
        validate=script,
    )  # fmt: skip
    last = script.seen[1]
    assert all(torch.equal(value, last[name]) for name, value in student.state_dict().items())


def test_averaged_weights_are_the_result():
    """Their recursion, by hand over three steps."""
    student = make_student()
    start = student.stem.weight.detach().clone()
    seen = []
    settings = make_settings(steps=3, batch=2, chunk=2, average=0.8)
    train(
        student, CropSampler([smooth_scene()], NANO.tile), settings, SilentReport(), PLAIN, None,
        after_step=lambda step: seen.append(student.stem.weight.detach().clone()),
    )  # fmt: skip
    average = start
    for each in seen:
        average = 0.8 * average + 0.2 * each
    torch.testing.assert_close(student.stem.weight.detach(), average, rtol=1e-5, atol=1e-7)
    assert not torch.equal(average, seen[-1])


# --- on real tiles and simulated scenes --------------------------------------------------


MICRO = dataclasses.replace(
    NANO, bands=218, patch=4, stem=12, dim=32, depth=2, rank=12, decoder_dim=32, tile=32
)


def tiles_and_scenes(potsdam):
    """All tiles of Potsdam, and two simulated scenes."""
    pytest.importorskip("prosail")
    from hyperkd.synth.scene import SimulatedScene

    scenes = []
    for path in potsdam.images:
        with open_raster(str(path)) as source:
            scenes.append(read_scene(source, canonical_bands(), path.stem))
    for seed in (1, 2):
        simulated = SimulatedScene(64, 64, seed, border=0.0)
        layers = simulated.render(simulated.grid.window)
        source = MemoryRaster(layers.scene, simulated.bands, simulated.grid)
        scenes.append(read_scene(source, canonical_bands(), f"simulated {seed}"))
    return scenes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
def test_200_steps_on_tiles_of_enmap_and_simulated_scenes(one_potsdam, tmp_path):
    """The validation loss falls all the way: that of real pixels in every step of smoothing.

    Killed at step 100, by a signal that no process can answer, and resumed it gives the
    same student to the last bit; so each step has been repeated exactly too.
    """
    scenes = tiles_and_scenes(one_potsdam)
    assert len(scenes) == 15
    held_out = hold_out(scenes, 0.2, MICRO.tile, 0)
    mean, std = band_statistics(held_out.training)
    settings = make_settings(
        steps=200, batch=4, chunk=4, learning_rate=1e-3, report_every=200, validate_every=10,
        save_every=50,
    )  # fmt: skip
    teacher = make_teacher(patch=4)

    def one(path, report=None, resume=False):
        from hyperkd.models.nets.student import Student

        torch.manual_seed(0)
        student = Student(MICRO, mean.tolist(), std.tolist())
        validation = Validation(held_out.validation, student, MICRO.tile, 8, 0.75, 0)
        history = train(
            student, CropSampler(held_out.training, MICRO.tile), settings,
            report or SilentReport(), RECIPE, teacher, validate=validation,
            keeper=StateFile(path, identity(settings, RECIPE, {}), resume=resume),
        )  # fmt: skip
        return student, [row["validation_loss"] for row in history if "validation_loss" in row]

    whole, losses = one(tmp_path / "a.safetensors")
    smooth = np.convolve(losses, np.ones(5) / 5, "valid")
    assert len(losses) == 20
    assert (np.diff(smooth[::5]) < 0).all(), smooth
    assert losses[-1] < 0.95 * losses[0]
    if one_potsdam.real:
        assert (np.diff(smooth) < 0).all(), smooth
        assert losses[-1] < 0.85 * losses[0]

    class Kill(SilentReport):
        def progress(self, done, total, unit):
            if done == 101:
                os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        one(tmp_path / "b.safetensors", Kill())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert read_state(tmp_path / "b.safetensors")["step"] == 100
    resumed, again = one(tmp_path / "b.safetensors", resume=True)
    assert same(whole, resumed) and again == losses


def test_plain_and_guided_recipes_learn_on_the_canonical_grid():
    """The mean spectrum has the error 1 by the definition of normalisation."""
    scene = canonical_scene(64)
    mean, std = band_statistics([scene])
    from hyperkd.models.nets.student import Student

    settings = make_settings(steps=40, batch=4, chunk=4, learning_rate=4e-3, report_every=10)
    for recipe in (
        PLAIN,
        make_recipe(
            masking=make_masking(score="gradient"), losses=make_losses(angle=0.1, slope=0.1)
        ),
    ):
        torch.manual_seed(0)
        student = Student(MICRO, mean.tolist(), std.tolist())
        history = train(
            student, CropSampler([scene], MICRO.tile), settings, SilentReport(), recipe, None
        )
        assert history[-1]["loss_mse"] < 0.9 * history[0]["loss_mse"]
