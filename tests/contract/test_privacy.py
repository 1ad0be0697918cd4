"""Nothing leaves the machine: onnxruntime's reporting is off before it can begin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

ROOT = Path(__file__).resolve().parents[2]

# A real session of the shipped student. Where reporting is on, importing
# onnxruntime alone already leaves an identifier of the machine and a queue of
# events in the cache of the user.
SESSION = """
import sys
sys.path.insert(0, sys.argv[1])
from hyperkd.inference.backends.onnxruntime_backend import open_session
from hyperkd.models.bundle import open_bundle
from hyperkd.models.store.registry import resolve
bundle = open_bundle(resolve("tiny"))
open_session(bundle.network("embedding", None), "cpu")
if "onnxruntime" not in sys.modules:
    raise SystemExit("onnxruntime was not imported")
"""


def test_a_session_leaves_no_identifier_and_no_queue_of_events(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA"):
        environment[name] = str(tmp_path)
    subprocess.run(
        [sys.executable, "-I", "-c", SESSION, str(ROOT / "engine")],
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
