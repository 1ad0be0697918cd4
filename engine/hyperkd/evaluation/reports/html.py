"""Self-contained HTML pages: one file, no script, no external resource."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Union

Cell = Union[str, int, float]

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5b6876; --line: #d5dbe1;
  --paper: #ffffff; --accent: #0b7a75; --warn: #a35200; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #9aa7b4;
  --line: #37424d; --paper: #171c21; --accent: #4cc3bc; --warn: #f0a860; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.lead { color: var(--soft); margin-top: 0; } .warn { color: var(--warn); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .9rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; } td.number, th.number { text-align: right; }
details { margin: .6rem 0; } summary { cursor: pointer; color: var(--accent); }
svg { width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 12px; }
"""


def page(title: str, lead: str, sections: Iterable[str]) -> str:
    """Return a whole HTML document; ``title`` and ``lead`` are plain text."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>'
        f"{''.join(sections)}</body></html>\n"
    )


def section(heading: str, *content: str) -> str:
    """Return a headed section of HTML fragments."""
    return f"<h2>{escape(heading)}</h2>{''.join(content)}"


def paragraph(text: str, warning: bool = False) -> str:
    """Return a paragraph of plain text."""
    return f"<p{' class=warn' if warning else ''}>{escape(text)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table; numbers are right-aligned, floats keep at most six significant digits."""
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def details(summary: str, content: str) -> str:
    """Return content folded behind a line of text."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    return f'<td class="number">{value:.6g}</td>'
