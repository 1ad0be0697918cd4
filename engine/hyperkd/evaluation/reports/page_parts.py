"""The pieces of a report page: document, sections, tables, figures in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Callable, Optional

MISSING = "–"

_STYLE = """
:root { color-scheme: light; --ink: #1d2733; --soft: #51606f; --line: #d5dbe1;
  --accent: #0b7a75; --tint: #f1f7f6; --warn: #8a4300; --warn-tint: #fdf3e7; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  color: var(--ink); background: #fff; margin: 0; }
.skip { position: absolute; left: -999px; } .skip:focus { left: 1rem; top: .5rem; }
header { background: var(--tint); border-bottom: 3px solid var(--accent); }
header > div, main, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
header > div { padding-top: 1.8rem; padding-bottom: 1.4rem; }
.brand { color: var(--accent); font-weight: 700; letter-spacing: .04em; font-size: .85rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .2rem 0 .4rem; }
.lead { font-size: 1.08rem; margin: 0; max-width: 52rem; }
nav { margin-top: 1rem; font-size: .9rem; } nav a { margin-right: 1.1rem; white-space: nowrap; }
a { color: var(--accent); } a:focus-visible, summary:focus-visible {
  outline: 3px solid #e69f00; outline-offset: 2px; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .5rem; padding-top: .4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p { max-width: 52rem; margin: .5rem 0; } .soft, figcaption, caption { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem;
  margin: 1.4rem 0 .6rem; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; }
.card b { display: block; font-size: 1.65rem; line-height: 1.25; font-weight: 650; }
.card span { display: block; color: var(--soft); font-size: .86rem; }
.box { border-left: 4px solid var(--accent); background: var(--tint); padding: .6rem 1rem;
  margin: 1rem 0; } .box.warn { border-color: #c26a00; background: var(--warn-tint);
  color: var(--warn); } .box p { margin: .25rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem;
  margin: .6rem 0; }
caption { text-align: left; font-size: .88rem; padding-bottom: .2rem; }
th, td { padding: .28rem .9rem .28rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; border-bottom: 2px solid var(--line); }
tbody th { font-weight: 500; min-width: 7.5rem; } td.n, th.n { text-align: right; }
td.n { white-space: nowrap; }
tr.best { background: var(--tint); } tr.best th { font-weight: 700; }
.swatch { display: inline-block; width: .8em; height: .8em; border: 1px solid var(--ink);
  margin-right: .45em; vertical-align: -.05em; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0;
  margin: .3rem 0; font-size: .9rem; }
figure { margin: .8rem 0; overflow-x: auto; } figcaption { font-size: .88rem; max-width: 52rem; }
svg { display: block; width: 100%; height: auto; } svg text { font-family: inherit;
  fill: var(--soft); font-size: 12px; }
.pair { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.pair > figure { flex: 0 1 27.5rem; } .pair > div { flex: 1 1 18rem; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--accent); }
footer { color: var(--soft); font-size: .85rem; border-top: 1px solid var(--line);
  margin-top: 3rem; padding-top: .8rem; padding-bottom: 2rem; }
@page { margin: 14mm; }
@media print { body { font-size: 9.5pt; } nav, .skip, details { display: none; }
  header, .box, .card, tr.best { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  header > div, main, footer { padding-left: 0; padding-right: 0; } header { padding: 0 1rem; }
  .scroll, figure { overflow: visible; } table { font-size: 8pt; }
  th, td { padding-right: .5rem; } td.n { white-space: normal; } .card b { font-size: 14pt; }
  .pair { display: block; } .pair > figure { width: 9cm; }
  .cards { grid-template-columns: repeat(5, 1fr); gap: .4rem; } .card { padding: .4rem .5rem; }
  figure, table, .card, .box { break-inside: avoid; } h2, h3 { break-after: avoid; } }
"""


def document(title: str, lead: str, sections: Sequence[tuple[str, str]], foot: str) -> str:
    """Return a whole page, made to be read on a screen and printed.

    Args:
        title, lead, foot: plain text.
        sections: heading (plain text; empty for the first one, which has none) and content.
    """
    body, links = [], []
    for number, (heading, content) in enumerate(sections):
        if heading:
            links.append(f'<a href="#s{number}">{escape(heading)}</a>')
            body.append(
                f'<section aria-labelledby="s{number}"><h2 id="s{number}">{escape(heading)}</h2>'
                f"{content}</section>"
            )
        else:
            body.append(content)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        '<a class="skip" href="#main">Skip to the report</a>'
        f'<header><div><div class="brand">HyperKD</div><h1>{escape(title)}</h1>'
        f'<p class="lead">{escape(lead)}</p>'
        f'<nav aria-label="Sections">{" ".join(links)}</nav></div></header>'
        f'<main id="main">{"".join(body)}</main><footer>{escape(foot)}</footer></body></html>\n'
    )


def paragraph(text: str, soft: bool = False) -> str:
    """Return a paragraph of plain text."""
    return f"<p{' class=soft' if soft else ''}>{escape(text)}</p>"


def heading(text: str) -> str:
    """Return a heading inside a section."""
    return f"<h3>{escape(text)}</h3>"


def box(*texts: str, warning: bool = False) -> str:
    """Return a box of paragraphs that stands out."""
    content = "".join(f"<p>{escape(text)}</p>" for text in texts)
    kind = "box warn" if warning else "box"
    role = ' role="note"' if warning else ""
    return f'<div class="{kind}"{role}>{content}</div>' if texts else ""


def cards(entries: Sequence[tuple[str, str, str]]) -> str:
    """Return a row of key figures: value, what it is, its interval or what it means."""
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card"><span>{escape(name)}</span><b>{escape(value)}</b>'
            f"<span>{escape(detail)}</span></div>"
            for value, name, detail in entries
        )
        + "</div>"
    )


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str = "",
    colours: Sequence[str] = (),
    best: int = -1,
    texts: Sequence[int] = (),
) -> str:
    """Return a table; the first column names its row, the others hold figures.

    Args:
        head: of each column.
        rows: plain text.
        colours: of a swatch in front of each row's name.
        best: index of a row to stand out.
        texts: columns after the first that hold text and are left-aligned.
    """

    def kind(column: int) -> str:
        return "" if column == 0 or column in texts else ' class="n"'

    heads = "".join(
        f'<th scope="col"{kind(column)}>{escape(name)}</th>' for column, name in enumerate(head)
    )
    body = []
    for index, row in enumerate(rows):
        mark = swatch(colours[index]) if colours else ""
        cells = "".join(
            f"<td{kind(column)}>{escape(cell)}</td>" for column, cell in enumerate(row[1:], 1)
        )
        chosen = ' class="best"' if index == best else ""
        body.append(f'<tr{chosen}><th scope="row">{mark}{escape(row[0])}</th>{cells}</tr>')
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{told}<thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def details(summary: str, content: str) -> str:
    """Return content folded behind a line of text."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def figure_of(svg: str, caption: str, legend: Sequence[tuple[str, str]] = ()) -> str:
    """Return a chart with its caption and a legend of colour and name."""
    entries = "".join(f"<li>{swatch(colour)}{escape(name)}</li>" for colour, name in legend)
    listed = f'<ul class="legend">{entries}</ul>' if legend else ""
    return f"<figure>{svg}{listed}<figcaption>{escape(caption)}</figcaption></figure>"


def swatch(colour: str) -> str:
    """Return a small square of a colour; its meaning always stands beside it."""
    return f'<span class="swatch" style="background:{escape(colour)}" aria-hidden="true"></span>'


Figure = Mapping[str, Optional[float]]


def percent(value: Optional[float], digits: int = 1) -> str:
    """Return a share in percent, a dash where it is undefined."""
    return MISSING if value is None else _minus(f"{100 * value:.{digits}f} %")


def plain(value: Optional[float]) -> str:
    """Return a number to three significant digits, a dash where it is undefined."""
    if value is None:
        return MISSING
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")
    return _minus(text)


def percent_with_interval(found: Figure) -> str:
    """Return for instance ``84.2 % (79.0 to 88.5)``."""
    ends = percent_interval(found)
    return percent(found["value"]) + (f" ({ends})" if ends else "")


def percent_interval(found: Figure) -> str:
    """Return for instance ``79.0 to 88.5``; empty where there is no interval."""
    low, high = found["low"], found["high"]
    return "" if low is None or high is None else _minus(f"{100 * low:.1f} to {100 * high:.1f}")


def with_interval(found: Figure) -> str:
    """Return for instance ``0.710 (0.600 to 0.790)``."""
    ends = interval_text(found)
    return plain(found["value"]) + (f" ({ends})" if ends else "")


def interval_text(found: Figure) -> str:
    """Return for instance ``0.600 to 0.790``; empty where there is no interval."""
    low, high = found["low"], found["high"]
    return "" if low is None or high is None else f"{plain(low)} to {plain(high)}"


def signed_points(found: Figure) -> str:
    """Return a difference of shares in percentage points with its sign and interval."""
    return _signed(found, lambda value: f"{100 * value:+.1f}")


def signed(found: Figure) -> str:
    """Return a difference with its sign and interval."""
    return _signed(found, lambda value: ("+" if value > 0 else "") + plain(value))


def _signed(found: Figure, shown: Callable[[float], str]) -> str:
    value, low, high = (found[key] for key in ("value", "low", "high"))
    if value is None:
        return MISSING
    ends = "" if low is None or high is None else f" ({shown(low)} to {shown(high)})"
    return _minus(shown(value) + ends)


def _minus(text: str) -> str:
    """Return the text with the minus sign that is as wide as a plus."""
    return text.replace("-", "−")


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return the settings of a method in words."""
    if "targets" in settings:
        settings = settings["targets"][0]
    parts = []
    for key, value in settings.items():
        shown = f"{value:.3g}" if isinstance(value, float) else str(value)
        parts.append(f"{key.replace('_', ' ')} {'none' if value is None else shown}")
    return ", ".join(parts)
