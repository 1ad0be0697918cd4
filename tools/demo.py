"""The demo: what covers a scene, by ``qgis_process``, and a map of it; on request a few labels."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import plugin
from tools.machine import (
    BUILD,
    ROOT,
    Interpreter,
    SetupError,
    clean_environment,
    find_qgis_process,
    qgis_environment,
)

PROFILE = BUILD / "qgis" / "demo"
SCENE_PX = 256
LOOKS = ("dominant", "composite", "uncertainty", "fractions")
MAPS = (*LOOKS, "embedding", "error")
WRITTEN = ("OUTPUT", "ERROR", *map(str.upper, LOOKS))
SEED = 7


@dataclass
class Steps:
    """Tells what is being done, and how long each step took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Name a step before it starts, and give its time once it has succeeded."""
        print(f"  {name} ", end="", flush=True)
        start = time.monotonic()
        try:
            yield
        except BaseException:
            print()
            raise
        self.seconds[name] = time.monotonic() - start
        print(f"{'.' * max(2, 58 - len(name))} {self.seconds[name]:6.1f} s", flush=True)


def run_demo(
    interpreter: Interpreter, python: Path, raster: Path | None, out: Path, *, labels: bool = False
) -> int:
    """Run the main job and return the exit status.

    Args:
        interpreter: QGIS's Python, for the map.
        raster: a hyperspectral raster, or None to simulate one.
        out: folder for the layers and the map.
        labels: whether to fine-tune on a few labels from the truth of the simulated scene.

    Raises:
        SetupError: a step failed; the text ends with what it said.
    """
    qgis_process = find_qgis_process(interpreter)
    if qgis_process is None:
        raise SetupError("qgis_process is missing; it comes with the package qgis.")
    if raster is not None and not raster.exists():
        raise SetupError(f"There is no raster {raster}.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{out} cannot be the folder of the layers: {error.strerror}.") from error
    make_profile(PROFILE)
    environment = qgis_environment(interpreter, PROFILE, {"HYPERKD_ENGINE_PYTHON": str(python)})
    files = {name: out / f"{name}.tif" for name in ("scene", *MAPS)}
    layers = [files[name].resolve() for name in MAPS]
    if raster is not None and raster.resolve() in layers:
        raise SetupError(f"The demo would replace its input {raster}; give another folder.")
    engine = [str(python), "-I", str(ROOT / "engine")]
    steps = Steps()

    print(f"HyperKD {plugin.version()}")
    if raster is None:
        with steps.step(f"simulate a scene of {SCENE_PX} x {SCENE_PX} px"):
            size = ["--width", str(SCENE_PX), "--height", str(SCENE_PX), "--seed", str(SEED)]
            _call([*engine, "synth", "--output", str(files["scene"]), *size])
        raster = files["scene"]
    with steps.step("read its bands"):
        bands = _json(_call([str(python), "-I", str(ROOT / "tools/demo_bands.py"), str(raster)]))
    with steps.step("enable the plugin in a QGIS profile of its own"):
        enable_plugin(qgis_process, environment)
    with steps.step("hyperkd:firstlook"):
        given = {name.upper(): files[name] for name in LOOKS}
        _algorithm(qgis_process, environment, "firstlook", INPUT=raster, **given)
    with steps.step("hyperkd:embed"):
        _algorithm(qgis_process, environment, "embed", INPUT=raster, OUTPUT=files["embedding"])
    with steps.step("hyperkd:reconstruct"):
        _algorithm(qgis_process, environment, "reconstruct", INPUT=raster, ERROR=files["error"])
    told = ""
    if labels:
        told = _fine_tune(qgis_process, environment, python, raster, out, steps)
        files["classes"] = out / "classes.tif"
    with steps.step("draw the map"):
        order = {
            **{name: str(path) for name, path in files.items()},
            "scene": str(raster),
            "output": str(out / "map.png"),
            "accuracy": told,
            **bands,
        }
        script = str(ROOT / "tools/demo_map.py")
        _call([interpreter.executable, script, json.dumps(order)], environment)
    print(f"  all together: {sum(steps.seconds.values()):.1f} s\n")
    print(f"scene       {raster}")
    for name, path in (*list(files.items())[1:], ("map", out / "map.png")):
        print(f"{name:11} {path}")
    if told:
        print(f"accuracy    {told}")
    return 0


def _fine_tune(
    qgis_process: str,
    environment: Mapping[str, str],
    python: Path,
    raster: Path,
    out: Path,
    steps: Steps,
) -> str:
    """Map the classes of a few labels, and return how accurate the map is."""
    labels, model, report = out / "labels.tif", out / "classes.onnx", out / "report"
    with steps.step("draw a few labels from the truth"):
        truth = raster.with_name(f"{raster.stem}_classes.tif")
        script = str(ROOT / "tools/demo_labels.py")
        _call([str(python), "-I", script, str(truth), str(labels)])
    with steps.step("hyperkd:finetune"):
        given = {
            "INPUT": raster,
            "LABEL_RASTERS": labels,
            "TASK": "classification",
            "OUTPUT": model,
            "REPORT": report,
        }
        _algorithm(qgis_process, environment, "finetune", **given)
    with steps.step("hyperkd:classify"):
        given = {"INPUT": raster, "MODEL": model, "OUTPUT": out / "classes.tif"}
        _algorithm(qgis_process, environment, "classify", **given)
    found = json.loads((report / "report.json").read_text(encoding="utf-8"))
    own, *others = (
        (method["overall_accuracy"]["value"], method["name"])
        for method in found["comparisons"][0]["methods"]
    )
    accuracy, name = max(others)
    return f"{own[0]:.2f} on held-out labels; the best classical model, {name}: {accuracy:.2f}"


# QGIS computes a stretch for every layer it opens and writes the statistics beside
# the raster, or into it where it is a VRT. The demo's profile does without.
PROFILE_SETTINGS = """[Raster]
defaultContrastEnhancementLimits\\singleBand=None
defaultContrastEnhancementLimits\\multiBandSingleByte=None
defaultContrastEnhancementLimits\\multiBandMultiByte=None
"""


def make_profile(folder: Path) -> None:
    """Make the demo's QGIS profile where there is none, with the plugin linked into it."""
    profile = folder / "profiles" / "default"
    plugin.link(profile / "python" / "plugins")
    settings = profile / "QGIS" / "QGIS3.ini"
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(PROFILE_SETTINGS)


def enable_plugin(qgis_process: str, environment: Mapping[str, str]) -> None:
    """Enable the plugin where it is not yet; QGIS fails when asked twice."""
    known = json.loads(_call([qgis_process, "--json", "plugins"], environment))["plugins"]
    if not known.get(plugin.NAME, {}).get("loaded"):
        _call([qgis_process, "plugins", "enable", plugin.NAME], environment)


def _algorithm(
    qgis_process: str, environment: Mapping[str, str], name: str, **parameters: object
) -> None:
    """Run one algorithm and make sure that it wrote what it was asked for."""
    outputs = [Path(str(parameters[key])) for key in WRITTEN if key in parameters]
    for path in outputs:
        path.unlink(missing_ok=True)  # one of an earlier demo proves nothing
    given = [f"{key}={value}" for key, value in parameters.items()]
    # Parameters on the command line, not as JSON on standard input: QGIS reads
    # the latter only from 3.24 on.
    said = _call([qgis_process, "run", f"hyperkd:{name}", "--", *given], environment)
    for path in outputs:
        if not path.is_file():
            raise SetupError(f"hyperkd:{name} wrote no {path}.\n{_tail(said)}")


def _call(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a program and return its standard output.

    Raises:
        SetupError: it failed; the text holds the end of what it said.
    """
    answer = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        env=clean_environment() if environment is None else dict(environment),
        cwd=ROOT,
        check=False,
    )
    if answer.returncode != 0:
        said = answer.stdout + answer.stderr
        shown = " ".join([Path(command[0]).name, *command[1:3]])
        raise SetupError(f"{shown} ended with status {answer.returncode}:\n{_tail(said)}")
    return answer.stdout


def _json(text: str) -> dict[str, Any]:
    found = json.loads(text.strip().splitlines()[-1])
    return dict(found)


def _tail(text: str, lines: int = 25) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-lines:])
