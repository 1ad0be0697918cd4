"""``docs/odd-inputs.md``: bad and odd inputs that the tests try, and what becomes of each.

``python -m tools.odd_inputs`` writes it from the tables of the tests; ``--check`` only
compares. Whoever adds a table of inputs adds a row to ``TABLES``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "docs" / "odd-inputs.md"

_HEAD = """# Bad and odd inputs

Each row is an input that a test gives to HyperKD, and what becomes of it: it is read right, told
by a [problem](problems.md), or refused with an [error](errors.md). The page is written by
`python -m tools.odd_inputs` from the tables of the tests, and a test compares the two.
"""

Row = tuple[str, str]


def refused(code: str) -> str:
    """Return the words for a refusal."""
    return f"refused: `{code}`"


def told(codes: Iterable[str], plain: str = "read right") -> str:
    """Return the words for what is read, with the codes that are told."""
    listed = ", ".join(f"`{code}`" for code in dict.fromkeys(codes))
    return f"{plain}; told: {listed}" if listed else plain


def _meaning(tests: Any) -> Iterator[Row]:
    for name, case in tests.CASES.items():
        if isinstance(case.right, str):
            yield name, refused(case.right)
        elif case.right is not None:
            yield name, told(case.right)


def _fill(tests: Any) -> Iterator[Row]:
    for name, case in tests.CASES.items():
        codes = [case.code] if case.code else []
        yield name, told(codes, "missing" if case.missing else "values")


def _fields(tests: Any) -> Iterator[Row]:
    for kind, cases in (("class", tests.CLASSES), ("target", tests.TARGETS)):
        for name, case in cases.items():
            yield f"{kind}, {name}", told(case.told, "left out" if case.left_out else "kept")


def _label_rasters(tests: Any) -> Iterator[Row]:
    for name, case in tests.RASTERS.items():
        yield name, told(case.told, "left out" if case.left_out else "kept")


def _spellings(tests: Any) -> Iterator[Row]:
    for name, variant in tests.VARIANTS:
        yield f"{name} and {ascii(variant)[1:-1]}", told(["class_name_variants"], "one class")


def _headers(tests: Any) -> Iterator[Row]:
    for name in tests.NAMES:
        yield f"band names such as {name}", told([])
    for text, code in tests.THOUSANDS:
        yield f"band names such as {text}", refused(code)
    for old, new, code in tests.MISFITS:
        longer = code == "longer_than_header"
        yield (
            f"an ENVI header with {new} for {old}",
            told([code], "read") if longer else refused(code),
        )


def _endings(tests: Any) -> Iterator[Row]:
    for ending in tests.REFUSED:
        yield f"an output map with the ending {ending}", refused("bad_job")


# The module of the tests, a heading, and the rows of its tables.
TABLES: tuple[tuple[str, str, Callable[[Any], Iterable[Row]]], ...] = (
    ("test_bad_rasters", "Rasters", lambda m: ((b.name, refused(b.code)) for b in m.BAD)),
    ("test_headers_and_endings", "Headers and band names", _headers),
    ("test_text_encodings", "Text that is not UTF-8",
     lambda m: ((name, told(["text_not_utf8"])) for name in m.SCENES)),
    ("test_fill", "Fill that is not the declared nodata value", _fill),
    ("test_meaning", "From stored values to reflectance", _meaning),
    ("test_label_codes", "Codes for no label in fields", _fields),
    ("test_label_codes", "Codes for no label in class rasters", _label_rasters),
    ("test_label_codes", "Spellings of one class", _spellings),
    ("test_label_codes", "Text in a field of targets",
     lambda m: ((text, refused("bad_labels")) for text, _ in m.NOT_NUMBERS)),
    ("test_libraries", "Spectral libraries",
     lambda m: ((bad.name, refused("bad_library")) for bad in m.BAD)),
    ("test_headers_and_endings", "Outputs", _endings),
)  # fmt: skip


def sections() -> list[tuple[str, list[Row]]]:
    """Return the headings with their rows, each input once."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return [
        (heading, list(dict(rows(importlib.import_module(f"tests.engine.{module}"))).items()))
        for module, heading, rows in TABLES
    ]


def content() -> str:
    """Return the whole page."""
    found = sections()
    parts = [_HEAD, f"There are {sum(len(rows) for _, rows in found)}.\n"]
    for heading, rows in found:
        lines = [f"| {name.replace('|', chr(92) + '|').strip()} | {what} |" for name, what in rows]
        parts.append("\n".join([f"## {heading}\n", "| input | outcome |", "|---|---|", *lines, ""]))
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` return 1 where it is out of date."""
    if arguments == ["--check"]:
        current = PATH.exists() and PATH.read_text(encoding="utf-8") == content()
        if not current:
            print(f"{PATH.name} is out of date: run python -m tools.odd_inputs", file=sys.stderr)
        return 0 if current else 1
    PATH.write_text(content(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
