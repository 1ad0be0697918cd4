"""Model files that hold a card and nothing else, for what the plugin reads by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def card(task: str = "pretrain", **values: Any) -> dict[str, Any]:
    """Return a card with the fields that the plugin looks at."""
    known: dict[str, Any] = {
        "schema": 2,
        "name": "a model",
        "task": task,
        "bands": {"centre_nm": [450.0, 550.0, 650.0, 850.0, 1600.0, 2200.0], "fwhm_nm": None},
        "tile_px": 64,
        "patch_px": 4,
        "receptive_field_px": 64,
        "embedding_dim": 8,
        "licence": "CC0-1.0",
        "created": "2026-01-01",
        "ground_sampling_m": 30.0,
        "units": "reflectance, 0 to 1",
        "classes": [],
        "targets": [],
        "metrics": {},
        "training": {},
        "architecture": {},
        "self_test": None,
    }
    if task == "classification":
        known["classes"] = [
            {"name": "water", "value": 7, "color": "#0000ff"},
            {"name": "wood & <grass>", "value": "w", "color": "#00ff00"},
        ]
    if task == "regression":
        known["targets"] = [{"name": "cover", "unit": "%", "minimum": 0.0, "maximum": 100.0}]
    return {**known, **values}


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number * 8 + 2) + _varint(len(payload)) + payload


def write_model(path: Path, values: dict[str, Any], key: str = "hyperkd.card") -> Path:
    """Write an ONNX file as far as its metadata: a graph of zeros, and the card."""
    text = json.dumps(values).encode()
    entry = _field(1, key.encode()) + _field(2, text)
    other = _field(1, b"other") + _field(2, b"text")
    # ir_version, a graph that is skipped, and the metadata
    path.write_bytes(b"\x08\x09" + _field(7, bytes(5000)) + _field(14, other) + _field(14, entry))
    return path
