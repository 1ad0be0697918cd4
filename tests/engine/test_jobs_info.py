"""``hyperkd info``: exact words and numbers about rasters and models."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperkd.errors import HyperKDError
from hyperkd.jobs import info as module
from hyperkd.jobs.events import JsonReporter
from hyperkd.jobs.info import info
from hyperkd.models.bundle import open_bundle, read_checkpoint_card
from hyperkd.models.store.registry import SHIPPED
from hyperkd.problems import Problem
from hyperkd.raster.memory import MemoryRaster
from hyperkd.requests.prepare_options import InfoJob
from hyperkd.spectral.sensors import sensor_bands
from hyperkd.types import BandTable, GridSpec, Wavelengths
from tests.potsdam import Potsdam

ENGINE = Path(__file__).resolve().parents[2] / "engine"

UTM33 = (
    'PROJCRS["WGS 84 / UTM zone 33N",BASEGEOGCRS["WGS 84",ID["EPSG",4326]],'
    'CONVERSION["UTM zone 33N",METHOD["Transverse Mercator",ID["EPSG",9807]]],'
    'ID["EPSG",32633]]'
)


def table(centre_nm: list[float], **values: Any) -> BandTable:
    count = len(centre_nm)
    return replace(
        BandTable(
            wavelengths=Wavelengths(centre_nm),
            good=np.ones(count, bool),
            scale=np.full(count, 1e-4),
            offset=np.zeros(count),
            nodata=np.full(count, np.nan),
        ),
        **values,
    )


def describe(monkeypatch: pytest.MonkeyPatch, source: MemoryRaster) -> dict[str, Any]:
    monkeypatch.setattr(module, "look_at_scene", lambda path, options: source)
    monkeypatch.setattr(module, "shipped_models", lambda: ())
    return info(InfoJob(path=source.path), JsonReporter(io.StringIO(), threading.Event()))


def test_a_raster_word_for_word(monkeypatch: pytest.MonkeyPatch) -> None:
    bands = table(
        [500, 900, 850, 2000.5],
        wavelengths=Wavelengths([500, 900, 850, 2000.5], [6, 7, 8, 9.25]),
        good=np.array([True, False, False, True]),
        nodata=np.array([-1.0, -1.0, -1.0, np.nan]),
        origins={"wavelength": "W", "units": "U", "good": "B", "fwhm": "F", "scale": "S",
                 "nodata": "N"},
    )  # fmt: skip
    data = np.ones((4, 3, 5), np.int16)
    data[0, 0, :3] = -1
    source = MemoryRaster(
        data,
        bands,
        GridSpec(5, 3, (10.0, 30.0, 0.0, 20.0, 0.0, -30.0), UTM33),
        block_shape=(1, 5),
        problems=(Problem("odd_wavelengths", "It is odd.", "Look.", values={"n": 2}),),
        path="/scene.tif",
    )
    summary = describe(monkeypatch, source)
    assert summary["text"].splitlines() == [
        "Raster /scene.tif",
        "  Size: 5 x 3 px, int16, band interleaved, blocks of 5 x 1 px",
        "  Grid: WGS 84 / UTM zone 33N (EPSG:32633), origin 10, 20, pixel 30 x -30",
        "  Bands: 4, 2 bad: 2-3 [good: B]",
        "  Wavelengths: 500.00 to 2000.50 nm, by detector [wavelength: W; units: U]",
        "  Detector ends: band 2 at 900.00 nm, the next one starts at 850.00 nm",
        "  FWHM: 6.00 to 9.25 nm [fwhm: F]",
        "  Reflectance: stored value x 0.0001 + 0 [scale: S]",
        "  Nodata: -1 [nodata: N]",
        "  Valid pixels: 80.0% of 15 sampled",
        "  Problem: It is odd. Look. [odd_wavelengths]",
    ]
    del summary["text"]
    assert json.loads(json.dumps(summary, allow_nan=False)) == {
        "kind": "raster",
        "path": "/scene.tif",
        "width": 5,
        "height": 3,
        "crs": "WGS 84 / UTM zone 33N",
        "crs_id": "EPSG:32633",
        "geotransform": [10.0, 30.0, 0.0, 20.0, 0.0, -30.0],
        "ground_control_points": 0,
        "dtype": "int16",
        "interleave": "band",
        "block": {"width": 5, "height": 1},
        "bands": 4,
        "bad_bands": [2, 3],
        "wavelengths": {
            "minimum_nm": 500.0,
            "maximum_nm": 2000.5,
            "order": "by detector",
            "drops": [{"after_band": 2, "from_nm": 900.0, "to_nm": 850.0}],
            "fwhm_minimum_nm": 6.0,
            "fwhm_maximum_nm": 9.25,
        },
        "scale": [1e-4],
        "offset": [0.0],
        "nodata": [-1.0],
        "read_from": dict(bands.origins),
        "valid_pixels": {"valid": 12, "sampled": 15},
        "students": {},
        "problems": [
            {
                "code": "odd_wavelengths",
                "severity": "warning",
                "message": "It is odd.",
                "hint": "Look.",
                "values": {"n": 2},
            }
        ],
    }


@pytest.mark.parametrize(
    ("centre_nm", "order"),
    [
        ([400, 500, 600], "ascending"),
        ([600, 500, 400], "descending"),
        ([400, 500, 450, 600], "by detector"),
        ([400, 500, 500], "by detector"),
        ([400], "ascending"),
    ],
)
def test_the_order_of_wavelengths(
    monkeypatch: pytest.MonkeyPatch, centre_nm: list[float], order: str
) -> None:
    source = MemoryRaster(np.ones((len(centre_nm), 1, 1), np.int16), table(centre_nm))
    summary = describe(monkeypatch, source)
    assert summary["wavelengths"]["order"] == order
    assert f"nm, {order}" in summary["text"]


def test_a_raster_that_says_little(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = np.array([1, 2, 3, 4.0])
    source = MemoryRaster(np.ones((4, 1, 1), np.uint8), table([1, 2, 3, 4], scale=scale))
    text = describe(monkeypatch, source)["text"]
    for line in (
        "Grid: no coordinate reference system, no geotransform",
        "Bands: 4, 0 bad",
        "FWHM: unknown",
        "Reflectance: stored value x 1 to 4 (4 values) + 0",
        "Nodata: none",
    ):
        assert f"\n  {line}\n" in text


def test_ground_control_points(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = GridSpec(1, 1, None, "", ((0, 0, 1, 2, 3, "a"),) * 4, UTM33)
    source = MemoryRaster(np.ones((1, 1, 1), np.uint8), table([500]), grid)
    text = describe(monkeypatch, source)["text"]
    assert "Grid: WGS 84 / UTM zone 33N (EPSG:32633), 4 ground control points" in text


@pytest.mark.parametrize(("side", "sampled"), [(1, 1), (96, 96 * 96), (97, 9 * 32 * 32)])
def test_a_large_raster_is_sampled(
    monkeypatch: pytest.MonkeyPatch, side: int, sampled: int
) -> None:
    data = np.ones((1, side, side), np.int16)
    data[0, 0, 0] = data[0, -1, -1] = -1
    source = MemoryRaster(data, table([500], nodata=np.array([-1.0])))
    pixels = describe(monkeypatch, source)["valid_pixels"]
    assert pixels == {"valid": sampled - min(2, side), "sampled": sampled}


def test_cancelling(monkeypatch: pytest.MonkeyPatch) -> None:
    source = MemoryRaster(np.ones((1, 1, 1), np.int16), table([500]))
    cancelled = threading.Event()
    cancelled.set()
    monkeypatch.setattr(module, "look_at_scene", lambda path, options: source)
    with pytest.raises(HyperKDError, match="The job was cancelled"):
        info(InfoJob(path=""), JsonReporter(io.StringIO(), cancelled))


def test_which_student_suits() -> None:
    assert module._models(sensor_bands("enmap"))["tiny"] == "suits"
    verdict = module._models(table([500, 600, 700]))["tiny"]
    with pytest.raises(HyperKDError) as caught:
        card = open_bundle(SHIPPED / "tiny.onnx").card
        module.input_map(table([500, 600, 700]), card.bands, card.mean, card.std)
    assert verdict == caught.value.message
    assert caught.value.code == "band_mismatch"


def run(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(ENGINE), "info", str(path), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_an_enmap_tile(potsdam: Potsdam) -> None:
    path = potsdam.tile(128, 0)
    result = run(path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == f"Raster {path}"
    assert lines[3] == "  Bands: 224, 6 bad: 130-135 [good: band metadata 'bbl']"
    assert lines[4] == (
        "  Wavelengths: 418.24 to 2445.53 nm, by detector [wavelength: band metadata "
        "'wavelength'; units: band metadata 'wavelength_units' (nanometres)]"
    )
    assert lines[6] == "  FWHM: 5.80 to 11.43 nm [fwhm: band metadata 'fwhm']"
    assert lines[7].startswith("  Reflectance: stored value x 0.0001 + 0 [scale: band scale")
    assert lines[8] == "  Nodata: -32768 [nodata: band nodata]"
    assert "  Model tiny: suits" in lines
    document = json.loads(run(path, "--json").stdout)
    assert document["bad_bands"] == [130, 131, 132, 133, 134, 135]
    assert document["wavelengths"]["drops"] == [
        {"after_band": 91, "from_nm": 993.083, "to_nm": 902.257}
    ]
    assert document["read_from"]["wavelength"] == "band metadata 'wavelength'"


def test_a_model_and_its_checkpoint() -> None:
    model, checkpoint = SHIPPED / "tiny.onnx", SHIPPED / "tiny.safetensors"
    text = run(model).stdout
    bundle = open_bundle(model)
    for line in (
        f"Model {model}",
        "  Outputs: embedding, reconstruction",
        "  Name: tiny",
        "  Task: pretrain",
        "  Bands: 218, 418.24 to 2445.53 nm",
        f"  Embedding: {bundle.card.embedding_dim} channels",
        f"  SHA-256: {bundle.sha256}",
    ):
        assert f"{line}\n" in text
    document = json.loads(run(model, "--json").stdout)
    assert document["card"] == json.loads(bundle.card.to_json())
    document = json.loads(run(checkpoint, "--json").stdout)
    assert document["kind"] == "checkpoint"
    assert document["card"] == json.loads(read_checkpoint_card(checkpoint).to_json())


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("none.tif", None, 3, "unreadable_raster"),
        ("text.tif", b"text", 3, "unreadable_raster"),
        ("text.onnx", b"text", 3, "bad_model"),
        ("text.safetensors", b"text", 3, "bad_model"),
        ("model.pt", b"PK\x03\x04", 3, "untrusted_model"),
    ],
)
def test_files_that_are_neither(
    tmp_path: Path, name: str, content: bytes | None, status: int, code: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    result = run(path)
    assert result.returncode == status
    assert result.stdout == ""
    assert result.stderr.startswith(f"error [{code}]: ")
    assert name in result.stderr
    assert "Traceback" not in result.stderr


def test_nested_values_on_one_line() -> None:
    values = {"epochs": 3, "data": {"scenes": 4, "shares": [0.5, 0.25]}, "loss": 0.123456}
    assert module._flat(values) == "epochs 3, data (scenes 4, shares 0.5 0.25), loss 0.1235"
