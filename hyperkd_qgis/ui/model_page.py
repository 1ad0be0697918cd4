"""What is known of a model, as a page."""

from __future__ import annotations

from html import escape

from ..cards import card_page
from ..messages import tr
from ..modelrows import ModelRow


def model_page(row: ModelRow) -> str:
    """Return what is known of a model as a page."""
    shown = {
        "status": tr("Status"),
        "licence": tr("Licence"),
        "url": tr("Fetched from"),
        "revision": tr("Revision"),
        "sha256": tr("SHA-256"),
        "added": tr("Added on"),
    }
    facts = {title: str(row.facts[key]) for key, title in shown.items() if row.facts.get(key)}
    if row.card is not None:
        facts.pop(tr("Licence"), None)
        return card_page(row.card, path=row.path, facts=facts)
    rows = "".join(
        f"<tr><td>{escape(name)}&nbsp;&nbsp;</td><td>{escape(text)}</td></tr>"
        for name, text in {**facts, tr("Size"): row.size}.items()
    )
    about = ""
    if row.kind == "teacher":
        about = tr("A teacher: students are distilled from it. It does not run on scenes itself.")
    return (
        f"<h2>{escape(row.name)}</h2><p>{escape(row.task)}</p><p>{escape(about)}</p>"
        f"<table>{rows}</table>"
    )
