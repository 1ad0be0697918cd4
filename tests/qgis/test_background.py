"""Jobs that go on without a window: started, steered, found again."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "jobs"
    monkeypatch.setenv("HYPERKD_JOBS", str(folder))
    return folder


@pytest.fixture
def make_jobs(plugin, root):
    """Return a maker of what QGIS holds of the jobs; each is a QGIS of its own."""
    from qgis.PyQt import sip

    from hyperkd_qgis.runner.background import BackgroundJobs

    made = []

    def make():
        made.append(BackgroundJobs())
        return made[-1]

    yield make
    for jobs in made:
        sip.delete(jobs)


# An engine that gives a sign of life and does what it is told; ``body`` runs once a round.
_STEERED = """
control = arguments[arguments.index("--control") + 1]
hello()
say("metric", step=0, values=dict(loss=1.0))
for step in range(1, 600):
    open(os.path.join(control, "alive"), "w").close()
    try:
        wish = open(os.path.join(control, "wish")).read()
    except FileNotFoundError:
        wish = "run"
    if wish == "cancel":
        say("error", code="cancelled", message="Cancelled.", hint="", context={})
        sys.exit(5)
    if wish == "stop":
        say("done", summary=dict(stopped_early=True, steps=step))
        sys.exit(0)
    if wish != "pause":
        say("metric", step=step, values=dict(loss=1.0 / step))
    time.sleep(0.05)
"""


@pytest.fixture
def engine(fake_python):
    from hyperkd_qgis.runner.process import Engine

    return lambda body: Engine(fake_python(body), Path("/engine"))


def metrics(job) -> list[dict]:
    lines = (job.folder / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "metric"]


def test_a_job_is_paused_goes_on_and_ends_early(make_jobs, engine, wait):
    jobs, heard, ended = make_jobs(), [], []
    jobs.ended.connect(ended.append)
    job = jobs.start(engine(_STEERED), "finetune", {"input": ["a.tif"], "x": None}, "Trees")
    job.heard.connect(heard.append)
    written = json.loads((job.folder / "job.json").read_text())
    assert written == {"protocol": 1, "job": "finetune", "input": ["a.tif"]}
    assert job.title == "Trees"
    wait(lambda: len(heard) > 2)
    assert job.state == "running"
    job.wish("pause")
    assert job.state == "paused"
    time.sleep(0.2)
    count = len(metrics(job))
    time.sleep(0.4)
    assert len(metrics(job)) == count
    job.wish("run")
    wait(lambda: len(metrics(job)) > count)
    job.wish("stop")
    assert job.state == "stopping"
    wait(lambda: ended == [job])
    assert job.ending.summary["stopped_early"] is True
    assert job.state == "ended"
    assert not job.was_interrupted
    steps = [event["step"] for event in heard if event["event"] == "metric"]
    assert steps == sorted(steps)


def test_a_job_is_cancelled(make_jobs, engine, wait):
    from hyperkd_qgis.runner.protocol import Cancelled

    jobs = make_jobs()
    job = jobs.start(engine(_STEERED), "distill", {}, "Student")
    wait(lambda: job.transcript.hello is not None)
    job.wish("cancel")
    wait(lambda: job.is_over)
    assert isinstance(job.ending, Cancelled)


def test_another_qgis_finds_a_running_job_and_hears_all_of_it(make_jobs, engine, wait):
    first = make_jobs()
    job = first.start(engine(_STEERED), "finetune", {}, "Trees")
    wait(lambda: len(metrics(job)) > 5)
    other, heard = make_jobs(), []
    other.added.connect(lambda found: found.heard.connect(heard.append))
    (found,) = other.find()
    assert (found.title, found.kind, found.is_over) == ("Trees", "finetune", False)
    assert other.find() == []
    wait(lambda: len(heard) > 5)
    assert [event["event"] for event in heard[:2]] == ["hello", "metric"]
    assert heard[1]["step"] == 0
    found.wish("stop")
    wait(lambda: found.is_over and job.is_over)
    assert found.ending == job.ending


def test_a_killed_job_is_interrupted_and_can_go_on(make_jobs, engine, wait, root):
    import signal

    jobs, ended = make_jobs(), []
    jobs.ended.connect(ended.append)
    fields = {"output": "/data/model.onnx", "epochs": 3}
    job = jobs.start(engine(_STEERED), "finetune", fields, "Trees")
    wait(lambda: job.transcript.hello is not None)
    os.kill(json.loads((job.folder / "info.json").read_text())["pid"], signal.SIGKILL)
    wait(lambda: job.is_over, 5)
    assert job.was_interrupted
    assert ended == [job]
    later = make_jobs()
    (found,) = later.find()
    wait(lambda: found.is_over)
    assert found.was_interrupted
    again = later.start_again(found, engine(_STEERED), True)
    assert json.loads((again.folder / "job.json").read_text()) == {
        "protocol": 1,
        "job": "finetune",
        **fields,
        "resume": True,
    }
    assert [path.name for path in root.iterdir()] == [again.folder.name]
    again.wish("cancel")
    wait(lambda: again.is_over)


def test_temporary_files_go_along_with_a_job(make_jobs, engine, wait, tmp_path):
    """The labels of a training must outlive the QGIS that wrote them."""
    labels = tmp_path / "labels.gpkg"
    labels.write_text("labels")
    jobs = make_jobs()
    job = jobs.start(engine("hello()"), "finetune", {"x": 1}, "A", {"labels": [labels]})
    labels.unlink()
    given = json.loads((job.folder / "job.json").read_text())
    assert given["labels"] == ["labels.gpkg"]
    assert (job.folder / "labels.gpkg").read_text() == "labels"
    wait(lambda: job.is_over)
    again = jobs.start_again(job, engine("hello()"), False)
    assert (again.folder / "labels.gpkg").read_text() == "labels"
    assert "resume" not in json.loads((again.folder / "job.json").read_text())
    assert not (again.folder / "preview.tif").exists()
    wait(lambda: again.is_over)


def test_without_a_sign_of_life_a_job_is_over(make_jobs, engine, wait, monkeypatch):
    """Where the number of its process means nothing: another one may have it by now."""
    from hyperkd_qgis.runner import heartbeat

    jobs = make_jobs()
    job = jobs.start(engine(_STEERED), "finetune", {}, "Trees")
    wait(lambda: job.transcript.hello is not None)
    job.wish("cancel")
    wait(lambda: job.is_over)
    # as a crash of the machine would leave it
    lines = (job.folder / "events.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["event"] in ("hello", "metric")]
    (job.folder / "events.jsonl").write_text("\n".join(kept) + "\n")
    monkeypatch.setattr(heartbeat, "is_running", lambda pid, folder: None)
    (fresh,) = make_jobs().find()
    fresh.poll()
    assert not fresh.is_over
    os.utime(job.folder / "alive", (time.time() - 20, time.time() - 20))
    (stale,) = make_jobs().find()
    stale.poll()
    assert stale.is_over
    assert stale.was_interrupted


def test_a_machine_that_slept_interrupts_nothing(make_jobs, engine, wait):
    """Engine and QGIS stand still, and QGIS goes on first."""
    import signal

    jobs, ended = make_jobs(), []
    jobs.ended.connect(ended.append)
    job = jobs.start(engine(_STEERED), "finetune", {}, "Trees")
    wait(lambda: job.transcript.hello is not None)
    pid = json.loads((job.folder / "info.json").read_text())["pid"]
    os.kill(pid, signal.SIGSTOP)
    os.utime(job.folder / "alive", (time.time() - 3600, time.time() - 3600))
    jobs._poll()
    (found,) = make_jobs().find()
    found.poll()
    assert (job.state, found.state, ended) == ("running", "running", [])
    os.kill(pid, signal.SIGCONT)
    job.wish("stop")
    wait(lambda: ended == [job])
    assert job.ending.summary["stopped_early"] is True


def test_an_interrupted_job_that_lives_after_all_is_not_started_again(
    make_jobs, engine, wait, monkeypatch, root
):
    """Where the system does not tell whether its process is there."""
    import signal

    from hyperkd_qgis.runner import heartbeat

    monkeypatch.setattr(heartbeat, "is_running", lambda pid, folder: None)
    job = make_jobs().start(engine(_STEERED), "finetune", {}, "Trees")
    wait(lambda: job.transcript.hello is not None)
    pid = json.loads((job.folder / "info.json").read_text())["pid"]
    os.kill(pid, signal.SIGSTOP)
    os.utime(job.folder / "alive", (time.time() - 20, time.time() - 20))
    other, changes = make_jobs(), []
    (found,) = other.find()
    found.changed.connect(lambda: changes.append(found.state))
    wait(lambda: found.was_interrupted)
    os.kill(pid, signal.SIGCONT)
    wait(lambda: found.state == "running")
    assert changes == ["ended", "running"]
    for refused in (
        lambda: other.start_again(found, engine(_STEERED), True),
        lambda: other.forget(found),
    ):
        with pytest.raises(OSError, match="“Trees” still runs. Cancel it, or wait"):
            refused()
    assert [path.name for path in root.iterdir()] == [found.folder.name]
    found.wish("cancel")
    wait(lambda: found.is_over)
    other.forget(found)
    assert list(root.iterdir()) == []


def test_the_last_words_of_an_engine_are_read_before_it_is_judged(make_jobs, engine, wait):
    """A log of several pieces, of an engine that is gone."""
    from hyperkd_qgis.runner.protocol import Done

    first = make_jobs()
    body = 'hello()\nfor step in range(9000): say("metric", step=step, values=dict(loss=0.123))'
    job = first.start(engine(body + '\nsay("done", summary={})'), "finetune", {}, "Trees")
    wait(lambda: job.is_over)
    assert (job.folder / "events.jsonl").stat().st_size > 2 * 256 * 1024
    later, caught_up, ended = make_jobs(), [], []
    later.caught_up.connect(lambda each: caught_up.append(each.ending))
    later.ended.connect(ended.append)
    later.find()
    later._poll()
    assert caught_up == []
    later._poll()
    later._poll()
    assert caught_up == [Done({})]
    assert ended == []


def test_a_refusal_and_a_crash_are_told_apart(make_jobs, engine, wait):
    from hyperkd_qgis.runner.protocol import Crashed, Failed

    jobs = make_jobs()
    refusal = 'say("error", code="no_labels", message="No labels.", hint="Draw some.", context={})'
    refused = jobs.start(engine(f"hello()\n{refusal}\nsys.exit(3)"), "finetune", {}, "A")
    wait(lambda: refused.is_over)
    assert refused.ending == Failed("no_labels", "No labels.", "Draw some.")
    body = """
    hello()
    say("error", code="bug", message="RuntimeError", hint="", context={})
    raise RuntimeError("a bug of ours")
    """
    crashed = jobs.start(engine(body), "finetune", {}, "B")
    wait(lambda: crashed.is_over)
    assert isinstance(crashed.ending, Crashed)
    wait(lambda: "RuntimeError: a bug of ours" in crashed.errors())


def test_what_cannot_be_started_leaves_nothing(make_jobs, root, tmp_path):
    from hyperkd_qgis.runner.process import Engine

    with pytest.raises(OSError, match="could not be started"):
        make_jobs().start(Engine(tmp_path / "nothing", tmp_path), "finetune", {}, "A")
    assert list(root.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_named_with_what_to_do(make_jobs, engine, root):
    root.write_text("a file")
    with pytest.raises(OSError, match="cannot be used: Not a directory") as raised:
        make_jobs().start(engine("hello()"), "finetune", {}, "A")
    assert str(raised.value).startswith(f"The folder {root}, which keeps the trainings,")
    assert "HYPERKD_JOBS" in str(raised.value)
    assert make_jobs().find() == []


def test_folders_that_are_none_are_left_alone(make_jobs, root):
    (root / "odd").mkdir(parents=True)
    (root / "odd" / "job.json").write_text("{")
    (root / "half").mkdir()
    (root / "half" / "job.json").write_text('{"job": "finetune"}')
    assert make_jobs().find() == []


def test_the_interpreter_of_a_running_job_is_in_use(make_jobs, engine, wait, root):
    from hyperkd_qgis.runner.background import pythons_in_use

    assert pythons_in_use() == []
    jobs = make_jobs()
    job = jobs.start(engine(_STEERED), "finetune", {}, "A")
    assert pythons_in_use() == [job.python]
    job.wish("cancel")
    wait(lambda: job.is_over)
    jobs.forget(job)
    assert pythons_in_use() == []
    assert list(root.iterdir()) == []


def test_the_real_engine_runs_without_us_and_is_cancelled(make_jobs, real_engine, wait, tmp_path):
    from hyperkd_qgis.runner.process import Engine

    jobs, stages = make_jobs(), []
    folder = Path(__file__).resolve().parents[2] / "engine"
    fields = {"output": str(tmp_path / "scene.tif"), "width": 3000, "height": 3000}
    job = jobs.start(Engine(real_engine, folder), "synth", fields, "Scene")
    job.heard.connect(lambda event: stages.append(event["event"]))
    wait(lambda: "stage" in stages or job.is_over)
    assert not job.is_over, job.ending
    assert (job.folder / "alive").exists()
    job.wish("cancel")
    wait(lambda: job.is_over)
    assert not (tmp_path / "scene.tif").exists()
    from hyperkd_qgis.runner.protocol import Cancelled

    assert isinstance(job.ending, Cancelled)


# --- curves ------------------------------------------------------------------------------


@pytest.fixture
def curves(plugin):
    from hyperkd_qgis.ui.curves import Curves

    made = Curves()
    made.resize(400, 300)
    return made


def colours_of(widget) -> set[str]:
    """Return the colours that a widget draws with, its shades left out."""
    return colours_in(widget.grab())


def colours_in(picture) -> set[str]:
    image = picture.toImage()
    return {
        image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())
    }


def test_curves_keep_numbers_and_leave_out_the_rest(curves):
    curves.add(1, {"loss": 2.0, "validation_loss": float("nan"), "name": "x", "good": True})
    curves.add(2, {"loss": 1.5, "validation_loss": 1.0})
    assert curves.series["loss"].values == [2.0, 1.5]
    assert curves.series["validation_loss"].steps == [2.0]
    assert set(curves.series) == {"loss", "validation_loss"}
    assert curves.accessibleDescription() == "loss 1.5, validation_loss 1"
    curves.clear()
    assert curves.series == {}


def test_training_and_validation_share_a_colour(curves):
    from hyperkd_qgis.ui.curves import COLOURS

    for step in range(40):
        curves.add(step, {"loss": 1.0 / (step + 1), "validation_accuracy": step / 40})
    drawn = colours_of(curves)
    assert COLOURS[0] in drawn  # each panel begins with the first colour
    assert COLOURS[1] not in drawn
    curves.add(40, {"loss_mse": 0.5})
    assert COLOURS[1] in colours_of(curves)


def test_a_curve_lies_where_its_values_are(curves):
    """A loss that falls in a line from the upper left to the lower right of its panel."""
    from qgis.PyQt.QtGui import QColor

    from hyperkd_qgis.ui.curves import COLOURS

    for step in range(11):
        curves.add(step, {"loss": 10.0 - step})
    image = curves.grab().toImage()
    wanted = QColor(COLOURS[0]).rgb()
    points = [
        (x, y)
        for x in range(image.width())
        for y in range(40, image.height())
        if image.pixelColor(x, y).rgb() == wanted
    ]
    assert points[0][1] < points[-1][1]
    middle = [y for x, y in points if abs(x - (points[0][0] + points[-1][0]) / 2) < 3]
    assert middle
    assert sum(middle) / len(middle) == pytest.approx((points[0][1] + points[-1][1]) / 2, abs=4)


@pytest.fixture
def theme(qgis):
    """Return a chooser of QGIS's look, which is taken back at the end."""
    from qgis.core import QgsApplication

    palette = QgsApplication.palette()
    yield QgsApplication.setUITheme
    QgsApplication.setUITheme("default")
    QgsApplication.setPalette(palette)  # which QGIS leaves as it is


@pytest.mark.parametrize("look", ["default", "Night Mapping"])
@pytest.mark.parametrize("steps", [0, 20])
def test_what_is_written_can_be_read_in_the_light_and_in_the_dark(curves, theme, look, steps):
    """QGIS's style sheets colour labels, and leave a plain widget with a palette of no use."""
    from qgis.PyQt.QtGui import QColor
    from qgis.PyQt.QtWidgets import QDialog, QVBoxLayout

    theme(look)
    dialog = QDialog()
    QVBoxLayout(dialog).addWidget(curves)
    for step in range(steps):
        curves.add(step, {"loss": 1.0 / (step + 1)})
    dialog.resize(400, 300)
    dialog.show()
    colours = colours_in(dialog.grab(curves.geometry()))
    greys = [QColor(name).redF() for name in colours if len({name[1:3], name[3:5], name[5:]}) == 1]
    # As the guidelines for the web compare text with its ground: 4.5 is readable.
    light, dark = (value**2.2 + 0.05 for value in (max(greys), min(greys)))
    assert light / dark > 4.5


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (-3.0, 17.0, [0.0, 5.0, 10.0, 15.0]),
        (0.0013, 0.0018, [0.0014, 0.0016, 0.0018]),
    ],
)
def test_ticks_are_round_numbers_inside(plugin, low, high, expected):
    from hyperkd_qgis.ui.curves import ticks

    assert ticks(low, high) == pytest.approx(expected)


def test_the_smoothed_curve_of_a_constant_is_the_constant(plugin):
    from hyperkd_qgis.ui.curves import Series

    assert Series("loss", list(range(50)), [3.0] * 50).smooth() == pytest.approx([3.0] * 50)


def test_many_points_are_drawn_quickly_and_the_last_one_stays(curves):
    for step in range(50_000):
        curves.series.setdefault("loss", _series("loss")).add(step, 1.0 / (1 + step % 97))
    series = curves.series["loss"]
    assert len(series.values) == len(series.steps) <= 4000
    assert (series.steps[-1], series.values[-1]) == (49_999, 1.0 / (1 + 49_999 % 97))
    assert series.steps == sorted(series.steps)
    curves.grab()
    seconds = []
    for _ in range(3):
        started = time.thread_time()  # of this thread alone, whatever else the machine does
        curves.grab()
        seconds.append(time.thread_time() - started)
    assert min(seconds) < 0.1


def _series(name):
    from hyperkd_qgis.ui.curves import Series

    return Series(name)


# --- folders that a stranger made ---------------------------------------------------------------


@pytest.mark.parametrize(
    "job",
    ["[" * 100_000, '{"job": "distill"', "[]", "7", '{"no": "job"}', None],
    ids=["deep", "cut", "list", "number", "none", "pipe"],
)
def test_one_damaged_folder_does_not_hide_the_others(plugin, tmp_path, job):
    from hyperkd_qgis.runner.background import BackgroundJobs, pythons_in_use

    info = {"title": "good", "started": "2026", "python": "/python", "pid": 10**30}
    for name in ("a-bad", "b-good"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "info.json").write_text(json.dumps(info))
        (tmp_path / name / "job.json").write_text('{"protocol": 1, "job": "distill"}')
        (tmp_path / name / "alive").touch()
    if job is None:
        for name in ("job.json", "info.json"):
            (tmp_path / "a-bad" / name).unlink()
            os.mkfifo(tmp_path / "a-bad" / name)
    else:
        (tmp_path / "a-bad" / "job.json").write_text(job)
    jobs = BackgroundJobs(tmp_path)
    assert [found.title for found in jobs.find()] == ["good"]
    assert Path("/python") in pythons_in_use(tmp_path)


def test_a_number_that_no_process_has_says_nothing(plugin, tmp_path):
    from hyperkd_qgis.runner.heartbeat import is_running

    assert is_running(10**30, tmp_path) is None
    assert is_running(-1, tmp_path) is None


def test_the_title_of_a_job_is_text(plugin, tmp_path):
    from hyperkd_qgis.runner.background import BackgroundJobs
    from hyperkd_qgis.ui.training_view import TrainingView

    (tmp_path / "x").mkdir()
    title = "<img src='file:////host/share/x'>"
    info = {"title": title, "started": "2026", "python": "/python"}
    (tmp_path / "x" / "info.json").write_text(json.dumps(info))
    (tmp_path / "x" / "job.json").write_text('{"protocol": 1, "job": "distill"}')
    jobs = BackgroundJobs(tmp_path)
    (found,) = jobs.find()
    view = TrainingView()
    view.show_job(found)
    assert "<img" not in view.title.text()


def test_what_the_engine_says_is_shown_as_text(plugin):
    from qgis.PyQt.QtCore import Qt

    from hyperkd_qgis.messages import harmless
    from hyperkd_qgis.ui.models_dialog import ModelsDialog

    assert ModelsDialog().message.textFormat() == Qt.TextFormat.PlainText
    assert harmless("“<img src=x>” is 3 < 4") == "“‹img src=x>” is 3 ‹ 4"
