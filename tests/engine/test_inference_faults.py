"""Jobs that do not get to their end, and what the next one makes of what they leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hyperkd.atomic import AtomicFile
from hyperkd.errors import HyperKDError
from hyperkd.inference.embed import embed
from hyperkd.inference.predict import predict
from hyperkd.inference.reconstruct import reconstruct
from hyperkd.inference.tiling.block_reader import Unreadable
from hyperkd.inference.tiling.journal import SUFFIX, Journal
from hyperkd.requests.predict_options import EmbedJob, PredictJob, ReconstructJob
from hyperkd.types import Window
from tests.engine.inference_factories import CENTRES, Recorder, make_model, make_student
from tests.factories import make_raster

gdal = pytest.importorskip("osgeo.gdal")

# Three portions of at most 256 rows; 100 rows of 3 tiles, each 6 rows below the last one.
HEIGHT, WIDTH = 600, 20


@pytest.fixture
def scene(tmp_path):
    generator = np.random.default_rng(0)
    data = generator.integers(-200, 9000, (5, HEIGHT, WIDTH)).astype(np.int16)
    data[:, generator.random((HEIGHT, WIDTH)) < 0.1] = -32768
    options = ["COMPRESS=DEFLATE", "INTERLEAVE=BAND", "BLOCKYSIZE=3"]
    return make_raster(
        tmp_path / "scene.tif", data, wavelengths=CENTRES, fwhm=10.0, options=options
    )


@pytest.fixture
def model(tmp_path):
    mixing = np.random.default_rng(5).normal(size=(4, 5, 3, 3))
    return make_model(tmp_path / "model.onnx", mixing=mixing)


def run(scene, model, output, *, report=None, **fields):
    report = report or Recorder()
    return predict(
        PredictJob(input=str(scene), model=str(model), output=str(output), **fields), report
    )


class Until(Recorder):
    """Cancels as soon as so many tiles are settled."""

    def __init__(self, tiles):
        super().__init__()
        self._tiles = tiles

    def check_cancelled(self):
        if self.progresses and self.progresses[-1][0] >= self._tiles:
            raise HyperKDError("cancelled", "The job was cancelled.")


def said(report, level="info"):
    return " ".join(message for kind, message in report.logs if kind == level)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def cancelled(scene, model, output, tiles, **fields):
    with pytest.raises(HyperKDError, match="cancelled") as caught:
        run(scene, model, output, report=Until(tiles), **fields)
    assert caught.value.code == "cancelled"
    assert not Path(output).exists()


@pytest.mark.parametrize(("tiles", "portions"), [(5, 0), (190, 1), (290, 2)])
def test_a_cancelled_job_goes_on_and_gives_the_same_bytes(tmp_path, scene, model, tiles, portions):
    out = tmp_path / "out"
    out.mkdir()
    whole = run(scene, model, tmp_path / "whole.tif")
    cancelled(scene, model, out / "map.tif", tiles, resume=True)
    assert names(out) == [f"map.tif{SUFFIX}"]
    report = Recorder()
    summary = run(scene, model, out / "map.tif", resume=True, report=report)
    assert (out / "map.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert summary["classes"] == whole["classes"]
    assert names(out) == ["map.tif", "map.tif.aux.xml"]
    assert summary["resumed_portions"] == portions
    assert f"Resumed after {portions} row" in said(report)
    assert summary["tiles"] + portions * 256 // 6 * 3 <= 300 + 3 * portions
    assert report.progresses[-1] == (300, 300, "tiles")


def test_without_resume_a_cancel_leaves_nothing_and_a_new_job_starts_anew(tmp_path, scene, model):
    out = tmp_path / "out"
    out.mkdir()
    cancelled(scene, model, out / "map.tif", 190)
    assert names(out) == []
    cancelled(scene, model, out / "map.tif", 190, resume=True)
    assert run(scene, model, out / "map.tif")["resumed_portions"] == 0
    assert names(out) == ["map.tif", "map.tif.aux.xml"]


KILLED = """
import os, sys
from hyperkd.inference.predict import predict
from hyperkd.inference.tiling import tile_workers
from hyperkd.requests.predict_options import PredictJob
from tests.engine.inference_factories import Recorder
original, left = tile_workers.TileComputer._run, [int(sys.argv[4])]
def dying(self, *arguments):
    left[0] -= 1
    if left[0] == 0:
        os._exit(9)
    return original(self, *arguments)
tile_workers.TileComputer._run = dying
predict(PredictJob(input=sys.argv[1], model=sys.argv[2], output=sys.argv[3]), Recorder())
"""


def test_a_killed_job_leaves_the_old_file_and_the_next_one_goes_on(tmp_path, scene, model):
    out = tmp_path / "out"
    out.mkdir()
    run(scene, model, tmp_path / "whole.tif")
    (out / "map.tif").write_text("old")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, str(scene), model, str(out / "map.tif"), "285"]
    assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == 9
    assert (out / "map.tif").read_text() == "old"
    assert f"map.tif{SUFFIX}" in names(out)
    summary = run(scene, model, out / "map.tif", resume=True)
    assert summary["resumed_portions"] == 2
    assert (out / "map.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert names(out) == ["map.tif", "map.tif.aux.xml"]


@pytest.mark.parametrize("cut", [1, 20, 5000, 5200, 9000])
def test_a_journal_that_broke_off_counts_as_far_as_it_is_whole(tmp_path, scene, model, cut):
    whole = run(scene, model, tmp_path / "whole.tif")
    cancelled(scene, model, tmp_path / "map.tif", 290, resume=True)
    journal = tmp_path / f"map.tif{SUFFIX}"
    os.truncate(journal, journal.stat().st_size - cut)
    summary = run(scene, model, tmp_path / "map.tif", resume=True)
    assert summary["resumed_portions"] == (1 if cut < 5200 else 0)
    assert (tmp_path / "map.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert summary["classes"] == whole["classes"]


def test_a_damaged_portion_is_computed_again(tmp_path, scene, model):
    run(scene, model, tmp_path / "whole.tif")
    cancelled(scene, model, tmp_path / "map.tif", 290, resume=True)
    journal = tmp_path / f"map.tif{SUFFIX}"
    content = bytearray(journal.read_bytes())
    content[-100] ^= 1
    journal.write_bytes(content)
    assert run(scene, model, tmp_path / "map.tif", resume=True)["resumed_portions"] == 1
    assert (tmp_path / "map.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"overlap": 3}, "tiles"),
        ({"probabilities": "p.tif"}, "outputs"),
        ({"unreadable": "nodata"}, "unreadable"),
        ({"scale": 2e-4}, "bands"),
        ({"nodata": 0}, "nodata"),
        ({"batch": 2}, "device"),
    ],
)
def test_other_settings_start_anew_and_say_which(tmp_path, scene, model, change, named):
    cancelled(scene, model, tmp_path / "map.tif", 190, resume=True)
    if "probabilities" in change:
        change = {"probabilities": str(tmp_path / "p.tif")}
    report = Recorder()
    summary = run(scene, model, tmp_path / "map.tif", resume=True, report=report, **change)
    assert summary["resumed_portions"] == 0
    assert f"cannot be resumed, because it differed in {named}" in said(report, "warning")


def test_another_model_or_input_starts_anew(tmp_path, scene, model):
    cancelled(scene, model, tmp_path / "map.tif", 190, resume=True)
    other = make_model(tmp_path / "other.onnx")
    os.utime(scene, ns=(1, 1))
    report = Recorder()
    run(scene, other, tmp_path / "map.tif", resume=True, report=report)
    assert "differed in input, model;" in said(report, "warning")


def test_nothing_to_resume_is_told(tmp_path, scene, model):
    report = Recorder()
    run(scene, model, tmp_path / "map.tif", resume=True, report=report)
    assert "There is nothing to resume" in said(report)


@pytest.mark.parametrize("tiles", [5, 150, 299])
def test_components_go_on_from_the_tokens_that_were_kept(tmp_path, scene, tiles):
    mixing = np.random.default_rng(5).normal(size=(7, 5, 3, 3))
    student = make_student(tmp_path / "student.onnx", mixing=mixing)

    def components(output, report, **fields):
        return embed(
            EmbedJob(
                input=str(scene),
                model=student,
                output=str(tmp_path / output),
                components=3,
                **fields,
            ),
            report,
        )

    whole = components("whole.tif", Recorder())
    with pytest.raises(HyperKDError, match="cancelled"):
        components("pc.tif", Until(tiles), resume=True)
    summary = components("pc.tif", Recorder(), resume=True)
    assert summary["explained_variance"] == whole["explained_variance"]
    assert summary["resumed_portions"] == tiles // 3
    assert (tmp_path / "pc.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert not (tmp_path / f"pc.tif{SUFFIX}").exists()


def test_a_reconstruction_and_its_error_go_on_together(tmp_path, scene):
    student = make_student(tmp_path / "student.onnx", gain=1.25)

    def both(stem, report, **fields):
        return reconstruct(
            ReconstructJob(
                input=str(scene),
                model=student,
                output=str(tmp_path / f"{stem}.tif"),
                error=str(tmp_path / f"{stem}-error.tif"),
                **fields,
            ),
            report,
        )

    whole = both("whole", Recorder())
    with pytest.raises(HyperKDError, match="cancelled"):
        both("again", Until(190), resume=True)
    summary = both("again", Recorder(), resume=True)
    assert summary["resumed_portions"] == 1
    for name in ("mean_spectral_angle_deg", "mean_rmse"):
        assert summary[name] == whole[name]
    for suffix in (".tif", "-error.tif"):
        again = (tmp_path / f"again{suffix}").read_bytes()
        assert again == (tmp_path / f"whole{suffix}").read_bytes()


# --- the input --------------------------------------------------------------------------------


def break_block(path, band, block):
    """Overwrite the compressed content of one block."""
    dataset = gdal.Open(str(path))
    item = dataset.GetRasterBand(band).GetMetadataItem
    offset = int(item(f"BLOCK_OFFSET_0_{block}", "TIFF"))
    size = int(item(f"BLOCK_SIZE_0_{block}", "TIFF"))
    del dataset, item
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * size)


def test_an_unreadable_block_is_named_or_left_out_and_counted(tmp_path, scene, model):
    run(scene, model, tmp_path / "whole.tif")
    break_block(scene, 3, 100)  # rows 300 to 302
    with pytest.raises(HyperKDError, match=r"column 0, row 300 \(20 x 3 pixels\)") as caught:
        run(scene, model, tmp_path / "map.tif")
    assert caught.value.code == "unreadable_raster"
    assert caught.value.context["window"] == [0, 300, 20, 3]
    assert not (tmp_path / "map.tif").exists()

    summary = run(scene, model, tmp_path / "map.tif", unreadable="nodata")
    assert summary["unreadable_pixels"] == 60
    assert summary["unreadable_windows"] == [[0, 300, 20, 3]]
    maps = [
        np.frombuffer(gdal.Open(str(tmp_path / name)).ReadRaster(), np.uint8).reshape(HEIGHT, WIDTH)
        for name in ("whole.tif", "map.tif")
    ]
    assert (maps[1][300:303] == 0).all()
    far = np.ones(HEIGHT, bool)
    far[290:313] = False  # tiles that saw the hole saw less of their surroundings
    np.testing.assert_array_equal(maps[1][far], maps[0][far])


def test_an_input_that_changes_while_it_is_read_leaves_no_file(tmp_path, scene, model):
    class Toucher(Recorder):
        def progress(self, done, total, unit):
            super().progress(done, total, unit)
            if done > 100:
                os.utime(scene, ns=(7, 7))

    with pytest.raises(HyperKDError, match=r"scene\.tif changed while it was read") as caught:
        run(scene, model, tmp_path / "map.tif", report=Toucher())
    assert caught.value.code == "input_changed"
    assert names(tmp_path) == ["model.onnx", "scene.tif"]


# --- the output -------------------------------------------------------------------------------


def test_two_jobs_with_one_target_do_not_mix(tmp_path, scene, model):
    with AtomicFile(tmp_path / "map.tif") as other:
        Path(other.temporary).write_text("of the other job")
        with pytest.raises(HyperKDError, match="Another job is writing") as caught:
            run(scene, model, tmp_path / "map.tif")
        assert caught.value.code == "unwritable_output"
    assert (tmp_path / "map.tif").read_text() == "of the other job"


FULL = """
import resource, signal, sys
from hyperkd.errors import HyperKDError
from hyperkd.inference.predict import predict
from hyperkd.requests.predict_options import PredictJob
from tests.engine.inference_factories import Recorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in map(int, sys.argv[4:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        predict(PredictJob(input=sys.argv[1], model=sys.argv[2], output=sys.argv[3],
                probabilities=sys.argv[3] + ".p.tif", probability_type="float32"), Recorder())
        print("ok", flush=True)
    except HyperKDError as error:
        print(error.code, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no limit of file sizes")
def test_a_disk_that_fills_leaves_no_half_file(tmp_path, scene, model):
    out = tmp_path / "out"
    out.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    limits = ["0", "30000", "100000", "200000"]
    command = [sys.executable, "-c", FULL, str(scene), model, str(out / "map.tif"), *limits]
    done = subprocess.run(
        command, env=environment, timeout=100, check=True, capture_output=True, text=True
    )
    assert len(done.stdout.split()) == len(limits)
    assert set(done.stdout.split()) <= {"out_of_disk", "unwritable_output"}
    assert names(out) == []


def test_too_little_memory_is_refused_with_what_is_needed(tmp_path, scene, model):
    with pytest.raises(HyperKDError, match=r"needs about \d+ MB, 100 MB are allowed") as caught:
        run(scene, model, tmp_path / "map.tif", memory_mb=100)
    assert caught.value.code == "out_of_memory"
    needed = caught.value.context["needed_mb"]
    assert (
        run(scene, model, tmp_path / "map.tif", memory_mb=needed)["estimated_memory_mb"] <= needed
    )


# --- the journal itself -----------------------------------------------------------------------


def test_a_journal_gives_back_what_it_got(tmp_path):
    about = {"settings": [1, 2]}
    shapes = [[((2, 3), np.int16), ((5,), np.float32)], [((1, 1), np.int16), ((0,), np.float32)]]
    portions = [[np.full(shape, 7, dtype) for shape, dtype in arrays] for arrays in shapes]
    lost = Unreadable()
    journal = Journal(str(tmp_path / "x.tif"), about, lost)
    assert journal.differences() is None
    journal.begin()
    for arrays in portions:
        journal.append(arrays)
        lost.add(Window(3, 4 + journal.count, 5, 1))
    journal.close()
    found = Unreadable()
    again = Journal(str(tmp_path / "x.tif"), json.loads(json.dumps(about)), found)
    assert again.differences() == []
    for _ in range(2):
        for got, expected in zip(list(again.replay(shapes)), portions):
            for one, other in zip(got, expected):
                np.testing.assert_array_equal(one, other)
        assert again.count == 2
        assert found.windows == [[3, 5, 5, 1]]  # what was lost later is read again
    again.remove()
    assert names(tmp_path) == []
    assert Journal(str(tmp_path / "x.tif"), {}, lost).differences() is None


def test_windows_that_were_lost_are_joined():
    lost = Unreadable()
    for row in (0, 1, 2, 0, 1, 7):
        lost.add(Window(3, row, 5, 1))
    lost.add(Window(3, 1, 4, 2))
    lost.add(Window(8, 3, 5, 1))
    assert lost.windows == [[3, 0, 5, 3], [3, 7, 5, 1], [3, 1, 4, 2], [8, 3, 5, 1]]
    assert lost.pixels == 15 + 5 + 8 + 5


@pytest.mark.parametrize("suffix", [".part", ".part-rows"])
@pytest.mark.parametrize("resume", [False, True])
def test_an_input_with_the_name_of_a_temporary_file_is_left_alone(
    tmp_path, scene, model, suffix, resume
):
    content = scene.read_bytes()
    path = scene.rename(tmp_path / f"map.tif{suffix}")
    with pytest.raises(HyperKDError, match=f"map.tif{suffix} is read by this job") as caught:
        run(path, model, tmp_path / "map.tif", resume=resume)
    assert caught.value.code == "bad_job"
    assert names(tmp_path) == [path.name, "model.onnx"]
    assert path.read_bytes() == content


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_in_the_place_of_the_journal_is_an_error(tmp_path, scene, model, resume):
    (tmp_path / "map.tif.part-rows").mkdir()
    with pytest.raises(HyperKDError, match=r"Cannot write .*map\.tif\.part-rows") as caught:
        run(scene, model, tmp_path / "map.tif", resume=resume)
    assert caught.value.code == "unwritable_output"
    assert names(tmp_path) == ["map.tif.part-rows", "model.onnx", "scene.tif"]


def test_what_an_earlier_job_lost_is_counted(tmp_path, scene, model):
    break_block(scene, 3, 10)  # rows 30 to 32
    break_block(scene, 3, 180)  # rows 540 to 542
    whole = run(scene, model, tmp_path / "whole.tif", unreadable="nodata")
    assert whole["unreadable_pixels"] == 120
    cancelled(scene, model, tmp_path / "map.tif", 190, resume=True, unreadable="nodata")
    summary = run(scene, model, tmp_path / "map.tif", resume=True, unreadable="nodata")
    assert summary["resumed_portions"] > 0
    assert summary["unreadable_windows"] == whole["unreadable_windows"]


# --- a scene too wide for the memory ----------------------------------------------------------


@pytest.fixture
def wide(tmp_path, monkeypatch):
    """A scene of 280 x 560 pixels that has to be done in three panels, and a look at them."""
    generator = np.random.default_rng(3)
    data = generator.integers(-200, 9000, (5, 280, 560)).astype(np.int16)
    data[:, generator.random((280, 560)) < 0.1] = -32768
    path = make_raster(tmp_path / "wide.tif", data, wavelengths=CENTRES, fwhm=10.0)

    def in_panels(count):
        monkeypatch.setattr("hyperkd.inference.tiling.resources._PANELS", (count,))

    return path, in_panels


def pixels(path):
    dataset = gdal.Open(str(path))
    return dataset.ReadRaster()


def test_panels_make_the_same_map_and_can_be_resumed(tmp_path, wide, model):
    scene, in_panels = wide
    in_panels(1)
    whole = run(scene, model, tmp_path / "whole.tif")
    in_panels(3)
    report = Recorder()
    parts = run(scene, model, tmp_path / "parts.tif", report=report)
    assert "the columns in 3 parts one after the other" in said(report)
    assert parts["classes"] == whole["classes"]
    assert parts["tiles"] > whole["tiles"]
    assert pixels(tmp_path / "parts.tif") == pixels(tmp_path / "whole.tif")

    total = report.progresses[-1][1]
    for share, portions in ((0.44, 1), (0.99, 4)):
        cancelled(scene, model, tmp_path / "again.tif", total * share, resume=True)
        summary = run(scene, model, tmp_path / "again.tif", resume=True)
        assert summary["resumed_portions"] == portions
        assert summary["classes"] == whole["classes"]
        again = (tmp_path / "again.tif").read_bytes()
        assert again == (tmp_path / "parts.tif").read_bytes()
        (tmp_path / "again.tif").unlink()


def test_components_of_panels_are_those_of_the_whole(tmp_path, wide):
    scene, in_panels = wide
    mixing = np.random.default_rng(5).normal(size=(7, 5, 3, 3))
    student = make_student(tmp_path / "student.onnx", mixing=mixing)
    found = {}
    for count in (1, 3):
        in_panels(count)
        output = tmp_path / f"{count}.tif"
        summary = embed(
            EmbedJob(input=str(scene), model=student, output=str(output), components=3), Recorder()
        )
        found[count] = summary["explained_variance"], np.frombuffer(pixels(output), np.float32)
    np.testing.assert_allclose(found[3][0], found[1][0], atol=2e-6)
    np.testing.assert_allclose(found[3][1], found[1][1], atol=1e-4)
