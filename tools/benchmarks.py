"""Run ``benchmarks/bench_*.py`` and show what they measured."""

from __future__ import annotations

import json
from pathlib import Path

from tools.machine import BUILD, ROOT, SetupError, run

FOLDER = ROOT / "benchmarks"


def names() -> list[str]:
    """Return the benchmarks there are."""
    return sorted(path.stem[len("bench_") :] for path in FOLDER.glob("bench_*.py"))


def choose(name: str | None) -> list[str]:
    """Return the benchmark of this name as a list, or all of them.

    Raises:
        SetupError: there is no such benchmark.
    """
    if name is None:
        return names()
    if name not in names():
        raise SetupError(
            f"There is no benchmark {name}. There are: {', '.join(names()) or 'none'}."
        )
    return [name]


def run_benchmarks(python: Path, wanted: list[str], quick: bool) -> int:
    """Run benchmarks, print a table of each, and keep ``build/bench/NAME.json``.

    A benchmark is a program that takes ``--output FILE`` and ``--quick`` and
    writes ``{"protocol": text, "rows": [{column: value}, ...]}``.
    """
    failed = 0
    for chosen in wanted:
        output = BUILD / "bench" / f"{chosen}.json"
        output.parent.mkdir(parents=True, exist_ok=True)
        script = FOLDER / f"bench_{chosen}.py"
        print(f"== {chosen}", flush=True)
        if run([python, script, "--output", output, *(["--quick"] if quick else [])]) != 0:
            failed += 1
            continue
        result = json.loads(output.read_text(encoding="utf-8"))
        print(f"{result['protocol']}\n{table(result['rows'])}\n\n{output}", flush=True)
    return 1 if failed else 0


def table(rows: list[dict[str, object]]) -> str:
    """Return rows as text in columns, numbers with four significant digits."""
    if not rows:
        return "(no rows)"
    columns = list(rows[0])
    cells = [[_shown(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [columns, *cells]) for i in range(len(columns))]
    lines = [columns, ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
