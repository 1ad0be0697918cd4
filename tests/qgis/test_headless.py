"""Every algorithm by ``qgis_process``, which has no window, and in a batch of three."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.engine.inference_factories import make_model, make_student
from tests.factories import make_raster
from tests.qgis.test_workflows import NO_STEP, WORKFLOWS, read
from tools.machine import find_interpreter, find_qgis_process


@pytest.fixture(scope="module")
def headless(plugin_folder, quick_python, tmp_path_factory):
    """Return a caller of ``qgis_process run`` with JSON results, and JSON input where it can.

    QGIS reads parameters as JSON from standard input from 3.24 on.
    """
    from qgis.core import Qgis

    program = find_qgis_process(find_interpreter()[0])
    environment = {
        **os.environ,
        "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path_factory.mktemp("process-profile")),
        "QGIS_PLUGINPATH": str(plugin_folder),
        "QT_QPA_PLATFORM": "offscreen",
        "HYPERKD_ENGINE_PYTHON": str(quick_python),
        "HYPERKD_MODELS": str(tmp_path_factory.mktemp("models")),
    }

    def call(*arguments, text=None):
        return subprocess.run(
            [program, *arguments],
            env=environment,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            check=False,
        )

    call("plugins", "enable", "hyperkd_qgis")

    def run(identifier, values):
        if Qgis.QGIS_VERSION_INT >= 32400:
            answer = call("run", identifier, "-", text=json.dumps({"inputs": values}))
        else:
            words = []
            for name, value in values.items():
                for item in value if isinstance(value, list) else [value]:
                    words.append(f"{name}={item}")
            answer = call("--json", "run", identifier, "--", *words)
        assert answer.returncode == 0, answer.stderr[-2000:]
        assert "Traceback" not in answer.stdout + answer.stderr
        return json.loads(answer.stdout)["results"]

    run.call = call
    return run


def test_the_set_up_says_headless_what_is_wrong(headless):
    """What it makes when all is right: ``test_engine_setup``."""
    answer = headless.call("run", "hyperkd:setupengine", "--", "WHEELS=/nowhere")
    said = answer.stdout + answer.stderr
    assert answer.returncode != 0
    assert "There is no folder /nowhere" in said
    assert "Traceback" not in said


@pytest.fixture
def places(tmp_path) -> Path:
    """Return three points with a class and a number, on the scenes of ``spectral``."""
    from tests.label_factories import make_vector, point

    features = [
        (point(col + 0.5, row + 0.5), {"cover": name, "share": share})
        for col, row, name, share in ((5, 5, "a", 0.1), (40, 8, "b", 0.5), (20, 50, "c", 0.9))
    ]
    return make_vector(tmp_path / "places.gpkg", features, {"cover": "text", "share": "number"})


def _cases(scene, folder, student, classifier, regressor, covers, places):
    """Return a run of every algorithm that needs no training, and what it must make."""
    return {
        "inspect": ({"INPUT": scene, "MODEL": student, "OUTPUT": f"{folder}/r.html"}, "OUTPUT"),
        "importproduct": ({"PRODUCT": scene, "OUTPUT": f"{folder}/p.tif"}, "OUTPUT"),
        "restore": (
            {"INPUT": scene, "STRIPES": True, "OUTPUT": f"{folder}/s.tif",
             "FILLED": f"{folder}/f.tif"},
            "FILLED",
        ),
        "firstlook": (
            {"INPUT": scene, "MODEL": covers, "COMPOSITE": f"{folder}/f.tif"},
            "COMPOSITE",
        ),
        "embed": (
            {"INPUT": scene, "MODEL": student, "COMPONENTS": 2, "OUTPUT": f"{folder}/e.tif"},
            "OUTPUT",
        ),
        "reconstruct": ({"INPUT": scene, "MODEL": student, "ERROR": f"{folder}/x.tif"}, "ERROR"),
        "classify": ({"INPUT": scene, "MODEL": classifier, "OUTPUT": f"{folder}/c.tif"}, "OUTPUT"),
        "regress": ({"INPUT": scene, "MODEL": regressor, "OUTPUT": f"{folder}/v.tif"}, "OUTPUT"),
        "anomaly": (
            {
                "INPUT": scene,
                "MODEL": student,
                "OUTPUT": f"{folder}/a.tif",
                "MASK": f"{folder}/m.tif",
            },
            "MASK",
        ),
        "similarity": (
            {"INPUT": scene, "MODEL": student, "PLACES": places, "OUTPUT": f"{folder}/l.tif"},
            "OUTPUT",
        ),
        "cluster": (
            {"INPUT": scene, "MODEL": student, "CLASSES": 3, "OUTPUT": f"{folder}/k.tif"},
            "OUTPUT",
        ),
        "detect": (
            {
                "INPUT": scene,
                "TARGET_PIXELS": places,
                "METHOD": "sam",
                "OUTPUT": f"{folder}/s.tif",
                "MASK": f"{folder}/d.tif",
            },
            "MASK",
        ),
        "modelinfo": ({"MODEL": classifier, "OUTPUT": f"{folder}/i.html"}, "OUTPUT"),
        "classmap": (
            {"scene": scene, "model": classifier, "classify:map": f"{folder}/w.tif"},
            "classify:map",
        ),
    }  # fmt: skip


WITHOUT_TRAINING = (
    "inspect", "importproduct", "restore", "firstlook", "embed", "reconstruct", "classify",
    "regress", "anomaly", "similarity", "cluster", "detect", "modelinfo", "classmap",
)  # fmt: skip
WITH_TRAINING = ("aligntohls", "finetune", "export", "evaluate", "quantize", "distill")


def test_no_algorithm_is_left_out(registry):
    tested = {*WITHOUT_TRAINING, *WITH_TRAINING, *WORKFLOWS, *NO_STEP}
    listed = registry.providerById("hyperkd").algorithms()
    assert {each.name() for each in listed} == tested


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", WITHOUT_TRAINING)
def test_every_algorithm_runs_headless_in_a_batch_of_three(
    plugin, headless, real_engine, spectral, classifier, places, tmp_path, name
):
    student = make_student(tmp_path / "student.onnx", gain=0.9)
    regressor = make_model(tmp_path / "regressor.onnx", task="regression")
    colours = ("#ff0000", "#00ff00", "#0000ff", "#800000", "#008000")
    covers = make_model(tmp_path / "covers.onnx", task="regression", colours=colours)
    scene = str(spectral("scene", 0))

    def case(folder):
        return _cases(scene, folder, student, classifier, regressor, covers, places)[name]

    _run_several(headless, tmp_path, name, case, times=3)


def _training_cases(land, folder, checkpoint, material):
    """Return a run of every algorithm that trains or reads what training has written."""
    scene, labels, model = str(material["scene"]), str(material["labels"]), str(material["model"])
    labelled = {"INPUT": scene, "LABELS": labels, "FIELD": "cover"}
    return {
        "aligntohls": ({"INPUT": str(land / "scene.tif"), "OUTPUT": f"{folder}/h.tif"}, "OUTPUT"),
        "finetune": (
            {
                **labelled,
                "TASK": "classification",
                "STUDENT": checkpoint,
                "EPOCHS": 2,
                "BASELINES": False,
                "OUTPUT": f"{folder}/m.onnx",
                "REPORT": f"{folder}/report",
            },
            "OUTPUT",
        ),
        "export": ({"CHECKPOINT": checkpoint, "OUTPUT": f"{folder}/s.onnx"}, "OUTPUT"),
        "evaluate": ({**labelled, "MODEL": model, "REPORT": f"{folder}/report"}, "REPORT"),
        "quantize": (
            {"MODEL": "tiny", "INPUT": str(land / "scene.tif"), "METHOD": "float16",
             "LOSS": 100.0, "OUTPUT": f"{folder}/q.onnx"},
            "OUTPUT",
        ),
        "distill": (
            {"INPUT": str(land / "scene.tif"), "HOURS": 0.001, "EPOCHS": 1, "TILE": 16,
             "BATCH": 2, "INITIAL": "random", "OUTPUT": f"{folder}/d.safetensors"},
            "OUTPUT",
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Return a scene of two classes in six bands, labels, and a model that knows them."""
    import numpy as np

    from tests.factories import WAVELENGTHS_NM
    from tests.label_factories import make_vector, square

    folder = tmp_path_factory.mktemp("material")
    data = np.random.default_rng(0).normal(0.2, 0.01, (6, 64, 64))
    data[3] += 0.2 * ((np.indices((64, 64))[1] // 16) % 2)
    made = {
        "scene": make_raster(
            folder / "scene.tif",
            np.rint(data * 1e4).astype(np.int16),
            wavelengths=list(WAVELENGTHS_NM),
            fwhm=20.0,
        )
    }
    features = [
        (square(col * 16 + 2, row * 8 + 1, 10, 6), {"cover": f"class {col % 2}"})
        for col in range(4)
        for row in range(8)
    ]
    made["labels"] = make_vector(folder / "labels.gpkg", features, {"cover": "text"})
    weight = np.eye(6)[[2, 3]]
    made["model"] = make_model(
        folder / "model.onnx", centres=WAVELENGTHS_NM, weight=weight, bias=[0.1, 0.0]
    )
    return made


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", WITH_TRAINING)
def test_algorithms_of_training_run_headless_and_in_qgis(
    plugin, headless, quick_engine, land, material, tmp_path, name
):
    pytest.importorskip("torch")
    from tests.finetune_factories import save_student

    checkpoint = save_student(tmp_path)

    def case(folder):
        return _training_cases(land, folder, checkpoint, material)[name]

    _run_several(headless, tmp_path, name, case, times=2)


def _run_several(headless, tmp_path, name, case, times):
    """Run a case once by ``qgis_process`` and then here, and compare what was made."""
    import processing

    made = []
    for number in range(times):
        folder = tmp_path / str(number)
        folder.mkdir()
        values, output = case(folder)
        run = headless if number == 0 else processing.run
        results = run(f"hyperkd:{name}", values)
        assert results[output] == values[output]
        made.append(Path(values[output]))
    assert all(path.exists() for path in made)
    if made[0].suffix == ".tif":
        import numpy as np

        first, *others = (read(path) for path in made)
        for other in others:
            assert np.array_equal(first, other, equal_nan=first.dtype.kind == "f")
