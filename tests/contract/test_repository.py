"""What must hold for the repository as a whole: one version, sizes, the pages that list things."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hyperkd import __version__
from hyperkd.errors import EXIT_STATUS
from hyperkd.problems import PROBLEMS
from tools import plugin

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES = 600
FUNCTION_LINES_P90 = 60
FILE_BYTES = 1_000_000


def files() -> list[Path]:
    """Return the files of the repository: those git knows or would add."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
        found = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        skipped = {".git", ".venv", "build", "dist", "__pycache__"}
        found = [p for p in ROOT.rglob("*") if not skipped & set(p.relative_to(ROOT).parts)]
    return [path for path in found if path.is_file()]


def python_files(*tops: str) -> Iterator[Path]:
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py" and name.startswith(tops):
            yield path


def test_there_is_one_version_number() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest is not None
    assert (plugin.version(), newest[1]) == (__version__, __version__)


def test_no_module_is_too_long_to_read() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files("engine/", "hyperkd_qgis/", "tools/", "build.py")
    }
    assert {name: n for name, n in lengths.items() if n > MODULE_LINES} == {}


def test_functions_are_short() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in python_files("engine/", "hyperkd_qgis/", "tools/", "build.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    assert statistics.quantiles(lengths, n=10)[-1] <= FUNCTION_LINES_P90


def documented_codes() -> dict[str, str]:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", page, re.MULTILINE))


def test_the_page_of_errors_has_a_sentence_for_every_code_and_no_other() -> None:
    documented = documented_codes()
    assert sorted(documented) == sorted(EXIT_STATUS)
    assert [code for code, text in documented.items() if not text.rstrip().endswith(".")] == []


def test_the_page_of_errors_states_the_exit_statuses() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)
    stated = {
        code: int(status[1])
        for section in sections
        if (status := re.search(r"\bexit status (\d)", section.splitlines()[0]))
        for code in re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    }
    assert stated == dict(EXIT_STATUS)


def test_the_page_of_problems_has_a_sentence_and_the_severity_of_every_code() -> None:
    page = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \|$", page, re.MULTILINE)
    assert [(code, severity) for code, severity, _ in rows] == list(PROBLEMS.items())
    assert [code for code, _, text in rows if not text.endswith(".")] == []


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_every_problem_is_matched_by_a_test(code: str) -> None:
    assert any(f'"{code}"' in path.read_text(encoding="utf-8") for path in python_files("tests/"))


@pytest.mark.parametrize("code", sorted(EXIT_STATUS))
def test_every_code_is_matched_by_a_test(code: str) -> None:
    here = Path(__file__).resolve()
    quoted = re.compile(rf"""["']{code}["']""")
    matched = [
        path for path in python_files("tests/") if path != here and quoted.search(path.read_text())
    ]
    assert matched, f"no test matches the code {code}"


def test_the_licence_is_gpl_2() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.lstrip().startswith("GNU GENERAL PUBLIC LICENSE")
    assert "Version 2, June 1991" in text
    assert 'license = "GPL-2.0-or-later"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_only_students_are_large() -> None:
    large = [
        path.relative_to(ROOT).as_posix() for path in files() if path.stat().st_size > FILE_BYTES
    ]
    assert [name for name in large if not name.startswith("resources/students/")] == []


def test_shipped_students_fit_the_plugin() -> None:
    total = sum(path.stat().st_size for path in (ROOT / "resources/students").iterdir())
    assert 0 < total < 15_000_000


def test_relative_links_of_the_documents_lead_somewhere() -> None:
    dead = []
    for page in (path for path in files() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []


def test_the_readme_commands_are_commands_of_build_py() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"python3 build\.py (\w+)", text))
    source = (ROOT / "build.py").read_text(encoding="utf-8")
    known = set(re.findall(r'add_parser\("(\w+)"', source))
    assert {"demo", "test"} <= named <= known


def test_a_reason_stands_above_every_dependency() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    bare = []
    for number, line in enumerate(lines):
        if not re.match(r'\s+"[A-Za-z][\w-]*\s*[<>=]', line):
            continue
        assert re.search(r"<|==", line), f"no upper bound: {line.strip()}"
        # A list under one comment shares it; a blank or a bracket ends the search.
        above = number - 1
        while re.match(r'\s+"', lines[above]):
            above -= 1
        if not lines[above].lstrip().startswith("#"):
            bare.append(line.strip())
    assert bare == []
