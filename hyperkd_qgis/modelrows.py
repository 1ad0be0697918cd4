"""The models of this machine as rows of a list, from files alone or from the engine's answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from .cards import task_name
from .messages import tr
from .modelfile import Card, local_models, read_card
from .paths import shipped_students

SHIPPED, OWN, FETCHED, PUBLISHED = "shipped", "own", "fetched", "published"
ORIGINS = (SHIPPED, OWN, FETCHED, PUBLISHED)


@dataclass(frozen=True)
class ModelRow:
    """One model.

    Attributes:
        name: how algorithms call it.
        origin: one of ``ORIGINS``; a published one is not on this machine yet.
        kind: what its file holds, ``student`` or ``teacher``.
        status: what the engine says of it, for instance ``ready``.
        path: its file, or None.
        bytes: its size, or None.
        card: its card, or None.
        facts: what else is known, by name.
    """

    name: str
    origin: str
    kind: str = "student"
    status: str = ""
    path: Optional[Path] = None
    bytes: Optional[int] = None
    card: Optional[Card] = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """What it does, in a word."""
        task = str(self.card.get("task", "")) if self.card is not None else ""
        if task in ("classification", "regression"):
            return task_name(task)
        return tr("Teacher") if self.kind == "teacher" else tr("Student")

    @property
    def size(self) -> str:
        """Its size in words."""
        return "" if self.bytes is None else tr("{size:.1f} MB").format(size=self.bytes / 1e6)

    @property
    def runs(self) -> bool:
        """Whether an algorithm can run it as it is."""
        return self.path is not None and self.path.suffix == ".onnx" and self.card is not None

    @property
    def removable(self) -> bool:
        """Whether it is in the store and may leave it."""
        return self.origin in (OWN, FETCHED)

    def words(self) -> str:
        """Everything that a search may find."""
        parts = [self.name, self.task, self.origin, self.status, str(self.facts.get("licence", ""))]
        if self.card is not None:
            parts += [str(each.get("name", "")) for each in self.card.get("classes") or ()]
            parts += [str(each.get("name", "")) for each in self.card.get("targets") or ()]
            parts += [str(self.card.get("licence", "")), str(self.card.get("training", ""))]
        return " ".join(parts).casefold()


def origin_name(origin: str) -> str:
    """Return where a model comes from, in words."""
    return {
        SHIPPED: tr("shipped"),
        OWN: tr("yours"),
        FETCHED: tr("fetched"),
        PUBLISHED: tr("not here yet"),
    }[origin]


def rows_of_files() -> list[ModelRow]:
    """Return the models whose files lie here; no engine is asked."""
    shipped = shipped_students()
    return [
        ModelRow(
            name=path.stem,
            origin=SHIPPED if path.parent == shipped else OWN,
            path=path,
            bytes=path.stat().st_size,
            card=read_card(path),
            facts={},
        )
        for path in local_models()
        if path.is_file()  # a link may lead nowhere
    ]


def rows_of_answer(models: Iterable[Mapping[str, Any]]) -> list[ModelRow]:
    """Return what the engine's ``models_list`` tells, with the cards of the files that are here."""
    rows = []
    for model in models:
        path = Path(model["path"]) if model.get("path") else None
        there = path is not None and path.is_file()
        rows.append(
            ModelRow(
                name=str(model["name"]),
                origin=_origin(model),
                kind=str(model.get("kind", "student")),
                status=str(model.get("status", "")),
                path=path if there else None,
                bytes=model.get("bytes"),
                card=read_card(path) if there and path is not None else None,
                facts=dict(model),
            )
        )
    return rows


def _origin(model: Mapping[str, Any]) -> str:
    if model.get("status") == SHIPPED:
        return SHIPPED
    if not model.get("path"):
        return PUBLISHED
    return FETCHED if model.get("url") else OWN
