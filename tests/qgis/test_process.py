"""The life of the engine's process, told with stand-ins that misbehave in every way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def run(plugin, fake_python, tmp_path):
    """Return a runner: ``run(body, job fields…)`` gives the run and what was heard."""
    from hyperkd_qgis.runner.process import Engine, Listener, run_job

    class Ear(Listener):
        def __init__(self, cancel_on):
            self.events, self.lines, self.cancel_on = [], [], cancel_on

        def event(self, event):
            self.events.append(event)

        def stderr(self, line):
            self.lines.append(line)

        def is_cancelled(self):
            return self.cancel_on is not None and self.cancel_on(self)

    def start(body, cancel_on=None, python=None, **fields):
        ear = Ear(cancel_on)
        engine = Engine(python or fake_python(body), tmp_path / "engine")
        return run_job(engine, "embed", fields, ear), ear

    return start


def kinds(ear):
    return [event["event"] for event in ear.events]


def test_done_carries_the_summary(run):
    finished, ear = run(
        """
        hello()
        for i in range(4):
            say("progress", done=i + 1, total=4, unit="tiles")
        say("done", summary={"valid_pixels": 1024})
        """
    )
    assert repr(finished.ending) == "Done(summary={'valid_pixels': 1024})"
    assert kinds(ear) == ["hello", *["progress"] * 4, "done"]
    assert finished.log == ""


def test_the_engine_gets_the_job_and_the_promised_arguments(run, tmp_path):
    """The job file holds what was set and nothing else, is private, and goes away."""
    finished, ear = run(
        """
        hello()
        mode = oct(os.stat(os.path.dirname(job_path)).st_mode & 0o777)
        say("seen", job=job, path=job_path, arguments=arguments, mode=mode)
        say("done", summary={})
        """,
        input="/data/Größe.tif",
        components=16,
        overlap=None,
    )
    seen = ear.events[1]
    assert seen["job"] == {
        "protocol": 1,
        "job": "embed",
        "input": "/data/Größe.tif",
        "components": 16,
    }
    assert seen["arguments"] == [
        *("-I", "-X", "utf8", str(tmp_path / "engine"), "run", seen["path"]),
        *("--events", "json", "--exit-with-stdin"),
    ]
    assert seen["mode"] == "0o700"
    assert not Path(seen["path"]).parent.exists()


def test_a_refusal_keeps_code_message_and_hint(run):
    finished, _ = run(
        """
        hello()
        say("error", code="no_wavelengths", message="3 bands.", hint="Add them.", context={})
        sys.exit(3)
        """
    )
    assert repr(finished.ending) == (
        "Failed(code='no_wavelengths', message='3 bands.', hint='Add them.')"
    )


def test_a_traceback_is_a_crash_and_stands_in_the_log(run):
    finished, ear = run("hello()\nraise RuntimeError('a bug of ours')")
    assert repr(finished.ending) == "Crashed(exit_code=1, killed=False)"
    assert "RuntimeError: a bug of ours" in finished.log
    assert ear.lines[-1] == "RuntimeError: a bug of ours"


def test_last_words_without_a_line_end_are_kept(run):
    """C libraries abort in mid-line, and this is the line that says why."""
    finished, _ = run("hello()\nos.write(2, 'kein Größe'.encode())\nos.abort()")
    assert repr(finished.ending) == "Crashed(exit_code=6, killed=True)"
    assert finished.log == "kein Größe"


CLAIM = """
        part = job["output"] + ".part"
        hello()
        say("claim", path=part, files=[part, part + ".aux.xml"], lock=LOCK)
        open(part, "w").write("half")
        open(part + ".aux.xml", "w").write("half")
"""


def claim(lock=""):
    return CLAIM.replace("LOCK", repr(str(lock)))


def test_a_killed_engine_is_a_crash_that_leaves_nothing(run, tmp_path):
    """What the system does where memory runs out: the old output stays, the new half goes."""
    output, lock = tmp_path / "embedding.tif", tmp_path / "0.lock"
    output.write_text("old")
    lock.touch()
    finished, _ = run(
        claim(lock) + "        os.kill(os.getpid(), signal.SIGKILL)", output=str(output)
    )
    assert repr(finished.ending) == "Crashed(exit_code=9, killed=True)"
    assert output.read_text() == "old"
    assert [path.name for path in tmp_path.glob("embedding*")] == ["embedding.tif"]
    assert not lock.exists()


USERS = (
    "x.tif.partner-list.txt",
    "x.tif.part2.rar",
    "x.tif.part-rows",
    "x.tif.plain.part",
    "x [1].tif.part",
)


def test_nothing_is_removed_but_what_the_engine_called_its_own(run, tmp_path):
    output = tmp_path / "x.tif"
    for name in USERS:
        (tmp_path / name).write_text("the user's")
    (tmp_path / "x.tif.parts").mkdir()
    run(claim() + "        os.abort()", output=str(output))
    left = {path.name for path in tmp_path.glob("x*")}
    assert left == {*USERS, "x.tif.parts"}


@pytest.mark.parametrize("said", ["nothing", "done with it"])
def test_the_unfinished_file_of_another_run_stays(run, tmp_path, said):
    (tmp_path / "x.tif.part").write_text("another run's")
    body = "hello()\n"
    if said == "done with it":
        part = repr(str(tmp_path / "x.tif.part"))
        body += f"say('claim', path={part}, files=[{part}], lock='')\n"
        body += f"say('claim', path={part}, files=[], lock='')\n"
    finished, _ = run(body + "os.abort()")
    assert repr(finished.ending) == "Crashed(exit_code=6, killed=True)"
    assert (tmp_path / "x.tif.part").read_text() == "another run's"


def test_what_another_run_has_locked_meanwhile_stays(run, tmp_path):
    """Two QGIS, one output: the second began when the first one's engine was dead."""
    import fcntl

    lock = tmp_path / "0.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run(claim(lock) + "        os.abort()", output=str(tmp_path / "x.tif"))
        assert (tmp_path / "x.tif.part").read_text() == "half"
        assert lock.exists()
    run(claim(lock) + "        os.abort()", output=str(tmp_path / "x.tif"))
    assert list(tmp_path.glob("x.tif*")) == []


@pytest.mark.parametrize(
    "files", ["/etc/passwd", ["relative.part"], ["/tmp"], [7], None, [None, "/nowhere/x.part"]]
)
def test_claims_that_name_something_else_remove_nothing(plugin, files, monkeypatch):
    from hyperkd_qgis.runner.leftovers import Leftovers

    removed = []
    monkeypatch.setattr("os.remove", removed.append)
    leftovers = Leftovers()
    leftovers.take({"event": "claim", "path": "x", "files": files, "lock": ""})
    leftovers.remove()
    assert removed == []


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_file_is_not_removed(plugin, tmp_path, kind):
    from hyperkd_qgis.runner.leftovers import Leftovers

    path = tmp_path / "x.tif.part"
    make = {"folder": os.mkdir, "pipe": os.mkfifo, "link": lambda path: path.symlink_to("/etc")}
    make[kind](path)
    leftovers = Leftovers()
    leftovers.take({"event": "claim", "path": "x", "files": [str(path)], "lock": ""})
    leftovers.remove()
    assert os.path.lexists(path)


def test_ending_without_done_is_no_success(run):
    finished, _ = run("hello()")
    assert repr(finished.ending) == "Crashed(exit_code=0, killed=False)"


def test_a_cancel_that_the_engine_hears_is_quick(run, tmp_path):
    """Closed standard input is the request; the engine removes its own files and leaves."""
    started = time.monotonic()
    finished, _ = run(
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        hello()
        sys.stdin.read()
        sys.exit(5)
        """,
        cancel_on=lambda ear: bool(ear.events),
    )
    assert repr(finished.ending) == "Cancelled()"
    assert time.monotonic() - started < 2


def test_a_cancel_that_the_engine_ignores_kills_it(run, tmp_path):
    """Native code hears neither the pipe nor the signal."""
    output = tmp_path / "embedding.tif"
    finished, ear = run(
        claim()
        + """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("ready")
        while True:
            time.sleep(1)
        """,
        cancel_on=lambda ear: "ready" in kinds(ear),
        output=str(output),
    )
    assert repr(finished.ending) == "Cancelled()"
    with pytest.raises(ProcessLookupError):
        os.kill(ear.events[0]["pid"], 0)
    assert list(tmp_path.glob("embedding*")) == []


def test_standard_input_stays_open_as_long_as_nobody_cancels(run):
    """The engine ends when it closes, so it must not close by itself."""
    finished, _ = run(
        """
        import select
        hello()
        ready, _, _ = select.select([0], [], [], 0.5)
        say("done", summary={"closed": bool(ready)})
        """
    )
    assert finished.ending.summary == {"closed": False}


def test_partial_lines_and_noise_do_not_matter(run):
    finished, ear = run(
        r"""
        hello()
        os.write(1, b"Using device 0\n\xff\xfe\n")
        line = json.dumps({"event": "stage", "name": "Größe"}, ensure_ascii=False).encode()
        for i in range(len(line)):
            os.write(1, line[i:i + 1])
            time.sleep(0.005)
        os.write(1, b"\n")
        os.write(1, b'{"event": "done", "summary": {}}')
        """
    )
    assert repr(finished.ending) == "Done(summary={})"
    assert ear.events[1] == {"event": "stage", "name": "Größe"}
    assert "stdout: Using device 0" in finished.log


def test_output_without_measure_blocks_nobody(run):
    """Full pipes would stop the engine if one of them was not read."""
    finished, ear = run(
        """
        hello()
        for i in range(20000):
            os.write(2, b"warning: this library likes to talk a lot, a lot, a lot\\n")
            if i % 10 == 0:
                say("progress", done=i, total=20000, unit="tiles")
        say("done", summary={})
        """
    )
    assert repr(finished.ending) == "Done(summary={})"
    assert kinds(ear).count("progress") == 2000
    assert len(ear.lines) == 20000
    assert len(finished.log.splitlines()) == 200


def test_closed_standard_output_does_not_spin_or_hang(run):
    finished, _ = run(
        """
        hello()
        say("done", summary={})
        os.close(1)
        time.sleep(0.5)
        """
    )
    assert repr(finished.ending) == "Done(summary={})"


def test_an_engine_of_another_version_is_refused(run):
    finished, _ = run(
        """
        say("hello", protocol=2, version="9.0", pid=os.getpid(), device="cpu")
        sys.stdin.read()
        say("done", summary={})
        """
    )
    assert finished.ending.code == "missing_dependency"
    assert "engine 9.0 speaks protocol 2" in finished.ending.message


def test_a_missing_interpreter_is_named(run, tmp_path):
    finished, _ = run("", python=tmp_path / "nowhere" / "python")
    assert finished.ending.code == "missing_dependency"
    assert f"{tmp_path}/nowhere/python does not exist" in finished.ending.message
    assert "HyperKD › Engine…" in finished.ending.hint


def test_an_interpreter_that_cannot_start_is_named(run, tmp_path):
    path = tmp_path / "python"
    path.write_text("no program")
    finished, _ = run("", python=path)
    assert finished.ending.code == "missing_dependency"
    assert f"{path} could not be started" in finished.ending.message


def test_a_listener_that_raises_leaves_no_process(plugin, fake_python, tmp_path):
    from hyperkd_qgis.runner.process import Engine, Listener, run_job

    pids = []

    class Broken(Listener):
        def event(self, event):
            pids.append(event["pid"])
            raise ValueError("a bug in the window")

    engine = Engine(fake_python("hello()\nwhile True: time.sleep(1)"), tmp_path)
    with pytest.raises(ValueError, match="a bug in the window"):
        run_job(engine, "embed", {}, Broken())
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_the_child_does_not_see_what_points_at_other_installations(run, monkeypatch):
    for name in ("PYTHONHOME", "PYTHONPATH", "PROJ_LIB", "GDAL_DATA", "QGIS_PREFIX_PATH"):
        monkeypatch.setenv(name, "/of/another/installation")
    monkeypatch.setenv("SSL_CERT_DIR", "/of/another/installation")
    monkeypatch.setenv("HYPERKD_STAYS", "Größe")
    finished, _ = run(
        """
        hello()
        say("done", summary={"environment": dict(os.environ)})
        """
    )
    seen = finished.ending.summary["environment"]
    assert "/of/another/installation" not in seen.values()
    assert seen["HYPERKD_STAYS"] == "Größe"
    assert seen["PATH"] == os.environ["PATH"]


def test_only_a_bundled_gdal_keeps_its_folders(plugin):
    from hyperkd_qgis.runner.environment import engine_environment

    environment = {"GDAL_DATA": "C:/g", "Proj_Lib": "C:/p", "GDAL_CACHEMAX": "1", "PATH": "C:/"}
    assert engine_environment(environment, keep_gdal_folders=False) == {"PATH": "C:/"}
    assert engine_environment(environment, keep_gdal_folders=True) == {
        "GDAL_DATA": "C:/g",
        "Proj_Lib": "C:/p",
        "PATH": "C:/",
    }


def test_an_environment_made_from_the_python_of_a_bundle_shares_its_gdal(plugin, tmp_path):
    from hyperkd_qgis.runner.environment import shares_bundled_gdal

    made_from_here = tmp_path / "here" / "bin" / "python"
    made_elsewhere = tmp_path / "there" / "bin" / "python"
    for python, home in ((made_from_here, sys.base_prefix + "/bin"), (made_elsewhere, "/opt/x")):
        python.parent.mkdir(parents=True)
        python.touch()
        (python.parent.parent / "pyvenv.cfg").write_text(f"home = {home}\nversion = 3\n")
    assert shares_bundled_gdal(made_from_here, "win32")
    assert not shares_bundled_gdal(made_elsewhere, "win32")
    assert not shares_bundled_gdal(made_from_here, "linux")


_PARENT = """
import sys
sys.path.insert(0, {plugins!r})
from pathlib import Path
from hyperkd_qgis.runner.process import Engine, Listener, run_job
class Ear(Listener):
    def event(self, event):
        print(event["pid"], flush=True)
run_job(Engine(Path({python!r}), Path({engine!r})), "embed", {{}}, Ear())
"""


def test_a_killed_parent_closes_the_pipe_that_the_engine_lives_by(
    plugin_folder, fake_python, tmp_path, alive
):
    """``kill -9`` on QGIS runs none of our code; only the pipe tells the engine."""
    python = fake_python("hello()\nsys.stdin.read()\nos._exit(5)")
    code = _PARENT.format(
        plugins=str(plugin_folder), python=str(python), engine=str(tmp_path / "engine")
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def test_job_files_that_a_killed_qgis_left_go_after_a_day(plugin, tmp_path, monkeypatch):
    from hyperkd_qgis.runner.jobfile import job_file

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name, age_s, content in (
        ("hyperkd-job-old", 2e5, "job.json"),
        ("hyperkd-job-new", 60, "job.json"),
        ("hyperkd-job-other", 2e5, "the user's"),
        ("hyperkd-jobs", 2e5, "job.json"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).touch()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    with job_file("embed", {}) as path:
        assert path.parent.parent == tmp_path
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {"hyperkd-job-new", "hyperkd-job-other", "hyperkd-jobs"}
