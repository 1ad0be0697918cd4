"""The job ``distill``: what it writes, how it is interrupted, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hyperkd.errors import HyperKDError  # noqa: E402
from hyperkd.models.bundle import open_bundle, read_checkpoint_card  # noqa: E402
from hyperkd.models.nets.prithvi import Prithvi  # noqa: E402
from hyperkd.models.prithvi_versions import VERSIONS  # noqa: E402
from hyperkd.models.sizes import PRESETS  # noqa: E402
from hyperkd.models.store.model_store import Store  # noqa: E402
from hyperkd.requests.distill_options import DistillJob  # noqa: E402
from hyperkd.training import export  # noqa: E402
from hyperkd.training.common.checkpoint import load_student  # noqa: E402
from hyperkd.training.common.parallel import Group  # noqa: E402
from hyperkd.training.common.resume_state import read_state  # noqa: E402
from hyperkd.training.pretrain import distill as module  # noqa: E402
from hyperkd.training.pretrain.distill import distill  # noqa: E402
from hyperkd.training.pretrain.distill_settings import PLANS, Outputs, recipe_of, settings_of  # noqa: E402
from hyperkd.training.pretrain.mask_guide import SCORES  # noqa: E402
from hyperkd.training.teacher.feature_cache import FeatureCache  # noqa: E402
from hyperkd.training.teacher.find_teacher import find_teacher  # noqa: E402
from hyperkd.training.teacher.prithvi_features import FRAMES  # noqa: E402
from hyperkd.training.teacher.standin import (  # noqa: E402
    StandIn,
    load_stand_in,
    random_teacher,
    read_manifest,
    save_stand_in,
)
from tests.engine import known_graph  # noqa: E402
from tests.engine.distill_child import MICRO, quick_export  # noqa: E402
from tests.engine.test_training_scenes import CENTRE, make_scene  # noqa: E402
from tests.engine.training_factories import CancelAfter, nano_version  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("scenes")
    return tuple(make_scene(folder / f"{n}.tif", seed=n) for n in range(3))


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    version = nano_version()
    torch.manual_seed(0)
    what = StandIn("stand-in-nano", version.config, version.mean, version.std, "CC0-1.0")
    save_stand_in(path, Prithvi(version.config), what)
    return str(path)


@pytest.fixture(autouse=True)
def micro(monkeypatch):
    """The smallest student that has all parts."""
    torch.set_num_threads(1)
    monkeypatch.setattr(module, "sizes_of", lambda preset, patch: MICRO)
    plan = dataclasses.replace(PLANS["tiny"], steps=6, batch=4, chunk=2, validation=4)
    monkeypatch.setitem(PLANS, "tiny", plan)
    monkeypatch.setattr(module, "export_model", quick_export)


class Report(CancelAfter):
    """Keeps metrics too."""

    def __init__(self, steps=None):
        super().__init__(steps)
        self.metrics = []

    def metric(self, step, values):
        self.metrics.append((step, dict(values)))


def run(scenes, output, report=None, **fields):
    return distill(
        DistillJob(input=tuple(scenes), output=str(output), initial="random", **fields),
        report or Report(),
    )


# --- what is written ---------------------------------------------------------------------


def test_scenes_become_a_checkpoint_a_model_and_a_report(scenes, stand_in, tmp_path):
    report = Report()
    summary = run(scenes, tmp_path / "s.safetensors", report, teacher=stand_in, licence="CC-BY-4.0")
    names = {"s.safetensors", "s.onnx", "s.html", "s.previews"}
    assert {path.name for path in tmp_path.iterdir()} == names
    artifacts = dict(report.artifacts)
    assert artifacts["output"] == summary["output"] == str(tmp_path / "s.safetensors")
    assert artifacts["model"] == str(tmp_path / "s.onnx")
    assert artifacts["report"] == str(tmp_path / "s.html")
    assert report.stages == [
        "Reading the teacher",
        "Reading the scenes",
        "Training",
        "Exporting to ONNX",
    ]

    student, card = load_student(tmp_path / "s.safetensors")
    assert (card.name, card.task, card.licence) == ("s", "pretrain", "CC-BY-4.0")
    assert card.teacher["name"] == "stand-in-nano"
    assert card.teacher["kind"] == "stand-in teacher"
    assert card.teacher["licence"] == "CC0-1.0"
    assert card.parents == (card.teacher["sha256"],)
    assert card.training["finished_steps"] == 6
    assert card.training["recipe"]["distillation"]["layers"] == [0.75]
    assert card.metrics["held_out"] == "whole scenes"
    assert set(summary["validation"]) == {"validation_loss", "psnr_db", "ssim", "sam_deg"}
    # No path of this machine, and no projector of the training, is in what is given away.
    assert str(tmp_path) not in card.to_json() and scenes[0] not in card.to_json()
    assert not any("project" in name for name in student.state_dict() if "blocks" not in name)

    page = (tmp_path / "s.html").read_text(encoding="utf-8")
    for text in ("stand-in-nano", "CC0-1.0", "not Prithvi", "spectral angle", "0.tif", "<svg"):
        assert text in page, text
    assert "data:image/png;base64," in page and "http" not in page.replace(
        "http://www.w3.org/2000/svg", ""
    )
    pictures = sorted((tmp_path / "s.previews").iterdir())
    assert 1 < len(pictures) <= 6 and pictures[0].read_bytes().startswith(b"\x89PNG")
    assert ("preview", str(pictures[0])) in report.artifacts


def test_the_projectors_are_in_the_state_and_not_in_what_is_given(
    scenes, stand_in, tmp_path, monkeypatch, known_graphs
):
    """Of two layers. The graph is a real one here; the teacher is 32 wide, no student is."""
    import onnx
    from safetensors import safe_open

    def shapes(name):
        with safe_open(tmp_path / name, "np") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}

    fields = {"teacher": stand_in, "teacher_depth": (0.5, 0.75)}
    with pytest.raises(HyperKDError):
        run(scenes, tmp_path / "s", Report(2), **fields)
    state = shapes("s.training.safetensors")
    for layer in "01":
        weight = f"objective.distiller.projectors.{layer}.weight"
        assert state[weight] == (32, MICRO.dim)
        moved = [key for key in state if key.startswith("optimiser.") and state[key] == (32, 16)]
        assert len(moved) == 4  # both moments of both
    monkeypatch.setattr(module, "export_model", export.export_model)
    known_graph.keep_in(known_graphs)
    monkeypatch.setattr(export, "_to_onnx", known_graph.to_onnx)
    run(scenes, tmp_path / "s", resume=True, **fields)

    given = shapes("s.safetensors")
    assert set(given) == {key[8:] for key in state if key.startswith("student.")}
    assert not any(32 in shape for shape in given.values())
    graph = onnx.load(tmp_path / "s.onnx").graph
    held = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    assert held and not any(32 in shape for shape in held.values())
    for text in ("projector", "distill", "align"):
        assert not any(text in name for name in [*given, *held])
    bundle = open_bundle(tmp_path / "s.onnx")
    assert bundle.card.tile_px == 16 and bundle.card.self_test is not None
    assert bundle.card.to_json() == load_student(tmp_path / "s.safetensors")[1].to_json()


def test_metrics_tell_losses_figures_and_time(scenes, stand_in, tmp_path):
    report = Report()
    run(scenes, tmp_path / "s", report, teacher=stand_in)
    last = report.metrics[-1][1]
    assert set(last) == {
        "loss", "loss_mse", "loss_ssim", "loss_kl", "loss_features", "learning_rate",
        "samples_per_s", "seconds_left", "validation_loss", "psnr_db", "ssim", "sam_deg",
    }  # fmt: skip
    assert last["seconds_left"] == 0 and last["samples_per_s"] > 0
    assert 0 < last["sam_deg"] < 90 and -1 <= last["ssim"] <= 1


def test_without_a_teacher_it_is_a_plain_masked_autoencoder(scenes, tmp_path):
    report = Report()
    summary = run(scenes, tmp_path / "s", report, ssim=0.0, kl=0.0, guided_share=0.0)
    assert set(report.metrics[0][1]) >= {"loss", "loss_mse"}
    assert report.metrics[0][1]["loss"] == report.metrics[0][1]["loss_mse"]
    assert summary["teacher"] is None
    card = read_checkpoint_card(tmp_path / "s.safetensors")
    assert card.teacher is None and card.parents == ()
    assert "None: a plain hyperspectral" in (tmp_path / "s.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", ["", ".safetensors", ".onnx", ".html"])
def test_any_of_the_three_names_tells_all(suffix):
    outputs = Outputs.of(f"/x/student-1.5{suffix}", None)
    assert outputs.checkpoint == Path("/x/student-1.5.safetensors")
    assert outputs.model == Path("/x/student-1.5.onnx")
    assert outputs.page == Path("/x/student-1.5.html")
    assert outputs.state == Path("/x/student-1.5.training.safetensors")


def test_the_same_seed_gives_the_same_student(scenes, tmp_path):
    students = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(scenes, tmp_path / name, seed=seed)
        students.append(load_student(tmp_path / f"{name}.safetensors")[0].state_dict())
    first, same, other = students
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["stem.weight"], other["stem.weight"])


def test_components_are_a_better_start(scenes, tmp_path):
    first = {}
    for start in ("components", "random"):
        report = Report()
        distill(DistillJob(input=scenes, output=str(tmp_path / start), initial=start), report)
        assert ("Computing initial weights" in report.stages) is (start == "components")
        first[start] = report.metrics[0][1]["loss_mse"]
    assert first["components"] < first["random"]


def test_every_option_reaches_the_recipe():
    fields = {
        "mask_ratio": 0.6, "mask_score": "gabor", "guided_share": 0.3, "hints": 0.2,
        "norm_patches": True, "ssim": 0.01, "kl": 0.02, "angle": 0.03, "slope": 0.04,
        "features": 0.05, "feature_distance": "divergence", "projector": "none",
        "teacher_depth": (0.5, 1.0), "teacher_view": "full", "alignment": "nearest",
    }  # fmt: skip
    recipe = recipe_of(DistillJob(input=(), output="", teacher="teacher", **fields))
    masking, losses, distillation = recipe.masking, recipe.losses, recipe.distillation
    found = {
        "mask_ratio": masking.ratio, "mask_score": masking.score,
        "guided_share": masking.guided_share, "hints": masking.hints,
        "norm_patches": losses.norm_patches, "ssim": losses.ssim, "kl": losses.kl,
        "angle": losses.angle, "slope": losses.slope, "features": distillation.share,
        "feature_distance": distillation.distance, "projector": distillation.projector,
        "teacher_depth": distillation.layers, "teacher_view": distillation.view,
        "alignment": distillation.alignment,
    }  # fmt: skip
    assert found == fields


@pytest.mark.parametrize(
    ("valid", "fields", "steps"),
    [(16 * 256, {"epochs": 5}, 20), (100, {"epochs": 1}, 1), (16 * 256, {}, 6)],
)
def test_epochs_become_steps(valid, fields, steps):
    settings = settings_of(
        DistillJob(input=(), output="", **fields),
        valid,
        16,
        processes=2,
        on_gpu=False,
        in_memory=True,
    )
    assert settings.steps == steps
    assert settings.chunk == 2 and not settings.bfloat16 and not settings.ahead


def test_the_choices_of_the_job_are_those_of_the_trainer():
    known = {
        "preset": PRESETS,
        "mask_score": (*SCORES, "random"),
        "teacher_frames": FRAMES,
    }
    for name, names in known.items():
        choices = DistillJob.__dataclass_fields__[name].metadata["choices"]
        assert set(choices) == set(names), name
    assert set(PLANS) == set(PRESETS)


# --- interruption ------------------------------------------------------------------------


def test_an_interrupted_job_keeps_its_last_checkpoint_and_goes_on(scenes, stand_in, tmp_path):
    whole = tmp_path / "whole"
    run(scenes, whole, teacher=stand_in)
    cut = tmp_path / "cut"
    with pytest.raises(HyperKDError) as caught:
        run(scenes, cut, Report(3), teacher=stand_in)
    assert caught.value.code == "cancelled"
    names = {path.name for path in tmp_path.iterdir() if path.name.startswith("cut")}
    assert names == {"cut.safetensors", "cut.training.safetensors", "cut.previews"}
    card = load_student(tmp_path / "cut.safetensors")[1]
    assert card.training["finished_steps"] == 3
    run(scenes, cut, teacher=stand_in, resume=True)
    first, again = (load_student(tmp_path / f"{n}.safetensors")[0] for n in ("whole", "cut"))
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert not (tmp_path / "cut.training.safetensors").exists()


@pytest.mark.parametrize("end", ["hours", "asked"])
def test_a_job_that_ends_before_its_schedule_exports_and_can_go_on(scenes, tmp_path, end):
    """A resumed run has its own hours, or none; the student is that of one whole run."""

    class Stop(Report):
        def stop_requested(self):
            return end == "asked"

    whole, cut, report = tmp_path / "whole", tmp_path / "cut", Stop()
    run(scenes, whole)
    hours = {"hours": 1e-9} if end == "hours" else {}
    for step in (1, 2):
        summary = run(scenes, cut, report, resume=step > 1, **hours)
        assert summary["steps"] == step
        assert report.metrics[-1][1]["seconds_left"] <= 1 or end == "asked"
        card = load_student(tmp_path / "cut.safetensors")[1]
        assert card.training["finished_steps"] == step
        assert card.training["steps"] == 6
    assert (tmp_path / "cut.onnx").exists() and (tmp_path / "cut.html").exists()
    kept = "cut.training.safetensors stays: with resume it continues to step 6."
    assert ("info", kept) in report.logs and (tmp_path / "cut.training.safetensors").exists()
    assert run(scenes, cut, resume=True)["steps"] == 6
    first, again = (load_student(tmp_path / f"{n}.safetensors")[0] for n in ("whole", "cut"))
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in first.state_dict().items())
    assert not (tmp_path / "cut.training.safetensors").exists()


def test_a_job_that_no_longer_gets_better_gives_its_best(scenes, tmp_path, monkeypatch):
    """The figures are those of the student that is given, and nothing is left to go on with."""
    losses = iter([3.0, 1.0, 2.0, 4.0])

    class Scripted(module.Validation):
        def __call__(self, student, step):
            return {**super().__call__(student, step), "validation_loss": next(losses)}

    monkeypatch.setattr(module, "Validation", Scripted)
    report = Report()
    summary = run(scenes, tmp_path / "s", report, patience=2)
    assert summary["steps"] == 4 and not (tmp_path / "s.training.safetensors").exists()
    card = load_student(tmp_path / "s.safetensors")[1]
    assert card.metrics["step"] == 2 and summary["validation"]["validation_loss"] == 1.0
    assert summary["validation"]["psnr_db"] == round(dict(report.metrics)[2]["psnr_db"], 5)
    assert "the student is that of step 2" in (tmp_path / "s.html").read_text(encoding="utf-8")


def test_a_resume_with_other_scenes_or_another_teacher_is_refused(scenes, stand_in, tmp_path):
    with pytest.raises(HyperKDError):
        run(scenes, tmp_path / "s", Report(3), teacher=stand_in)
    before = (tmp_path / "s.training.safetensors").read_bytes()
    with pytest.raises(HyperKDError, match="data.scenes was 2, is 1") as caught:
        run(scenes[:2], tmp_path / "s", teacher=stand_in, resume=True)
    assert caught.value.code == "bad_job"
    with pytest.raises(HyperKDError, match="teacher was .*, is null"):
        run(scenes, tmp_path / "s", resume=True)
    with pytest.raises(HyperKDError, match="settings.seed was 0, is 5"):
        run(scenes, tmp_path / "s", teacher=stand_in, resume=True, seed=5)
    assert (tmp_path / "s.training.safetensors").read_bytes() == before


def test_a_resume_with_another_validation_is_refused(scenes, tmp_path):
    """Its figures would be told as if one scene had been held out all the time."""
    paths = [shutil.copy(path, tmp_path) for path in scenes]
    held_out = module.hold_out([Path(path) for path in paths], 0.2, 16, 0).validation[0]
    with pytest.raises(HyperKDError):
        run(paths, tmp_path / "s", Report(3))
    make_scene(held_out, seed=9)
    with pytest.raises(HyperKDError, match=r"data.held_out_statistics was .*, is ") as caught:
        run(paths, tmp_path / "s", resume=True)
    assert caught.value.code == "bad_job" and "data.statistics" not in caught.value.message
    other = make_scene(tmp_path / "other.tif", seed=9)
    paths[paths.index(str(held_out))] = other
    found = rf'data.held_out was \["{held_out.name}"\], is \["other.tif"\]'
    with pytest.raises(HyperKDError, match=found):
        run(paths, tmp_path / "s", resume=True)


def test_a_resume_with_other_epochs_names_the_option(scenes, tmp_path):
    with pytest.raises(HyperKDError):
        run(scenes, tmp_path / "s", Report(3), epochs=4)
    with pytest.raises(HyperKDError, match="other settings: epochs was 4, is 9; settings.steps"):
        run(scenes, tmp_path / "s", resume=True, epochs=9)


def test_training_anew_says_that_it_replaces_a_state(scenes, tmp_path):
    with pytest.raises(HyperKDError):
        run(scenes, tmp_path / "s", Report(3))
    report = Report()
    run(scenes, tmp_path / "s", report)
    assert any(
        "option resume would continue" in text for level, text in report.logs if level == "warning"
    )


class Cancelled(Report):
    """Is cancelled when the training begins."""

    def check_cancelled(self):
        if "Training" in self.stages:
            raise HyperKDError("cancelled", "The test wants no more.")


def test_a_cancelled_start_leaves_an_older_student_alone(scenes, tmp_path):
    old = tmp_path / "s.safetensors"
    old.write_bytes(b"the student of last week")
    with pytest.raises(HyperKDError):
        run(scenes, tmp_path / "s", Cancelled())
    assert old.read_bytes() == b"the student of last week"


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.glob("s.*")
        if path.is_file() and "training" not in path.name
    }


@pytest.mark.parametrize("old", ["all", "s.safetensors", "s.onnx"])
def test_an_earlier_student_is_replaced_at_the_end_alone(scenes, tmp_path, old):
    """Cancelled, gone on with, cancelled again: what was finished stays as it was till then."""
    run(scenes, tmp_path / "s")
    for path in tmp_path.glob("s.*"):
        if path.is_file() and old not in ("all", path.name):
            path.unlink()
    before = files_of(tmp_path)
    report = Report(2)
    for resume, last in ((False, report), (True, Report(4))):
        with pytest.raises(HyperKDError):
            run(scenes, tmp_path / "s", last, seed=1, resume=resume)
        assert files_of(tmp_path) == before
    names = "s.safetensors and s.onnx" if old == "all" else old
    told = (
        f"{names} of an earlier training will be replaced at the end; until then the student is "
        "kept in s.training.safetensors alone."
    )
    assert ("warning", told) in report.logs
    run(scenes, tmp_path / "s", seed=1, resume=True)
    run(scenes, tmp_path / "t", seed=1)
    first, again = (load_student(tmp_path / f"{n}.safetensors")[0] for n in "st")
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in first.state_dict().items())
    assert set(files_of(tmp_path)) == {"s.safetensors", "s.onnx", "s.html"}


def test_a_job_that_exported_and_goes_on_keeps_its_files_together(scenes, tmp_path):
    run(scenes, tmp_path / "s", hours=1e-9)
    before = files_of(tmp_path)
    with pytest.raises(HyperKDError):
        run(scenes, tmp_path / "s", Report(3), resume=True)
    assert files_of(tmp_path) == before and read_state(tmp_path / "s.training.safetensors")


def test_an_own_student_is_replaced_on_the_way(scenes, tmp_path):
    for step in (2, 4):
        with pytest.raises(HyperKDError):
            run(scenes, tmp_path / "s", Report(step), resume=step > 2)
        assert load_student(tmp_path / "s.safetensors")[1].training["finished_steps"] == step


# --- the teacher -------------------------------------------------------------------------


def test_features_are_kept_on_disk_and_used_again(scenes, stand_in, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    fields = {"teacher": stand_in, "teacher_view": "cached", "cache": str(cache)}
    run(scenes, tmp_path / "a", **fields)
    files = sorted(path for path in (cache / "features").rglob("*.npy"))
    assert 4 < len(files) <= 24
    put = []
    monkeypatch.setattr(FeatureCache, "put", lambda self, key, features: put.append(key))
    run(scenes, tmp_path / "b", **fields)
    assert put == []
    first, again = (load_student(tmp_path / f"{n}.safetensors")[0] for n in "ab")
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_kept_features_are_those_of_the_full_view(scenes, stand_in, tmp_path, monkeypatch):
    fields = {"teacher": stand_in, "cache": str(tmp_path / "cache")}
    run(scenes, tmp_path / "a", teacher_view="cached", **fields)
    monkeypatch.setattr(module._Distillation, "_use_feature_cache", lambda *given: None)
    run(scenes, tmp_path / "b", teacher_view="cached", **fields)  # the same tiles, not kept
    first, again = (load_student(tmp_path / f"{n}.safetensors")[0] for n in "ab")
    for name, value in first.state_dict().items():
        torch.testing.assert_close(value, again.state_dict()[name], rtol=1e-4, atol=1e-5)


def test_a_stand_in_teacher_comes_back_as_it_was_written(tmp_path):
    version = nano_version()
    torch.manual_seed(0)
    network = Prithvi(version.config)
    what = StandIn("n", version.config, (1.0,) * 6, (2.0,) * 6, "MIT", training={"steps": 3})
    save_stand_in(tmp_path / "t.safetensors", network, what)
    assert read_manifest(tmp_path / "t.safetensors") == what
    loaded = load_stand_in(tmp_path / "t.safetensors")
    assert loaded.kind == "stand-in teacher" and loaded.licence == "MIT"
    assert loaded.version.config == version.config and loaded.version.mean == (1.0,) * 6
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.network.state_dict()[name])
    assert find_teacher(str(tmp_path / "t.safetensors")).sha256 == loaded.sha256


def test_weights_that_were_not_published_are_called_unverified(tmp_path, monkeypatch):
    """The layout of a published file says nothing about what it holds."""
    import hyperkd.training.teacher.find_teacher as teachers

    for checksum, kind in (("ab" * 32, "published"), ("cd" * 32, "unverified")):
        loaded = random_teacher(nano_version().config, 0, VERSIONS["prithvi-eo-2.0-300m"])
        loaded = dataclasses.replace(
            loaded, version=VERSIONS["prithvi-eo-2.0-300m"], sha256=checksum, kind="published"
        )
        monkeypatch.setattr(teachers, "load_teacher", lambda path, found=loaded: found)
        known = dataclasses.replace(
            teachers.find_published("prithvi-eo-2.0-300m"), sha256="ab" * 32
        )
        monkeypatch.setattr(teachers, "find_published", lambda name, found=known: found)
        (tmp_path / "t.pt").write_bytes(b"")
        teacher = find_teacher(str(tmp_path / "t.pt"))
        assert (teacher.kind, teacher.licence) == (kind, "Apache-2.0")


def test_a_random_teacher_is_the_same_for_the_same_seed():
    version = nano_version()
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    first, again, other = (random_teacher(version.config, seed, version) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = [each.network.encoder.blocks[0].attn.qkv.weight for each in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert first.kind == "random teacher"


def _student_file(folder: Path, scenes) -> str:
    run(scenes, folder / "student")
    return str(folder / "student.safetensors")


def test_the_wrong_kind_of_teacher_is_refused(scenes, stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("HYPERKD_MODELS", str(tmp_path / "store"))
    student = _student_file(tmp_path, scenes)
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    cases = [
        (student, "student.safetensors is not a teacher: its header has no hyperkd.teacher"),
        (student.replace(".safetensors", ".onnx"), "student.onnx is a student"),
        (str(tmp_path / "text.pt"), "text.pt is not a PyTorch file"),
        (str(tmp_path / "text.safetensors"), "text.safetensors cannot be read as a teacher"),
        (str(tmp_path / "absent.pt"), "There is no teacher"),
        ("prithvi-eo-2.0-300m", "The teacher prithvi-eo-2.0-300m is not in the model store"),
        ("Prithvi_EO_V1_100M", "The teacher prithvi-eo-1.0-100m is not in the model store"),
    ]
    for teacher, message in cases:
        with pytest.raises(HyperKDError, match=message) as caught:
            run(scenes, tmp_path / "s", teacher=teacher)
        assert caught.value.code == "bad_model" and caught.value.hint
    assert Store(tmp_path / "store").find("x") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema=7), "another schema"),
        (lambda m: m.pop("config"), "'config'"),
        (lambda m: m.update(mean=[1, 2]), "2 values of mean"),
        (lambda m: m.update(std=[0] * 6), "std must be positive"),
        (lambda m: m["config"].update(wings=2), "wings"),
        (lambda m: m["config"].update(depth=5), "missing tensors: encoder.blocks.4"),
    ],
)
def test_a_damaged_stand_in_teacher_is_refused(stand_in, tmp_path, change, message):
    from safetensors.torch import load_file, save_file

    manifest = json.loads(read_manifest(stand_in).to_json())
    change(manifest)
    path = tmp_path / "bad.safetensors"
    save_file(load_file(stand_in), path, {"hyperkd.teacher": json.dumps(manifest)})
    with pytest.raises(HyperKDError, match=message) as caught:
        load_stand_in(path)
    assert caught.value.code == "bad_model"


# --- bad input ---------------------------------------------------------------------------


def test_no_scene_is_refused():
    from hyperkd.jobs.validate import parse_job

    document = {"protocol": 1, "job": "distill", "output": "s", "input": []}
    with pytest.raises(HyperKDError, match="'input' must hold at least one value") as caught:
        parse_job(document, ".")
    assert caught.value.code == "bad_job"


def test_scenes_that_cannot_be_used_end_the_job_before_it_writes(scenes, tmp_path):
    cloud = make_scene(tmp_path / "cloud.tif", missing=np.ones((40, 36), bool))
    small = make_scene(tmp_path / "small.tif", side=(12, 12))
    for path, code in ((cloud, "no_valid_pixels"), (small, "bad_job"), ("none.tif", None)):
        with pytest.raises(HyperKDError) as caught:
            run([path], tmp_path / "s")
        assert caught.value.code == (code or "unreadable_raster")
    assert {path.name for path in tmp_path.iterdir()} == {"cloud.tif", "small.tif"}
    # Among good ones they are named in the report.
    summary = run([*scenes, cloud, small], tmp_path / "s")
    assert (summary["scenes"], summary["left_out"]) == (3, 2)
    page = (tmp_path / "s.html").read_text(encoding="utf-8")
    assert "cloud.tif" in page and "no room for a crop of 16" in page


def test_scenes_of_different_sensors_train_together(scenes, stand_in, tmp_path):
    other = make_scene(tmp_path / "b.tif", wavelengths=np.arange(410.0, 2500.0, 6.0))
    short = make_scene(tmp_path / "c.tif", wavelengths=CENTRE[CENTRE < 2380])
    summary = run([scenes[0], other, short], tmp_path / "s", teacher=stand_in)
    assert summary["scenes"] == 3 and np.isfinite(summary["validation"]["validation_loss"])


def test_one_scene_is_cut_and_the_report_says_so(scenes, tmp_path):
    tall = make_scene(tmp_path / "tall.tif", side=(70, 20))
    summary = run([tall], tmp_path / "s")
    assert summary["held_out"] == "a block of the only scene"
    assert "On another scene it will perform worse" in (tmp_path / "s.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"tile": 20}, "bad_job", "Tiles of 20 px do not divide into blocks of two patches of 4"),
        ({"device": "cuda"}, "missing_dependency", "Torch finds no CUDA GPU"),
    ],
)
def test_what_cannot_be_is_refused(scenes, tmp_path, monkeypatch, fields, code, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(HyperKDError, match=message) as caught:
        run(scenes, tmp_path / "s", **fields)
    assert caught.value.code == code and caught.value.hint


def test_several_processes_cannot_fill_one_cache_of_features(scenes, stand_in, tmp_path):
    request = DistillJob(
        input=scenes, output=str(tmp_path / "s"), teacher=stand_in, teacher_view="cached"
    )
    with pytest.raises(HyperKDError, match="2 processes cannot fill one cache") as caught:
        module._Distillation(request, torch.device("cpu"), Group(1, 2), Report())
    assert caught.value.code == "bad_job"


def test_too_little_memory_of_a_gpu_is_worded(scenes, tmp_path, monkeypatch):
    def full(*given, **named):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")

    monkeypatch.setattr(module, "train", full)
    with pytest.raises(HyperKDError, match="too little memory: CUDA out of memory") as caught:
        run(scenes, tmp_path / "s")
    assert caught.value.code == "out_of_memory" and "(chunk)" in caught.value.hint


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(scenes, tmp_path, monkeypatch):
    from hyperkd.training.pretrain import train_loop

    computed = train_loop.weighted_sum
    calls = []

    def poisoned(parts, weights):
        calls.append(1)
        total = computed(parts, weights)
        return total * float("nan") if len(calls) > 6 else total

    monkeypatch.setattr(train_loop, "weighted_sum", poisoned)
    with pytest.raises(HyperKDError, match="The loss became nan in step 4; its batch: ") as caught:
        run(scenes, tmp_path / "s")
    assert caught.value.code == "bad_training" and ".tif at column" in caught.value.message
    card = load_student(tmp_path / "s.safetensors")[1]
    assert card.training["finished_steps"] == 3


# --- the command -------------------------------------------------------------------------


def _environment(hold):
    paths = os.pathsep.join((str(ROOT / "engine"), str(ROOT)))
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "HOLD": str(hold)}


def _signalled(command, hold, number):
    """Run a command until some steps are done; send it a signal."""
    hold.touch()
    # A shell's background job ignores interrupts, and so would the command.
    process = subprocess.Popen(
        command,
        env=_environment(hold),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and hold.read_text() != "held":
        time.sleep(0.01)
    process.send_signal(number)
    hold.unlink()
    return process.wait(timeout=200)


@pytest.mark.slow
def test_the_command_is_killed_then_cancelled_and_comes_to_its_end(one_potsdam, tmp_path):
    """On EnMAP tiles. A killed command leaves its last state, a cancelled one where it is."""
    images = one_potsdam.images[:3]
    output, state = tmp_path / "potsdam.safetensors", tmp_path / "potsdam.training.safetensors"
    hold = tmp_path / "hold"
    command = [
        sys.executable, str(Path(__file__).with_name("distill_child.py")), "distill",
        "--input", *map(str, images), "--output", str(output), "--initial", "random",
        "--events", "json",
    ]  # fmt: skip
    assert _signalled(command, hold, signal.SIGKILL) == -signal.SIGKILL
    killed_at = read_state(state)["step"]
    assert killed_at > 0
    command.append("--resume")
    assert _signalled(command, hold, signal.SIGINT) == 5
    reached = read_state(state)["step"]
    assert killed_at < reached < 40
    assert load_student(output)[1].training["finished_steps"] == reached

    answer = subprocess.run(
        command, env=_environment(hold), capture_output=True, text=True, timeout=240
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    assert events[0]["event"] == "hello" and events[-1]["event"] == "done"
    steps = [event["done"] for event in events if event.get("unit") == "step"]
    assert steps[0] == reached + 1 and steps[-1] == events[-1]["summary"]["steps"] == 40
    roles = {event["role"] for event in events if event["event"] == "artifact"}
    assert roles == {"preview", "output", "model", "report"}
    assert not state.exists() and not list(tmp_path.glob("*.part*"))
    assert load_student(output)[1].training["finished_steps"] == 40
