"""What ``build.py check`` runs: style, types, the generated schema, the repository's scans."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Callable

from tools import plugin
from tools.machine import BUILD, ROOT, Interpreter, clean_environment, qgis_environment, run

# The plugin repository switches B404 (importing subprocess) off; every other
# finding blocks an upload, so every other finding fails here.
BANDIT_SKIPPED = "B404"


def run_checks(interpreter: Interpreter, python: Path) -> list[str]:
    """Run every check, with their findings on the terminal, and return the names that failed."""
    unpacked = BUILD / "check"

    def tool(*arguments: str) -> Callable[[], bool]:
        return lambda: run([python, "-m", *arguments]) == 0

    def tests() -> bool:
        arguments = ["-q", "--no-header", "tests/contract"]
        environment = qgis_environment(interpreter, BUILD / "qgis" / "test")
        return run([python, "-m", "pytest", *arguments], environment=environment) == 0

    checks: dict[str, Callable[[], bool]] = {
        "ruff": tool("ruff", "check", "--output-format", "concise", "."),
        "ruff format": tool("ruff", "format", "--check", "--quiet", "."),
        "mypy": tool("mypy"),
        "schema": tool("hyperkd.jobs.schema", "--check"),
        "stub": tool("tools.stub", "--check"),
        "package": lambda: unpack(unpacked),
        "bandit": tool("bandit", "-q", "-r", str(unpacked), "-s", BANDIT_SKIPPED),
        "detect-secrets": lambda: scan_secrets(python, unpacked),
        "contract tests": tests,
    }
    failed = []
    for name, check in checks.items():
        print(f"== {name}", flush=True)
        if not check():
            failed.append(name)
    return failed


def unpack(folder: Path) -> bool:
    """Package the plugin and unpack the zip, so that the scans see what users get."""
    shutil.rmtree(folder, ignore_errors=True)
    path = plugin.package(destination=BUILD)
    with zipfile.ZipFile(path) as archive:
        # Our own file, written a moment ago with checked names.
        archive.extractall(folder)  # noqa: S202
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
    return True


def scan_secrets(python: Path, folder: Path) -> bool:
    """Return whether detect-secrets finds nothing in a folder, metadata.txt aside."""
    command = [str(python), "-m", "detect_secrets", "scan", "--all-files"]
    answer = subprocess.run(
        [*command, "--exclude-files", r"metadata\.txt$", str(folder)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=clean_environment(),
        cwd=ROOT,
        check=False,
    )
    if answer.returncode != 0:
        print(answer.stderr)
        return False
    found = json.loads(answer.stdout)["results"]
    for name, secrets in sorted(found.items()):
        for secret in secrets:
            print(f"{name}:{secret['line_number']}: {secret['type']}")
    return not found
